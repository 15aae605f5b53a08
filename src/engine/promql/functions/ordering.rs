//! `sort` and its kind: the order of an instant vector.

use std::cmp::Ordering;
use std::ops::Range;

use super::super::EvalError;
use super::super::ast::Expr;
use super::super::eval::{Cell, Evaluator, Grid, Matrix, Note, Row};
use super::super::storage::Value;
use super::call::{argument, string};

/// Which end comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::promql) enum Order {
    Ascending,
    Descending,
}

impl Order {
    fn of(self, ordering: Ordering) -> Ordering {
        match self {
            Self::Ascending => ordering,
            Self::Descending => ordering.reverse(),
        }
    }
}

/// Floats by their value, NaN last; histograms go.
pub(super) fn sort(
    evaluator: &mut Evaluator<'_>,
    order: Order,
    args: &[Expr],
    span: &Range<usize>,
    grid: Grid,
) -> Result<Matrix, EvalError> {
    let matrix = argument_vector(evaluator, args, span, grid)?;
    let is_float = |cells: &[Cell]| matches!(cells, [Some(Value::Float(_)), ..]);
    let mut series: Vec<(Row, Vec<Cell>)> = matrix.into_series().collect();
    if grid.steps() == 1 {
        series.retain(|(_, cells)| is_float(cells));
        series.sort_by(|(_, left), (_, right)| by_value(order, float(left), float(right)));
    } else {
        let only_floats = |cell: &mut Cell| {
            if matches!(cell, Some(Value::Histogram(_))) {
                *cell = None;
            }
        };
        for (_, cells) in &mut series {
            cells.iter_mut().for_each(only_floats);
        }
    }
    Ok(collected(series, grid))
}

fn float(cells: &[Cell]) -> f64 {
    match cells {
        [Some(Value::Float(value)), ..] => *value,
        _ => f64::NAN,
    }
}

/// Orders numbers; NaN comes last either way.
pub(in crate::engine::promql) fn by_value(order: Order, left: f64, right: f64) -> Ordering {
    left.is_nan()
        .cmp(&right.is_nan())
        .then_with(|| order.of(left.partial_cmp(&right).unwrap_or(Ordering::Equal)))
}

/// Series by labels, numbers inside their values as numbers, then by all labels.
pub(super) fn sort_by_label(
    evaluator: &mut Evaluator<'_>,
    order: Order,
    args: &[Expr],
    span: &Range<usize>,
    grid: Grid,
) -> Result<Matrix, EvalError> {
    let matrix = argument_vector(evaluator, args, span, grid)?;
    let mut names = Vec::with_capacity(args.len().saturating_sub(1));
    for index in 1..args.len() {
        names.push(string(args, index)?);
    }
    let mut series: Vec<(Row, Vec<Cell>)> = matrix.into_series().collect();
    series.sort_by(|(left, _), (right, _)| {
        let differing = names
            .iter()
            .map(|name| natural(left.get(name), right.get(name)))
            .find(|ordering| *ordering != Ordering::Equal);
        order.of(differing.unwrap_or_else(|| left.iter().cmp(right.iter())))
    });
    Ok(collected(series, grid))
}

fn argument_vector(
    evaluator: &mut Evaluator<'_>,
    args: &[Expr],
    span: &Range<usize>,
    grid: Grid,
) -> Result<Matrix, EvalError> {
    if grid.steps() > 1 {
        evaluator.notes.add(Note::SortInRangeQuery, span.start);
    }
    evaluator.vector(argument(args, 0)?, grid)
}

fn collected(series: Vec<(Row, Vec<Cell>)>, grid: Grid) -> Matrix {
    let mut matrix = Matrix::with_capacity(grid.steps(), series.len());
    for (row, cells) in series {
        matrix.push(row, cells);
    }
    matrix.drop_empty();
    matrix
}

/// Compares texts piece by piece, runs of digits as numbers.
fn natural(left: &str, right: &str) -> Ordering {
    let (mut left_rest, mut right_rest) = (left, right);
    while !left_rest.is_empty() && !right_rest.is_empty() {
        let (left_piece, left_tail) = piece(left_rest);
        let (right_piece, right_tail) = piece(right_rest);
        let ordering = match (left_piece.parse::<i64>(), right_piece.parse::<i64>()) {
            (Ok(left), Ok(right)) => left.cmp(&right),
            _ => left_piece.cmp(right_piece),
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
        (left_rest, right_rest) = (left_tail, right_tail);
    }
    left_rest.len().cmp(&right_rest.len()).then_with(|| left.cmp(right))
}

/// The first run of digits or of other characters, and the rest.
fn piece(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|character: char| character.is_ascii_digit());
    let end = text.find(|character: char| character.is_ascii_digit() != digits).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_inside_texts_are_compared_as_numbers() {
        let mut texts = ["1.111.3", "4m600", "1.2.3", "1.11.3", "4m5", ""];
        texts.sort_by(|left, right| natural(left, right));
        assert_eq!(texts, ["", "1.2.3", "1.11.3", "1.111.3", "4m5", "4m600"]);
    }

    #[test]
    fn nan_comes_last_in_either_order() {
        for order in [Order::Ascending, Order::Descending] {
            let mut values = [f64::NAN, 1.0, f64::INFINITY];
            values.sort_by(|left, right| by_value(order, *left, *right));
            assert!(values[2].is_nan());
        }
    }
}
