//! One evaluation of an alerting rule: readings in, steps, events and the `ALERTS` series out.

mod beginning;
mod error;
mod limit;
mod readings;
mod waiting;

pub(crate) use error::RuleError;
pub(super) use limit::{LIMIT_ALERT, limit_sender};

use std::collections::BTreeSet;
use std::sync::Arc;

use super::RuleStorage;
use super::alert::{self, AlertStep, Reading, ShownState, Terms};
use super::book::{Active, Book, Episode, Sender};
use super::event::Reason;
use super::kept::{Asked, Narrow, Parts, Plans, part_of_result};
use super::resumed::Resumed;
use super::runtime::{Extent, GroupCounts, RuleSettings, Semantics};
use super::set::{Alerting, Condition, Group, Policy, RefusedKind, Rule};
use super::template::{Answer, EXPANSION_STEPS_MAX, Scope, Template};
use crate::engine::labels::{Labels, METRIC_NAME};
use crate::engine::metric::{ALERTS, ALERTS_FOR_STATE};
use crate::engine::promql::storage::Matcher;
use crate::engine::promql::{self, Expr, QueryValue, Storage, Value};
use crate::engine::rules::outbox::Outbox;
use crate::engine::series::Ordinal;
use crate::engine::time::Timestamp;

/// What an evaluation works with.
pub(super) struct Env<'a> {
    pub(super) storage: &'a mut dyn RuleStorage,
    pub(super) settings: &'a RuleSettings,
    pub(super) group: &'a Group,
    /// The instant that counts for `for` and for what is written.
    pub(super) at: Timestamp,
    /// The instant queries look at.
    pub(super) query_at: Timestamp,
    pub(super) moved_at: Option<Timestamp>,
    /// The first event that the rule was not evaluated over yet.
    pub(super) fresh_from: Ordinal,
    /// The parts of the rule that are evaluated; all of it without.
    pub(super) narrow: Option<Narrow>,
    /// What of the rule is worked out ahead.
    pub(super) plans: &'a mut Plans,
    pub(super) outbox: &'a mut Outbox,
    pub(super) resumed: &'a mut Resumed,
    pub(super) counts: &'a mut GroupCounts,
    /// The steps that are left for templates.
    pub(super) template_steps: &'a mut u64,
}

impl Env<'_> {
    /// The result of an expression as a vector; a number is one sample without labels.
    pub(super) fn query(&mut self, asked: Asked, expr: &Expr) -> Result<Vec<(Labels, f64)>, RuleError> {
        match self.planned(asked, expr) {
            Some(samples) => Ok(samples),
            None => self.evaluated(expr).map(floats),
        }
    }

    /// The same with native histograms as they are.
    pub(super) fn query_values(
        &mut self,
        asked: Asked,
        expr: &Expr,
    ) -> Result<Vec<(Labels, Value)>, RuleError> {
        match self.planned(asked, expr) {
            Some(samples) => {
                Ok(samples.into_iter().map(|(labels, value)| (labels, Value::Float(value))).collect())
            }
            None => self.evaluated(expr),
        }
    }

    /// The same where it is worked out ahead.
    fn planned(&mut self, asked: Asked, expr: &Expr) -> Option<Vec<(Labels, f64)>> {
        let extent = if self.narrow.is_some() { Parts::Some } else { Parts::All };
        let (at, settings) = (self.query_at, &self.settings.query);
        let mut samples = self.plans.answer((asked, expr), &*self.storage, (at, extent), settings)?;
        if let Some(narrow) = &self.narrow {
            samples.retain(|(labels, _)| narrow.holds(labels));
        }
        Some(samples)
    }

    fn evaluated(&self, expr: &Expr) -> Result<Vec<(Labels, Value)>, RuleError> {
        let evaluate = |storage: &dyn Storage| query(storage, expr, self.query_at, &self.settings.query);
        match &self.narrow {
            Some(narrow) => part_of_result(self.storage, narrow, evaluate),
            None => evaluate(self.storage),
        }
    }

    /// Whether a sample with these labels is of what is evaluated.
    pub(super) fn concerns(&self, labels: &Labels) -> bool {
        self.narrow.as_ref().is_none_or(|narrow| narrow.holds(labels))
    }

    /// Whether a metric of this kind is there.
    pub(super) fn shows(&self, kind: &RefusedKind) -> bool {
        self.storage.metric_type(&kind.sample) == Some(kind.metric_type)
    }

    /// Where a sample of this evaluation stands in time.
    pub(super) fn sample_millis(&self) -> i64 {
        self.at.before(self.group.query_offset).millis()
    }

    /// A template's text for an alert of a name; where it fails, which is counted, its raw text, or what promtool says.
    /// None where the steps of the evaluation are spent: counted too, its raw text goes out until the next one.
    fn expand(
        &mut self,
        alert: &str,
        template: &Template,
        (labels, value): (&Labels, f64),
    ) -> Option<Arc<str>> {
        if template.is_literal() {
            return Some(template.text().clone());
        }
        let own_url = match self.settings.semantics {
            Semantics::Own => Some(self.settings.external_url.as_ref()),
            Semantics::Prometheus => None,
        };
        let scope = Scope {
            labels,
            value,
            external_labels: &self.settings.external_labels,
            external_url: &self.settings.external_url,
            own_url,
            now: self.at,
        };
        let (storage, at, settings) = (&*self.storage, self.query_at, self.settings);
        let mut ask = |text: &str, steps: u64| answer(storage, text, at, (settings, steps));
        let expansion = template.expand(scope, &mut ask, *self.template_steps);
        *self.template_steps -= expansion.steps;
        match expansion.text {
            Ok(text) => Some(Arc::from(text)),
            Err(error) => {
                self.counts.template_failures += 1;
                let is_cut = error.is_cut() && expansion.steps < EXPANSION_STEPS_MAX;
                (!is_cut).then(|| match self.settings.semantics {
                    Semantics::Own => template.text().clone(),
                    Semantics::Prometheus => Arc::from(error.in_prometheus(alert)),
                })
            }
        }
    }
}

/// Answers a query of a template, of which each sample is a step.
fn answer(
    storage: &dyn RuleStorage,
    text: &str,
    at: Timestamp,
    (settings, steps): (&RuleSettings, u64),
) -> Answer {
    let expr = match promql::parse(text) {
        Ok(expr) => expr,
        Err(error) => return Answer { samples: Err(error.placed(text)), steps: 0 },
    };
    let samples_max = settings.query.samples_max.min(usize::try_from(steps).unwrap_or(usize::MAX));
    let bounded = promql::EvalSettings { samples_max, ..settings.query };
    match evaluated(storage, &expr, at, &bounded) {
        Ok(outcome) => {
            let steps = u64::try_from(outcome.samples_read).unwrap_or(u64::MAX);
            Answer { samples: vector(outcome.value).map(floats).map_err(|error| error.to_string()), steps }
        }
        // What it read by then is not known.
        Err(error) => Answer { samples: Err(error.to_string()), steps: steps / 2 },
    }
}

fn query(
    storage: &dyn Storage,
    expr: &Expr,
    at: Timestamp,
    settings: &promql::EvalSettings,
) -> Result<Vec<(Labels, Value)>, RuleError> {
    vector(evaluated(storage, expr, at, settings)?.value)
}

fn evaluated(
    storage: &dyn Storage,
    expr: &Expr,
    at: Timestamp,
    settings: &promql::EvalSettings,
) -> Result<promql::EvalOutcome, RuleError> {
    Ok(promql::instant(expr, storage, at.millis(), settings)?)
}

/// A result as a vector; a number is one sample without labels.
fn vector(value: QueryValue) -> Result<Vec<(Labels, Value)>, RuleError> {
    match value {
        QueryValue::Scalar(value) => Ok(vec![(Labels::empty(), Value::Float(value))]),
        QueryValue::Vector(samples) => Ok(samples),
        QueryValue::String(_) | QueryValue::Matrix(_) => Err(RuleError::NoVector),
    }
}

/// A native histogram is no number: NaN, which is no data.
fn floats(samples: Vec<(Labels, Value)>) -> Vec<(Labels, f64)> {
    let float = |value| match value {
        Value::Float(value) => value,
        Value::Histogram(_) => f64::NAN,
    };
    samples.into_iter().map(|(labels, value)| (labels, float(value))).collect()
}

/// An alerting rule under evaluation.
pub(super) struct Evaluation<'a, 'e> {
    pub(super) env: &'a mut Env<'e>,
    pub(super) rule: &'a Rule,
    pub(super) alerting: &'a Alerting,
    pub(super) book: &'a mut Book,
    /// What its selectors read, and what those of the recording rules do that it reads.
    pub(super) sources: &'a [Vec<Matcher>],
    /// Whether an alert began, ended or is shown otherwise than before.
    pub(super) showing: Showing,
}

/// What alerts show of themselves as `ALERTS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Showing {
    /// The same as before the evaluation.
    #[default]
    Same,
    /// Something else.
    Other,
}

/// What one evaluation saw of one label set.
struct Seen {
    /// Under which the alert is kept.
    identity: Labels,
    /// The labels of the sample.
    sample: Labels,
    /// The alert labels, where they are known already.
    base: Option<Labels>,
    reading: Reading,
    value: f64,
}

impl Evaluation<'_, '_> {
    /// Evaluates the rule; an error leaves everything as it was.
    pub(super) fn run(&mut self) -> Result<(), RuleError> {
        let mut seen = self.readings()?;
        // Open alerts first, so that the room of those that end is there for new ones; before them those whose texts
        // are owed.
        seen.sort_by_key(|seen| match self.book.alerts.get(&seen.identity) {
            Some(active) => (false, !active.owes_annotations),
            None => (true, true),
        });
        let limit = self.env.group.limit.map(usize::from);
        let graceful = self.env.settings.semantics == Semantics::Own;
        let mut refused = BTreeSet::new();
        let has_resumed = self.env.resumed.concerns(&self.rule.id);
        for seen in seen {
            if has_resumed && self.waits(&seen) {
                continue;
            }
            let policy = self.alerting.policy_for(&seen.sample);
            let open = self.book.alerts.contains_key(&seen.identity);
            let gone = seen.reading == Reading::Gone;
            if !open && !gone && !alert::begins(&policy.levels, seen.reading) {
                continue;
            }
            if !open && graceful && limit.is_some_and(|limit| self.book.alerts.len() >= limit) {
                refused.insert(seen.identity);
                continue;
            }
            self.step(seen, policy);
        }
        self.report_limit(refused);
        match limit {
            Some(limit) if !graceful && self.book.alerts.len() > limit => {
                let alerts = self.book.alerts.len();
                let ended = self.book.close(sender(self.env, self.rule), Reason::Recovered);
                for event in ended {
                    self.env.outbox.push(event);
                }
                Err(RuleError::TooManyAlerts { limit, alerts })
            }
            _ => Ok(()),
        }
    }

    /// One step of one alert, with its events.
    fn step(&mut self, seen: Seen, policy: &Policy) {
        let before = self.book.alerts.remove(&seen.identity);
        let terms = Terms {
            levels: &policy.levels,
            keep_firing_for: self.alerting.keep_firing_for,
            no_data: self.alerting.no_data,
        };
        let state = before.as_ref().map(|active| active.state);
        let shown = before.as_ref().map(Active::shown_as);
        let AlertStep { state, ended, began } = alert::step(state, seen.reading, terms, self.env.at);
        let Seen { identity, sample, base, reading, value } = seen;
        // One that only `keep_firing_for` holds keeps the value and the texts it had, as in Prometheus; between thresholds
        // there is a value to follow.
        let there = matches!(reading, Reading::Holds | Reading::Value(_));
        let mut episode = before.as_ref().and_then(|active| active.episode.clone());
        if let Some(ended) = ended
            && let Some(open) = episode.take()
        {
            let known = matches!(ended.reason, Reason::Recovered | Reason::SeverityChanged).then_some(value);
            self.end(open, ended.reason, known, &sample);
        }
        let Some(mut state) = state else {
            if shown.is_some() {
                self.showing = Showing::Other;
            }
            return;
        };
        self.note_wait(&mut state, &sample);
        let fresh = before.is_none();
        let mut active = before.unwrap_or_else(|| Active {
            state,
            base: Labels::empty(),
            sample: sample.clone(),
            value,
            threshold: None,
            annotations: Vec::new(),
            owes_annotations: false,
            episode: None,
        });
        let level_before = active.level();
        active.state = state;
        let same = !fresh
            && active.level() == level_before
            && active.value.to_bits() == value.to_bits()
            && active.sample == sample;
        if there {
            (active.sample, active.value) = (sample, value);
        }
        if fresh || (began.is_some() && ended.is_none()) {
            active.base = base.unwrap_or_else(|| self.alert_labels(&active.sample, active.value));
        }
        if there || began.is_some() {
            active.threshold = self.threshold(policy, &active);
        }
        let written = active.annotations.len() == self.alerting.annotations.len();
        let is_quiet = reading == Reading::Quiet;
        let is_due = !written || active.owes_annotations || (self.is_volatile() && !is_quiet);
        if (there && !same) || began.is_some() || is_due {
            self.annotate(&mut active, policy);
        }
        active.episode = match began {
            Some(level) => Some(self.begin(&active, policy, level)),
            None => episode.filter(|_| matches!(state.shown, ShownState::Firing { .. })),
        };
        if shown != Some(active.shown_as()) {
            self.showing = Showing::Other;
        }
        self.book.alerts.insert(identity, active);
    }

    fn sender(&self) -> Sender<'_> {
        sender(self.env, self.rule)
    }

    fn end(&mut self, mut open: Episode, reason: Reason, value: Option<f64>, sample: &Labels) {
        open.evidence = self.env.storage.evidence(self.sources, sample).events;
        self.env.counts.cleared += 1;
        let event = self.sender().cleared(&open, reason, value);
        self.env.outbox.push(event);
    }

    /// The alert labels of a sample: its own without the metric name, the rule's over them, `alertname`.
    fn alert_labels(&mut self, sample: &Labels, value: f64) -> Labels {
        let mut labels: Vec<(Arc<str>, Arc<str>)> =
            sample.iter().filter(|(name, _)| name.as_ref() != METRIC_NAME).cloned().collect();
        for (name, template) in &self.rule.labels {
            let text = self.env.expand(&self.rule.name, template, (sample, value));
            let text = text.unwrap_or_else(|| template.text().clone());
            labels.push((name.clone(), text));
        }
        labels.push((Arc::from("alertname"), self.rule.name.clone()));
        Labels::collect(labels)
    }

    /// Whether annotations may change though labels and value do not.
    fn is_volatile(&self) -> bool {
        self.alerting.annotations.iter().any(|(_, template)| template.is_volatile())
    }

    /// Expands the annotations of open alerts that have none though the rule has.
    pub(super) fn write_annotations(&mut self) {
        let mut alerts = std::mem::take(&mut self.book.alerts);
        for active in alerts.values_mut() {
            if active.annotations.len() != self.alerting.annotations.len() {
                let policy = self.alerting.policy_for(&active.sample);
                self.annotate(active, policy);
            }
        }
        self.book.alerts = alerts;
    }

    /// Expands the annotations.
    fn annotate(&mut self, active: &mut Active, policy: &Policy) {
        // A level's severity is a label that texts may print, too.
        let level = policy.levels.get(active.level()).and_then(|level| level.severity);
        let labels = match (level, active.sample.get("severity")) {
            (Some(severity), None) => active.sample.with("severity", severity.name()),
            (Some(_) | None, _) => active.sample.clone(),
        };
        active.owes_annotations = false;
        active.annotations.clear();
        for (name, template) in &self.alerting.annotations {
            let text = self.env.expand(&self.rule.name, template, (&labels, active.value));
            active.owes_annotations |= text.is_none();
            let text = text.unwrap_or_else(|| template.text().clone());
            active.annotations.push((name.clone(), text.to_string()));
        }
    }

    /// The threshold in force: the level's, or the other side of the comparison at this instant.
    fn threshold(&mut self, policy: &Policy, active: &Active) -> Option<f64> {
        let level = policy.levels.get(active.level())?;
        match level.condition {
            Condition::Above { threshold, .. } | Condition::Below { threshold, .. } => Some(threshold),
            Condition::Expression => self.other_side(&active.sample),
        }
    }

    /// Writes `ALERTS` and `ALERTS_FOR_STATE`; `exposed` are the series of the last time. Between the instants of the
    /// interval only what is new is written.
    pub(super) fn expose(&mut self, exposed: &mut BTreeSet<Labels>, extent: Extent) {
        if extent == Extent::Marked && self.showing == Showing::Same {
            return;
        }
        let at = self.env.sample_millis();
        let mut now = BTreeSet::new();
        for active in self.book.alerts.values() {
            let policy = self.alerting.policy_for(&active.sample);
            let labels = active.labels(policy, active.level());
            let state = match active.state.shown {
                ShownState::Pending => "pending",
                ShownState::Firing { .. } => "firing",
            };
            let alerts = labels.with("alertstate", state).with(METRIC_NAME, ALERTS);
            let for_state = labels.with(METRIC_NAME, ALERTS_FOR_STATE);
            let since = active.state.active_at.micros().div_euclid(1_000_000) as f64;
            for (labels, value) in [(alerts, 1.0), (for_state, since)] {
                if extent == Extent::All || !exposed.contains(&labels) {
                    self.env.storage.append(&labels, at, Some(Value::Float(value)));
                }
                now.insert(labels);
            }
        }
        for gone in exposed.difference(&now) {
            self.env.storage.append(gone, at, None);
        }
        *exposed = now;
    }
}

/// The sender of a rule's events.
fn sender<'a>(env: &'a Env<'_>, rule: &'a Rule) -> Sender<'a> {
    Sender {
        rule_id: &rule.id,
        alert_name: &rule.name,
        source: &env.settings.instance,
        external_url: &env.settings.external_url,
        at: env.at,
        moved_at: env.moved_at,
    }
}
