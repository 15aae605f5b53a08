//! An encrypted connection that is read in portions as large as a plain one's.
//!
//! A session takes a few kilobytes from its socket at a time and gives one record at a time. Read so, each record would be
//! a round of its lane, and a lane that pauses between its rounds would hear a few thousand events a second.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};

use super::READ_BYTES;
use crate::shell::nats::world::Socket;

/// A session and its socket.
pub(super) struct Encrypted(StreamOwned<ClientConnection, Fetched>);

impl Encrypted {
    /// A session that stands.
    pub(super) fn new(session: ClientConnection, socket: Box<dyn Socket>) -> Self {
        let fetched = Fetched { socket, bytes: vec![0; READ_BYTES], start: 0, end: 0, wish: Wish::Any };
        Self(StreamOwned::new(session, fetched))
    }

    pub(super) fn wait_to_read(&self, patience: Duration) -> io::Result<()> {
        self.0.sock.socket.wait_to_read(patience)
    }

    /// Waits for bytes, and reads on as long as that needs nothing more from the socket.
    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut count = self.0.read(into)?;
        self.0.sock.wish = Wish::Fetched;
        while let Some(free) = into.get_mut(count..).filter(|free| !free.is_empty()) {
            // A session that is broken or over says so again when it is read next.
            match self.0.read(free) {
                Ok(0) | Err(_) => break,
                Ok(more) => count += more,
            }
        }
        self.0.sock.wish = Wish::Any;
        Ok(count)
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)?;
        self.0.flush()
    }
}

/// Which bytes are wished for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// What was fetched, and where that is used up, what comes.
    Any,
    /// What was fetched.
    Fetched,
}

/// A socket from which much is fetched at a time.
struct Fetched {
    socket: Box<dyn Socket>,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    wish: Wish,
}

impl Read for Fetched {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end {
            if self.wish == Wish::Fetched {
                return Err(ErrorKind::WouldBlock.into());
            }
            (self.start, self.end) = (0, self.socket.read(&mut self.bytes)?);
        }
        let mut fetched = self.bytes.get(self.start..self.end).unwrap_or_default();
        let count = fetched.read(into)?;
        self.start += count;
        Ok(count)
    }
}

impl Write for Fetched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

#[cfg(test)]
mod tests;
