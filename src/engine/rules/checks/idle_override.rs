//! An override that no series meets, that an earlier one takes all series from, or that changes nothing.

use super::Subject;
use super::kept::{KeptLabels, kept};
use super::unknown_value;
use crate::engine::diagnostic::closest;
use crate::engine::rules::set::{Alerting, Override, RuleKind};
use crate::engine::yaml::{Findings, Node, Value, name_of};

/// Overrides that later ones are held against.
const EARLIER_MAX: usize = 1_000;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let RuleKind::Alerting(alerting) = &subject.rule.kind else { return };
    let Some(Value::Sequence(nodes)) = subject.fields.get("overrides").map(|node| &node.value) else {
        return;
    };
    if nodes.len() != alerting.overrides.len() {
        return;
    }
    let kept = kept(&subject.rule.expr, subject.metrics);
    for (index, (node, exception)) in nodes.iter().zip(&alerting.overrides).enumerate() {
        let Some((_, wanted)) = entry(node, "where") else { continue };
        labels(subject, &kept, wanted, findings);
        let mut before = alerting.overrides.iter().take(index.min(EARLIER_MAX));
        let earlier = before.position(|earlier| covers(earlier, exception));
        if let Some(earlier) = earlier {
            let message = "an earlier override holds for all of its series, so this one never does";
            let advice = format!("Put it before override {}, or take it away.", earlier + 1);
            findings.warning("idle-override", &wanted.span, message).advise(advice);
        } else if exception.policy == alerting.policy {
            idle(alerting, node, findings);
        }
    }
}

/// An override that says what the rule says.
fn idle(alerting: &Alerting, node: &Node, findings: &mut Findings<'_>) {
    // Where the rule compares in its expression, its `for` is all that an override can set.
    let advice = if alerting.policy.levels.iter().any(|level| level.condition.threshold().is_some()) {
        "Give it a threshold or a `for` of its own."
    } else {
        "Give it a `for` of its own."
    };
    findings.warning("idle-override", &node.span, "this override changes nothing").advise(advice);
}

/// The labels of `where`, and their values.
fn labels(subject: &Subject<'_>, kept: &KeptLabels, wanted: &Node, findings: &mut Findings<'_>) {
    let Value::Mapping(entries) = &wanted.value else { return };
    for (key, value) in entries {
        let label = name_of(key);
        if !kept.may_have(label) {
            let message =
                format!("the result of the expression has no label `{label}`: no series meets this");
            let near = kept.names().and_then(|names| closest(label, names));
            findings.warning("idle-override", &key.span, message).advise(match near {
                Some(near) => format!("Did you mean `{near}`?"),
                None if super::metrics_have(subject, label) => {
                    format!("{}.", super::how_to_keep(subject, label))
                }
                None => "Take the override away, or name a label of the result.".to_owned(),
            });
            continue;
        }
        let (Some(values), Some(scalar)) = (super::closed(subject, label), value.scalar()) else { continue };
        let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
        if !values.contains(&scalar.text.as_str()) && scalar.text != "unknown" {
            let message = format!("`{label}` is never `{}`", scalar.text);
            unknown_value::report(findings, &value.span, message, (&scalar.text, &values));
        }
    }
}

/// Whether every series of `later` is one of `earlier`.
fn covers(earlier: &Override, later: &Override) -> bool {
    earlier.wanted.iter().all(|wanted| later.wanted.contains(wanted))
}

fn entry<'n>(node: &'n Node, name: &str) -> Option<&'n (Node, Node)> {
    let Value::Mapping(entries) = &node.value else { return None };
    entries.iter().find(|(key, _)| name_of(key) == name)
}
