//! From the table of an object's fields to typed values: every rule of `METRICS.md` about a single field.

use std::borrow::Cow;

use super::field::Field;
use super::fields::{Fields, Kind, TagsForm, Value};
use super::payload::{EventType, MetricType, Payload, Quantity};
use super::scan::{Spelling, blank, string, unescape};
use super::table::event_table;
use super::{Reason, Refusal, Tags, Text, payload};

/// A field that is not as it must be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    field: Field,
    expected: &'static str,
}

impl From<Fault> for Refusal {
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

/// Expands the reading of every type, and which fields are used by it.
macro_rules! readers {
    ($($(#[$doc:meta])* $name:ident $context:literal { $($field:ident: $kind:ident,)* })*) => {
        impl<'a> Reader<'a> {
            /// Reads the typed fields, in the specification's order.
            pub(super) fn payload(self, event_type: EventType) -> Result<Payload<'a>, Fault> {
                Ok(match event_type {
                    $(EventType::$name => Payload::$name(payload::$name {
                        $($field: self.$kind(Field::$field)?,)*
                    }),)*
                })
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
        self.fields.get(field).filter(|value| value.kind != Kind::Null)
    }

    /// The text of a value: of a string what is between the quotes.
    #[inline]
    pub(super) fn raw(self, value: Value) -> &'a str {
        self.text.get(value.start as usize..value.end as usize).unwrap_or_default()
    }

    /// The string a value is; `None` where it is none.
    #[inline]
    pub(super) fn as_text(self, value: Value) -> Option<Text<'a>> {
        match value.kind {
            Kind::Plain => Some(Cow::Borrowed(self.raw(value))),
            Kind::Escaped => String::from_utf8(unescape(self.raw(value))).ok().map(Cow::Owned),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn text(self, field: Field) -> Result<Text<'a>, Fault> {
        self.value(field).and_then(|value| self.as_text(value)).ok_or(Fault { field, expected: "a string" })
    }

    #[inline]
    pub(super) fn optional_text(self, field: Field) -> Result<Option<Text<'a>>, Fault> {
        let expected = "a string, null or nothing";
        self.value(field).map(|value| self.as_text(value).ok_or(Fault { field, expected })).transpose()
    }

    #[inline]
    fn name(self, field: Field) -> Result<Text<'a>, Fault> {
        let expected = "a string that is not empty";
        self.text(field).ok().filter(|text| !text.is_empty()).ok_or(Fault { field, expected })
    }

    #[inline]
    fn whole(self, field: Field) -> Result<Quantity, Fault> {
        let expected = "a whole number of at least 0";
        match self.quantity(field) {
            Some(Quantity::Real(real)) if real.fract() != 0.0 => Err(Fault { field, expected }),
            quantity => quantity.ok_or(Fault { field, expected }),
        }
    }

    #[inline]
    fn optional_whole(self, field: Field) -> Result<Option<Quantity>, Fault> {
        self.value(field).map(|_| self.whole(field)).transpose()
    }

    #[inline]
    fn span(self, field: Field) -> Result<Quantity, Fault> {
        self.quantity(field).ok_or(Fault { field, expected: "a number of at least 0" })
    }

    #[inline]
    fn optional_span(self, field: Field) -> Result<Option<Quantity>, Fault> {
        self.value(field).map(|_| self.span(field)).transpose()
    }

    #[inline]
    fn ratio(self, field: Field) -> Result<f64, Fault> {
        let expected = "a number from 0 to 1";
        self.finite(field).filter(|ratio| (0.0..=1.0).contains(ratio)).ok_or(Fault { field, expected })
    }

    #[inline]
    fn number(self, field: Field) -> Result<f64, Fault> {
        self.finite(field).ok_or(Fault { field, expected: "a finite number" })
    }

    /// The value of a recorded metric. Counters only go up; gauges alone may be what JSON numbers cannot be.
    #[inline]
    fn measurement(self, field: Field) -> Result<f64, Fault> {
        let metric_type = self.metric_type(Field::metric_type)?;
        let value = self
            .value(field)
            .filter(|value| value.kind != Kind::Number)
            .and_then(|value| self.as_text(value));
        match (metric_type, value.as_deref(), self.finite(field)) {
            (MetricType::Gauge, Some("NaN"), _) => Ok(f64::NAN),
            (MetricType::Gauge, Some("+Inf"), _) => Ok(f64::INFINITY),
            (MetricType::Gauge, Some("-Inf"), _) => Ok(f64::NEG_INFINITY),
            (MetricType::Counter, _, Some(number)) if number < 0.0 => {
                Err(Fault { field, expected: "a number of at least 0 for a counter" })
            }
            (_, _, number) => number.ok_or(Fault { field, expected: "a finite number" }),
        }
    }

    #[inline]
    fn flag(self, field: Field) -> Result<bool, Fault> {
        match self.value(field).map(|value| value.kind) {
            Some(Kind::True) => Ok(true),
            Some(Kind::False) => Ok(false),
            _ => Err(Fault { field, expected: "true or false" }),
        }
    }

    #[inline]
    fn metric_type(self, field: Field) -> Result<MetricType, Fault> {
        match self.value(field).and_then(|value| self.as_text(value)).as_deref() {
            Some("counter") => Ok(MetricType::Counter),
            Some("gauge") => Ok(MetricType::Gauge),
            Some("histogram") => Ok(MetricType::Histogram),
            _ => Err(Fault { field, expected: "counter, gauge or histogram" }),
        }
    }

    #[inline]
    fn tags(self, field: Field) -> Result<Tags<'a>, Fault> {
        let value = self.value(field).filter(|value| value.kind == Kind::Object);
        let texts = value.filter(|_| self.fields.tags() == TagsForm::Texts);
        texts
            .map(|value| Tags::scanned(self.raw(value)))
            .ok_or(Fault { field, expected: "an object of strings" })
    }

    fn texts(self, field: Field) -> Result<Vec<Text<'a>>, Fault> {
        let value = self.value(field).filter(|value| value.kind == Kind::Array);
        value
            .and_then(|value| strings(self.raw(value)))
            .ok_or(Fault { field, expected: "an array of strings" })
    }

    /// A number of at least 0.
    #[inline]
    fn quantity(self, field: Field) -> Option<Quantity> {
        let value = self.value(field).filter(|value| value.kind == Kind::Number)?;
        quantity(self.raw(value))
    }

    /// A finite number.
    #[inline]
    fn finite(self, field: Field) -> Option<f64> {
        let value = self.value(field).filter(|value| value.kind == Kind::Number)?;
        Some(real(self.raw(value))).filter(|real| real.is_finite())
    }
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
            Spelling::Escaped | Spelling::Lone => Cow::Owned(String::from_utf8(unescape(inside)).ok()?),
        });
        at = blank(bytes, end + 1);
        if bytes.get(at) == Some(&b',') {
            at = blank(bytes, at + 1);
        }
    }
    (bytes.get(at) == Some(&b']')).then_some(texts)
}

/// The quantity a JSON number is: not negative, finite, whole where it has no fraction and fits.
#[inline]
fn quantity(raw: &str) -> Option<Quantity> {
    if let Some(whole) = short_whole(raw) {
        return Some(Quantity::Whole(whole));
    }
    if let Ok(whole) = raw.parse() {
        return Some(Quantity::Whole(whole));
    }
    let real = real(raw);
    if !real.is_finite() || real < 0.0 {
        None
    } else if real.fract() == 0.0 && real < TWO_POW_64 {
        Some(Quantity::Whole(real as u64))
    } else {
        Some(Quantity::Real(real))
    }
}

const TWO_POW_64: f64 = 18_446_744_073_709_551_616.0;

/// A number of digits alone that cannot exceed 64 bits.
#[inline]
fn short_whole(raw: &str) -> Option<u64> {
    if raw.len() > 19 {
        return None;
    }
    raw.bytes().try_fold(0, |whole, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| whole * 10 + u64::from(digit))
    })
}

/// The number a JSON number is nearest to; infinite beyond the range.
#[inline]
pub(super) fn real(raw: &str) -> f64 {
    short_real(raw).unwrap_or_else(|| raw.parse().unwrap_or(f64::INFINITY))
}

/// The powers of ten that a float holds exactly, as far as 15 digits need them.
const POWERS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// A number of at most 15 digits without exponent: digits and power are exact, so one division rounds right.
#[inline]
fn short_real(raw: &str) -> Option<f64> {
    let bytes = raw.as_bytes();
    let (negative, digits) = match bytes.split_first()? {
        (b'-', digits) => (true, digits),
        _ => (false, bytes),
    };
    if digits.len() > 16 {
        return None;
    }
    let mut mantissa = 0_u64;
    let mut decimals = None;
    for (place, byte) in digits.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            mantissa = mantissa * 10 + u64::from(digit);
        } else if *byte == b'.' {
            decimals = Some(digits.len() - place - 1);
        } else {
            return None;
        }
    }
    if mantissa >= 1 << 53 {
        return None;
    }
    let real = mantissa as f64 / POWERS.get(decimals.unwrap_or(0))?;
    Some(if negative { -real } else { real })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_are_exact_and_never_negative() {
        let cases = [
            ("0", Some(Quantity::Whole(0))),
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
            assert_eq!(quantity(raw), expected, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn numbers_round_as_the_standard_library_rounds(whole in any::<i32>(), decimals in "[0-9]{0,15}",
                                                       exponent in prop::option::of(-320_i32..320)) {
            let fraction = if decimals.is_empty() { String::new() } else { format!(".{decimals}") };
            let exponent = exponent.map_or(String::new(), |exponent| format!("e{exponent}"));
            let raw = format!("{whole}{fraction}{exponent}");
            prop_assert_eq!(Ok(real(&raw)), raw.parse(), "{}", raw);
        }
    }
}
