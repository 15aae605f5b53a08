//! What a function over a range sees: the samples of one series in one window.

use std::sync::Arc;

use super::super::ast::RangeMode;
use super::super::eval::{Annotations, Cell, FloatPoint, HistogramPoint, Note};
use super::super::storage::Value;

/// The samples of one series in one window, and where results and messages go.
pub(in crate::engine::promql) struct Window<'a> {
    /// Its floats, in rising time.
    pub(in crate::engine::promql) floats: &'a [FloatPoint],
    /// Its histograms, in rising time; there is at least one float or one histogram.
    pub(in crate::engine::promql) histograms: &'a [HistogramPoint],
    /// How many floats between the first and the last are not shown, where the function needs no more.
    pub(in crate::engine::promql) left_out: usize,
    /// The metric name, empty where there is none.
    pub(in crate::engine::promql) metric: &'a Arc<str>,
    /// The numbers among the function's arguments.
    pub(in crate::engine::promql) scalars: &'a [f64],
    /// The instant the query is evaluated at.
    pub(in crate::engine::promql) evaluated_ms: i64,
    /// Where the range starts, not included.
    pub(in crate::engine::promql) start_ms: i64,
    /// Where the range ends, included.
    pub(in crate::engine::promql) end_ms: i64,
    /// `anchored`, `smoothed` or neither; samples beyond the range are there in the first two cases.
    pub(in crate::engine::promql) mode: RangeMode,
    /// Where messages point.
    pub(in crate::engine::promql) position: usize,
    /// Where messages go.
    pub(in crate::engine::promql) notes: &'a mut Annotations,
    /// Why the query must fail, where it must.
    pub(in crate::engine::promql) failure: Option<String>,
}

/// What a function over a range computes.
pub(in crate::engine::promql) type RangeFunction = fn(&mut Window<'_>) -> Cell;

impl Window<'_> {
    /// Adds a message.
    pub(super) fn note(&mut self, note: Note) {
        self.notes.add(note, self.position);
    }

    /// The number at `index` among the arguments.
    pub(super) fn scalar(&self, index: usize) -> f64 {
        self.scalars.get(index).copied().unwrap_or(f64::NAN)
    }

    /// The length of the range in seconds.
    pub(super) fn range_seconds(&self) -> f64 {
        self.end_ms.saturating_sub(self.start_ms) as f64 / 1e3
    }

    /// Says so where histograms stand beside floats and are left out.
    pub(super) fn note_ignored_histograms(&mut self) {
        if !self.floats.is_empty() && !self.histograms.is_empty() {
            self.note(Note::IgnoredInMixedRange(Arc::clone(self.metric)));
        }
    }

    /// Whether floats and histograms stand beside each other, which is said.
    pub(super) fn is_mixed(&mut self) -> bool {
        let mixed = !self.floats.is_empty() && !self.histograms.is_empty();
        if mixed {
            self.note(Note::MixedFloatsHistograms(Arc::clone(self.metric)));
        }
        mixed
    }

    /// The samples of both kinds in rising time.
    pub(super) fn samples(&self) -> impl Iterator<Item = Point<'_>> {
        merged(self.floats, self.histograms)
    }
}

/// One sample of either kind.
#[derive(Clone, Copy, Debug)]
pub(super) enum Point<'a> {
    Float(&'a FloatPoint),
    Histogram(&'a HistogramPoint),
}

impl Point<'_> {
    /// When it was taken.
    pub(super) fn time_ms(self) -> i64 {
        match self {
            Self::Float(point) => point.time_ms,
            Self::Histogram(point) => point.time_ms,
        }
    }

    /// When its counter started, zero where that is not known.
    pub(super) fn start_ms(self) -> i64 {
        match self {
            Self::Float(point) => point.start_ms,
            Self::Histogram(point) => point.start_ms,
        }
    }

    /// Its value.
    pub(super) fn value(self) -> Value {
        match self {
            Self::Float(point) => Value::Float(point.value),
            Self::Histogram(point) => Value::Histogram(Arc::clone(&point.value)),
        }
    }
}

/// Floats and histograms in rising time.
pub(super) fn merged<'a>(
    floats: &'a [FloatPoint],
    histograms: &'a [HistogramPoint],
) -> impl Iterator<Item = Point<'a>> {
    let (mut floats, mut histograms) = (floats.iter().peekable(), histograms.iter().peekable());
    std::iter::from_fn(move || match (floats.peek(), histograms.peek()) {
        (Some(float), Some(histogram)) if histogram.time_ms < float.time_ms => {
            histograms.next().map(Point::Histogram)
        }
        (Some(_), _) => floats.next().map(Point::Float),
        (None, _) => histograms.next().map(Point::Histogram),
    })
}
