//! From the table of an object's fields to typed values: every rule of `METRICS.md` about a single field.

use std::borrow::Cow;
use std::num::NonZero;

use super::field::Field;
use super::fields::{Fields, TagsForm};
use super::inspect::FieldFault;
use super::payload::{EventType, Payload, Quantity};
use super::scan::{Spelling, blank, string, unescape};
use super::table::event_table;
use super::value::{JsonKind, Value, long_real};
use super::{Event, EventId, Reason, Refusal, Tags, Text, Version, payload};
use crate::engine::metric::MetricType;
use crate::engine::time::Timestamp;

/// A field that is not as it must be.
#[derive(Clone, Copy, Debug)]
struct Fault {
    field: Field,
    expected: &'static str,
}

impl From<Fault> for Refusal {
    #[cold]
    fn from(fault: Fault) -> Self {
        let detail = format!("{}: expected {}", fault.field.name(), fault.expected);
        Self { reason: Reason::InvalidField, detail: Cow::Owned(detail) }
    }
}

/// The table of one object beside the text it points into.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) fields: &'a Fields,
}

/// The first fault of an event. Reading goes on after one with a value that nobody will see: a struct that is filled
/// in one go costs less than one that may be left half way.
#[derive(Debug, Default)]
struct Faults(Option<Fault>);

impl Faults {
    #[inline]
    fn check<T: Default>(&mut self, field: Field, expected: &'static str, value: Option<T>) -> T {
        value.unwrap_or_else(|| {
            self.0.get_or_insert(Fault { field, expected });
            T::default()
        })
    }
}

/// What is known of an event before its fields are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) event_type: EventType,
    pub(super) id: EventId,
    pub(super) version: Version,
    /// What stands in for a missing `timestamp`.
    pub(super) time: Option<Timestamp>,
    pub(super) trace: Option<NonZero<u128>>,
}

/// Expands the reading of every type, and which fields are used by it.
macro_rules! readers {
    ($($(#[$doc:meta])* $name:ident $context:literal { $($field:ident: $kind:ident,)* })*) => {
        impl<'a> Reader<'a> {
            /// Reads the fields, in the specification's order.
            ///
            /// # Errors
            /// `invalid_field` for the first that is not as it must be.
            pub(super) fn event(self, head: &Head) -> Result<Event<'a>, Refusal> {
                let mut faults = Faults::default();
                let timestamp = self.timestamp(&mut faults, head.time);
                let Head { event_type, id, version, trace, .. } = *head;
                // Each arm fills the result where it is returned: an event is too large to be moved for nothing.
                match event_type {
                    $(EventType::$name => {
                        let fields = payload::$name { $($field: self.$kind(&mut faults, Field::$field),)* };
                        match faults.0 {
                            None => Ok(Event { id, timestamp, version, trace, payload: Payload::$name(fields) }),
                            Some(fault) => Err(fault.into()),
                        }
                    })*
                }
            }

            /// Every field that is not as it must be, in the specification's order.
            pub(super) fn faults(self, event_type: EventType, stand_in: Option<Timestamp>) -> Vec<FieldFault> {
                let mut all = Vec::new();
                // Each field is read with a place of its own for its fault.
                let mut faults = Faults::default();
                self.timestamp(&mut faults, stand_in);
                all.extend(faults.0);
                match event_type {
                    $(EventType::$name => {
                        $(
                            let mut faults = Faults::default();
                            let _ = self.$kind(&mut faults, Field::$field);
                            all.extend(faults.0);
                        )*
                    })*
                }
                // What a field says of another one is said there too.
                let mut named: Vec<FieldFault> = Vec::new();
                for Fault { field, expected } in all {
                    if named.iter().all(|known| known.field != field.name()) {
                        named.push(FieldFault { field: field.name(), expected });
                    }
                }
                named
            }
        }

        /// The payload fields of a type.
        const fn payload_fields(event_type: EventType) -> u128 {
            match event_type {
                $(EventType::$name => 0 $(| Field::$field.bit())*,)*
            }
        }
    };
}

event_table!(readers);

/// The fields every type uses.
const COMMON: u128 =
    Field::event_id.bit() | Field::timestamp.bit() | Field::event_type.bit() | Field::event_version.bit();

/// The fields of a CloudEvents envelope that are used.
const ENVELOPE: u128 = Field::specversion.bit()
    | Field::source.bit()
    | Field::cloud_id.bit()
    | Field::cloud_type.bit()
    | Field::cloud_time.bit();

impl<'a> Reader<'a> {
    /// Whether the object is malformed as an event of this type (if known): a key or tag twice, half a surrogate pair
    /// in a field that is used.
    pub(super) fn malformed(self, event_type: Option<EventType>) -> Option<&'static str> {
        let used = match event_type {
            Some(alert @ (EventType::AlertTriggered | EventType::AlertCleared)) => {
                payload_fields(alert) | Field::source.bit()
            }
            Some(event_type) => payload_fields(event_type),
            None => 0,
        };
        if event_type == Some(EventType::MetricRecorded) && self.fields.tags() == TagsForm::Repeated {
            Some("a key twice in the tags")
        } else {
            self.malformed_in(COMMON | used)
        }
    }

    /// Whether the object is malformed as a CloudEvents envelope.
    pub(super) fn malformed_envelope(self) -> Option<&'static str> {
        self.malformed_in(ENVELOPE)
    }

    fn malformed_in(self, used: u128) -> Option<&'static str> {
        if self.fields.repeated() {
            Some("a key twice in the event")
        } else if self.fields.lone() & used != 0 {
            Some("a string with half a surrogate pair")
        } else {
            None
        }
    }

    /// The value of a field; `None` where it is missing or null.
    #[inline]
    pub(super) fn value(self, field: Field) -> Option<Value> {
        self.fields.get(field).filter(|value| value.kind != JsonKind::Null)
    }

    /// The text of a value: of a string what is between the quotes.
    #[inline]
    pub(super) fn raw(self, value: Value) -> &'a str {
        self.text.get(value.start()..value.end()).unwrap_or_default()
    }

    /// The same as bytes.
    #[inline]
    fn raw_bytes(self, value: Value) -> &'a [u8] {
        self.text.as_bytes().get(value.start()..value.end()).unwrap_or_default()
    }

    /// The string a value is; `None` where it is none.
    #[inline]
    pub(super) fn as_text(self, value: Value) -> Option<Text<'a>> {
        match value.kind {
            JsonKind::Plain => Some(Cow::Borrowed(self.raw(value))),
            JsonKind::Escaped => unescaped(self.raw(value)),
            JsonKind::Null
            | JsonKind::True
            | JsonKind::False
            | JsonKind::Whole
            | JsonKind::Real
            | JsonKind::LongNumber
            | JsonKind::Array
            | JsonKind::Object => None,
        }
    }

    /// The string a field holds; `None` where it holds none.
    #[inline]
    pub(super) fn string(self, field: Field) -> Option<Text<'a>> {
        self.fields.get(field).and_then(|value| self.as_text(value))
    }

    #[inline]
    fn timestamp(self, faults: &mut Faults, stand_in: Option<Timestamp>) -> Timestamp {
        let time = match self.value(Field::timestamp) {
            _ if self.fields.usual().timestamp.is_some() => self.fields.usual().timestamp,
            Some(value) => self.as_text(value).and_then(|text| text.parse().ok()),
            None => stand_in,
        };
        faults.check(Field::timestamp, "an RFC 3339 time", time)
    }

    #[inline]
    fn text(self, faults: &mut Faults, field: Field) -> Text<'a> {
        faults.check(field, "a string", self.string(field))
    }

    /// A field beside the specification's may be anything; what is no string is none.
    #[inline]
    fn beside_text(self, _: &mut Faults, field: Field) -> Option<Text<'a>> {
        self.string(field)
    }

    #[inline]
    fn optional_text(self, faults: &mut Faults, field: Field) -> Option<Text<'a>> {
        let text = self.value(field).map(|value| self.as_text(value));
        text.map(|text| faults.check(field, "a string, null or nothing", text))
    }

    #[inline]
    fn name(self, faults: &mut Faults, field: Field) -> Text<'a> {
        let name = self.string(field).filter(|text| !text.is_empty());
        faults.check(field, "a string that is not empty", name)
    }

    #[inline]
    fn whole(self, faults: &mut Faults, field: Field) -> Quantity {
        let whole = self.quantity(field).filter(|quantity| match quantity {
            Quantity::Whole(_) => true,
            Quantity::Real(real) => real.fract() == 0.0,
        });
        faults.check(field, "a whole number of at least 0", whole)
    }

    #[inline]
    fn optional_whole(self, faults: &mut Faults, field: Field) -> Option<Quantity> {
        self.value(field).map(|_| self.whole(faults, field))
    }

    #[inline]
    fn span(self, faults: &mut Faults, field: Field) -> Quantity {
        faults.check(field, "a number of at least 0", self.quantity(field))
    }

    #[inline]
    fn optional_span(self, faults: &mut Faults, field: Field) -> Option<Quantity> {
        self.value(field).map(|_| self.span(faults, field))
    }

    #[inline]
    fn ratio(self, faults: &mut Faults, field: Field) -> f64 {
        let ratio = self.finite(field).filter(|ratio| (0.0..=1.0).contains(ratio));
        faults.check(field, "a number from 0 to 1", ratio)
    }

    #[inline]
    fn number(self, faults: &mut Faults, field: Field) -> f64 {
        faults.check(field, "a finite number", self.finite(field))
    }

    /// The value of a recorded metric. Counters only go up; gauges alone may be what JSON numbers cannot be.
    #[inline]
    fn measurement(self, faults: &mut Faults, field: Field) -> f64 {
        let metric_type = self.metric_type(faults, Field::metric_type);
        match (metric_type, self.finite(field)) {
            (MetricType::Counter, number) => {
                let number = number.filter(|number| *number >= 0.0);
                faults.check(field, "a finite number of at least 0 for a counter", number)
            }
            (MetricType::Gauge, None) => {
                faults.check(field, "a finite number, NaN, +Inf or -Inf", self.not_finite(field))
            }
            (MetricType::Gauge | MetricType::Histogram, number) => {
                faults.check(field, "a finite number", number)
            }
        }
    }

    /// What a gauge may be beside numbers.
    #[cold]
    fn not_finite(self, field: Field) -> Option<f64> {
        match self.string(field).as_deref() {
            Some("NaN") => Some(f64::NAN),
            Some("+Inf") => Some(f64::INFINITY),
            Some("-Inf") => Some(f64::NEG_INFINITY),
            _ => None,
        }
    }

    #[inline]
    fn flag(self, faults: &mut Faults, field: Field) -> bool {
        let flag = match self.fields.get(field).map(|value| value.kind) {
            Some(JsonKind::True) => Some(true),
            Some(JsonKind::False) => Some(false),
            _ => None,
        };
        faults.check(field, "true or false", flag)
    }

    #[inline]
    fn metric_type(self, faults: &mut Faults, field: Field) -> MetricType {
        let metric_type = self.fields.get(field).and_then(|value| {
            if value.kind == JsonKind::Plain {
                return metric_type(self.raw_bytes(value));
            }
            metric_type(self.as_text(value)?.as_bytes())
        });
        faults.check(field, "counter, gauge or histogram", metric_type)
    }

    #[inline]
    fn tags(self, faults: &mut Faults, field: Field) -> Tags<'a> {
        let object = self.fields.get(field).filter(|value| value.kind == JsonKind::Object);
        let texts = object.filter(|_| self.fields.tags() == TagsForm::Texts);
        faults.check(field, "an object of strings", texts.map(|value| Tags::scanned(self.raw(value))))
    }

    fn texts(self, faults: &mut Faults, field: Field) -> Vec<Text<'a>> {
        let array = self.fields.get(field).filter(|value| value.kind == JsonKind::Array);
        faults.check(field, "an array of strings", array.and_then(|value| strings(self.raw(value))))
    }

    /// A number of at least 0.
    #[inline]
    fn quantity(self, field: Field) -> Option<Quantity> {
        let value = self.fields.get(field)?;
        match value.kind {
            JsonKind::Whole => Some(Quantity::Whole(value.whole())),
            JsonKind::Real => quantity(value.real()),
            JsonKind::LongNumber => long_quantity(self.raw(value)),
            JsonKind::Null
            | JsonKind::True
            | JsonKind::False
            | JsonKind::Plain
            | JsonKind::Escaped
            | JsonKind::Array
            | JsonKind::Object => None,
        }
    }

    /// A finite number.
    #[inline]
    fn finite(self, field: Field) -> Option<f64> {
        let value = self.fields.get(field)?;
        match value.kind {
            JsonKind::Whole => Some(value.whole() as f64),
            JsonKind::Real => Some(value.real()),
            JsonKind::LongNumber => Some(long_real(self.raw(value))).filter(|real| real.is_finite()),
            JsonKind::Null
            | JsonKind::True
            | JsonKind::False
            | JsonKind::Plain
            | JsonKind::Escaped
            | JsonKind::Array
            | JsonKind::Object => None,
        }
    }
}

#[inline]
fn metric_type(word: &[u8]) -> Option<MetricType> {
    match word {
        b"counter" => Some(MetricType::Counter),
        b"gauge" => Some(MetricType::Gauge),
        b"histogram" => Some(MetricType::Histogram),
        _ => None,
    }
}

/// The string that is spelled with escapes; `None` where it is no text.
#[cold]
pub(super) fn unescaped(raw: &str) -> Option<Text<'static>> {
    String::from_utf8(unescape(raw)).ok().map(Cow::Owned)
}

/// The strings of an array that is known to be JSON; `None` where an element is no string.
fn strings(raw: &str) -> Option<Vec<Text<'_>>> {
    let bytes = raw.as_bytes();
    let mut texts = Vec::new();
    let mut at = blank(bytes, 1);
    while *bytes.get(at)? == b'"' {
        let (end, spelling) = string(bytes, at + 1)?;
        let inside = raw.get(at + 1..end)?;
        texts.push(match spelling {
            Spelling::Plain => Cow::Borrowed(inside),
            Spelling::Escaped | Spelling::Lone => unescaped(inside)?,
        });
        at = blank(bytes, end + 1);
        if bytes.get(at) == Some(&b',') {
            at = blank(bytes, at + 1);
        }
    }
    (bytes.get(at) == Some(&b']')).then_some(texts)
}

/// The quantity a number is: not negative, finite, whole where it has no fraction and fits.
fn quantity(real: f64) -> Option<Quantity> {
    if !real.is_finite() || real < 0.0 {
        None
    } else if real.fract() == 0.0 && real < TWO_POW_64 {
        Some(Quantity::Whole(real as u64))
    } else {
        Some(Quantity::Real(real))
    }
}

const TWO_POW_64: f64 = 18_446_744_073_709_551_616.0;

#[cold]
fn long_quantity(raw: &str) -> Option<Quantity> {
    raw.parse().map_or_else(|_| quantity(long_real(raw)), |whole| Some(Quantity::Whole(whole)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_exact_and_never_negative() {
        let cases = [
            ("-0", Some(Quantity::Whole(0))),
            ("-0.0", Some(Quantity::Whole(0))),
            ("12.0", Some(Quantity::Whole(12))),
            ("1e3", Some(Quantity::Whole(1_000))),
            ("1e-999", Some(Quantity::Whole(0))),
            ("9007199254740993", Some(Quantity::Whole((1 << 53) + 1))),
            ("18446744073709551615", Some(Quantity::Whole(u64::MAX))),
            ("18446744073709551616", Some(Quantity::Real(TWO_POW_64))),
            ("0.5", Some(Quantity::Real(0.5))),
            ("1e999", None),
            ("-1", None),
            ("-9223372036854775808", None),
            ("-0.5", None),
        ];
        for (raw, expected) in cases {
            assert_eq!(long_quantity(raw), expected, "{raw}");
        }
    }
}
