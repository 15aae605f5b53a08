//! One question to a sidecar over HTTP, for commands that need no more.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, anyhow};

/// An answer.
pub(super) struct Answer {
    /// The status line.
    pub(super) status: String,
    /// What follows the headers.
    pub(super) body: String,
}

impl Answer {
    /// Whether the status is 200.
    pub(super) fn is_ok(&self) -> bool {
        self.status.split(' ').nth(1) == Some("200")
    }
}

/// A connection to a host and port that people wrote as `shown`; of several addresses the first where somebody listens.
///
/// # Errors
/// An address that makes no sense or where nobody listens.
pub(super) fn connect(
    place: impl ToSocketAddrs,
    shown: &str,
    timeout: Duration,
) -> anyhow::Result<TcpStream> {
    let addresses = place.to_socket_addrs().with_context(|| format!("ask `{shown}`: write HOST:PORT"))?;
    let mut found = Err(anyhow!("find {shown}"));
    for address in addresses {
        found =
            TcpStream::connect_timeout(&address, timeout).with_context(|| format!("connect to {address}"));
        if found.is_ok() {
            break;
        }
    }
    let stream = found?;
    stream.set_read_timeout(Some(timeout)).context("set a timeout")?;
    stream.set_write_timeout(Some(timeout)).context("set a timeout")?;
    Ok(stream)
}

/// What is asked.
pub(super) struct Request<'a> {
    /// Host and port.
    pub(super) authority: &'a str,
    /// The path.
    pub(super) path: &'a str,
    /// More headers, each with the end of its line.
    pub(super) more: &'a str,
    /// Bytes of the answer that are read.
    pub(super) answer_bytes_max: u64,
}

/// Asks over a connection.
///
/// # Errors
/// A connection that breaks before anything was said.
pub(super) fn over(mut stream: impl Read + Write, request: &Request<'_>) -> anyhow::Result<Answer> {
    let Request { authority, path, more, answer_bytes_max } = request;
    // HTTP/1.0, so that the answer comes in one piece.
    let text = format!("GET {path} HTTP/1.0\r\nHost: {authority}\r\nConnection: close\r\n{more}\r\n");
    stream.write_all(text.as_bytes())?;
    let mut answer = Vec::new();
    let read = stream.take(*answer_bytes_max).read_to_end(&mut answer);
    // Over TLS a server may close without a word of farewell; what it said counts.
    if answer.is_empty() {
        read?;
    }
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default().trim_end().to_owned();
    Ok(Answer { status, body: body.to_owned() })
}
