//! Domain events on the wire: from JSON to typed, borrowed payloads and back (`domain-events.md`).

pub(crate) mod base64;
mod decode;
mod envelope;
mod field;
mod fields;
mod habit;
mod headers;
mod identity;
pub(crate) mod inspect;
pub(crate) mod json;
mod key;
pub(crate) mod payload;
mod read;
mod scan;
pub(crate) mod schema;
mod settings;
pub(crate) mod shape;
mod source;
pub(crate) mod subjects;
mod table;
mod tags;
mod transform;
mod usual;
mod value;
pub(crate) mod vocabulary;
mod words;
mod write;

#[cfg(test)]
mod case_tests;
#[cfg(test)]
mod oracle_tests;

use std::borrow::Cow;
use std::num::NonZero;

use crate::engine::time::Timestamp;

pub(crate) use decode::Element;
pub use decode::{Decoder, Verdict};
use identity::hyphenated_uuid;
pub(in crate::engine) use identity::lower_case_uuid;
pub use payload::EventType;
pub(crate) use payload::Payload;
pub use settings::WireSettings;
pub(crate) use settings::{Transform, TransformStep};
pub use subjects::Subjects;
pub(crate) use tags::Tags;

/// A string of an event: borrowed from the message unless JSON escapes forced a copy.
pub(crate) type Text<'a> = Cow<'a, str>;

/// The `event_id` as 128 bits, whichever of the four textual UUID forms it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub u128);

/// How an event travels (`CONTRACT.md`, "Lanes").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Core NATS, at most once.
    Core,
    /// A JetStream stream, at least once in and exactly once in effect.
    JetStream,
}

impl Lane {
    /// The `lane` label of `/metrics`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::JetStream => "jetstream",
        }
    }
}

/// Why an event is refused; the `reason` label of `signalbox_events_rejected_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// Not JSON, not UTF-8, nested too deep, or a key twice.
    Malformed,
    /// A type the specification does not have.
    UnknownType,
    /// A major version without a declared transform.
    UnsupportedVersion,
    /// A field that is missing, of the wrong type or out of its range.
    InvalidField,
    /// A metric name that is taken by another type.
    Conflict,
    /// A type that rides the other lane.
    OtherLane,
    /// A message over the size limit, or an array over the element limit.
    TooLarge,
}

impl Reason {
    /// All of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Malformed,
        Self::UnknownType,
        Self::UnsupportedVersion,
        Self::InvalidField,
        Self::Conflict,
        Self::OtherLane,
        Self::TooLarge,
    ];

    /// The `reason` label of `/metrics` and the header `Signalbox-Reason`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownType => "unknown_type",
            Self::UnsupportedVersion => "unsupported_version",
            Self::InvalidField => "invalid_field",
            Self::Conflict => "conflict",
            Self::OtherLane => "other_lane",
            Self::TooLarge => "too_large",
        }
    }
}

/// A refusal with the words for the log: which field, what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The counted reason.
    pub(crate) reason: Reason,
    /// A lower-case fragment that names the field and what was expected.
    pub(crate) detail: Cow<'static, str>,
}

impl Refusal {
    /// A refusal for this reason.
    pub(crate) fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// `event_version`: major, minor and (0 where not given) patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Version {
    /// Breaking changes.
    pub(crate) major: u32,
    /// Added fields.
    pub(crate) minor: u32,
    /// Corrections.
    pub(crate) patch: u32,
}

/// How far into a message its id is looked for by [`likely_id`].
const LIKELY_WITHIN: usize = 128;

/// The id that a message most likely has, found without reading the message: good for fetching ahead, for nothing else.
pub(crate) fn likely_id(payload: &[u8]) -> Option<LikelyId> {
    const KEY: &[u8] = b"\"event_id\"";
    if let Some((leading, rest)) = payload.split_first_chunk()
        && leading == LEADING
        && let Some(id) = rest.first_chunk().and_then(hyphenated_uuid)
    {
        return Some(LikelyId { id: EventId(id), leads: true });
    }
    let head = payload.get(..LIKELY_WITHIN).unwrap_or(payload);
    let after = head.get(memchr::memmem::find(head, KEY)? + KEY.len()..)?;
    let id = after.get(memchr::memchr(b'"', after)? + 1..)?;
    let id = std::str::from_utf8(id.get(..36)?).ok()?.parse().ok()?;
    Some(LikelyId { id, leads: false })
}

/// Bytes that memory hands over together.
const LINE_BYTES: usize = 64;

/// Has messages that are about to be read fetched, all of them at once: what another core wrote is in its caches, and
/// reading from message to message would wait for each piece in turn.
pub(crate) fn fetch(messages: &[Message<'_>]) {
    let lines = messages.iter().flat_map(|message| message.payload.chunks(LINE_BYTES));
    let read = lines.fold(0, |read, line| read ^ line.first().copied().unwrap_or_default());
    std::hint::black_box(read);
}

/// What an event usually begins with: the UUID of its id follows.
const LEADING: &[u8; 13] = b"{\"event_id\":\"";

/// An id that was found by a glance at a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LikelyId {
    /// The id.
    pub(crate) id: EventId,
    /// Whether the message begins with it as [`LEADING`] says, so that nobody has to read it again.
    leads: bool,
}

/// One message as a lane delivers it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The subject it was published to.
    pub subject: &'a str,
    /// The raw NATS header block (`NATS/1.0\r\nName: value\r\n…`), empty where there is none.
    pub headers: &'a [u8],
    /// The payload.
    pub payload: &'a [u8],
}

/// One valid event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event<'a> {
    /// Its identity, which duplicates share.
    pub(crate) id: EventId,
    /// When it happened, by its publisher's clock.
    pub(crate) timestamp: Timestamp,
    /// The version it was sent in.
    pub(crate) version: Version,
    /// The trace it belongs to: the 16 bytes of `traceparent`, where the message or event carries a valid one.
    pub(crate) trace: Option<NonZero<u128>>,
    /// The typed fields.
    pub(crate) payload: Payload<'a>,
}
