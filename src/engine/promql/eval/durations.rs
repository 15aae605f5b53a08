//! The value of duration expressions.

use super::super::EvalError;
use super::super::ast::{BinaryOp, DurationExpr, DurationNode, Sign};
use super::{QueryTimes, fail};

/// A duration in milliseconds.
pub(super) fn milliseconds(duration: &DurationExpr, query: QueryTimes) -> Result<i64, EvalError> {
    let milliseconds = seconds(duration, query)? * 1_000.0;
    if !(-9.2e18..9.2e18).contains(&milliseconds) {
        return Err(fail(&duration.span, "duration is out of range".to_owned()));
    }
    // Whole milliseconds that are not exact as seconds must not lose one; what is finer is cut off.
    let nearest = milliseconds.round();
    Ok(if (milliseconds - nearest).abs() < 1e-6 { nearest as i64 } else { milliseconds.trunc() as i64 })
}

/// A duration in milliseconds that must be longer than nothing.
pub(in crate::engine::promql) fn positive_milliseconds(
    duration: &DurationExpr,
    query: QueryTimes,
) -> Result<i64, EvalError> {
    let milliseconds = milliseconds(duration, query)?;
    if milliseconds <= 0 {
        return Err(fail(&duration.span, "duration must be greater than 0".to_owned()));
    }
    Ok(milliseconds)
}

fn seconds(duration: &DurationExpr, query: QueryTimes) -> Result<f64, EvalError> {
    match &duration.node {
        DurationNode::Seconds(seconds) => Ok(*seconds),
        DurationNode::Step => Ok(query.step_ms as f64 / 1e3),
        DurationNode::Range => Ok(query.end_ms.saturating_sub(query.start_ms) as f64 / 1e3),
        DurationNode::Unary(Sign::Plus, inner) => seconds(inner, query),
        DurationNode::Unary(Sign::Minus, inner) => Ok(-seconds(inner, query)?),
        DurationNode::Min(left, right) => Ok(seconds(left, query)?.min(seconds(right, query)?)),
        DurationNode::Max(left, right) => Ok(seconds(left, query)?.max(seconds(right, query)?)),
        DurationNode::Binary(operator, left, right) => {
            let (left, right) = (seconds(left, query)?, seconds(right, query)?);
            match operator {
                BinaryOp::Add => Ok(left + right),
                BinaryOp::Sub => Ok(left - right),
                BinaryOp::Mul => Ok(left * right),
                BinaryOp::Pow => Ok(left.powf(right)),
                BinaryOp::Div if right == 0.0 => Err(fail(&duration.span, "division by zero".to_owned())),
                BinaryOp::Div => Ok(left / right),
                BinaryOp::Mod if right == 0.0 => Err(fail(&duration.span, "modulo by zero".to_owned())),
                BinaryOp::Mod => Ok(left % right),
                BinaryOp::Atan2
                | BinaryOp::Equal
                | BinaryOp::NotEqual
                | BinaryOp::Greater
                | BinaryOp::Less
                | BinaryOp::GreaterOrEqual
                | BinaryOp::LessOrEqual
                | BinaryOp::And
                | BinaryOp::Or
                | BinaryOp::Unless
                | BinaryOp::TrimUpper
                | BinaryOp::TrimLower => {
                    Err(fail(&duration.span, "unexpected duration expression operator".to_owned()))
                }
            }
        }
    }
}
