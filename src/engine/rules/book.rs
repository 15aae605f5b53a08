//! The book of a rule: its open alerts, with everything needed to end them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::alert::{AlertState, ShownState};
use super::event::{self, AlertEvent, Identity, Reason};
use super::reach::Reach;
use super::rule_url::rule_url;
use super::set::{Group, Policy, Rule, Severity};
use super::view::{AlertView, AlertingState};
use crate::engine::labels::Labels;
use crate::engine::time::Timestamp;
use crate::engine::wire::EventId;

/// Series a rule remembers in order to notice that they are gone.
pub(super) const KNOWN_MAX: usize = 100_000;

/// The alerts of one rule.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    /// Pending and firing alerts by their identity.
    pub(super) alerts: BTreeMap<Labels, Active>,
    /// With `no_data: alert`, the series that were there, by identity: labels and last value.
    pub(super) known: BTreeMap<Labels, (Labels, f64)>,
    /// Identities that the limit refused at the last evaluation.
    pub(super) refused: BTreeSet<Labels>,
    /// The open alert that says the limit is reached.
    pub(super) over_limit: Option<Episode>,
}

/// A pending or firing alert.
#[derive(Clone, Debug)]
pub(super) struct Active {
    /// What the state machine knows.
    pub(super) state: AlertState,
    /// The alert labels, without the severity that a level gives.
    pub(super) base: Labels,
    /// The labels of the sample.
    pub(super) sample: Labels,
    /// The last value.
    pub(super) value: f64,
    /// The threshold in force, where one is known.
    pub(super) threshold: Option<f64>,
    /// Expanded annotations.
    pub(super) annotations: Vec<(Arc<str>, String)>,
    /// Whether the steps of an evaluation were spent before all of them were expanded.
    pub(super) owes_annotations: bool,
    /// The open episode while it fires.
    pub(super) episode: Option<Episode>,
}

/// What AlertCleared repeats of its AlertTriggered.
#[derive(Clone, Debug)]
pub(super) struct Episode {
    pub(super) labels: Labels,
    pub(super) severity: Severity,
    pub(super) started_at: Timestamp,
    pub(super) annotations: Vec<(Arc<str>, String)>,
    pub(super) evidence: Vec<EventId>,
}

impl Active {
    /// The level that is shown, or would be.
    pub(super) fn level(&self) -> usize {
        self.state.level().or(self.state.highest_held()).unwrap_or(0)
    }

    /// What its `ALERTS` series depends on.
    pub(super) fn shown_as(&self) -> (Labels, usize, bool) {
        (self.base.clone(), self.level(), matches!(self.state.shown, ShownState::Firing { .. }))
    }

    /// The labels as they are shown at a level.
    pub(super) fn labels(&self, policy: &Policy, level: usize) -> Labels {
        match policy.levels.get(level).and_then(|level| level.severity) {
            Some(severity) => self.base.with("severity", severity.name()),
            None => self.base.clone(),
        }
    }

    /// How bad it is at a level: the level's severity, else the label's where it is one of the words, else warning.
    pub(super) fn severity(&self, policy: &Policy, level: usize) -> Severity {
        let own = policy.levels.get(level).and_then(|level| level.severity);
        own.or_else(|| Severity::from_name(self.base.get("severity")?)).unwrap_or(Severity::Warning)
    }

    /// What readers see.
    pub(super) fn view(&self, rule: &Rule, policy: &Policy, group: &Group) -> AlertView {
        let level = self.level();
        let labels = self.labels(policy, level);
        let (state, fired_at, keep_firing_since) = match self.state.shown {
            ShownState::Pending => (AlertingState::Pending, None, None),
            ShownState::Firing { since, quiet_since, .. } => {
                (AlertingState::Firing, Some(since), quiet_since)
            }
        };
        AlertView {
            rule_id: rule.id.clone(),
            alert_name: rule.name.clone(),
            fingerprint: event::fingerprint(&rule.id, &labels),
            labels,
            annotations: self.annotations.clone(),
            state,
            severity: self.severity(policy, level),
            active_at: self.state.active_at,
            fired_at,
            keep_firing_since,
            value: self.value,
            threshold: self.threshold,
            interval: group.interval,
            evidence: self.episode.as_ref().map(|episode| episode.evidence.clone()).unwrap_or_default(),
        }
    }
}

/// What every event of a rule carries.
#[derive(Clone, Copy)]
pub(super) struct Sender<'a> {
    pub(super) rule_id: &'a Arc<str>,
    pub(super) alert_name: &'a Arc<str>,
    pub(super) source: &'a Arc<str>,
    /// Where the page is; empty where nobody said.
    pub(super) external_url: &'a str,
    pub(super) at: Timestamp,
    pub(super) moved_at: Option<Timestamp>,
}

impl Sender<'_> {
    /// An event of an episode.
    pub(super) fn event(self, episode: &Episode, kind: event::AlertEventKind) -> AlertEvent {
        let identity =
            Identity { rule_id: self.rule_id, labels: &episode.labels, started_at: episode.started_at };
        AlertEvent {
            id: identity.event_id(kind.event_type()),
            timestamp: self.at,
            source: self.source.clone(),
            rule_id: self.rule_id.clone(),
            alert_name: self.alert_name.clone(),
            severity: episode.severity,
            fingerprint: event::fingerprint(self.rule_id, &episode.labels),
            labels: episode.labels.clone(),
            started_at: episode.started_at,
            annotations: episode.annotations.clone(),
            generator_url: rule_url(self.external_url, self.rule_id).map(Arc::from),
            evidence: episode.evidence.clone(),
            moved_at: self.moved_at,
            // The outbox knows.
            reach: Reach::default(),
            kind,
        }
    }

    /// The end of an episode, which may have begun later than where a state, or a past, is gone on from.
    pub(super) fn cleared(self, episode: &Episode, reason: Reason, value: Option<f64>) -> AlertEvent {
        Self { at: self.at.max(episode.started_at), ..self }.event(
            episode,
            event::AlertEventKind::Cleared { reason, value: value.map(|value| event::finite(value, 0.0)) },
        )
    }
}

impl Book {
    /// Ends everything that fires, in the order of labels; the book is empty then.
    pub(super) fn close(&mut self, sender: Sender<'_>, reason: Reason) -> Vec<AlertEvent> {
        let book = std::mem::take(self);
        let episodes = book.alerts.into_values().filter_map(|active| active.episode);
        episodes.map(|episode| sender.cleared(&episode, reason, None)).collect()
    }

    /// The worst state among the alerts.
    pub(super) fn state(&self) -> AlertingState {
        let states = self.alerts.values().map(|active| match active.state.shown {
            ShownState::Pending => AlertingState::Pending,
            ShownState::Firing { .. } => AlertingState::Firing,
        });
        states.max().unwrap_or(AlertingState::Inactive)
    }
}
