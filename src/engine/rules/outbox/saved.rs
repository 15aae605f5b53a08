//! The outbox as its twin, and from it.

use std::sync::Arc;

use super::Outbox;
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::rules::{AlertEventTwin, AlertKindTwin, OutboxTwin, TriggeredTwin};
use crate::engine::rules::event::{AlertEvent, AlertEventKind, Reason};
use crate::engine::rules::reach::Reach;
use crate::engine::rules::set::Severity;
use crate::engine::wire::EventId;

impl Outbox {
    /// What waits, and which episodes were refused.
    pub(in crate::engine::rules) fn save(&self) -> OutboxTwin {
        OutboxTwin {
            pending: self.pending.iter().map(event_twin).collect(),
            refused_episodes: self.refused_episodes.iter().copied().collect(),
            refused: self.refused,
        }
    }

    /// Takes over what was saved; all of it, however much room there is.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine::rules) fn restore(&mut self, twin: OutboxTwin) -> Result<(), Damage> {
        self.pending = twin.pending.into_iter().map(event_of).collect::<Result<_, _>>()?;
        self.refused_episodes = twin.refused_episodes.into_iter().collect();
        self.refused = twin.refused;
        Ok(())
    }
}

/// A severity as it is written.
pub(in crate::engine::rules) const fn severity_twin(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 0,
        Severity::Warning => 1,
        Severity::Critical => 2,
    }
}

/// A severity as it was written.
pub(in crate::engine::rules) fn severity_of(twin: u8) -> Result<Severity, Damage> {
    Severity::ALL.get(usize::from(twin)).copied().ok_or(Damage("an alert has no severity"))
}

/// An event as it is written.
pub(in crate::engine::rules) fn event_twin(event: &AlertEvent) -> AlertEventTwin {
    AlertEventTwin {
        id: event.id.0,
        timestamp: event.timestamp,
        source: Arc::clone(&event.source),
        rule_id: Arc::clone(&event.rule_id),
        alert_name: Arc::clone(&event.alert_name),
        severity: severity_twin(event.severity),
        labels: event.labels.clone(),
        fingerprint: event.fingerprint,
        started_at: event.started_at,
        annotations: event.annotations.clone(),
        generator_url: event.generator_url.clone(),
        evidence: event.evidence.iter().map(|id| id.0).collect(),
        moved_at: event.moved_at,
        kind: match &event.kind {
            AlertEventKind::Triggered { metric_name, current_value, threshold, message } => {
                AlertKindTwin::Triggered(TriggeredTwin {
                    metric_name: Arc::clone(metric_name),
                    current_value: *current_value,
                    threshold: *threshold,
                    message: message.clone(),
                })
            }
            AlertEventKind::Cleared { reason, value } => AlertKindTwin::Cleared(reason.name().into(), *value),
        },
    }
}

/// An event as it was written.
///
/// # Errors
/// It contradicts itself.
pub(in crate::engine::rules) fn event_of(twin: AlertEventTwin) -> Result<AlertEvent, Damage> {
    Ok(AlertEvent {
        id: EventId(twin.id),
        timestamp: twin.timestamp,
        source: twin.source,
        rule_id: twin.rule_id,
        alert_name: twin.alert_name,
        severity: severity_of(twin.severity)?,
        labels: twin.labels,
        fingerprint: twin.fingerprint,
        started_at: twin.started_at,
        annotations: twin.annotations,
        generator_url: twin.generator_url,
        evidence: twin.evidence.into_iter().map(EventId).collect(),
        moved_at: twin.moved_at,
        reach: Reach::default(),
        kind: match twin.kind {
            AlertKindTwin::Triggered(TriggeredTwin { metric_name, current_value, threshold, message }) => {
                AlertEventKind::Triggered { metric_name, current_value, threshold, message }
            }
            AlertKindTwin::Cleared(reason, value) => {
                let reason = Reason::from_name(&reason).ok_or(Damage("an alert ended for no reason"))?;
                AlertEventKind::Cleared { reason, value }
            }
        },
    })
}
