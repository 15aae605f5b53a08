//! `count_values`: how many series have each value.

use std::ops::Range;
use std::sync::Arc;

use super::super::EvalError;
use super::super::ast::{Aggregate, Expr, Grouping};
use super::super::eval::{Evaluator, Grid, Matrix, Novelty, Numbering, Row, fail, plain_number};
use super::super::storage::Value;
use super::{Groups, string_parameter};

impl Evaluator<'_> {
    /// One series per group and value, with the value as a label.
    pub(super) fn count_values(
        &mut self,
        aggregate: &Aggregate,
        inner: &Expr,
        span: &Range<usize>,
        grid: Grid,
    ) -> Result<Matrix, EvalError> {
        let parameter = string_parameter(aggregate, span)?;
        let label =
            parameter.label_name().ok_or_else(|| fail(span, format!("invalid label name {parameter}")))?;
        let matrix = self.vector(inner, grid)?;
        let goes = matches!(&aggregate.grouping, Grouping::Without(names) if names.contains(label));
        let groups = Groups::new(matrix.rows(), &aggregate.grouping);
        let mut result = Matrix::new(grid.steps());
        let mut numbering = Numbering::default();
        for step in 0..grid.steps() {
            for (index, value) in matrix.column(step) {
                let Some(group) = groups.of_series.get(index).and_then(|group| groups.rows.get(*group))
                else {
                    continue;
                };
                let row =
                    if goes { group.clone() } else { Row::new(group.to_labels().with(label, &text(value))) };
                let same =
                    |number: usize| result.rows().get(number).is_some_and(|known| known.same_labels(&row));
                let (number, novelty) = numbering.number(row.hash(), same);
                if novelty == Novelty::New {
                    result.push_empty(row);
                }
                let count = match result.get(number, step) {
                    Some(Value::Float(count)) => *count,
                    Some(Value::Histogram(_)) | None => 0.0,
                };
                result.set(number, step, Value::Float(count + 1.0));
            }
        }
        Ok(result)
    }
}

fn text(value: &Value) -> Arc<str> {
    match value {
        Value::Float(value) => plain_number(*value).into(),
        Value::Histogram(histogram) => histogram.to_string().into(),
    }
}
