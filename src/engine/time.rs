//! Instants and spans as the engine knows them: arguments, never read from a clock.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// An instant in microseconds since the Unix epoch (negative before it); covers every RFC 3339 year.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);

    /// The instant `micros` microseconds after the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The instant `millis` milliseconds after the Unix epoch, saturating.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch, rounded down, as PromQL counts time.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Seconds since the Unix epoch.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The instant `span` later, saturating.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The instant `span` earlier, saturating.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero where it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Text that is not an RFC 3339 time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time such as 2026-02-03T04:05:06Z")]
pub struct TimestampError;

/// Reads RFC 3339 as `METRICS.md` takes it: years 0000 to 9999, `t` and `z` in either case, second 60 as the first of
/// the next minute, any number of decimals (cut after microseconds), no offset meaning UTC.
impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        parse(text.as_bytes()).ok_or(TimestampError)
    }
}

const SECOND: i64 = 1_000_000;
const DAY_SECONDS: i64 = 86_400;
/// Microseconds of 0000-01-01T00:00:00Z.
const FIRST: i64 = -62_167_219_200 * SECOND;
/// Microseconds of 9999-12-31T23:59:59.999999Z.
const LAST: i64 = 253_402_300_800 * SECOND - 1;

fn parse(text: &[u8]) -> Option<Timestamp> {
    let (date_time, rest) = text.split_first_chunk::<19>()?;
    let seconds = date_time_seconds(date_time)?;
    let (fraction, offset) = match rest.split_first() {
        Some((b'.', digits)) => fraction_micros(digits)?,
        _ => (0, rest),
    };
    Some(Timestamp((seconds - offset_seconds(offset)?) * SECOND + fraction))
}

/// Seconds since the epoch of `YYYY-MM-DDTHH:MM:SS`, read as UTC.
fn date_time_seconds(text: &[u8; 19]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', o1, o2, b'-', d1, d2, b'T' | b't', h1, h2, b':', m1, m2, b':', s1, s2] = *text
    else {
        return None;
    };
    let year = i64::from(two_digits(y1, y2)?) * 100 + i64::from(two_digits(y3, y4)?);
    let (month, day) = (two_digits(o1, o2)?, two_digits(d1, d2)?);
    let (hour, minute, second) = (two_digits(h1, h2)?, two_digits(m1, m2)?, two_digits(s1, s2)?);
    if day == 0 || day > month_days(year, month)? || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let of_day = (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second);
    Some(days_from_civil(year, month, day) * DAY_SECONDS + of_day)
}

fn two_digits(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| u32::from(tens) * 10 + u32::from(ones))
}

fn month_days(year: i64, month: u32) -> Option<u32> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if leap { 29 } else { 28 }),
        _ => None,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, counted in years that begin in March.
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((i64::from(month) + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - 719_468
}

/// The microseconds of the decimals `text` begins with (one at the least), and what follows them.
fn fraction_micros(text: &[u8]) -> Option<(i64, &[u8])> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(count)?;
    if digits.is_empty() {
        return None;
    }
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(6);
    Some((padded.fold(0, |micros, digit| micros * 10 + i64::from(digit - b'0')), rest))
}

/// The seconds a local time with this offset is ahead of UTC.
fn offset_seconds(text: &[u8]) -> Option<i64> {
    match *text {
        [] | [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two_digits(h1, h2)?, two_digits(m1, m2)?);
            let seconds = i64::from(hours * 60 + minutes) * 60;
            (hours <= 23 && minutes <= 59).then_some(if sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

/// Writes RFC 3339 in UTC with as many decimals as it needs (none, three or six); an instant outside the years 0000
/// to 9999, which the format cannot say, is written as the nearest one inside.
impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.clamp(FIRST, LAST);
        let (seconds, fraction) = (micros.div_euclid(SECOND), micros.rem_euclid(SECOND));
        let (year, month, day) = civil_from_days(seconds.div_euclid(DAY_SECONDS));
        let of_day = seconds.rem_euclid(DAY_SECONDS);
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match (fraction / 1_000, fraction % 1_000) {
            (0, 0) => out.write_str("Z"),
            (millis, 0) => write!(out, ".{millis:03}Z"),
            _ => write!(out, ".{fraction:06}Z"),
        }
    }
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_the_contract_takes_is_read() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01t00:00:00z", 0),
            ("1970-01-01T00:00:00", 0),
            ("1970-01-01T00:00:00.5", 500_000),
            ("1970-01-01T00:00:00.123456789123456789123456789Z", 123_456),
            ("1970-01-01T01:00:00+01:00", 0),
            ("1969-12-31T23:59:59.999999-00:00", -1),
            ("1969-12-31T19:30:00-04:30", 0),
            ("2016-12-31T23:59:60Z", 1_483_228_800 * SECOND),
            ("2026-02-03T04:05:06.789Z", 1_770_091_506_789_000),
            ("2024-02-29T00:00:00Z", 1_709_164_800 * SECOND),
            ("0000-01-01T00:00:00Z", FIRST),
            ("9999-12-31T23:59:59.9999999Z", LAST),
        ];
        for (text, micros) in cases {
            assert_eq!(text.parse(), Ok(Timestamp(micros)), "{text}");
        }
    }

    #[test]
    fn what_is_not_rfc_3339_is_refused() {
        let cases = [
            "",
            "2026-02-03",
            "2026-02-03 04:05:06Z",
            "2026-02-03T04:05Z",
            "2026-02-03T04:05:06.Z",
            "2026-02-03T04:05:06,5Z",
            "2026-02-03T04:05:06+0100",
            "2026-02-03T04:05:06+01",
            "2026-02-03T04:05:06+24:00",
            "2026-02-03T04:05:06+01:60",
            "2026-02-03T04:05:06Z ",
            " 2026-02-03T04:05:06Z",
            "2026-02-03T04:05:06ZZ",
            "2026-02-03T24:00:00Z",
            "2026-02-03T04:60:00Z",
            "2026-02-03T04:05:61Z",
            "2026-02-30T04:05:06Z",
            "2026-02-29T04:05:06Z",
            "1900-02-29T04:05:06Z",
            "2026-13-03T04:05:06Z",
            "2026-00-03T04:05:06Z",
            "2026-02-00T04:05:06Z",
            "12026-02-03T04:05:06Z",
            "-026-02-03T04:05:06Z",
            "20é6-02-03T04:05:06Z",
            "1770091506",
        ];
        for text in cases {
            assert_eq!(text.parse::<Timestamp>(), Err(TimestampError), "{text}");
        }
    }

    #[test]
    fn an_instant_is_written_with_the_decimals_it_needs_and_never_outside_the_format() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (1_770_091_506_789_000, "2026-02-03T04:05:06.789Z"),
            (i64::MIN, "0000-01-01T00:00:00Z"),
            (i64::MAX, "9999-12-31T23:59:59.999999Z"),
        ];
        for (micros, text) in cases {
            assert_eq!(Timestamp(micros).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(micros in FIRST..=LAST) {
            let at = Timestamp(micros);
            prop_assert_eq!(at.to_string().parse(), Ok(at));
        }

        #[test]
        fn dates_are_those_of_chrono(micros in FIRST..=LAST) {
            let text = Timestamp(micros).to_string();
            let theirs = chrono::DateTime::parse_from_rfc3339(&text).map(|time| time.timestamp_micros());
            prop_assert_eq!(theirs, Ok(micros));
        }
    }
}
