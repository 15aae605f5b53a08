//! The words of JSON over bytes: where a string, a number, a value ends, and whether it is one.
//!
//! Every function takes the place it begins at and returns the place after what it read, `None` where the text is
//! not JSON there. Nothing recurses, so depth costs no stack; nothing is copied.

use wide::u8x16;

/// How a string is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// Its bytes are its characters.
    Plain,
    /// With escapes.
    Escaped,
    /// With escapes of which one is half a surrogate pair, so that it is no text.
    Lone,
}

/// What skipping a value of any depth needs, kept to be used again.
#[derive(Debug)]
pub(super) struct Nesting {
    depth_max: usize,
    open: Vec<Open>,
    /// Whether a string with half a surrogate pair was skipped since this was last set to false.
    pub(super) lone: bool,
}

#[derive(Clone, Copy, Debug)]
enum Open {
    Array,
    Object,
}

impl Nesting {
    /// Allows values nested this deep.
    pub(super) fn new(depth_max: usize) -> Self {
        Self { depth_max, open: Vec::new(), lone: false }
    }

    /// Skips the value that begins at `at` inside `depth` arrays and objects.
    pub(super) fn skip(&mut self, bytes: &[u8], mut at: usize, depth: usize) -> Option<usize> {
        self.open.clear();
        loop {
            at = self.skip_start(bytes, at, depth)?;
            at = loop {
                let Some(open) = self.open.last() else { return Some(at) };
                at = blank(bytes, at);
                match (open, *bytes.get(at)?) {
                    (Open::Array, b',') => break blank(bytes, at + 1),
                    (Open::Object, b',') => break self.skip_key(bytes, blank(bytes, at + 1))?,
                    (Open::Array, b']') | (Open::Object, b'}') => {
                        self.open.pop();
                        at += 1;
                    }
                    _ => return None,
                }
            };
        }
    }

    /// Skips a scalar, an empty array or object, or the openings before the first scalar inside.
    fn skip_start(&mut self, bytes: &[u8], mut at: usize, depth: usize) -> Option<usize> {
        loop {
            let (open, close) = match *bytes.get(at)? {
                b'{' => (Open::Object, b'}'),
                b'[' => (Open::Array, b']'),
                _ => return self.skip_scalar(bytes, at),
            };
            if depth + self.open.len() >= self.depth_max {
                return None;
            }
            at = blank(bytes, at + 1);
            if *bytes.get(at)? == close {
                return Some(at + 1);
            }
            self.open.push(open);
            if let Open::Object = open {
                at = self.skip_key(bytes, at)?;
            }
        }
    }

    fn skip_scalar(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        match *bytes.get(at)? {
            b'"' => {
                let (end, spelling) = string(bytes, at + 1)?;
                self.lone |= spelling == Spelling::Lone;
                Some(end + 1)
            }
            b't' => literal(bytes, at, b"true"),
            b'f' => literal(bytes, at, b"false"),
            b'n' => literal(bytes, at, b"null"),
            _ => number(bytes, at),
        }
    }

    /// Skips a key and its colon, to the value's first byte.
    fn skip_key(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        if *bytes.get(at)? != b'"' {
            return None;
        }
        let (end, spelling) = string(bytes, at + 1)?;
        self.lone |= spelling == Spelling::Lone;
        colon(bytes, end + 1)
    }
}

/// Skips white space.
#[inline]
pub(super) fn blank(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// Skips a colon and the white space around it.
#[inline]
pub(super) fn colon(bytes: &[u8], at: usize) -> Option<usize> {
    let at = if bytes.get(at) == Some(&b':') { at } else { blank(bytes, at) };
    (*bytes.get(at)? == b':').then(|| blank(bytes, at + 1))
}

/// Skips `true`, `false` or `null`.
#[inline]
pub(super) fn literal(bytes: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    bytes.get(at..)?.starts_with(word).then_some(at + word.len())
}

/// The closing quote of the string whose first character is at `start`, and its spelling.
#[inline]
pub(super) fn string(bytes: &[u8], start: usize) -> Option<(usize, Spelling)> {
    let end = plain(bytes, start)?;
    match *bytes.get(end)? {
        b'"' => Some((end, Spelling::Plain)),
        b'\\' => escaped(bytes, end),
        _ => None,
    }
}

/// The closing quote of the string whose first character is at `start`, where it is a [`Spelling::Plain`] one.
#[inline]
pub(super) fn plain_string(bytes: &[u8], start: usize) -> Option<usize> {
    plain(bytes, start).filter(|end| bytes.get(*end) == Some(&b'"'))
}

/// Bytes that are looked at together.
const TOGETHER: usize = 16;

/// The first quote, backslash or control character from `at` on.
#[inline]
fn plain(bytes: &[u8], mut at: usize) -> Option<usize> {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let found = not_plain(chunk);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize);
        }
        at += TOGETHER;
    }
    plain_at_end(bytes, at)
}

/// The same for the last bytes of a text: its last chunk, of which those before `at` do not count.
#[inline]
fn plain_at_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let Some(chunk) = bytes.last_chunk() else {
        return rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).map(|found| at + found);
    };
    let found = not_plain(chunk) >> TOGETHER.saturating_sub(rest.len());
    (found != 0).then(|| at + found.trailing_zeros() as usize)
}

/// Which bytes are quotes, backslashes or control characters, a bit each.
#[inline]
fn not_plain(chunk: &[u8; TOGETHER]) -> u32 {
    let bytes = u8x16::new(*chunk);
    let is = |byte| bytes.simd_eq(u8x16::splat(byte));
    let is_control = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
    (is(b'"') | is(b'\\') | is_control).to_bitmask()
}

/// As [`string`], from the first backslash on.
#[cold]
fn escaped(bytes: &[u8], mut at: usize) -> Option<(usize, Spelling)> {
    let mut spelling = Spelling::Escaped;
    loop {
        at = plain(bytes, at)?;
        match (*bytes.get(at)?, bytes.get(at + 1)) {
            (b'"', _) => return Some((at, spelling)),
            (b'\\', Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')) => at += 2,
            (b'\\', Some(b'u')) => {
                let unit = hex4(bytes, at + 2)?;
                at += 6;
                match (unit, low_surrogate(bytes, at)) {
                    (0xd800..0xdc00, Some(_)) => at += 6,
                    (0xd800..0xe000, _) => spelling = Spelling::Lone,
                    _ => {}
                }
            }
            _ => return None,
        }
    }
}

/// The second half of a surrogate pair, where one is escaped at `at`.
fn low_surrogate(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .starts_with(b"\\u")
        .then(|| hex4(bytes, at + 2))?
        .filter(|unit| (0xdc00..0xe000).contains(unit))
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..)?.first_chunk::<4>()?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

/// The bytes a string stands for; half a surrogate pair yields three bytes that are not UTF-8, so that strings that
/// differ stay different. `raw` is what stands between the quotes.
pub(super) fn unescape(raw: &str) -> Vec<u8> {
    let bytes = raw.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escape = if *byte == b'\\' { bytes.get(at + 1) } else { None };
        at += if escape.is_some() { 2 } else { 1 };
        match escape {
            None => out.push(*byte),
            Some(b'b') => out.push(8),
            Some(b'f') => out.push(12),
            Some(b'n') => out.push(b'\n'),
            Some(b'r') => out.push(b'\r'),
            Some(b't') => out.push(b'\t'),
            Some(b'u') => at = unescape_unit(bytes, at, &mut out),
            Some(same) => out.push(*same),
        }
    }
    out
}

/// Adds the character whose four digits begin at `at`, and returns the place after it.
fn unescape_unit(bytes: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    let unit = hex4(bytes, at).unwrap_or(0xfffd);
    let low = low_surrogate(bytes, at + 4).filter(|_| (0xd800..0xdc00).contains(&unit));
    let code = low.map_or(unit, |low| 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
    match char::from_u32(code) {
        Some(character) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        None => {
            out.extend([0xe0 | (code >> 12) as u8, 0x80 | (code >> 6 & 63) as u8, 0x80 | (code & 63) as u8]);
        }
    }
    at + if low.is_some() { 10 } else { 4 }
}

/// Skips a number.
#[inline]
pub(super) fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let first = at + usize::from(bytes.get(at) == Some(&b'-'));
    let mut at = digits(bytes, first)?;
    if bytes.get(first) == Some(&b'0') && at > first + 1 {
        return None;
    }
    if bytes.get(at) == Some(&b'.') {
        at = digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let sign = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        at = digits(bytes, at + 1 + usize::from(sign))?;
    }
    Some(at)
}

/// Skips one digit or more.
#[inline]
fn digits(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    (at > start).then_some(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    use super::*;

    /// Whether the whole of `text` is one JSON text.
    fn accepts(text: &str) -> bool {
        let mut nesting = Nesting::new(usize::MAX);
        let bytes = text.as_bytes();
        nesting.skip(bytes, blank(bytes, 0), 0).is_some_and(|end| blank(bytes, end) == bytes.len())
    }

    #[test]
    fn depth_is_bounded_and_costs_no_stack() {
        for (depth, fits) in [(128, true), (129, false), (100_000, false)] {
            let text = "[".repeat(depth) + &"]".repeat(depth);
            let end = Nesting::new(128).skip(text.as_bytes(), 0, 0);
            assert_eq!(end.is_some(), fits, "{depth}");
        }
    }

    #[test]
    fn strings_that_differ_in_half_a_pair_stay_different() {
        assert_eq!(
            unescape(r#"a\"\\\/\b\f\n\r\t\u0041\ud83d\ude00é"#),
            "a\"\\/\u{8}\u{c}\n\r\tA😀é".as_bytes()
        );
        assert_ne!(unescape(r"\ud800"), unescape(r"\ud801"));
        assert_ne!(unescape(r"\ud800\ud800"), unescape(r"\ud800"));
    }

    /// JSON and what is nearly JSON: the characters that matter, put together at random.
    fn nearly_json() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud83d", "\\ude00", "0", "1", "12", "-", "+",
            ".", "e", "E", "true", "false", "null", " ", "\n", "\t", "\u{1}", "a", "é", "\"a\"", "\"b\":",
            "\\n", "\u{feff}",
        ]);
        prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
    }

    /// A JSON value, printed.
    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|flag| flag.to_string()),
            any::<f64>().prop_filter("finite", |real| real.is_finite()).prop_map(|real| format!("{real:e}")),
            any::<i64>().prop_map(|whole| whole.to_string()),
            any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5)
                    .prop_map(|items| format!("[{}]", items.join(" ,"))),
                prop::collection::vec((any::<String>(), inner), 0..5).prop_map(|members| {
                    let members: Vec<String> = members
                        .iter()
                        .map(|(key, value)| format!("{} : {value}", serde_json::Value::from(key.as_str())))
                        .collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

        #[test]
        fn what_serde_json_takes_is_taken_and_nothing_else(text in nearly_json()) {
            prop_assert_eq!(accepts(&text), serde_json::from_str::<IgnoredAny>(&text).is_ok());
        }

        #[test]
        fn a_changed_byte_is_judged_as_serde_json_judges_it(text in json(), place in any::<prop::sample::Index>(),
                                                           byte in 0_u8..128) {
            prop_assert!(accepts(&text));
            let mut bytes = text.into_bytes();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            if let Ok(text) = std::str::from_utf8(&bytes) {
                prop_assert_eq!(accepts(text), serde_json::from_str::<IgnoredAny>(text).is_ok(), "{}", text);
            }
        }

        #[test]
        fn strings_are_read_as_serde_json_reads_them(text in any::<String>()) {
            let quoted = serde_json::Value::from(text.as_str()).to_string();
            let raw = &quoted[1..quoted.len() - 1];
            prop_assert_eq!(string(quoted.as_bytes(), 1).map(|(end, _)| end), Some(quoted.len() - 1));
            prop_assert_eq!(unescape(raw), text.into_bytes());
        }
    }
}
