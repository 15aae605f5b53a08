//! What the shell is set up with: the connection, the lanes, publishing, HTTP and their limits.
//!
//! What is here is settled at the start. What a reload may change is read from the [`Config`](crate::engine::config::Config) in force, where it is
//! used.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::config::JetStreamConfig;
pub use crate::engine::config::{Secret, StreamStart, TlsMode};
use crate::engine::wire::Subjects;

/// Everything the shell is set up with.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The subjects of events, in and out.
    pub subjects: Subjects,
    /// The connection to NATS.
    pub nats: NatsSettings,
    /// The JetStream lane.
    pub jetstream: JetStreamSettings,
    /// How alert events are tried again.
    pub(crate) alerts: AlertSettings,
    /// How many copies of rejected events may wait.
    pub(crate) rejected: RejectedSettings,
    /// The HTTP server.
    pub http: HttpSettings,
    /// How much may wait between NATS and the engine.
    pub(crate) flow: FlowSettings,
    /// The folder that keeps the state; none keeps it in memory.
    pub(crate) state_dir: Option<PathBuf>,
}

/// The connection to NATS.
#[derive(Clone, Debug)]
pub struct NatsSettings {
    /// Server URLs; userinfo in them counts as user and password (or token). Default `nats://127.0.0.1:4222`.
    pub urls: Vec<Secret>,
    /// The name the server shows for the connection. Default `signalbox`.
    pub(crate) name: String,
    /// What the subjects below which answers come begin with. Default `_INBOX`.
    pub inbox_prefix: String,
    /// Who we say we are. Default: what the URL says, else nobody.
    pub auth: Auth,
    /// Encryption. Default: where the server asks for it or the URL begins with `tls://`.
    pub tls: TlsSettings,
    /// How long one attempt to connect may take. Default 5 s.
    pub(crate) connect_timeout: Duration,
    /// How often a silent connection is checked. Default 10 s.
    pub(crate) ping_interval: Duration,
    /// How long a request to the server (JetStream API, publish acknowledgement) may take. Default 5 s.
    pub request_timeout: Duration,
}

impl Default for NatsSettings {
    fn default() -> Self {
        Self {
            urls: vec![Secret::new("nats://127.0.0.1:4222")],
            name: "signalbox".to_owned(),
            inbox_prefix: "_INBOX".to_owned(),
            auth: Auth::None,
            tls: TlsSettings::default(),
            connect_timeout: Duration::from_secs(5),
            ping_interval: Duration::from_secs(10),
            request_timeout: Duration::from_secs(5),
        }
    }
}

/// Who the sidecar says it is. What is in files is read again at each attempt to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Nobody (or what the URL says).
    None,
    /// A user with a password.
    User {
        /// The user.
        user: String,
        /// The password.
        password: SecretSource,
    },
    /// A token.
    Token(SecretSource),
    /// A credentials file (a JWT and its seed).
    CredentialsFile(PathBuf),
    /// An nkey seed (`SU…`).
    Nkey(SecretSource),
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// It was given.
    Given(Secret),
    /// It is in a file.
    File(PathBuf),
}

/// Encryption of the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// Whether TLS is asked of the server even where it does not require it.
    pub mode: TlsMode,
    /// A file of certificates to trust beside the system's.
    pub ca: Option<PathBuf>,
    /// Our own certificate; needs `key` too.
    pub cert: Option<PathBuf>,
    /// The private key of `cert`.
    pub key: Option<PathBuf>,
}

/// The JetStream lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JetStreamSettings {
    /// The stream.
    pub stream: Arc<str>,
    /// What to do where the stream is missing. Default: wait for it and say which command creates it.
    pub missing_stream: MissingStream,
    /// Where reading begins without a state.
    pub start: StreamStart,
    /// The name of the durable consumer, where one is needed (`start: resume`, work-queue and interest streams).
    pub(crate) durable: String,
    /// Whether another instance reads the same.
    pub readers: StreamReaders,
    /// The JetStream domain, where it is not the connection's own.
    pub(crate) domain: Option<String>,
    /// Messages asked for with one pull. Default 16,384: what the server sends in some 20 ms.
    pub(crate) pull_messages_max: usize,
    /// Bytes asked for with one pull. Default 4 MiB; a bigger message alone is still read.
    pub(crate) pull_bytes_max: usize,
    /// The server's sign of life while nothing arrives. Default 500 ms.
    pub(crate) heartbeat: Duration,
    /// How long one pull waits at the server. Default 2 s.
    pub(crate) pull_expires: Duration,
    /// From how many waiting messages on the sidecar is not ready.
    pub(crate) ready_pending_max: u64,
}

impl Default for JetStreamSettings {
    fn default() -> Self {
        Self::from(&JetStreamConfig::default())
    }
}

impl From<&JetStreamConfig> for JetStreamSettings {
    fn from(config: &JetStreamConfig) -> Self {
        Self {
            stream: Arc::from(config.stream.as_str()),
            missing_stream: if config.enabled && config.create_stream {
                MissingStream::Create
            } else {
                MissingStream::Wait
            },
            start: config.start,
            durable: config.durable.clone(),
            readers: StreamReaders::One,
            domain: config.domain.clone(),
            pull_messages_max: 16_384,
            pull_bytes_max: 4 << 20,
            heartbeat: Duration::from_millis(500),
            pull_expires: Duration::from_secs(2),
            ready_pending_max: config.ready_pending_max,
        }
    }
}

/// `jetstream.create_stream`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingStream {
    /// Stay up, not ready, say what to do, and keep looking.
    Wait,
    /// Make it, with exactly the lane's subjects.
    Create,
}

/// Whether another instance reads the same stream under the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamReaders {
    /// None does.
    One,
    /// The other one of a pair does.
    Pair,
}

/// How alert events are tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AlertSettings {
    /// The pause after the first failure; it doubles up to `retry_max`, with jitter. Default 100 ms.
    pub(crate) retry_first: Duration,
    /// The longest pause between two attempts. Default 10 s.
    pub(crate) retry_max: Duration,
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self { retry_first: Duration::from_millis(100), retry_max: Duration::from_secs(10) }
    }
}

/// Copies of rejected events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RejectedSettings {
    /// Copies that may wait to be sent; more are dropped and counted. Default 16,384.
    pub(crate) queue_messages_max: usize,
}

impl Default for RejectedSettings {
    fn default() -> Self {
        Self { queue_messages_max: 16_384 }
    }
}

/// The HTTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// Where it listens; port 0 takes a free one, which is logged. Default `127.0.0.1:9469`.
    pub listen: SocketAddr,
    /// Where the page, the API and reload listen instead; none keeps them on `listen`.
    pub admin_listen: Option<SocketAddr>,
    /// The file with TLS, users and headers, in Prometheus' web config format; none serves everybody in the clear.
    pub web_config: Option<PathBuf>,
    /// Whether rule files may be edited on the page. Default: not.
    pub web_edit: bool,
    /// How long a client may take for its request's headers. Default 10 s.
    pub header_timeout: Duration,
    /// How long a connection that is kept alive may wait for its next request. Default 75 s.
    pub(crate) idle_timeout: Duration,
    /// Bytes of a request's headers. Default 16 KiB.
    pub(crate) header_bytes_max: usize,
    /// Bytes of a request's body. Default 1 MiB.
    pub(crate) body_bytes_max: usize,
    /// Open connections; more wait to be accepted. Default 512.
    pub(crate) connections_max: usize,
    /// Requests answered at once; more wait. Default 64.
    pub(crate) requests_max: usize,
    /// How long a client may take to read what it asked for. Default 60 s.
    pub(crate) write_timeout: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9469),
            admin_listen: None,
            web_config: None,
            web_edit: false,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            header_bytes_max: 16 << 10,
            body_bytes_max: 1 << 20,
            connections_max: 512,
            requests_max: 64,
            write_timeout: Duration::from_mins(1),
        }
    }
}

/// What may wait between NATS and the engine, and how it is handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "each is the most there may be")]
pub(crate) struct FlowSettings {
    /// Messages of one batch. Default 512.
    pub(crate) batch_messages_max: usize,
    /// Bytes of one batch. Default 256 KiB; a bigger message alone is still a batch.
    pub(crate) batch_bytes_max: usize,
    /// Bytes of a lane's messages that wait for the engine. Default 4 MiB; while the engine reads what was
    /// stored before the start, four times as much of core NATS.
    pub(crate) queue_bytes_max: usize,
    /// The longest wait for more messages under load. Default 5 ms; without load there is none.
    pub(crate) coalesce_max: Duration,
    /// How long reading waits for a busy engine before core-NATS messages are dropped, counted. Default 1 s.
    pub(crate) full_wait_max: Duration,
}

impl Default for FlowSettings {
    fn default() -> Self {
        Self {
            batch_messages_max: 512,
            batch_bytes_max: 256 << 10,
            queue_bytes_max: 4 << 20,
            coalesce_max: Duration::from_millis(5),
            full_wait_max: Duration::from_secs(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_in_what_settings_show() {
        let nats = NatsSettings {
            urls: vec![Secret::new("nats://user:opensesame@host")],
            auth: Auth::User {
                user: "user".to_owned(),
                password: SecretSource::Given(Secret::new("opensesame")),
            },
            ..NatsSettings::default()
        };
        assert!(!format!("{nats:?}").contains("opensesame"));
    }
}
