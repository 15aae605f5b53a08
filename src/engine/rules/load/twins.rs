//! Rules that another one makes superfluous: identical ones, series that two rules write, and alerts in another's shadow.

use std::collections::BTreeMap;

use super::GroupDraft;
use crate::engine::rules::checks::Shadows;
use crate::engine::rules::set::RuleKind;
use crate::engine::yaml::Findings;

/// Rules that are there already, with their places.
#[derive(Default)]
pub(super) struct Twins {
    places: BTreeMap<String, String>,
    shadows: Shadows,
}

/// The place of a byte, as `file:line:column`.
fn here(findings: &Findings<'_>, at: usize) -> String {
    let (line, start) = findings.line(at);
    let before = findings.source.text.get(start..at).unwrap_or_default();
    format!("{}:{line}:{}", findings.source.name, before.chars().count() + 1)
}

impl Twins {
    /// Tells of rules that another one makes superfluous, or whose series another one writes too.
    pub(super) fn notice(&mut self, groups: &[GroupDraft], findings: &mut Findings<'_>) {
        for draft in groups.iter().flat_map(|group| &group.rules) {
            let rule = &draft.rule;
            let (key, message) = match rule.kind {
                RuleKind::Recording => (
                    format!("record {} {:?}", rule.name, rule.labels),
                    format!("`{}` is recorded twice with the same labels", rule.name),
                ),
                RuleKind::Alerting(_) => {
                    (format!("alert {}", rule.essence), format!("the alert `{}` stands twice", rule.name))
                }
            };
            let here = here(findings, rule.written.name.start);
            if let Some(first) = self.places.get(&key) {
                findings
                    .warning("duplicate-rule", &rule.written.name, format!("{message}, first at {first}"))
                    .advise("Keep one of the two, or tell them apart.");
            } else {
                self.places.insert(key, here.clone());
                if let Some(other) = self.shadows.notice(rule, here) {
                    let message = format!(
                        "`{}` with these labels also stands at {other}, and one fires only where the other does",
                        rule.name
                    );
                    findings
                        .warning("shadowed-rule", &rule.written.name, message)
                        .advise("Keep the wider one, or give them different severities.");
                }
            }
        }
    }
}
