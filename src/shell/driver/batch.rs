//! Messages on their way from a lane to the engine: one buffer for all of a batch.

use std::ops::Range;

use crate::engine::arrival::{Origin, Stored, StreamBatch};
use crate::engine::wire::Message;

/// Messages in the order they arrived.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    places: Vec<Place>,
    stored: Vec<Stored>,
}

/// Where one message's parts end in the batch's buffer.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u32,
    subject_end: u32,
    headers_end: u32,
    payload_end: u32,
}

impl Batch {
    /// Appends a message, its parts as they came.
    pub(crate) fn push(&mut self, subject: &[u8], headers: &[u8], payload: &[u8]) {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(subject);
        let subject_end = self.bytes.len() as u32;
        self.bytes.extend_from_slice(headers);
        let headers_end = self.bytes.len() as u32;
        self.bytes.extend_from_slice(payload);
        let payload_end = self.bytes.len() as u32;
        self.places.push(Place { start, subject_end, headers_end, payload_end });
    }

    /// Notes where in its stream the message appended last is stored.
    pub(crate) fn note_stored(&mut self, stored: Stored) {
        self.stored.push(stored);
    }

    /// Takes what was gathered; the next batch has room for as much from the start.
    pub(crate) fn take(&mut self) -> Self {
        let next = Self {
            bytes: Vec::with_capacity(self.bytes.len()),
            places: Vec::with_capacity(self.places.len()),
            stored: Vec::with_capacity(self.stored.len()),
        };
        std::mem::replace(self, next)
    }

    /// How many messages there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Bytes of all messages.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The sequence of its first message, where that is a stream's.
    pub(crate) fn first_sequence(&self) -> Option<u64> {
        self.stored.first().map(|stored| stored.sequence)
    }

    /// The sequence of its last message, where that is a stream's.
    pub(crate) fn last_sequence(&self) -> Option<u64> {
        self.stored.last().map(|stored| stored.sequence)
    }

    /// Where in its stream each message is stored; nothing where they are of none.
    pub(crate) fn stored(&self) -> &[Stored] {
        &self.stored
    }

    /// The messages as the engine takes them.
    pub(crate) fn messages(&self) -> Vec<Message<'_>> {
        self.places
            .iter()
            .map(|place| Message {
                subject: std::str::from_utf8(self.part(place.start..place.subject_end)).unwrap_or(""),
                headers: self.part(place.subject_end..place.headers_end),
                payload: self.part(place.headers_end..place.payload_end),
            })
            .collect()
    }

    /// The batch of a stream, of these messages of it.
    pub(crate) fn of_stream<'a>(
        &'a self,
        origin: &'a Origin,
        messages: &'a [Message<'a>],
    ) -> StreamBatch<'a> {
        StreamBatch { origin, messages, stored: &self.stored }
    }

    fn part(&self, range: Range<u32>) -> &[u8] {
        self.bytes.get(range.start as usize..range.end as usize).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_as_they_went_in() {
        let mut batch = Batch::default();
        for (subject, headers, payload) in [("a.b", "", "1"), ("c", "NATS/1.0\r\n\r\n", ""), ("d", "", "23")]
        {
            batch.push(subject.as_bytes(), headers.as_bytes(), payload.as_bytes());
        }
        let seen: Vec<_> = batch.messages().iter().map(|m| (m.subject, m.headers.len(), m.payload)).collect();
        assert_eq!(seen, [("a.b", 0, &b"1"[..]), ("c", 12, b""), ("d", 0, b"23")]);
    }
}
