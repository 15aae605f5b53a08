//! A template that prints a label which the result of the expression does not have: it always prints nothing.

use super::Subject;
use super::kept::{KeptLabels, kept};
use crate::engine::diagnostic::closest;
use crate::engine::rules::set::{Alerting, RuleKind};
use crate::engine::rules::template::Template;
use crate::engine::yaml::Findings;
use crate::engine::yaml::{Value, name_of};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let RuleKind::Alerting(alerting) = &subject.rule.kind else { return };
    let kept = kept(&subject.rule.expr, subject.metrics);
    let texts = [("labels", &subject.rule.labels), ("annotations", &alerting.annotations)];
    for (key, templates) in texts {
        // Annotations may print the severity of a level.
        let is_level = |label: &str| key == "annotations" && label == "severity" && has_levels(alerting);
        for (name, template) in templates {
            let names = template.label_names().iter();
            for label in names.filter(|label| !kept.may_have(label) && !is_level(label)) {
                report((subject, &kept), findings, (key, name), (template, label));
            }
        }
    }
}

fn has_levels(alerting: &Alerting) -> bool {
    alerting.policy.levels.iter().any(|level| level.severity.is_some())
}

fn report(
    (subject, kept): (&Subject<'_>, &KeptLabels),
    findings: &mut Findings<'_>,
    (key, name): (&str, &str),
    (template, label): (&Template, &str),
) {
    let entry = subject.fields.get(key).and_then(|node| match &node.value {
        Value::Mapping(entries) => entries.iter().find(|(known, _)| name_of(known) == name),
        Value::Sequence(_) | Value::Scalar(_) => None,
    });
    // A group's label belongs to all of its rules.
    let Some((_, value)) = entry else { return };
    let place = value
        .scalar()
        .and_then(|scalar| {
            let text = super::Text::new(scalar, &value.span);
            let at = template.text().find(&format!(".{label}"))? + 1;
            Some(text.place(&findings.source.text, &(at..at + label.len())))
        })
        .unwrap_or_else(|| value.span.clone());
    let message = format!("the result of the expression has no label `{label}`");
    findings.warning("dropped-label", &place, message).advise(advice(subject, kept, label));
}

fn advice(subject: &Subject<'_>, kept: &KeptLabels, label: &str) -> String {
    let metrics_have_it = super::metrics_have(subject, label);
    let near = kept.names().and_then(|names| closest(label, names));
    match near {
        Some(near) if !metrics_have_it => format!("Did you mean `{near}`?"),
        _ if metrics_have_it => {
            format!("{}, or take it out of the text.", super::how_to_keep(subject, label))
        }
        _ => match kept.names().map(|names| names.collect::<Vec<&str>>().join(", ")) {
            Some(names) if !names.is_empty() => format!("Its labels are {names}: take it out of the text."),
            Some(_) | None => "Take it out of the text.".to_owned(),
        },
    }
}
