//! Numbers as Prometheus' template functions write them for people.

use super::float::{Notation, written};

/// Four significant digits, as Go's `%.4g`.
fn four_digits(value: f64) -> String {
    written(value, Notation::Shorter, Some(4))
}

const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];

/// `humanize`: metric prefixes.
pub(super) fn humanize(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return four_digits(value);
    }
    if value.abs() >= 1.0 {
        let (value, prefix) = divided(value, 1000.0, ["k", "M", "G", "T", "P", "E", "Z", "Y"]);
        return format!("{}{prefix}", four_digits(value));
    }
    let (value, prefix) = multiplied(value);
    format!("{}{prefix}", four_digits(value))
}

/// `humanize1024`: binary prefixes.
pub(super) fn humanize1024(value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return four_digits(value);
    }
    let (value, prefix) = divided(value, 1024.0, ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"]);
    format!("{}{prefix}", four_digits(value))
}

/// `humanizeDuration`: days to seconds, or a part of one second.
pub(super) fn duration(value: f64) -> String {
    if !value.is_finite() {
        return four_digits(value);
    }
    if value == 0.0 {
        return format!("{}s", four_digits(value));
    }
    if value.abs() < 1.0 {
        let (value, prefix) = multiplied(value);
        return format!("{}{prefix}s", four_digits(value));
    }
    let sign = if value < 0.0 { "-" } else { "" };
    // What does not fit becomes Go's least number.
    let whole = if value.abs() < i64::MAX as f64 { value.abs() as i64 } else { i64::MIN };
    let (seconds, minutes) = (whole % 60, whole / 60 % 60);
    let (hours, days) = (whole / 3_600 % 24, whole / 86_400);
    if days != 0 {
        format!("{sign}{days}d {hours}h {minutes}m {seconds}s")
    } else if hours != 0 {
        format!("{sign}{hours}h {minutes}m {seconds}s")
    } else if minutes != 0 {
        format!("{sign}{minutes}m {seconds}s")
    } else {
        format!("{sign}{}s", four_digits(value.abs()))
    }
}

/// `humanizePercentage`: of a ratio.
pub(super) fn percentage(value: f64) -> String {
    format!("{}%", four_digits(value * 100.0))
}

fn divided(mut value: f64, base: f64, prefixes: [&'static str; 8]) -> (f64, &'static str) {
    let mut prefix = "";
    for next in prefixes {
        if value.abs() < base {
            break;
        }
        prefix = next;
        value /= base;
    }
    (value, prefix)
}

fn multiplied(mut value: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for next in SMALL {
        if value.abs() >= 1.0 {
            break;
        }
        prefix = next;
        value *= 1000.0;
    }
    (value, prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_prefixes() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (1_234_567.0, "1.235M"),
            (0.000_12, "120u"),
            (-1500.0, "-1.5k"),
            (f64::INFINITY, "+Inf"),
        ];
        for (value, expected) in cases {
            assert_eq!(humanize(value), expected, "{value}");
        }
        assert_eq!(humanize1024(1_048_576.0), "1Mi");
        assert_eq!(percentage(0.123_456), "12.35%");
    }

    #[test]
    fn durations_read_as_in_prometheus() {
        let cases =
            [(0.0, "0s"), (0.1, "100ms"), (59.5, "59.5s"), (61.0, "1m 1s"), (90_061.0, "1d 1h 1m 1s")];
        for (value, expected) in cases {
            assert_eq!(duration(value), expected, "{value}");
        }
    }
}
