//! Two sides of an operator whose labels can never be the same, so that no series finds its other.

use super::Subject;
use super::kept::{KeptLabels, kept};
use crate::engine::labels::METRIC_NAME;
use crate::engine::promql::ast::{Binary, BinaryOp, Cardinality, Grouping, Node};
use crate::engine::promql::functions::ValueType;
use crate::engine::promql::inspect::{value_type, walk};
use crate::engine::yaml::Findings;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let mut found = Vec::new();
    walk(&subject.rule.expr, &mut |part| {
        if let Node::Binary(binary) = &part.node
            && let Some(sides) = unmatched(subject, binary)
        {
            found.push((binary.op_span.clone(), sides));
        }
    });
    for (span, [left, right]) in found {
        let message = format!("no series matches: the left side has {left}, the right side {right}");
        findings
            .warning("unmatched-sides", &subject.written.place(&span), message)
            .advise("Aggregate both sides by the same labels, or say `on (…)`.");
    }
}

/// What the sides have, where they can have nothing in common.
fn unmatched(subject: &Subject<'_>, binary: &Binary) -> Option<[String; 2]> {
    let are_vectors = [&binary.left, &binary.right].iter().all(|side| value_type(side) == ValueType::Vector);
    let plain = matches!(&binary.matching.on, Grouping::Without(ignored) if ignored.is_empty());
    let one_to_one = binary.matching.cardinality == Cardinality::OneToOne || binary.op == BinaryOp::And;
    if !are_vectors || !plain || !one_to_one || matches!(binary.op, BinaryOp::Or | BinaryOp::Unless) {
        return None;
    }
    let names = |side| match kept(side, subject.metrics) {
        KeptLabels::Only(mut labels) => {
            labels.remove(METRIC_NAME);
            Some(labels)
        }
        KeptLabels::Any | KeptLabels::Except(_) => None,
    };
    let (left, right) = (names(&binary.left)?, names(&binary.right)?);
    // A label of which nothing is known may be missing; those that stand in a grouping are meant to be there.
    if left == right || left.iter().chain(&right).any(|label| !super::metrics_have(subject, label)) {
        return None;
    }
    let shown = |labels: std::collections::BTreeSet<String>| {
        let names: Vec<String> = labels.into_iter().collect();
        if names.is_empty() { "no labels".to_owned() } else { names.join(", ") }
    };
    Some([shown(left), shown(right)])
}
