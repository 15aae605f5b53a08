//! `signalbox health`: asks a running sidecar over HTTP or HTTPS, so that a container image needs no other program for it.

mod secure;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;

use super::ask::{Answer, Request};
use super::terminal::Terminal;
use super::{CommandOutcome, ask, config_file, sources};
use crate::engine::config::Config;
use crate::engine::config::web::WebConfig;
use crate::shell::plain::plain;
use secure::{Identity, Trust, secured};

/// How long each step of the question may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// What to ask.
#[derive(Args)]
pub(super) struct Arguments {
    /// What to ask for [default: /-/healthy, or /-/ready, at the address `signalbox run` listens at].
    #[arg(long, value_name = "http[s]://HOST:PORT/PATH")]
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
    /// The web configuration of `run`: where it has TLS, HTTPS is asked and the certificate it names is expected
    /// [default: the configuration's].
    #[arg(long, value_name = "FILE", env = "SIGNALBOX_WEB_CONFIG")]
    web_config: Option<PathBuf>,
    /// The authorities of the certificate that an https URL shows [default: the system's].
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The certificate to show, where one is asked for.
    #[arg(long, value_name = "FILE", requires = "key_file")]
    cert_file: Option<PathBuf>,
    /// The key of that certificate.
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,
    /// The user to sign in as, where the web configuration has users.
    #[arg(long, value_name = "NAME", requires = "password_file")]
    username: Option<String>,
    /// A file with that user's password.
    #[arg(long, value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,
}

/// Where to ask, for what, and whom to believe.
struct Question {
    authority: String,
    path: String,
    trust: Option<Trust>,
}

/// What to do where nobody listens.
const ADVICE: &str = "; start signalbox there, or say where it listens with --listen or --url";

/// Exit 0 where the answer is 200, else 1; 2 where the address makes no sense.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<CommandOutcome> {
    let question = question(arguments, terminal)?;
    let not = if arguments.ready { "not ready" } else { "not healthy" };
    match put(arguments, &question) {
        Ok(answer) if answer.is_ok() => return Ok(CommandOutcome::Fine),
        Ok(answer) if answer.status.contains(" 401") && arguments.username.is_none() => {
            terminal.say(format_args!("{not}: it asks who is there: give --username and --password-file"));
        }
        Ok(answer) => {
            for reason in reasons(&answer) {
                terminal.say(format_args!("{not}: {reason}"));
            }
        }
        Err(error) => {
            let causes = || error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
            let is_refused = causes().any(|cause| cause.kind() == std::io::ErrorKind::ConnectionRefused);
            let advice = if is_refused { ADVICE } else { "" };
            terminal.say(format_args!("{not}: cannot {}{advice}", plain(&error)));
        }
    }
    Ok(CommandOutcome::Findings)
}

/// Why it is not, a line each, as the answer says; its status where it says nothing.
fn reasons(answer: &Answer) -> Vec<&str> {
    let is_reason = |line: &&str| !line.trim().is_empty() && *line != "not ready:";
    let mut reasons: Vec<&str> = answer.body.lines().filter(is_reason).collect();
    if reasons.is_empty() || answer.status.contains(" 401") {
        reasons.insert(0, &answer.status);
    }
    reasons
}

fn question(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<Question> {
    let default_path = if arguments.ready { "/-/ready" } else { "/-/healthy" };
    if let Some(url) = &arguments.url {
        let secure = url.strip_prefix("https://");
        let Some(rest) = secure.or_else(|| url.strip_prefix("http://")) else {
            bail!("ask `{url}`: write it as http://HOST:PORT/PATH or https://HOST:PORT/PATH");
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = if path.is_empty() { default_path } else { path };
        let trust = secure.map(|_| Trust::Authorities(arguments.ca_file.clone()));
        return Ok(Question { authority: authority.to_owned(), path: path.to_owned(), trust });
    }
    let config = match &arguments.listen {
        // Only an address is asked for then, and `run` may well go on with the last good file.
        Some(_) => readable(arguments.config.as_deref()).unwrap_or_default(),
        None => config_file::read_or_say(arguments.config.as_deref(), terminal)?,
    };
    let listen = arguments.listen.clone().or(config.listen).unwrap_or_else(config_file::default_listen);
    let listen = config_file::address_text(&listen);
    let authority = listen.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:");
    let web_config = arguments.web_config.clone().or(config.web_config.map(PathBuf::from));
    let trust = web_config.as_deref().map(expected).transpose()?.flatten();
    Ok(Question { authority, path: default_path.to_owned(), trust })
}

/// The configuration where it is there and can be read.
fn readable(named: Option<&Path>) -> Option<Config> {
    let path = config_file::meant(named)?;
    Config::parse(&sources::read(&path).ok()?).0
}

/// The certificate that a web configuration serves with; none where it serves in the clear.
fn expected(path: &Path) -> anyhow::Result<Option<Trust>> {
    let (config, _) = WebConfig::parse(&sources::read(path)?);
    let config =
        config.with_context(|| format!("use {}; `signalbox check` says what is wrong", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let tls = config.tls_server_config;
    Ok(tls.cert_file.map(|file| Trust::Certificate(folder.join(file))).or(tls.cert.map(Trust::Text)))
}

/// Puts the question.
fn put(arguments: &Arguments, question: &Question) -> anyhow::Result<Answer> {
    let Question { authority, path, trust } = question;
    let more = authorization(arguments)?;
    let stream = ask::connect(authority, authority, TIMEOUT)?;
    let request = Request { authority, path, more: &more, answer_bytes_max: ANSWER_BYTES_MAX };
    let Some(trust) = trust else {
        return ask::over(stream, &request).with_context(|| format!("ask {authority}"));
    };
    let identity = match (&arguments.cert_file, &arguments.key_file) {
        (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
        (_, _) => None,
    };
    let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
    let stream = secured(stream, host, trust, identity.as_ref())?;
    ask::over(stream, &request).with_context(|| format!("ask {authority} over TLS"))
}

/// The header that says who asks.
fn authorization(arguments: &Arguments) -> anyhow::Result<String> {
    let (Some(user), Some(file)) = (&arguments.username, &arguments.password_file) else {
        return Ok(String::new());
    };
    let password = std::fs::read_to_string(file)
        .with_context(|| format!("read the password from {}", file.display()))?;
    let pair = STANDARD.encode(format!("{user}:{}", password.trim_end_matches(['\r', '\n'])));
    Ok(format!("Authorization: Basic {pair}\r\n"))
}
