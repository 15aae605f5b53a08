//! What the lanes touch of the world, in one place: the clock, randomness and sockets.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use crate::engine::config::server_url::ServerUrl;

/// The longest a write may be stuck.
const WRITE_WAIT: Duration = Duration::from_secs(5);

/// The clock, randomness and sockets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    /// The present instant.
    pub(crate) now: fn() -> Instant,
    /// A number nobody can guess.
    pub(crate) random: fn() -> u64,
    /// Connects to a server within this time.
    pub(crate) connect: fn(&ServerUrl, Duration) -> io::Result<Box<dyn Socket>>,
}

/// A connection's two directions.
pub(crate) trait Socket: Read + Write + Send {
    /// Has each read wait for so long at the most.
    fn wait_to_read(&self, patience: Duration) -> io::Result<()>;
}

impl Socket for TcpStream {
    fn wait_to_read(&self, patience: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(patience))
    }
}

impl World {
    /// The real one.
    pub(crate) const fn real() -> Self {
        Self { now: Instant::now, random, connect }
    }
}

/// A number nobody can guess.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn connect(server: &ServerUrl, timeout: Duration) -> io::Result<Box<dyn Socket>> {
    let unknown = || io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    let places = (server.host.as_str(), server.port).to_socket_addrs().map_err(|_| unknown())?;
    let mut last = unknown();
    for place in places {
        match TcpStream::connect_timeout(&place, timeout) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_write_timeout(Some(WRITE_WAIT))?;
                return Ok(Box::new(stream));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
