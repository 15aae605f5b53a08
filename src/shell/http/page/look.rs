//! What pages read: one frozen instant, and the condition beside it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::frozen::{FrozenInstant, QuerySpan, QueryTerms};
use crate::engine::labels::Labels;
use crate::engine::promql::storage::{Halt, Patience};
use crate::engine::promql::{EvalSettings, Expr, QueryValue, Sample, Value, parse};
use crate::engine::rules::set::RuleKind;
use crate::engine::time::Timestamp;
use crate::shell::driver::examples::RejectedExamples;
use crate::shell::status::{Concern, PairCondition, Topic};

use super::chart::{Line, STEPS_MIN};
use super::words;

/// What pages show beside the engine.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// The instance's name.
    pub(super) instance: String,
    /// Why it is not ready.
    pub(super) unready: Vec<(Topic, String)>,
    /// What the last load of configuration and rules had to say.
    pub(super) diagnostics: String,
    /// The last rejected events.
    pub(super) rejected: Arc<RejectedExamples>,
    /// What a person should look after though it is ready.
    pub(super) concerns: Vec<(Concern, String)>,
    /// Who of a pair publishes.
    pub(super) pair: Option<PairCondition>,
    /// How far back the past goes.
    pub(super) window: Duration,
    /// Entries that a tracker may hold.
    pub(super) tracker_entries: usize,
    /// What is left to other instances, in sentences.
    pub(super) share: Vec<String>,
    /// Series that there may be in all.
    pub(super) series_max: usize,
    /// Series that one metric may have.
    pub(super) series_per_metric_max: usize,
    /// The past of rules, worked out before.
    pub(super) pasts: Arc<Pasts>,
    /// Whether rule files may be edited on the page.
    pub(super) editing: Editing,
}

/// Whether rule files may be edited on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Editing {
    /// They may.
    On,
    /// They may not.
    Off,
}

/// One look at everything.
pub(super) struct Look<'a> {
    /// The instant.
    pub(super) instant: &'a FrozenInstant,
    /// What is beside it.
    pub(super) surroundings: &'a Surroundings,
    terms: QueryTerms<'a>,
    /// Whether a query was given up for want of time.
    late: Cell<bool>,
}

/// How far back sparklines go, and in how many steps.
const SPARK: (Duration, u32) = (Duration::from_mins(15), 60);

/// Samples of one instant; none where they could not be worked out.
pub(super) type Values = Result<Vec<(Labels, f64)>, String>;

/// A span of the past in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// The first instant.
    pub(super) from: Timestamp,
    /// The last instant.
    pub(super) to: Timestamp,
    /// Milliseconds between two of them.
    pub(super) step_ms: i64,
}

impl Window {
    /// The last `length` before `now`, in so many steps that lie on a grid: two looks within a step see the same.
    pub(super) fn before(now: Timestamp, length: Duration, steps: u32) -> Self {
        let step_ms = i64::try_from((length / steps.max(1)).as_millis()).unwrap_or(i64::MAX).max(1_000);
        let to = now.millis().div_euclid(step_ms).saturating_mul(step_ms);
        let from = to.saturating_sub(step_ms.saturating_mul(i64::from(steps)));
        Self { from: Timestamp::from_millis(from), to: Timestamp::from_millis(to), step_ms }
    }
}

impl<'a> Look<'a> {
    /// A look at an instant, for as long as `terms` allow.
    pub(super) fn new(
        instant: &'a FrozenInstant,
        surroundings: &'a Surroundings,
        terms: QueryTerms<'a>,
    ) -> Self {
        Self { instant, surroundings, terms, late: Cell::new(false) }
    }

    /// The instant's time.
    pub(super) fn now(&self) -> Timestamp {
        self.instant.now()
    }

    /// Whether something was left out for want of time.
    pub(super) fn is_late(&self) -> bool {
        self.late.get()
    }

    /// The values of an expression now.
    pub(super) fn values(&self, expr: &Expr) -> Values {
        match self.instant.query_instant(expr, self.now(), self.terms) {
            Ok(outcome) => Ok(match outcome.value {
                QueryValue::Scalar(value) => vec![(Labels::empty(), value)],
                QueryValue::Vector(samples) => floats(samples),
                QueryValue::String(_) | QueryValue::Matrix(_) => Vec::new(),
            }),
            Err(error) => Err(self.gave_up(error.message)),
        }
    }

    /// The values of one of the page's own queries now.
    pub(super) fn own_values(&self, query: &str) -> Vec<(Labels, f64)> {
        parse(query).ok().and_then(|expr| self.values(&expr).ok()).unwrap_or_default()
    }

    /// The only value of one of the page's own queries; none where there is no data.
    pub(super) fn own(&self, query: &str) -> Option<f64> {
        self.own_values(query).first().map(|(_, value)| *value).filter(|value| !value.is_nan())
    }

    /// The past of an expression in steps.
    pub(super) fn past(&self, expr: &Expr, window: Window) -> Result<Vec<(Labels, Line)>, String> {
        let span = QuerySpan { start: window.from, end: window.to, step_ms: window.step_ms };
        let outcome = self.instant.query_range(expr, span, self.terms);
        let matrix = match outcome.map_err(|error| self.gave_up(error.message))?.value {
            QueryValue::Matrix(matrix) => matrix,
            QueryValue::Scalar(_) | QueryValue::String(_) | QueryValue::Vector(_) => Vec::new(),
        };
        let lines = matrix.into_iter().map(|series| {
            let float = |sample: Sample| match sample.value {
                Value::Float(value) => Some((sample.time_ms, value)),
                Value::Histogram(_) => None,
            };
            let points = series.samples.into_iter().filter_map(float).collect();
            let label = series.labels.to_string();
            (series.labels, Line { label, points })
        });
        Ok(lines.collect())
    }

    /// The same, shared with whoever looks within the same step.
    pub(super) fn shared_past(&self, (key, expr): (&str, &Expr), window: Window) -> Past {
        let pasts = &self.surroundings.pasts;
        if let Some(known) = pasts.get(key, window) {
            return known;
        }
        // What could not be worked out is not tried again before the next step: it would fail again, at the same cost.
        let mut lines = self.past(expr, window).unwrap_or_default();
        lines.truncate(PAST_LINES_MAX);
        pasts.put(key, window, lines)
    }

    /// How many alerting rules are in force.
    pub(super) fn alerting_rules(&self) -> usize {
        let rules = self.instant.groups().iter().flat_map(|group| &group.definition.rules);
        rules.filter(|rule| matches!(rule.kind, RuleKind::Alerting(_))).count()
    }

    /// The window of sparklines.
    pub(super) fn spark_window(&self) -> Window {
        Window::before(self.now(), SPARK.0, SPARK.1)
    }

    /// Where all sparklines of a page begin: at their window's first instant, or later where nothing is known of that.
    pub(super) fn beginning(&self) -> Timestamp {
        let window = self.spark_window();
        let past = self.own_past("signalbox_build_info", window);
        let first = past.iter().filter_map(|(_, line)| line.points.first()).map(|(at, _)| *at).min();
        let shortest = window.to.millis() - window.step_ms * STEPS_MIN;
        let first = first.unwrap_or(shortest).min(shortest);
        window.from.max(Timestamp::from_millis(first))
    }

    /// How far back sparklines go, for people.
    pub(super) fn spark_length(&self) -> String {
        let length = self.now().since(self.beginning());
        words::span(Duration::from_mins((length.as_secs() + 30) / 60))
    }

    /// The past of one of the page's own queries, shared as well.
    pub(super) fn own_past(&self, query: &str, window: Window) -> Past {
        parse(query).map(|expr| self.shared_past((query, &expr), window)).unwrap_or_default()
    }

    fn gave_up(&self, message: String) -> String {
        let Some(halt) = self.terms.patience.ended() else { return message };
        self.late.set(true);
        match halt {
            Halt::TimedOut => "not worked out in time".to_owned(),
            Halt::Canceled => "given up".to_owned(),
        }
    }
}

fn floats(samples: Vec<(Labels, Value)>) -> Vec<(Labels, f64)> {
    let float = |(labels, value)| match value {
        Value::Float(value) => Some((labels, value)),
        Value::Histogram(_) => None,
    };
    samples.into_iter().filter_map(float).collect()
}

/// Pasts that are kept.
const PASTS_MAX: usize = 256;

/// Lines of one past that are kept.
const PAST_LINES_MAX: usize = 200;

/// Points of all pasts that are kept: 16 MiB.
const POINTS_MAX: usize = 1 << 20;

/// The lines of an expression's label sets.
pub(super) type Past = Arc<Vec<(Labels, Line)>>;

/// The past of expressions in windows, for the step that it is true of.
#[derive(Debug, Default)]
pub(super) struct Pasts(Mutex<BTreeMap<String, (Window, Past)>>);

impl Pasts {
    fn get(&self, key: &str, window: Window) -> Option<Past> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|(of, _)| *of == window).map(|(_, lines)| Arc::clone(lines))
    }

    fn put(&self, key: &str, window: Window, lines: Vec<(Labels, Line)>) -> Past {
        let lines = Arc::new(lines);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(key.to_owned(), (window, Arc::clone(&lines)));
        if is_full(&known) {
            known.retain(|_, (of, _)| of.to == window.to);
        }
        if is_full(&known) {
            known.remove(key);
        }
        lines
    }
}

fn is_full(known: &BTreeMap<String, (Window, Past)>) -> bool {
    let lines = known.values().flat_map(|(_, past)| past.iter());
    known.len() > PASTS_MAX || lines.map(|(_, line)| line.points.len()).sum::<usize>() > POINTS_MAX
}

/// The patience of whoever waits, and the page's own.
#[derive(Clone, Copy)]
pub(super) struct Shorter<'a> {
    patience: &'a dyn Patience,
    until: Option<Instant>,
}

impl<'a> Shorter<'a> {
    /// As long as `patience`, and `budget` at most.
    pub(super) fn than(patience: &'a dyn Patience, budget: Option<Duration>) -> Self {
        Self { patience, until: budget.map(|budget| Instant::now() + budget) }
    }

    /// The settings of `terms` with this patience.
    pub(super) fn terms<'b>(&'b self, settings: &'b EvalSettings) -> QueryTerms<'b> {
        QueryTerms { settings, patience: self }
    }
}

impl Patience for Shorter<'_> {
    fn ended(&self) -> Option<Halt> {
        let own = self.until.filter(|until| Instant::now() >= *until).map(|_| Halt::TimedOut);
        self.patience.ended().or(own)
    }
}
