//! From a typed event to JSON: the specification's field names, in its order, after the four every event has.

use std::fmt::Write as _;

use super::payload::{Payload, Quantity};
use super::table::event_table;
use super::{Event, Tags, Text, json};
use crate::engine::metric::MetricType;

impl Event<'_> {
    /// The event as one JSON object: `event_id`, `timestamp`, `event_type`, `event_version`, then the fields of its
    /// type; an optional one that is absent is null. A trace adds a `traceparent` at the end.
    pub(crate) fn to_json(&self) -> String {
        let mut out = String::with_capacity(384);
        self.write_json(&mut out);
        out
    }

    /// Appends what [`to_json`](Self::to_json) returns.
    pub(crate) fn write_json(&self, out: &mut String) {
        let (id, at, name) = (self.id, self.timestamp, self.payload.event_type().name());
        // Writing to a string cannot fail.
        let _ = write!(out, r#"{{"event_id":"{id}","timestamp":"{at}","event_type":"{name}","#);
        let _ = write!(out, r#""event_version":"{}""#, self.version);
        write_payload(out, &self.payload);
        if let Some(trace) = self.trace {
            // The span is not kept; the id makes one that is not zero and the same each time.
            let span = (self.id.0 as u64).max(1);
            let _ = write!(out, r#","traceparent":"00-{trace:032x}-{span:016x}-01""#);
        }
        out.push('}');
    }
}

/// Expands the writing of every type.
macro_rules! writers {
    ($($(#[$doc:meta])* $name:ident $context:literal { $($field:ident: $kind:ident,)* })*) => {
        fn write_payload(out: &mut String, payload: &Payload<'_>) {
            match payload {
                $(Payload::$name(fields) => {
                    $(
                        out.push_str(concat!(",\"", stringify!($field), "\":"));
                        fields.$field.write(out);
                    )*
                })*
            }
        }
    };
}

event_table!(writers);

/// A typed field that can be written.
trait Write {
    fn write(&self, out: &mut String);
}

impl Write for Text<'_> {
    fn write(&self, out: &mut String) {
        json::string(out, self);
    }
}

impl Write for Quantity {
    fn write(&self, out: &mut String) {
        match self {
            Self::Whole(whole) => json::whole(out, *whole),
            Self::Real(real) => json::number(out, *real),
        }
    }
}

impl Write for f64 {
    fn write(&self, out: &mut String) {
        match *self {
            real if real.is_nan() => out.push_str("\"NaN\""),
            f64::INFINITY => out.push_str("\"+Inf\""),
            f64::NEG_INFINITY => out.push_str("\"-Inf\""),
            real => json::number(out, real),
        }
    }
}

impl Write for bool {
    fn write(&self, out: &mut String) {
        out.push_str(if *self { "true" } else { "false" });
    }
}

impl Write for MetricType {
    fn write(&self, out: &mut String) {
        json::string(out, self.name());
    }
}

impl Write for Tags<'_> {
    fn write(&self, out: &mut String) {
        out.push_str(self.raw());
    }
}

impl Write for Vec<Text<'_>> {
    fn write(&self, out: &mut String) {
        let mut separator = '[';
        for text in self {
            out.push(separator);
            json::string(out, text);
            separator = ',';
        }
        out.push_str(if self.is_empty() { "[]" } else { "]" });
    }
}

impl<T: Write> Write for Option<T> {
    fn write(&self, out: &mut String) {
        match self {
            Some(value) => value.write(out),
            None => out.push_str("null"),
        }
    }
}
