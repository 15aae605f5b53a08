//! A value that a label never has, where its values are known for good: the condition always or never holds.

use super::{Subject, closed_of};
use crate::engine::diagnostic::closest;
use crate::engine::promql::inspect::selectors;
use crate::engine::promql::storage::{MatchCondition, Matcher};
use crate::engine::yaml::Findings;

/// What a label has where its event does not say.
const UNKNOWN: &str = "unknown";

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for selection in selectors(&subject.rule.expr) {
        for matcher in &selection.vector.matchers {
            let Some(values) = closed_of(subject, selection.vector, &matcher.name) else { continue };
            let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
            let Some(written) = never(matcher, &values) else { continue };
            let place = subject
                .value_place("where", &matcher.name)
                .unwrap_or_else(|| subject.written.word(&written, &selection.span));
            let message = format!("`{}` is never `{written}`", matcher.name);
            report(findings, &place, message, (&written, &values));
        }
    }
}

/// Tells of a value, with the one that was likely meant.
pub(super) fn report(
    findings: &mut Findings<'_>,
    place: &std::ops::Range<usize>,
    message: String,
    (written, values): (&str, &[&str]),
) {
    findings.warning("unknown-value", place, message).advise(
        match closest(written, values.iter().copied()) {
            Some(near) => format!("Did you mean `{near}`?"),
            None => format!("Its values are {}.", values.join(", ")),
        },
    );
}

/// What a condition wants that none of the values is.
fn never(matcher: &Matcher, values: &[&str]) -> Option<String> {
    let mut known = values.iter().copied().chain([UNKNOWN, ""]);
    match &matcher.condition {
        MatchCondition::Equal(value) | MatchCondition::NotEqual(value) => {
            (!known.any(|known| known == value.as_ref())).then(|| value.to_string())
        }
        // No selector says so.
        MatchCondition::OneOf(_) => None,
        MatchCondition::Match(pattern) | MatchCondition::NoMatch(pattern) => {
            (!known.any(|known| pattern.is_match(known))).then(|| pattern.text().to_owned())
        }
    }
}
