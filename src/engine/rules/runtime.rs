//! The rules in force: which are due, their evaluation, their reload, and what readers see of them.

mod adopt;
mod arrivals;
mod follow;
mod reading;
mod reload;
mod rule;
mod saved;
mod settled;
mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::RuleStorage;
use super::ended::EndedAlerts;
use super::evaluate::Env;
use super::event::AlertEvent;
use super::kept::Moved;
use super::resumed::Resumed;
use super::schedule::{ArrivalShare, DueEvaluation, Schedule};
use super::set::{Group, RuleSet};
use super::template::EVALUATION_STEPS_MAX;
use super::view::GroupView;
use crate::engine::config::{Config, Evaluate, Grid};
use crate::engine::history::Occasion;
use crate::engine::labels::Labels;
use crate::engine::promql;
use crate::engine::promql::inspect::reach;
use crate::engine::promql::storage::Matcher;
use crate::engine::rules::outbox::Outbox;
use crate::engine::stopwatch::{Stopped, Stopwatch};
use crate::engine::time::Timestamp;
use crate::engine::wire::EventId;
use arrivals::Answers;
use reading::{Sources, followers, sources};
use rule::RuleState;

/// How rules are evaluated.
#[derive(Clone, Debug)]
pub(crate) struct RuleSettings {
    /// The `source` of alert events.
    pub(crate) instance: Arc<str>,
    /// When groups are evaluated that do not say so.
    pub(crate) evaluate: Evaluate,
    /// How much of a core the evaluations of a group on arrival may take.
    pub(crate) arrival_share: ArrivalShare,
    /// Where the instants of groups lie.
    pub(crate) grid: Grid,
    /// `$externalLabels` of templates.
    pub(crate) external_labels: Labels,
    /// `$externalURL` of templates.
    pub(crate) external_url: Arc<str>,
    /// How expressions are evaluated.
    pub(crate) query: promql::EvalSettings,
    /// Whose limits hold.
    pub(crate) semantics: Semantics,
    /// Which instant an episode is said to begin at.
    pub(crate) beginnings: Beginnings,
    /// How many events wait in the outbox before new alerts are refused.
    pub(crate) outbox_max: usize,
    /// Measures evaluations, for metrics and views alone.
    pub(crate) stopwatch: Arc<dyn Stopwatch>,
}

/// Whose semantics hold where ours and Prometheus' differ in one evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Semantics {
    /// A limit refuses new alerts alone.
    #[default]
    Own,
    /// A limit that is exceeded ends all alerts of the rule: promtool's tests.
    Prometheus,
}

/// Which instant an episode is said to begin at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Beginnings {
    /// The one it is decided at.
    #[default]
    AsDecided,
    /// The one at which the message was stored that led to it: the instances of a pair have that in common.
    AsStored,
}

impl RuleSettings {
    /// What a configuration says, the rest as it is by default.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            evaluate: config.evaluate,
            arrival_share: ArrivalShare::percent(config.arrival_percent_max),
            grid: config.grid,
            beginnings: if config.pair.is_on() { Beginnings::AsStored } else { Beginnings::AsDecided },
            external_labels: config.external_labels.clone(),
            external_url: config.external_url.as_str().into(),
            ..Self::new(config.alert_source())
        }
    }

    /// The defaults under an instance's name.
    pub(crate) fn new(instance: &str) -> Self {
        Self {
            instance: Arc::from(instance),
            evaluate: Evaluate::Arrival,
            arrival_share: ArrivalShare::percent(10),
            grid: Grid::Spread,
            external_labels: Labels::empty(),
            external_url: Arc::from(""),
            query: promql::EvalSettings::default(),
            semantics: Semantics::Own,
            beginnings: Beginnings::AsDecided,
            outbox_max: 100_000,
            stopwatch: Arc::new(Stopped),
        }
    }
}

/// What a group did since it was last asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupCounts {
    /// How long each evaluation of the group took.
    pub(crate) rounds: Vec<Duration>,
    /// Evaluations of its rules.
    pub(crate) evaluations: u64,
    /// Those that failed.
    pub(crate) failures: u64,
    /// Evaluations on arrival that went over everything a rule reads, as nothing kept could shorten them.
    pub(crate) full: u64,
    /// Evaluations of its rules that an instant of the interval passed without.
    pub(crate) missed: u64,
    /// Templates that went out raw.
    pub(crate) template_failures: u64,
    /// Values of NaN that were taken for no data.
    pub(crate) nan_values: u64,
    /// Series too many to be remembered for `no_data: alert`, each time they were seen.
    pub(crate) unknown_series: u64,
    /// AlertTriggered events.
    pub(crate) triggered: u64,
    /// AlertCleared events.
    pub(crate) cleared: u64,
    /// Alerts the limit refused, by rule.
    pub(crate) limit_refused: BTreeMap<Arc<str>, u64>,
}

/// The rules in force.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    settings: RuleSettings,
    groups: Vec<GroupState>,
    /// By reader number: the places of its group and of the rule in it.
    places: Vec<(usize, usize)>,
    outbox: Outbox,
    /// Series of rules that are gone, to be ended at the next evaluation.
    orphans: BTreeSet<Labels>,
    /// What is known of alerts from elsewhere than this run.
    resumed: Resumed,
    /// What readers saw of the groups last, while nothing changed since.
    views: Option<Arc<[Arc<GroupView>]>>,
    /// When the first group is due.
    next: Option<Timestamp>,
    /// What the groups evaluated since the last [`Rules::rest`] cost, and which of them answered an arrival.
    answers: Answers,
}

/// A group in force.
#[derive(Clone, Debug)]
struct GroupState {
    group: Arc<Group>,
    schedule: Schedule,
    rules: Vec<RuleState>,
    last_evaluation: Option<Timestamp>,
    evaluation_time: Duration,
    counts: GroupCounts,
    /// What readers saw of it last, while it was not evaluated since.
    view: Option<Arc<GroupView>>,
    /// The places of the rules that an arrival concerns.
    marked: BTreeSet<usize>,
    /// By the name of a recording rule, the places of the rules that read it.
    followers: BTreeMap<Arc<str>, Vec<usize>>,
}

/// Which rules of a group are evaluated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    All,
    Marked,
}

/// The instants of an evaluation.
#[derive(Clone, Copy)]
struct Instants {
    at: Timestamp,
    query_at: Timestamp,
    moved_at: Option<Timestamp>,
}

impl Rules {
    /// Which instant episodes are said to begin at.
    pub(crate) const fn beginnings(&self) -> Beginnings {
        self.settings.beginnings
    }

    /// Measures evaluations with `stopwatch` from now on.
    pub(crate) fn time_with(&mut self, stopwatch: Arc<dyn Stopwatch>) {
        self.settings.stopwatch = stopwatch;
    }

    /// Puts rules in force; the first evaluation of each group is at its next instant.
    pub(crate) fn new(set: RuleSet, settings: RuleSettings, now: Timestamp) -> Self {
        let outbox = Outbox::new(settings.outbox_max);
        let (groups, places, orphans) = (Vec::new(), Vec::new(), BTreeSet::new());
        let resumed = Resumed::default();
        let (next, answers) = (None, Answers::default());
        let mut rules =
            Self { settings, groups, places, outbox, orphans, resumed, views: None, next, answers };
        let groups = set.groups.into_iter().map(|group| rules.group_state(group, now)).collect();
        rules.put_in_force(groups);
        rules
    }

    fn put_in_force(&mut self, groups: Vec<GroupState>) {
        let places = groups.iter().enumerate();
        self.places =
            places.flat_map(|(at, group)| (0..group.rules.len()).map(move |rule| (at, rule))).collect();
        self.groups = groups;
        let of_groups: Vec<&Group> = self.groups.iter().map(|state| state.group.as_ref()).collect();
        for Sources { place: (at, place), selectors } in sources(&of_groups) {
            let rule = self.groups.get_mut(at).and_then(|group| group.rules.get_mut(place));
            if let Some(rule) = rule {
                rule.sources = Arc::from(selectors);
            }
        }
        for group in &mut self.groups {
            let rules = group.rules.iter().enumerate();
            group.marked = rules.filter(|(_, rule)| rule.moved != Moved::Nothing).map(|(at, _)| at).collect();
        }
        self.look_ahead();
    }

    /// Finds out anew when the first group is due.
    fn look_ahead(&mut self) {
        self.next = self.groups.iter().map(|group| group.schedule.next()).min();
    }

    fn group_state(&self, group: Arc<Group>, now: Timestamp) -> GroupState {
        GroupState {
            schedule: Schedule::new(&group, self.settings.evaluate, now).on(self.settings.grid, now),
            rules: group.rules.iter().map(|rule| RuleState::new(rule.clone(), &group)).collect(),
            followers: followers(&group),
            group,
            last_evaluation: None,
            evaluation_time: Duration::ZERO,
            counts: GroupCounts::default(),
            view: None,
            marked: BTreeSet::new(),
        }
    }

    /// What each rule reads, in the order of groups and rules: the conditions of every selector. The place of a rule
    /// in this order is its *reader* number until the next [`Rules::replace`].
    pub(crate) fn reads(&self) -> impl Iterator<Item = &[Vec<Matcher>]> {
        self.groups.iter().flat_map(|group| &group.rules).map(|state| state.rule.selectors.as_slice())
    }

    /// How far back the rules read: the longest range with its offset, subqueries included.
    pub(crate) fn range_needed(&self) -> Duration {
        let lookback = self.settings.query.lookback;
        let reaches = self.groups.iter().flat_map(|group| {
            let offset = group.group.query_offset;
            group.rules.iter().map(move |state| reach(&state.rule.expr, lookback).saturating_add(offset))
        });
        reaches.max().unwrap_or_default()
    }

    /// When [`Rules::run_due`] has something to do next; none without rules.
    pub(crate) const fn next_due(&self) -> Option<Timestamp> {
        self.next
    }

    /// Evaluates every group that is due by now: all of its rules at its interval, after an arrival those that it
    /// concerns. Returns the reader numbers of the rules that were evaluated, rising.
    pub(crate) fn run_due(&mut self, storage: &mut dyn RuleStorage, now: Timestamp) -> Vec<usize> {
        self.end_orphans(storage, now);
        if self.groups.iter().any(|group| group.schedule.is_arrival_due(now)) {
            self.groups.iter_mut().for_each(|group| group.schedule.join(now));
        }
        let mut evaluated = Vec::new();
        let mut first = 0;
        for place in 0..self.groups.len() {
            let Some(state) = self.groups.get_mut(place) else { continue };
            let reader = first;
            first += state.rules.len();
            let Some((due, moved_at)) = state.schedule.take(now) else { continue };
            let earliest = state.last_evaluation.unwrap_or(now);
            let (extent, at) = match due {
                DueEvaluation::Interval { at, missed } => {
                    let rules = state.rules.len() as u64;
                    state.counts.missed += missed.saturating_mul(rules);
                    // An arrival may have been answered between the instant and now.
                    (Extent::All, at.max(earliest).min(now))
                }
                DueEvaluation::Arrival => (Extent::Marked, now.max(earliest)),
            };
            let rules = self.evaluate(place, storage, extent, Instants { at, query_at: now, moved_at });
            evaluated.extend(rules.into_iter().map(|rule| reader + rule));
        }
        self.look_ahead();
        evaluated
    }

    /// Evaluates one group, by its place in the set, at exactly this instant: rule tests.
    pub(crate) fn evaluate_group(&mut self, place: usize, storage: &mut dyn RuleStorage, at: Timestamp) {
        self.end_orphans(storage, at);
        self.evaluate(place, storage, Extent::All, Instants { at, query_at: at, moved_at: None });
    }

    /// Makes every group due now, and counts nothing as missed: rules were to be silent until here.
    pub(crate) fn resume(&mut self, now: Timestamp) {
        for group in &mut self.groups {
            group.schedule.resume(now);
            group.rules.iter_mut().for_each(|rule| rule.moved = Moved::Nothing);
            group.marked.clear();
        }
        self.look_ahead();
    }

    fn end_orphans(&mut self, storage: &mut dyn RuleStorage, now: Timestamp) {
        for labels in std::mem::take(&mut self.orphans) {
            storage.append(&labels, now.millis(), None);
        }
    }

    /// Evaluates rules of one group, in order; returns their places in it.
    fn evaluate(
        &mut self,
        place: usize,
        storage: &mut dyn RuleStorage,
        extent: Extent,
        instants: Instants,
    ) -> Vec<usize> {
        let Some(state) = self.groups.get_mut(place) else { return Vec::new() };
        let group = state.group.clone();
        let (begun, worked) = (self.settings.stopwatch.elapsed(), self.settings.stopwatch.worked());
        state.last_evaluation = Some(instants.at);
        (state.view, self.views) = (None, None);
        storage.evaluating(match extent {
            Extent::All => Occasion::Interval,
            Extent::Marked => Occasion::Arrival,
        });
        let upcoming = storage.upcoming();
        let mut evaluated = Vec::new();
        let mut template_steps = EVALUATION_STEPS_MAX;
        let mut next = 0;
        loop {
            let at = match extent {
                Extent::All => next,
                Extent::Marked => match state.marked.pop_first() {
                    Some(at) => at,
                    None => break,
                },
            };
            next = at + 1;
            let Some(rule) = state.rules.get_mut(at) else { break };
            let moved = std::mem::take(&mut rule.moved);
            evaluated.push(at);
            let narrow = match extent {
                Extent::All => None,
                Extent::Marked => rule.narrow(&moved),
            };
            let is_whole = extent == Extent::Marked && narrow.is_none();
            let mut plans = std::mem::take(&mut rule.plans);
            let mut env = Env {
                storage: &mut *storage,
                settings: &self.settings,
                group: &group,
                at: instants.at,
                query_at: instants.query_at.before(group.query_offset),
                moved_at: instants.moved_at,
                fresh_from: std::mem::replace(&mut rule.fresh_from, upcoming),
                narrow,
                plans: &mut plans,
                outbox: &mut self.outbox,
                resumed: &mut self.resumed,
                counts: &mut state.counts,
                template_steps: &mut template_steps,
            };
            let rule_begun = self.settings.stopwatch.elapsed();
            let recorded = rule.evaluate(&mut env, extent);
            rule.evaluation_time = self.settings.stopwatch.elapsed().saturating_sub(rule_begun);
            state.counts.full += u64::from(is_whole && !plans.has_answered());
            rule.plans = plans;
            if extent == Extent::Marked && !recorded.is_empty() {
                state.mark_followers(at, &recorded);
            }
        }
        if extent == Extent::All {
            state.marked.clear();
        }
        state.evaluation_time = self.settings.stopwatch.elapsed().saturating_sub(begun);
        let cost = self.settings.stopwatch.worked().saturating_sub(worked);
        self.answers.cost += cost;
        if extent == Extent::Marked {
            self.answers.groups.push((place, cost));
        }
        state.counts.rounds.push(state.evaluation_time);
        evaluated
    }

    /// The stream is read from this sequence on: what the log tells of alerts up to there need not be decided again.
    pub(crate) fn read_from(&mut self, sequence: u64) {
        self.resumed.read_from(sequence);
    }

    /// Nothing is decided at an instant before this one any more, though a group did not come to it.
    pub(crate) fn not_before(&mut self, now: Timestamp) {
        for group in &mut self.groups {
            group.last_evaluation = group.last_evaluation.max(Some(now));
        }
    }

    /// Whether a log tells of what was decided over a stream.
    pub(crate) fn are_over_stream(&self) -> bool {
        self.resumed.is_over_stream()
    }

    /// The past is over: everything is decided from here on.
    pub(crate) fn live(&mut self, now: Timestamp) {
        self.resumed.live(now);
    }

    /// The alert events that wait, in order.
    pub(crate) fn outbox(&self) -> impl ExactSizeIterator<Item = &AlertEvent> {
        self.outbox.iter()
    }

    /// Forgets an event the broker has; the event, where it was waiting.
    pub(crate) fn confirm(&mut self, id: EventId) -> Option<AlertEvent> {
        self.outbox.confirm(id)
    }

    /// The episodes that ended last.
    pub(crate) fn ended(&self) -> &EndedAlerts {
        &self.outbox.ended
    }

    /// How many events the outbox refused for want of room.
    pub(crate) fn outbox_refused(&self) -> u64 {
        self.outbox.refused()
    }

    /// What groups did since the last call; those that did nothing are left out.
    pub(crate) fn take_counts(&mut self) -> Vec<(Arc<Group>, GroupCounts)> {
        let busy = self.groups.iter_mut().filter(|state| state.counts != GroupCounts::default());
        busy.map(|state| (state.group.clone(), std::mem::take(&mut state.counts))).collect()
    }

    /// The groups in force.
    pub(crate) fn in_force(&self) -> impl Iterator<Item = &Arc<Group>> {
        self.groups.iter().map(|state| &state.group)
    }
}

#[cfg(test)]
mod adopt_tests;
#[cfg(test)]
mod follow_tests;
#[cfg(test)]
mod promtool_tests;
#[cfg(test)]
mod tests;
