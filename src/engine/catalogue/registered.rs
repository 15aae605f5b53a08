//! Every metric of the table in the store: what the catalogue, the trackers and the account feed them through.

use std::sync::Arc;

use super::families::exposed;
use super::rows::{Metric, PerMetric};
use super::{PROCESS_PREFIX, SIDECAR_PREFIX, Source};
use crate::engine::config::Config;
use crate::engine::fact::Kept;
use crate::engine::series::{Buckets, SeriesId, Store};
use crate::engine::trackers::gauges::{Board, Family};

/// The family of each metric. A clone is cheap and means the same store.
#[derive(Clone, Debug)]
pub(crate) struct Registered(Arc<PerMetric<Family>>);

impl Registered {
    /// Registers every row as the configuration exposes it. Events cannot take their names, nor any that begins like the
    /// sidecar's own.
    pub(crate) fn new(store: &mut Store, config: &Config) -> Self {
        store.reserve(SIDECAR_PREFIX);
        store.reserve(PROCESS_PREFIX);
        Self(Arc::new(PerMetric::of(|metric| {
            let exposed = exposed(metric.row(), config);
            let (row, mut spec) = (exposed.row, exposed.spec);
            // No two rows take the same name, so the first attempt registers it.
            let id = loop {
                match store.register(spec.clone()) {
                    Ok(id) => break id,
                    Err(_) => spec.name = Arc::from(format!("{}_", spec.name)),
                }
            };
            let dropped = row.labels.iter().copied().filter(|label| !exposed.labels.contains(label));
            Family::new(id, row.labels, dropped.collect())
        })))
    }

    /// Declares every row again as another configuration exposes it. A family with series keeps its buckets, and all
    /// keep their labels: what is kept is returned.
    pub(super) fn configure(&self, store: &mut Store, config: &Config) -> Vec<Kept> {
        let mut kept = Vec::new();
        for metric in Metric::ALL {
            let (family, exposed) = (self.family(*metric), exposed(metric.row(), config));
            if store.redeclare(family.id(), &exposed.spec) == Buckets::Kept {
                kept.push(Kept { key: "metrics.buckets", metric: exposed.name.clone() });
            }
            if !family.has_labels(&exposed.labels) {
                kept.push(Kept { key: "metrics.drop_labels", metric: exposed.name });
            }
        }
        kept
    }

    /// A family, to feed by itself.
    pub(crate) fn family(&self, metric: Metric) -> &Family {
        self.0.get(metric)
    }

    /// Gives birth to the label sets that are there from the start, of the metrics that `source` feeds.
    pub(crate) fn declare(&self, board: &mut Board<'_>, feeds: impl Fn(Source) -> bool) {
        for metric in Metric::ALL.iter().filter(|metric| feeds(metric.row().source)) {
            for values in metric.row().declared {
                let series = self.resolve(board, *metric, values);
                // A tracked gauge leaves once its last entry ended, which at the start none did.
                if matches!(metric.row().source, Source::Tracker(_)) {
                    board.store.hold(series);
                }
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
