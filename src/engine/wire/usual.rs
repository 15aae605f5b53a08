//! The four fields of every event in the forms they usually have, which are read where they stand: no end is searched,
//! nothing is looked up.

use super::field::Field;
use super::payload::EventType;
use super::scan::string;
use super::words::Guess;
use super::{EventId, Version, identity};
use crate::engine::time::{Timestamp, TimestampReader};

/// What was read of one event. A field that is absent here may still be there in another form.
#[derive(Debug)]
pub(super) struct Usual {
    pub(super) id: Option<EventId>,
    pub(super) timestamp: Option<Timestamp>,
    pub(super) event_type: Option<EventType>,
    pub(super) version: Option<Version>,
    times: TimestampReader,
    last_type: EventType,
    /// Which type followed each type last time: publishers repeat themselves, and comparing with a guess costs less than
    /// finding the end of a name and looking it up.
    followers: [EventType; EventType::ALL.len()],
}

impl Default for Usual {
    fn default() -> Self {
        let last_type = EventType::MetricRecorded;
        Self {
            id: None,
            timestamp: None,
            event_type: None,
            version: None,
            times: TimestampReader::default(),
            last_type,
            followers: [last_type; EventType::ALL.len()],
        }
    }
}

impl Usual {
    /// Forgets the last event, but for what the next one is likely to share with it.
    #[inline]
    pub(super) fn clear(&mut self) {
        (self.id, self.timestamp, self.event_type, self.version) = (None, None, None, None);
    }

    /// Reads the string `text` begins with, where it is one of the four in its usual form, and returns its length with
    /// its quotes.
    #[inline]
    pub(super) fn read(&mut self, text: &[u8], field: Field) -> Option<usize> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the four of a hundred")]
        match field {
            Field::event_id => self.read_id(text),
            Field::timestamp => self.read_time(text),
            Field::event_type => self.read_type(text),
            Field::event_version => self.read_version(text),
            _ => None,
        }
    }

    #[inline]
    fn read_id(&mut self, text: &[u8]) -> Option<usize> {
        let (inside, rest) = text.get(1..)?.split_first_chunk()?;
        let id = identity::hyphenated_uuid(inside)?;
        if rest.first() != Some(&b'"') {
            return None;
        }
        self.id = Some(EventId(id));
        Some(inside.len() + 2)
    }

    #[inline]
    fn read_time(&mut self, text: &[u8]) -> Option<usize> {
        Some(self.read_time_inside(text.get(1..)?)? + 1)
    }

    /// Reads the time `text` begins with, and returns its length with the quote behind it.
    #[inline]
    pub(super) fn read_time_inside(&mut self, text: &[u8]) -> Option<usize> {
        let (time, length) = self.times.read(text)?;
        if text.get(length) != Some(&b'"') {
            return None;
        }
        self.timestamp = Some(time);
        Some(length + 1)
    }

    #[inline]
    fn read_type(&mut self, text: &[u8]) -> Option<usize> {
        let follower = *self.followers.get(self.last_type as usize)?;
        self.read_this_type(text, follower).or_else(|| self.read_this_type(text, self.last_type)).or_else(
            || {
                let (length, _) = string(text, 1)?;
                let fits = |known: &&EventType| known.name().len() == length - 1;
                EventType::ALL.iter().filter(fits).find_map(|known| self.read_this_type(text, *known))
            },
        )
    }

    /// Reads the string `text` begins with where it is this type, and returns its length with its quotes.
    #[inline]
    pub(super) fn read_this_type(&mut self, text: &[u8], event_type: EventType) -> Option<usize> {
        let length = TYPES.get(event_type as usize)?.at_start(text)?;
        *self.followers.get_mut(self.last_type as usize)? = event_type;
        self.last_type = event_type;
        self.event_type = Some(event_type);
        Some(length)
    }

    #[inline]
    fn read_version(&mut self, text: &[u8]) -> Option<usize> {
        let length = ONE_ZERO.at_start(text)?;
        self.take_version();
        Some(length)
    }

    /// Takes the version that nearly all events have.
    #[inline]
    pub(super) fn take_version(&mut self) {
        self.version = Some(Version::DEFAULT);
    }
}

static ONE_ZERO: Guess<1> = Guess::new(["\"", "1.0", "\""]);

/// The chunks that hold the longest type name in quotes.
const TYPE_CHUNKS: usize = 2;

static TYPES: [Guess<TYPE_CHUNKS>; EventType::ALL.len()] = types();

const fn types() -> [Guess<TYPE_CHUNKS>; EventType::ALL.len()] {
    let mut types = [const { Guess::new([""; 3]) }; EventType::ALL.len()];
    let (mut places, mut known): (&mut [Guess<TYPE_CHUNKS>], _) = (&mut types, EventType::ALL);
    while let ([place, other_places @ ..], [event_type, other_types @ ..]) = (places, known) {
        *place = Guess::new(["\"", event_type.name(), "\""]);
        (places, known) = (other_places, other_types);
    }
    types
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_whichever_came_last() {
        let mut usual = Usual::default();
        for (place, event_type) in EventType::ALL.iter().chain(EventType::ALL.iter().rev()).enumerate() {
            let text = format!("{:?},{}", event_type.name(), " ".repeat(place % 2 * TYPE_CHUNKS * 16));
            usual.clear();
            assert_eq!(usual.read(text.as_bytes(), Field::event_type), Some(event_type.name().len() + 2));
            assert_eq!(usual.event_type, Some(*event_type));
        }
    }

    #[test]
    fn another_form_is_left_to_others() {
        let cases = [
            (Field::event_id, "\"0190a5f2-7b1e-7c3d-9f00-0000000000011\""),
            (Field::timestamp, "\"2026-02-03T04:05:06Zx\""),
            (Field::event_type, "\"JobQueue\\u0064\"                         "),
            (Field::event_version, "\"1.00\"   "),
            (Field::metric_name, "\"1.0\"   "),
        ];
        for (field, text) in cases {
            assert_eq!(Usual::default().read(text.as_bytes(), field), None, "{text}");
        }
    }
}
