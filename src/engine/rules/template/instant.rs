//! Go's `time.Time` and `time.Duration` as templates meet them; everything is in UTC.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Timelike, Utc};

use super::budget::Fault;
use super::float;
use super::functions::{Function, Parameter, Work};
use super::value::{Held, Value, WholeType};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// The name of a month, from 1.
pub(super) fn month_name(month: i64) -> String {
    let known = usize::try_from(month - 1).ok().and_then(|index| MONTHS.get(index));
    known.map_or_else(|| format!("%!Month({month})"), ToString::to_string)
}

/// The name of a day, from Sunday.
pub(super) fn weekday_name(day: i64) -> String {
    let known = usize::try_from(day).ok().and_then(|index| WEEKDAYS.get(index));
    known.map_or_else(|| format!("%!Weekday({day})"), ToString::to_string)
}

/// As Go prints an instant: `2006-01-02 15:04:05.999999999 -0700 MST`.
pub(super) fn text(at: DateTime<Utc>) -> String {
    format(at, "2006-01-02 15:04:05.999999999 -0700 MST")
}

/// As Go prints a `time.Duration`.
pub(super) fn duration_text(nanos: i64) -> String {
    let (sign, magnitude) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
    if magnitude == 0 {
        return "0s".to_owned();
    }
    if magnitude < 1_000_000_000 {
        let (unit, size) = match magnitude {
            0..1_000 => ("ns", 1.0),
            1_000..1_000_000 => ("µs", 1e3),
            _ => ("ms", 1e6),
        };
        return format!("{sign}{}{unit}", magnitude as f64 / size);
    }
    let (whole, rest) = (magnitude / 1_000_000_000, magnitude % 1_000_000_000);
    let fraction =
        if rest == 0 { String::new() } else { format!(".{}", format!("{rest:09}").trim_end_matches('0')) };
    let (hours, minutes, seconds) = (whole / 3_600, whole / 60 % 60, whole % 60);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}{fraction}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}{fraction}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}{fraction}s"),
    }
}

/// The instant so many years, months and days later.
fn add_date(at: DateTime<Utc>, (years, months, days): (i64, i64, i64)) -> Option<DateTime<Utc>> {
    let months = years.checked_mul(12)?.checked_add(months)?;
    let first = NaiveDate::from_ymd_opt(at.year(), at.month(), 1)?;
    let count = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    let first =
        if months < 0 { first.checked_sub_months(count)? } else { first.checked_add_months(count)? };
    let days = days.checked_add(i64::from(at.day0()))?;
    let count = Days::new(days.unsigned_abs());
    let date = if days < 0 { first.checked_sub_days(count)? } else { first.checked_add_days(count)? };
    Some(date.and_time(at.time()).and_utc())
}

/// An instant in a layout of Go's.
pub(super) fn format(at: DateTime<Utc>, layout: &str) -> String {
    let mut written = String::new();
    let mut rest = layout;
    while let Some(next) = rest.chars().next() {
        let (piece, length) = match element(rest) {
            Some((element, length)) => (write(at, element), length),
            None => (next.to_string(), next.len_utf8()),
        };
        written.push_str(&piece);
        rest = rest.get(length..).unwrap_or("");
    }
    written
}

/// What a layout can name.
#[derive(Clone, Copy)]
enum Element {
    Literal(&'static str),
    MonthName,
    MonthShort,
    Month,
    MonthTwo,
    WeekdayName,
    WeekdayShort,
    Day,
    DaySpaced,
    DayTwo,
    YearDaySpaced,
    YearDayThree,
    Hour,
    HourTwelve,
    HourTwelveTwo,
    Minute,
    MinuteTwo,
    Second,
    SecondTwo,
    Year,
    YearTwo,
    HalfOfDay(&'static str, &'static str),
    /// Behind a point or a comma, so many digits; trailing zeros go where it is written with nines.
    Fraction {
        separator: char,
        digits: usize,
        trims: Trims,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trims {
    Zeros,
    Nothing,
}

/// What stands in a layout, longest first; a name must not go on in lower case.
const ELEMENTS: &[(&str, Element)] = &[
    ("January", Element::MonthName),
    ("Monday", Element::WeekdayName),
    ("MST", Element::Literal("UTC")),
    ("01", Element::MonthTwo),
    ("002", Element::YearDayThree),
    ("02", Element::DayTwo),
    ("03", Element::HourTwelveTwo),
    ("04", Element::MinuteTwo),
    ("05", Element::SecondTwo),
    ("06", Element::YearTwo),
    ("15", Element::Hour),
    ("1", Element::Month),
    ("2006", Element::Year),
    ("2", Element::Day),
    ("__2", Element::YearDaySpaced),
    ("_2", Element::DaySpaced),
    ("3", Element::HourTwelve),
    ("4", Element::Minute),
    ("5", Element::Second),
    ("PM", Element::HalfOfDay("AM", "PM")),
    ("pm", Element::HalfOfDay("am", "pm")),
    ("-070000", Element::Literal("+000000")),
    ("-07:00:00", Element::Literal("+00:00:00")),
    ("-0700", Element::Literal("+0000")),
    ("-07:00", Element::Literal("+00:00")),
    ("-07", Element::Literal("+00")),
    ("Z070000", Element::Literal("Z")),
    ("Z07:00:00", Element::Literal("Z")),
    ("Z0700", Element::Literal("Z")),
    ("Z07:00", Element::Literal("Z")),
    ("Z07", Element::Literal("Z")),
];

/// The element at the start of a layout, and its length.
fn element(layout: &str) -> Option<(Element, usize)> {
    if layout.starts_with("_2006") {
        // An underscore and the year.
        return None;
    }
    if let Some((written, element)) = ELEMENTS.iter().find(|(written, _)| layout.starts_with(written)) {
        return Some((*element, written.len()));
    }
    for (written, element) in [("Jan", Element::MonthShort), ("Mon", Element::WeekdayShort)] {
        let behind = layout.strip_prefix(written);
        if behind.is_some_and(|behind| !behind.starts_with(|next: char| next.is_ascii_lowercase())) {
            return Some((element, written.len()));
        }
    }
    let separator = layout.chars().next().filter(|first| matches!(first, '.' | ','))?;
    let digit = layout.chars().nth(1).filter(|digit| matches!(digit, '0' | '9'))?;
    let digits = layout.chars().skip(1).take_while(|next| *next == digit).count();
    if layout.chars().nth(1 + digits).is_some_and(|next| next.is_ascii_digit()) {
        return None;
    }
    let trims = if digit == '9' { Trims::Zeros } else { Trims::Nothing };
    Some((Element::Fraction { separator, digits, trims }, 1 + digits))
}

fn write(at: DateTime<Utc>, element: Element) -> String {
    let short = |name: String| name.chars().take(3).collect::<String>();
    let month = || month_name(i64::from(at.month()));
    let weekday = || weekday_name(i64::from(at.weekday().num_days_from_sunday()));
    let (_, twelve) = at.hour12();
    match element {
        Element::Literal(text) => text.to_owned(),
        Element::MonthName => month(),
        Element::MonthShort => short(month()),
        Element::Month => at.month().to_string(),
        Element::MonthTwo => format!("{:02}", at.month()),
        Element::WeekdayName => weekday(),
        Element::WeekdayShort => short(weekday()),
        Element::Day => at.day().to_string(),
        Element::DaySpaced => format!("{:2}", at.day()),
        Element::DayTwo => format!("{:02}", at.day()),
        Element::YearDaySpaced => format!("{:3}", at.ordinal()),
        Element::YearDayThree => format!("{:03}", at.ordinal()),
        Element::Hour => format!("{:02}", at.hour()),
        Element::HourTwelve => twelve.to_string(),
        Element::HourTwelveTwo => format!("{twelve:02}"),
        Element::Minute => at.minute().to_string(),
        Element::MinuteTwo => format!("{:02}", at.minute()),
        Element::Second => at.second().to_string(),
        Element::SecondTwo => format!("{:02}", at.second()),
        Element::Year => format!("{:04}", at.year()),
        Element::YearTwo => format!("{:02}", at.year().rem_euclid(100)),
        Element::HalfOfDay(morning, evening) => if at.hour() < 12 { morning } else { evening }.to_owned(),
        Element::Fraction { separator, digits, trims } => fraction(at, separator, digits, trims),
    }
}

fn fraction(at: DateTime<Utc>, separator: char, digits: usize, trims: Trims) -> String {
    let nanos = format!("{:09}", at.nanosecond() % 1_000_000_000);
    let mut shown: String = nanos.chars().chain(std::iter::repeat('0')).take(digits).collect();
    if trims == Trims::Zeros {
        shown.truncate(shown.trim_end_matches('0').len());
        if shown.is_empty() {
            return shown;
        }
    }
    format!("{separator}{shown}")
}

/// Nanoseconds as seconds, minutes or hours, in Go's rounding.
pub(super) fn in_units(nanos: i64, unit: i64) -> f64 {
    (nanos / unit) as f64 + (nanos % unit) as f64 / unit as f64
}

/// Seconds since the epoch as an instant of whole milliseconds, as Prometheus has them.
pub(super) fn from_seconds(seconds: f64) -> Result<DateTime<Utc>, String> {
    if !seconds.is_finite() {
        return Err("value is NaN or Inf".to_owned());
    }
    let nanos = seconds * 1e9;
    if nanos > i64::MAX as f64 || nanos < i64::MIN as f64 {
        let value = float::plain(seconds);
        return Err(format!(
            "{value} cannot be represented as a nanoseconds timestamp since it overflows int64"
        ));
    }
    let millis = nanos as i64 / 1_000_000;
    DateTime::from_timestamp_millis(millis).ok_or_else(|| "the instant is out of range".to_owned())
}

const fn method_of(
    name: &'static str,
    takes: &'static [Parameter],
    work: fn(&[Value]) -> Result<Value, Fault>,
) -> Function {
    Function::plain(name, takes, work)
}

const fn many(name: &'static str, results: u8) -> Function {
    Function { name, takes: &[], more: None, results, work: Work::Plain(|_| Ok(Value::Absent)) }
}

/// The methods of `time.Time`.
const TIME: &[Function] = &[
    method_of("Format", &[Parameter::Text], |given| Ok(Value::text(format(at(given, 0)?, layout(given)?)))),
    method_of("String", &[], |given| Ok(Value::text(text(at(given, 0)?)))),
    method_of("Year", &[], |given| Ok(Value::int(at(given, 0)?.year().into()))),
    method_of("Month", &[], |given| Ok(Value::Whole(at(given, 0)?.month().into(), WholeType::Month))),
    method_of("Day", &[], |given| Ok(Value::int(at(given, 0)?.day().into()))),
    method_of("Weekday", &[], |given| {
        let day = at(given, 0)?.weekday().num_days_from_sunday();
        Ok(Value::Whole(day.into(), WholeType::Weekday))
    }),
    method_of("YearDay", &[], |given| Ok(Value::int(at(given, 0)?.ordinal().into()))),
    method_of("Hour", &[], |given| Ok(Value::int(at(given, 0)?.hour().into()))),
    method_of("Minute", &[], |given| Ok(Value::int(at(given, 0)?.minute().into()))),
    method_of("Second", &[], |given| Ok(Value::int(at(given, 0)?.second().into()))),
    method_of("Nanosecond", &[], |given| Ok(Value::int(at(given, 0)?.nanosecond().into()))),
    method_of("Unix", &[], |given| Ok(int64(at(given, 0)?.timestamp()))),
    method_of("UnixMilli", &[], |given| Ok(int64(at(given, 0)?.timestamp_millis()))),
    method_of("UnixMicro", &[], |given| Ok(int64(at(given, 0)?.timestamp_micros()))),
    method_of("UnixNano", &[], |given| Ok(int64(nanos(at(given, 0)?)))),
    method_of("IsZero", &[], |given| {
        let at = at(given, 0)?;
        Ok(Value::Bool((at.year(), at.ordinal(), at.num_seconds_from_midnight()) == (1, 1, 0)))
    }),
    method_of("UTC", &[], |given| Ok(Value::Time(at(given, 0)?, Held::Value))),
    method_of("Local", &[], |given| Ok(Value::Time(at(given, 0)?, Held::Value))),
    method_of("Location", &[], |_| Ok(Value::Location)),
    method_of("Add", &[Parameter::Duration], |given| later(at(given, 0)?, whole(given, 1)?)),
    method_of("Sub", &[Parameter::Time], |given| {
        let between = at(given, 0)?.signed_duration_since(at(given, 1)?);
        Ok(duration(between.num_nanoseconds().unwrap_or(i64::MAX)))
    }),
    method_of("AddDate", &[Parameter::Int, Parameter::Int, Parameter::Int], |given| {
        let moved = add_date(at(given, 0)?, (whole(given, 1)?, whole(given, 2)?, whole(given, 3)?));
        moved.map(|at| Value::Time(at, Held::Value)).ok_or_else(|| Fault::message("the date is out of range"))
    }),
    method_of("Truncate", &[Parameter::Duration], |given| {
        let (at, step) = (at(given, 0)?, whole(given, 1)?);
        // Go counts from the year 1.
        let since = i128::from(nanos(at)) + i128::from(SECONDS_TO_EPOCH) * 1_000_000_000;
        let over = if step > 0 { since.rem_euclid(i128::from(step)) } else { 0 };
        later(at, -i64::try_from(over).unwrap_or(0))
    }),
    method_of("After", &[Parameter::Time], |given| Ok(Value::Bool(at(given, 0)? > at(given, 1)?))),
    method_of("Before", &[Parameter::Time], |given| Ok(Value::Bool(at(given, 0)? < at(given, 1)?))),
    method_of("Equal", &[Parameter::Time], |given| Ok(Value::Bool(at(given, 0)? == at(given, 1)?))),
    many("Date", 3),
    many("Clock", 3),
    many("ISOWeek", 2),
    many("Zone", 2),
];

/// The methods of `time.Duration`.
const DURATION: &[Function] = &[
    method_of("String", &[], |given| Ok(Value::text(duration_text(whole(given, 0)?)))),
    method_of("Seconds", &[], |given| Ok(Value::Float(in_units(whole(given, 0)?, 1_000_000_000)))),
    method_of("Minutes", &[], |given| Ok(Value::Float(in_units(whole(given, 0)?, 60_000_000_000)))),
    method_of("Hours", &[], |given| Ok(Value::Float(in_units(whole(given, 0)?, 3_600_000_000_000)))),
    method_of("Nanoseconds", &[], |given| Ok(int64(whole(given, 0)?))),
    method_of("Microseconds", &[], |given| Ok(int64(whole(given, 0)? / 1_000))),
    method_of("Milliseconds", &[], |given| Ok(int64(whole(given, 0)? / 1_000_000))),
    method_of("Abs", &[], |given| Ok(duration(whole(given, 0)?.saturating_abs()))),
    method_of("Truncate", &[Parameter::Duration], |given| {
        let (held, step) = (whole(given, 0)?, whole(given, 1)?);
        Ok(duration(if step > 0 { held - held % step } else { held }))
    }),
    method_of("Round", &[Parameter::Duration], |given| {
        let (held, step) = (whole(given, 0)?, whole(given, 1)?);
        if step <= 0 {
            return Ok(duration(held));
        }
        let over = held % step;
        let up = over.unsigned_abs() >= step.unsigned_abs() - over.unsigned_abs();
        Ok(duration((held - over).saturating_add(if up { step * held.signum() } else { 0 })))
    }),
];

/// The method of months, days and places.
const STRING: &[Function] = &[method_of("String", &[], |given| {
    Ok(Value::text(given.first().and_then(Value::spoken).unwrap_or_default()))
})];

/// Seconds from the year 1 to 1970.
pub(super) const SECONDS_TO_EPOCH: i64 = 62_135_596_800;

/// The method of a value.
pub(super) fn method(receiver: &Value, name: &str) -> Option<&'static Function> {
    let methods = match receiver {
        Value::Time(..) => TIME,
        Value::Whole(_, WholeType::Duration) => DURATION,
        Value::Whole(_, WholeType::Month | WholeType::Weekday) | Value::Location => STRING,
        Value::Whole(_, WholeType::Int | WholeType::Int64 | WholeType::Byte)
        | Value::Absent
        | Value::Interface(_)
        | Value::Bool(_)
        | Value::Float(_)
        | Value::Complex(..)
        | Value::Text(..)
        | Value::Labels(_)
        | Value::Arguments(_)
        | Value::Samples(_)
        | Value::Sample(_)
        | Value::SampleStruct(_)
        | Value::Data(_) => return None,
    };
    methods.iter().find(|method| method.name == name)
}

fn at(given: &[Value], index: usize) -> Result<DateTime<Utc>, Fault> {
    match given.get(index) {
        Some(Value::Time(at, _)) => Ok(*at),
        _ => Err(Fault::message("expected time.Time")),
    }
}

fn whole(given: &[Value], index: usize) -> Result<i64, Fault> {
    match given.get(index) {
        Some(Value::Whole(whole, _)) => Ok(*whole),
        _ => Err(Fault::message("expected integer")),
    }
}

fn layout(given: &[Value]) -> Result<&str, Fault> {
    let layout = given.get(1).and_then(super::format::plain_text);
    layout.map(AsRef::as_ref).ok_or_else(|| Fault::message("expected string"))
}

const fn int64(whole: i64) -> Value {
    Value::Whole(whole, WholeType::Int64)
}

const fn duration(nanos: i64) -> Value {
    Value::Whole(nanos, WholeType::Duration)
}

fn nanos(at: DateTime<Utc>) -> i64 {
    at.timestamp_nanos_opt().unwrap_or(0)
}

fn later(at: DateTime<Utc>, nanos: i64) -> Result<Value, Fault> {
    let moved = at.checked_add_signed(chrono::TimeDelta::nanoseconds(nanos));
    moved.map(|at| Value::Time(at, Held::Value)).ok_or_else(|| Fault::message("the instant is out of range"))
}
