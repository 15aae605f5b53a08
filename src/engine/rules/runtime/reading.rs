//! Whether a rule reads a metric name.

use crate::engine::labels::METRIC_NAME;
use crate::engine::promql::storage::Matcher;
use crate::engine::rules::set::Rule;

/// Whether any selector of the rule may match series of this name.
pub(super) fn reads_name(rule: &Rule, name: &str) -> bool {
    let matches = |matcher: &Matcher| matcher.name.as_ref() != METRIC_NAME || matcher.condition.holds(name);
    rule.selectors.iter().any(|selector| selector.iter().all(matches))
}
