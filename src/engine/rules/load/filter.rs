//! What of an expression filters at its top, and what is there whether it holds or not.

use crate::engine::promql::Expr;
use crate::engine::promql::ast::{Binary, BinaryOp, Node};
use crate::engine::promql::functions::ValueType;
use crate::engine::promql::inspect::{comparison, unwrapped, value_type};
use crate::engine::rules::set::{Data, OtherSide};

/// The parts of an expression whose top filters; none where what is not there cannot be told from what is quiet.
pub(super) fn data(expr: &Expr) -> Option<Data> {
    let threshold = comparison(expr).map(|binary| OtherSide {
        expr: if value_type(&binary.left) == ValueType::Scalar {
            binary.left.clone()
        } else {
            binary.right.clone()
        },
        matching: binary.matching.clone(),
    });
    there(expr).map(|there| Data { there, threshold })
}

fn there(expr: &Expr) -> Option<Expr> {
    let expr = unwrapped(expr);
    let Node::Binary(binary) = &expr.node else { return None };
    let inner = |side: &Expr| there(side).unwrap_or_else(|| side.clone());
    match binary.op {
        BinaryOp::And | BinaryOp::Unless => Some(inner(&binary.left)),
        BinaryOp::Or => {
            let both =
                Binary { left: inner(&binary.left), right: inner(&binary.right), ..(**binary).clone() };
            Some(Expr { span: expr.span.clone(), node: Node::Binary(Box::new(both)), twin: None })
        }
        op if op.is_comparison() => comparison(expr).map(|_| {
            if value_type(&binary.left) == ValueType::Scalar {
                inner(&binary.right)
            } else {
                inner(&binary.left)
            }
        }),
        BinaryOp::Add
        | BinaryOp::Sub
        | BinaryOp::Mul
        | BinaryOp::Div
        | BinaryOp::Mod
        | BinaryOp::Pow
        | BinaryOp::Atan2
        | BinaryOp::Equal
        | BinaryOp::NotEqual
        | BinaryOp::Greater
        | BinaryOp::Less
        | BinaryOp::GreaterOrEqual
        | BinaryOp::LessOrEqual
        | BinaryOp::TrimUpper
        | BinaryOp::TrimLower => None,
    }
}
