//! Instant selectors: the last sample of each series that is not too old.

use std::ops::Range;
use std::sync::Arc;

use super::super::EvalError;
use super::super::ast::{At, RangeMode, Shift, VectorSelector};
use super::super::histogram::FloatHistogram;
use super::super::storage::{Extent, STALE_BITS, Sample, SelectedSeries, Selection, Value};
use super::{Evaluator, Grid, Matrix, Reading, Row, Times};

impl Evaluator<'_> {
    /// Where `offset` and `@` make a selector read.
    pub(in crate::engine::promql) fn times(&self, shift: &Shift, grid: Grid) -> Result<Times, EvalError> {
        let offset_ms = match &shift.offset {
            Some(offset) => self.duration_ms(offset)?,
            None => 0,
        };
        Ok(match shift.at {
            None => Times::Moving { grid, offset_ms },
            Some(At::Time(time_ms)) => Times::Fixed(time_ms.saturating_sub(offset_ms)),
            Some(At::Start) => Times::Fixed(self.query.start_ms.saturating_sub(offset_ms)),
            Some(At::End) => Times::Fixed(self.query.end_ms.saturating_sub(offset_ms)),
        })
    }

    /// The series of a selector with their samples in `(from, to]`.
    pub(in crate::engine::promql) fn fetch(
        &self,
        selector: &VectorSelector,
        after_ms: i64,
        end_ms: i64,
        extent: Extent,
    ) -> Vec<SelectedSeries> {
        let start_ms = after_ms.saturating_add(1);
        // A hint needs the samples before.
        let hinted = self.reading == Reading::Statistics;
        let extent = if hinted { Extent::All } else { extent };
        let mut selected =
            self.storage.select(Selection { matchers: &selector.matchers, start_ms, end_ms, extent });
        if hinted {
            for series in &mut selected {
                hint(&mut series.samples);
            }
        }
        selected
    }

    /// An instant selector at each step of `grid`.
    pub(in crate::engine::promql) fn select_vector(
        &mut self,
        selector: &VectorSelector,
        span: &Range<usize>,
        grid: Grid,
    ) -> Result<Matrix, EvalError> {
        let times = self.times(&selector.shift, grid)?;
        if selector.range_mode == RangeMode::Smoothed {
            return self.smooth_vector(selector, span, times, grid);
        }
        self.latest(selector, span, (times, grid), |sample| sample.value.clone())
    }

    /// The last sample of each series at each step that is not too old, as `reading` sees it.
    pub(in crate::engine::promql) fn latest(
        &mut self,
        selector: &VectorSelector,
        span: &Range<usize>,
        (times, grid): (Times, Grid),
        reading: impl Fn(&Sample) -> Value,
    ) -> Result<Matrix, EvalError> {
        let lookback_ms = self.lookback_ms();
        let (first, last) = times.bounds();
        let extent = if first == last { Extent::Last } else { Extent::All };
        let selected = self.fetch(selector, first.saturating_sub(lookback_ms), last, extent);
        self.go_on(span)?;
        self.fits(selected.iter().map(|series| series.samples.len()).sum(), span)?;
        if first == last {
            let mut matrix = Matrix::with_capacity(1, selected.len());
            for series in selected {
                if let Some(sample) = series.samples.last().filter(|sample| !is_stale(&sample.value)) {
                    let value = reading(sample);
                    matrix.push(Row::new(series.labels), [Some(value)]);
                }
            }
            self.fits(matrix.size().saturating_mul(grid.steps()), span)?;
            return Ok(matrix.repeated(grid.steps()));
        }
        self.fits(selected.len().saturating_mul(grid.steps()), span)?;
        let mut matrix = Matrix::with_capacity(grid.steps(), selected.len());
        for series in selected {
            self.go_on(span)?;
            let samples = series.samples.as_slice();
            let mut seen = 0;
            let mut any = false;
            let mut cells = Vec::with_capacity(grid.steps());
            for step in 0..grid.steps() {
                let time_ms = times.at(step);
                while samples.get(seen).is_some_and(|sample| sample.time_ms <= time_ms) {
                    seen += 1;
                }
                let latest = seen.checked_sub(1).and_then(|at| samples.get(at)).filter(|sample| {
                    sample.time_ms > time_ms.saturating_sub(lookback_ms) && !is_stale(&sample.value)
                });
                any |= latest.is_some();
                cells.push(latest.map(&reading));
            }
            if any {
                matrix.push(Row::new(series.labels), cells);
            }
        }
        Ok(matrix)
    }
}

/// Gives each histogram without a hint the one that comparing it with the histogram before gives.
fn hint(samples: &mut [Sample]) {
    let mut previous: Option<Arc<FloatHistogram>> = None;
    for sample in samples {
        let Value::Histogram(histogram) = &mut sample.value else { continue };
        if let Some(previous) = &previous {
            let hint = histogram.compared_hint(previous);
            if hint != histogram.reset_hint {
                *histogram = Arc::new(FloatHistogram::clone(histogram).hinted(hint));
            }
        }
        previous = Some(Arc::clone(histogram));
    }
}

/// Whether a value marks its series as gone.
pub(in crate::engine::promql) fn is_stale(value: &Value) -> bool {
    match value {
        Value::Float(float) => float.to_bits() == STALE_BITS,
        Value::Histogram(histogram) => histogram.is_stale(),
    }
}
