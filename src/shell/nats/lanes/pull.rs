//! Pulling: requests for messages kept open at the server, and what comes back read apart.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use memchr::memchr_iter;
use serde_json::json;

use crate::engine::arrival::Stored;
use crate::engine::time::Timestamp;
use crate::shell::nats::api::Api;
use crate::shell::nats::frames::{Delivery, number};
use crate::shell::nats::protocol::Protocol;

/// Requests kept open at a time: the next one is asked for when half of the last is there, so that the server always
/// knows of something to send.
const OPEN_MAX: usize = 2;

/// What a message says of its place in the stream, in its reply subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessagePlace {
    /// How often it was delivered.
    pub(crate) delivered: u64,
    /// Its sequence in the stream.
    pub(crate) stream_sequence: u64,
    /// Its number among the consumer's deliveries.
    pub(crate) consumer_sequence: u64,
    /// When it was stored, in nanoseconds since the epoch.
    pub(crate) stored_nanos: i64,
    /// Messages the consumer has after it.
    pub(crate) pending: u64,
}

impl MessagePlace {
    /// The sequence and its time, as the engine takes them.
    pub(crate) const fn stored(&self) -> Stored {
        let at = Timestamp::from_micros(self.stored_nanos.div_euclid(1_000));
        Stored { sequence: self.stream_sequence, at }
    }
}

/// Reads `$JS.ACK.….<delivered>.<stream seq>.<consumer seq>.<time>.<pending>`, with or without domain and account.
pub(crate) fn place_of(reply: &[u8]) -> Option<MessagePlace> {
    let rest = reply.strip_prefix(b"$JS.ACK.")?;
    // Stream and consumer, then the numbers; newer servers put domain and account hash in front and a token behind.
    if let Some((names, place)) = numbers_at_end(rest)
        && matches!(dots(names), 1 | 3)
    {
        return Some(place);
    }
    let token = rest.iter().rev().position(|byte| *byte == b'.')?;
    let (names, place) = numbers_at_end(rest.get(..rest.len() - token - 1)?)?;
    (dots(names) == 3).then_some(place)
}

fn dots(text: &[u8]) -> usize {
    memchr_iter(b'.', text).count()
}

/// The five numbers that `text` ends with, and what is in front of them.
#[inline]
fn numbers_at_end(text: &[u8]) -> Option<(&[u8], MessagePlace)> {
    let (text, pending) = number_at_end(text)?;
    let (text, stored_nanos) = number_at_end(text)?;
    let (text, consumer_sequence) = number_at_end(text)?;
    let (text, stream_sequence) = number_at_end(text)?;
    let (text, delivered) = number_at_end(text)?;
    let stored_nanos = i64::try_from(stored_nanos).ok()?;
    Some((text, MessagePlace { delivered, stream_sequence, consumer_sequence, stored_nanos, pending }))
}

/// Digits that 64 bits hold, whatever they are.
const DIGITS_MAX: usize = 19;

/// The number behind the last dot of `text`, and what is before that dot.
#[inline]
fn number_at_end(text: &[u8]) -> Option<(&[u8], u64)> {
    let (mut rest, mut number, mut power) = (text, 0_u64, 1_u64);
    while let [before @ .., digit @ b'0'..=b'9'] = rest {
        number = number.wrapping_add(power.wrapping_mul(u64::from(digit - b'0')));
        power = power.wrapping_mul(10);
        rest = before;
    }
    let count = text.len() - rest.len();
    let before = rest.strip_suffix(b".")?;
    (1..=DIGITS_MAX).contains(&count).then_some((before, number))
}

/// Whether a message with this reply subject is a delivery of this consumer.
pub(crate) fn is_of(reply: &[u8], consumer: &str) -> bool {
    reply.split(|byte| *byte == b'.').any(|token| token == consumer.as_bytes())
}

/// What a message on a pull's inbox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pulled {
    /// A message of the stream.
    Message(MessagePlace),
    /// A sign of life.
    Heartbeat,
    /// The request is done; more may come with the next.
    Done(RequestEnding),
    /// The consumer is gone or cannot go on: make another.
    Broken,
}

/// Why a request is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestEnding {
    /// Its time is over: nothing (more) was there.
    Expired,
    /// Its bytes are used up.
    Bytes,
    /// The next message alone is bigger than what was asked for.
    TooBig,
}

/// Tells messages from the server's own words.
pub(crate) fn judge(delivery: &Delivery<'_>) -> Pulled {
    if let Some(place) = place_of(delivery.reply) {
        return Pulled::Message(place);
    }
    let line = delivery.headers.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let status = line.strip_prefix(b"NATS/1.0").unwrap_or_default().trim_ascii();
    let text = String::from_utf8_lossy(status).to_lowercase();
    match status.get(..3) {
        Some(b"100") => Pulled::Heartbeat,
        Some(b"404" | b"408") => Pulled::Done(RequestEnding::Expired),
        Some(b"409") if text.contains("batch completed") => Pulled::Done(RequestEnding::Bytes),
        Some(b"409") if text.contains("exceeds maxbytes") => Pulled::Done(RequestEnding::TooBig),
        _ => Pulled::Broken,
    }
}

/// One open request.
#[derive(Debug)]
struct Open {
    number: u64,
    left: usize,
    bytes_left: usize,
    got: usize,
}

/// What to ask for with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    /// Messages.
    pub(crate) messages_max: usize,
    /// Bytes.
    pub(crate) bytes_max: usize,
    /// How long it stays open.
    pub(crate) expires: Duration,
    /// How often the server shows it is alive.
    pub(crate) heartbeat: Duration,
}

/// The open requests of one consumer.
#[derive(Debug)]
pub(crate) struct Pulls {
    subject: String,
    request: Request,
    open: VecDeque<Open>,
    big_next: bool,
    heard: Instant,
}

impl Pulls {
    /// No request yet, to the consumer whose requests go to `subject`.
    pub(crate) fn new(subject: String, request: Request, now: Instant) -> Self {
        Self { subject, request, open: VecDeque::new(), big_next: false, heard: now }
    }

    /// Asks for more where little is on its way.
    pub(crate) fn ask(&mut self, protocol: &mut Protocol, api: &mut Api) {
        let messages: usize = self.open.iter().map(|open| open.left).sum();
        let bytes: usize = self.open.iter().map(|open| open.bytes_left).sum();
        let is_enough = messages > self.request.messages_max / 2 && bytes > self.request.bytes_max / 2;
        if self.open.len() >= OPEN_MAX || is_enough {
            return;
        }
        if self.big_next && !self.open.is_empty() {
            return;
        }
        let (number, inbox) = api.next_pull();
        let mut body = json!({
            "batch": self.request.messages_max,
            "expires": nanos(self.request.expires),
            "idle_heartbeat": nanos(self.request.heartbeat),
            "max_bytes": self.request.bytes_max,
        });
        let mut left = self.request.messages_max;
        if std::mem::take(&mut self.big_next) {
            left = 1;
            body = json!({
                "batch": 1, "expires": nanos(self.request.expires), "idle_heartbeat": nanos(self.request.heartbeat),
            });
        }
        protocol.publish(&self.subject, Some(&inbox), body.to_string().as_bytes());
        self.open.push_back(Open { number, left, bytes_left: self.request.bytes_max, got: 0 });
    }

    /// Notes a message of this size: the server serves the oldest request first.
    pub(crate) fn note_message(&mut self, bytes: usize, now: Instant) {
        self.heard = now;
        if let Some(open) = self.open.front_mut() {
            open.got += 1;
            open.left = open.left.saturating_sub(1);
            open.bytes_left = open.bytes_left.saturating_sub(bytes);
            if open.left == 0 {
                self.open.pop_front();
            }
        }
    }

    /// Notes a sign of life or the end of the request whose inbox is `subject`.
    pub(crate) fn note(&mut self, subject: &[u8], pulled: Pulled, now: Instant) -> Drained {
        self.heard = now;
        let Pulled::Done(ending) = pulled else { return Drained::Unknown };
        let Some(at) = self.place(subject) else { return Drained::Unknown };
        let nothing_came = self.open.remove(at).is_some_and(|open| open.got == 0);
        self.big_next |= ending == RequestEnding::TooBig && nothing_came;
        if ending == RequestEnding::Expired && nothing_came { Drained::Yes } else { Drained::Unknown }
    }

    /// Whether a message on this inbox is about an open request.
    pub(crate) fn is_open(&self, subject: &[u8]) -> bool {
        self.place(subject).is_some()
    }

    fn place(&self, subject: &[u8]) -> Option<usize> {
        let named = subject.rsplit(|byte| *byte == b'.').next().and_then(|token| number(token).ok());
        self.open.iter().position(|open| Some(open.number) == named)
    }

    /// The lane itself was busy: silence until now says nothing of the server.
    pub(crate) fn excuse(&mut self, now: Instant) {
        self.heard = now;
    }

    /// When the server has been silent longer than it may be.
    pub(crate) fn deadline(&self) -> Instant {
        self.heard + (self.request.heartbeat * 3).max(Duration::from_millis(1_500))
    }
}

/// Whether a consumer is known to have nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drained {
    /// A whole request brought nothing.
    Yes,
    /// Not known.
    Unknown,
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_tells_its_place_whatever_the_server_puts_around_it() {
        let place = MessagePlace {
            delivered: 1,
            stream_sequence: 42,
            consumer_sequence: 7,
            stored_nanos: 1_700_000_000_000_000_001,
            pending: 3,
        };
        let cases = [
            "$JS.ACK.EVENTS.abc.1.42.7.1700000000000000001.3",
            "$JS.ACK.hub.ACCHASH.EVENTS.abc.1.42.7.1700000000000000001.3",
            "$JS.ACK._.ACCHASH.EVENTS.abc.1.42.7.1700000000000000001.3.rand",
            "$JS.ACK._.ACCHASH.EVENTS.abc.1.42.7.1700000000000000001.3.12345",
            "$JS.ACK._.ACCHASH.EVENTS.5.1.42.7.1700000000000000001.3.",
        ];
        for case in cases {
            assert_eq!(place_of(case.as_bytes()), Some(place), "{case}");
        }
        for case in [
            "",
            "a.b",
            "$JS.ACK.x",
            "$JS.ACK.EVENTS.abc.1.x.7.1.3",
            "$JS.ACK.EVENTS.abc.1.42.7.99999999999999999999.3",
            "$JS.ACK.EVENTS.abc.1.42.7.9999999999999999999.3",
            "$JS.ACK.EVENTS.abc.1.42..1700000000000000001.3",
            "$JS.ACK.EVENTS.abc.1.42.7.1700000000000000001.3.rand",
            "$JS.ACK.EVENTS.1.42.7.1700000000000000001.3",
            "$JS.ACK.hub.EVENTS.abc.1.42.7.1700000000000000001.3",
            "$JS.ACK.EVENTS.abc.1.42.7.170000000000000000x.3",
        ] {
            assert_eq!(place_of(case.as_bytes()), None, "{case}");
        }
    }

    #[test]
    fn the_servers_own_words_are_told_apart() {
        let cases = [
            ("NATS/1.0 100 Idle Heartbeat\r\n\r\n", Pulled::Heartbeat),
            (
                "NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 1\r\n\r\n",
                Pulled::Done(RequestEnding::Expired),
            ),
            ("NATS/1.0 404 No Messages\r\n\r\n", Pulled::Done(RequestEnding::Expired)),
            ("NATS/1.0 409 Message Size Exceeds MaxBytes\r\n\r\n", Pulled::Done(RequestEnding::TooBig)),
            ("NATS/1.0 409 Batch Completed\r\n\r\n", Pulled::Done(RequestEnding::Bytes)),
            ("NATS/1.0 409 Consumer Deleted\r\n\r\n", Pulled::Broken),
            ("NATS/1.0 503\r\n\r\n", Pulled::Broken),
            ("", Pulled::Broken),
        ];
        for (headers, expected) in cases {
            let delivery = Delivery {
                subscription: 2,
                subject: b"i.p.1",
                reply: b"",
                headers: headers.as_bytes(),
                payload: b"",
            };
            assert_eq!(judge(&delivery), expected, "{headers}");
        }
    }
}

#[cfg(test)]
mod request_tests;
