//! Everything there is to say of one event, for its producer: every field that is wrong, where the decoder stops at the
//! first, and what is right and yet unusual.

use super::envelope::{self, Data};
use super::field::Field;
use super::fields::Fields;
use super::payload::EventType;
use super::read::Reader;
use super::scan::{Nesting, blank};
use super::source::Source;
use super::{EventId, Lane, Message, Version};
use crate::engine::diagnostic::closest;
use crate::engine::time::Timestamp;

/// A field that is not as it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FieldFault {
    /// The field.
    pub(crate) field: &'static str,
    /// What it must be, as a fragment.
    pub(crate) expected: &'static str,
}

/// What is taken and yet likely not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Oddity {
    /// A word that none of the usual ones is.
    UnusualWord {
        /// The field.
        field: &'static str,
        /// The word.
        word: String,
        /// The usual ones.
        usual: &'static [&'static str],
    },
    /// A key that the type does not have, near to one that it has and the event lacks.
    UnknownField {
        /// The key.
        name: String,
        /// The field that was likely meant.
        near: &'static str,
    },
}

/// What is to be said of one event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inspection {
    /// Its type, where it can be told.
    pub(crate) event_type: Option<EventType>,
    /// Its id, where it has one.
    pub(crate) id: Option<EventId>,
    /// When it happened, where that can be read.
    pub(crate) time: Option<Timestamp>,
    /// Every field that is wrong. Of another major version than 1 nothing is said: its shape is a transform's affair.
    pub(crate) faults: Vec<FieldFault>,
    /// What is unusual.
    pub(crate) oddities: Vec<Oddity>,
}

/// Looks at the one event of a message whose payload is an object; nothing is said of what is none.
pub(crate) fn inspect(message: &Message<'_>, depth_max: usize) -> Inspection {
    inspected(message, depth_max).unwrap_or_default()
}

fn inspected(message: &Message<'_>, depth_max: usize) -> Option<Inspection> {
    let text = std::str::from_utf8(message.payload).ok()?;
    let (mut fields, mut nesting) = (Fields::new(), Nesting::new(depth_max));
    let open = blank(text.as_bytes(), 0);
    fields.scan(text, open, &mut nesting)?;
    let reader = Reader { text, fields: &fields };
    // What lane it came on is not asked here.
    let source = Source::new(Lane::Core, message);
    if reader.value(Field::specversion).is_none() {
        let envelope = source.envelope(None).ok()?;
        return Some(judged(&source, reader, (text.get(open..)?, envelope)));
    }
    let (envelope, data) = envelope::structured(reader).ok()?;
    let text = match &data {
        Data::Here(value) => text.get(value.start()..value.end())?,
        Data::Apart(text) => text.as_str(),
    };
    let mut inner = Fields::new();
    inner.scan(text, blank(text.as_bytes(), 0), &mut nesting)?;
    let reader = Reader { text, fields: &inner };
    Some(judged(&source, reader, (text, Some(&envelope))))
}

fn judged(
    source: &Source<'_>,
    reader: Reader<'_>,
    (text, envelope): (&str, Option<&envelope::Envelope<'_>>),
) -> Inspection {
    let id = Source::id(reader, envelope);
    let stand_in = envelope.and_then(|envelope| envelope.time);
    let own_time = reader.string(Field::timestamp).and_then(|text| text.parse().ok());
    let mut found = Inspection { id, time: own_time.or(stand_in), ..Inspection::default() };
    let Ok(event_type) = source.event_type(reader, envelope) else { return found };
    found.event_type = Some(event_type);
    let version: Option<Version> = match reader.value(Field::event_version) {
        None => Some(Version::DEFAULT),
        Some(value) => reader.as_text(value).and_then(|text| text.parse().ok()),
    };
    if version.is_some_and(|version| version.major != 1) {
        return found;
    }
    if version.is_none() {
        let expected = "major.minor or major.minor.patch";
        found.faults.push(FieldFault { field: Field::event_version.name(), expected });
    }
    if id.is_none() {
        found.faults.push(FieldFault { field: Field::event_id.name(), expected: "a UUID" });
    }
    found.faults.extend(reader.faults(event_type, stand_in));
    found.oddities = oddities(event_type, reader, text);
    found
}

fn oddities(event_type: EventType, reader: Reader<'_>, text: &str) -> Vec<Oddity> {
    let is_there = |name: &str| {
        Field::from_name(name.as_bytes()).is_some_and(|field| reader.fields.get(field).is_some())
    };
    let word = |name: &str| reader.string(Field::from_name(name.as_bytes())?);
    let unusual = event_type.fields().iter().filter_map(|field| {
        let usual = field.usual_words(event_type);
        let word = word(field.name).filter(|word| !usual.is_empty() && !usual.contains(&word.as_ref()))?;
        Some(Oddity::UnusualWord { field: field.name, word: word.into_owned(), usual })
    });
    let lacking = || {
        let payload = event_type.fields().iter().map(|field| field.name);
        payload.chain(["event_id", "timestamp", "event_version"]).filter(|name| !is_there(name))
    };
    // The keys in the words of a reader that keeps them; that the text is JSON is known.
    let members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).unwrap_or_default();
    let unknown = members.into_iter().filter_map(|(name, _)| {
        let is_known = event_type.fields().iter().any(|field| field.name == name);
        let near =
            closest(&name, lacking()).filter(|_| !is_known && Field::from_name(name.as_bytes()).is_none())?;
        Some(Oddity::UnknownField { name, near })
    });
    unusual.chain(unknown).collect()
}
