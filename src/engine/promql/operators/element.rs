//! Operators between two values.

use std::sync::Arc;

use super::super::ast::BinaryOp;
use super::super::eval::{Merge, Note};
use super::super::histogram::{FloatHistogram, Operation, ResetHint, Trim};
use super::super::storage::Value;
use super::{Refusal, Verdict};

/// An operator between two numbers; a comparison yields 1 or 0.
pub(in crate::engine::promql) fn numbers(op: BinaryOp, left: f64, right: f64) -> f64 {
    match (op.arithmetic(left, right), compares(op, left, right)) {
        (Some(value), _) => value,
        (None, Some(holds)) => f64::from(u8::from(holds)),
        (None, None) => f64::NAN,
    }
}

fn compares(op: BinaryOp, left: f64, right: f64) -> Option<bool> {
    op.comparison().map(|comparison| comparison.holds(left, right))
}

/// An operator between two values, with a note where they had to be brought together.
pub(super) fn values(op: BinaryOp, left: &Value, right: &Value) -> (Verdict, Option<Note>) {
    let verdict = match (left, right) {
        (Value::Float(left), Value::Float(right)) => floats(op, *left, *right),
        (Value::Float(left), Value::Histogram(right)) if op == BinaryOp::Mul => {
            keep(right.multiplied(*left).compacted())
        }
        (Value::Float(_), Value::Histogram(_)) => refuse("float", op, "histogram"),
        (Value::Histogram(left), Value::Float(right)) => histogram_and_float(op, left, *right),
        (Value::Histogram(left), Value::Histogram(right)) => return histograms(op, left, right),
    };
    (verdict, None)
}

fn floats(op: BinaryOp, left: f64, right: f64) -> Verdict {
    match (op.arithmetic(left, right), compares(op, left, right)) {
        (Some(value), _) => Verdict::Keep(Value::Float(value)),
        (None, Some(true)) => Verdict::Keep(Value::Float(left)),
        (None, Some(false)) => Verdict::Discard,
        (None, None) => refuse("float", op, "float"),
    }
}

/// What an operator between two numbers keeps; nothing where it is a comparison that does not hold.
pub(in crate::engine::promql) fn kept_float(op: BinaryOp, left: f64, right: f64) -> Option<f64> {
    match (op.arithmetic(left, right), compares(op, left, right)) {
        (Some(value), _) => Some(value),
        (None, Some(true)) => Some(left),
        (None, Some(false) | None) => None,
    }
}

fn histogram_and_float(op: BinaryOp, left: &FloatHistogram, right: f64) -> Verdict {
    if op == BinaryOp::Mul {
        keep(left.multiplied(right).compacted())
    } else if op == BinaryOp::Div {
        keep(left.divided(right).compacted())
    } else if op == BinaryOp::TrimUpper {
        keep(left.trimmed(Trim::Upper, right))
    } else if op == BinaryOp::TrimLower {
        keep(left.trimmed(Trim::Lower, right))
    } else {
        refuse("histogram", op, "float")
    }
}

fn histograms(
    op: BinaryOp,
    left: &Arc<FloatHistogram>,
    right: &Arc<FloatHistogram>,
) -> (Verdict, Option<Note>) {
    if matches!(op, BinaryOp::Equal | BinaryOp::NotEqual) {
        let holds = left.equals(right) == (op == BinaryOp::Equal);
        let verdict =
            if holds { Verdict::Keep(Value::Histogram(Arc::clone(left))) } else { Verdict::Discard };
        return (verdict, None);
    }
    let (operation, merge) = if op == BinaryOp::Add {
        (Operation::Add, Merge::Addition)
    } else if op == BinaryOp::Sub {
        (Operation::Subtract, Merge::Subtraction)
    } else {
        return (refuse("histogram", op, "histogram"), None);
    };
    let (result, reconciled) = match left.combined(operation, right) {
        Ok(combined) => combined,
        Err(incompatible) => return (Verdict::Refuse(incompatible.into()), None),
    };
    if reconciled.resets_collide {
        return (Verdict::Refuse(Refusal::Note(Note::ResetsCollide(merge))), None);
    }
    let result = if op == BinaryOp::Sub { result.hinted(ResetHint::Gauge) } else { result };
    (keep(result.compacted()), reconciled.bounds_differ.then_some(Note::BoundsReconciled(merge)))
}

fn keep(histogram: FloatHistogram) -> Verdict {
    Verdict::Keep(Value::Histogram(Arc::new(histogram)))
}

fn refuse(left: &'static str, op: BinaryOp, right: &'static str) -> Verdict {
    Verdict::Refuse(Refusal::Note(Note::IncompatibleTypes { left, operator: op.symbol(), right }))
}
