//! A label that something else always writes over, or a severity that is a slip of one of the three.

use super::Subject;
use crate::engine::rules::set::{RuleKind, Severity};
use crate::engine::yaml::{Findings, Value, name_of};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let RuleKind::Alerting(alerting) = &subject.rule.kind else { return };
    let Some(Value::Mapping(entries)) = subject.fields.get("labels").map(|node| &node.value) else { return };
    let has_levels = alerting.policy.levels.iter().any(|level| level.severity.is_some());
    for (key, value) in entries {
        match name_of(key) {
            "alertname" => {
                let message = "the label `alertname` is always the alert's name";
                findings.warning("overwritten-label", &key.span, message).advise("Take it away.");
            }
            "severity" if has_levels => {
                let message = "`severities` write the label `severity`, so this one is never shown";
                findings.warning("overwritten-label", &key.span, message).advise("Take it away.");
            }
            "severity" => {
                let written = value.scalar().map_or("", |scalar| scalar.text.as_str());
                if let Some(near) = Severity::near(written).filter(|near| *near != written) {
                    let message =
                        format!("the severity `{written}` is none of the three: events say `warning`");
                    findings
                        .warning("unknown-severity", &value.span, message)
                        .advise(format!("Did you mean `{near}`?"));
                }
            }
            _ => {}
        }
    }
}
