//! A reload: what keeps its state, and what ends.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{RuleSettings, RuleState, Rules};
use crate::engine::config::Evaluate;
use crate::engine::rules::RuleStorage;
use crate::engine::rules::book::Sender;
use crate::engine::rules::evaluate::{Env, Evaluation, limit_sender};
use crate::engine::rules::event::Reason;
use crate::engine::rules::kept::Moved;
use crate::engine::rules::set::{Rule, RuleKind, RuleSet};
use crate::engine::rules::template::EVALUATION_STEPS_MAX;
use crate::engine::time::Timestamp;

/// What makes a rule the same rule after a reload: its kind and its id.
type Key = (bool, String);

impl Rules {
    /// Puts another set in force. A rule whose essence is unchanged keeps its state, wherever it moved; the alerts of
    /// others end.
    pub(crate) fn replace(&mut self, set: RuleSet, now: Timestamp) {
        let before = std::mem::take(&mut self.groups);
        let mut schedules = BTreeMap::new();
        let mut states: BTreeMap<Key, RuleState> = BTreeMap::new();
        for group in before {
            let key = (group.group.file.clone(), group.group.name.clone());
            schedules.insert(key, (group.schedule, group.counts, group.last_evaluation));
            states.extend(group.rules.into_iter().map(|rule| (key_of(&rule.rule), rule)));
        }
        let mut groups = Vec::new();
        for group in set.groups {
            let known = schedules.remove(&(group.file.clone(), group.name.clone()));
            let mut state = self.group_state(group, now);
            if let Some((schedule, counts, last_evaluation)) = known {
                (state.counts, state.last_evaluation) = (counts, last_evaluation);
                if schedule.fits(&state.schedule) {
                    state.schedule = schedule;
                }
            }
            for rule in &mut state.rules {
                match states.remove(&key_of(&rule.rule)) {
                    Some(old) if old.rule.essence == rule.rule.essence => {
                        let (rule_now, partition) = (rule.rule.clone(), rule.partition.clone());
                        *rule = RuleState { rule: rule_now, partition, moved: Moved::Nothing, ..old };
                        // Their texts may have changed: `write_annotations` writes them anew.
                        rule.book.alerts.values_mut().for_each(|active| active.annotations.clear());
                    }
                    Some(old) => {
                        rule.moved = Moved::Everything;
                        self.end(old, Reason::RuleChanged, now);
                    }
                    None => rule.moved = Moved::Everything,
                }
            }
            if state.schedule.evaluate() == Evaluate::Arrival
                && state.rules.iter().any(|rule| rule.moved != Moved::Nothing)
            {
                // Later than now, so that an episode that ended here and its successor differ in their start.
                state.schedule.arrive(now.after(Duration::from_micros(1)));
            }
            groups.push(state);
        }
        for (_, old) in states {
            self.end(old, Reason::RuleRemoved, now);
        }
        self.put_in_force(groups);
        self.views = None;
    }

    /// Evaluates as other settings have it from now on. Alerts stay; their texts are written anew.
    pub(crate) fn configure(&mut self, settings: RuleSettings, now: Timestamp) {
        let stopwatch = self.settings.stopwatch.clone();
        self.settings = RuleSettings { stopwatch, ..settings };
        for place in 0..self.groups.len() {
            let Some(group) = self.groups.get(place).map(|state| state.group.clone()) else { continue };
            let fresh = self.group_state(group, now).schedule;
            let Some(state) = self.groups.get_mut(place) else { continue };
            if !state.schedule.fits(&fresh) {
                state.schedule = fresh;
            }
            for rule in &mut state.rules {
                rule.book.alerts.values_mut().for_each(|active| active.annotations.clear());
            }
        }
    }

    /// Expands the annotations that a reload took away, so that readers need not wait for the next evaluation.
    pub(crate) fn write_annotations(&mut self, storage: &mut dyn RuleStorage, now: Timestamp) {
        let mut template_steps = EVALUATION_STEPS_MAX;
        self.views = None;
        for state in &mut self.groups {
            state.view = None;
            let group = state.group.clone();
            let mut env = Env {
                storage: &mut *storage,
                settings: &self.settings,
                group: &group,
                at: now,
                query_at: now.before(group.query_offset),
                moved_at: None,
                narrow: None,
                outbox: &mut self.outbox,
                resumed: &mut self.resumed,
                counts: &mut state.counts,
                template_steps: &mut template_steps,
            };
            for rule in &mut state.rules {
                if let RuleKind::Alerting(alerting) = &rule.rule.kind {
                    let (rule, book) = (&rule.rule, &mut rule.book);
                    Evaluation { env: &mut env, rule, alerting, book }.write_annotations();
                }
            }
        }
    }

    fn end(&mut self, mut old: RuleState, reason: Reason, now: Timestamp) {
        let source = self.settings.instance.clone();
        if let Some(episode) = old.book.over_limit.take() {
            self.outbox.push(limit_sender(&source, now, |sender| sender.cleared(&episode, reason, None)));
        }
        let sender = Sender {
            rule_id: &old.rule.id,
            alert_name: &old.rule.name,
            source: &source,
            at: now,
            moved_at: None,
        };
        for event in old.book.close(sender, reason) {
            self.outbox.push(event);
        }
        self.orphans.append(&mut old.exposed);
    }
}

fn key_of(rule: &Rule) -> Key {
    (matches!(rule.kind, RuleKind::Alerting(_)), rule.id.to_string())
}
