//! One connection to a NATS server: its socket, encryption, signing in, and the buffer it is read into.
//!
//! Reading is blocking on purpose: a lane that waits for the engine stops reading, TCP carries that to the server,
//! and nothing is dropped in between. Every read ends after a while, so a lane can look up.

mod encrypted;

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use serde::Serialize;

use crate::engine::config::server_url::Encryption;
use crate::shell::plain::plain;
use crate::shell::settings::{NatsSettings, TlsMode};

use super::address::{Address, UserInfo};
use super::frames::{Frame, FrameError, parse};
use super::login::{Login, LoginError};
use super::protocol::ServerInfo;
use super::world::{Socket, World};
use crate::shell::tls::{TlsError, client_config};
use encrypted::Encrypted;

/// The longest one read waits.
const READ_WAIT: Duration = Duration::from_millis(100);

/// Bytes asked for with one read, at the least.
const READ_BYTES: usize = 128 << 10;

/// Why there is no connection, in words for readiness; never with a secret in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// No certificate can be for that name.
    #[error("{0} is no name a certificate can be for")]
    NoName(String),
    /// Nobody answers there.
    #[error("cannot connect to {address}: {}", plain(source))]
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The connection broke.
    #[error("the connection broke: {}", plain(.0))]
    Broken(#[from] std::io::Error),
    /// The server closed it.
    #[error("the server closed the connection")]
    Closed,
    /// The server is silent.
    #[error("the server is silent")]
    Silent,
    /// We closed it, to sign in anew.
    #[error("the credentials changed: signing in anew")]
    Renewed,
    /// The server said no.
    #[error("the server says: {0}")]
    Refused(String),
    /// What came before encryption began could be anybody's.
    #[error("bytes came in the clear where encryption begins; somebody may stand in between")]
    InTheClear,
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
    Plain(Box<dyn Socket>),
    Tls(Box<Encrypted>),
}

impl Stream {
    fn wait_to_read(&self, patience: Duration) -> std::io::Result<()> {
        match self {
            Self::Plain(stream) => stream.wait_to_read(patience),
            Self::Tls(stream) => stream.wait_to_read(patience),
        }
    }

    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(into),
            Self::Tls(stream) => stream.read(into),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes),
        }
    }
}

/// A connection that stands.
pub(crate) struct Link {
    stream: Stream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// What the server said of itself when we signed in.
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
        world: World,
    ) -> Result<Self, LinkError> {
        let deadline = Deadline { world, at: (world.now)() + settings.connect_timeout };
        let socket = (world.connect)(&address.server, settings.connect_timeout)
            .map_err(|source| LinkError::Unreachable { address: address.server.shown(), source })?;
        socket.wait_to_read(READ_WAIT)?;
        let stream = Stream::Plain(socket);
        let mut link = Self { stream, buffer: Vec::new(), start: 0, end: 0, info: ServerInfo::default() };
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
        link.send(format!("CONNECT {text}\r\nPING\r\n").as_bytes())?;
        link.await_pong(deadline)?;
        Ok(link)
    }

    /// Has each read wait for so long at the most; without a span as long as is usual.
    pub(crate) fn wait_to_read(&self, patience: Option<Duration>) -> Result<(), LinkError> {
        Ok(self.stream.wait_to_read(patience.unwrap_or(READ_WAIT))?)
    }

    /// Reads once and says how many bytes came; none after a while.
    pub(crate) fn read(&mut self) -> Result<usize, LinkError> {
        self.make_room();
        let Some(free) = self.buffer.get_mut(self.end..) else { return Ok(0) };
        match self.stream.read(free) {
            Ok(0) => Err(LinkError::Closed),
            Ok(count) => {
                self.end += count;
                Ok(count)
            }
            Err(error) if is_timeout(&error) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// What was read and not used.
    pub(crate) fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Passes over so many bytes of what was read.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
    }

    /// Sends.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        Ok(self.stream.write_all(bytes)?)
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

    fn await_info(&mut self, deadline: Deadline) -> Result<(), LinkError> {
        loop {
            match parse(self.unread())? {
                Some((Frame::Info(json), used)) => {
                    self.info = serde_json::from_slice(json).map_err(|_| FrameError::Unknown)?;
                    self.consume(used);
                    return Ok(());
                }
                Some((Frame::Error(text), _)) => return Err(refused(text)),
                Some((Frame::Message(_) | Frame::Ping | Frame::Pong | Frame::Ok, used)) => self.consume(used),
                None => self.read_until(deadline)?,
            }
        }
    }

    /// Waits until the server has let us in; a `PING` in between means that it did.
    fn await_pong(&mut self, deadline: Deadline) -> Result<(), LinkError> {
        loop {
            match parse(self.unread())? {
                Some((Frame::Pong, used)) => {
                    self.consume(used);
                    return Ok(());
                }
                Some((Frame::Error(text), _)) => return Err(refused(text)),
                Some((Frame::Ping, used)) => {
                    self.consume(used);
                    self.send(b"PONG\r\n")?;
                }
                Some((Frame::Info(json), used)) => {
                    if let Ok(info) = serde_json::from_slice(json) {
                        self.info = info;
                    }
                    self.consume(used);
                }
                Some((Frame::Message(_) | Frame::Ok, used)) => self.consume(used),
                None => self.read_until(deadline)?,
            }
        }
    }

    fn read_until(&mut self, deadline: Deadline) -> Result<(), LinkError> {
        if deadline.is_over() {
            return Err(LinkError::Silent);
        }
        self.read().map(|_| ())
    }

    fn encrypted(
        mut self,
        address: &Address,
        settings: &NatsSettings,
        deadline: Deadline,
    ) -> Result<Self, LinkError> {
        let Stream::Plain(mut socket) = self.stream else { return Ok(self) };
        if self.start < self.end {
            return Err(LinkError::InTheClear);
        }
        let name = ServerName::try_from(address.server.host.clone())
            .map_err(|_| LinkError::NoName(address.server.shown()))?;
        let config = client_config(&settings.tls)?;
        let mut session = ClientConnection::new(Arc::clone(&config), name).map_err(TlsError::from)?;
        while session.is_handshaking() {
            match session.complete_io(&mut socket) {
                Ok(_) => {}
                Err(error) if is_timeout(&error) && !deadline.is_over() => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.stream = Stream::Tls(Box::new(Encrypted::new(session, socket)));
        Ok(self)
    }
}

/// Until when signing in may take.
#[derive(Clone, Copy)]
struct Deadline {
    world: World,
    at: Instant,
}

impl Deadline {
    fn is_over(self) -> bool {
        (self.world.now)() >= self.at
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

#[cfg(test)]
mod tests;
