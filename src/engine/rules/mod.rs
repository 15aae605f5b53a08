//! Rules: from YAML to groups, from evaluations to alert transitions and the events that tell of them.

use std::sync::Arc;

use crate::engine::labels::Labels;
use crate::engine::promql::Storage;
use crate::engine::wire::EventId;

/// What rules read and write while they are evaluated.
pub trait RuleStorage: Storage {
    /// Adds a sample of a recording rule, of `ALERTS` or of `ALERTS_FOR_STATE`; none ends the series.
    fn append(&mut self, labels: &Labels, time_ms: i64, value: Option<f64>);
    /// Up to five of the last applied events that moved a series any of the selectors (each a list of matchers)
    /// matches and whose labels agree with `labels` wherever both have one, newest first.
    fn evidence(
        &self,
        selectors: &[Vec<crate::engine::promql::storage::Matcher>],
        labels: &Labels,
    ) -> Vec<EventId>;
}

/// Rule groups that loaded, with their expressions parsed.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    /// In the order of files and of the groups in them.
    pub groups: Vec<Arc<()>>,
}
