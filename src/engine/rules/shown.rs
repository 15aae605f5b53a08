//! `signalbox_alerts`: the pending and firing alerts as series of the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::view::{AlertView, GroupView, alerts_of};
use crate::engine::labels::{Labels, METRIC_NAME};
use crate::engine::series::{Cause, FamilyId, SeriesId, Store};
use crate::engine::time::Timestamp;

/// The alerts that are shown.
#[derive(Debug)]
pub(crate) struct ShownAlerts {
    family: FamilyId,
    shown: BTreeMap<Labels, SeriesId>,
    /// The groups whose alerts these are.
    of: Option<Arc<[Arc<GroupView>]>>,
}

impl ShownAlerts {
    /// Nothing is shown yet in this family.
    pub(crate) fn new(family: FamilyId) -> Self {
        Self { family, shown: BTreeMap::new(), of: None }
    }

    /// What a store that was saved shows.
    pub(in crate::engine) fn restored(family: FamilyId, store: &Store) -> Self {
        let shown = store.series_of(family).map(|series| (store.labels(series), series));
        Self { family, shown: shown.collect(), of: None }
    }

    /// Shows exactly the alerts of `groups`.
    pub(crate) fn show(&mut self, store: &mut Store, groups: &Arc<[Arc<GroupView>]>, now: Timestamp) {
        if self.of.as_ref().is_some_and(|shown| Arc::ptr_eq(shown, groups)) {
            return;
        }
        self.of = Some(Arc::clone(groups));
        let state = |alert: &AlertView| alert.labels.without_name().with("alertstate", alert.state.name());
        let wanted: BTreeSet<Labels> = alerts_of(groups).map(state).collect();
        self.shown.retain(|labels, series| {
            let keep = wanted.contains(labels) && store.is_live(*series);
            if !keep {
                store.remove(*series, now);
            }
            keep
        });
        for labels in wanted {
            if self.shown.contains_key(&labels) {
                continue;
            }
            let pairs: Vec<(&str, &str)> = labels
                .iter()
                .filter(|(name, _)| name.as_ref() != METRIC_NAME)
                .map(|(name, value)| (name.as_ref(), value.as_ref()))
                .collect();
            let series = store.resolve(self.family, &pairs, now);
            store.set(series, 1.0, Cause { now, event: None });
            self.shown.insert(labels, series);
        }
    }
}
