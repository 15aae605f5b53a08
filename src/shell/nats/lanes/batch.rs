//! Messages on their way from a lane to the engine: one buffer for all of a batch.

use std::ops::Range;

use crate::engine::time::Timestamp;
use crate::engine::wire::{Lane, Message};

use crate::shell::nats::frames::Delivery;

/// A batch of messages of one lane, in the order they arrived.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The lane they came by.
    pub(crate) lane: Lane,
    bytes: Vec<u8>,
    places: Vec<Place>,
}

/// Where one message's parts end in the batch's buffer, and when the stream stored it.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u32,
    subject_end: u32,
    headers_end: u32,
    payload_end: u32,
    stored: Timestamp,
}

impl Batch {
    /// An empty batch.
    pub(crate) fn new(lane: Lane) -> Self {
        Self { lane, bytes: Vec::new(), places: Vec::new() }
    }

    /// Appends a message; `stored` is when its stream stored it (the epoch on the core lane).
    pub(crate) fn push(&mut self, delivery: &Delivery<'_>, stored: Timestamp) {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(delivery.subject);
        let subject_end = self.bytes.len() as u32;
        self.bytes.extend_from_slice(delivery.headers);
        let headers_end = self.bytes.len() as u32;
        self.bytes.extend_from_slice(delivery.payload);
        let payload_end = self.bytes.len() as u32;
        self.places.push(Place { start, subject_end, headers_end, payload_end, stored });
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

    /// When each message was stored.
    pub(crate) fn stored(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.places.iter().map(|place| place.stored)
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
        let mut batch = Batch::new(Lane::Core);
        for (subject, headers, payload) in [("a.b", "", "1"), ("c", "NATS/1.0\r\n\r\n", ""), ("d", "", "23")]
        {
            let delivery = Delivery {
                subscription: 1,
                subject: subject.as_bytes(),
                reply: b"",
                headers: headers.as_bytes(),
                payload: payload.as_bytes(),
            };
            batch.push(&delivery, Timestamp::EPOCH);
        }
        let seen: Vec<_> = batch.messages().iter().map(|m| (m.subject, m.headers.len(), m.payload)).collect();
        assert_eq!(seen, [("a.b", 0, &b"1"[..]), ("c", 12, b""), ("d", 0, b"23")]);
    }
}
