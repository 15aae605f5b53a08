//! The values of a running template, with the Go types that Prometheus gives them.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::engine::labels::Labels;

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// No value at all, as Go's invalid `reflect.Value`: prints `<no value>`, and as an argument it is nil.
    Absent,
    /// What came out of a map of anything.
    Interface(Option<Box<Value>>),
    Bool(bool),
    Whole(i64, WholeType),
    Float(f64),
    Complex(f64, f64),
    Text(Arc<str>, TextType),
    /// A map of texts, in which a missing one is empty.
    Labels(Labels),
    Arguments(Arc<Arguments>),
    /// The result of a query.
    Samples(Arc<[Arc<Sample>]>),
    /// A sample itself, as it is printed.
    SampleStruct(Arc<Sample>),
    /// A pointer to a sample, or nil.
    Sample(Option<Arc<Sample>>),
    /// What the dot is at first.
    Data(Arc<Data>),
    Time(DateTime<Utc>, Held),
    /// `*time.Location`; always UTC.
    Location,
}

/// The whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WholeType {
    Int,
    Int64,
    /// A byte of a text.
    Byte,
    Month,
    Weekday,
    /// Nanoseconds.
    Duration,
}

/// The texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextType {
    Plain,
    /// What `safeHtml` makes.
    Html,
}

/// Whether there is a pointer to a value or the value itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Pointer,
    Value,
}

/// The result of `args`.
#[derive(Debug)]
pub(super) struct Arguments {
    pub(super) by_name: BTreeMap<Arc<str>, Value>,
    /// How deep one stands in another.
    pub(super) depth: usize,
}

/// A sample of a query's result.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) labels: Labels,
    pub(super) value: f64,
}

/// `.Labels`, `.ExternalLabels`, `.ExternalURL`, `.Value`.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) labels: Labels,
    pub(super) external_labels: Labels,
    pub(super) external_url: Arc<str>,
    pub(super) value: f64,
}

/// How values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BasicKind {
    Bool,
    Complex,
    Signed,
    Float,
    Text,
    Unsigned,
}

impl Value {
    pub(super) fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into(), TextType::Plain)
    }

    pub(super) const fn int(whole: i64) -> Self {
        Self::Whole(whole, WholeType::Int)
    }

    /// What an interface holds; other values are themselves.
    pub(super) fn unboxed(self) -> Self {
        if let Self::Interface(inner) = self { inner.map_or(Self::Absent, |inner| *inner) } else { self }
    }

    /// Whether it counts as true.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Absent | Self::Interface(None) | Self::Sample(None) => false,
            Self::Interface(Some(inner)) => inner.is_true(),
            Self::Bool(value) => *value,
            Self::Whole(whole, _) => *whole != 0,
            Self::Float(value) => *value != 0.0,
            Self::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            Self::Text(text, _) => !text.is_empty(),
            Self::Labels(labels) => !labels.is_empty(),
            Self::Arguments(arguments) => !arguments.by_name.is_empty(),
            Self::Samples(samples) => !samples.is_empty(),
            Self::Sample(Some(_))
            | Self::SampleStruct(_)
            | Self::Data(_)
            | Self::Time(..)
            | Self::Location => true,
        }
    }

    /// The name of its Go type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Absent => "<nil>",
            Self::Interface(_) => "interface {}",
            Self::Bool(_) => "bool",
            Self::Whole(_, kind) => match kind {
                WholeType::Int => "int",
                WholeType::Int64 => "int64",
                WholeType::Byte => "uint8",
                WholeType::Month => "time.Month",
                WholeType::Weekday => "time.Weekday",
                WholeType::Duration => "time.Duration",
            },
            Self::Float(_) => "float64",
            Self::Complex(..) => "complex128",
            Self::Text(_, TextType::Plain) => "string",
            Self::Text(_, TextType::Html) => "template.HTML",
            Self::Labels(_) => "map[string]string",
            Self::Arguments(_) => "map[string]interface {}",
            Self::Samples(_) => "template.queryResult",
            Self::Sample(_) => "*template.sample",
            Self::SampleStruct(_) => "template.sample",
            Self::Data(_) => {
                "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value float64 }"
            }
            Self::Time(_, Held::Pointer) => "*time.Time",
            Self::Time(_, Held::Value) => "time.Time",
            Self::Location => "*time.Location",
        }
    }

    /// How it compares, where it does by order or by being equal.
    pub(super) fn basic_kind(&self) -> Option<BasicKind> {
        match self {
            Self::Bool(_) => Some(BasicKind::Bool),
            Self::Whole(_, WholeType::Byte) => Some(BasicKind::Unsigned),
            Self::Whole(..) => Some(BasicKind::Signed),
            Self::Float(_) => Some(BasicKind::Float),
            Self::Complex(..) => Some(BasicKind::Complex),
            Self::Text(..) => Some(BasicKind::Text),
            Self::Absent
            | Self::Interface(_)
            | Self::Labels(_)
            | Self::Arguments(_)
            | Self::Samples(_)
            | Self::Sample(_)
            | Self::SampleStruct(_)
            | Self::Data(_)
            | Self::Time(..)
            | Self::Location => None,
        }
    }

    /// What its `String` method says, where it has one.
    pub(super) fn spoken(&self) -> Option<String> {
        match self {
            Self::Whole(whole, WholeType::Month) => Some(super::instant::month_name(*whole)),
            Self::Whole(whole, WholeType::Weekday) => Some(super::instant::weekday_name(*whole)),
            Self::Whole(nanos, WholeType::Duration) => Some(super::instant::duration_text(*nanos)),
            Self::Time(at, _) => Some(super::instant::text(*at)),
            Self::Location => Some("UTC".to_owned()),
            Self::Absent
            | Self::Interface(_)
            | Self::Bool(_)
            | Self::Whole(_, WholeType::Int | WholeType::Int64 | WholeType::Byte)
            | Self::Float(_)
            | Self::Complex(..)
            | Self::Text(..)
            | Self::Labels(_)
            | Self::Arguments(_)
            | Self::Samples(_)
            | Self::Sample(_)
            | Self::SampleStruct(_)
            | Self::Data(_) => None,
        }
    }

    /// How deep values stand in it.
    pub(super) fn depth(&self) -> usize {
        match self {
            Self::Interface(Some(inner)) => inner.depth(),
            Self::Arguments(arguments) => arguments.depth,
            Self::Absent
            | Self::Interface(None)
            | Self::Bool(_)
            | Self::Whole(..)
            | Self::Float(_)
            | Self::Complex(..)
            | Self::Text(..)
            | Self::Labels(_)
            | Self::Samples(_)
            | Self::Sample(_)
            | Self::SampleStruct(_)
            | Self::Data(_)
            | Self::Time(..)
            | Self::Location => 0,
        }
    }
}
