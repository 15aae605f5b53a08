//! Numbers in the unit of what they measure, as far as an expression tells.

use std::time::Duration;

use crate::engine::metric::{Part, sample_names};
use crate::engine::promql::Expr;
use crate::engine::promql::ast::{AggregateOp, Binary, BinaryOp, ComparisonMode, Node};
use crate::engine::promql::inspect::{number, unwrapped};
use crate::engine::time::Timestamp;
use crate::shell::prometheus_json::float;

use super::words;

/// What a number is a number of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Unit {
    /// A plain number.
    #[default]
    Plain,
    /// Seconds.
    Seconds,
    /// Seconds since the Unix epoch.
    Instant,
    /// Bytes.
    Bytes,
    /// A share of one.
    Ratio,
    /// A share of a hundred.
    Percent,
}

/// A unit, and whether it is so many each second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Measure {
    unit: Unit,
    pace: Pace,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pace {
    #[default]
    Amount,
    EachSecond,
}

impl Measure {
    const PLAIN: Self = Self::amount(Unit::Plain);

    /// Seconds.
    pub(super) const SECONDS: Self = Self::amount(Unit::Seconds);

    const fn amount(unit: Unit) -> Self {
        Self { unit, pace: Pace::Amount }
    }

    /// What an expression measures.
    pub(super) fn of(expr: &Expr) -> Self {
        match &expr.node {
            Node::Number(_) | Node::String(_) => Self::PLAIN,
            Node::Vector(selector) | Node::Matrix { selector, .. } => {
                Self::amount(selector.name.as_deref().map(unit_of_metric).unwrap_or_default())
            }
            Node::Subquery { expr, .. } | Node::Unary { expr, .. } | Node::Paren(expr) => Self::of(expr),
            Node::Binary(binary) => Self::of_binary(binary),
            Node::Aggregate(aggregate) => match aggregate.op {
                AggregateOp::Count | AggregateOp::Group | AggregateOp::CountValues | AggregateOp::Stdvar => {
                    Self::PLAIN
                }
                AggregateOp::Sum
                | AggregateOp::Avg
                | AggregateOp::Min
                | AggregateOp::Max
                | AggregateOp::Stddev
                | AggregateOp::Topk
                | AggregateOp::Bottomk
                | AggregateOp::Quantile
                | AggregateOp::Limitk
                | AggregateOp::LimitRatio => Self::of(&aggregate.expr),
            },
            Node::Call { function, args } => Self::of_call(function.name, args),
        }
    }

    fn of_call(function: &str, args: &[Expr]) -> Self {
        let of = |place: usize| args.get(place).map(Self::of).unwrap_or_default();
        match function {
            "rate" | "irate" | "deriv" => Self { pace: Pace::EachSecond, ..of(0) },
            "histogram_quantile" => Self { pace: Pace::Amount, ..of(1) },
            "quantile_over_time" => of(1),
            "time" | "timestamp" => Self::amount(Unit::Instant),
            "count_over_time" | "changes" | "resets" | "absent" | "absent_over_time"
            | "present_over_time" | "sgn" | "stdvar_over_time" | "scalar_count" | "histogram_count"
            | "ln" | "log2" | "log10" | "exp" => Self::PLAIN,
            _ => of(0),
        }
    }

    fn of_binary(binary: &Binary) -> Self {
        if binary.op.is_comparison() && binary.comparison == ComparisonMode::Bool {
            return Self::PLAIN;
        }
        let (left, right) = (Self::of(&binary.left), Self::of(&binary.right));
        match binary.op {
            BinaryOp::Div if number(&binary.right).is_some() => left,
            BinaryOp::Div if left == right && is_times_hundred(&binary.left) => Self::amount(Unit::Percent),
            BinaryOp::Div if left == right => Self::amount(Unit::Ratio),
            BinaryOp::Div if left.pace == right.pace => Self::amount(left.unit),
            BinaryOp::Mul if left.unit == Unit::Ratio && number(&binary.right) == Some(100.0) => {
                Self::amount(Unit::Percent)
            }
            BinaryOp::Mul if right.unit == Unit::Ratio && number(&binary.left) == Some(100.0) => {
                Self::amount(Unit::Percent)
            }
            BinaryOp::Sub if left.unit == Unit::Instant && right.unit == Unit::Instant => {
                Self::amount(Unit::Seconds)
            }
            BinaryOp::Pow | BinaryOp::Atan2 => Self::PLAIN,
            BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Div
            | BinaryOp::Mod
            | BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::Greater
            | BinaryOp::Less
            | BinaryOp::GreaterOrEqual
            | BinaryOp::LessOrEqual
            | BinaryOp::And
            | BinaryOp::Or
            | BinaryOp::Unless
            | BinaryOp::TrimUpper
            | BinaryOp::TrimLower => {
                if left == Self::PLAIN {
                    right
                } else {
                    left
                }
            }
        }
    }

    /// The same, where thresholds do not tell that what looks like a share of one is none.
    pub(super) fn fitting(self, mut thresholds: impl Iterator<Item = f64>) -> Self {
        let is_share = self.unit != Unit::Ratio || thresholds.all(|threshold| threshold.abs() <= 1.0);
        if is_share { self } else { Self { unit: Unit::Plain, ..self } }
    }

    /// A round step between values of this measure, from `rough` up.
    pub(super) fn round_step(self, rough: f64) -> f64 {
        match self.unit {
            Unit::Seconds if rough > 5.0 => {
                let step = ROUND_SECONDS.into_iter().map(|step| step as f64).find(|step| *step >= rough);
                step.unwrap_or_else(|| decimal_step(rough))
            }
            Unit::Bytes if rough >= 1_024.0 => {
                let unit = 1_024_f64.powf((rough.ln() / 1_024_f64.ln()).floor());
                let step = decimal_step(rough / unit);
                if step < 1_000.0 { step * unit } else { 1_024.0 * unit }
            }
            Unit::Plain | Unit::Seconds | Unit::Instant | Unit::Bytes | Unit::Ratio | Unit::Percent => {
                decimal_step(rough)
            }
        }
    }

    /// A value for people: `22.6 %`, `1.2 s`, `3.4 MiB`, `12,345`, `7.5/s`.
    pub(super) fn text(self, value: f64) -> String {
        if !value.is_finite() {
            return float(value);
        }
        let amount = match self.unit {
            Unit::Plain => digits(value),
            Unit::Seconds => seconds(value),
            Unit::Instant => return Timestamp::from_micros((value * 1e6) as i64).to_string(),
            Unit::Bytes => bytes(value),
            Unit::Ratio => format!("{} %", digits(value * 100.0)),
            Unit::Percent => format!("{} %", digits(value)),
        };
        match self.pace {
            Pace::Amount => amount,
            Pace::EachSecond => format!("{amount}/s"),
        }
    }
}

/// Round steps of whole seconds: those that divide a minute, an hour, a day, and a few days.
pub(super) const ROUND_SECONDS: [i64; 20] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
    172_800, 432_000,
];

/// One, two or five of a power of ten, from `rough` up.
fn decimal_step(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power);
    // A little below is as good: 0.2 is what 0.2000000001 asks for.
    steps.into_iter().find(|step| *step >= rough * 0.999_999).unwrap_or(rough)
}

/// Whether an expression is a product with 100, as shares of a hundred are written.
fn is_times_hundred(expr: &Expr) -> bool {
    let Node::Binary(binary) = &unwrapped(expr).node else { return false };
    let hundred = [&binary.left, &binary.right].into_iter().any(|side| number(side) == Some(100.0));
    binary.op == BinaryOp::Mul && hundred
}

/// The unit that a metric's name says.
fn unit_of_metric(name: &str) -> Unit {
    let is_count =
        name.ends_with("_count") && sample_names(name).any(|sample| matches!(sample.part, Part::Count));
    if is_count {
        return Unit::Plain;
    }
    let family = ["_total", "_bucket", "_sum"].into_iter().find_map(|suffix| name.strip_suffix(suffix));
    let family = family.unwrap_or(name);
    if family.ends_with("_timestamp_seconds") || family.ends_with("_time_seconds") && family.contains("start")
    {
        return Unit::Instant;
    }
    match family.rsplit('_').next() {
        Some("seconds") => Unit::Seconds,
        Some("bytes") => Unit::Bytes,
        Some("ratio") => Unit::Ratio,
        Some("percent") => Unit::Percent,
        _ => Unit::Plain,
    }
}

/// A number with three digits that matter at least, thousands apart; huge and tiny ones with an exponent.
fn digits(value: f64) -> String {
    let size = value.abs();
    if size >= 1e15 || (size > 0.0 && size < 1e-6) {
        return format!("{value:.2e}");
    }
    if size >= 999.5 || value.fract() == 0.0 {
        let sign = if value.round() < 0.0 { "−" } else { "" };
        return format!("{sign}{}", words::thousands(size.round() as u64));
    }
    let decimals = if size == 0.0 { 0 } else { (2 - size.log10().floor() as i32).clamp(0, 8) as usize };
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    text.replace('-', "−")
}

fn seconds(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0 s".to_owned();
    }
    if size < 0.001 {
        return format!("{} µs", digits(value * 1e6));
    }
    if size < 1.0 {
        return format!("{} ms", digits(value * 1e3));
    }
    if size < 60.0 {
        return format!("{} s", digits(value));
    }
    let sign = if value < 0.0 { "−" } else { "" };
    format!("{sign}{}", words::span(Duration::from_secs(size.round() as u64)))
}

fn bytes(value: f64) -> String {
    let mut value = value;
    let mut units = ["B", "KiB", "MiB", "GiB"].into_iter();
    let mut unit = units.next().unwrap_or("B");
    for larger in units.chain(["TiB"]) {
        if value.abs() < 1_024.0 {
            break;
        }
        (value, unit) = (value / 1_024.0, larger);
    }
    format!("{} {unit}", digits(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::promql::parse;

    #[test]
    fn a_value_is_shown_in_the_unit_its_expression_tells() {
        let cases = [
            ("queue_depth", 12_345.0, "12,345"),
            ("sum(queue_depth)", 0.0, "0"),
            ("queue_oldest_job_age_seconds", 125.0, "2 min 5 s"),
            ("cache_hit_ratio", 0.226, "22.6 %"),
            ("sum(increase(a_total[1m])) / sum(increase(b_total[1m]))", 0.05, "5 %"),
            ("a / b * (c >= bool 5)", 0.5, "50 %"),
            ("100 * a / b", 25.0, "25 %"),
            ("100 * (a / b)", 25.0, "25 %"),
            ("rate(a_total[1m])", 7.5, "7.5/s"),
            ("rate(read_bytes_total[1m])", 2_048.0, "2 KiB/s"),
            ("histogram_quantile(0.95, sum by (le) (rate(q_seconds_bucket[1m])))", 0.35, "350 ms"),
            ("rate(q_seconds_sum[1m]) / rate(q_seconds_count[1m])", 1.25, "1.25 s"),
            ("time() - last_timestamp_seconds", 3_700.0, "1 h 1 min"),
            ("count(q_seconds_sum)", 3.0, "3"),
            ("a > 3", -0.123_45, "−0.123"),
            ("a_bytes", 5.0e6, "4.77 MiB"),
            ("a", 1e20, "1.00e20"),
        ];
        for (query, value, text) in cases {
            assert_eq!(Measure::of(&parse(query).unwrap()).text(value), text, "{query}");
        }
        assert_eq!(Measure::default().text(f64::NAN), "NaN");
    }
}

#[cfg(test)]
mod number_tests;
