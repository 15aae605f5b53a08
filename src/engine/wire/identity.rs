//! Identities and versions in their textual forms: `event_id`, `event_version`, `traceparent`.

use std::fmt;
use std::num::NonZero;
use std::str::FromStr;

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
pub(in crate::engine) fn hyphenated_uuid(text: &[u8; 36]) -> Option<u128> {
    let [
        a @ ..,
        b'-',
        b1,
        b2,
        b3,
        b4,
        b'-',
        c1,
        c2,
        c3,
        c4,
        b'-',
        d1,
        d2,
        d3,
        d4,
        b'-',
        e1,
        e2,
        e3,
        e4,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
    ] = text
    else {
        return None;
    };
    let words = [
        u64::from_le_bytes(*a),
        u64::from_le_bytes([*b1, *b2, *b3, *b4, *c1, *c2, *c3, *c4]),
        u64::from_le_bytes([*d1, *d2, *d3, *d4, *e1, *e2, *e3, *e4]),
        u64::from_le_bytes(*text.last_chunk()?),
    ];
    hex_words(words)
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
        _ => hex_128(text.try_into().ok()?),
    }
}

/// The number 32 hexadecimal digits stand for.
fn hex_128(text: &[u8; 32]) -> Option<u128> {
    let (words, _) = text.as_chunks::<8>();
    let [a, b, c, d] = words else { return None };
    hex_words([a, b, c, d].map(|word| u64::from_le_bytes(*word)))
}

/// The number four words of eight digits each stand for.
#[inline]
fn hex_words(words: [u64; 4]) -> Option<u128> {
    let mut value = 0;
    let mut bad = 0;
    for word in words {
        let (digits, faults) = hex_word(word);
        value = value << 32 | u128::from(digits);
        bad |= faults;
    }
    (bad == 0).then_some(value)
}

const ONES: u64 = u64::MAX / 255;
const HIGHS: u64 = ONES << 7;

/// The number eight hexadecimal digits stand for, all at once; the second is not zero where one is no such digit.
#[inline]
fn hex_word(word: u64) -> (u32, u64) {
    // A byte plus 0x80 - n has its high bit set where the byte is at least n; all bytes are below 0x80 by then.
    let at_least = |bytes: u64, least: u64| (bytes + ONES * (0x80 - least)) & HIGHS;
    let ascii = word & !HIGHS;
    let lower = ascii | (ONES * 0x20);
    let digit = at_least(ascii, 0x30) & !at_least(ascii, 0x3a);
    let letter = at_least(lower, 0x61) & !at_least(lower, 0x67);
    let bad = (word & HIGHS) | (!(digit | letter) & HIGHS);
    let nibbles = (ascii & (ONES * 0x0f)) + (letter >> 7) * 9;
    // Two, then four, then eight nibbles side by side; the first character is the most significant.
    let pairs = (nibbles << 4 | nibbles >> 8) & 0x00ff_00ff_00ff_00ff;
    let quads = (pairs << 8 | pairs >> 16) & 0x0000_ffff_0000_ffff;
    let all = (quads << 16 | quads >> 32) & 0xffff_ffff;
    (all as u32, bad)
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

/// The trace id of a W3C `traceparent`, where it is a valid one: `version-trace_id-parent_id-flags` in lower-case
/// hexadecimal, neither id zero, no version ff; versions after 00 may add to it.
pub(super) fn trace_id(traceparent: &str) -> Option<NonZero<u128>> {
    let (head, rest) = traceparent.as_bytes().split_first_chunk::<55>()?;
    let (version, head) = head.split_first_chunk::<2>()?;
    let (trace, head) = head.strip_prefix(b"-")?.split_first_chunk::<32>()?;
    let (parent, head) = head.strip_prefix(b"-")?.split_first_chunk::<16>()?;
    let flags: &[u8; 2] = head.strip_prefix(b"-")?.try_into().ok()?;
    let (trace_words, parent_words) = (trace.as_chunks::<8>().0, parent.as_chunks::<8>().0);
    let words = trace_words.iter().chain(parent_words).map(|word| u64::from_le_bytes(*word));
    let has_capitals = words.fold(0, |found, word| found | capitals(word)) != 0;
    let [high, low] = parent_words else { return None };
    let ((high, high_bad), (low, low_bad)) =
        (hex_word(u64::from_le_bytes(*high)), hex_word(u64::from_le_bytes(*low)));
    let is_hex =
        !has_capitals && high_bad | low_bad == 0 && [version, flags].iter().all(|pair| is_lower_hex(**pair));
    let parent_is_zero = high | low == 0;
    let ends = if version == b"00" { rest.is_empty() } else { rest.is_empty() || rest.starts_with(b"-") };
    let trace = NonZero::new(hex_128(trace)?)?;
    (is_hex && ends && version != b"ff" && !parent_is_zero).then_some(trace)
}

fn is_lower_hex(digits: [u8; 2]) -> bool {
    digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

/// Not zero where one of eight hexadecimal digits is a capital: of those, they alone have 0x40 and not 0x20.
const fn capitals(word: u64) -> u64 {
    (word >> 1) & !word & (ONES * 0x20)
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
