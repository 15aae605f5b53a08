//! One evaluation of a recording rule: its result becomes series under the rule's name.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::evaluate::Env;
use super::set::Rule;
use crate::engine::labels::{Labels, METRIC_NAME};

/// Records the result; `exposed` are the series of the last time, of which those that are missing now end.
pub(super) fn record(env: &mut Env<'_>, rule: &Rule, exposed: &mut BTreeSet<Labels>) -> Result<(), String> {
    let samples = env.query_values(&rule.expr)?;
    let mut now = BTreeSet::new();
    let mut written = Vec::with_capacity(samples.len());
    for (sample, value) in samples {
        let labels = recorded_labels(&sample, rule);
        if !now.insert(labels.clone()) {
            return Err(
                "vector contains metrics with the same labelset after applying rule labels".to_owned()
            );
        }
        written.push((labels, value));
    }
    if let Some(limit) = env.group.limit.map(usize::from).filter(|limit| written.len() > *limit) {
        return Err(format!("exceeded limit of {limit} with {} series", written.len()));
    }
    let at = env.sample_millis();
    for (labels, value) in written {
        env.storage.append(&labels, at, Some(value));
    }
    for gone in exposed.difference(&now) {
        env.storage.append(gone, at, None);
    }
    *exposed = now;
    Ok(())
}

fn recorded_labels(sample: &Labels, rule: &Rule) -> Labels {
    let own = rule.labels.iter().map(|(name, template)| (name.clone(), template.text().clone()));
    let name = (Arc::from(METRIC_NAME), rule.name.clone());
    Labels::collect(sample.iter().cloned().chain(own).chain([name]))
}
