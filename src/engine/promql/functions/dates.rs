//! The calendar in UTC.

/// A day of the proleptic Gregorian calendar, and the second of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::promql) struct Date {
    pub(in crate::engine::promql) year: i64,
    /// 1 to 12.
    pub(in crate::engine::promql) month: i64,
    /// 1 to 31.
    pub(in crate::engine::promql) day: i64,
    /// Days since the Unix epoch.
    days: i64,
    second: i64,
}

impl Date {
    /// The date of an instant in seconds since the Unix epoch.
    pub(in crate::engine::promql) fn of_seconds(seconds: i64) -> Self {
        let days = seconds.div_euclid(86_400);
        // Years are counted from March, so that the leap day is the last of its year; eras have 400 years.
        let shifted = days.saturating_add(719_468);
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self { year, month, day, days, second: seconds.rem_euclid(86_400) }
    }

    /// The date of a sample in seconds since the Unix epoch. As in Go, one that no integer holds is at the end of
    /// time.
    pub(in crate::engine::promql) fn of_value(seconds: f64) -> Self {
        let held = seconds.abs() < 2f64.powi(63);
        Self::of_seconds(if held { seconds as i64 } else { i64::MAX })
    }

    fn is_leap(self) -> bool {
        self.year % 4 == 0 && self.year % 100 != 0 || self.year % 400 == 0
    }

    fn days_in_month_of(self, month: i64) -> i64 {
        match month {
            2 if self.is_leap() => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }
}

pub(super) fn days_in_month(date: Date) -> i64 {
    date.days_in_month_of(date.month)
}

pub(super) fn day_of_month(date: Date) -> i64 {
    date.day
}

/// Sunday is 0; the epoch was a Thursday.
pub(super) fn day_of_week(date: Date) -> i64 {
    date.days.saturating_add(4).rem_euclid(7)
}

pub(super) fn day_of_year(date: Date) -> i64 {
    (1..date.month).map(|month| date.days_in_month_of(month)).sum::<i64>() + date.day
}

pub(super) fn hour(date: Date) -> i64 {
    date.second / 3_600
}

pub(super) fn minute(date: Date) -> i64 {
    date.second / 60 % 60
}

pub(super) fn month(date: Date) -> i64 {
    date.month
}

pub(super) fn year(date: Date) -> i64 {
    date.year
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leap_days_and_days_before_the_epoch_are_dated() {
        let leap = Date::of_seconds(1_456_790_399);
        assert_eq!((year(leap), month(leap), day_of_month(leap)), (2016, 2, 29));
        assert_eq!((days_in_month(leap), day_of_year(leap), hour(leap), minute(leap)), (29, 60, 23, 59));
        let before = Date::of_seconds(-1);
        assert_eq!(
            (year(before), month(before), day_of_month(before), day_of_week(before)),
            (1969, 12, 31, 3)
        );
        assert_eq!(day_of_year(Date::of_seconds(1_483_191_420)), 366);
    }

    #[test]
    fn no_number_is_at_the_end_of_time() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            assert_eq!(year(Date::of_value(value)), 292_277_026_596);
        }
        assert_eq!(year(Date::of_value(-1.5)), 1969);
    }
}
