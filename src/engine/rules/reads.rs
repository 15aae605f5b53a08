//! What rules read: which series, so that an arrival concerns few of them, and through what.

mod watch;

use crate::engine::history::{History, Occasion, Past};
use crate::engine::labels::Labels;
use crate::engine::metric::{MetricType, sample_names};
use crate::engine::promql::steady::{
    SelectionStamp, SteadySelection, SteadySeries, SteadyStorage, WindowSpan, WindowStarts,
};
use crate::engine::promql::storage::{Endless, Matcher, Selection};
use crate::engine::promql::{SelectedSeries, Storage, Value};
use crate::engine::rules::{Evidence, RuleStorage};
use crate::engine::series::recent::RecentEvents;
use crate::engine::series::{Ordinal, SeriesSource, Store};

use crate::engine::time::Timestamp;

pub(crate) use watch::{MovedSeries, RuleReads, Watch};

/// Events that alert events name as evidence.
const EVIDENCE_MAX: usize = 5;

/// What rules read and write while they are evaluated at one instant.
#[derive(Debug)]
pub(crate) struct EvaluationView<'a> {
    /// The present values.
    pub(crate) store: &'a Store,
    /// The events that moved them.
    pub(crate) recent: &'a RecentEvents,
    /// The past ones, and what rules write.
    pub(crate) history: &'a mut History,
    /// The instant.
    pub(crate) now: Timestamp,
    /// Why rules are evaluated.
    pub(crate) occasion: Occasion,
}

impl EvaluationView<'_> {
    fn past(&self) -> Past<'_, Store> {
        Past { store: self.store, timeline: self.history.timeline(), now: self.now, patience: &Endless }
    }
}

impl Storage for EvaluationView<'_> {
    fn select(&self, selection: Selection<'_>) -> Vec<SelectedSeries> {
        self.past().select(selection)
    }
}

impl SteadyStorage for EvaluationView<'_> {
    fn now_ms(&self) -> i64 {
        self.past().now_ms()
    }

    fn steady(&self, matchers: &[Matcher]) -> Option<SteadySelection> {
        self.past().steady(matchers)
    }

    fn stands(&self, stamp: &SelectionStamp) -> bool {
        self.past().stands(stamp)
    }

    fn present(&self, series: &SteadySeries) -> f64 {
        self.past().present(series)
    }

    fn begin_windows(
        &self,
        selection: &SteadySelection,
        span: WindowSpan,
        starts: &mut WindowStarts,
    ) -> Option<()> {
        self.past().begin_windows(selection, span, starts)
    }

    fn sampled_since(&self, selection: &SteadySelection, from_ms: i64) -> usize {
        self.past().sampled_since(selection, from_ms)
    }
}

impl RuleStorage for EvaluationView<'_> {
    fn steady(&self) -> Option<&dyn SteadyStorage> {
        Some(self)
    }

    fn evaluating(&mut self, occasion: Occasion) {
        self.occasion = occasion;
    }

    fn append(&mut self, labels: &Labels, time_ms: i64, value: Option<Value>) {
        self.history.written_mut().append(labels, time_ms, value, self.occasion);
    }

    fn metric_type(&self, sample: &str) -> Option<MetricType> {
        let shown = sample_names(sample).find(|sample| {
            let family = self.store.family_named(sample.family);
            family.is_some_and(|family| {
                self.store.family(family).metric_type == sample.metric_type
                    && self.store.series_of(family).next().is_some()
            })
        });
        shown.map(|sample| sample.metric_type)
    }

    fn evidence(&self, selectors: &[Vec<Matcher>], labels: &Labels) -> Evidence {
        let agrees = |series: &Labels| {
            series
                .without_name()
                .iter()
                .all(|(name, value)| labels.get(name).is_none_or(|known| known == value.as_ref()))
        };
        let past = self.past();
        let mut series: Vec<_> =
            selectors.iter().flat_map(|selector| past.series(selector, agrees)).collect();
        series.sort_unstable();
        series.dedup();
        let ordinals = self.store.evidence(&series, EVIDENCE_MAX);
        let newest = ordinals.first().copied();
        let events = ordinals.into_iter().filter_map(|ordinal| self.recent.get(ordinal));
        Evidence { events: events.map(|event| event.id).collect(), newest }
    }

    fn upcoming(&self) -> Ordinal {
        self.recent.upcoming()
    }

    fn stored_since(&self, event: Ordinal, since: Ordinal) -> Option<Timestamp> {
        self.recent.stored_since(event, since)
    }
}
