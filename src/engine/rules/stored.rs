//! Alert events as a stream shows them: read back from the JSON they were published as.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

use super::event::{AlertEvent, Identity, fingerprint};
use super::reach::Reach;
use super::set::Severity;
use crate::engine::labels::Labels;
use crate::engine::time::Timestamp;
use crate::engine::wire::{EventId, EventType};

/// An alert event that was published by somebody, as far as it says what is open.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredAlert {
    /// Its identity.
    pub(crate) id: EventId,
    /// The instance that decided it.
    pub(crate) source: Arc<str>,
    /// Whether it begins or ends an episode.
    pub(crate) event_type: EventType,
    /// The rule's id.
    pub(crate) rule_id: Arc<str>,
    /// The alert's name.
    pub(crate) alert_name: Arc<str>,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// The alert labels.
    pub(crate) labels: Labels,
    /// When the episode began.
    pub(crate) started_at: Timestamp,
    /// When it was decided.
    pub(crate) timestamp: Timestamp,
    /// What people read of it.
    pub(crate) annotations: Vec<(Arc<str>, String)>,
    /// How much of the stream was applied when it was decided; nothing where nobody said.
    pub(crate) reach: Reach,
}

/// What a stream shows of one instance's alerts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct StoredAlerts {
    /// The AlertTriggered of episodes that did not end there.
    pub(crate) open: Vec<StoredAlert>,
    /// The AlertTriggered that are there.
    pub(crate) begun: BTreeSet<EventId>,
    /// The AlertCleared that are there.
    pub(crate) ended: BTreeSet<EventId>,
    /// When the last of them was decided; the epoch where none was.
    pub(crate) decided_at: Timestamp,
    /// Of one instance alone: the newest events there, in no order.
    pub(crate) told: Vec<StoredAlert>,
    /// Of a pair, in the stream's order: what this instance does not know to be its own, of a long past the last event of
    /// each alert.
    pub(crate) latest: Vec<StoredAlert>,
}

/// The fields that are read.
#[derive(Deserialize)]
struct Fields {
    event_id: String,
    event_type: String,
    source: String,
    alert_rule_id: String,
    alert_name: String,
    severity: String,
    labels: BTreeMap<String, String>,
    started_at: String,
    timestamp: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl StoredAlert {
    /// An event of ours as a stream would show it.
    pub(in crate::engine::rules) fn of(event: &AlertEvent) -> Self {
        Self {
            id: event.id,
            source: Arc::clone(&event.source),
            event_type: event.event_type(),
            rule_id: Arc::clone(&event.rule_id),
            alert_name: Arc::clone(&event.alert_name),
            severity: event.severity,
            labels: event.labels.clone(),
            started_at: event.started_at,
            timestamp: event.timestamp,
            annotations: event.annotations.clone(),
            reach: event.reach,
        }
    }

    /// Reads the JSON of an alert event of signalbox; none where it is something else.
    pub(crate) fn read(json: &[u8]) -> Option<Self> {
        let fields: Fields = serde_json::from_slice(json).ok()?;
        Some(Self {
            id: fields.event_id.parse().ok()?,
            source: Arc::from(fields.source),
            event_type: EventType::from_name(&fields.event_type)?,
            rule_id: Arc::from(fields.alert_rule_id),
            alert_name: Arc::from(fields.alert_name),
            severity: Severity::from_name(&fields.severity)?,
            labels: Labels::collect(fields.labels),
            started_at: fields.started_at.parse().ok()?,
            timestamp: fields.timestamp.parse().ok()?,
            annotations: fields.annotations.into_iter().map(|(name, text)| (Arc::from(name), text)).collect(),
            reach: Reach::default(),
        })
    }

    /// By which its alert is known.
    pub(crate) fn fingerprint(&self) -> u64 {
        fingerprint(&self.rule_id, &self.labels)
    }

    /// The id of the AlertCleared that ends its episode.
    pub(crate) fn end_id(&self) -> EventId {
        let identity = Identity { rule_id: &self.rule_id, labels: &self.labels, started_at: self.started_at };
        identity.event_id(EventType::AlertCleared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rules::event::{AlertEventKind, Reason};

    #[test]
    fn what_was_published_is_read_back() {
        let labels = Labels::collect([("alertname", "A \"b\""), ("queue", "bulk"), ("severity", "warning")]);
        let started_at = Timestamp::from_micros(1_700_000_000_123_456);
        let identity = Identity { rule_id: "r", labels: &labels, started_at };
        let event = AlertEvent {
            id: identity.event_id(EventType::AlertCleared),
            timestamp: started_at,
            source: Arc::from("host"),
            rule_id: Arc::from("r"),
            alert_name: Arc::from("A \"b\""),
            severity: Severity::Warning,
            fingerprint: fingerprint("r", &labels),
            labels: labels.clone(),
            started_at,
            annotations: vec![(Arc::from("summary"), "text".to_owned())],
            generator_url: None,
            evidence: Vec::new(),
            moved_at: None,
            reach: Reach::default(),
            kind: AlertEventKind::Cleared { reason: Reason::Recovered, value: None },
        };
        let stored = StoredAlert::read(event.to_json().as_bytes()).unwrap();
        assert_eq!((stored.id, stored.end_id()), (event.id, event.id));
        assert_eq!((&stored.labels, stored.started_at), (&labels, started_at));
        assert_eq!(stored.annotations, event.annotations);
        assert_eq!((stored.source.as_ref(), stored.severity), ("host", Severity::Warning));
        assert_eq!(StoredAlert::read(b"{}"), None);
    }
}
