//! `label_replace` and `label_join`.

use super::super::EvalError;
use super::super::ast::Expr;
use super::super::eval::{Evaluator, Grid, Matrix, Row, fail};
use super::call::{argument, joined, label_name, string};
use crate::engine::labels::METRIC_NAME;
use crate::engine::pattern::Pattern;

/// Sets a label where a regular expression matches another.
pub(super) fn replace(evaluator: &mut Evaluator<'_>, args: &[Expr], grid: Grid) -> Result<Matrix, EvalError> {
    let vector = argument(args, 0)?;
    let replacement = string(args, 2)?;
    let (source, expression) = (string(args, 3)?, string(args, 4)?);
    let pattern = Pattern::anchored(expression).map_err(|_| {
        let message = format!("invalid regular expression in label_replace(): {expression}");
        fail(&args.get(4).map_or(0..0, |arg| arg.span.clone()), message)
    })?;
    let target = label_name(args, 1, "destination label name in label_replace()")?;
    let mut matrix = evaluator.vector(vector, grid)?;
    for row in matrix.rows_mut() {
        if let Some(value) = pattern.expanded(row.get(source), replacement) {
            set(row, target, &value);
        }
    }
    joined(matrix, vector)
}

/// Sets a label to others' values, joined.
pub(super) fn join(evaluator: &mut Evaluator<'_>, args: &[Expr], grid: Grid) -> Result<Matrix, EvalError> {
    let vector = argument(args, 0)?;
    let separator = string(args, 2)?;
    let mut sources = Vec::with_capacity(args.len().saturating_sub(3));
    for index in 3..args.len() {
        sources.push(label_name(args, index, "source label name in label_join()")?);
    }
    let target = label_name(args, 1, "destination label name in label_join()")?;
    let mut matrix = evaluator.vector(vector, grid)?;
    for row in matrix.rows_mut() {
        let values: Vec<&str> = sources.iter().map(|source| row.get(source)).collect();
        let value = values.join(separator);
        set(row, target, &value);
    }
    joined(matrix, vector)
}

/// Sets a label; a new metric name stays.
fn set(row: &mut Row, label: &str, value: &str) {
    let changed = Row::new(row.to_labels().with(label, value));
    let name = row.name;
    *row = changed;
    if label != METRIC_NAME {
        row.name = name;
    }
}
