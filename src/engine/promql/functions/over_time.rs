//! Functions that sum a window up in one value: `avg_over_time` and its kind.

use std::sync::Arc;

use super::super::eval::{Cell, Kahan, Mean, Merge, Note};
use super::super::histogram::{FloatHistogram, HistogramSum, Incompatible, Operation, ResetHint};
use super::super::storage::Value;
use super::quantile::quantile;
use super::window::{Point, Window};

pub(super) fn count(window: &mut Window<'_>) -> Cell {
    let count = window.floats.len() + window.histograms.len();
    (count > 0).then_some(Value::Float(count as f64))
}

pub(super) fn present(window: &mut Window<'_>) -> Cell {
    window.samples().next().map(|_| Value::Float(1.0))
}

pub(super) fn first(window: &mut Window<'_>) -> Cell {
    window.samples().next().map(Point::value)
}

pub(super) fn last(window: &mut Window<'_>) -> Cell {
    last_point(window).map(Point::value)
}

pub(super) fn time_of_first(window: &mut Window<'_>) -> Cell {
    window.samples().next().map(|point| seconds(point.time_ms()))
}

pub(super) fn time_of_last(window: &mut Window<'_>) -> Cell {
    last_point(window).map(|point| seconds(point.time_ms()))
}

fn seconds(time_ms: i64) -> Value {
    Value::Float(time_ms as f64 / 1e3)
}

fn last_point<'a>(window: &Window<'a>) -> Option<Point<'a>> {
    match (window.floats.last(), window.histograms.last()) {
        (Some(float), Some(histogram)) if histogram.time_ms < float.time_ms => Some(Point::Float(float)),
        (Some(float), None) => Some(Point::Float(float)),
        (_, histogram) => histogram.map(Point::Histogram),
    }
}

pub(super) fn max(window: &mut Window<'_>) -> Cell {
    extreme(window, |value, best| value > best).map(|(value, _)| Value::Float(value))
}

pub(super) fn min(window: &mut Window<'_>) -> Cell {
    extreme(window, |value, best| value < best).map(|(value, _)| Value::Float(value))
}

pub(super) fn time_of_max(window: &mut Window<'_>) -> Cell {
    extreme(window, |value, best| value >= best).map(|(_, time_ms)| seconds(time_ms))
}

pub(super) fn time_of_min(window: &mut Window<'_>) -> Cell {
    extreme(window, |value, best| value <= best).map(|(_, time_ms)| seconds(time_ms))
}

/// The best float and its time; any number is better than NaN.
fn extreme(window: &mut Window<'_>, better: impl Fn(f64, f64) -> bool) -> Option<(f64, i64)> {
    window.note_ignored_histograms();
    let first = window.floats.first()?;
    Some(window.floats.iter().fold((first.value, first.time_ms), |best, point| {
        if better(point.value, best.0) || best.0.is_nan() { (point.value, point.time_ms) } else { best }
    }))
}

pub(super) fn sum(window: &mut Window<'_>) -> Cell {
    if window.is_mixed() {
        return None;
    }
    if window.histograms.is_empty() {
        let mut sum = Kahan::default();
        for point in window.floats {
            sum.add(point.value);
        }
        return Some(Value::Float(sum.total()));
    }
    sum_histograms(window, |values| {
        let mut values = values.iter();
        let Some(first) = values.next() else { return Ok((FloatHistogram::default(), false)) };
        let mut sum = HistogramSum::new(first);
        let mut bounds_differ = false;
        for value in values {
            bounds_differ |= sum.apply(Operation::Add, value)?.bounds_differ;
        }
        Ok((sum.finish(), bounds_differ))
    })
}

pub(super) fn average(window: &mut Window<'_>) -> Cell {
    if window.is_mixed() {
        return None;
    }
    if let [first, others @ ..] = window.floats {
        let mut mean = Mean::new(first.value);
        for point in others {
            mean.add(point.value);
        }
        return Some(Value::Float(mean.finish()));
    }
    sum_histograms(window, |values| {
        let Some((first, others)) = values.split_first() else {
            return Ok((FloatHistogram::default(), false));
        };
        let mut mean = super::super::histogram::HistogramMean::new(first);
        let mut bounds_differ = false;
        for value in others {
            bounds_differ |= mean.add(value)?.bounds_differ;
        }
        Ok((mean.finish(), bounds_differ))
    })
}

/// Sums histograms up, with messages about what did not go together.
fn sum_histograms(
    window: &mut Window<'_>,
    sum: impl Fn(&[Arc<FloatHistogram>]) -> Result<(FloatHistogram, bool), Incompatible>,
) -> Cell {
    let values: Vec<Arc<FloatHistogram>> =
        window.histograms.iter().map(|point| Arc::clone(&point.value)).collect();
    let Ok((sum, bounds_differ)) = sum(&values) else {
        window.note(Note::MixedExponentialCustom(Arc::clone(window.metric)));
        return None;
    };
    let hinted = |hint: ResetHint| values.iter().any(|value| value.reset_hint == hint);
    if hinted(ResetHint::Reset) && hinted(ResetHint::NotReset) {
        window.note(Note::ResetsCollide(Merge::Aggregation));
    }
    if bounds_differ {
        window.note(Note::BoundsReconciled(Merge::Aggregation));
    }
    Some(Value::Histogram(Arc::new(sum)))
}

pub(super) fn standard_deviation(window: &mut Window<'_>) -> Cell {
    spread(window).map(|variance| Value::Float(variance.sqrt()))
}

pub(super) fn variance(window: &mut Window<'_>) -> Cell {
    spread(window).map(Value::Float)
}

fn spread(window: &mut Window<'_>) -> Option<f64> {
    window.note_ignored_histograms();
    if window.floats.is_empty() {
        return None;
    }
    let (mut count, mut mean, mut squares) = (0.0, Kahan::default(), Kahan::default());
    for point in window.floats {
        count += 1.0;
        let distance = point.value - mean.total();
        mean.add(distance / count);
        squares.add(distance * (point.value - mean.total()));
    }
    Some(squares.total() / count)
}

pub(super) fn quantile_over_time(window: &mut Window<'_>) -> Cell {
    if window.floats.is_empty() {
        return None;
    }
    let q = window.scalar(0);
    if !(0.0..=1.0).contains(&q) {
        window.note(Note::InvalidQuantile(q.to_bits()));
    }
    window.note_ignored_histograms();
    let values = window.floats.iter().map(|point| point.value).collect();
    Some(Value::Float(quantile(q, values)))
}

/// The median distance from the median.
pub(super) fn median_deviation(window: &mut Window<'_>) -> Cell {
    if window.floats.is_empty() {
        return None;
    }
    window.note_ignored_histograms();
    let values: Vec<f64> = window.floats.iter().map(|point| point.value).collect();
    if values.iter().any(|value| value.is_nan()) {
        return Some(Value::Float(f64::NAN));
    }
    let median = quantile(0.5, values.clone());
    let distances = values.iter().map(|value| (value - median).abs()).collect();
    Some(Value::Float(quantile(0.5, distances)))
}
