//! Text that people or events wrote, made safe for a terminal: what could move its cursor, colour it, answer for it or
//! turn its reading order round is written out.

use std::borrow::Cow;
use std::fmt::Write as _;

/// How many lines a text may have where it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lines {
    /// One: a line break is written out too, so that nobody's text can pass for a line of ours.
    One,
    /// Many: line breaks stay.
    Many,
}

/// The text as it may reach a terminal: tabs and visible characters as they are, everything else as JSON writes it
/// (`\u001b`), so that JSON stays the same JSON.
pub(crate) fn printable(text: &str, lines: Lines) -> Cow<'_, str> {
    let is_safe = |symbol: char| !needs_writing_out(symbol, lines);
    if text.chars().all(is_safe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for symbol in text.chars() {
        match symbol {
            _ if is_safe(symbol) => safe.push(symbol),
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            // Writing to a string cannot fail.
            _ => drop(write!(safe, "\\u{:04x}", u32::from(symbol))),
        }
    }
    Cow::Owned(safe)
}

/// Control characters of both sets, and what turns the reading order round or breaks lines unseen.
fn needs_writing_out(symbol: char, lines: Lines) -> bool {
    match symbol {
        '\t' => false,
        '\n' => lines == Lines::One,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        _ => symbol.is_control(),
    }
}

/// `1 error`, `2 errors`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_a_terminal_is_written_out() {
        let cases = [
            ("plain é 日本 \t", "plain é 日本 \t"),
            ("\u{1b}]0;title\u{7}", "\\u001b]0;title\\u0007"),
            ("\u{9b}31m \u{85}", "\\u009b31m \\u0085"),
            ("a\rb \u{8}\u{7f}\0", "a\\rb \\u0008\\u007f\\u0000"),
            ("\u{202e}txt\u{202c} \u{2066}x\u{2069}", "\\u202etxt\\u202c \\u2066x\\u2069"),
            ("\u{200f}\u{61c}\u{2028}", "\\u200f\\u061c\\u2028"),
            ("👩\u{200d}🚀", "👩\u{200d}🚀"),
        ];
        for (text, expected) in cases {
            assert_eq!(printable(text, Lines::One), expected);
            assert_eq!(printable(text, Lines::Many), expected);
        }
    }

    #[test]
    fn lines_are_kept_or_written_out() {
        assert_eq!(printable("a\nb\r\n", Lines::One), "a\\nb\\r\\n");
        assert_eq!(printable("a\nb\r\n", Lines::Many), "a\nb\\r\n");
    }
}
