//! Two sides of an operator whose selectors want different values of a label they are matched by.

use std::ops::Range;
use std::sync::Arc;

use super::Subject;
use super::kept::kept;
use crate::engine::promql::Expr;
use crate::engine::promql::ast::{Binary, BinaryOp, Grouping, Node};
use crate::engine::promql::functions::ValueType;
use crate::engine::promql::inspect::{selectors, value_type, walk};
use crate::engine::promql::storage::MatchCondition;
use crate::engine::yaml::Findings;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let mut found: Vec<(Range<usize>, String)> = Vec::new();
    walk(&subject.rule.expr, &mut |part| {
        if let Node::Binary(binary) = &part.node
            && let Some(message) = opposed(subject, binary)
        {
            found.push((binary.op_span.clone(), message));
        }
    });
    for (span, message) in found {
        findings
            .warning("unmatched-sides", &subject.written.place(&span), message)
            .advise("Leave the label out of the matching with `ignoring (…)`, or name others with `on (…)`.");
    }
}

fn opposed(subject: &Subject<'_>, binary: &Binary) -> Option<String> {
    let are_vectors = [&binary.left, &binary.right].iter().all(|side| value_type(side) == ValueType::Vector);
    if !are_vectors || matches!(binary.op, BinaryOp::Or | BinaryOp::Unless) {
        return None;
    }
    let is_matched_by = |label: &str| match &binary.matching.on {
        Grouping::By(labels) => labels.iter().any(|known| known.as_ref() == label),
        Grouping::Without(labels) => labels.iter().all(|known| known.as_ref() != label),
    };
    let (left, right) = (wanted(subject, &binary.left), wanted(subject, &binary.right));
    left.iter().filter(|(label, _)| is_matched_by(label)).find_map(|(label, value)| {
        let (_, other) = right.iter().find(|(known, other)| known == label && other != value)?;
        Some(format!("no series matches: `{label}` is `{value}` on the left side and `{other}` on the right"))
    })
}

/// The labels of a side that have one value for sure.
fn wanted(subject: &Subject<'_>, side: &Expr) -> Vec<(Arc<str>, Arc<str>)> {
    let mut is_plain = true;
    walk(side, &mut |part| match &part.node {
        Node::Call { function, .. } => {
            is_plain &= !matches!(
                function.name,
                "label_replace" | "label_join" | "absent" | "absent_over_time" | "info"
            );
        }
        // What a side takes from another one is that one's.
        Node::Binary(binary) => {
            is_plain &=
                [&binary.left, &binary.right].iter().any(|side| value_type(side) == ValueType::Scalar);
        }
        Node::Number(_)
        | Node::String(_)
        | Node::Vector(_)
        | Node::Matrix { .. }
        | Node::Subquery { .. }
        | Node::Unary { .. }
        | Node::Aggregate(_)
        | Node::Paren(_) => {}
    });
    let selectors = selectors(side);
    let (true, [only]) = (is_plain, selectors.as_slice()) else { return Vec::new() };
    let kept = kept(side, subject.metrics);
    let equal = only.vector.matchers.iter().filter_map(|matcher| match &matcher.condition {
        MatchCondition::Equal(value) if !value.is_empty() && matcher.name.as_ref() != "__name__" => {
            Some((matcher.name.clone(), value.clone()))
        }
        MatchCondition::Equal(_)
        | MatchCondition::NotEqual(_)
        | MatchCondition::OneOf(_)
        | MatchCondition::Match(_)
        | MatchCondition::NoMatch(_) => None,
    });
    equal.filter(|(label, _)| kept.may_have(label)).collect()
}
