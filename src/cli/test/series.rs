//! The storage of a test with `input_series`: samples appear when their time has come, as in promtool.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::file::InputSeries;
use crate::engine::labels::{Labels, METRIC_NAME};
use crate::engine::metric::{MetricType, likely_type};
use crate::engine::promql::histogram::FloatHistogram;
use crate::engine::promql::series_notation::Point;
use crate::engine::promql::storage::{Extent, Matcher, STALE_BITS, Selection};
use crate::engine::promql::{Sample, SelectedSeries, Storage, Value};
use crate::engine::rules::{Evidence, RuleStorage};

/// Samples by series; what rules record is among them.
#[derive(Debug, Default)]
pub(super) struct Series {
    samples: BTreeMap<Labels, Vec<Sample>>,
    coming: Vec<Coming>,
}

/// Values that have not appeared yet.
#[derive(Debug)]
struct Coming {
    labels: Labels,
    start_ms: i64,
    interval_ms: i64,
    points: Vec<Point>,
    next: usize,
}

impl Series {
    /// Series whose first values appear at `start_ms`.
    pub(super) fn new(series: &[InputSeries], start_ms: i64, interval: Duration) -> Self {
        let interval_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
        // Of a series that is there twice the later one counts.
        let coming: BTreeMap<&Labels, Coming> = series
            .iter()
            .map(|series| {
                let (labels, points) = (series.labels.clone(), series.points.clone());
                (&series.labels, Coming { labels, start_ms, interval_ms, points, next: 0 })
            })
            .collect();
        Self { samples: BTreeMap::new(), coming: coming.into_values().collect() }
    }

    /// Lets everything up to an instant appear.
    pub(super) fn reveal(&mut self, until_ms: i64) {
        for coming in &mut self.coming {
            while let Some(point) = coming.points.get(coming.next) {
                let steps = i64::try_from(coming.next).unwrap_or(i64::MAX);
                let time_ms = coming.start_ms.saturating_add(steps.saturating_mul(coming.interval_ms));
                if time_ms > until_ms {
                    break;
                }
                coming.next += 1;
                if let Some(value) = point {
                    let sample = Sample { time_ms, value: value.clone(), start_ms: None };
                    insert(self.samples.entry(coming.labels.clone()).or_default(), sample);
                }
            }
        }
    }
}

/// Puts a sample in the order of time, as Prometheus' storage would give it back; one of the same instant gives way.
fn insert(samples: &mut Vec<Sample>, mut sample: Sample) {
    let at = samples.partition_point(|known| known.time_ms < sample.time_ms);
    if let Value::Histogram(histogram) = &mut sample.value {
        let before = at.checked_sub(1).and_then(|before| samples.get(before));
        let previous = before.and_then(|before| match &before.value {
            Value::Histogram(previous) => Some(previous.as_ref()),
            Value::Float(_) => None,
        });
        let hint = histogram.stored_hint(previous);
        if hint != histogram.reset_hint {
            *histogram = Arc::new(FloatHistogram::clone(histogram).hinted(hint));
        }
    }
    match samples.get_mut(at) {
        Some(known) if known.time_ms == sample.time_ms => *known = sample,
        _ => samples.insert(at, sample),
    }
}

impl Storage for Series {
    fn select(&self, selection: Selection<'_>) -> Vec<SelectedSeries> {
        let mut found = Vec::new();
        for (labels, samples) in &self.samples {
            if !selection
                .matchers
                .iter()
                .all(|matcher| matcher.condition.holds(labels.get(&matcher.name).unwrap_or_default()))
            {
                continue;
            }
            let from = samples.partition_point(|sample| sample.time_ms < selection.start_ms);
            let to = samples.partition_point(|sample| sample.time_ms <= selection.end_ms);
            let from = match selection.extent {
                Extent::Last => from.max(to.saturating_sub(1)),
                Extent::All | Extent::Growth { .. } => from,
            };
            if let Some(samples) = samples.get(from..to)
                && !samples.is_empty()
            {
                found.push(SelectedSeries::whole(labels.clone(), samples.to_vec()));
            }
        }
        found
    }
}

impl RuleStorage for Series {
    fn append(&mut self, labels: &Labels, time_ms: i64, value: Option<Value>) {
        let value = value.unwrap_or(Value::Float(f64::from_bits(STALE_BITS)));
        let sample = Sample { time_ms, value, start_ms: None };
        insert(self.samples.entry(labels.clone()).or_default(), sample);
    }

    /// Nothing says what kind an input series is, but its name.
    fn metric_type(&self, sample: &str) -> Option<MetricType> {
        let is_there = self.samples.keys().any(|labels| labels.get(METRIC_NAME) == Some(sample));
        is_there.then(|| likely_type(sample))
    }

    fn evidence(&self, _selectors: &[Vec<Matcher>], _labels: &Labels) -> Evidence {
        Evidence::default()
    }
}
