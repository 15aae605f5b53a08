//! Exemplars as OpenMetrics and protobuf show them: `event_id`, `trace_id` and `query_hash` of the event.

use super::number::{push_seconds, push_value};
use crate::engine::series::Exemplar;
use crate::engine::series::recent::RecentEvents;
use crate::engine::time::Timestamp;

/// Characters of all label names and values of an exemplar together (OpenMetrics 1.0).
const CHARACTERS_MAX: usize = 128;

/// An exemplar ready to be shown.
#[derive(Debug)]
pub(super) struct ExemplarText<'a> {
    /// The event's id as a hyphenated UUID.
    pub(super) event_id: [u8; 36],
    /// The trace as 32 hexadecimal digits.
    pub(super) trace_id: Option<[u8; 32]>,
    /// The hash of a query, where it is plain and there is room for it.
    pub(super) query_hash: Option<&'a str>,
    /// What the event added or observed.
    pub(super) value: f64,
    /// The event's own timestamp.
    pub(super) timestamp: Timestamp,
}

impl<'a> ExemplarText<'a> {
    /// What is known of an exemplar's event, while it is among the last ones.
    pub(super) fn of(exemplar: Exemplar, events: &'a RecentEvents) -> Option<Self> {
        let event = events.get(exemplar.event)?;
        let trace_id = event.trace.map(hex);
        let used = "event_id".len() + 36 + trace_id.map_or(0, |_| "trace_id".len() + 32) + "query_hash".len();
        let fits = |hash: &&str| hash.bytes().all(is_plain) && used + hash.len() <= CHARACTERS_MAX;
        Some(Self {
            event_id: hyphenated(event.id.0),
            trace_id,
            query_hash: event.query_hash().filter(fits),
            value: exemplar.value,
            timestamp: event.timestamp,
        })
    }

    /// Its labels by name, the values as they are.
    pub(super) fn labels(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let event_id = ("event_id", self.event_id.as_slice());
        let trace_id = self.trace_id.as_ref().map(|trace| ("trace_id", trace.as_slice()));
        let query_hash = self.query_hash.map(|hash| ("query_hash", hash.as_bytes()));
        std::iter::once(event_id).chain(trace_id).chain(query_hash)
    }

    /// Appends it to a sample's line: ` # {event_id="…"} 1 1700000000.5`.
    pub(super) fn push(&self, out: &mut Vec<u8>) {
        let mut beginning = *b" # {event_id=\"________-____-____-____-____________";
        if let Some(place) = beginning.last_chunk_mut() {
            *place = self.event_id;
        }
        out.extend_from_slice(&beginning);
        if let Some(trace_id) = &self.trace_id {
            out.extend_from_slice(b"\",trace_id=\"");
            out.extend_from_slice(trace_id);
        }
        if let Some(query_hash) = self.query_hash {
            out.extend_from_slice(b"\",query_hash=\"");
            out.extend_from_slice(query_hash.as_bytes());
        }
        out.extend_from_slice(b"\"} ");
        push_value(self.value, out);
        out.push(b' ');
        push_seconds(self.timestamp, out);
    }
}

/// Whether a byte of a query hash is shown as it is. Hashes with others are left out: OpenMetrics parsers stumble
/// over escapes in exemplars (Python's `prometheus_client` 0.23 does).
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'{' | b'}')
}

/// The 32 hexadecimal digits of a number.
fn hex(number: u128) -> [u8; 32] {
    let digit = |value: u8| value + if value > 9 { b'a' - 10 } else { b'0' };
    let mut digits = [0; 32];
    for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(number.to_be_bytes()) {
        *pair = [digit(byte >> 4), digit(byte & 0xf)];
    }
    digits
}

fn hyphenated(id: u128) -> [u8; 36] {
    let digits = hex(id);
    let mut text = [b'-'; 36];
    let groups = [(0, 0, 8), (8, 9, 4), (12, 14, 4), (16, 19, 4), (20, 24, 4), (24, 28, 8)];
    for (from, to, count) in groups {
        if let (Some(to), Some(from)) = (text.get_mut(to..to + count), digits.get(from..from + count)) {
            to.copy_from_slice(from);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::wire::EventId;

    #[test]
    fn an_exemplar_names_its_event_and_never_exceeds_128_characters() {
        let id = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
        let cases = [
            (None, "h".repeat(39), true),
            (Some(1), "h".repeat(34), true),
            (Some(1), "h".repeat(35), false),
            (Some(1), String::new(), false),
            (None, "h\"".to_owned(), false),
            (None, "é".to_owned(), false),
        ];
        for (trace, hash, shown) in cases {
            let mut events = RecentEvents::default();
            let event = events.push(EventId(id), trace, Timestamp::from_millis(1_500), &hash);
            let exemplar = ExemplarText::of(Exemplar { value: 2.0, event }, &events).unwrap();
            let characters: usize = exemplar.labels().map(|(name, value)| name.len() + value.len()).sum();
            assert!(characters <= CHARACTERS_MAX);
            assert_eq!(exemplar.query_hash.is_some(), shown);
            let mut out = Vec::new();
            exemplar.push(&mut out);
            let text = String::from_utf8(out).unwrap();
            assert!(text.starts_with(r#" # {event_id="01234567-89ab-cdef-0123-456789abcdef""#), "{text}");
            assert!(text.ends_with("} 2 1.5"), "{text}");
        }
    }
}
