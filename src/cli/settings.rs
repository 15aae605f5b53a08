//! From flags, environment and file to the configuration in effect and what the shell is set up with.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

use super::config_file::{self, address_text};
use super::connection::connection;
use super::terminal::Terminal;
use crate::engine::config::server_url::{ServerUrl, split_urls};
use crate::engine::config::{Config, LogFormat, NatsConfig};
use crate::shell::settings as shell;

/// The folder of rules that is read where nothing names another.
pub(super) const DEFAULT_RULES: &str = "rules";

/// The flags of `run`; each is an environment variable too.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Flags {
    /// The configuration file [default: signalbox.yaml if present].
    #[arg(long, value_name = "FILE", env = "SIGNALBOX_CONFIG")]
    pub(super) config: Option<PathBuf>,
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
    /// Lets rule files be edited on the page [default: not]; see docs/page.md.
    #[arg(long, value_name = "true|false", env = "SIGNALBOX_WEB_EDIT", num_args = 0..=1,
        require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    web_edit: Option<bool>,
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

impl Flags {
    /// Refuses flags that no file can make right.
    ///
    /// # Errors
    /// A URL that is none.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if let Some(text) = &self.nats_url {
            check_urls(text)?;
        }
        Ok(())
    }

    /// The configuration in effect: the file's, under the flags and over the defaults of the host.
    pub(super) fn over(&self, mut config: Config) -> Config {
        let text = |path: &PathBuf| path.to_string_lossy().into_owned();
        if let Some(instance) = &self.instance {
            config.instance.clone_from(instance);
        }
        if config.instance.is_empty() {
            config.instance = host_name();
        }
        if let Some(urls) = &self.nats_url {
            config.nats.url = split_urls(urls).map(str::to_owned).collect();
        }
        let listen = self.listen.clone().or(config.listen);
        config.listen = Some(listen.unwrap_or_else(config_file::default_listen));
        if let Some(listen) = &self.admin_listen {
            config.admin_listen = Some(listen.clone());
        }
        if let Some(file) = &self.web_config {
            config.web_config = Some(text(file));
        }
        if let Some(edit) = self.web_edit {
            config.web_edit = edit;
        }
        if let Some(folder) = &self.state_dir {
            config.state_dir = Some(text(folder));
        }
        match self.log_format {
            Some(LogFormatFlag::Text) => config.log_format = LogFormat::Text,
            Some(LogFormatFlag::Json) => config.log_format = LogFormat::Json,
            None => {}
        }
        let rules = rule_paths(self.rules.as_deref(), &config);
        config.rules = Some(rules.iter().map(text).collect());
        config
    }
}

/// Everything `run` starts with.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    /// The configuration in effect.
    pub(super) config: Config,
    /// What the shell is set up with.
    pub(super) shell: shell::Settings,
}

/// Merges flags, environment and file. What is wrong in the file is said with its place.
///
/// # Errors
/// Whatever only an edit can mend.
pub(super) fn resolve(flags: &Flags, terminal: &mut Terminal) -> anyhow::Result<Resolved> {
    let file = config_file::usable_or_say(flags.config.as_deref(), terminal)?;
    flags.check()?;
    let config = flags.over(file);
    let shell = shell_settings(&config)?;
    Ok(Resolved { config, shell })
}

fn shell_settings(config: &Config) -> anyhow::Result<shell::Settings> {
    let defaults = shell::HttpSettings::default();
    let listen = config.listen.as_ref();
    let admin_listen = config.admin_listen.as_ref().map(|text| address(text, "--admin-listen"));
    Ok(shell::Settings {
        subjects: config.event_subjects(),
        nats: connection(&config.nats),
        jetstream: shell::JetStreamSettings {
            readers: if config.pair.is_on() { shell::StreamReaders::Pair } else { shell::StreamReaders::One },
            ..shell::JetStreamSettings::from(&config.jetstream)
        },
        http: shell::HttpSettings {
            listen: listen.map_or(Ok(defaults.listen), |text| address(text, "--listen"))?,
            admin_listen: admin_listen.transpose()?,
            web_config: config.web_config.as_ref().map(PathBuf::from),
            web_edit: config.web_edit,
            ..defaults
        },
        state_dir: config.state_dir.as_ref().map(PathBuf::from),
        ..Default::default()
    })
}

/// The rule files and folders that are meant, whether or not they are there.
pub(super) fn rule_paths(flags: Option<&[PathBuf]>, config: &Config) -> Vec<PathBuf> {
    match (flags, &config.rules) {
        (Some(paths), _) => paths.to_vec(),
        (None, Some(paths)) => paths.iter().map(PathBuf::from).collect(),
        (None, None) if Path::new(DEFAULT_RULES).is_dir() => vec![PathBuf::from(DEFAULT_RULES)],
        (None, None) => Vec::new(),
    }
}

fn check_urls(text: &str) -> anyhow::Result<()> {
    let urls: Vec<&str> = split_urls(text).collect();
    if urls.is_empty() {
        bail!("use an empty --nats-url: write for example nats://127.0.0.1:4222");
    }
    for url in urls {
        if let Err(fault) = ServerUrl::parse(url) {
            bail!("use a URL of --nats-url that {fault}: write for example nats://127.0.0.1:4222");
        }
    }
    Ok(())
}

/// The address a flag names.
///
/// # Errors
/// It is none.
pub(super) fn address(text: &str, flag: &str) -> anyhow::Result<SocketAddr> {
    let written = address_text(text);
    let mut found = written
        .to_socket_addrs()
        .with_context(|| format!("use `{text}` of {flag}: write HOST:PORT, for example 127.0.0.1:9469"))?;
    found.next().with_context(|| format!("use `{text}` of {flag}: no address of that name is known"))
}

/// The connection to the servers of a flag, as the configuration has the rest.
///
/// # Errors
/// A URL that is none.
pub(super) fn nats_at(urls: &str, config: &Config) -> anyhow::Result<shell::NatsSettings> {
    check_urls(urls)?;
    let url = split_urls(urls).map(str::to_owned).collect();
    Ok(connection(&NatsConfig { url, ..config.nats.clone() }))
}

/// The host's name, as the kernel or the environment has it.
fn host_name() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named = kernel.or_else(|| std::env::var("HOSTNAME").ok());
    named.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or("signalbox".to_owned())
}
