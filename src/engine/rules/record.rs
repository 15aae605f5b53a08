//! One evaluation of a recording rule: its result becomes series under the rule's name.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::evaluate::{Env, RuleError};
use super::kept::Asked;
use super::set::Rule;
use crate::engine::labels::{Labels, METRIC_NAME};

/// Records the result and returns the series that this moved; `exposed` are those of the last time, of which those that
/// are missing now end.
pub(super) fn record(
    env: &mut Env<'_>,
    rule: &Rule,
    exposed: &mut BTreeSet<Labels>,
) -> Result<Vec<Labels>, RuleError> {
    let samples = env.query_values(Asked::Result, &rule.expr)?;
    let mut now = BTreeSet::new();
    let mut written = Vec::with_capacity(samples.len());
    for (sample, value) in samples {
        let labels = recorded_labels(&sample, rule);
        if !now.insert(labels.clone()) {
            return Err(RuleError::SameRuleLabels);
        }
        written.push((labels, value));
    }
    if let Some(limit) = env.group.limit.map(usize::from).filter(|limit| written.len() > *limit) {
        return Err(RuleError::TooManySeries { limit, series: written.len() });
    }
    let at = env.sample_millis();
    for (labels, value) in written {
        env.storage.append(&labels, at, Some(value));
    }
    let concerned = |labels: &&Labels| env.concerns(labels);
    let gone: Vec<Labels> =
        exposed.iter().filter(concerned).filter(|labels| !now.contains(*labels)).cloned().collect();
    for gone in &gone {
        env.storage.append(gone, at, None);
        exposed.remove(gone);
    }
    let moved = now.iter().cloned().chain(gone).collect();
    exposed.append(&mut now);
    Ok(moved)
}

fn recorded_labels(sample: &Labels, rule: &Rule) -> Labels {
    let own = rule.labels.iter().map(|(name, template)| (name.clone(), template.text().clone()));
    let name = (Arc::from(METRIC_NAME), rule.name.clone());
    Labels::collect(sample.iter().cloned().chain(own).chain([name]))
}
