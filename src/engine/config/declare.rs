//! How a key is declared: one line gives it its name, type, kind, default, effect and text, and from that line come
//! the field, its reader, the schema, the documentation and what a reload does.

use std::sync::Arc;
use std::time::Duration;

use super::changes::{Change, Changes};
use crate::engine::diagnostic::Source;
use crate::engine::labels::Labels;
use crate::engine::metric::MetricType;
use crate::engine::wire::{EventType, Lane};
use crate::engine::yaml::keys::{Effect, KeyDefault, KeyKind};
use crate::engine::yaml::{Findings, Node, Notation, Read, ReadValue, Scalar, Value, Values};

/// A type that a key can have.
pub(super) trait KeyValue: Clone + PartialEq {
    /// The value that was read; none where the reader let something else through.
    fn of_read(read: &Read) -> Option<Self>;

    /// The value where the key is left out and its default is no value but words, or nothing.
    fn absent() -> Self;

    /// The value where the key is left out.
    fn of_default(kind: KeyKind, default: KeyDefault) -> Self {
        match default {
            KeyDefault::Value(text) => default_read(kind, text).as_ref().and_then(Self::of_read),
            KeyDefault::Nothing | KeyDefault::Words(_) | KeyDefault::Required => None,
        }
        .unwrap_or_else(Self::absent)
    }

    /// Notes the keys at or below `key` whose values in `other` are not those here.
    fn note_changes(&self, other: &Self, key: &Change, changes: &mut Changes) {
        if self != other {
            changes.0.push(key.clone());
        }
    }

    /// Takes what needs a restart from the configuration of the start.
    fn keep_until_restart(&mut self, started: &Self, effect: Effect) {
        if effect == Effect::Restart {
            self.clone_from(started);
        }
    }
}

/// A default as the reader reads it from a file; a test holds every default to be one.
pub(super) fn default_read(kind: KeyKind, text: &'static str) -> Option<Read> {
    let source = Source { name: Arc::from(""), text: Arc::from(text) };
    let scalar = Scalar { text: text.to_owned(), style: Notation::Plain };
    let node = Node { span: 0..text.len(), value: Value::Scalar(scalar) };
    Findings::new(&source).value(&node, kind, "")
}

/// Declares a mapping of the configuration: each key with its documentation, type, kind, default and effect.
macro_rules! section {
    (
        $(#[doc = $doc:literal])+
        $name:ident {
            $($(#[doc = $about:literal])+ $field:ident $(($written:literal))?: $type:ty = $kind:expr, $default:expr, $effect:ident;)*
        }
        $(beside { $($(#[doc = $beside_doc:literal])+ $beside:ident: $beside_type:ty,)* })?
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[doc = $about])+ pub $field: $type,)*
            $($($(#[doc = $beside_doc])+ pub $beside: $beside_type,)*)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($field: <$type as KeyValue>::of_default($kind, $default),)*
                    $($($beside: Default::default(),)*)?
                }
            }
        }

        impl $name {
            /// Its keys.
            pub(crate) const KEYS: &'static [Key] = &[$(Key {
                name: $crate::engine::config::declare::written!($field $($written)?),
                kind: $kind,
                default: $default,
                effect: Effect::$effect,
                about: concat!($($about),+),
            },)*];

            /// The values that were read, and the defaults of all others.
            pub(super) fn of_values(values: &Values) -> Self {
                Self {
                    $($field: values
                        .find($crate::engine::config::declare::written!($field $($written)?))
                        .and_then(<$type as KeyValue>::of_read)
                        .unwrap_or_else(|| <$type as KeyValue>::of_default($kind, $default)),)*
                    $($($beside: Default::default(),)*)?
                }
            }
        }

        impl KeyValue for $name {
            fn of_read(read: &Read) -> Option<Self> {
                Some(Self::of_values(&Values::of(read)))
            }

            fn absent() -> Self {
                Self::default()
            }

            fn note_changes(&self, other: &Self, key: &Change, changes: &mut Changes) {
                $(self.$field.note_changes(
                    &other.$field,
                    &key.below($crate::engine::config::declare::written!($field $($written)?), Effect::$effect),
                    changes,
                );)*
            }

            fn keep_until_restart(&mut self, started: &Self, _: Effect) {
                $(self.$field.keep_until_restart(&started.$field, Effect::$effect);)*
            }
        }
    };
}

/// The name of a key: the field's, unless another is written.
macro_rules! written {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $written:literal) => {
        $written
    };
}

/// Declares the words that a key can have; the first is the default of the type.
macro_rules! words {
    ($(#[doc = $doc:literal])+ $name:ident { $first:ident = $first_word:literal: $first_about:literal, $($variant:ident = $word:literal: $about:literal,)* }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum $name {
            #[doc = $first_about]
            #[default]
            $first,
            $(#[doc = $about] $variant,)*
        }

        impl $name {
            /// The words in the file.
            pub(crate) const WORDS: KeyKind = KeyKind::Word(&[$first_word, $($word,)*]);
        }

        impl KeyValue for $name {
            fn of_read(read: &Read) -> Option<Self> {
                match read.written()?.content.as_str() {
                    $first_word => Some(Self::$first),
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }

            fn absent() -> Self {
                Self::default()
            }
        }
    };
}

pub(super) use {section, words, written};

/// Types that one kind of value is read into.
macro_rules! plain_values {
    ($($type:ty: $pattern:pat => $value:expr;)*) => {
        $(impl KeyValue for $type {
            fn of_read(read: &Read) -> Option<Self> {
                if let $pattern = &read.value { $value } else { None }
            }

            fn absent() -> Self {
                Self::default()
            }
        })*
    };
}

plain_values! {
    String: ReadValue::Text(text) => Some(text.content.clone());
    bool: ReadValue::Flag(flag) => Some(*flag);
    u64: ReadValue::Count(count) => Some(*count);
    u32: ReadValue::Count(count) => Some(Self::try_from(*count).unwrap_or(Self::MAX));
    usize: ReadValue::Count(count) => Some(Self::try_from(*count).unwrap_or(Self::MAX));
    Duration: ReadValue::Duration(span) => Some(*span);
}

impl<T: KeyValue> KeyValue for Option<T> {
    fn of_read(read: &Read) -> Option<Self> {
        T::of_read(read).map(Some)
    }

    fn absent() -> Self {
        None
    }
}

impl<T: KeyValue> KeyValue for Vec<T> {
    fn of_read(read: &Read) -> Option<Self> {
        let ReadValue::List(elements) = &read.value else { return None };
        Some(elements.iter().filter_map(T::of_read).collect())
    }

    fn absent() -> Self {
        Self::new()
    }
}

impl KeyValue for Labels {
    fn of_read(read: &Read) -> Option<Self> {
        Some(Self::collect(Values::of(read).text_map()))
    }

    fn absent() -> Self {
        Self::empty()
    }
}

impl KeyValue for Arc<[f64]> {
    fn of_read(read: &Read) -> Option<Self> {
        let ReadValue::List(elements) = &read.value else { return None };
        let number = |element: &Read| {
            if let ReadValue::Number(number) = element.value { Some(number) } else { None }
        };
        Some(elements.iter().filter_map(number).collect())
    }

    fn absent() -> Self {
        Self::from([])
    }
}

impl KeyValue for MetricType {
    fn of_read(read: &Read) -> Option<Self> {
        match read.written()?.content.as_str() {
            "counter" => Some(Self::Counter),
            "gauge" => Some(Self::Gauge),
            "histogram" => Some(Self::Histogram),
            _ => None,
        }
    }

    fn absent() -> Self {
        Self::Gauge
    }
}

/// The lane of a word; none where that is `off`.
pub(super) fn lane(word: &str) -> Option<Lane> {
    [Lane::Core, Lane::JetStream].into_iter().find(|lane| lane.name() == word)
}

/// The event type of a name that the reader let through.
pub(super) fn event_type(name: &str) -> Option<EventType> {
    EventType::from_name(name)
}
