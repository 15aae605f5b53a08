//! From flags, environment and file to what the shell and the engine are set up with.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use super::sources;
use super::terminal::Terminal;
use crate::engine::config::Config;
use crate::engine::config::file::{
    AlertDelivery, FileConfig, LogFormat, NatsConfig, RejectedConfig, SecretSource, StreamStart, TlsMode,
};
use crate::engine::config::server_url::{ServerUrl, split_urls};
use crate::engine::diagnostic::Severity;
use crate::shell::settings as shell;

/// The file that is read where no flag names another.
pub(super) const DEFAULT_CONFIG: &str = "signalbox.yaml";
/// The folder of rules that is read where nothing names another.
pub(super) const DEFAULT_RULES: &str = "rules";

/// The flags of `run`; each is an environment variable too.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Flags {
    /// The configuration file [default: signalbox.yaml if present].
    #[arg(long, value_name = "FILE", env = "SIGNALBOX_CONFIG")]
    config: Option<PathBuf>,
    /// The name of this instance, the `source` of its alert events [default: the host name].
    #[arg(long, value_name = "NAME", env = "SIGNALBOX_INSTANCE")]
    instance: Option<String>,
    /// NATS servers, separated by commas [default: port 4222 of 127.0.0.1].
    #[arg(long, value_name = "URL[,URL…]", env = "SIGNALBOX_NATS_URL", hide_env_values = true)]
    nats_url: Option<String>,
    /// Where HTTP is served; port 0 picks a free one [default: 127.0.0.1:9469].
    #[arg(long, value_name = "ADDR", env = "SIGNALBOX_LISTEN")]
    listen: Option<String>,
    /// Another address for the page, the API and the reload [default: that of --listen].
    #[arg(long, value_name = "ADDR", env = "SIGNALBOX_ADMIN_LISTEN")]
    admin_listen: Option<String>,
    /// Rule files or folders [default: rules/ if present].
    #[arg(long, value_name = "PATH", env = "SIGNALBOX_RULES", num_args = 1.., value_delimiter = ',')]
    rules: Option<Vec<PathBuf>>,
    /// The folder that keeps the state over a restart [default: none, state in memory].
    #[arg(long, value_name = "DIR", env = "SIGNALBOX_STATE_DIR")]
    state_dir: Option<PathBuf>,
    /// A file with TLS and basic authentication, in Prometheus' web config format.
    #[arg(long, value_name = "FILE", env = "SIGNALBOX_WEB_CONFIG")]
    web_config: Option<PathBuf>,
    /// How log lines are written [default: text].
    #[arg(long, value_name = "FORMAT", env = "SIGNALBOX_LOG_FORMAT", value_enum)]
    log_format: Option<LogFormatFlag>,
}

/// The words of `--log-format`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormatFlag {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What a missing stream means where neither flag nor file says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamDefault {
    /// `run`: wait for it.
    Wait,
    /// `demo`: make it.
    Create,
}

/// Everything `run` starts with.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    /// The engine's part.
    pub(super) engine: Config,
    /// The shell's part.
    pub(super) shell: shell::Settings,
    /// Rule files and folders.
    pub(super) rules: Vec<PathBuf>,
    /// How log lines are written.
    pub(super) log_format: LogFormat,
    /// The configuration file that was read, if any.
    pub(super) config_path: Option<PathBuf>,
}

/// Merges flags, environment and file. What is wrong in the file is said with its place.
///
/// # Errors
/// Whatever only an edit can mend.
pub(super) fn resolve(
    flags: &Flags,
    stream: StreamDefault,
    terminal: &mut Terminal,
) -> anyhow::Result<Resolved> {
    let file = config_file(flags.config.as_deref(), terminal)?;
    refuse_unbuilt(flags, &file)?;
    let instance = flags.instance.clone().or_else(|| file.instance.clone()).unwrap_or_else(host_name);
    let urls = match &flags.nats_url {
        Some(text) => checked_urls(text)?,
        None => file.nats.urls.clone(),
    };
    let listen = flags.listen.as_ref().or(file.listen.as_ref());
    let admin_listen = flags.admin_listen.as_ref().or(file.admin_listen.as_ref());
    let defaults = shell::HttpSettings::default();
    let settings = shell::Settings {
        nats: nats(&file.nats, urls)?,
        jetstream: jetstream(&file, stream),
        alerts: shell::AlertSettings { delivery: delivery(file.alert_delivery), ..Default::default() },
        rejected: rejected(&file.rejected),
        http: shell::HttpSettings {
            listen: listen.map_or(Ok(defaults.listen), |text| address(text, "--listen"))?,
            admin_listen: admin_listen.map(|text| address(text, "--admin-listen")).transpose()?,
            ..defaults
        },
        state_dir: flags.state_dir.clone().or_else(|| file.state_dir.as_ref().map(PathBuf::from)),
        shutdown: shell::ShutdownSettings { grace: file.shutdown_grace },
        ..Default::default()
    };
    let log_format = match flags.log_format {
        Some(LogFormatFlag::Text) => LogFormat::Text,
        Some(LogFormatFlag::Json) => LogFormat::Json,
        None => file.log_format.unwrap_or_default(),
    };
    let rules = rule_paths(flags.rules.as_deref(), &file);
    let config_path = config_path(flags.config.as_deref());
    Ok(Resolved { engine: file.engine(&instance), shell: settings, rules, log_format, config_path })
}

/// The rule files and folders that are meant, whether or not they are there.
pub(super) fn rule_paths(flags: Option<&[PathBuf]>, file: &FileConfig) -> Vec<PathBuf> {
    match (flags, &file.rules) {
        (Some(paths), _) => paths.to_vec(),
        (None, Some(paths)) => paths.iter().map(PathBuf::from).collect(),
        (None, None) if Path::new(DEFAULT_RULES).is_dir() => vec![PathBuf::from(DEFAULT_RULES)],
        (None, None) => Vec::new(),
    }
}

/// The configuration file's content; the defaults where none is named and none is present.
///
/// # Errors
/// A file that cannot be read, or with errors in it.
pub(super) fn config_file(path: Option<&Path>, terminal: &mut Terminal) -> anyhow::Result<FileConfig> {
    let Some(path) = config_path(path) else { return Ok(FileConfig::default()) };
    let source = sources::read(&path)?;
    let (config, diagnostics) = FileConfig::parse(&source);
    terminal.say_diagnostics(&diagnostics);
    config.with_context(|| {
        let errors = diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
        let faults = super::terminal::counted(errors, "error");
        format!(
            "use the configuration: {} has {faults}, shown above; mend it and start again",
            path.display()
        )
    })
}

/// The configuration file that is meant: the named one, or the default where it is present.
fn config_path(named: Option<&Path>) -> Option<PathBuf> {
    match named {
        Some(path) => Some(path.to_owned()),
        None => Some(PathBuf::from(DEFAULT_CONFIG)).filter(|path| path.exists()),
    }
}

/// What is part of the configuration but not of this release.
fn refuse_unbuilt(flags: &Flags, file: &FileConfig) -> anyhow::Result<()> {
    let asked = [
        (
            flags.web_config.is_some() || file.web_config.is_some(),
            "web_config (TLS and basic authentication)",
        ),
        (
            flags.state_dir.is_some() || file.state_dir.is_some(),
            "state_dir (a state that survives the process)",
        ),
        (!file.alertmanager_urls.is_empty(), "alertmanager.urls"),
    ];
    for (is_asked, what) in asked {
        if is_asked {
            bail!(
                "start with {what}: this release does not have it yet; take it out of the flags and the file"
            );
        }
    }
    Ok(())
}

fn checked_urls(text: &str) -> anyhow::Result<Vec<String>> {
    let urls: Vec<String> = split_urls(text).map(str::to_owned).collect();
    if urls.is_empty() {
        bail!("use an empty --nats-url: write for example nats://127.0.0.1:4222");
    }
    for url in &urls {
        if let Err(fault) = ServerUrl::parse(url) {
            bail!("use a URL of --nats-url that {fault}: write for example nats://127.0.0.1:4222");
        }
    }
    Ok(urls)
}

/// An address as it may be written: `HOST:PORT`, `:PORT` for every interface.
pub(super) fn address_text(text: &str) -> String {
    if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() }
}

fn address(text: &str, flag: &str) -> anyhow::Result<SocketAddr> {
    let written = address_text(text);
    let mut found = written
        .to_socket_addrs()
        .with_context(|| format!("use `{text}` of {flag}: write HOST:PORT, for example 127.0.0.1:9469"))?;
    found.next().with_context(|| format!("use `{text}` of {flag}: no address of that name is known"))
}

fn nats(file: &NatsConfig, urls: Vec<String>) -> anyhow::Result<shell::NatsSettings> {
    let defaults = shell::NatsSettings::default();
    let urls = if urls.is_empty() {
        defaults.urls.clone()
    } else {
        urls.into_iter().map(shell::Secret::new).collect()
    };
    Ok(shell::NatsSettings { urls, auth: auth(file)?, tls: tls(file), ..defaults })
}

fn tls(file: &NatsConfig) -> shell::TlsSettings {
    let identity = file.tls_identity.clone();
    let (cert, key) = identity.map_or((None, None), |(cert, key)| (Some(cert.into()), Some(key.into())));
    shell::TlsSettings {
        mode: match file.tls_mode {
            TlsMode::Auto => shell::TlsMode::AsServerAsks,
            TlsMode::Required => shell::TlsMode::Required,
            TlsMode::First => shell::TlsMode::First,
        },
        ca: file.tls_ca.as_ref().map(PathBuf::from),
        cert,
        key,
    }
}

fn auth(file: &NatsConfig) -> anyhow::Result<shell::Auth> {
    let ways = [
        (file.user.is_some(), "user"),
        (file.token.is_some(), "token"),
        (file.creds.is_some(), "creds"),
        (file.nkey.is_some(), "nkey"),
    ];
    let given: Vec<&str> = ways.iter().filter(|(is_given, _)| *is_given).map(|(_, name)| *name).collect();
    if given.len() > 1 {
        bail!("tell which of nats.{} to use: keep one of them", given.join(", nats."));
    }
    if let (Some(user), Some(password)) = (&file.user, &file.password) {
        return Ok(shell::Auth::User { user: user.clone(), password: secret(password)? });
    }
    if let Some(token) = &file.token {
        return Ok(shell::Auth::Token(secret(token)?));
    }
    if let Some(path) = &file.creds {
        readable(Path::new(path), "nats.creds")?;
        return Ok(shell::Auth::CredentialsFile(path.into()));
    }
    Ok(match &file.nkey {
        Some(SecretSource::Inline(seed)) => shell::Auth::NkeySeed(shell::Secret::new(seed.0.clone())),
        Some(SecretSource::File(path)) => {
            readable(Path::new(path), "nats.nkey_file")?;
            shell::Auth::NkeyFile(path.into())
        }
        None => shell::Auth::None,
    })
}

fn secret(source: &SecretSource) -> anyhow::Result<shell::Secret> {
    match source {
        SecretSource::Inline(secret) => Ok(shell::Secret::new(secret.0.clone())),
        SecretSource::File(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("read the secret file {path} that the configuration names"))?;
            Ok(shell::Secret::new(text.trim_end_matches(['\r', '\n'])))
        }
    }
}

fn readable(path: &Path, key: &str) -> anyhow::Result<()> {
    std::fs::File::open(path).map(drop).with_context(|| format!("read {} that {key} names", path.display()))
}

fn jetstream(file: &FileConfig, stream: StreamDefault) -> shell::JetStreamSettings {
    let from = &file.jetstream;
    let create = from.create_stream.unwrap_or(stream == StreamDefault::Create);
    shell::JetStreamSettings {
        use_lane: if from.enabled { shell::UseLane::On } else { shell::UseLane::Off },
        stream: Arc::from(from.stream.as_str()),
        missing_stream: if create { shell::MissingStream::Create } else { shell::MissingStream::Wait },
        start: match from.start {
            StreamStart::All => shell::Start::All,
            StreamStart::New => shell::Start::New,
            StreamStart::Resume => shell::Start::Resume,
        },
        durable: from.durable.clone(),
        domain: from.domain.clone(),
        ready_pending_max: from.ready_pending_max,
        ..Default::default()
    }
}

fn delivery(from: AlertDelivery) -> shell::Delivery {
    match from {
        AlertDelivery::Auto => shell::Delivery::Auto,
        AlertDelivery::JetStream => shell::Delivery::JetStream,
        AlertDelivery::Core => shell::Delivery::Core,
    }
}

fn rejected(from: &RejectedConfig) -> shell::RejectedSettings {
    shell::RejectedSettings {
        subject: from.subject.clone(),
        lanes: match (from.core, from.jetstream) {
            (true, true) => shell::RejectedLanes::Both,
            (true, false) => shell::RejectedLanes::Core,
            (false, true) => shell::RejectedLanes::JetStream,
            (false, false) => shell::RejectedLanes::None,
        },
        ..Default::default()
    }
}

/// The host's name, as the kernel or the environment has it.
fn host_name() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named = kernel.or_else(|| std::env::var("HOSTNAME").ok());
    named.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or("signalbox".to_owned())
}
