//! Numbers that depend on the instant alone.

use super::super::ast::{BinaryOp, Expr, Node, Sign};
use super::super::functions::{Body, Special};
use super::super::operators::numbers;

/// A number at each instant.
#[derive(Clone, Debug)]
pub(super) enum Number {
    Constant(f64),
    /// `time()`
    Time,
    Negated(Box<Number>),
    Binary(BinaryOp, Box<Number>, Box<Number>),
}

impl Number {
    /// The number that an expression is, where that depends on the instant alone.
    pub(super) fn of(expr: &Expr) -> Option<Self> {
        match &expr.node {
            Node::Number(value) => Some(Self::Constant(*value)),
            Node::Paren(inner) | Node::Unary { sign: Sign::Plus, expr: inner } => Self::of(inner),
            Node::Unary { sign: Sign::Minus, expr } => Some(Self::Negated(Box::new(Self::of(expr)?))),
            Node::Binary(binary) => {
                let (left, right) = (Self::of(&binary.left)?, Self::of(&binary.right)?);
                Some(Self::Binary(binary.op, Box::new(left), Box::new(right)))
            }
            Node::Call { function, .. } => match function.body {
                Body::Special(Special::Time) => Some(Self::Time),
                Body::Special(Special::Pi) => Some(Self::Constant(std::f64::consts::PI)),
                Body::Number(_)
                | Body::NumberWith(_)
                | Body::Histogram(_)
                | Body::Date(_)
                | Body::Range(_)
                | Body::Numbers(_)
                | Body::Special(_) => None,
            },
            Node::String(_)
            | Node::Vector(_)
            | Node::Matrix { .. }
            | Node::Subquery { .. }
            | Node::Aggregate(_) => None,
        }
    }

    /// What it is at an instant.
    pub(super) fn at(&self, at_ms: i64) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Time => at_ms as f64 / 1e3,
            Self::Negated(inner) => -inner.at(at_ms),
            Self::Binary(op, left, right) => numbers(*op, left.at(at_ms), right.at(at_ms)),
        }
    }
}
