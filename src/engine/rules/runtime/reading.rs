//! Whether a rule reads a metric name.

use crate::engine::labels::METRIC_NAME;
use crate::engine::promql::storage::{Condition, Matcher};
use crate::engine::rules::set::Rule;

/// Whether any selector of the rule may match series of this name.
pub(super) fn reads_name(rule: &Rule, name: &str) -> bool {
    let matches = |matcher: &Matcher| matcher.name.as_ref() != METRIC_NAME || holds(&matcher.condition, name);
    rule.selectors.iter().any(|selector| selector.iter().all(matches))
}

fn holds(condition: &Condition, name: &str) -> bool {
    match condition {
        Condition::Equal(wanted) => wanted.as_ref() == name,
        Condition::NotEqual(other) => other.as_ref() != name,
        Condition::Match(pattern) => pattern.is_match(name),
        Condition::NoMatch(pattern) => !pattern.is_match(name),
    }
}
