//! Literals of the query language as values, and values as literals.

use std::fmt;
use std::time::Duration;

use super::ast::Literal;
use crate::engine::duration::{format_duration, literal_millis};

/// Why the text between quotes is no string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadEscape {
    /// The byte in the literal, its opening quote included.
    pub(super) at: usize,
}

/// The value of a quoted literal, with Go's escapes; between backticks nothing is escaped.
pub(super) fn unquote(literal: &str) -> Result<Literal, BadEscape> {
    let inner = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
    if literal.starts_with('`') || !inner.contains('\\') {
        return Ok(Literal::Text(inner.into()));
    }
    let quote = literal.chars().next().unwrap_or('"');
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(rest.get(..at).unwrap_or_default().as_bytes());
        let escape = rest.get(at + 1..).unwrap_or_default();
        let position = 1 + inner.len().saturating_sub(escape.len()).saturating_sub(1);
        let length = push_escape(escape, quote, &mut bytes).ok_or(BadEscape { at: position })?;
        rest = escape.get(length..).ok_or(BadEscape { at: position })?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes.into())
}

/// Appends what the escape (without its backslash) stands for; says how many bytes it takes.
fn push_escape(escape: &str, quote: char, bytes: &mut Vec<u8>) -> Option<usize> {
    let first = escape.chars().next()?;
    let simple = match first {
        'a' => Some(7),
        'b' => Some(8),
        'f' => Some(12),
        'n' => Some(b'\n'),
        'r' => Some(b'\r'),
        't' => Some(b'\t'),
        'v' => Some(11),
        '\\' => Some(b'\\'),
        '\'' | '"' if first == quote => u8::try_from(first).ok(),
        _ => None,
    };
    if let Some(byte) = simple {
        bytes.push(byte);
        return Some(1);
    }
    let (skip, digits, radix) = match first {
        'x' => (1, 2, 16),
        'u' => (1, 4, 16),
        'U' => (1, 8, 16),
        '0'..='7' => (0, 3, 8),
        _ => return None,
    };
    let text = escape.get(skip..skip + digits)?;
    if !text.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let code = u32::from_str_radix(text, radix).ok()?;
    if digits > 3 {
        bytes.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        bytes.push(u8::try_from(code).ok()?);
    }
    Some(skip + digits)
}

/// A string as a literal in double quotes that [`unquote`] reads back.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("\"")?;
        self.0.chars().try_for_each(|symbol| escaped(symbol, out))?;
        out.write_str("\"")
    }
}

/// Writes the value as a literal that [`unquote`] reads back.
impl fmt::Display for Literal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(out, "{}", Quoted(text)),
            Self::Bytes { bytes, .. } => {
                out.write_str("\"")?;
                for chunk in bytes.utf8_chunks() {
                    chunk.valid().chars().try_for_each(|symbol| escaped(symbol, out))?;
                    chunk.invalid().iter().try_for_each(|byte| write!(out, "\\x{byte:02x}"))?;
                }
                out.write_str("\"")
            }
        }
    }
}

fn escaped(symbol: char, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    match symbol {
        '"' => out.write_str("\\\""),
        '\\' => out.write_str("\\\\"),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        _ if symbol.is_control() => write!(out, "\\u{:04x}", u32::from(symbol)),
        _ => write!(out, "{symbol}"),
    }
}

/// A number as PromQL writes it: in full, `+Inf`, `-Inf` and `NaN`.
pub(super) struct Decimal(pub(super) f64);

impl fmt::Display for Decimal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_nan() {
            out.write_str("NaN")
        } else if self.0.is_infinite() {
            out.write_str(if self.0 > 0.0 { "+Inf" } else { "-Inf" })
        } else {
            write!(out, "{}", self.0)
        }
    }
}

/// The value of a number literal: Go's integers (`0x` hexadecimal, a leading `0` octal), floats, hexadecimal
/// floats, `Inf` and `NaN` in any case, underscores between digits.
pub(super) fn number(literal: &str) -> Option<f64> {
    if literal.eq_ignore_ascii_case("nan") {
        return Some(f64::NAN);
    }
    if literal.eq_ignore_ascii_case("inf") {
        return Some(f64::INFINITY);
    }
    let digits = without_underscores(literal)?;
    if let Some(hexadecimal) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return hexadecimal_float(hexadecimal);
    }
    let octal = digits.len() > 1 && digits.starts_with('0');
    match i64::from_str_radix(&digits, 8) {
        Ok(value) if octal => Some(value as f64),
        // Only digits make a number: the names that the standard library takes (`infinity`) are metric names.
        _ if digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') => digits.parse().ok(),
        _ => None,
    }
}

/// Takes underscores out where each stands between two digits, or between a `0x` and a digit.
fn without_underscores(literal: &str) -> Option<String> {
    if !literal.contains('_') {
        return Some(literal.to_owned());
    }
    let hexadecimal = literal.starts_with("0x") || literal.starts_with("0X");
    let is_digit = |byte: u8| if hexadecimal { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() };
    let bytes = literal.as_bytes();
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_') {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before)).copied()?;
        let after = bytes.get(at + 1).copied()?;
        if !(is_digit(before) || hexadecimal && at == 2) || !is_digit(after) {
            return None;
        }
    }
    Some(literal.replace('_', ""))
}

fn hexadecimal_float(digits: &str) -> Option<f64> {
    let (mantissa, exponent) = match digits.split_once(['p', 'P']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None if digits.contains('.') => return None,
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0_f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let shift = i32::try_from(fraction.len()).ok()?.checked_mul(-4)?.checked_add(exponent)?;
    Some(value * f64::from(shift).exp2())
}

/// The seconds in a duration literal: `1y2w3d4h5m6s7ms`, each unit at most once and in this order.
pub(super) fn duration_seconds(literal: &str) -> Option<f64> {
    literal_millis(literal).ok().map(|millis| millis as f64 / 1e3)
}

/// A number of seconds as a duration literal, or as a plain number where no whole milliseconds make it up.
pub(super) struct Span(pub(super) f64);

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = (self.0 * 1e3).round();
        if !(0.0..=9e15).contains(&millis) || millis / 1e3 != self.0 {
            return write!(out, "{}", Decimal(self.0));
        }
        out.write_str(&format_duration(Duration::from_millis(millis as u64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_take_go_escapes() {
        let text = |literal: &str| unquote(literal).unwrap().text().to_string();
        assert_eq!(text(r#""a\n\t\\\"\x41\102é\U0001F600""#), "a\n\t\\\"ABé😀");
        assert_eq!(text(r"'it\'s'"), "it's");
        assert_eq!(text(r"`\n'`"), r"\n'");
        let broken = unquote(r#""a\xffz""#).unwrap();
        assert_eq!((broken.text().as_ref(), broken.label_name()), ("a\u{fffd}z", None));
        assert_eq!(broken.to_string(), r#""a\xffz""#);
        for broken in [r#""\q""#, r#""\'""#, r#""\x4""#, r#""\ud800""#, r#""\400""#, r#""\x+1""#] {
            assert!(unquote(broken).is_err(), "{broken}");
        }
        assert_eq!(unquote(r#""ab\q""#), Err(BadEscape { at: 3 }));
    }

    #[test]
    fn numbers_follow_go() {
        for (literal, value) in [
            ("0755", 493.0),
            ("08", 8.0),
            ("0x1F", 31.0),
            ("0x1.8p3", 12.0),
            ("0x_1Fp-1", 15.5),
            ("1_000.5", 1000.5),
            ("5.", 5.0),
            (".5", 0.5),
            ("1e3", 1000.0),
            ("99999999999999999999", 1e20),
            ("iNF", f64::INFINITY),
        ] {
            assert_eq!(number(literal), Some(value), "{literal}");
        }
        for broken in ["1__0", "1_", "1_.5", "0x", "0x1.8", "Infinity", "+Inf", "-1", "nano"] {
            assert_eq!(number(broken), None, "{broken}");
        }
    }

    #[test]
    fn durations_are_read_and_written() {
        for (literal, seconds) in
            [("1h30m", 5400.0), ("1y2w", 32_745_600.0), ("5ms", 0.005), ("2d", 172_800.0)]
        {
            assert_eq!(duration_seconds(literal), Some(seconds), "{literal}");
            assert_eq!(duration_seconds(&Span(seconds).to_string()), Some(seconds), "{literal}");
        }
        for broken in ["1m1h", "1m1m", "5", "m", "1hs", "99999999999999999999y"] {
            assert_eq!(duration_seconds(broken), None, "{broken}");
        }
        assert_eq!(Span(5400.0).to_string(), "1h30m");
        assert_eq!(Span(0.0005).to_string(), "0.0005");
    }
}
