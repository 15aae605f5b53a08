//! Every metric of the table in the store: what the catalogue, the trackers and the account feed them through.

use std::sync::Arc;

use super::families::{exposed, no_event};
use super::rows::{Metric, PerMetric};
use super::{CatalogueRow, PROCESS_PREFIX, SIDECAR_PREFIX, Source};
use crate::engine::config::Config;
use crate::engine::series::{Labelling, Redeclared, SeriesId, Store};
use crate::engine::time::Timestamp;
use crate::engine::trackers::gauges::{Board, Family};

/// The family of each metric. A clone is cheap and means the same store.
#[derive(Clone, Debug)]
pub(crate) struct Registered(Arc<PerMetric<Family>>);

impl Registered {
    /// Registers every row as the configuration exposes it. Events cannot take their names, nor any that begins like the
    /// sidecar's own.
    pub(crate) fn new(store: &mut Store, config: &Config, now: Timestamp) -> Self {
        store.reserve(SIDECAR_PREFIX);
        store.reserve(PROCESS_PREFIX);
        Self(Arc::new(PerMetric::of(|metric| {
            let exposed = exposed(metric.row(), config);
            let (row, mut spec) = (exposed.row, exposed.spec.clone());
            // No two rows take the same name, so the first attempt registers it.
            let id = loop {
                match store.register(spec.clone()) {
                    Ok(id) => break id,
                    Err(_) => spec.name = Arc::from(format!("{}_", spec.name)),
                }
            };
            store.leave_out(id, &exposed.dropped, now);
            Family::new(id, row.labels)
        })))
    }

    /// Declares every row again as another configuration exposes it; the metrics that begin anew for it are returned.
    pub(super) fn configure(&self, store: &mut Store, config: &Config, now: Timestamp) -> Vec<String> {
        let mut anew = Vec::new();
        for metric in Metric::ALL {
            let (family, exposed) = (self.family(*metric), exposed(metric.row(), config));
            let labelling = store.leave_out(family.id(), &exposed.dropped, now);
            if store.redeclare(family.id(), &exposed.spec, now) == Redeclared::BeginsAnew {
                anew.push(exposed.name);
            }
            let is_read = metric.row().event().is_none_or(|it| config.lanes.by_type().contains_key(&it));
            if labelling == Labelling::Other && is_read && exposed.of_subject.is_empty() {
                self.declare_one(&mut Board { store, cause: no_event(now) }, *metric);
            }
        }
        anew
    }

    /// A family, to feed by itself.
    pub(crate) fn family(&self, metric: Metric) -> &Family {
        self.0.get(metric)
    }

    /// Gives birth to the label sets that are there from the start, of the rows that `is_meant` picks.
    pub(crate) fn declare(&self, board: &mut Board<'_>, is_meant: impl Fn(&CatalogueRow) -> bool) {
        for metric in Metric::ALL.iter().filter(|metric| is_meant(metric.row())) {
            self.declare_one(board, *metric);
        }
    }

    fn declare_one(&self, board: &mut Board<'_>, metric: Metric) {
        for values in metric.row().declared {
            let series = self.resolve(board, metric, values);
            // A tracked gauge leaves once its last entry ended, which at the start none did.
            if matches!(metric.row().source, Source::Tracker(_)) {
                board.store.hold(series);
            }
        }
    }

    /// The series with these label values, in the order of the row, none empty; born now if new.
    pub(crate) fn resolve(&self, board: &mut Board<'_>, metric: Metric, values: &[&str]) -> SeriesId {
        self.family(metric).resolve(board, values)
    }

    /// Adds to a counter.
    pub(crate) fn add(&self, board: &mut Board<'_>, metric: Metric, values: &[&str], amount: f64) {
        let series = self.resolve(board, metric, values);
        board.add(series, amount);
    }

    /// Sets a gauge.
    pub(crate) fn set(&self, board: &mut Board<'_>, metric: Metric, values: &[&str], value: f64) {
        let series = self.resolve(board, metric, values);
        board.set(series, value);
    }

    /// Observes in a histogram.
    pub(crate) fn observe(&self, board: &mut Board<'_>, metric: Metric, values: &[&str], value: f64) {
        let series = self.resolve(board, metric, values);
        board.observe(series, value);
    }
}
