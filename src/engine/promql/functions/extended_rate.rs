//! `rate`, `increase` and `delta` over `anchored` and `smoothed` ranges: exact ends instead of extrapolated ones.

use std::sync::Arc;

use super::super::ast::RangeMode;
use super::super::eval::{Annotations, Cell, FloatPoint, HistogramPoint, Merge, Note};
use super::super::histogram::{FloatHistogram, Operation, ResetHint};
use super::super::storage::Value;
use super::rate::Change;
use super::window::Window;

/// Whether a fall between two samples is a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::promql) enum Slope {
    /// It is not.
    Any,
    /// It is: the counter restarted from zero.
    Counter,
}

/// How histograms are interpolated, and where messages go.
pub(in crate::engine::promql) struct Interpolation<'a> {
    pub(in crate::engine::promql) slope: Slope,
    pub(in crate::engine::promql) metric: &'a Arc<str>,
    pub(in crate::engine::promql) position: usize,
    pub(in crate::engine::promql) notes: &'a mut Annotations,
}

/// The float at an instant between two samples.
pub(in crate::engine::promql) fn interpolated(
    before: &FloatPoint,
    after: &FloatPoint,
    at_ms: i64,
    slope: Slope,
) -> f64 {
    let from = if slope == Slope::Counter && after.value < before.value { 0.0 } else { before.value };
    from + (after.value - from) * share(before.time_ms, after.time_ms, at_ms)
}

fn share(before_ms: i64, after_ms: i64, at_ms: i64) -> f64 {
    at_ms.saturating_sub(before_ms) as f64 / after_ms.saturating_sub(before_ms) as f64
}

/// The histogram at an instant between two samples; none, with a warning, where they do not go together.
pub(in crate::engine::promql) fn interpolated_histogram(
    before: &HistogramPoint,
    after: &HistogramPoint,
    at_ms: i64,
    interpolation: &mut Interpolation<'_>,
) -> Option<FloatHistogram> {
    if at_ms == before.time_ms {
        return Some(FloatHistogram::clone(&before.value));
    }
    if at_ms == after.time_ms {
        return Some(FloatHistogram::clone(&after.value));
    }
    if before.value.has_custom_buckets() != after.value.has_custom_buckets() {
        let note = Note::MixedExponentialCustom(Arc::clone(interpolation.metric));
        interpolation.notes.add(note, interpolation.position);
        return None;
    }
    let share = share(before.time_ms, after.time_ms, at_ms);
    if interpolation.slope == Slope::Counter && after.value.is_reset_after(&before.value) {
        return Some(after.value.multiplied(share));
    }
    let growth = combined(&after.value, Operation::Subtract, &before.value, interpolation)?;
    combined(&growth.multiplied(share), Operation::Add, &before.value, interpolation)
}

/// A sum or difference, with messages about what had to be reconciled.
fn combined(
    left: &FloatHistogram,
    operation: Operation,
    right: &FloatHistogram,
    interpolation: &mut Interpolation<'_>,
) -> Option<FloatHistogram> {
    let (note, result) = match left.combined(operation, right) {
        Err(_) => (Some(Note::MixedExponentialCustom(Arc::clone(interpolation.metric))), None),
        Ok((result, reconciled)) => {
            let merge = match operation {
                Operation::Add => Merge::Addition,
                Operation::Subtract => Merge::Subtraction,
            };
            (reconciled.bounds_differ.then_some(Note::BoundsReconciled(merge)), Some(result))
        }
    };
    if let Some(note) = note {
        interpolation.notes.add(note, interpolation.position);
    }
    result
}

/// The samples that count in a window: the last one before its start, those inside, and one beyond its end if smoothed.
fn counted<'a, T>(window: &Window<'_>, points: &'a [T], time: impl Fn(&T) -> i64) -> Option<&'a [T]> {
    let first = points.partition_point(|point| time(point) <= window.start_ms).saturating_sub(1);
    let last = match window.mode {
        RangeMode::Smoothed => {
            points.partition_point(|point| time(point) < window.end_ms).min(points.len().saturating_sub(1))
        }
        RangeMode::Anchored | RangeMode::Extrapolated => points.len().saturating_sub(1),
    };
    let counted = points.get(first..=last)?;
    let ends_before = counted.last().is_none_or(|point| time(point) <= window.start_ms);
    let starts_after =
        window.mode == RangeMode::Smoothed && counted.first().is_none_or(|point| time(point) > window.end_ms);
    (!ends_before && !starts_after).then_some(counted)
}

pub(super) fn floats(window: &Window<'_>, asked: Change) -> Cell {
    let points = counted(window, window.floats, |point| point.time_ms)?;
    let slope = if asked.is_counter() { Slope::Counter } else { Slope::Any };
    let smoothed = window.mode == RangeMode::Smoothed;
    let left = match points {
        [before, after, ..] if smoothed && before.time_ms < window.start_ms => {
            interpolated(before, after, window.start_ms, slope)
        }
        [first, ..] => first.value,
        [] => return None,
    };
    let right = match points {
        [.., before, after] if smoothed && after.time_ms > window.end_ms => {
            interpolated(before, after, window.end_ms, slope)
        }
        [.., last] => last.value,
        [] => return None,
    };
    let mut growth = right - left;
    if asked.is_counter() {
        // Resets at the ends are in the interpolated values already.
        let inside =
            points.iter().filter(|point| point.time_ms > window.start_ms && point.time_ms < window.end_ms);
        let mut before = left;
        for value in inside.map(|point| point.value).chain([right]) {
            if value < before {
                growth += before;
            }
            before = value;
        }
    }
    if asked == Change::Rate {
        growth /= window.range_seconds();
    }
    Some(Value::Float(growth))
}

pub(super) fn histograms(window: &mut Window<'_>, asked: Change) -> Cell {
    let points = counted(window, window.histograms, |point| point.time_ms)?;
    let metric = Arc::clone(window.metric);
    let custom = points.first()?.value.has_custom_buckets();
    for point in points {
        if point.value.has_custom_buckets() != custom {
            window.note(Note::MixedExponentialCustom(metric));
            return None;
        }
        if asked.is_counter() && point.value.reset_hint == ResetHint::Gauge {
            window.note(Note::NotCounter(Arc::clone(&metric)));
        }
    }
    let (smoothed, start_ms, end_ms) = (window.mode == RangeMode::Smoothed, window.start_ms, window.end_ms);
    let mut interpolation = Interpolation {
        slope: if asked.is_counter() { Slope::Counter } else { Slope::Any },
        metric: &metric,
        position: window.position,
        notes: window.notes,
    };
    let left = match points {
        [before, after, ..] if smoothed && before.time_ms < start_ms => {
            interpolated_histogram(before, after, start_ms, &mut interpolation)?
        }
        [first, ..] => FloatHistogram::clone(&first.value),
        [] => return None,
    };
    let right = match points {
        [.., before, after] if smoothed && after.time_ms > end_ms => {
            interpolated_histogram(before, after, end_ms, &mut interpolation)?
        }
        [.., last] => FloatHistogram::clone(&last.value),
        [] => return None,
    };
    let gauges = left.reset_hint == ResetHint::Gauge && right.reset_hint == ResetHint::Gauge;
    if !asked.is_counter() && !gauges {
        interpolation.notes.add(Note::NotGauge(Arc::clone(&metric)), interpolation.position);
    }
    let mut growth = combined(&right, Operation::Subtract, &left, &mut interpolation)?;
    if asked.is_counter() {
        for lost in lost_in_resets(points, &left, &right, smoothed.then_some(start_ms)) {
            growth = combined(&growth, Operation::Add, lost, &mut interpolation)?;
        }
    }
    if asked == Change::Rate {
        growth = growth.divided(window.range_seconds());
    }
    Some(Value::Histogram(Arc::new(growth.hinted(ResetHint::Gauge).compacted())))
}

/// The histograms right before each reset between the ends of a range.
fn lost_in_resets<'a>(
    points: &'a [HistogramPoint],
    left: &'a FloatHistogram,
    right: &'a FloatHistogram,
    interpolated_start: Option<i64>,
) -> Vec<&'a FloatHistogram> {
    let (mut before, mut first) = (left, 1);
    if let ([outside, next, ..], Some(start_ms)) = (points, interpolated_start)
        && outside.time_ms < start_ms
        && next.value.is_reset_after(&outside.value)
    {
        // The interpolated left end has this reset in it already.
        before = &next.value;
        first = 2;
    }
    let last = points.len().saturating_sub(1);
    if first > last {
        return Vec::new();
    }
    let mut lost = Vec::new();
    for value in
        points.get(first..last).unwrap_or_default().iter().map(|point| point.value.as_ref()).chain([right])
    {
        if value.is_reset_after(before) {
            lost.push(before);
        }
        before = value;
    }
    lost
}
