//! Identities and versions in their textual forms: `event_id`, `event_version`, `traceparent`.

use std::fmt;
use std::num::NonZero;
use std::str::FromStr;

use wide::{i16x8, i32x8, u8x16};

use super::{EventId, Version};

/// Text that is no UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID")]
pub struct EventIdError;

/// Reads the four textual forms in any case: with hyphens, without, in braces, after `urn:uuid:`.
impl FromStr for EventId {
    type Err = EventIdError;

    #[inline]
    fn from_str(text: &str) -> Result<Self, EventIdError> {
        let bytes = text.as_bytes();
        let value = match bytes.try_into() {
            Ok(hyphenated) => hyphenated_uuid(hyphenated),
            Err(_) => other_uuid(bytes),
        };
        value.map(Self).ok_or(EventIdError)
    }
}

/// The number a UUID with hyphens stands for.
#[inline]
pub(super) fn hyphenated_uuid(text: &[u8; 36]) -> Option<u128> {
    hex_128(digits_of(text)?, Case::Any)
}

/// The same for one without capitals, the form that a UUID has when it is printed.
#[inline]
pub(in crate::engine) fn lower_case_uuid(text: &[u8; 36]) -> Option<u128> {
    hex_128(digits_of(text)?, Case::Lower)
}

/// Where the two hyphens are in the second and in the third eight bytes of a UUID.
const HYPHENS: [u64; 2] = [0xff | 0xff << 40, 0xff << 16 | 0xff << 56];

/// Eight hyphens.
const ALL_HYPHENS: u64 = u64::MAX / 255 * b'-' as u64;

/// The digits of a UUID, without the hyphens between them. They never leave the registers: reading a vector that was just
/// written in pieces would wait until all of them are in the cache.
#[inline]
fn digits_of(text: &[u8; 36]) -> Option<[u8x16; 2]> {
    let ([first, second, third, _], _) = text.as_chunks::<8>() else { return None };
    let [first, second, third, last] =
        [first, second, third, text.last_chunk()?].map(|it| u64::from_le_bytes(*it));
    let before_last = u64::from(u32::from_le_bytes(*text.get(24..)?.first_chunk()?));
    let [in_second, in_third] = HYPHENS;
    if (second ^ ALL_HYPHENS) & in_second | (third ^ ALL_HYPHENS) & in_third != 0 {
        return None;
    }
    let four = u64::from(u32::MAX);
    let middle = second >> 8 & four | (second >> 48) << 32 | third << 48;
    let end = third >> 24 & four | before_last << 32;
    Some(
        [(first, middle), (end, last)]
            .map(|(low, high)| u8x16::new((u128::from(low) | u128::from(high) << 64).to_le_bytes())),
    )
}

/// The three rarer forms.
fn other_uuid(text: &[u8]) -> Option<u128> {
    let (first, rest) = text.split_first_chunk::<1>()?;
    if first == b"{" {
        return hyphenated_uuid(rest.strip_suffix(b"}")?.try_into().ok()?);
    }
    match text.split_first_chunk::<9>() {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"urn:uuid:") => {
            hyphenated_uuid(rest.try_into().ok()?)
        }
        _ => hex_128(vectors(text.try_into().ok()?), Case::Any),
    }
}

/// Which letters are hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Any,
    Lower,
}

/// 32 bytes as two vectors.
#[inline]
fn vectors(bytes: &[u8; 32]) -> [u8x16; 2] {
    let mut vectors = [u8x16::ZERO; 2];
    for (vector, bytes) in vectors.iter_mut().zip(bytes.as_chunks().0) {
        *vector = u8x16::new(*bytes);
    }
    vectors
}

/// The number that 32 hexadecimal digits stand for.
#[inline]
fn hex_128(text: [u8x16; 2], case: Case) -> Option<u128> {
    let [high, low] = text.map(|text| nibbles(text, case));
    if (high.1 & low.1).to_bitmask() != 0xffff {
        return None;
    }
    Some(u128::from_be_bytes(u8x16::narrow_i16x8(joined(high.0), joined(low.0)).to_array()))
}

/// What digits stand for, and all ones where there is one.
#[inline]
fn nibbles(text: u8x16, case: Case) -> (u8x16, u8x16) {
    let all = u8x16::splat;
    let small = match case {
        // What a capital lacks to be its small letter.
        Case::Any => text | all(b'a' - b'A'),
        Case::Lower => text,
    };
    let (digit, letter) = (text - all(b'0'), small - all(b'a'));
    let is_digit = digit.min(all(9)).simd_eq(digit);
    let is_letter = letter.min(all(5)).simd_eq(letter);
    (is_digit & digit | is_letter & (letter + all(10)), is_digit | is_letter)
}

/// Each two nibbles as one byte.
#[inline]
fn joined(nibbles: u8x16) -> i16x8 {
    let weights = i16x8::new([16, 1, 16, 1, 16, 1, 16, 1]);
    let [first, last] = [i16x8::from_u8x16_low(nibbles), i16x8::from_u8x16_high(nibbles)]
        .map(|half| half.dot(weights).to_array());
    let mut sums = [0; 8];
    for (sum, part) in sums.iter_mut().zip(first.into_iter().chain(last)) {
        *sum = part;
    }
    i16x8::from_i32x8_saturate(i32x8::new(sums))
}

/// Writes the lower-case form with hyphens.
impl fmt::Display for EventId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |shift: u32, bits: u32| self.0 >> shift & ((1 << bits) - 1);
        let (a, b, c) = (part(96, 32), part(80, 16), part(64, 16));
        write!(out, "{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", part(48, 16), part(0, 48))
    }
}

/// Text that is not `major.minor[.patch]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not major.minor or major.minor.patch")]
pub(crate) struct VersionError;

impl Version {
    /// What an event without `event_version` is.
    pub(crate) const DEFAULT: Self = Self { major: 1, minor: 0, patch: 0 };
}

/// Reads two or three decimal numbers without leading zeros, as semantic versions have them; numbers beyond 32 bits
/// count as the largest.
impl FromStr for Version {
    type Err = VersionError;

    #[inline]
    fn from_str(text: &str) -> Result<Self, VersionError> {
        if text == "1.0" { Ok(Self::DEFAULT) } else { version(text).ok_or(VersionError) }
    }
}

fn version(text: &str) -> Option<Version> {
    let mut parts = text.split('.').map(version_part);
    let version =
        Version { major: parts.next()??, minor: parts.next()??, patch: parts.next().unwrap_or(Some(0))? };
    parts.next().is_none().then_some(version)
}

fn version_part(text: &str) -> Option<u32> {
    let decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = text.len() == 1 || !text.starts_with('0');
    (decimal && plain).then(|| text.parse().unwrap_or(u32::MAX))
}

/// Writes `major.minor`, and the patch where there is one.
impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.major, self.minor)?;
        if self.patch > 0 { write!(out, ".{}", self.patch) } else { Ok(()) }
    }
}

/// Zeros as digits.
const ZEROS: u128 = u128::MAX / 255 * b'0' as u128;

/// The trace id of a W3C `traceparent`, where it is a valid one: `version-trace_id-parent_id-flags` in lower-case
/// hexadecimal, neither id zero, no version ff; versions after 00 may add to it.
pub(super) fn trace_id(traceparent: &str) -> Option<NonZero<u128>> {
    let (head, more) = traceparent.as_bytes().split_first_chunk::<55>()?;
    let [v1, v2, b'-', ids @ .., b'-', f1, f2] = head else { return None };
    let (trace, parent) = ids.split_first_chunk()?;
    let parent = parent.strip_prefix(b"-")?;
    let trace = NonZero::new(hex_128(vectors(trace), Case::Lower)?)?;
    // The parent's digits, with version and flags behind them, which must be digits too.
    let parent: &[u8; 16] = parent.try_into().ok()?;
    let others = u128::from(u32::from_le_bytes([*v1, *v2, *f1, *f2])) | ZEROS << 32;
    let others = [u8x16::new(*parent), u8x16::new(others.to_le_bytes())];
    let parent_is_zero = hex_128(others, Case::Lower)? >> 64 == 0;
    let ends = more.is_empty() || (more.starts_with(b"-") && [*v1, *v2] != *b"00");
    (ends && [*v1, *v2] != *b"ff" && !parent_is_zero).then_some(trace)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_is_the_same_in_its_four_forms_and_any_case() {
        let id = EventId(0x0123_4567_89ab_cdef_0f1e_2d3c_4b5a_6978);
        let forms = [
            "01234567-89ab-cdef-0f1e-2d3c4b5a6978",
            "01234567-89AB-CDEF-0F1E-2D3C4B5A6978",
            "0123456789abcdef0f1e2d3c4b5a6978",
            "0123456789ABCDEF0f1e2d3c4b5a6978",
            "{01234567-89ab-cdef-0f1e-2d3c4b5a6978}",
            "urn:uuid:01234567-89ab-cdef-0f1e-2d3c4b5a6978",
            "URN:UUID:01234567-89AB-CDEF-0F1E-2D3C4B5A6978",
        ];
        for form in forms {
            assert_eq!(form.parse(), Ok(id), "{form}");
        }
        assert_eq!(id.to_string(), forms[0]);
    }

    #[test]
    fn what_is_no_uuid_is_refused() {
        let cases = [
            "",
            "x",
            "{",
            "0123456789abcdef0f1e2d3c4b5a697",
            "0123456789abcdef0f1e2d3c4b5a69788",
            "01234567-89ab-cdef-0f1e-2d3c4b5a697g",
            "01234567-89ab-cdef-0f1e-2d3c4b5a697",
            "0123456789ab-cdef-0f1e-2d3c4b5a6978--",
            "01234567_89ab-cdef-0f1e-2d3c4b5a6978",
            "{01234567-89ab-cdef-0f1e-2d3c4b5a6978",
            "{0123456789abcdef0f1e2d3c4b5a6978}",
            "urn:uuid:0123456789abcdef0f1e2d3c4b5a6978",
            " 01234567-89ab-cdef-0f1e-2d3c4b5a6978",
            "01234567-89ab-cdef-0f1e-2d3c4b5aé78",
        ];
        for text in cases {
            assert_eq!(text.parse::<EventId>(), Err(EventIdError), "{text}");
        }
    }

    #[test]
    fn versions_are_two_or_three_numbers() {
        let version = |major, minor, patch| Ok(Version { major, minor, patch });
        let cases = [
            ("1.0", version(1, 0, 0)),
            ("1.999", version(1, 999, 0)),
            ("1.2.3", version(1, 2, 3)),
            ("0.9", version(0, 9, 0)),
            ("2.0.0", version(2, 0, 0)),
            ("99999999999.1", version(u32::MAX, 1, 0)),
            ("", Err(VersionError)),
            ("1", Err(VersionError)),
            ("01", Err(VersionError)),
            ("01.0", Err(VersionError)),
            ("1.00", Err(VersionError)),
            ("1.0.0.0", Err(VersionError)),
            ("1.", Err(VersionError)),
            (".1", Err(VersionError)),
            ("1.x", Err(VersionError)),
            ("v1.0", Err(VersionError)),
            ("+1.0", Err(VersionError)),
            ("-1.0", Err(VersionError)),
            ("1.0-rc1", Err(VersionError)),
            (" 1.0", Err(VersionError)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse(), expected, "{text}");
        }
        assert_eq!(Version { major: 1, minor: 2, patch: 3 }.to_string(), "1.2.3");
        assert_eq!(Version::DEFAULT.to_string(), "1.0");
    }

    #[test]
    fn a_trace_is_taken_from_a_valid_traceparent_alone() {
        let trace = NonZero::new(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        let cases = [
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", trace),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what", trace),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what", None),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00F067aa0ba902b7-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902bg-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-0A", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-0a", trace),
            ("0A-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", None),
            ("00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01", None),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", None),
            ("4bf92f3577b34da6a3ce929d0e0e4736", None),
        ];
        for (text, expected) in cases {
            assert_eq!(trace_id(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn ids_are_those_of_the_uuid_crate(value in any::<u128>(), place in 0_usize..36, byte in 0_u8..128) {
            let text = EventId(value).to_string();
            prop_assert_eq!(uuid::Uuid::parse_str(&text).map(|id| id.as_u128()), Ok(value));
            let mut bytes = text.into_bytes();
            bytes[place] = byte;
            let text = String::from_utf8(bytes).unwrap();
            let theirs = uuid::Uuid::parse_str(&text).ok().map(|id| EventId(id.as_u128()));
            prop_assert_eq!(text.parse().ok(), theirs, "{}", text);
        }
    }
}
