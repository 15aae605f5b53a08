//! A label that depends on the value: where it changes it is another alert, whose `for` begins again.

use super::Subject;
use crate::engine::rules::set::RuleKind;
use crate::engine::yaml::Findings;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    if matches!(subject.rule.kind, RuleKind::Recording) {
        return;
    }
    for (name, _) in subject.rule.labels.iter().filter(|(_, template)| template.reads_value()) {
        // A group's label belongs to all of its rules.
        let Some(place) = subject.value_place("labels", name) else { continue };
        findings
            .warning(
                "value-in-label",
                &place,
                format!("the label `{name}` depends on the value: where it changes, it is another alert"),
            )
            .advise("Print the value in an annotation; labels say which alert it is.");
    }
}
