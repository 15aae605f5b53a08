//! Durations in Prometheus' notation: `5s`, `1h30m`, `0`. Rules, queries, the configuration and the API read them here.

use std::time::Duration;

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DurationError {
    /// Nothing.
    #[error("empty duration")]
    Empty,
    /// Not in the notation.
    #[error("not a valid duration")]
    Notation,
    /// Longer than Prometheus can count (about 292 years).
    #[error("duration out of range")]
    TooLong,
}

/// The units, largest first, with their milliseconds.
pub(crate) const UNITS: [(&str, u64); 7] = [
    ("y", 31_536_000_000),
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads a duration: whole numbers with the units `y w d h m s ms`, each once, in this order; or `0`.
///
/// # Errors
///
/// Any other text.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    match text {
        "" => return Err(DurationError::Empty),
        "0" => return Ok(Duration::ZERO),
        _ => {}
    }
    let millis = literal_millis(text)?;
    // Prometheus keeps a duration as nanoseconds in 64 bits.
    if millis > i64::MAX as u64 / 1_000_000 {
        return Err(DurationError::TooLong);
    }
    Ok(Duration::from_millis(millis))
}

/// The milliseconds of a literal without Prometheus' bound: whole numbers with units, each once, largest first. Of no
/// text at all it is 0, which callers that must not take it refuse.
///
/// # Errors
///
/// Any other text, or more than 64 bits hold.
pub(crate) fn literal_millis(text: &str) -> Result<u64, DurationError> {
    let (mut rest, mut millis, mut units) = (text, 0_u64, UNITS.as_slice());
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
        let (number, behind) = rest.split_at(digits);
        let end = behind.find(|character: char| character.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        let place = units.iter().position(|(name, _)| *name == unit).ok_or(DurationError::Notation)?;
        let Some((_, size)) = units.get(place) else { return Err(DurationError::Notation) };
        if number.is_empty() {
            return Err(DurationError::Notation);
        }
        let number: u64 = number.parse().map_err(|_| DurationError::TooLong)?;
        let part = number.checked_mul(*size).ok_or(DurationError::TooLong)?;
        millis = millis.checked_add(part).ok_or(DurationError::TooLong)?;
        units = units.get(place + 1..).unwrap_or(&[]);
        rest = behind;
    }
    Ok(millis)
}

/// Writes a duration in the same notation, years and weeks only where nothing is left over, as Prometheus does.
pub(crate) fn format_duration(span: Duration) -> String {
    let mut millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, size) in UNITS {
        let exact = !matches!(unit, "y" | "w") || millis.is_multiple_of(size);
        if millis >= size && exact {
            text.extend([(millis / size).to_string().as_str(), unit]);
            millis %= size;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_prometheus_reads_them() {
        let good = [("0", 0), ("5s", 5_000), ("1h30m", 5_400_000), ("324ms", 324), ("10y", 315_360_000_000)];
        for (text, millis) in good {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        let bad = ["", "1", "1y1m1d", "-1w", "1.5d", "d", "294y", "200y10400w", "zzz", "5 s", "5S", "1m1m"];
        for text in bad {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_they_are_read() {
        for text in ["5s", "1h30m", "2d", "1w", "250ms", "1m1s"] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), text);
        }
    }
}
