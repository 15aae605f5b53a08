//! The catalogue as its twins, and from them.

use std::sync::Arc;

use super::Catalogue;
use super::families::exposed;
use super::registered::Registered;
use super::rows::Metric;
use crate::engine::checkpoint::Part;
use crate::engine::checkpoint::bytes::{Damage, Writer};
use crate::engine::checkpoint::head::{RecordedTwin, RowTwin, SlowQueryTwin};
use crate::engine::checkpoint::trackers::TrackersTwin;
use crate::engine::config::Config;
use crate::engine::series::{FamilyId, FamilySpec, Redeclared, Store};
use crate::engine::time::Timestamp;

/// What the catalogue keeps beside its trackers.
pub(in crate::engine) struct CatalogueState {
    pub(in crate::engine) recorded: RecordedTwin,
    pub(in crate::engine) slow_queries: Vec<SlowQueryTwin>,
}

/// The trackers at one instant, in the order of [`TrackersTwin`], to be written elsewhere.
pub(in crate::engine) struct SavedTrackers(Vec<Box<dyn Part>>);

impl Part for SavedTrackers {
    fn append(&self, out: &mut Writer) {
        for tracker in &self.0 {
            tracker.append(out);
        }
    }
}

impl Catalogue {
    /// The catalogue as it is now.
    pub(in crate::engine) fn save(&mut self, store: &Store) -> (CatalogueState, SavedTrackers) {
        let (worst, shown) = self.slow_queries.save();
        let trackers = SavedTrackers(vec![
            Box::new(self.jobs.save()),
            Box::new(self.workers.save()),
            Box::new(self.chunks.save()),
            Box::new(self.files.save()),
            Box::new(self.cache.save()),
            Box::new(self.warmers.save()),
            Box::new(self.alerts.save()),
            Box::new(shown),
        ]);
        (CatalogueState { recorded: self.recorded.save(store), slow_queries: worst }, trackers)
    }

    /// Takes over what was saved; the metrics that begin anew for another configuration are returned.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine) fn restore(
        &mut self,
        store: &mut Store,
        (state, trackers): (CatalogueState, TrackersTwin),
        config: &Config,
        now: Timestamp,
    ) -> Result<Vec<String>, Damage> {
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
    pub(in crate::engine) fn save(&self, store: &Store) -> Vec<RowTwin> {
        let twin = |metric: &Metric| RowTwin {
            row: metric.row().name.into(),
            family: self.family(*metric).id().0,
            labels: self.family(*metric).kept_labels(store).map(Into::into).collect(),
        };
        Metric::ALL.iter().map(twin).collect()
    }

    /// Registers every row over a store that was saved. A row finds its series again, whatever the namespace; the metrics
    /// that begin anew for other buckets are returned.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine) fn restored(
        store: &mut Store,
        config: &Config,
        saved: &[RowTwin],
        now: Timestamp,
    ) -> Result<(Self, Vec<String>), Damage> {
        let mut fitting = Vec::new();
        for twin in saved {
            let id = FamilyId(twin.family);
            if !store.is_own_family(id) {
                return Err(Damage("a row of the catalogue has no metric"));
            }
            let metric = Metric::ALL.iter().find(|metric| metric.row().name == twin.row.as_ref());
            let exposed = metric.map(|metric| exposed(metric.row(), config));
            let known = store.family(id);
            match exposed.filter(|exposed| exposed.spec.metric_type == known.metric_type) {
                Some(exposed) => fitting.push((id, exposed, twin)),
                None => store.forget(id, now),
            }
        }
        let mut anew = Vec::new();
        for (id, exposed, twin) in fitting {
            let labels = exposed.row.labels.iter().copied();
            let before: Vec<&str> =
                labels.filter(|label| !twin.labels.iter().any(|kept| kept.as_ref() == *label)).collect();
            let buckets = Arc::clone(&store.family(id).buckets);
            store.adopt(id, FamilySpec { buckets, ..exposed.spec.clone() });
            store.leave_out(id, &before, now);
            store.leave_out(id, &exposed.dropped, now);
            if store.redeclare(id, &exposed.spec, now) == Redeclared::BeginsAnew {
                anew.push(exposed.name);
            }
        }
        Ok((Self::new(store, config, now), anew))
    }
}
