//! A counter that is compared as it is: it only grows, so once above a threshold it stays there until a restart.

use super::{Subject, Written};
use crate::engine::metric::{MetricType, Part};
use crate::engine::promql::Expr;
use crate::engine::promql::ast::{AggregateOp, Binary, Node};
use crate::engine::promql::comparison::Comparison;
use crate::engine::promql::inspect::{comparison, literal_name, number, unwrapped};
use crate::engine::rules::set::{Condition, Level, RuleKind};
use crate::engine::yaml::Findings;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let RuleKind::Alerting(alerting) = &subject.rule.kind else { return };
    let is_above = |level: &Level| matches!(level.condition, Condition::Above { .. });
    let compared = comparison(&subject.rule.expr).map_or_else(
        || alerting.policy.levels.iter().any(is_above).then_some(&subject.rule.expr),
        must_be_above,
    );
    let Some((name, span)) = compared.and_then(|value| counter(subject, value)) else { return };
    let advice = match subject.written {
        Written::Expression { .. } => format!("Compare `increase({name}[5m])` or `rate({name}[5m])`."),
        Written::Metric { .. } => "Take `stat: increase` or `stat: rate` with a `window`.".to_owned(),
    };
    let (message, advice) = if subject.metrics.find(name).is_some() {
        (format!("the counter `{name}` only grows, so once it fires it fires until a restart"), advice)
    } else {
        let message = format!(
            "by its name `{name}` is a counter, which only grows, so once it fires it fires until a restart"
        );
        (message, format!("{advice} If it is a gauge, declare it with its `type` in the configuration."))
    };
    findings.warning("bare-counter", &subject.written.place(&span), message).advise(advice);
}

/// The side of a comparison that must be above a number.
fn must_be_above(binary: &Binary) -> Option<&Expr> {
    let (value, bound) = match binary.op.comparison()? {
        Comparison::Greater | Comparison::GreaterOrEqual => (&binary.left, &binary.right),
        Comparison::Less | Comparison::LessOrEqual => (&binary.right, &binary.left),
        Comparison::Equal | Comparison::NotEqual => return None,
    };
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
