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
    let found =
        authority.to_socket_addrs().with_context(|| format!("ask `{authority}`: write HOST:PORT"))?.next();
    let address = found.with_context(|| format!("find {authority}"))?;
    let mut stream =
        TcpStream::connect_timeout(&address, timeout).with_context(|| format!("connect to {address}"))?;
    stream.set_read_timeout(Some(timeout)).context("set a timeout")?;
    stream.set_write_timeout(Some(timeout)).context("set a timeout")?;
    // HTTP/1.0, so that the answer comes in one piece.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).with_context(|| format!("ask {address}"))?;
    let mut answer = Vec::new();
    stream
        .take(ANSWER_BYTES_MAX)
        .read_to_end(&mut answer)
        .with_context(|| format!("read the answer of {address}"))?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default().trim_end().to_owned();
    Ok(Answer { status, body: body.to_owned() })
}
