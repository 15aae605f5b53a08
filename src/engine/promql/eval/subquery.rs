//! Subqueries: an expression evaluated at steps of its own, as a range.

use std::sync::Arc;

use super::super::EvalError;
use super::super::ast::{Expr, Node, RangeMode};
use super::super::histogram::ResetHint;
use super::super::storage::Value;
use super::ranges::{RangeInput, RangeSeries};
use super::{Evaluated, Evaluator, Grid, Reading, durations, fail};

impl Evaluator<'_> {
    /// What a subquery yields for each step of `grid`: its own steps are multiples of its step since the epoch.
    pub(super) fn subquery(&mut self, expr: &Expr, grid: Grid) -> Result<RangeInput, EvalError> {
        let Node::Subquery { expr: inner, range, step, shift } = &expr.node else {
            return Err(fail(&expr.span, "expected a subquery".to_owned()));
        };
        let times = self.times(shift, grid)?;
        let range_ms = durations::positive_milliseconds(range, self.query)?;
        let step_ms = match step {
            Some(step) => durations::positive_milliseconds(step, self.query)?,
            None => i64::try_from(self.settings.subquery_step.as_millis()).unwrap_or(i64::MAX).max(1),
        };
        let (first, last) = times.bounds();
        let after = first.saturating_sub(range_ms);
        let start_ms = after.div_euclid(step_ms).saturating_add(1).saturating_mul(step_ms);
        let series = match Grid::spanning(start_ms, last, step_ms) {
            None => Vec::new(),
            Some(steps) => {
                self.fits(steps.steps(), &expr.span)?;
                self.subquery_series(inner, steps)?
            }
        };
        Ok(RangeInput { series, times, range_ms, mode: RangeMode::Extrapolated })
    }

    fn subquery_series(&mut self, inner: &Expr, steps: Grid) -> Result<Vec<RangeSeries>, EvalError> {
        let around = std::mem::replace(&mut self.reading, Reading::Buckets);
        let inner_value = self.evaluate(inner, steps);
        self.reading = around;
        let matrix = match inner_value? {
            Evaluated::Matrix(matrix) => matrix,
            Evaluated::Scalars(values) => {
                let mut matrix = super::Matrix::new(steps.steps());
                matrix.push(super::Row::default(), values.into_iter().map(|value| Some(Value::Float(value))));
                matrix
            }
            Evaluated::String(_) => return Err(fail(&inner.span, "a string has no range".to_owned())),
        };
        Ok(matrix
            .into_series()
            .map(|(row, cells)| {
                let floats = Vec::with_capacity(cells.len());
                let mut series = RangeSeries { row, floats, histograms: Vec::new(), left_out: 0 };
                for (step, cell) in cells.into_iter().enumerate() {
                    if let Some(value) = cell {
                        series.push(steps.at(step), 0, without_hint(value));
                    }
                }
                series
            })
            .collect())
    }
}

/// A hint tells about the stored sample before, which need not be the one before in the subquery.
fn without_hint(value: Value) -> Value {
    match value {
        Value::Histogram(histogram)
            if matches!(histogram.reset_hint, ResetHint::Reset | ResetHint::NotReset) =>
        {
            Value::Histogram(Arc::new(Arc::unwrap_or_clone(histogram).hinted(ResetHint::Unknown)))
        }
        Value::Float(_) | Value::Histogram(_) => value,
    }
}
