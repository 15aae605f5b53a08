//! Whether a result is the expected one.

use std::collections::BTreeMap;

use signalbox::engine::labels::Labels;
use signalbox::engine::promql::histogram::{Bucket, FloatHistogram, ResetHint};
use signalbox::engine::promql::series_notation::Point;
use signalbox::engine::promql::{SelectedSeries, Value};

use super::command::{Row, Steps};

/// How far floats may differ, relative to their sum.
const TOLERANCE: f64 = 1e-6;

/// Whether the order of a vector's series counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Any,
    AsWritten,
}

/// Compares a vector.
pub(super) fn vector(rows: &[Row], found: &[(Labels, Value)], order: Order) -> Result<(), String> {
    let mut wanted = Vec::new();
    for row in rows {
        match row {
            Row::Series(labels, points) => match points.as_slice() {
                [Some(value)] => wanted.push((labels, value)),
                _ => return Err(format!("{labels} needs exactly one value")),
            },
            Row::Number(value) => return Err(format!("expected the scalar {value}, got {}", shown(found))),
        }
    }
    let mismatch = || {
        let wanted: Vec<_> =
            wanted.iter().map(|(labels, value)| ((*labels).clone(), (*value).clone())).collect();
        Err(format!("expected {}, got {}", shown(&wanted), shown(found)))
    };
    if wanted.len() != found.len() {
        return mismatch();
    }
    for (at, (labels, value)) in wanted.iter().enumerate() {
        match found.iter().enumerate().find(|(_, (other, _))| other == *labels) {
            Some((place, (_, other))) if (order == Order::Any || place == at) && same(value, other) => {}
            _ => return mismatch(),
        }
    }
    Ok(())
}

/// Compares a scalar.
pub(super) fn scalar(rows: &[Row], found: f64) -> Result<(), String> {
    match rows {
        [Row::Number(wanted)] if close(*wanted, found) => Ok(()),
        [Row::Number(wanted)] => Err(format!("expected {wanted}, got {found}")),
        _ => Err(format!("expected no single number, got {found}")),
    }
}

/// Compares series over time.
pub(super) fn matrix(rows: &[Row], steps: Steps, found: &[SelectedSeries]) -> Result<(), String> {
    let mut seen = 0;
    for row in rows {
        let Row::Series(labels, points) = row else {
            return Err("a range query yields no scalar".to_owned());
        };
        let wanted: BTreeMap<i64, &Value> = (0_i64..)
            .zip(points)
            .filter_map(|(at, point): (i64, &Point)| Some((steps.start + at * steps.step, point.as_ref()?)))
            .collect();
        let mut of_labels = found.iter().filter(|series| series.labels == *labels);
        let (series, again) = (of_labels.next(), of_labels.next());
        if again.is_some() {
            return Err(format!("{labels} is there more than once"));
        }
        let Some(series) = series else {
            if wanted.is_empty() {
                continue;
            }
            return Err(format!("{labels} is missing; there are {}", shown_series(found)));
        };
        seen += 1;
        let found: BTreeMap<i64, &Value> =
            series.samples.iter().map(|sample| (sample.time_ms, &sample.value)).collect();
        let alike = wanted.len() == found.len()
            && wanted.iter().all(|(time, value)| found.get(time).is_some_and(|found| same(value, found)));
        if !alike {
            return Err(format!(
                "{labels}: expected {}, got {}",
                shown_points(&wanted),
                shown_points(&found)
            ));
        }
    }
    if seen == found.len() {
        Ok(())
    } else {
        Err(format!("{seen} series are expected, got {}", shown_series(found)))
    }
}

fn same(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Float(wanted), Value::Float(found)) => close(*wanted, *found),
        (Value::Histogram(wanted), Value::Histogram(found)) => same_histogram(wanted, found),
        _ => false,
    }
}

fn close(wanted: f64, found: f64) -> bool {
    if wanted.is_nan() || found.is_nan() {
        return wanted.is_nan() && found.is_nan();
    }
    if wanted == found {
        return true;
    }
    let sum = wanted.abs() + found.abs();
    let difference = (wanted - found).abs();
    if wanted == 0.0 || found == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

fn same_histogram(wanted: &FloatHistogram, found: &FloatHistogram) -> bool {
    let buckets = |all: &[Bucket]| -> Vec<Bucket> {
        all.iter().filter(|bucket| bucket.count != 0.0).copied().collect()
    };
    let same_buckets = |wanted: &[Bucket], found: &[Bucket]| {
        let (wanted, found) = (buckets(wanted), buckets(found));
        wanted.len() == found.len()
            && wanted
                .iter()
                .zip(&found)
                .all(|(wanted, found)| wanted.index == found.index && close(wanted.count, found.count))
    };
    wanted.schema == found.schema
        && close(wanted.count, found.count)
        && close(wanted.sum, found.sum)
        && wanted.zero_threshold == found.zero_threshold
        && close(wanted.zero_count, found.zero_count)
        && same_buckets(&wanted.positive, &found.positive)
        && same_buckets(&wanted.negative, &found.negative)
        && wanted.custom_values == found.custom_values
        && (wanted.reset_hint == ResetHint::Unknown || wanted.reset_hint == found.reset_hint)
}

fn shown_value(value: &Value) -> String {
    match value {
        Value::Float(value) => value.to_string(),
        Value::Histogram(histogram) => format!("{histogram:?}"),
    }
}

fn shown(vector: &[(Labels, Value)]) -> String {
    if vector.is_empty() {
        return "nothing".to_owned();
    }
    let lines = vector.iter().map(|(labels, value)| format!("\n    {labels} {}", shown_value(value)));
    lines.collect()
}

fn shown_points(points: &BTreeMap<i64, &Value>) -> String {
    let all: Vec<String> =
        points.iter().map(|(time, value)| format!("{}@{time}", shown_value(value))).collect();
    format!("[{}]", all.join(" "))
}

fn shown_series(found: &[SelectedSeries]) -> String {
    let all = found.iter().map(|series| {
        let points = series.samples.iter().map(|sample| (sample.time_ms, &sample.value)).collect();
        format!("\n    {} {}", series.labels, shown_points(&points))
    });
    if found.is_empty() { "none".to_owned() } else { all.collect() }
}
