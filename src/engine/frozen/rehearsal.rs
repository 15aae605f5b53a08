//! What rules would have done over the past that is in memory: the evaluator and the alert state machine that run live,
//! walked through a frozen instant's past.
//!
//! Each group is evaluated at its interval, or at a multiple of it where the past is long; what arrivals would have had
//! evaluated in between is not known any more. What the rules write themselves takes the place of what is remembered
//! of them, so that an edited recording rule is read as it would have been.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{FrozenInstant, QueryTerms};
use crate::engine::history::{Occasion, Past, Timeline};
use crate::engine::labels::{Labels, METRIC_NAME};
use crate::engine::metric::{ALERT_SERIES, MetricType, sample_names};
use crate::engine::promql::storage::{Halt, Matcher, Patience, Selection};
use crate::engine::promql::{SelectedSeries, Storage, Value};
use crate::engine::rules::event::{AlertEventKind, Reason};
use crate::engine::rules::set::{RuleKind, Severity};
use crate::engine::rules::{AlertEvent, Evidence, RuleSet, RuleSettings, RuleStorage, Rules};
use crate::engine::series::{Frozen, SeriesSource};
use crate::engine::time::Timestamp;

/// Evaluations of one group.
const STEPS_MAX: u32 = 720;

/// Episodes that are told of; further ones are counted.
const EPISODES_MAX: usize = 1_000;

/// What rules would have done.
#[derive(Clone, Debug)]
pub(crate) struct Rehearsal {
    /// The first instant that was looked at.
    pub(crate) from: Timestamp,
    /// The last: the frozen instant, unless time ran out before.
    pub(crate) to: Timestamp,
    /// Whether time ran out before the end.
    pub(crate) is_cut_short: bool,
    /// The longest time between two evaluations of a group.
    pub(crate) every: Duration,
    /// In the order of their beginnings.
    pub(crate) episodes: Vec<RehearsedEpisode>,
    /// How many more there were.
    pub(crate) episodes_left_out: u64,
    /// The instant with what the rules would have written, to be asked for it.
    pub(crate) instant: FrozenInstant,
    /// The ids of rules whose last evaluation failed, each with what it said.
    pub(crate) failures: Vec<(Arc<str>, String)>,
}

/// From an AlertTriggered to its AlertCleared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RehearsedEpisode {
    /// The rule's id.
    pub(crate) rule_id: Arc<str>,
    /// The alert's labels.
    pub(crate) labels: Labels,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// When it begins.
    pub(crate) began: Timestamp,
    /// When and why it ends; none where it does not.
    pub(crate) ended: Option<(Timestamp, Reason)>,
    /// The value it begins with.
    pub(crate) value: f64,
    /// What people would have read.
    pub(crate) message: String,
}

impl FrozenInstant {
    /// Walks rules through the last `window` of the past, for as long as patience lasts.
    pub(crate) fn rehearse(
        &self,
        set: &RuleSet,
        settings: RuleSettings,
        (window, terms): (Duration, QueryTerms<'_>),
    ) -> Rehearsal {
        let begun = self.timeline.begins().unwrap_or(self.now);
        let from = self.now.before(window).max(begun);
        let walk = Walk::new(set, (from, self.now));
        let settings = RuleSettings { query: *terms.settings, ..settings };
        let mut stage = RehearsalStage::new(self, set, terms.patience);
        let mut rules = Rules::new(set.clone(), settings, from);
        let mut told = Told::default();
        let mut reached = None;
        for (at, group) in walk.instants {
            rules.evaluate_group(group, &mut stage, at);
            if terms.patience.ended().is_some() {
                break;
            }
            let decided: Vec<AlertEvent> = rules.outbox().cloned().collect();
            for event in decided {
                rules.confirm(event.id);
                told.take(event);
            }
            // What is counted for metrics has no reader here.
            drop(rules.take_counts());
            reached = Some(at);
        }
        let is_cut_short = terms.patience.ended().is_some();
        let views = rules.groups();
        let failed = views.iter().flat_map(|group| &group.rules);
        let failed = failed.filter(|rule| !rule.health.last_error().is_empty());
        let failures = failed.map(|rule| (rule.id.clone(), rule.health.last_error().to_owned()));
        Rehearsal {
            from,
            to: if is_cut_short { reached.unwrap_or(from) } else { self.now },
            is_cut_short,
            every: walk.every,
            episodes: told.episodes,
            episodes_left_out: told.left_out,
            instant: FrozenInstant { timeline: stage.timeline, ..self.clone() },
            // An evaluation that was given up says nothing of the rule.
            failures: if is_cut_short { Vec::new() } else { failures.collect() },
        }
    }
}

/// The instants at which groups are evaluated.
struct Walk {
    instants: Vec<(Timestamp, usize)>,
    every: Duration,
}

impl Walk {
    fn new(set: &RuleSet, (from, to): (Timestamp, Timestamp)) -> Self {
        let mut walk = Self { instants: Vec::new(), every: Duration::ZERO };
        let length = to.since(from);
        for (place, group) in set.groups.iter().enumerate() {
            let wanted = length.as_secs_f64() / group.interval.as_secs_f64().max(f64::MIN_POSITIVE);
            let times = (wanted / f64::from(STEPS_MAX)).ceil().clamp(1.0, 1e9);
            let step = group.interval.saturating_mul(times as u32).max(Duration::from_millis(1));
            walk.every = walk.every.max(step);
            let instants = (0..=STEPS_MAX).map(|number| from.after(step.saturating_mul(number)));
            walk.instants.extend(instants.take_while(|at| *at <= to).map(|at| (at, place)));
        }
        walk.instants.sort_unstable();
        walk
    }
}

/// The episodes so far.
#[derive(Default)]
struct Told {
    episodes: Vec<RehearsedEpisode>,
    /// The places of those that are open, by the alert's fingerprint.
    open: BTreeMap<u64, usize>,
    left_out: u64,
}

impl Told {
    fn take(&mut self, event: AlertEvent) {
        match event.kind {
            AlertEventKind::Triggered { .. } if self.episodes.len() >= EPISODES_MAX => self.left_out += 1,
            AlertEventKind::Triggered { current_value, message, .. } => {
                self.open.insert(event.fingerprint, self.episodes.len());
                self.episodes.push(RehearsedEpisode {
                    rule_id: event.rule_id,
                    labels: event.labels,
                    severity: event.severity,
                    began: event.started_at,
                    ended: None,
                    value: current_value,
                    message,
                });
            }
            AlertEventKind::Cleared { reason, .. } => {
                let place = self.open.remove(&event.fingerprint);
                if let Some(episode) = place.and_then(|place| self.episodes.get_mut(place)) {
                    episode.ended = Some((event.timestamp, reason));
                }
            }
        }
    }
}

/// The past that the rules read, and what they write into it.
struct RehearsalStage<'a> {
    store: &'a Frozen,
    timeline: Timeline,
    now: Timestamp,
    patience: &'a dyn Patience,
}

impl<'a> RehearsalStage<'a> {
    fn new(instant: &'a FrozenInstant, set: &RuleSet, patience: &'a dyn Patience) -> Self {
        let names = |wanted: fn(&RuleKind) -> bool| -> BTreeSet<&str> {
            set.rules().filter(|rule| wanted(&rule.kind)).map(|rule| rule.name.as_ref()).collect()
        };
        let recorded = names(|kind| matches!(kind, RuleKind::Recording));
        let alerts = names(|kind| matches!(kind, RuleKind::Alerting(_)));
        let is_their_own = |labels: &Labels| {
            let name = labels.get(METRIC_NAME).unwrap_or_default();
            recorded.contains(name)
                || ALERT_SERIES.contains(&name)
                    && labels.get("alertname").is_some_and(|alert| alerts.contains(alert))
        };
        let mut timeline = instant.timeline.clone();
        timeline.forget_written(is_their_own);
        Self { store: instant.metrics.store(), timeline, now: instant.now, patience }
    }

    fn past(&self) -> Past<'_, Frozen> {
        Past { store: self.store, timeline: &self.timeline, now: self.now, patience: self.patience }
    }
}

impl Storage for RehearsalStage<'_> {
    fn halted(&self) -> Option<Halt> {
        self.patience.ended()
    }

    fn select(&self, selection: Selection<'_>) -> Vec<SelectedSeries> {
        self.past().select(selection)
    }
}

impl RuleStorage for RehearsalStage<'_> {
    fn append(&mut self, labels: &Labels, time_ms: i64, value: Option<Value>) {
        self.timeline.write(labels, time_ms, value, Occasion::Interval);
    }

    fn metric_type(&self, sample: &str) -> Option<MetricType> {
        let shown = sample_names(sample).find(|sample| {
            let found = self.store.family_named(sample.family).and_then(|id| self.store.family(id));
            found.is_some_and(|family| family.spec().metric_type == sample.metric_type && !family.is_empty())
        });
        shown.map(|sample| sample.metric_type)
    }

    /// What moved a value then is not known any more.
    fn evidence(&self, _: &[Vec<Matcher>], _: &Labels) -> Evidence {
        Evidence::default()
    }
}
