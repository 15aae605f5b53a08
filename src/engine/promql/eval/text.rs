//! Numbers and texts as Go's `%g` and `%q` write them, for messages and labels that are compared with Prometheus'.

/// A float in its shortest form, with an exponent where that is below -4 or above 5: `0.1`, `1e+06`, `+Inf`.
pub(in crate::engine::promql) fn number(value: f64) -> String {
    if let Some(special) = special(value) {
        return special.to_owned();
    }
    let (digits, exponent) = shortest(value);
    if value != 0.0 && !(-4..6).contains(&exponent) {
        scientific(value, &digits, exponent)
    } else {
        format!("{value}")
    }
}

/// A float without exponent, as `count_values` labels it.
pub(in crate::engine::promql) fn plain_number(value: f64) -> String {
    special(value).map_or_else(|| format!("{value}"), ToOwned::to_owned)
}

/// A float as OpenMetrics writes the values of `quantile` labels: always with a point or an exponent.
pub(in crate::engine::promql) fn open_metrics_number(value: f64) -> String {
    let text = number(value);
    if value.is_finite() && !text.contains(['e', '.']) { text + ".0" } else { text }
}

/// A float with two significant digits.
pub(in crate::engine::promql) fn two_digits(value: f64) -> String {
    if let Some(special) = special(value) {
        return special.to_owned();
    }
    let rounded: f64 = format!("{value:.1e}").parse().unwrap_or(value);
    let (digits, exponent) = shortest(rounded);
    if rounded != 0.0 && !(-4..2).contains(&exponent) {
        scientific(rounded, &digits, exponent)
    } else {
        format!("{rounded}")
    }
}

fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value == f64::INFINITY {
        Some("+Inf")
    } else if value == f64::NEG_INFINITY {
        Some("-Inf")
    } else {
        None
    }
}

/// The digits of the shortest form and its decimal exponent.
fn shortest(value: f64) -> (String, i32) {
    let text = format!("{:e}", value.abs());
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (digits.to_owned(), exponent.parse().unwrap_or(0))
}

fn scientific(value: f64, digits: &str, exponent: i32) -> String {
    let sign = if value < 0.0 { "-" } else { "" };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{digits}e{exponent_sign}{:02}", exponent.abs())
}

/// A text in double quotes, with what cannot be printed escaped.
pub(in crate::engine::promql) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            control if control.is_control() => out.extend(format!("\\x{:02x}", u32::from(control)).chars()),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// An instant as RFC 3339 in UTC, in whole seconds.
pub(in crate::engine::promql) fn instant(time_ms: i64) -> String {
    let seconds = time_ms / 1_000;
    let date = super::super::functions::dates::Date::of_seconds(seconds);
    let of_day = seconds.rem_euclid(86_400);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        date.year,
        date.month,
        date.day,
        of_day / 3_600,
        of_day / 60 % 60,
        of_day % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_go_writes_them() {
        let texts =
            [0.1, -1.1, 1.001, 20.0, 0.000_01, 1_234_567.0, f64::NAN, f64::NEG_INFINITY, 0.0].map(number);
        assert_eq!(texts, ["0.1", "-1.1", "1.001", "20", "1e-05", "1.234567e+06", "NaN", "-Inf", "0"]);
        assert_eq!([1.0, 0.25, 1e-9].map(open_metrics_number), ["1.0", "0.25", "1e-09"]);
        assert_eq!([0.123, 12.0, 123.0].map(two_digits), ["0.12", "12", "1.2e+02"]);
    }

    #[test]
    fn instants_read_as_rfc_3339() {
        assert_eq!(instant(1_456_790_399_500), "2016-02-29T23:59:59Z");
    }
}
