//! A value of an object's top level, as the table of its fields keeps it.

use super::scan;

/// What kind of JSON value a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonKind {
    Null,
    True,
    False,
    /// A number without sign, fraction and exponent that fits 64 bits.
    Whole,
    /// Another number of few digits, read already.
    Real,
    /// Another number.
    LongNumber,
    /// A string without escapes.
    Plain,
    /// A string with escapes.
    Escaped,
    Array,
    Object,
}

/// A value: its kind, and in 64 bits either the number itself or where its text begins and ends (that of a string
/// between the quotes).
#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub(super) kind: JsonKind,
    /// The object it was found in, by the count of the table that keeps it.
    object: u32,
    bits: u64,
}

impl Value {
    pub(super) const NULL: Self = Self::new(JsonKind::Null, 0);

    #[inline]
    const fn new(kind: JsonKind, bits: u64) -> Self {
        Self { kind, object: 0, bits }
    }

    /// A value whose text lies between two places, both below 2^32.
    #[inline]
    pub(super) const fn spanning(kind: JsonKind, start: usize, end: usize) -> Self {
        Self::new(kind, (start as u64) << 32 | end as u64)
    }

    /// The same value, found in this object.
    #[inline]
    pub(super) const fn of(self, object: u32) -> Self {
        Self { object, ..self }
    }

    /// Whether it was found in this object.
    #[inline]
    pub(super) const fn is_of(self, object: u32) -> bool {
        self.object == object
    }

    /// Where its text begins.
    #[inline]
    pub(super) const fn start(self) -> usize {
        (self.bits >> 32) as usize
    }

    /// Where its text ends.
    #[inline]
    pub(super) const fn end(self) -> usize {
        (self.bits & 0xffff_ffff) as usize
    }

    /// The number a `Whole` is.
    #[inline]
    pub(super) const fn whole(self) -> u64 {
        self.bits
    }

    /// The number a `Real` is.
    #[inline]
    pub(super) const fn real(self) -> f64 {
        f64::from_bits(self.bits)
    }
}

/// The powers of ten that a float holds exactly.
const POWERS: [f64; 20] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19,
];

/// Digits of which no number exceeds 64 bits.
const SHORT_DIGITS: usize = 19;

/// Reads the number at `start` and returns the place after it; `None` where there is none.
#[inline]
pub(super) fn number(bytes: &[u8], start: usize) -> Option<(Value, usize)> {
    short_whole(bytes, start).or_else(|| any_number(bytes, start))
}

/// The same where at most seven digits stand between `start` and a comma or brace, as in most cases.
#[inline]
fn short_whole(bytes: &[u8], start: usize) -> Option<(Value, usize)> {
    const ONES: u64 = u64::MAX / 255;
    let word = u64::from_le_bytes(*bytes.get(start..)?.first_chunk()?);
    let values = word ^ (ONES * u64::from(b'0'));
    // Six more than a value above nine, or any high bit, is seen in the upper half of its byte. What carries into other
    // bytes does so above the first fault.
    let faults = (values.wrapping_add(ONES * 6) | values) & (ONES * 0xf0);
    let bits = faults.trailing_zeros() & !7;
    let leads_with_zero = word as u8 == b'0' && bits > 8;
    if !(8..64).contains(&bits) || leads_with_zero || !matches!((word >> bits) as u8, b',' | b'}') {
        return None;
    }
    // Zeros in front; then two, then four, then eight digits side by side.
    let values = values << (64 - bits);
    let pairs = values.wrapping_mul(10).wrapping_add(values >> 8) & 0x00ff_00ff_00ff_00ff;
    let quads = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    let whole = quads.wrapping_mul(10_000).wrapping_add(quads >> 32) & 0xffff_ffff;
    Some((Value::new(JsonKind::Whole, whole), start + bits as usize / 8))
}

fn any_number(bytes: &[u8], start: usize) -> Option<(Value, usize)> {
    let negative = bytes.get(start) == Some(&b'-');
    let first = start + usize::from(negative);
    let (whole, point) = digits(bytes, first, 0);
    if point == first || (bytes.get(first) == Some(&b'0') && point > first + 1) {
        return None;
    }
    let (mantissa, end) = match bytes.get(point) {
        Some(b'.') => digits(bytes, point + 1, whole),
        Some(b'e' | b'E') => return long_number(bytes, start),
        _ if !negative && point - first <= SHORT_DIGITS => {
            return Some((Value::new(JsonKind::Whole, whole), point));
        }
        _ => (whole, point),
    };
    let exact = mantissa < 1 << 53 && end - first <= SHORT_DIGITS;
    let decimals = end.saturating_sub(point + 1);
    match (exact, bytes.get(end), POWERS.get(decimals)) {
        (true, next, Some(power)) if !matches!(next, Some(b'e' | b'E')) && (end == point || decimals > 0) => {
            // Both are exact, so one division rounds right.
            let real = mantissa as f64 / power;
            Some((Value::new(JsonKind::Real, if negative { -real } else { real }.to_bits()), end))
        }
        _ => long_number(bytes, start),
    }
}

/// Adds digits to a number (which overflows where they are too many), up to the first byte that is none.
#[inline]
fn digits(bytes: &[u8], mut at: usize, mut number: u64) -> (u64, usize) {
    while let Some(byte @ b'0'..=b'9') = bytes.get(at) {
        number = number.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
        at += 1;
    }
    (number, at)
}

#[cold]
fn long_number(bytes: &[u8], start: usize) -> Option<(Value, usize)> {
    let end = scan::number(bytes, start)?;
    Some((Value::spanning(JsonKind::LongNumber, start, end), end))
}

/// The number a long one is nearest to; infinite beyond the range.
#[cold]
pub(super) fn long_real(raw: &str) -> f64 {
    raw.parse().unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(raw: &str) -> Option<f64> {
        let (value, end) = number(raw.as_bytes(), 0)?;
        assert_eq!(end, raw.len());
        Some(match value.kind {
            JsonKind::Whole => value.whole() as f64,
            JsonKind::Real => value.real(),
            JsonKind::LongNumber => long_real(&raw[value.start()..value.end()]),
            JsonKind::Null
            | JsonKind::True
            | JsonKind::False
            | JsonKind::Plain
            | JsonKind::Escaped
            | JsonKind::Array
            | JsonKind::Object => return None,
        })
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for raw in
            ["", "-", "01", "-01", "00", "1.", "-1.", "1.e1", ".5", "1e", "1e+", "+1", "x", "0.", "1..0"]
        {
            for padded in [raw.to_owned(), format!("{raw},1234567"), format!("{raw}}}       ")] {
                let whole = number(padded.as_bytes(), 0).is_some_and(|(_, end)| end == raw.len());
                assert!(!whole, "{padded}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

        #[test]
        fn numbers_round_as_the_standard_library_rounds(whole in "-?(0|[1-9][0-9]{0,21})", decimals in "[0-9]{0,25}",
                                                       exponent in prop::option::of(-320_i32..320)) {
            let fraction = if decimals.is_empty() { String::new() } else { format!(".{decimals}") };
            let exponent = exponent.map_or(String::new(), |exponent| format!("e{exponent}"));
            let raw = format!("{whole}{fraction}{exponent}");
            prop_assert_eq!(read(&raw), raw.parse().ok(), "{}", raw);
            for follows in [",", "}", " ", "\"", ",\"1\":00000"] {
                let (bytes, shown) = (format!("x{raw}{follows}"), |found: Option<(Value, usize)>| format!("{found:?}"));
                prop_assert_eq!(shown(number(bytes.as_bytes(), 1)), shown(any_number(bytes.as_bytes(), 1)), "{}", bytes);
            }
            prop_assert_eq!(read(&raw).map(f64::is_sign_negative), Some(raw.starts_with('-')));
        }
    }
}
