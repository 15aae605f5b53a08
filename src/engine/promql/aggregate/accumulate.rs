//! Aggregations that make one value of a group: `sum`, `avg`, `min`, `max`, `count`, `group`, `stddev`, `stdvar`,
//! `quantile`.

use std::sync::Arc;

use super::super::ast::{Aggregate, AggregateOp};
use super::super::eval::{Cell, Evaluator, Kahan, Matrix, Mean, Merge, Note, Row};
use super::super::functions::quantile;
use super::super::histogram::{FloatHistogram, HistogramMean, HistogramSum, Operation, ResetHint};
use super::super::storage::Value;
use super::Groups;

/// A group at one step.
pub(in crate::engine::promql) enum Group {
    /// Nothing yet.
    Empty,
    Sum(Total<Kahan, HistogramSum>),
    Average(Total<Mean, HistogramMean>),
    Extreme(Option<f64>),
    Count(f64),
    One,
    Spread(Spread),
    Quantile(Vec<f64>),
}

/// A sum or average of floats or of histograms.
pub(in crate::engine::promql) struct Total<F, H> {
    floats: Option<F>,
    histograms: Option<H>,
    /// Exponential and custom buckets have met.
    incompatible: bool,
    hints: Hints,
}

/// Which hints have been seen.
#[derive(Clone, Copy, Default)]
pub(in crate::engine::promql) struct Hints {
    reset: bool,
    not_reset: bool,
}

/// A variance under way.
pub(in crate::engine::promql) struct Spread {
    count: f64,
    mean: f64,
    squares: f64,
}

/// Adding one value to a running sum or average.
pub(in crate::engine::promql) trait Running<V: ?Sized> {
    type Outcome;
    fn first(value: &V) -> Self;
    fn further(&mut self, value: &V) -> Self::Outcome;
}

impl Running<f64> for Kahan {
    type Outcome = ();
    fn first(value: &f64) -> Self {
        Self::new(*value)
    }
    fn further(&mut self, value: &f64) {
        self.add(*value);
    }
}

impl Running<f64> for Mean {
    type Outcome = ();
    fn first(value: &f64) -> Self {
        Self::new(*value)
    }
    fn further(&mut self, value: &f64) {
        self.add(*value);
    }
}

/// Whether custom bounds differed; nothing where the histograms have no sum.
type Joined = Option<bool>;

impl Running<FloatHistogram> for HistogramSum {
    type Outcome = Joined;
    fn first(value: &FloatHistogram) -> Self {
        Self::new(value)
    }
    fn further(&mut self, value: &FloatHistogram) -> Joined {
        self.apply(Operation::Add, value).ok().map(|reconciled| reconciled.bounds_differ)
    }
}

impl Running<FloatHistogram> for HistogramMean {
    type Outcome = Joined;
    fn first(value: &FloatHistogram) -> Self {
        Self::new(value)
    }
    fn further(&mut self, value: &FloatHistogram) -> Joined {
        self.add(value).ok().map(|reconciled| reconciled.bounds_differ)
    }
}

impl<F: Running<f64, Outcome = ()>, H: Running<FloatHistogram, Outcome = Joined>> Total<F, H> {
    const fn empty() -> Self {
        Self {
            floats: None,
            histograms: None,
            incompatible: false,
            hints: Hints { reset: false, not_reset: false },
        }
    }

    /// Adds a value; a note where that was not plain.
    fn add(&mut self, value: &Value, row: &Row) -> Option<Note> {
        if self.incompatible {
            return None;
        }
        let histogram = match value {
            Value::Float(value) => {
                match &mut self.floats {
                    Some(floats) => floats.further(value),
                    floats @ None => *floats = Some(F::first(value)),
                }
                return None;
            }
            Value::Histogram(histogram) => histogram,
        };
        self.hints.reset |= histogram.reset_hint == ResetHint::Reset;
        self.hints.not_reset |= histogram.reset_hint == ResetHint::NotReset;
        let Some(histograms) = &mut self.histograms else {
            self.histograms = Some(H::first(histogram));
            return None;
        };
        match histograms.further(histogram) {
            Some(false) => None,
            Some(true) => Some(Note::BoundsReconciled(Merge::Aggregation)),
            None => {
                self.incompatible = true;
                Some(Note::MixedExponentialCustom(row.metric()))
            }
        }
    }

    fn finish(
        self,
        float: impl Fn(F) -> f64,
        histogram: impl Fn(H) -> FloatHistogram,
    ) -> (Cell, Option<Note>) {
        match (self.floats, self.histograms) {
            (Some(_), Some(_)) => (None, Some(Note::MixedInAggregation)),
            _ if self.incompatible => (None, None),
            (Some(floats), None) => (Some(Value::Float(float(floats))), None),
            (None, Some(histograms)) => {
                let collide = self.hints.reset && self.hints.not_reset;
                let value = Value::Histogram(Arc::new(histogram(histograms).compacted()));
                (Some(value), collide.then_some(Note::ResetsCollide(Merge::Aggregation)))
            }
            (None, None) => (None, None),
        }
    }
}

impl Evaluator<'_> {
    /// One value per group at each step.
    pub(super) fn accumulate(
        &mut self,
        aggregate: &Aggregate,
        matrix: &Matrix,
        quantiles: &[f64],
        position: usize,
    ) -> Matrix {
        let groups = Groups::new(matrix.rows(), &aggregate.grouping);
        let mut result = Matrix::with_capacity(matrix.steps(), groups.len());
        for row in &groups.rows {
            result.push_empty(row.clone());
        }
        let mut states: Vec<Group> = Vec::with_capacity(groups.len());
        for step in 0..matrix.steps() {
            states.clear();
            states.resize_with(groups.len(), || Group::Empty);
            for (index, value) in matrix.column(step) {
                let (Some(group), Some(row)) = (groups.of_series.get(index), matrix.rows().get(index)) else {
                    continue;
                };
                let Some(state) = states.get_mut(*group) else { continue };
                if let Some(note) = state.add(aggregate.op, value, row) {
                    self.notes.add(note, position);
                }
                if let Some(target) = result.rows_mut().get_mut(*group) {
                    target.inherit_name_state(row);
                }
            }
            let quantile = quantiles.get(step).copied().unwrap_or(f64::NAN);
            for (index, state) in states.drain(..).enumerate() {
                let (value, note) = state.finish(aggregate.op, quantile);
                if let Some(note) = note {
                    self.notes.add(note, position);
                }
                if let Some(value) = value {
                    result.set(index, step, value);
                }
            }
        }
        result.drop_empty();
        result
    }
}

impl Group {
    /// Takes in a value of the series `row`.
    pub(in crate::engine::promql) fn add(
        &mut self,
        op: AggregateOp,
        value: &Value,
        row: &Row,
    ) -> Option<Note> {
        if matches!(self, Self::Empty) {
            *self = Self::start(op);
        }
        let float = match (&mut *self, value) {
            (Self::Sum(total), value) => return total.add(value, row),
            (Self::Average(total), value) => return total.add(value, row),
            (Self::Count(count), _) => {
                *count += 1.0;
                return None;
            }
            (Self::One | Self::Empty, _) => return None,
            (_, Value::Float(float)) => *float,
            (_, Value::Histogram(_)) => return Some(Note::IgnoredInAggregation(op.name())),
        };
        match self {
            Self::Extreme(best) => {
                let better = |best: f64| if op == AggregateOp::Max { float > best } else { float < best };
                if best.is_none_or(|best| better(best) || best.is_nan()) {
                    *best = Some(float);
                }
            }
            Self::Spread(spread) => spread.add(float),
            Self::Quantile(values) => values.push(float),
            Self::Empty | Self::Sum(_) | Self::Average(_) | Self::Count(_) | Self::One => {}
        }
        None
    }

    fn start(op: AggregateOp) -> Self {
        match op {
            AggregateOp::Sum => Self::Sum(Total::empty()),
            AggregateOp::Avg => Self::Average(Total::empty()),
            AggregateOp::Min | AggregateOp::Max => Self::Extreme(None),
            AggregateOp::Count => Self::Count(0.0),
            AggregateOp::Group => Self::One,
            AggregateOp::Stddev | AggregateOp::Stdvar => {
                Self::Spread(Spread { count: 0.0, mean: 0.0, squares: 0.0 })
            }
            AggregateOp::Quantile => Self::Quantile(Vec::new()),
            AggregateOp::Topk
            | AggregateOp::Bottomk
            | AggregateOp::CountValues
            | AggregateOp::Limitk
            | AggregateOp::LimitRatio => Self::Empty,
        }
    }

    /// What all of its values come to; `q` is the quantile of `quantile`.
    pub(in crate::engine::promql) fn finish(self, op: AggregateOp, q: f64) -> (Cell, Option<Note>) {
        let float = match self {
            Self::Empty | Self::Extreme(None) => return (None, None),
            Self::Sum(total) => return total.finish(Kahan::total, HistogramSum::finish),
            Self::Average(total) => return total.finish(Mean::finish, HistogramMean::finish),
            Self::Extreme(Some(value)) | Self::Count(value) => value,
            Self::One => 1.0,
            Self::Spread(spread) if spread.count == 0.0 => return (None, None),
            Self::Spread(spread) if op == AggregateOp::Stddev => spread.variance().sqrt(),
            Self::Spread(spread) => spread.variance(),
            Self::Quantile(values) if values.is_empty() => return (None, None),
            Self::Quantile(values) => quantile(q, values),
        };
        (Some(Value::Float(float)), None)
    }
}

impl Spread {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.mean = value;
            self.squares = if value.is_finite() { 0.0 } else { f64::NAN };
            return;
        }
        let distance = value - self.mean;
        self.mean += distance / self.count;
        self.squares += distance * (value - self.mean);
    }

    fn variance(&self) -> f64 {
        self.squares / self.count
    }
}
