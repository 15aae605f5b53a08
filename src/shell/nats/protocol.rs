//! One connection after signing in, without its socket: what is to be sent, what the server said of itself, and
//! whether it still lives.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::frames::{Frame, FrameError, parse};
use super::link::LinkError;

/// What a server says of itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ServerInfo {
    /// Another one after each restart.
    pub(crate) server_id: String,
    /// Its version.
    pub(crate) version: String,
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

/// A connection that stands.
#[derive(Debug)]
pub(crate) struct Protocol {
    outgoing: Vec<u8>,
    heard: Instant,
    ping_interval: Duration,
    pings_open: usize,
    info: ServerInfo,
}

impl Protocol {
    /// A connection to a server that says this of itself.
    pub(crate) fn new(info: ServerInfo, ping_interval: Duration, now: Instant) -> Self {
        Self { outgoing: Vec::new(), heard: now, ping_interval, pings_open: 0, info }
    }

    /// What the server said of itself last.
    pub(crate) const fn info(&self) -> &ServerInfo {
        &self.info
    }

    /// What is to be sent.
    pub(crate) const fn outgoing(&mut self) -> &mut Vec<u8> {
        &mut self.outgoing
    }

    /// Notes that bytes came.
    pub(crate) const fn hear(&mut self, now: Instant) {
        self.heard = now;
    }

    /// The first whole frame of what was read, and how many bytes it took. Pings are answered and what the server says
    /// of itself is kept here.
    #[inline]
    pub(crate) fn next<'a>(&mut self, unread: &'a [u8]) -> Result<Option<(Frame<'a>, usize)>, FrameError> {
        let found = parse(unread)?;
        match &found {
            Some((Frame::Ping, _)) => self.outgoing.extend_from_slice(b"PONG\r\n"),
            Some((Frame::Pong, _)) => self.pings_open = self.pings_open.saturating_sub(1),
            Some((Frame::Info(json), _)) => {
                if let Ok(info) = serde_json::from_slice(json) {
                    self.info = info;
                }
            }
            Some((Frame::Ok | Frame::Error(_) | Frame::Message(_), _)) | None => {}
        }
        Ok(found)
    }

    /// Subscribes.
    pub(crate) fn subscribe(&mut self, subject: &str, subscription: u64) {
        self.outgoing.extend_from_slice(format!("SUB {subject} {subscription}\r\n").as_bytes());
    }

    /// Ends a subscription.
    pub(crate) fn unsubscribe(&mut self, subscription: u64) {
        self.outgoing.extend_from_slice(format!("UNSUB {subscription}\r\n").as_bytes());
    }

    /// Publishes.
    pub(crate) fn publish(&mut self, subject: &str, reply: Option<&str>, payload: &[u8]) {
        let head = match reply {
            Some(reply) => format!("PUB {subject} {reply} {}\r\n", payload.len()),
            None => format!("PUB {subject} {}\r\n", payload.len()),
        };
        self.outgoing.extend_from_slice(head.as_bytes());
        self.outgoing.extend_from_slice(payload);
        self.outgoing.extend_from_slice(b"\r\n");
    }

    /// Asks the server for a `PONG`.
    pub(crate) fn ping(&mut self) {
        self.pings_open += 1;
        self.outgoing.extend_from_slice(b"PING\r\n");
    }

    /// Whether the server has dealt with all that was sent before the last ping.
    pub(crate) const fn is_settled(&self) -> bool {
        self.pings_open == 0
    }

    /// When the server's silence must be looked at.
    pub(crate) fn deadline(&self) -> Instant {
        let spans = if self.is_settled() { 1 } else { 2 };
        self.heard + self.ping_interval.saturating_mul(spans)
    }

    /// Looks at the server's silence.
    ///
    /// # Errors
    /// It has been silent for too long.
    pub(crate) fn due(&mut self, now: Instant) -> Result<(), LinkError> {
        let silent = now.saturating_duration_since(self.heard);
        if silent >= self.ping_interval.saturating_mul(2) {
            return Err(LinkError::Silent);
        }
        if silent >= self.ping_interval && self.is_settled() {
            self.ping();
        }
        Ok(())
    }
}

/// Whether the server's error is about what we may not do, which ends nothing else.
pub(crate) fn is_forbidden(text: &[u8]) -> bool {
    const BEGIN: &[u8] = b"permissions violation";
    text.get(..BEGIN.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(BEGIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_server_is_pinged_once_and_then_given_up() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut protocol = Protocol::new(ServerInfo::default(), 10 * second, start);
        assert_eq!(protocol.deadline(), start + 10 * second);
        assert!(protocol.due(start + 9 * second).is_ok() && protocol.outgoing().is_empty());
        assert!(protocol.due(start + 10 * second).is_ok() && protocol.due(start + 12 * second).is_ok());
        assert_eq!(protocol.outgoing(), b"PING\r\n");
        assert!(protocol.due(start + 20 * second).is_err());
        protocol.hear(start + 20 * second);
        assert!(protocol.due(start + 20 * second).is_ok());
    }

    #[test]
    fn pings_are_answered_and_what_the_server_says_is_kept() {
        let mut protocol = Protocol::new(ServerInfo::default(), Duration::from_secs(10), Instant::now());
        let text = b"PING\r\nINFO {\"ldm\":true}\r\n";
        let (_, used) = protocol.next(text).unwrap().unwrap();
        protocol.next(&text[used..]).unwrap().unwrap();
        assert_eq!(protocol.outgoing(), b"PONG\r\n");
        assert!(protocol.info().leaving);
    }

    fn protocol() -> Protocol {
        Protocol::new(ServerInfo::default(), Duration::from_secs(10), Instant::now())
    }

    #[test]
    fn what_is_sent_is_the_protocols_text() {
        let mut protocol = protocol();
        protocol.subscribe("events.>", 3);
        protocol.publish("a.b", None, b"12345");
        protocol.publish("a.b", Some("r.1"), b"");
        protocol.unsubscribe(3);
        let expected = "SUB events.> 3\r\nPUB a.b 5\r\n12345\r\nPUB a.b r.1 0\r\n\r\nUNSUB 3\r\n";
        assert_eq!(std::str::from_utf8(protocol.outgoing()), Ok(expected));
    }

    #[test]
    fn it_is_settled_once_every_ping_is_answered() {
        let mut protocol = protocol();
        assert!(protocol.is_settled());
        protocol.ping();
        protocol.ping();
        protocol.next(b"PONG\r\n").unwrap();
        assert!(!protocol.is_settled());
        protocol.next(b"PONG\r\n").unwrap();
        protocol.next(b"PONG\r\n").unwrap();
        assert!(protocol.is_settled());
    }

    #[test]
    fn half_a_frame_changes_nothing() {
        let mut protocol = protocol();
        for half in ["", "PI", "PING", "PING\r", "INFO {\"ldm\":true}", "MSG a 1 5\r\n123"] {
            assert!(protocol.next(half.as_bytes()).unwrap().is_none(), "{half}");
        }
        assert!(protocol.outgoing().is_empty() && !protocol.info().leaving);
        protocol.next(b"INFO {\"ldm\": 5}\r\n").unwrap();
        assert!(!protocol.info().leaving, "what cannot be read is not kept");
    }

    #[test]
    fn an_error_about_permissions_is_told_apart() {
        let cases = [
            ("Permissions Violation for Subscription to \"events.>\"", true),
            ("permissions violation for publish", true),
            ("Permissions", false),
            ("", false),
            ("Authorization Violation", false),
            ("Slow Consumer: permissions violation", false),
        ];
        for (text, expected) in cases {
            assert_eq!(is_forbidden(text.as_bytes()), expected, "{text}");
        }
    }
}
