//! `smoothed` selectors, and `anchored` and `smoothed` ranges as they are shown.

use std::ops::Range;
use std::sync::Arc;

use super::super::EvalError;
use super::super::ast::{RangeMode, VectorSelector};
use super::super::functions::{Interpolation, Slope, interpolated, interpolated_histogram};
use super::super::histogram::ResetHint;
use super::super::storage::{Extent, Value};
use super::{Cell, Evaluator, FloatPoint, Grid, HistogramPoint, Matrix, Note, RangeSeries, Times};

impl Evaluator<'_> {
    /// A `smoothed` instant selector: the value on the line between the samples around each instant.
    pub(super) fn smooth_vector(
        &mut self,
        selector: &VectorSelector,
        span: &Range<usize>,
        times: Times,
        grid: Grid,
    ) -> Result<Matrix, EvalError> {
        let lookback_ms = self.lookback_ms();
        let (first, last) = times.bounds();
        let until = last.saturating_add(lookback_ms);
        let selected = self.fetch(selector, first.saturating_sub(lookback_ms), until, Extent::All);
        self.fits(selected.len().saturating_mul(grid.steps()), span)?;
        let mut matrix = Matrix::with_capacity(grid.steps(), selected.len());
        for series in selected {
            let series = RangeSeries::new(series, self.settings.start_timestamps);
            let cells: Vec<Cell> = (0..grid.steps())
                .map(|step| self.smooth_sample(&series, times.at(step), lookback_ms, span.start))
                .collect();
            if cells.iter().any(Option::is_some) {
                matrix.push(series.row, cells);
            }
        }
        Ok(matrix)
    }

    fn smooth_sample(&mut self, series: &RangeSeries, at_ms: i64, lookback_ms: i64, position: usize) -> Cell {
        let (after, until) = (at_ms.saturating_sub(lookback_ms), at_ms.saturating_add(lookback_ms));
        let floats = within(&series.floats, |point| point.time_ms, after, until);
        let histograms = within(&series.histograms, |point| point.time_ms, after, until);
        if !floats.is_empty() && !histograms.is_empty() {
            self.notes.add(Note::MixedFloatsHistograms(series.row.metric()), position);
            return None;
        }
        if histograms.is_empty() {
            return match around(floats, |point| point.time_ms, at_ms)? {
                (before, Some(after)) => Some(Value::Float(interpolated(before, after, at_ms, Slope::Any))),
                (before, None) => Some(Value::Float(before.value)),
            };
        }
        match around(histograms, |point| point.time_ms, at_ms)? {
            (before, None) => Some(Value::Histogram(Arc::clone(&before.value))),
            (before, Some(after)) => {
                let gauges =
                    before.value.reset_hint == ResetHint::Gauge && after.value.reset_hint == ResetHint::Gauge;
                let metric = series.row.metric();
                let mut interpolation = Interpolation {
                    slope: if gauges { Slope::Any } else { Slope::Counter },
                    metric: &metric,
                    position,
                    notes: &mut self.notes,
                };
                interpolated_histogram(before, after, at_ms, &mut interpolation)
                    .map(|histogram| Value::Histogram(Arc::new(histogram)))
            }
        }
    }
}

/// The points in `(after, until]`.
fn within<T>(points: &[T], time: impl Fn(&T) -> i64, after: i64, until: i64) -> &[T] {
    let start = points.partition_point(|point| time(point) <= after);
    let end = points.partition_point(|point| time(point) <= until);
    points.get(start..end).unwrap_or_default()
}

/// The point at an instant, or those before and after it; nothing where none is before it.
fn around<T>(points: &[T], time: impl Fn(&T) -> i64, at_ms: i64) -> Option<(&T, Option<&T>)> {
    let next = points.partition_point(|point| time(point) < at_ms);
    match points.get(next) {
        Some(point) if time(point) == at_ms => Some((point, None)),
        after => points.get(next.checked_sub(1)?).map(|before| (before, after)),
    }
}

impl RangeSeries {
    /// The samples of an `anchored` or `smoothed` range, with one at each of its ends.
    pub(super) fn extended(self, start_ms: i64, end_ms: i64, mode: RangeMode) -> Self {
        let floats = extended_by(
            &self.floats,
            (start_ms, end_ms),
            mode,
            |point| point.time_ms,
            |before, after, time_ms| FloatPoint {
                time_ms,
                start_ms: 0,
                value: after.map_or(before.value, |after| interpolated(before, after, time_ms, Slope::Any)),
            },
        );
        let mut unheard = super::Annotations::default();
        let metric = self.row.metric();
        let histograms = extended_by(
            &self.histograms,
            (start_ms, end_ms),
            mode,
            |point| point.time_ms,
            |before, after, time_ms| {
                let mut interpolation =
                    Interpolation { slope: Slope::Any, metric: &metric, position: 0, notes: &mut unheard };
                let between = after
                    .and_then(|after| interpolated_histogram(before, after, time_ms, &mut interpolation));
                let value = between.map_or_else(|| Arc::clone(&before.value), Arc::new);
                HistogramPoint { time_ms, start_ms: 0, value }
            },
        );
        Self { row: self.row, floats, histograms, left_out: 0 }
    }
}

/// The points strictly inside a range, and one made by `at` for each of its ends.
fn extended_by<T: Clone>(
    points: &[T],
    (start_ms, end_ms): (i64, i64),
    mode: RangeMode,
    time: impl Fn(&T) -> i64,
    mut at: impl FnMut(&T, Option<&T>, i64) -> T,
) -> Vec<T> {
    let smoothed = mode == RangeMode::Smoothed;
    let first_inside = points.partition_point(|point| time(point) <= start_ms);
    let Some(first_after_start) = points.get(first_inside) else { return Vec::new() };
    let left = match first_inside.checked_sub(1).and_then(|before| points.get(before)) {
        Some(before) => {
            at(before, (smoothed && time(before) < start_ms).then_some(first_after_start), start_ms)
        }
        None => at(first_after_start, None, start_ms),
    };
    let first_at_end = points.partition_point(|point| time(point) < end_ms);
    let before_end = first_at_end.checked_sub(1).and_then(|before| points.get(before));
    let right = match (points.get(first_at_end), before_end) {
        (Some(point), _) if time(point) == end_ms => at(point, None, end_ms),
        (Some(after), Some(before)) if smoothed => at(before, Some(after), end_ms),
        (_, Some(before)) => at(before, None, end_ms),
        (Some(after), None) => at(after, None, end_ms),
        (None, None) => return Vec::new(),
    };
    let inside = points.get(first_inside..first_at_end).unwrap_or_default();
    std::iter::once(left).chain(inside.iter().cloned()).chain(std::iter::once(right)).collect()
}
