//! `signalbox health`: asks a running sidecar over HTTP, so that a container image needs no other program for it.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use super::terminal::Terminal;
use super::{CommandOutcome, config_file};

/// How long the whole question may take at each step.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

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
        let Some(rest) = url.strip_prefix("http://") else {
            bail!("ask `{url}`: write it as http://HOST:PORT/PATH");
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        (authority.to_owned(), if path.is_empty() { default_path } else { path })
    } else {
        let listen = match &arguments.listen {
            Some(listen) => listen.clone(),
            None => config_file::listen(arguments.config.as_deref(), terminal)?,
        };
        let listen = config_file::address_text(&listen);
        (listen.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:"), default_path)
    };
    match ask(&authority, path) {
        Ok(status) if status.contains(" 200") => Ok(CommandOutcome::Fine),
        Ok(answer) => {
            terminal.say(format_args!("not healthy: {}", answer.trim_end()));
            Ok(CommandOutcome::Findings)
        }
        Err(error) => {
            terminal.say(format_args!("not healthy: cannot {error:#}"));
            Ok(CommandOutcome::Findings)
        }
    }
}

/// The status line of the answer.
fn ask(authority: &str, path: &str) -> anyhow::Result<String> {
    let found =
        authority.to_socket_addrs().with_context(|| format!("ask `{authority}`: write HOST:PORT"))?.next();
    let address = found.with_context(|| format!("find {authority}"))?;
    let mut stream =
        TcpStream::connect_timeout(&address, TIMEOUT).with_context(|| format!("connect to {address}"))?;
    stream.set_read_timeout(Some(TIMEOUT)).context("set a timeout")?;
    stream.set_write_timeout(Some(TIMEOUT)).context("set a timeout")?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).with_context(|| format!("ask {address}"))?;
    let mut answer = Vec::new();
    stream
        .take(ANSWER_BYTES_MAX)
        .read_to_end(&mut answer)
        .with_context(|| format!("read the answer of {address}"))?;
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
