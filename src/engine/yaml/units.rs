//! Durations and sizes as people write them.

use std::time::Duration;

use crate::engine::duration::{UNITS, literal_millis};

/// The units of a size, in bytes.
const SIZE_UNITS: [(&str, u64); 8] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("", 1),
];

/// Reads `500ms`, `5s`, `1h30m` or `0`, as Prometheus does: whole numbers, each unit once, largest first.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let millis = literal_millis(text).ok()?;
    (!text.is_empty()).then(|| Duration::from_millis(millis))
}

/// Reads `64MiB`, `10kB` or a plain number of bytes.
pub(crate) fn size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'_').count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = SIZE_UNITS.iter().find(|(name, _)| *name == unit.trim())?;
    number.replace('_', "").parse::<u64>().ok()?.checked_mul(*factor)
}

/// Writes a duration the way [`duration`] reads it.
pub(crate) fn duration_text(span: Duration) -> String {
    let mut millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, factor) in UNITS {
        // Years and weeks are exact here but read badly: 30d is not 4w2d.
        if matches!(unit, "y" | "w") {
            continue;
        }
        let count = millis / factor;
        if count > 0 {
            text.push_str(&count.to_string());
            text.push_str(unit);
            millis -= count * factor;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_numbers_with_units_largest_first() {
        let cases = [
            ("5s", Some(5_000)),
            ("500ms", Some(500)),
            ("1h30m", Some(5_400_000)),
            ("30d", Some(2_592_000_000)),
            ("0", Some(0)),
            ("0s", Some(0)),
            ("30m1h", None),
            ("1s1s", None),
            ("5", None),
            ("1.5s", None),
            ("-1s", None),
            ("", None),
            ("s", None),
            ("99999999999999999999s", None),
            ("18446744073709551615y", None),
            ("5ä", None),
        ];
        for (text, millis) in cases {
            assert_eq!(duration(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn a_written_duration_reads_back() {
        for millis in [1, 999, 1_000, 61_001, 5_400_000, 2_592_000_000] {
            let span = Duration::from_millis(millis);
            assert_eq!(duration(&duration_text(span)), Some(span));
        }
    }

    #[test]
    fn sizes_take_decimal_and_binary_units() {
        let cases = [
            ("64MiB", Some(64 << 20)),
            ("64 MiB", Some(64 << 20)),
            ("10kB", Some(10_000)),
            ("1_048_576", Some(1 << 20)),
            ("12", Some(12)),
            ("MiB", None),
            ("1TB", None),
            ("99999999999GiB", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(size(text), bytes, "{text}");
        }
    }
}
