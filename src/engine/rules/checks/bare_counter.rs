//! A counter that is compared as it is: it only grows, so once above a threshold it stays there until a restart.

use super::Subject;
use crate::engine::metric::{MetricType, Part};
use crate::engine::promql::Expr;
use crate::engine::promql::ast::{AggregateOp, BinaryOp, Node};
use crate::engine::promql::inspect::{comparison, literal_name, number, unwrapped};
use crate::engine::rules::set::{Condition, Level, RuleKind};
use crate::engine::yaml::Findings;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let RuleKind::Alerting(alerting) = &subject.rule.kind else { return };
    let compared = match comparison(&subject.rule.expr) {
        Some(binary) => match binary.op {
            BinaryOp::Greater | BinaryOp::GreaterOrEqual => with_number(&binary.left, &binary.right),
            BinaryOp::Less | BinaryOp::LessOrEqual => with_number(&binary.right, &binary.left),
            BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Div
            | BinaryOp::Mod
            | BinaryOp::Pow
            | BinaryOp::Atan2
            | BinaryOp::And
            | BinaryOp::Or
            | BinaryOp::Unless
            | BinaryOp::TrimUpper
            | BinaryOp::TrimLower => None,
        },
        None => {
            let is_above = |level: &Level| matches!(level.condition, Condition::Above { .. });
            alerting.policy.levels.iter().any(is_above).then_some(&subject.rule.expr)
        }
    };
    let Some((name, span)) = compared.and_then(|value| counter(subject, value)) else { return };
    findings
        .warning(
            "bare-counter",
            &subject.written.place(&span),
            format!("the counter `{name}` only grows, so once it fires it fires until a restart"),
        )
        .advise(format!("Compare `increase({name}[5m])` or `rate({name}[5m])`."));
}

/// A value that must be above a number.
fn with_number<'a>(value: &'a Expr, bound: &Expr) -> Option<&'a Expr> {
    number(bound).map(|_| value)
}

/// The counter that a value is, added up or not.
fn counter<'a>(subject: &Subject<'_>, expr: &'a Expr) -> Option<(&'a str, std::ops::Range<usize>)> {
    let expr = unwrapped(expr);
    match &expr.node {
        Node::Vector(selector) => {
            let name = literal_name(selector)?;
            let is_counter = match subject.metrics.find(name) {
                Some(found) => {
                    found.metric.metric_type == MetricType::Counter && found.part == Some(Part::Value)
                }
                None => name.ends_with("_total"),
            };
            is_counter.then(|| (name, expr.span.clone()))
        }
        Node::Aggregate(aggregate) => match aggregate.op {
            AggregateOp::Sum | AggregateOp::Avg | AggregateOp::Min | AggregateOp::Max => {
                counter(subject, &aggregate.expr)
            }
            AggregateOp::Count
            | AggregateOp::Group
            | AggregateOp::Stddev
            | AggregateOp::Stdvar
            | AggregateOp::Topk
            | AggregateOp::Bottomk
            | AggregateOp::CountValues
            | AggregateOp::Quantile
            | AggregateOp::Limitk
            | AggregateOp::LimitRatio => None,
        },
        Node::Number(_)
        | Node::String(_)
        | Node::Matrix { .. }
        | Node::Subquery { .. }
        | Node::Unary { .. }
        | Node::Binary(_)
        | Node::Call { .. }
        | Node::Paren(_) => None,
    }
}
