//! `absent` and `absent_over_time`: one where nothing is.

use super::super::ast::{Expr, Node};
use super::super::eval::{Matrix, Row};
use super::super::storage::{MatchCondition, Matcher, Value};
use crate::engine::labels::{Labels, METRIC_NAME};

/// One at each step where `matrix` has no value, with the labels the selector `arg` names.
pub(super) fn absent(matrix: &Matrix, arg: &Expr) -> Matrix {
    let mut absent = Matrix::new(matrix.steps());
    let mut values = vec![Some(Value::Float(1.0)); matrix.steps()];
    for (_, cells) in matrix.iter() {
        for (value, cell) in values.iter_mut().zip(cells) {
            if cell.is_some() {
                *value = None;
            }
        }
    }
    absent.push(Row::new(named_labels(arg)), values);
    absent.drop_empty();
    absent
}

/// The labels that a selector compares with exactly one value, the metric name apart.
fn named_labels(arg: &Expr) -> Labels {
    let (Node::Vector(selector) | Node::Matrix { selector, .. }) = &arg.node else { return Labels::empty() };
    let mut seen: Vec<(&Matcher, Option<&str>)> = Vec::new();
    for matcher in selector.matchers.iter().filter(|matcher| matcher.name.as_ref() != METRIC_NAME) {
        let known = seen.iter_mut().find(|(known, _)| known.name == matcher.name);
        match (&matcher.condition, known) {
            (MatchCondition::Equal(value), None) => seen.push((matcher, Some(value))),
            (_, Some((_, value))) => *value = None,
            (
                MatchCondition::NotEqual(_)
                | MatchCondition::OneOf(_)
                | MatchCondition::Match(_)
                | MatchCondition::NoMatch(_),
                None,
            ) => {}
        }
    }
    Labels::collect(seen.into_iter().filter_map(|(matcher, value)| Some((matcher.name.as_ref(), value?))))
}
