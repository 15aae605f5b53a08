//! Alerts that a stream shows: what was published by a run whose state is gone, or that could not write its log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{RuleState, Rules};
use crate::engine::labels::Labels;
use crate::engine::rules::alert::AlertState;
use crate::engine::rules::book::{Active, Episode, Sender};
use crate::engine::rules::evaluate::LIMIT_ALERT;
use crate::engine::rules::event::{AlertEvent, AlertEventKind, Identity, Reason, fingerprint};
use crate::engine::rules::logged::{LogRecord, LoggedTransitions, settled_at};
use crate::engine::rules::set::{Alerting, Condition, RuleKind};
use crate::engine::rules::stored::{StoredAlert, StoredAlerts};
use crate::engine::time::Timestamp;
use crate::engine::wire::{EventId, EventType};

/// By fingerprint: under which labels a rule keeps an alert.
pub(super) type Identities = BTreeMap<u64, Labels>;

impl Rules {
    /// Takes over what a stream shows of this instance's alerts, before anything of the outbox was sent: an alert that is
    /// open there fires here under the same start, and what was decided here meanwhile follows it; one whose rule is gone
    /// ends; one that ended there is no longer open here.
    pub(crate) fn adopt(&mut self, shown: &StoredAlerts, now: Timestamp) {
        self.forget_ended(&shown.ended);
        let waiting: BTreeSet<EventId> = self.outbox.iter().map(|event| event.id).collect();
        // What is followed below finds itself among what waits, and lets nothing go that is decided behind it.
        let followed: BTreeSet<EventId> = shown.latest.iter().map(|event| event.id).collect();
        let is_stored =
            |id: &&EventId| (shown.begun.contains(id) || shown.ended.contains(id)) && !followed.contains(id);
        let stored = waiting.iter().filter(is_stored).copied().collect();
        self.outbox.confirm_through(&stored);
        let mut here = self.identities();
        let passed = self.pass_waiting(&shown.told, &mut here, now);
        for open in &shown.open {
            // What waits here and was stored all the same is known.
            let is_known = waiting.contains(&open.id)
                || waiting.contains(&open.end_id())
                || passed.contains(&open.fingerprint());
            if open.source == self.settings.instance && !is_known && !shown.ended.contains(&open.end_id()) {
                self.adopt_one(open, &mut here, now);
            }
        }
        for event in &shown.latest {
            self.follow_event(event, &mut here, now);
        }
        self.resumed.forget_logged();
        self.views = None;
        for group in &mut self.groups {
            group.view = None;
            // The next evaluation, whatever it is about, finds out what is true of them now before anybody is told.
            group.mark_active();
        }
    }

    /// Goes on with what a log tells since the state was saved: what waits is sent, alerts are as they were left, and what
    /// led there is not decided again.
    pub(crate) fn recall(&mut self, log: &[LogRecord], now: Timestamp) {
        let told = LoggedTransitions::by(log);
        self.resumed.note_logged(log.iter().filter_map(LogRecord::decided).map(|event| event.id));
        self.forget_ended(&told.ended);
        for id in &told.acknowledged {
            self.outbox.confirm(*id);
        }
        for id in &told.withdrawn {
            self.outbox.confirm(*id);
        }
        for event in log.iter().filter_map(LogRecord::decided) {
            self.outbox.ended.notice(event);
        }
        self.outbox.recall(told.waiting);
        for (fingerprint, decided) in told.settled {
            self.resumed.settle(fingerprint, decided);
        }
        let mut here = self.identities();
        let ends = self.outbox.ends().filter(|end| !told.withdrawn.contains(end));
        let ends: BTreeSet<EventId> = ends.collect();
        // What ended with the rules of before, or before a log was torn, is over.
        for (open, essence) in told.open.iter().filter(|(open, _)| !ends.contains(&open.end_id())) {
            let rule = self.groups.iter().flat_map(|group| &group.rules).find(|it| is_rule_of(it, open));
            let is_another =
                rule.zip(essence.as_ref()).is_some_and(|(it, essence)| it.rule.essence != *essence);
            if is_another {
                self.end_stored(open, &episode_of(open), Reason::RuleChanged, now);
                // What began at the same instant under the rule as it is now would be taken for the same episode.
                self.resumed.settle(open.fingerprint(), (0, open.started_at.after(Duration::from_micros(1))));
            } else {
                self.supersede(open, &here);
                self.fire(open, &mut here, now);
            }
        }
    }

    /// Goes on with what a stream shows was told since the state was saved, by a run that may not have been able to write a
    /// log; before anything of that time is decided here.
    pub(crate) fn recall_stored(&mut self, told: &[StoredAlert], now: Timestamp) {
        let saved_at = self.resumed.saved_at();
        let mut here = self.identities();
        for event in in_turn(told, |event| event.timestamp > saved_at) {
            if self.resumed.is_logged(event.id) {
                self.outbox.confirm(event.id);
            } else {
                self.take_event(event, &mut here, now);
            }
            self.resumed.settle(event.fingerprint(), (event.reach.at_most, settled_at(event)));
        }
    }

    /// The same of what a stream shows was told since something that waits was decided: it takes its place. Yields the alerts
    /// that stand as they do there, or where what waits of them leads.
    fn pass_waiting(&mut self, told: &[StoredAlert], here: &mut Identities, now: Timestamp) -> BTreeSet<u64> {
        let mut waits: BTreeMap<u64, Timestamp> = BTreeMap::new();
        for event in self.outbox.iter() {
            waits.entry(event.fingerprint).or_insert(event.timestamp);
        }
        let passes = |event: &StoredAlert| {
            !self.resumed.is_logged(event.id)
                && waits.get(&event.fingerprint()).is_some_and(|since| event.timestamp >= *since)
        };
        let told = in_turn(told, passes);
        for event in &told {
            self.take_event(event, here, now);
        }
        told.into_iter().map(StoredAlert::fingerprint).collect()
    }

    /// Has an alert that fires here since before go on as the episode that a log tells of: the one before was over when that was
    /// decided, though it may be a stream alone that told so.
    fn supersede(&mut self, open: &StoredAlert, here: &Identities) {
        let is_older = |known: &Episode| known.started_at < open.started_at;
        if *open.rule_id == *LIMIT_ALERT.1 {
            return self.begin_limit_since(&episode_of(open), is_older);
        }
        let identity = here.get(&open.fingerprint());
        if let Some((level, active)) = self.firing_here(open, identity)
            && active.episode.as_ref().is_some_and(is_older)
        {
            active.episode = Some(episode_of(open));
            active.state = AlertState::firing(level, open.started_at);
        }
    }

    /// What is pending or firing here.
    pub(super) fn identities(&self) -> Identities {
        let mut identities = Identities::new();
        for rule in self.groups.iter().flat_map(|group| &group.rules) {
            for (identity, active) in &rule.book.alerts {
                let labels = active.episode.as_ref().map_or(&active.base, |episode| &episode.labels);
                identities.insert(fingerprint(&rule.rule.id, labels), identity.clone());
            }
        }
        identities
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

    fn adopt_one(&mut self, open: &StoredAlert, here: &mut Identities, now: Timestamp) {
        let episode = episode_of(open);
        let print = fingerprint(&open.rule_id, &open.labels);
        let waits = self.outbox.of(print).count();
        if waits == 0 {
            return self.fire(open, here, now);
        }
        // It fires anew here, or began and ended: what waits follows.
        if let Some((level, active)) = self.firing_here(open, here.get(&print))
            && waits == 1
            && active.episode.as_ref().is_some_and(|known| known.labels == open.labels)
        {
            active.episode = Some(episode.clone());
            active.state = AlertState::firing(level, open.started_at);
        } else if waits == 1 && *open.rule_id == *LIMIT_ALERT.1 {
            self.begin_limit_since(&episode, |_| true);
        }
        self.follow(open, &episode, print);
    }

    /// Has an alert fire since it began elsewhere, unless it fires here already; one whose rule is gone ends.
    pub(super) fn fire(&mut self, open: &StoredAlert, here: &mut Identities, now: Timestamp) {
        let episode = episode_of(open);
        if *open.rule_id == *LIMIT_ALERT.1 {
            return self.adopt_limit(open, episode, now);
        }
        let print = fingerprint(&open.rule_id, &open.labels);
        if let Some((level, active)) = self.firing_here(open, here.get(&print)) {
            // Of two episodes of one alert the one that is known here counts.
            if active.episode.is_none() {
                active.episode = Some(episode);
                active.state = AlertState::firing(level, open.started_at);
            }
            return;
        }
        let mut rules = self.groups.iter_mut().flat_map(|group| &mut group.rules);
        let Some(state) = rules.find(|state| is_rule_of(state, open)) else {
            return self.end_stored(open, &episode, Reason::RuleRemoved, now);
        };
        if let RuleKind::Alerting(alerting) = &state.rule.kind {
            let (identity, active) = resumed_alert(state, alerting, open, episode);
            let id = state.rule.id.clone();
            state.book.alerts.insert(identity.clone(), active);
            here.insert(print, identity.clone());
            self.resumed.expect(&id, print, identity, now);
        }
    }

    /// The alert of this identity, pending or firing here, with the level that the other's severity means.
    pub(super) fn firing_here(
        &mut self,
        open: &StoredAlert,
        identity: Option<&Labels>,
    ) -> Option<(usize, &mut Active)> {
        let mut rules = self.groups.iter_mut().flat_map(|group| &mut group.rules);
        let state = rules.find(|state| is_rule_of(state, open))?;
        let RuleKind::Alerting(alerting) = &state.rule.kind else { return None };
        let active = state.book.alerts.get_mut(identity?)?;
        Some((level_of(alerting, active, open), active))
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
            Some(state) if state.book.over_limit.is_none() => {
                let (print, labels) = (fingerprint(&open.rule_id, &open.labels), open.labels.clone());
                state.book.over_limit = Some(episode);
                self.resumed.expect(&open.rule_id, print, labels, now);
            }
            Some(_) => {}
            None => self.end_stored(open, &episode, Reason::RuleRemoved, now),
        }
    }

    /// An alert about a limit that fires here fires since this episode began.
    fn begin_limit_since(&mut self, episode: &Episode, is_that: impl Fn(&Episode) -> bool) {
        let rules = self.groups.iter_mut().flat_map(|group| &mut group.rules);
        for open in rules.filter_map(|rule| rule.book.over_limit.as_mut()) {
            if open.labels == episode.labels && is_that(open) {
                *open = episode.clone();
            }
        }
    }

    fn end_stored(&mut self, open: &StoredAlert, episode: &Episode, reason: Reason, now: Timestamp) {
        let event = self.sender(open, now, |sender| sender.cleared(episode, reason, None));
        self.outbox.push(event);
    }

    pub(super) fn sender<T>(
        &self,
        open: &StoredAlert,
        at: Timestamp,
        send: impl FnOnce(Sender<'_>) -> T,
    ) -> T {
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

/// Those that are meant, of each alert in the order of its episodes.
fn in_turn(told: &[StoredAlert], is_meant: impl Fn(&StoredAlert) -> bool) -> Vec<&StoredAlert> {
    let mut turns: Vec<&StoredAlert> = told.iter().filter(|event| is_meant(event)).collect();
    turns.sort_by_key(|event| (event.started_at, event.event_type == EventType::AlertCleared));
    turns
}

fn is_rule_of(state: &RuleState, open: &StoredAlert) -> bool {
    matches!(state.rule.kind, RuleKind::Alerting(_)) && state.rule.id == open.rule_id
}

pub(super) fn episode_of(open: &StoredAlert) -> Episode {
    Episode {
        labels: open.labels.clone(),
        severity: open.severity,
        started_at: open.started_at,
        annotations: open.annotations.clone(),
        evidence: Vec::new(),
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
