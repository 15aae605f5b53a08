//! One instant of everything that readers ask of the engine: scrapes, queries, the page. It is shared with the engine,
//! which copies what it next writes, and may be read by any thread for as long as it likes.

mod cardinality;
mod rehearsal;

use std::sync::Arc;

use crate::engine::exposition::{Chunks, FrozenMetrics, Scrape};
use crate::engine::history::{Past, Timeline};
use crate::engine::labels::Labels;
use crate::engine::promql::storage::{Matcher, Patience};
use crate::engine::promql::{self, EvalError, EvalOutcome, EvalSettings, Expr, QueryTimes};
use crate::engine::rules::ended::EndedAlerts;
use crate::engine::rules::view::{AlertView, GroupView, alerts_of};
use crate::engine::series::{FamilySpec, Frozen, FrozenFamily};
use crate::engine::time::Timestamp;

pub(crate) use cardinality::Cardinality;
pub(crate) use rehearsal::{Rehearsal, RehearsedEpisode};

pub(crate) use crate::engine::exposition::ShownExemplar;

/// Every series with its past, the last events, the rules and their alerts, at one instant.
#[derive(Clone, Debug)]
pub struct FrozenInstant {
    now: Timestamp,
    metrics: FrozenMetrics,
    timeline: Timeline,
    groups: Arc<[Arc<GroupView>]>,
    ended: EndedAlerts,
}

/// How a query is evaluated, and when its evaluation gives up.
#[derive(Clone, Copy)]
pub(crate) struct QueryTerms<'a> {
    /// Lookback, limits and the like.
    pub(crate) settings: &'a EvalSettings,
    /// Whether whoever asked still waits.
    pub(crate) patience: &'a dyn Patience,
}

/// The span of a range query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QuerySpan {
    /// The first instant.
    pub(crate) start: Timestamp,
    /// The last instant, where the steps meet it.
    pub(crate) end: Timestamp,
    /// Milliseconds from one instant to the next, more than 0.
    pub(crate) step_ms: i64,
}

impl FrozenInstant {
    pub(in crate::engine) fn new(
        now: Timestamp,
        metrics: FrozenMetrics,
        timeline: Timeline,
        (groups, ended): (Arc<[Arc<GroupView>]>, EndedAlerts),
    ) -> Self {
        Self { now, metrics, timeline, groups, ended }
    }

    /// The instant.
    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// The answer to a scrape, in chunks.
    pub(crate) fn write(&self, scrape: Scrape) -> Chunks {
        self.metrics.clone().write(scrape)
    }

    /// The whole answer to a scrape in one piece.
    pub fn to_bytes(&self, scrape: Scrape) -> Vec<u8> {
        self.metrics.clone().into_bytes(scrape)
    }

    /// Evaluates an expression over the series and their history, at `at`.
    ///
    /// # Errors
    /// What the evaluation itself refuses, and where patience ends.
    pub(crate) fn query_instant(
        &self,
        expr: &Expr,
        at: Timestamp,
        terms: QueryTerms<'_>,
    ) -> Result<EvalOutcome, EvalError> {
        promql::instant(expr, &self.past(terms.patience), at.millis(), terms.settings)
    }

    /// Evaluates an expression at every step of a span.
    ///
    /// # Errors
    /// What the evaluation itself refuses, and where patience ends.
    pub(crate) fn query_range(
        &self,
        expr: &Expr,
        span: QuerySpan,
        terms: QueryTerms<'_>,
    ) -> Result<EvalOutcome, EvalError> {
        let times =
            QueryTimes { start_ms: span.start.millis(), end_ms: span.end.millis(), step_ms: span.step_ms };
        promql::range(expr, &self.past(terms.patience), times, terms.settings)
    }

    /// Every series with its past, as the evaluator reads it.
    pub(in crate::engine) fn past<'a>(&'a self, patience: &'a dyn Patience) -> Past<'a, Frozen> {
        Past { store: self.metrics.store(), timeline: &self.timeline, now: self.now, patience }
    }

    /// The exemplars of the series that match, each with their labels.
    pub(crate) fn exemplars(
        &self,
        matchers: &[Matcher],
        patience: &dyn Patience,
    ) -> Vec<(Labels, ShownExemplar)> {
        let found = self.past(patience).exemplars(matchers);
        found.into_iter().filter_map(|(labels, one)| Some((labels, self.metrics.shown(one)?))).collect()
    }

    /// The rule groups with the state of each rule.
    pub(crate) fn groups(&self) -> &[Arc<GroupView>] {
        &self.groups
    }

    /// The alerts that are pending or firing, in the order of rules and labels, those about limits last.
    pub(crate) fn alerts(&self) -> Vec<&AlertView> {
        alerts_of(&self.groups).collect()
    }

    /// The alert episodes that ended last.
    pub(crate) fn ended(&self) -> &EndedAlerts {
        &self.ended
    }

    /// Every metric family in the order of names, with or without series.
    pub(crate) fn families(&self) -> impl Iterator<Item = &FamilySpec> {
        self.metrics.store().families().iter().map(FrozenFamily::spec)
    }
}
