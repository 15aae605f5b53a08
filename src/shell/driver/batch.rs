//! Messages on their way from a lane to the engine: one buffer for all of a batch.
//!
//! Subjects are few and messages many, so each subject stands once. A batch that was applied goes back to its lane and
//! is filled again: its memory is there already, and of the size that batches have.

use std::ops::Range;

use crate::engine::arrival::{Origin, Stored, StreamBatch};
use crate::engine::wire::Message;
use crate::engine::wire::subjects::looks;

/// Subjects that a message's is compared with; those of further ones are written again each time.
const SUBJECTS_MAX: usize = 64;

/// Messages in the order they arrived.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    places: Vec<MessageEnds>,
    subjects: Vec<String>,
    /// What each of the first subjects looks like ([`looks`]), so that few have to be compared.
    looks: Vec<u64>,
    /// How many of the subjects are this batch's; the others are kept for their memory.
    subjects_len: usize,
    subject_bytes: usize,
    stored: Vec<Stored>,
}

/// Where one message's parts end in the batch's buffer, and which subject it has.
#[derive(Clone, Copy, Debug)]
struct MessageEnds {
    subject: u32,
    start: u32,
    headers_end: u32,
    payload_end: u32,
}

impl Batch {
    /// Appends a message, its parts as they came.
    pub(crate) fn push(&mut self, subject: &[u8], headers: &[u8], payload: &[u8]) {
        let subject = self.place_of(subject);
        let wanted = headers.len() + payload.len();
        if self.bytes.capacity() - self.bytes.len() < wanted {
            // Doubling would leave a good part of the queue's memory empty.
            self.bytes.reserve_exact(wanted.max(self.bytes.len() / 4));
        }
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(headers);
        let headers_end = self.bytes.len() as u32;
        self.bytes.extend_from_slice(payload);
        let payload_end = self.bytes.len() as u32;
        self.places.push(MessageEnds { subject, start, headers_end, payload_end });
    }

    /// The place of a subject, which is written down where it is new. What is no text is no subject that anybody
    /// published to; it stands as an empty one.
    fn place_of(&mut self, subject: &[u8]) -> u32 {
        let sought = looks(subject);
        let mut alike = self.looks.iter().zip(&self.subjects).zip(0..);
        if let Some((_, place)) =
            alike.find(|((looks, known), _)| **looks == sought && known.as_bytes() == subject)
        {
            return place;
        }
        if self.subjects_len < SUBJECTS_MAX {
            self.looks.push(sought);
        }
        self.write_subject(subject)
    }

    fn write_subject(&mut self, subject: &[u8]) -> u32 {
        let text = std::str::from_utf8(subject).unwrap_or("");
        match self.subjects.get_mut(self.subjects_len) {
            Some(spare) => {
                spare.clear();
                spare.push_str(text);
            }
            None => self.subjects.push(text.to_owned()),
        }
        self.subjects_len += 1;
        self.subject_bytes += subject.len();
        self.subjects_len as u32 - 1
    }

    /// Notes where in its stream the message appended last is stored.
    pub(crate) fn note_stored(&mut self, stored: Stored) {
        self.stored.push(stored);
    }

    /// Takes what was gathered; [`Batch::reuse`] gives the next batch its memory.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// Forgets the messages and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
        self.stored.clear();
        self.looks.clear();
        (self.subjects_len, self.subject_bytes) = (0, 0);
        self.subjects.truncate(SUBJECTS_MAX);
    }

    /// Goes on in the memory of a batch that was applied, where nothing was gathered yet.
    pub(crate) fn reuse(&mut self, spare: Self) {
        if self.is_empty() && self.bytes.capacity() < spare.bytes.capacity() {
            *self = spare;
            self.clear();
        }
    }

    /// How many bytes its memory has room for.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
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
        self.bytes.len() + self.subject_bytes
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
                subject: self.subjects.get(place.subject as usize).map_or("", String::as_str),
                headers: self.part(place.start..place.headers_end),
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
mod tests;
