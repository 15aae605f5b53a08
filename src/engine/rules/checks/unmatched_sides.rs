//! Two sides of an operator whose labels can never be the same, so that no series finds its other.

use super::Subject;
use super::kept::{KeptLabels, kept};
use crate::engine::diagnostic::closest;
use crate::engine::labels::METRIC_NAME;
use crate::engine::promql::ast::{Binary, BinaryOp, Cardinality, Grouping, Node};
use crate::engine::promql::functions::ValueType;
use crate::engine::promql::inspect::{value_type, walk};
use crate::engine::yaml::Findings;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let (mut found, mut absent) = (Vec::new(), Vec::new());
    walk(&subject.rule.expr, &mut |part| {
        let Node::Binary(binary) = &part.node else { return };
        if let Some(sides) = unmatched(subject, binary) {
            found.push((binary.op_span.clone(), sides));
        }
        absent.extend(absent_labels(subject, binary).into_iter().map(|label| (part.span.clone(), label)));
    });
    for (part, Absent { label, message, near }) in absent {
        let advice = findings.warning("unmatched-sides", &subject.written.word(&label, &part), message);
        match near {
            Some(near) => advice.advise(format!("Did you mean `{near}`?")),
            None => advice.advise("Match on labels that both sides have."),
        }
    }
    for (span, [left, right]) in found {
        let message = format!("no series matches: the left side has {left}, the right side {right}");
        findings
            .warning("unmatched-sides", &subject.written.place(&span), message)
            .advise("Aggregate both sides by the same labels, or say `on (…)`.");
    }
}

/// A label of `on (…)` that a side cannot have.
struct Absent {
    label: String,
    message: String,
    /// The one that was likely meant.
    near: Option<String>,
}

/// The labels of `on (…)` by which nothing is told apart, or nothing finds its other.
fn absent_labels(subject: &Subject<'_>, binary: &Binary) -> Vec<Absent> {
    let Grouping::By(labels) = &binary.matching.on else { return Vec::new() };
    let sides = [&binary.left, &binary.right].map(|side| kept(side, subject.metrics));
    let [KeptLabels::Only(left), KeptLabels::Only(right)] = sides else { return Vec::new() };
    let absent = |label: &String| {
        let message = match (left.contains(label), right.contains(label)) {
            (true, true) => return None,
            (false, false) => format!("neither side has the label `{label}`, so it tells no series apart"),
            // A label of which nothing is known may be there all the same.
            _ if !super::metrics_have(subject, label) || binary.op == BinaryOp::Or => return None,
            (is_left, _) => {
                let side = if is_left { "left" } else { "right" };
                format!("no series matches: the {side} side alone has the label `{label}`")
            }
        };
        let common = left.union(&right).filter(|name| *name != METRIC_NAME);
        let near = closest(label, common.map(String::as_str)).filter(|near| near != label);
        Some(Absent { label: label.clone(), message, near: near.map(str::to_owned) })
    };
    labels.iter().filter_map(|label| absent(&label.to_string())).collect()
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
