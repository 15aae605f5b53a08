//! Series that rules write themselves: recording rules, `ALERTS` and `ALERTS_FOR_STATE`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::engine::labels::{Labels, METRIC_NAME};
use crate::engine::promql::storage::{STALE_BITS, Value};

/// Series rules may write at the most.
const SERIES_MAX: usize = 200_000;

/// Samples in rising time: milliseconds since the Unix epoch, and the value.
pub(super) type Samples = VecDeque<(i64, Value)>;

/// What rules wrote, by metric name and labels.
#[derive(Debug, Default)]
pub struct Written {
    names: BTreeMap<Arc<str>, BTreeMap<Labels, Samples>>,
    series: usize,
    samples: usize,
    refused: u64,
}

impl Written {
    /// Adds a sample; none ends the series with a stale marker. Of two samples at one time the later call holds.
    /// A sample of one series too many is refused and counted.
    pub fn append(&mut self, labels: &Labels, time_ms: i64, value: Option<Value>) {
        let value = value.unwrap_or(Value::Float(f64::from_bits(STALE_BITS)));
        let name = labels.shared(METRIC_NAME).map_or_else(|| Arc::from(""), Arc::clone);
        let known = self.names.get(&name).is_some_and(|named| named.contains_key(labels));
        if !known && self.series >= SERIES_MAX {
            self.refused += 1;
            return;
        }
        self.series += usize::from(!known);
        let samples = self.names.entry(name).or_default().entry(labels.clone()).or_default();
        match samples.back_mut() {
            Some((last, kept)) if *last >= time_ms => *kept = value,
            _ => {
                samples.push_back((time_ms, value));
                self.samples += 1;
            }
        }
    }

    /// How many samples were refused since the last call because there were too many series.
    pub fn take_refused(&mut self) -> u64 {
        std::mem::take(&mut self.refused)
    }

    pub(super) fn forget_before(&mut self, time_ms: i64) {
        for samples in self.names.values_mut().flat_map(BTreeMap::values_mut) {
            let old = samples.partition_point(|(time, _)| *time < time_ms);
            samples.drain(..old);
            self.samples -= old;
        }
        for named in self.names.values_mut() {
            named.retain(|_, samples| !samples.is_empty());
        }
        self.names.retain(|_, named| !named.is_empty());
        self.series = self.names.values().map(BTreeMap::len).sum();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Labels, &Samples)> {
        self.names.values().flatten()
    }

    /// The series whose metric name is `name`.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = (&Labels, &Samples)> {
        self.names.get(name).into_iter().flatten()
    }

    pub(super) fn bytes(&self) -> usize {
        self.samples * size_of::<(i64, Value)>() + self.series * size_of::<(Labels, Samples)>()
    }
}
