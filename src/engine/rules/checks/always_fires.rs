//! An alert without a threshold whose expression compares nothing: it fires wherever there is a value.

use std::ops::Range;

use super::Subject;
use crate::engine::promql::Expr;
use crate::engine::promql::ast::{BinaryOp, ComparisonMode, Node};
use crate::engine::promql::inspect::{literal_name, selectors, walk};
use crate::engine::rules::set::{Condition, RuleKind};
use crate::engine::yaml::Findings;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let RuleKind::Alerting(alerting) = &subject.rule.kind else { return };
    let compares_itself = alerting.policy.levels.iter().any(|level| level.condition == Condition::Expression);
    if !compares_itself || filters(&subject.rule.expr) {
        return;
    }
    let place = subject.written.place(&subject.rule.expr.span);
    if let Some(place) = boolean(&subject.rule.expr).map(|span| subject.written.place(&span)) {
        findings
            .warning(
                "always-fires",
                &place,
                "`bool` keeps every series, so this fires wherever there is a value",
            )
            .advise("Take `bool` away.");
    } else {
        findings
            .warning("always-fires", &place, "nothing is compared, so this fires wherever there is a value")
            .advise("Add `above:` or `below:`, or a comparison such as `> 0`.");
    }
}

/// Whether an expression may have no result for a series that is there.
fn filters(expr: &Expr) -> bool {
    let mut filters = false;
    walk(expr, &mut |part| {
        filters |= match &part.node {
            Node::Binary(binary) if binary.op.is_comparison() => binary.comparison == ComparisonMode::Filter,
            Node::Binary(binary) => matches!(binary.op, BinaryOp::And | BinaryOp::Unless),
            Node::Call { function, .. } => matches!(function.name, "absent" | "absent_over_time"),
            Node::Number(_)
            | Node::String(_)
            | Node::Vector(_)
            | Node::Matrix { .. }
            | Node::Subquery { .. }
            | Node::Unary { .. }
            | Node::Aggregate(_)
            | Node::Paren(_) => false,
        };
    });
    // What was recorded may have been compared there, and alerts are there only while they are open.
    let recorded = |name: &str| name.contains(':') || name.starts_with("ALERTS");
    filters || selectors(expr).iter().any(|found| literal_name(found.vector).is_some_and(recorded))
}

/// Where a comparison stands that keeps what it compares.
fn boolean(expr: &Expr) -> Option<Range<usize>> {
    let mut found = None;
    walk(expr, &mut |part| {
        if let Node::Binary(binary) = &part.node {
            let is_bool = binary.comparison == ComparisonMode::Bool;
            found = found.take().or_else(|| is_bool.then(|| binary.op_span.clone()));
        }
    });
    found
}
