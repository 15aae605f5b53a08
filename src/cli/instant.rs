//! Instants as people give them to commands.

use crate::engine::time::Timestamp;

/// Reads RFC 3339, or seconds since the epoch with decimals, as Prometheus' API does.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant);
    }
    let seconds: f64 = text.parse().ok()?;
    let micros = seconds * 1e6;
    (micros.abs() < 1e18).then(|| Timestamp::from_micros(micros.round() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_rfc_3339_or_seconds() {
        let cases = [
            ("1970-01-01T00:00:01Z", Some(1_000_000)),
            ("1.5", Some(1_500_000)),
            ("-2", Some(-2_000_000)),
            ("NaN", None),
            ("1e300", None),
            ("noon", None),
        ];
        for (text, micros) in cases {
            assert_eq!(parse(text).map(Timestamp::micros), micros, "{text}");
        }
    }
}
