//! One connection to a NATS server, read frame by frame on a thread of its own.
//!
//! Reading is blocking on purpose: a lane that waits for the engine stops reading, TCP carries that to the server,
//! and nothing is dropped in between. Every read ends after [`READ_WAIT`] at the latest, so a lane can look up.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use serde::{Deserialize, Serialize};

use crate::engine::config::server_url::Encryption;
use crate::shell::settings::{NatsSettings, TlsMode};

use super::address::{Address, UserInfo};
use super::frames::{Frame, FrameError, parse};
use super::login::{Login, LoginError};
use super::tls::{TlsError, client_config};

/// The longest one read waits.
pub(crate) const READ_WAIT: Duration = Duration::from_millis(100);

/// Bytes asked for with one read, at the least.
const READ_BYTES: usize = 128 << 10;

/// The longest a write may be stuck.
const WRITE_WAIT: Duration = Duration::from_secs(5);

/// What a server says of itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ServerInfo {
    /// Another one after each restart.
    pub(crate) server_id: String,
    /// Its version.
    pub(crate) version: String,
    /// Bytes of the biggest payload it takes.
    pub(crate) max_payload: usize,
    /// What to sign.
    pub(crate) nonce: String,
    /// Whether it insists on TLS.
    pub(crate) tls_required: bool,
    /// Other servers of its cluster.
    pub(crate) connect_urls: Vec<String>,
    /// Whether it is about to leave.
    #[serde(rename = "ldm")]
    pub(crate) leaving: bool,
}

/// Why there is no connection, in words for readiness; never with a secret in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The name has no address.
    #[error("cannot find the address of {0}")]
    NoAddress(String),
    /// Nobody answers there.
    #[error("cannot connect to {address}: {source}")]
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] std::io::Error),
    /// The server closed it.
    #[error("the server closed the connection")]
    Closed,
    /// The server is silent.
    #[error("the server is silent")]
    Silent,
    /// The server said no.
    #[error("the server says: {0}")]
    Refused(String),
    /// What came is not NATS.
    #[error("what answers there is no NATS server: {0}")]
    NotNats(#[from] FrameError),
    /// We cannot say who we are.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The bytes of a connection, encrypted or not.
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(into),
            Self::Tls(stream) => stream.read(into),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }
}

/// A connection that stands.
pub(crate) struct Link {
    stream: Stream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    outgoing: Vec<u8>,
    heard: Instant,
    pinged: bool,
    ping_interval: Duration,
    /// What the server said of itself last.
    pub(crate) info: ServerInfo,
}

/// `CONNECT`.
#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the protocol has them so")]
struct Connect<'a> {
    verbose: bool,
    pedantic: bool,
    tls_required: bool,
    name: &'a str,
    lang: &'static str,
    version: &'static str,
    protocol: u8,
    echo: bool,
    headers: bool,
    no_responders: bool,
    #[serde(flatten)]
    login: Login,
}

impl Link {
    /// Connects, encrypts where asked, and says who we are; `userinfo` is what the URLs say of us.
    pub(crate) fn open(
        address: &Address,
        userinfo: Option<&UserInfo>,
        settings: &NatsSettings,
    ) -> Result<Self, LinkError> {
        let tcp = connect(address, settings.connect_timeout)?;
        let mut link = Self {
            stream: Stream::Plain(tcp),
            buffer: Vec::new(),
            start: 0,
            end: 0,
            outgoing: Vec::new(),
            heard: Instant::now(),
            pinged: false,
            ping_interval: settings.ping_interval,
            info: ServerInfo::default(),
        };
        let deadline = Instant::now() + settings.connect_timeout;
        if settings.tls.mode == TlsMode::First {
            link = link.encrypted(address, settings, deadline)?;
        }
        link.await_info(deadline)?;
        let asked = settings.tls.mode == TlsMode::Required || address.server.encryption == Encryption::Asked;
        if settings.tls.mode != TlsMode::First && (asked || link.info.tls_required) {
            link = link.encrypted(address, settings, deadline)?;
        }
        let connect = Connect {
            verbose: false,
            pedantic: false,
            tls_required: matches!(link.stream, Stream::Tls(_)),
            name: &settings.name,
            lang: "rust",
            version: env!("CARGO_PKG_VERSION"),
            protocol: 1,
            echo: true,
            headers: true,
            no_responders: true,
            login: Login::new(&settings.auth, userinfo, &link.info.nonce)?,
        };
        let text = serde_json::to_string(&connect).map_err(std::io::Error::other)?;
        link.outgoing.extend_from_slice(format!("CONNECT {text}\r\nPING\r\n").as_bytes());
        link.await_pong(deadline)?;
        Ok(link)
    }

    /// Sends what waits, reads once, and says how many bytes came; none after [`READ_WAIT`].
    pub(crate) fn read(&mut self) -> Result<usize, LinkError> {
        self.flush()?;
        self.make_room();
        let Some(free) = self.buffer.get_mut(self.end..) else { return Ok(0) };
        match self.stream.read(free) {
            Ok(0) => Err(LinkError::Closed),
            Ok(count) => {
                self.end += count;
                self.heard = Instant::now();
                self.pinged = false;
                Ok(count)
            }
            Err(error) if is_timeout(&error) => {
                self.check_silence()?;
                Ok(0)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The next whole frame that was read. Pings are answered and what the server says of itself is kept here.
    pub(crate) fn next(&mut self) -> Result<Option<Frame<'_>>, LinkError> {
        let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
        let Some((frame, used)) = parse(unread)? else { return Ok(None) };
        self.start += used;
        match &frame {
            Frame::Ping => self.outgoing.extend_from_slice(b"PONG\r\n"),
            Frame::Info(json) => {
                if let Ok(info) = serde_json::from_slice(json) {
                    self.info = info;
                }
            }
            Frame::Pong | Frame::Ok | Frame::Error(_) | Frame::Message(_) => {}
        }
        Ok(Some(frame))
    }

    /// Subscribes with the next [`Link::read`].
    pub(crate) fn subscribe(&mut self, subject: &str, subscription: u64) {
        self.outgoing.extend_from_slice(format!("SUB {subject} {subscription}\r\n").as_bytes());
    }

    /// Publishes with the next [`Link::read`].
    pub(crate) fn publish(&mut self, subject: &str, reply: Option<&str>, payload: &[u8]) {
        let head = match reply {
            Some(reply) => format!("PUB {subject} {reply} {}\r\n", payload.len()),
            None => format!("PUB {subject} {}\r\n", payload.len()),
        };
        self.outgoing.extend_from_slice(head.as_bytes());
        self.outgoing.extend_from_slice(payload);
        self.outgoing.extend_from_slice(b"\r\n");
    }

    /// Asks the server for a `PONG` with the next [`Link::read`].
    pub(crate) fn ping(&mut self) {
        self.outgoing.extend_from_slice(b"PING\r\n");
    }

    /// Sends what waits.
    pub(crate) fn flush(&mut self) -> Result<(), LinkError> {
        if !self.outgoing.is_empty() {
            self.stream.write_all(&self.outgoing)?;
            self.outgoing.clear();
        }
        Ok(())
    }

    fn check_silence(&mut self) -> Result<(), LinkError> {
        let silent = self.heard.elapsed();
        if silent > self.ping_interval.saturating_mul(2) {
            return Err(LinkError::Silent);
        }
        if silent > self.ping_interval && !self.pinged {
            self.pinged = true;
            self.outgoing.extend_from_slice(b"PING\r\n");
            self.flush()?;
        }
        Ok(())
    }

    /// Moves what is unread to the front and sees to it that a read has room.
    fn make_room(&mut self) {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == 0 && self.buffer.len() > 2 * READ_BYTES {
            self.buffer = Vec::new();
        }
        if self.buffer.len() < READ_BYTES || self.buffer.len() - self.end < READ_BYTES / 4 {
            let wanted = self.end.saturating_mul(2).max(READ_BYTES);
            self.buffer.resize(wanted, 0);
        }
    }

    fn await_info(&mut self, deadline: Instant) -> Result<(), LinkError> {
        loop {
            if let Some(frame) = self.next()? {
                match frame {
                    Frame::Info(_) => return Ok(()),
                    Frame::Error(text) => return Err(refused(text)),
                    Frame::Message(_) | Frame::Ping | Frame::Pong | Frame::Ok => {}
                }
            } else {
                self.read_until(deadline)?;
            }
        }
    }

    fn await_pong(&mut self, deadline: Instant) -> Result<(), LinkError> {
        loop {
            match self.next()? {
                Some(Frame::Pong) => return Ok(()),
                Some(Frame::Error(text)) => return Err(refused(text)),
                Some(_) => {}
                None => self.read_until(deadline)?,
            }
        }
    }

    fn read_until(&mut self, deadline: Instant) -> Result<(), LinkError> {
        if Instant::now() >= deadline {
            return Err(LinkError::Silent);
        }
        self.read().map(|_| ())
    }

    fn encrypted(
        mut self,
        address: &Address,
        settings: &NatsSettings,
        deadline: Instant,
    ) -> Result<Self, LinkError> {
        let Stream::Plain(mut tcp) = self.stream else { return Ok(self) };
        let name = ServerName::try_from(address.server.host.clone())
            .map_err(|_| LinkError::NoAddress(address.server.shown()))?;
        let config = client_config(&settings.tls)?;
        let mut session = ClientConnection::new(Arc::clone(&config), name).map_err(TlsError::from)?;
        while session.is_handshaking() {
            match session.complete_io(&mut tcp) {
                Ok(_) => {}
                Err(error) if is_timeout(&error) && Instant::now() < deadline => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.stream = Stream::Tls(Box::new(StreamOwned::new(session, tcp)));
        Ok(self)
    }
}

/// The server's own words.
fn refused(text: &[u8]) -> LinkError {
    LinkError::Refused(String::from_utf8_lossy(text).into_owned())
}

fn is_timeout(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn connect(address: &Address, timeout: Duration) -> Result<TcpStream, LinkError> {
    let unknown = || LinkError::NoAddress(address.server.shown());
    let places =
        (address.server.host.as_str(), address.server.port).to_socket_addrs().map_err(|_| unknown())?;
    let mut last = unknown();
    for place in places {
        match TcpStream::connect_timeout(&place, timeout) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(READ_WAIT))?;
                stream.set_write_timeout(Some(WRITE_WAIT))?;
                return Ok(stream);
            }
            Err(source) => last = LinkError::Unreachable { address: address.server.shown(), source },
        }
    }
    Err(last)
}
