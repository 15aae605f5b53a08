//! `signalbox health`: asks a running sidecar over HTTP, so that a container image needs no other program for it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::Args;

use super::ask::Answer;
use super::terminal::Terminal;
use super::{CommandOutcome, ask, config_file};

/// How long each step of the question may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What to ask.
#[derive(Args)]
pub(super) struct Arguments {
    /// What to ask for [default: /-/healthy, or /-/ready, at the address `signalbox run` listens at].
    #[arg(long, value_name = "http://HOST:PORT/PATH")]
    url: Option<String>,
    /// Asks whether it is ready, not only alive.
    #[arg(long)]
    ready: bool,
    /// The address `signalbox run` listens at; an address of all interfaces is asked at the loopback one [default: the
    /// configuration's, else 127.0.0.1:9469].
    #[arg(long, value_name = "ADDR", env = "SIGNALBOX_LISTEN")]
    listen: Option<String>,
    /// The configuration file [default: signalbox.yaml if present].
    #[arg(long, value_name = "FILE", env = "SIGNALBOX_CONFIG")]
    config: Option<PathBuf>,
}

/// Exit 0 where the answer is 200, else 1; 2 where the address makes no sense.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<CommandOutcome> {
    let default_path = if arguments.ready { "/-/ready" } else { "/-/healthy" };
    let (authority, path) = if let Some(url) = &arguments.url {
        let Some((authority, path)) = ask::split(url) else {
            bail!("ask `{url}`: write it as http://HOST:PORT/PATH");
        };
        (authority.to_owned(), if path.is_empty() { default_path } else { path })
    } else {
        let listen = match &arguments.listen {
            Some(listen) => listen.clone(),
            None => config_file::listen(arguments.config.as_deref(), terminal)?,
        };
        let listen = config_file::address_text(&listen);
        (listen.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:"), default_path)
    };
    let not = if arguments.ready { "not ready" } else { "not healthy" };
    match ask::get(&authority, path, TIMEOUT) {
        Ok(answer) if answer.is_ok() => return Ok(CommandOutcome::Fine),
        Ok(answer) => {
            for reason in reasons(&answer) {
                terminal.say(format_args!("{not}: {reason}"));
            }
        }
        Err(error) => terminal.say(format_args!("{not}: cannot {error:#}")),
    }
    Ok(CommandOutcome::Findings)
}

/// Why it is not, a line each, as the answer says; its status where it says nothing.
fn reasons(answer: &Answer) -> Vec<&str> {
    let is_reason = |line: &&str| !line.trim().is_empty() && *line != "not ready:";
    let mut reasons: Vec<&str> = answer.body.lines().filter(is_reason).collect();
    if reasons.is_empty() {
        reasons.push(&answer.status);
    }
    reasons
}
