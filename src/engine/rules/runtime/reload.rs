//! A reload: what keeps its state, and what ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{GroupCounts, GroupState, RuleSettings, RuleState, Rules};
use crate::engine::config::Evaluate;
use crate::engine::labels::Labels;
use crate::engine::rules::RuleStorage;
use crate::engine::rules::book::{Book, Sender};
use crate::engine::rules::evaluate::{Env, Evaluation, Showing, limit_sender};
use crate::engine::rules::event::Reason;
use crate::engine::rules::kept::{Moved, Plans};
use crate::engine::rules::resumed::Era;
use crate::engine::rules::schedule::Schedule;
use crate::engine::rules::set::{Rule, RuleKind, RuleSet};
use crate::engine::rules::template::EVALUATION_STEPS_MAX;
use crate::engine::rules::view::Health;
use crate::engine::series::Ordinal;
use crate::engine::time::Timestamp;

/// What makes a rule the same rule after a reload: its kind and its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RuleKey {
    Recording(Arc<str>),
    Alerting(Arc<str>),
}

/// What was in force before.
pub(super) struct Former {
    /// By file and name.
    pub(super) groups: BTreeMap<(Arc<str>, Arc<str>), FormerGroup>,
    pub(super) rules: BTreeMap<RuleKey, FormerRule>,
}

/// A group that was in force.
pub(super) struct FormerGroup {
    pub(super) schedule: Schedule,
    pub(super) counts: GroupCounts,
    pub(super) last_evaluation: Option<Timestamp>,
    pub(super) evaluation_time: Duration,
}

/// A rule that was in force, with what it keeps.
pub(super) struct FormerRule {
    pub(super) id: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) essence: Arc<str>,
    pub(super) book: Book,
    pub(super) exposed: BTreeSet<Labels>,
    pub(super) health: Health,
    pub(super) last_evaluation: Option<Timestamp>,
    pub(super) evaluation_time: Duration,
    pub(super) moved: Moved,
    pub(super) fresh_from: Ordinal,
}

impl FormerRule {
    fn of(state: RuleState) -> Self {
        let RuleState { rule, book, exposed, health, last_evaluation, evaluation_time, moved, .. } = state;
        let (id, name, essence) = (rule.id.clone(), rule.name.clone(), rule.essence.clone());
        let fresh_from = state.fresh_from;
        Self { id, name, essence, book, exposed, health, last_evaluation, evaluation_time, moved, fresh_from }
    }
}

impl RuleState {
    /// Goes on with what the same rule kept. Its texts may have changed: `write_annotations` writes them anew.
    fn take_over(&mut self, former: FormerRule) {
        let FormerRule { book, exposed, health, last_evaluation, evaluation_time, moved, .. } = former;
        (self.book, self.exposed, self.health) = (book, exposed, health);
        (self.last_evaluation, self.evaluation_time, self.moved) = (last_evaluation, evaluation_time, moved);
        self.fresh_from = former.fresh_from;
        self.book.alerts.values_mut().for_each(|active| active.annotations.clear());
    }
}

impl Rules {
    /// What makes the alerting rule of this id the rule it is.
    pub(crate) fn essence_of(&self, rule_id: &str) -> Option<Arc<str>> {
        let mut rules = self.groups.iter().flat_map(|group| &group.rules);
        let of_id = |state: &&RuleState| {
            *state.rule.id == *rule_id && matches!(state.rule.kind, RuleKind::Alerting(_))
        };
        rules.find(of_id).map(|state| Arc::clone(&state.rule.essence))
    }

    /// Puts another set in force. A rule whose essence is unchanged keeps its state, wherever it moved; the alerts of
    /// others end. To rules that are new or changed no event before the upcoming one is fresh: one may have begun an episode
    /// of a rule of the same id.
    pub(crate) fn replace(&mut self, set: RuleSet, upcoming: Ordinal, now: Timestamp) {
        let mut former = Former { groups: BTreeMap::new(), rules: BTreeMap::new() };
        for group in std::mem::take(&mut self.groups) {
            let key = (group.group.file.clone(), group.group.name.clone());
            let GroupState { schedule, counts, last_evaluation, evaluation_time, .. } = group;
            former.groups.insert(key, FormerGroup { schedule, counts, last_evaluation, evaluation_time });
            let rules = group.rules.into_iter().map(|rule| (key_of(&rule.rule), FormerRule::of(rule)));
            former.rules.extend(rules);
        }
        self.take_over(set, (former, upcoming), now);
    }

    /// Puts a set in force after what was before, the upcoming event being the first that is fresh to other rules.
    pub(super) fn take_over(
        &mut self,
        set: RuleSet,
        (mut former, upcoming): (Former, Ordinal),
        now: Timestamp,
    ) {
        let mut groups = Vec::new();
        for group in set.groups {
            let known = former.groups.remove(&(group.file.clone(), group.name.clone()));
            let mut state = self.group_state(group, now);
            if let Some(known) = known {
                (state.counts, state.last_evaluation) = (known.counts, known.last_evaluation);
                state.evaluation_time = known.evaluation_time;
                state.schedule.take_over(known.schedule);
            }
            let mut is_news = false;
            for rule in &mut state.rules {
                rule.fresh_from = upcoming;
                match former.rules.remove(&key_of(&rule.rule)) {
                    Some(old) if old.essence == rule.rule.essence => rule.take_over(old),
                    Some(old) => {
                        (rule.moved, is_news) = (Moved::Everything, true);
                        self.end(old, Reason::RuleChanged, now);
                    }
                    None => (rule.moved, is_news) = (Moved::Everything, true),
                }
            }
            if state.schedule.evaluate() == Evaluate::Arrival && is_news {
                // Later than now, so that an episode that ended here and its successor differ in their start.
                state.schedule.arrive(now.after(Duration::from_micros(1)));
            }
            groups.push(state);
        }
        for (_, old) in former.rules {
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
        self.look_ahead();
    }

    /// Expands the annotations that a reload took away, so that readers need not wait for the next evaluation.
    pub(crate) fn write_annotations(&mut self, storage: &mut dyn RuleStorage, now: Timestamp) {
        let mut template_steps = EVALUATION_STEPS_MAX;
        let upcoming = storage.upcoming();
        self.views = None;
        for state in &mut self.groups {
            state.view = None;
            let group = state.group.clone();
            let mut plans = Plans::default();
            let mut env = Env {
                storage: &mut *storage,
                settings: &self.settings,
                group: &group,
                at: now,
                query_at: now.before(group.query_offset),
                moved_at: None,
                fresh_from: upcoming,
                narrow: None,
                plans: &mut plans,
                outbox: &mut self.outbox,
                resumed: &mut self.resumed,
                counts: &mut state.counts,
                template_steps: &mut template_steps,
            };
            for rule in &mut state.rules {
                if let RuleKind::Alerting(alerting) = &rule.rule.kind {
                    let (sources, showing) = (rule.sources.as_ref(), Showing::Same);
                    let (rule, book) = (&rule.rule, &mut rule.book);
                    Evaluation { env: &mut env, rule, alerting, book, sources, showing }.write_annotations();
                }
            }
        }
    }

    fn end(&mut self, mut old: FormerRule, reason: Reason, now: Timestamp) {
        let source = self.settings.instance.clone();
        if let Some(episode) = old.book.over_limit.take() {
            self.outbox.push(limit_sender(&source, now, |sender| sender.cleared(&episode, reason, None)));
        }
        let sender = Sender {
            rule_id: &old.id,
            alert_name: &old.name,
            source: &source,
            external_url: &self.settings.external_url,
            at: now,
            moved_at: None,
        };
        for event in old.book.close(sender, reason) {
            if self.resumed.era() == Era::Past && event.started_at >= now {
                // It began in a past that is still to come. What began at that instant under the rule as it is now would
                // be taken for the same episode.
                let later = event.started_at.after(Duration::from_micros(1));
                self.resumed.settle(event.fingerprint, (0, later));
            }
            self.outbox.push(event);
        }
        self.orphans.append(&mut old.exposed);
    }
}

fn key_of(rule: &Rule) -> RuleKey {
    let id = Arc::clone(&rule.id);
    match rule.kind {
        RuleKind::Recording => RuleKey::Recording(id),
        RuleKind::Alerting(_) => RuleKey::Alerting(id),
    }
}
