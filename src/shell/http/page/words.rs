//! What people read: spans, instants, and what others wrote, cut and made harmless.

use std::borrow::Cow;
use std::time::Duration;

use maud::{Markup, html};

use crate::engine::diagnostic::{Lines, printable};
use crate::engine::labels::Labels;
use crate::engine::time::Timestamp;

/// Characters of a label's value, or of another short text, that are shown.
const SHORT_CHARS_MAX: usize = 200;

/// Characters of a longer text that are shown.
const LONG_CHARS_MAX: usize = 4_000;

/// A span in at most two units: `350 ms`, `4 s`, `2 min 5 s`, `3 h`, `2 d 4 h`.
pub(super) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let two = |(large, large_unit): (u64, &str), (small, small_unit): (u64, &str)| {
        if small == 0 {
            format!("{large} {large_unit}")
        } else {
            format!("{large} {large_unit} {small} {small_unit}")
        }
    };
    match seconds {
        0 if span.is_zero() => "0 s".to_owned(),
        0 if span.as_millis() == 0 => "under 1 ms".to_owned(),
        0 => format!("{} ms", span.as_millis()),
        1..60 => format!("{seconds} s"),
        60..3_600 => two((seconds / 60, "min"), (seconds % 60, "s")),
        3_600..86_400 => two((seconds / 3_600, "h"), (seconds / 60 % 60, "min")),
        _ => two((seconds / 86_400, "d"), (seconds / 3_600 % 24, "h")),
    }
}

/// An instant of the clock, which the browser shows in its own time zone.
pub(super) fn clock(at: Timestamp) -> Markup {
    let text = at.to_string();
    let time = text.get(11..19).unwrap_or(&text);
    html! { time datetime=(text) data-time { (time) " UTC" } }
}

/// How long ago an instant was.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    match now.since(at).as_secs() {
        0 => "just now".to_owned(),
        seconds => format!("{} ago", span(Duration::from_secs(seconds))),
    }
}

/// A short text that others wrote, on one line.
pub(super) fn short(text: &str) -> Cow<'_, str> {
    cut(printable(text, Lines::One), SHORT_CHARS_MAX)
}

/// A longer text that others wrote.
pub(super) fn long(text: &str) -> Cow<'_, str> {
    cut(printable(text, Lines::Many), LONG_CHARS_MAX)
}

fn cut(text: Cow<'_, str>, chars_max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars_max) {
        None => text,
        Some((end, _)) => {
            let kept = text.get(..end).unwrap_or_default();
            Cow::Owned(format!("{kept}… (cut, {} bytes in all)", text.len()))
        }
    }
}

/// A number of things: `1 rule`, `2 rules`.
pub(super) fn count(number: usize, thing: &str) -> String {
    format!("{} {thing}{}", thousands(number as u64), if number == 1 { "" } else { "s" })
}

/// A whole number with its thousands apart.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Labels as chips, but for those that `hidden` names.
pub(super) fn chips(labels: &Labels, hidden: &[&str]) -> Markup {
    let shown: Vec<_> = labels.iter().filter(|(name, _)| !hidden.contains(&name.as_ref())).collect();
    html! {
        @if !shown.is_empty() {
            ul.chips {
                @for (name, value) in shown {
                    li { span.name { (short(name)) } "=" bdi { (short(value)) } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        let cases = [
            (0, "0 s"),
            (350, "350 ms"),
            (4_900, "4 s"),
            (60_000, "1 min"),
            (125_000, "2 min 5 s"),
            (10_800_000, "3 h"),
            (187_260_000, "2 d 4 h"),
        ];
        for (millis, text) in cases {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn long_values_are_cut_and_what_turns_the_writing_round_is_spelt_out() {
        let long = "x".repeat(65_536);
        assert!(short(&long).ends_with("… (cut, 65536 bytes in all)"));
        assert!(!short("a\u{202e}b").contains('\u{202e}'));
        assert_eq!(chips(&Labels::collect([("a", "<script>")]), &[]).into_string().matches('<').count(), 8);
    }

    #[test]
    fn numbers_are_counted_in_words() {
        assert_eq!((count(1, "rule"), count(12_345, "alert")), ("1 rule".into(), "12,345 alerts".into()));
    }
}
