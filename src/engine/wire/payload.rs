//! The 28 event types and their payloads, field for field as `domain-events.md` (and `METRICS.md` for the four
//! without a payload there) has them.

use super::table::event_table;
use super::{Tags, Text};
use crate::engine::metric::MetricType;

/// A non-negative whole number or duration as it stood on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Quantity {
    /// A whole number that fits 64 bits.
    Whole(u64),
    /// A fraction (durations only) or a whole number beyond 64 bits.
    Real(f64),
}

impl Default for Quantity {
    fn default() -> Self {
        Self::Whole(0)
    }
}

impl Quantity {
    /// The number as metrics count.
    pub(crate) fn value(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Real(real) => real,
        }
    }
}

/// How a field's Rust type follows from its word in the table below.
macro_rules! field_type {
    (text) => { Text<'a> };
    (optional_text) => { Option<Text<'a>> };
    (beside_text) => { Option<Text<'a>> };
    (whole) => { Quantity };
    (optional_whole) => { Option<Quantity> };
    (span) => { Quantity };
    (optional_span) => { Option<Quantity> };
    (ratio) => { f64 };
    (number) => { f64 };
    (flag) => { bool };
    (texts) => { Vec<Text<'a>> };
    (tags) => { Tags<'a> };
    (name) => { Text<'a> };
    (measurement) => { f64 };
    (metric_type) => { MetricType };
}

/// The types themselves.
macro_rules! define {
    ($($(#[$doc:meta])* $name:ident $context:literal { $($field:ident: $kind:ident,)* })*) => {
        /// One of the 28 event types.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum EventType { $($(#[$doc])* $name,)* }

        impl EventType {
            /// All of them, in the order of the specification's taxonomy.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The type of this name, where there is one.
            pub(crate) fn from_name(name: &str) -> Option<Self> {
                match name { $(stringify!($name) => Some(Self::$name),)* _ => None }
            }

            /// The bounded context, the second token of the subject.
            pub(crate) const fn context(self) -> &'static str {
                match self { $(Self::$name => $context,)* }
            }
        }

        /// The typed fields of one event.
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) enum Payload<'a> { $($(#[$doc])* $name($name<'a>),)* }

        impl Payload<'_> {
            /// Which type it is.
            pub(crate) const fn event_type(&self) -> EventType {
                match self { $(Self::$name(_) => EventType::$name,)* }
            }
        }

        $(event_struct! { $(#[$doc])* $name { $($field: $kind,)* } })*
    };
}

/// One payload struct. Every one has a text field, so each borrows and [`Payload`] has one lifetime.
macro_rules! event_struct {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) struct $name<'a> { $(pub(crate) $field: field_type!($kind),)* }
    };
}

event_table!(define);

impl EventType {
    /// The bounded contexts, in the order of the specification's taxonomy.
    pub(crate) fn contexts() -> impl Iterator<Item = &'static str> {
        let before =
            std::iter::once(None).chain(Self::ALL.iter().map(|event_type| Some(event_type.context())));
        let contexts = Self::ALL.iter().map(|event_type| event_type.context());
        contexts.zip(before).filter(|(context, before)| *before != Some(*context)).map(|(context, _)| context)
    }
}
