//! Aggregations that pick series: `topk`, `bottomk` and `limitk`.

use std::ops::Range;

use super::super::ast::{Aggregate, AggregateOp};
use super::super::eval::{Evaluator, Matrix, Note};
use super::super::functions::{Order, by_value};
use super::super::storage::Value;
use super::Groups;

impl Evaluator<'_> {
    /// The first so many series of each group at each step, in the order the aggregation asks for.
    pub(super) fn select_count(
        &mut self,
        aggregate: &Aggregate,
        matrix: Matrix,
        counts: &[usize],
        span: &Range<usize>,
    ) -> Matrix {
        let order = if aggregate.op == AggregateOp::Topk {
            Some(Order::Descending)
        } else if aggregate.op == AggregateOp::Bottomk {
            Some(Order::Ascending)
        } else {
            None
        };
        let groups = Groups::new(matrix.rows(), &aggregate.grouping);
        let mut picked: Vec<Vec<usize>> = Vec::with_capacity(counts.len());
        for (step, count) in counts.iter().enumerate() {
            let mut members: Vec<Vec<(usize, f64)>> = vec![Vec::new(); groups.len()];
            if *count > 0 {
                for (index, value) in matrix.column(step) {
                    let value = match (value, order) {
                        (Value::Float(value), _) => *value,
                        (Value::Histogram(_), None) => f64::NAN,
                        (Value::Histogram(_), Some(_)) => {
                            self.notes.add(Note::IgnoredInAggregation(aggregate.op.name()), span.start);
                            continue;
                        }
                    };
                    let group = groups.of_series.get(index).and_then(|group| members.get_mut(*group));
                    if let Some(group) = group {
                        group.push((index, value));
                    }
                }
            }
            let mut chosen = Vec::new();
            for mut group in members {
                if let Some(order) = order {
                    group.sort_by(|left, right| by_value(order, left.1, right.1));
                }
                chosen.extend(group.into_iter().take(*count).map(|(index, _)| index));
            }
            picked.push(chosen);
        }
        if matrix.steps() == 1 { in_order(&matrix, &picked) } else { only(matrix, &picked) }
    }
}

/// The picked series in their order; there is one step.
fn in_order(matrix: &Matrix, picked: &[Vec<usize>]) -> Matrix {
    let mut result = Matrix::new(1);
    for index in picked.iter().flatten() {
        if let Some(row) = matrix.rows().get(*index) {
            result.push(row.clone(), matrix.values(*index).iter().cloned());
        }
    }
    result
}

/// Every series without the values that were not picked.
fn only(mut matrix: Matrix, picked: &[Vec<usize>]) -> Matrix {
    let steps = matrix.steps();
    let mut kept = vec![false; matrix.size()];
    for (step, chosen) in picked.iter().enumerate() {
        for index in chosen {
            if let Some(kept) = kept.get_mut(index.saturating_mul(steps).saturating_add(step)) {
                *kept = true;
            }
        }
    }
    for (cell, kept) in matrix.cells_mut().iter_mut().zip(kept) {
        if !kept {
            *cell = None;
        }
    }
    matrix.drop_empty();
    matrix
}
