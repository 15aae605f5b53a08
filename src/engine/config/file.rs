//! The configuration file: `signalbox.yaml` as values, with everything that is wrong in it at once.
//!
//! What the engine needs is a [`Config`]; what only the shell needs stays here as plain values, so that the engine
//! knows nothing of sockets or brokers. Paths and addresses are checked where they are used.

use std::fmt;
use std::time::Duration;

use super::keys::KEYS;
use super::server_url::{ServerUrl, split_urls};
use super::{Config, DeclaredMetric, secrets, values};
use crate::engine::diagnostic::{Diagnostic, Severity, Source};
use crate::engine::labels::Labels;
use crate::engine::metric::MetricType;
use crate::engine::yaml::{Findings, Read, ReadValue, Values};

/// What a configuration file says, defaults filled in where a flag cannot.
#[derive(Clone, Debug, PartialEq)]
pub struct FileConfig {
    /// `instance`; the host name where it is left out.
    pub instance: Option<String>,
    /// What the engine is configured with; its `instance` is set by [`FileConfig::engine`].
    pub engine: Config,
    /// How the broker is reached.
    pub nats: NatsConfig,
    /// Where HTTP is served.
    pub listen: Option<String>,
    /// Another address for the page, the API and the reload.
    pub admin_listen: Option<String>,
    /// A file in Prometheus' web config format.
    pub web_config: Option<String>,
    /// Rule files and folders.
    pub rules: Option<Vec<String>>,
    /// The folder that keeps the state.
    pub state_dir: Option<String>,
    /// How log lines are written.
    pub log_format: Option<LogFormat>,
    /// The lane that loses nothing.
    pub jetstream: JetStreamConfig,
    /// What happens to refused events.
    pub rejected: RejectedConfig,
    /// How alert events are published.
    pub alert_delivery: AlertDelivery,
    /// Alertmanagers that get the same alerts.
    pub alertmanager_urls: Vec<String>,
    /// How long a stop waits for pending alert events.
    pub shutdown_grace: Duration,
}

/// How the broker is reached.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NatsConfig {
    /// Server URLs; none where the file says nothing.
    pub urls: Vec<String>,
    /// The user name.
    pub user: Option<String>,
    /// The password.
    pub password: Option<SecretSource>,
    /// The token.
    pub token: Option<SecretSource>,
    /// The nkey seed.
    pub nkey: Option<SecretSource>,
    /// The path of a credentials file.
    pub creds: Option<String>,
    /// Certificates of authorities to trust.
    pub tls_ca: Option<String>,
    /// The client certificate and its key.
    pub tls_identity: Option<(String, String)>,
    /// When TLS is used.
    pub tls_mode: TlsMode,
}

/// When the connection uses TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// Where the server asks for it or the URL begins with `tls://`.
    #[default]
    Auto,
    /// Always.
    Required,
    /// Always, before the server says a word.
    First,
}

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// It stood in the file.
    Inline(Secret),
    /// The path of the file that holds it.
    File(String),
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The lane that loses nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JetStreamConfig {
    /// Whether it is used at all; without it every type rides the core lane.
    pub enabled: bool,
    /// The stream that is read.
    pub stream: String,
    /// Whether a missing stream is made; the command's default where the file says nothing.
    pub create_stream: Option<bool>,
    /// Where reading begins without a state.
    pub start: StreamStart,
    /// The name of the durable consumer, where one is needed.
    pub durable: String,
    /// The JetStream domain, where it is not the connection's own.
    pub domain: Option<String>,
    /// From how many waiting messages on the sidecar is not ready.
    pub ready_pending_max: u64,
}

impl Default for JetStreamConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            stream: "EVENTS".to_owned(),
            create_stream: None,
            start: StreamStart::All,
            durable: "signalbox".to_owned(),
            domain: None,
            ready_pending_max: 100_000,
        }
    }
}

/// Where reading a stream begins without a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamStart {
    /// At its first stored message.
    #[default]
    All,
    /// At the first message that arrives from now on.
    New,
    /// Where a durable consumer stopped.
    Resume,
}

/// What happens to refused events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedConfig {
    /// Whether those of the core lane are published again.
    pub core: bool,
    /// Whether those of the JetStream lane are published again.
    pub jetstream: bool,
    /// The subject.
    pub subject: String,
}

impl Default for RejectedConfig {
    fn default() -> Self {
        Self { core: false, jetstream: true, subject: "signalbox.rejected".to_owned() }
    }
}

/// How alert events are published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AlertDelivery {
    /// Acknowledged where a stream covers the subject.
    #[default]
    Auto,
    /// Always acknowledged by a stream.
    JetStream,
    /// Published to whoever listens.
    Core,
}

impl Default for FileConfig {
    fn default() -> Self {
        Self {
            instance: None,
            engine: Config::with_defaults(""),
            nats: NatsConfig::default(),
            listen: None,
            admin_listen: None,
            web_config: None,
            rules: None,
            state_dir: None,
            log_format: None,
            jetstream: JetStreamConfig::default(),
            rejected: RejectedConfig::default(),
            alert_delivery: AlertDelivery::Auto,
            alertmanager_urls: Vec::new(),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

impl FileConfig {
    /// Reads a configuration file. The configuration is there unless one of the diagnostics is an error; no
    /// diagnostic holds a secret.
    pub fn parse(source: &Source) -> (Option<Self>, Vec<Diagnostic>) {
        let mut findings = Findings::new(source);
        let node = findings.document();
        let mut config = Self::default();
        if let Some(node) = &node {
            let top = Values(findings.section(node, KEYS, ""));
            config.fill(&top, &mut findings);
        }
        let diagnostics = secrets::masked(source, node.as_ref(), findings.list);
        let refused = diagnostics.iter().any(|found| found.severity == Severity::Error);
        ((!refused).then_some(config), diagnostics)
    }

    /// The engine's configuration under this instance's name.
    #[must_use]
    pub fn engine(&self, instance: &str) -> Config {
        Config { instance: instance.into(), ..self.engine.clone() }
    }

    fn fill(&mut self, top: &Values, findings: &mut Findings<'_>) {
        values::fill_engine(&mut self.engine, top, findings);
        self.instance = top.text("instance");
        self.listen = top.text("listen");
        self.admin_listen = top.text("admin_listen");
        self.web_config = top.text("web_config");
        self.state_dir = top.text("state_dir");
        self.rules = top.texts("rules");
        self.log_format = top.text("log_format").map(|word| match word.as_str() {
            "json" => LogFormat::Json,
            _ => LogFormat::Text,
        });
        for key in ["listen", "admin_listen"] {
            if let Some(read) = top.find(key)
                && let Some(text) = top.text(key)
                && !is_address(&text)
            {
                let advice = "Write HOST:PORT, for example `127.0.0.1:9469`, or `:9469` for every interface.";
                let message = format!("`{key}` is `{text}`, which is no address");
                findings.error("bad-address", &read.span, message).advise(advice.to_owned());
            }
        }
        self.nats = nats(&top.section("nats"), findings);
        self.jetstream = jetstream(&top.section("jetstream"));
        if !self.jetstream.enabled {
            self.engine.wire.lanes.values_mut().for_each(|lane| *lane = crate::engine::wire::Lane::Core);
        }
        self.rejected = rejected(&top.section("rejected"));
        self.alert_delivery = match top.section("alerts").text("delivery").as_deref() {
            Some("jetstream") => AlertDelivery::JetStream,
            Some("core") => AlertDelivery::Core,
            _ => AlertDelivery::Auto,
        };
        self.alertmanager_urls = top.section("alertmanager").texts("urls").unwrap_or_default();
        if let Some(grace) = top.duration("shutdown_grace") {
            self.shutdown_grace = grace;
        }
        self.engine.external_labels = Labels::collect(top.section("external_labels").text_map());
        self.engine.external_url = top.text("external_url").unwrap_or_default();
        self.engine.declared = top.list("metrics").iter().filter_map(declared).collect();
    }
}

fn declared(read: &Read) -> Option<DeclaredMetric> {
    let values = Values::of(read);
    let metric_type = values.text("type").and_then(|word| match word.as_str() {
        "counter" => Some(MetricType::Counter),
        "gauge" => Some(MetricType::Gauge),
        "histogram" => Some(MetricType::Histogram),
        _ => None,
    });
    Some(DeclaredMetric { pattern: values.text("match")?, metric_type })
}

fn jetstream(section: &Values) -> JetStreamConfig {
    let default = JetStreamConfig::default();
    JetStreamConfig {
        enabled: section.flag("enabled").unwrap_or(default.enabled),
        stream: section.text("stream").unwrap_or(default.stream),
        create_stream: section.flag("create_stream"),
        start: match section.text("start").as_deref() {
            Some("new") => StreamStart::New,
            Some("resume") => StreamStart::Resume,
            _ => StreamStart::All,
        },
        durable: section.text("durable").unwrap_or(default.durable),
        domain: section.text("domain"),
        ready_pending_max: section.count("ready_pending_max").unwrap_or(default.ready_pending_max),
    }
}

fn rejected(section: &Values) -> RejectedConfig {
    let default = RejectedConfig::default();
    let (core, jetstream) = match section.text("publish").as_deref() {
        Some("core") => (true, false),
        Some("all") => (true, true),
        Some("none") => (false, false),
        _ => (default.core, default.jetstream),
    };
    RejectedConfig { core, jetstream, subject: section.text("subject").unwrap_or(default.subject) }
}

/// Whether a text has the shape of an address to listen at: `HOST:PORT`, or `:PORT` for every interface.
pub fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        port.parse::<u16>().is_ok() && !host.contains(char::is_whitespace) && !host.contains('/')
    })
}

fn nats(section: &Values, findings: &mut Findings<'_>) -> NatsConfig {
    let mut urls = Vec::new();
    for read in section.list("url") {
        let ReadValue::Text(text) = &read.value else { continue };
        for url in split_urls(&text.content) {
            if let Err(fault) = ServerUrl::parse(url) {
                let advice = "Write for example `nats://127.0.0.1:4222`.".to_owned();
                findings.error("bad-url", &read.span, format!("the server URL {fault}")).advise(advice);
            }
            urls.push(url.to_owned());
        }
    }
    let tls = section.section("tls");
    let tls_identity = match (tls.find("cert"), tls.find("key")) {
        (Some(_), Some(_)) => tls.text("cert").zip(tls.text("key")),
        (Some(alone), None) | (None, Some(alone)) => {
            let advice = "Give both `cert` and `key`, or neither.".to_owned();
            let message = "`nats.tls` has a client certificate without its key, or a key alone".to_owned();
            findings.error("incomplete", &alone.span, message).advise(advice);
            None
        }
        (None, None) => None,
    };
    let config = NatsConfig {
        urls,
        user: section.text("user"),
        password: secret(section, ["password", "password_file"], findings),
        token: secret(section, ["token", "token_file"], findings),
        nkey: secret(section, ["nkey", "nkey_file"], findings),
        creds: section.text("creds"),
        tls_ca: tls.text("ca"),
        tls_identity,
        tls_mode: match tls.text("mode").as_deref() {
            Some("required") => TlsMode::Required,
            Some("first") => TlsMode::First,
            _ => TlsMode::Auto,
        },
    };
    for (one, other) in [("user", "password"), ("password", "user"), ("password_file", "user")] {
        let missing = match other {
            "password" => config.password.is_none(),
            _ => config.user.is_none(),
        };
        if missing && let Some(read) = section.find(one) {
            let message = format!("`nats.{one}` is given without `nats.{other}`");
            findings.error("incomplete", &read.span, message);
        }
    }
    config
}

fn secret(section: &Values, names: [&str; 2], findings: &mut Findings<'_>) -> Option<SecretSource> {
    let [inline, file] = names;
    if section.find(inline).is_some()
        && let Some(read) = section.find(file)
    {
        let message = format!("both `{inline}` and `{file}` are given");
        findings.error("contradiction", &read.span, message).advise("Keep one of them.".to_owned());
    }
    let stood = section.text(inline).map(|text| SecretSource::Inline(Secret(text)));
    stood.or_else(|| section.text(file).map(SecretSource::File))
}
