//! What Alertmanagers were told of which alert, and when.

use std::sync::Arc;

use super::bytes::twin;
use crate::engine::labels::Labels;
use crate::engine::time::Timestamp;

twin! {
    /// What Alertmanagers know.
    struct ToldTwin {
        groups: Vec<ToldGroupTwin>,
        /// Alerts of groups that a reload took away.
        gone: Vec<ToldAlertTwin>,
    }
}

twin! {
    /// What they know of a group.
    struct ToldGroupTwin {
        file: Arc<str>,
        name: Arc<str>,
        alerts: Vec<ToldAlertTwin>,
    }
}

twin! {
    /// What they know of an alert.
    struct ToldAlertTwin {
        rule_id: Arc<str>,
        /// The labels of the alert.
        identity: Labels,
        /// The labels as they were told.
        labels: Labels,
        annotations: Vec<(Arc<str>, String)>,
        starts_at: Timestamp,
        ends_at: Timestamp,
        generator_url: Option<String>,
        resolved_at: Option<Timestamp>,
    }
}
