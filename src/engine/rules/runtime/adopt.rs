//! Alerts that a stream shows: what was published by a run whose state is gone, or that could not write its log.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{RuleState, Rules};
use crate::engine::labels::Labels;
use crate::engine::rules::alert::AlertState;
use crate::engine::rules::book::{Active, Episode, Sender};
use crate::engine::rules::evaluate::LIMIT_ALERT;
use crate::engine::rules::event::{AlertEvent, AlertEventKind, Identity, Reason, fingerprint};
use crate::engine::rules::set::{Alerting, Condition, RuleKind};
use crate::engine::rules::stored::{StoredAlert, StoredAlerts};
use crate::engine::time::Timestamp;
use crate::engine::wire::{EventId, EventType};

impl Rules {
    /// Takes over what a stream shows of this instance's alerts, before anything of the outbox was sent: an alert that is
    /// open there fires here under the same start, and what was decided here meanwhile follows it; one whose rule is gone
    /// ends; one that ended there is no longer open here.
    pub(crate) fn adopt(&mut self, shown: &StoredAlerts, now: Timestamp) {
        self.forget_ended(&shown.ended);
        let waiting: BTreeSet<_> = self.outbox.iter().map(|event| event.id).collect();
        for open in &shown.open {
            // What waits here and was stored all the same is known.
            let is_known = waiting.contains(&open.id) || waiting.contains(&open.end_id());
            if open.source == self.settings.instance && !is_known && !shown.ended.contains(&open.end_id()) {
                self.adopt_one(open, now);
            }
        }
        self.views = None;
        for group in &mut self.groups {
            group.view = None;
        }
    }

    /// Alerts that fire here and whose end a stream shows.
    fn forget_ended(&mut self, ended: &BTreeSet<EventId>) {
        for rule in self.groups.iter_mut().flat_map(|group| &mut group.rules) {
            let id = rule.rule.id.clone();
            let is_over = |episode: &Episode| ended.contains(&end_of(&id, episode));
            rule.book.alerts.retain(|_, active| !active.episode.as_ref().is_some_and(is_over));
            rule.book
                .over_limit
                .take_if(|episode| ended.contains(&end_of(&Arc::from(LIMIT_ALERT.1), episode)));
        }
    }

    fn adopt_one(&mut self, open: &StoredAlert, now: Timestamp) {
        let episode = Episode {
            labels: open.labels.clone(),
            severity: open.severity,
            started_at: open.started_at,
            annotations: open.annotations.clone(),
            evidence: Vec::new(),
        };
        if *open.rule_id == *LIMIT_ALERT.1 {
            return self.adopt_limit(open, episode, now);
        }
        let print = fingerprint(&open.rule_id, &open.labels);
        let resumed = &mut self.resumed;
        let mut rules = self.groups.iter_mut().flat_map(|group| &mut group.rules);
        let found = rules.find_map(|state| match &state.rule.kind {
            RuleKind::Alerting(alerting) if state.rule.id == open.rule_id => {
                Some((state.rule.clone(), alerting.clone(), state))
            }
            RuleKind::Alerting(_) | RuleKind::Recording => None,
        });
        let Some((rule, alerting, state)) = found else {
            return self.end_stored(open, &episode, Reason::RuleRemoved, now);
        };
        let open_here = state.book.alerts.iter_mut().find(|(_, active)| {
            let labels = active.episode.as_ref().map_or(&active.base, |episode| &episode.labels);
            fingerprint(&rule.id, labels) == print
        });
        match open_here {
            None if !self.outbox.iter().any(|event| event.fingerprint == print) => {
                let (identity, active) = resumed_alert(state, &alerting, open, episode);
                state.book.alerts.insert(identity.clone(), active);
                resumed.expect(&rule.id, print, identity, now);
            }
            None => self.follow(open, &episode, print),
            Some((_, active)) => {
                let level = level_of(&alerting, active, open);
                match &active.episode {
                    Some(known) if known.started_at == open.started_at => {}
                    // It fires anew here, or an earlier one waits to begin and end: what waits follows.
                    Some(_) | None if self.outbox.iter().any(|event| event.fingerprint == print) => {
                        let begins_only = self.outbox.of(print).count() == 1;
                        let same = active.episode.as_ref().is_some_and(|known| known.labels == open.labels);
                        if begins_only && same {
                            active.episode = Some(episode.clone());
                            active.state = AlertState::firing(level, open.started_at);
                        }
                        self.follow(open, &episode, print);
                    }
                    // Two episodes of one alert in the stream: the one that is known here counts.
                    Some(_) => {}
                    None => {
                        active.episode = Some(episode);
                        active.state = AlertState::firing(level, open.started_at);
                    }
                }
            }
        }
    }

    /// Has what waits of an alert follow the episode that is open in the stream: its first AlertTriggered need not be
    /// sent, and the end it waits for ends that episode. With other labels (another severity) that episode ends first.
    fn follow(&mut self, open: &StoredAlert, episode: &Episode, print: u64) {
        let waiting: Vec<AlertEvent> = self.outbox.of(print).take(2).cloned().collect();
        let Some(first) = waiting.first() else { return };
        if first.labels != open.labels {
            let (before, at) = (first.id, first.timestamp);
            let reason = Reason::SeverityChanged;
            let ended = self.sender(open, at, |sender| sender.cleared(episode, reason, None));
            self.outbox.insert_before(before, ended);
            return;
        }
        if let Some(second) = waiting.get(1)
            && let AlertEventKind::Cleared { reason, value } = second.kind
        {
            let ended = Episode { evidence: second.evidence.clone(), ..episode.clone() };
            let event = self.sender(open, second.timestamp, |sender| sender.cleared(&ended, reason, value));
            self.outbox.replace(second.id, event);
        }
        self.outbox.confirm(first.id);
    }

    fn adopt_limit(&mut self, open: &StoredAlert, episode: Episode, now: Timestamp) {
        let (group, rule) = (open.labels.get("group"), open.labels.get("rule"));
        let groups = self.groups.iter_mut().filter(|state| Some(state.group.name.as_ref()) == group);
        let mut rules = groups.flat_map(|group| &mut group.rules);
        match rules.find(|state| Some(state.rule.name.as_ref()) == rule) {
            Some(state) => drop(state.book.over_limit.get_or_insert(episode)),
            None => self.end_stored(open, &episode, Reason::RuleRemoved, now),
        }
    }

    fn end_stored(&mut self, open: &StoredAlert, episode: &Episode, reason: Reason, now: Timestamp) {
        let event = self.sender(open, now, |sender| sender.cleared(episode, reason, None));
        self.outbox.push(event);
    }

    fn sender<T>(&self, open: &StoredAlert, at: Timestamp, send: impl FnOnce(Sender<'_>) -> T) -> T {
        send(Sender {
            rule_id: &open.rule_id,
            alert_name: &open.alert_name,
            source: &self.settings.instance,
            external_url: &self.settings.external_url,
            at,
            moved_at: None,
        })
    }
}

/// The id of the AlertCleared of an episode.
fn end_of(rule_id: &Arc<str>, episode: &Episode) -> EventId {
    let identity = Identity { rule_id, labels: &episode.labels, started_at: episode.started_at };
    identity.event_id(EventType::AlertCleared)
}

/// The level of an alert that has this severity.
fn level_of(alerting: &Alerting, active: &Active, open: &StoredAlert) -> usize {
    let policy = alerting.policy_for(&active.sample);
    policy.levels.iter().position(|level| level.severity == Some(open.severity)).unwrap_or(0)
}

/// An alert that fires, with the identity it is kept under as far as that can be told without its series: the labels that
/// the rule adds are left out.
fn resumed_alert(
    state: &RuleState,
    alerting: &Alerting,
    open: &StoredAlert,
    episode: Episode,
) -> (Labels, Active) {
    let added = |name: &str| {
        let by_level = alerting.policy.levels.iter().any(|level| level.severity.is_some());
        name == "alertname"
            || (name == "severity" && by_level)
            || state.rule.labels.iter().any(|(label, _)| label.as_ref() == name)
    };
    let by_level = alerting.policy.levels.iter().any(|level| level.severity.is_some());
    let base = open.labels.filtered(|name| name != "severity" || !by_level);
    let sample = open.labels.filtered(|name| !added(name));
    let compares_itself = alerting.policy.levels.iter().any(|level| level.condition == Condition::Expression);
    let identity = if compares_itself { base.clone() } else { sample.clone() };
    let mut active = Active {
        state: AlertState::firing(0, open.started_at),
        base,
        sample,
        value: 0.0,
        threshold: None,
        annotations: Vec::new(),
        owes_annotations: false,
        episode: Some(episode),
    };
    active.state = AlertState::firing(level_of(alerting, &active, open), open.started_at);
    (identity, active)
}
