//! The catalogue as its twins, and from them.

use super::Catalogue;
use super::families::exposed;
use super::registered::Registered;
use super::rows::Metric;
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::head::{RecordedTwin, RowTwin, SlowQueryTwin};
use crate::engine::checkpoint::trackers::TrackersTwin;
use crate::engine::config::Config;
use crate::engine::fact::Kept;
use crate::engine::series::{FamilyId, Store};
use crate::engine::time::Timestamp;

/// What the catalogue keeps beside its trackers.
pub(in crate::engine) struct CatalogueState {
    pub(in crate::engine) recorded: RecordedTwin,
    pub(in crate::engine) slow_queries: Vec<SlowQueryTwin>,
}

impl Catalogue {
    /// The catalogue as it is now.
    pub(in crate::engine) fn save(&self) -> (CatalogueState, TrackersTwin) {
        let (worst, shown) = self.slow_queries.save();
        let trackers = TrackersTwin {
            jobs: self.jobs.save(),
            workers: self.workers.save(),
            chunks: self.chunks.save(),
            files: self.files.save(),
            cache: self.cache.save(),
            warmers: self.warmers.save(),
            alerts: self.alerts.save(),
            slow_queries: shown,
        };
        (CatalogueState { recorded: self.recorded.save(), slow_queries: worst }, trackers)
    }

    /// Takes over what was saved; what metrics begin anew for another configuration is returned.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine) fn restore(
        &mut self,
        store: &mut Store,
        (state, trackers): (CatalogueState, TrackersTwin),
        config: &Config,
        now: Timestamp,
    ) -> Result<Vec<Kept>, Damage> {
        self.jobs.restore(trackers.jobs)?;
        self.workers.restore(trackers.workers)?;
        self.chunks.restore(trackers.chunks)?;
        self.files.restore(trackers.files)?;
        self.cache.restore(trackers.cache)?;
        self.warmers.restore(trackers.warmers)?;
        self.alerts.restore(trackers.alerts)?;
        self.slow_queries.restore(state.slow_queries, trackers.slow_queries);
        self.declared = true;
        self.recorded.restore(store, state.recorded, config, now)
    }
}

impl Registered {
    /// Which rows stand where in the store.
    pub(in crate::engine) fn save(&self) -> Vec<RowTwin> {
        let twin = |metric: &Metric| RowTwin {
            row: metric.row().name.into(),
            family: self.family(*metric).id().0,
            labels: self.family(*metric).kept_labels().map(Into::into).collect(),
        };
        Metric::ALL.iter().map(twin).collect()
    }

    /// Registers every row over a store that was saved. A row finds its series again, whatever the namespace; one that
    /// has other labels or buckets now begins anew.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine) fn restored(
        store: &mut Store,
        config: &Config,
        saved: &[RowTwin],
        now: Timestamp,
    ) -> Result<(Self, Vec<Kept>), Damage> {
        let mut fitting = Vec::new();
        let mut anew = Vec::new();
        for twin in saved {
            let id = FamilyId(twin.family);
            if !store.is_own_family(id) {
                return Err(Damage("a row of the catalogue has no metric"));
            }
            let metric = Metric::ALL.iter().find(|metric| metric.row().name == twin.row.as_ref());
            let exposed = metric.map(|metric| exposed(metric.row(), config));
            let known = store.family(id);
            let key = exposed.as_ref().and_then(|exposed| {
                if known.metric_type != exposed.spec.metric_type {
                    None
                } else if !exposed.labels.iter().copied().eq(twin.labels.iter().map(AsRef::as_ref)) {
                    Some("metrics.drop_labels")
                } else if known.buckets != exposed.spec.buckets {
                    Some("metrics.buckets")
                } else {
                    fitting.push((id, exposed.spec.clone()));
                    None
                }
            });
            anew.extend(key.map(|key| Kept { key, metric: known.exposed_name().into_owned() }));
            if !fitting.iter().any(|(fits, _)| *fits == id) {
                store.forget(id, now);
            }
        }
        for (id, spec) in fitting {
            store.adopt(id, spec);
        }
        Ok((Self::new(store, config), anew))
    }
}
