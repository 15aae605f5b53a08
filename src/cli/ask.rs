//! One question to a sidecar over HTTP, for commands that need no more.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::Context;

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

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

/// Host with port, and path, of a URL without TLS; the path may be empty.
pub(super) fn split(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("http://")?;
    Some(rest.split_at(rest.find('/').unwrap_or(rest.len())))
}

/// Asks for a path; each step may take `timeout`.
///
/// # Errors
/// An address that makes no sense or does not answer, in words that fit after "cannot".
pub(super) fn get(authority: &str, path: &str, timeout: Duration) -> anyhow::Result<Answer> {
    let stream = connect(authority, timeout)?;
    over(stream, &Request { authority, path, more: "" }).with_context(|| format!("ask {authority}"))
}

/// A connection to a host and port.
///
/// # Errors
/// An address that makes no sense or where nobody listens.
pub(super) fn connect(authority: &str, timeout: Duration) -> anyhow::Result<TcpStream> {
    let found =
        authority.to_socket_addrs().with_context(|| format!("ask `{authority}`: write HOST:PORT"))?.next();
    let address = found.with_context(|| format!("find {authority}"))?;
    let stream =
        TcpStream::connect_timeout(&address, timeout).with_context(|| format!("connect to {address}"))?;
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
}

/// Asks over a connection.
///
/// # Errors
/// A connection that breaks before anything was said.
pub(super) fn over(mut stream: impl Read + Write, request: &Request<'_>) -> anyhow::Result<Answer> {
    let Request { authority, path, more } = request;
    // HTTP/1.0, so that the answer comes in one piece.
    let text = format!("GET {path} HTTP/1.0\r\nHost: {authority}\r\nConnection: close\r\n{more}\r\n");
    stream.write_all(text.as_bytes())?;
    let mut answer = Vec::new();
    let read = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer);
    // Over TLS a server may close without a word of farewell; what it said counts.
    if answer.is_empty() {
        read?;
    }
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default().trim_end().to_owned();
    Ok(Answer { status, body: body.to_owned() })
}
