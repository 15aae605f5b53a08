//! JSON text written by hand: what alert events and [`Event::to_json`](super::Event::to_json) are made of.

use std::fmt::Write as _;

/// Writes `text` as a JSON string: quotes, backslashes and control characters are escaped, everything else stays.
pub(crate) fn string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let mut characters = from.chars();
        match characters.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\u{c}') => out.push_str("\\f"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(control) => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// Writes `value` with the fewest digits that read as the same number; `null` where it is not finite, which JSON
/// cannot say.
pub(crate) fn number(out: &mut String, value: f64) {
    if value.is_finite() {
        out.push_str(zmij::Buffer::new().format_finite(value));
    } else {
        out.push_str("null");
    }
}

/// Writes `value` in decimal.
pub(crate) fn whole(out: &mut String, value: u64) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{value}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        write(&mut out);
        out
    }

    #[test]
    fn what_json_cannot_say_is_null() {
        assert_eq!(written(|out| number(out, f64::NAN)), "null");
        assert_eq!(written(|out| number(out, 0.1)), "0.1");
    }

    proptest! {
        #[test]
        fn strings_are_written_as_serde_json_writes_them(text in any::<String>()) {
            prop_assert_eq!(written(|out| string(out, &text)), serde_json::Value::from(text.as_str()).to_string());
        }

        #[test]
        fn numbers_read_as_the_same_number(value in any::<f64>().prop_filter("finite", |value| value.is_finite())) {
            let text = written(|out| number(out, value));
            prop_assert_eq!(text.parse(), Ok(value));
            prop_assert!(serde_json::from_str::<f64>(&text).is_ok(), "{}", text);
        }
    }
}
