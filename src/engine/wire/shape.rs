//! The table of event types as data: the fields of each type with their kinds, for schemas and for people.

use super::payload::EventType;
use super::table::event_table;
use super::vocabulary;

/// A payload field of an event type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventField {
    /// The name on the wire.
    pub(crate) name: &'static str,
    /// What its value may be.
    pub(crate) kind: FieldKind,
    /// Whether it must be there.
    pub(crate) presence: Presence,
}

/// What the value of a field may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldKind {
    /// A string.
    Text,
    /// A string that is not empty.
    Name,
    /// A whole number of at least 0.
    Whole,
    /// A number of at least 0.
    Span,
    /// A number from 0 to 1.
    Ratio,
    /// A finite number.
    Number,
    /// A number as the event's `metric_type` allows it.
    Measurement,
    /// True or false.
    Flag,
    /// A list of strings.
    Texts,
    /// An object of strings.
    Tags,
    /// `counter`, `gauge` or `histogram`.
    MetricType,
}

/// Whether a field must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It must.
    Required,
    /// It may be missing or null.
    Optional,
    /// It is no field of the specification: what is not of its kind counts as missing.
    Beside,
}

impl EventField {
    /// The values that producers are expected to send; empty where any is as good as another.
    pub(crate) fn usual_words(&self, event_type: EventType) -> &'static [&'static str] {
        vocabulary::usual_words(event_type, self.name)
    }
}

/// Kind and presence of a word in the table.
macro_rules! described {
    (text) => {
        (FieldKind::Text, Presence::Required)
    };
    (optional_text) => {
        (FieldKind::Text, Presence::Optional)
    };
    (beside_text) => {
        (FieldKind::Text, Presence::Beside)
    };
    (name) => {
        (FieldKind::Name, Presence::Required)
    };
    (whole) => {
        (FieldKind::Whole, Presence::Required)
    };
    (optional_whole) => {
        (FieldKind::Whole, Presence::Optional)
    };
    (span) => {
        (FieldKind::Span, Presence::Required)
    };
    (optional_span) => {
        (FieldKind::Span, Presence::Optional)
    };
    (ratio) => {
        (FieldKind::Ratio, Presence::Required)
    };
    (number) => {
        (FieldKind::Number, Presence::Required)
    };
    (measurement) => {
        (FieldKind::Measurement, Presence::Required)
    };
    (flag) => {
        (FieldKind::Flag, Presence::Required)
    };
    (texts) => {
        (FieldKind::Texts, Presence::Required)
    };
    (tags) => {
        (FieldKind::Tags, Presence::Required)
    };
    (metric_type) => {
        (FieldKind::MetricType, Presence::Required)
    };
}

/// Expands the table as data.
macro_rules! shapes {
    ($($(#[doc = $doc:literal])* $name:ident $context:literal { $($field:ident: $kind:ident,)* })*) => {
        impl EventType {
            /// The payload fields, in the specification's order.
            pub(crate) const fn fields(self) -> &'static [EventField] {
                match self {
                    $(Self::$name => const {
                        &[$(EventField {
                            name: stringify!($field), kind: described!($kind).0, presence: described!($kind).1,
                        },)*]
                    },)*
                }
            }

            /// When it happens, as a sentence.
            pub(crate) fn sentence(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),*).trim_start(),)* }
            }
        }
    };
}

event_table!(shapes);
