//! Series that rules write themselves: recording rules, `ALERTS` and `ALERTS_FOR_STATE`.

use std::collections::{BTreeMap, VecDeque};

use crate::engine::labels::Labels;
use crate::engine::promql::storage::STALE_BITS;

/// Series rules may write at the most.
const SERIES_MAX: usize = 200_000;

/// What rules wrote, by labels.
#[derive(Debug, Default)]
pub struct Written {
    series: BTreeMap<Labels, VecDeque<(i64, f64)>>,
    samples: usize,
    refused: u64,
}

impl Written {
    /// Adds a sample; none ends the series with a stale marker. Of two samples at one time the later call holds.
    pub fn append(&mut self, labels: &Labels, time_ms: i64, value: Option<f64>) {
        let value = value.unwrap_or(f64::from_bits(STALE_BITS));
        if !self.series.contains_key(labels) && self.series.len() >= SERIES_MAX {
            self.refused += 1;
            return;
        }
        let samples = self.series.entry(labels.clone()).or_default();
        match samples.back_mut() {
            Some((last, kept)) if *last >= time_ms => *kept = value,
            _ => {
                samples.push_back((time_ms, value));
                self.samples += 1;
            }
        }
    }

    /// How many samples were refused because there were too many series.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    pub(super) fn forget_before(&mut self, time_ms: i64) {
        for samples in self.series.values_mut() {
            while samples.front().is_some_and(|(time, _)| *time < time_ms) {
                samples.pop_front();
                self.samples -= 1;
            }
        }
        self.series.retain(|_, samples| !samples.is_empty());
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Labels, &VecDeque<(i64, f64)>)> {
        self.series.iter()
    }

    /// The series whose metric name is `name`.
    pub(super) fn named<'a>(
        &'a self,
        name: &'a str,
    ) -> impl Iterator<Item = (&'a Labels, &'a VecDeque<(i64, f64)>)> {
        self.series.iter().filter(move |(labels, _)| labels.metric_name() == name)
    }

    pub(super) fn bytes(&self) -> usize {
        self.samples * size_of::<(i64, f64)>()
            + self.series.len() * size_of::<(Labels, VecDeque<(i64, f64)>)>()
    }
}
