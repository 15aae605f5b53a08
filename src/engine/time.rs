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
    pub(crate) const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The instant `millis` milliseconds after the Unix epoch, saturating.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since the Unix epoch.
    pub(crate) const fn micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch, rounded down, as PromQL counts time.
    pub(crate) const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Seconds since the Unix epoch.
    pub(crate) fn seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The instant `span` later, saturating.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The instant `span` earlier, saturating.
    #[must_use]
    pub(crate) fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero where it is not later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
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

/// Reads times that stand at the beginning of a text. Those of one stream share their minute most of the time, so the
/// last one is kept and read only when it changes.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine) struct TimestampReader {
    minute: [u8; 17],
    seconds: i64,
}

impl TimestampReader {
    /// The time at the beginning of `text`, and how many bytes it takes.
    #[inline]
    pub(in crate::engine) fn read(&mut self, text: &[u8]) -> Option<(Timestamp, usize)> {
        let (date_time, mut rest) = text.split_first_chunk::<19>()?;
        let [.., tens, ones] = *date_time;
        let second = two_digits(tens, ones).filter(|second| *second < 60)?;
        if date_time.first_chunk() != Some(&self.minute) {
            self.seconds = date_time_seconds(date_time)? - i64::from(second);
            self.minute = *date_time.first_chunk()?;
        }
        let mut micros = (self.seconds + i64::from(second)) * SECOND;
        if let Some((b'.', digits)) = rest.split_first() {
            let (fraction, after) = fraction_micros(digits)?;
            micros += fraction;
            rest = after;
        }
        match *rest {
            [b'Z' | b'z', ..] => rest = rest.get(1..)?,
            [b'+' | b'-', ..] => {
                let (offset, after) = rest.split_at_checked(6)?;
                micros -= offset_seconds(offset)? * SECOND;
                rest = after;
            }
            _ => {}
        }
        Some((Timestamp(micros), text.len() - rest.len()))
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
    let digits = [[y1, y2], [y3, y4], [o1, o2], [d1, d2], [h1, h2], [m1, m2], [s1, s2]];
    // All digits are judged together, which costs no branch for each.
    if digits.as_flattened().iter().fold(false, |bad, digit| bad | (digit.wrapping_sub(b'0') > 9)) {
        return None;
    }
    let [century, of_century, month, day, hour, minute, second] =
        digits.map(|[tens, ones]| u32::from(tens & 15) * 10 + u32::from(ones & 15));
    let year = century * 100 + of_century;
    if day == 0 || day > month_days(year, month)? || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let of_day = (hour * 60 + minute) * 60 + second;
    Some(days_from_civil(year, month, day) * DAY_SECONDS + i64::from(of_day))
}

fn two_digits(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| u32::from(tens) * 10 + u32::from(ones))
}

fn month_days(year: u32, month: u32) -> Option<u32> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if leap { 29 } else { 28 }),
        _ => None,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, counted in years that begin in March.
fn days_from_civil(year: u32, month: u32, day: u32) -> i64 {
    // 400 years more keep January and February of the year 0 above zero.
    let year = if month <= 2 { year + 399 } else { year + 400 };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    i64::from(year * 365 + year / 4 - year / 100 + year / 400 + of_year) - 719_468 - 146_097
}

/// The microseconds of the decimals `text` begins with (one at the least), and what follows them.
#[inline]
fn fraction_micros(text: &[u8]) -> Option<(i64, &[u8])> {
    if let Some(word) = text.first_chunk() {
        let (micros, length) = short_fraction(u64::from_le_bytes(*word));
        if let 1..8 = length {
            return Some((micros, text.get(length..)?));
        }
    }
    any_fraction(text)
}

/// The microseconds of the decimals a word begins with, and how many decimals there are; eight may be more.
#[inline]
fn short_fraction(word: u64) -> (i64, usize) {
    const ONES: u64 = u64::MAX / 255;
    let values = word ^ (ONES * u64::from(b'0'));
    // Six more than a value above nine, or any high bit, is seen in the upper half of its byte. What carries into other
    // bytes does so above the first fault.
    let faults = (values.wrapping_add(ONES * 6) | values) & (ONES * 0xf0);
    let length = faults.trailing_zeros() as usize / 8;
    let values = if length < 8 { values & ((1 << (length * 8)) - 1) } else { values };
    // Digits that are not there count as zeros: two, then four, then eight of them side by side.
    let pairs = values.wrapping_mul(10).wrapping_add(values >> 8) & 0x00ff_00ff_00ff_00ff;
    let quads = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    let all = quads.wrapping_mul(10_000).wrapping_add(quads >> 32) & 0xffff_ffff;
    (i64::from(all as u32 / 100), length)
}

fn any_fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let mut micros = 0;
    let mut unit = 100_000;
    let mut rest = text;
    while let Some((digit @ b'0'..=b'9', after)) = rest.split_first() {
        micros += i64::from(digit - b'0') * unit;
        unit /= 10;
        rest = after;
    }
    (rest.len() < text.len()).then_some((micros, rest))
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

    #[test]
    fn a_time_is_read_from_the_beginning_of_a_text_in_any_order() {
        let mut reader = TimestampReader::default();
        let texts = [
            "2026-02-03T04:05:06Z",
            "2026-02-03T04:05:59.123",
            "2026-02-03T04:06:00.5+01:00",
            "0000-01-01T00:00:00z",
            "2026-02-03t04:06:00-00:30",
        ];
        for text in texts.iter().chain(texts.iter().rev()) {
            let longer = format!("{text}\",");
            assert_eq!(reader.read(longer.as_bytes()), Some((text.parse().unwrap(), text.len())), "{text}");
        }
        for text in
            ["2026-02-03T04:06:0x", "2026-02-03T04:06:00.", "2026-02-03T04:06:00+1", "2026-02-30T04:06:00"]
        {
            assert_eq!(reader.read(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn decimals_are_read_at_once_as_one_by_one(text in "[0-9]{0,9}[Z\"/:+\u{80}-\u{ff}a]{0,9}[0-9]{0,4}") {
            prop_assert_eq!(fraction_micros(text.as_bytes()), any_fraction(text.as_bytes()), "{}", text);
        }

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
