//! The labels whose values are numbers: `le` of a bucket, `quantile` of a summary.
//!
//! Their values have one spelling wherever they are shown, that of OpenMetrics, under which Prometheus 3 stores them
//! whatever format it scraped: `1.0`, `0.5`, `1.048576e+06`, `+Inf`. Where such a label is compared, the numbers are.

use std::borrow::Cow;

/// The label with a bucket's upper bound.
pub(crate) const BUCKET_BOUND: &str = "le";

/// Every label whose values are numbers.
pub(crate) const NUMBER_LABELS: [&str; 2] = [BUCKET_BOUND, "quantile"];

/// The number in a label's value, where the label holds numbers and the value is one.
fn number(label: &str, value: &str) -> Option<f64> {
    if NUMBER_LABELS.contains(&label) { value.parse().ok() } else { None }
}

/// A label's value in the one spelling it has.
pub(crate) fn spelled<'a>(label: &str, value: &'a str) -> Cow<'a, str> {
    number(label, value).map_or(Cow::Borrowed(value), |number| Cow::Owned(bound_text(number)))
}

/// Whether two values of a label are the same.
pub(crate) fn is_same_value(label: &str, left: &str, right: &str) -> bool {
    left == right || number(label, left).is_some_and(|left| number(label, right) == Some(left))
}

/// A number as the value of such a label.
pub(crate) fn bound_text(bound: f64) -> String {
    if bound.is_nan() {
        return "NaN".to_owned();
    }
    if bound.is_infinite() {
        return if bound > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{bound:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // As Go's `%g` with the fewest digits.
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    let plain = bound.to_string();
    if plain.contains('.') { plain } else { plain + ".0" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_spelled_as_prometheus_3_stores_it() {
        let cases = [
            (1.0, "1.0"),
            (0.0, "0.0"),
            (-1.0, "-1.0"),
            (-1.5, "-1.5"),
            (0.005, "0.005"),
            (0.0001, "0.0001"),
            (0.00005, "5e-05"),
            (100_000.0, "100000.0"),
            (1_000_000.0, "1e+06"),
            (1_048_576.0, "1.048576e+06"),
            (2_500_000.0, "2.5e+06"),
            (1e21, "1e+21"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ];
        for (bound, expected) in cases {
            assert_eq!(bound_text(bound), expected);
            assert_eq!(spelled(BUCKET_BOUND, expected), expected);
        }
    }

    #[test]
    fn values_of_number_labels_are_compared_as_numbers_and_others_as_texts() {
        let cases = [
            ("le", "1", "1.0", true),
            ("le", "1e0", "1.0", true),
            ("le", "Inf", "+Inf", true),
            ("le", "1048576", "1.048576e+06", true),
            ("quantile", "0.50", "0.5", true),
            ("le", "1", "1.1", false),
            ("le", "one", "one", true),
            ("le", "", "0.0", false),
            ("code", "1", "1.0", false),
        ];
        for (label, left, right, expected) in cases {
            assert_eq!(is_same_value(label, left, right), expected, "{label} {left} {right}");
        }
        assert_eq!(spelled("le", "1"), "1.0");
        assert_eq!(spelled("code", "1"), "1");
        assert_eq!(spelled("le", "x"), "x");
    }
}
