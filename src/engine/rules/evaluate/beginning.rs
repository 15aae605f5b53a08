//! The beginning of an episode: its event, and the instant it is said to begin at.

use std::time::Duration;

use super::{Env, Evaluation};
use crate::engine::labels::Labels;
use crate::engine::rules::alert::AlertState;
use crate::engine::rules::book::{Active, Episode};
use crate::engine::rules::event::{AlertEventKind, finite};
use crate::engine::rules::runtime::Beginnings;
use crate::engine::rules::set::Policy;
use crate::engine::series::Ordinal;
use crate::engine::time::Timestamp;

impl Evaluation<'_, '_> {
    pub(super) fn begin(&mut self, active: &Active, policy: &Policy, level: usize) -> Episode {
        let evidence = self.env.storage.evidence(self.sources, &active.sample);
        let wait = policy.levels.get(level).map_or(Duration::ZERO, |level| level.wait);
        let waited = active.state.waited_since(level).map(|begun| begun.after(wait));
        let episode = Episode {
            labels: active.labels(policy, level),
            severity: active.severity(policy, level),
            started_at: waited.unwrap_or_else(|| self.env.beginning(evidence.newest)),
            annotations: active.annotations.clone(),
            evidence: evidence.events,
        };
        let current_value = finite(active.value, 0.0);
        let threshold = finite(active.threshold.unwrap_or(0.0), 0.0);
        let annotation = |wanted: &str| {
            let mut texts = active.annotations.iter();
            texts
                .find(|(name, text)| name.as_ref() == wanted && !text.is_empty())
                .map(|(_, text)| text.clone())
        };
        let metric_name = self.alerting.metric.clone();
        let message = annotation("summary").or_else(|| annotation("description")).unwrap_or_else(|| {
            let (value, threshold) = (readable(current_value), readable(threshold));
            format!("{}: {metric_name} is {value}, threshold {threshold}", self.rule.name)
        });
        self.env.counts.triggered += 1;
        let kind = AlertEventKind::Triggered { metric_name, current_value, threshold, message };
        let event = self.sender().event(&episode, kind);
        self.env.outbox.push(event);
        episode
    }

    /// Takes note of when a level began to wait, as both instances of a pair count it: an episode that a wait led to begins
    /// at the end of the wait, whichever evaluation noticed that.
    pub(super) fn note_wait(&self, state: &mut AlertState, sample: &Labels) {
        if self.env.settings.beginnings == Beginnings::AsStored && state.begins_to_wait(self.env.at) {
            let evidence = self.env.storage.evidence(self.sources, sample);
            state.wait_since(self.env.at, self.env.beginning(evidence.newest));
        }
    }

    /// When an episode begins that concerns all alerts of the rule.
    pub(super) fn beginning_of_all(&self) -> Timestamp {
        match self.env.settings.beginnings {
            Beginnings::AsDecided => self.env.at,
            Beginnings::AsStored => {
                let evidence = self.env.storage.evidence(self.sources, &Labels::empty());
                self.env.beginning(evidence.newest)
            }
        }
    }
}

impl Env<'_> {
    /// When an episode begins that this event led to. Both instances of a pair find the same, whatever their
    /// clocks say and however the messages came: what an event moved since the rule was evaluated last begins when that
    /// event's message was stored, also where a recording rule stands between them. What time itself moved begins at the
    /// evaluation. No event begins two episodes.
    fn beginning(&self, newest: Option<Ordinal>) -> Timestamp {
        let stored = match self.settings.beginnings {
            Beginnings::AsDecided => None,
            Beginnings::AsStored => {
                newest.and_then(|newest| self.storage.stored_since(newest, self.fresh_from))
            }
        };
        stored.unwrap_or(self.at)
    }
}

/// A number for people: plain while it is short, else with an exponent.
fn readable(value: f64) -> String {
    let plain = value == 0.0 || (1e-6..1e15).contains(&value.abs());
    if plain { value.to_string() } else { format!("{value:e}") }
}
