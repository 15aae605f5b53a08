//! Classic histograms as native ones with custom buckets.

use std::collections::BTreeMap;

use signalbox::engine::labels::{Labels, METRIC_NAME};
use signalbox::engine::promql::histogram::{Bucket, CUSTOM_SCHEMA, FloatHistogram};
use signalbox::engine::promql::{Sample, Value};

/// What is known of one histogram at one time.
#[derive(Default)]
struct Draft {
    /// Upper bounds, rising, with their cumulative counts.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

/// The native series that the classic ones among `loaded` amount to.
pub(super) fn native(loaded: &[(Labels, Vec<Sample>)]) -> Result<Vec<(Labels, Vec<Sample>)>, String> {
    let mut drafts: BTreeMap<Labels, BTreeMap<i64, Draft>> = BTreeMap::new();
    for (labels, samples) in loaded {
        let Some((part, base)) = part(labels) else { continue };
        let histogram = drafts.entry(base).or_default();
        for sample in samples {
            let Value::Float(value) = sample.value else { continue };
            let draft = histogram.entry(sample.time_ms).or_default();
            match part {
                Part::Bucket(bound) => draft.add(bound, value),
                Part::Count => draft.count = Some(value),
                Part::Sum => draft.sum = value,
            }
        }
    }
    let series = drafts.into_iter().map(|(labels, drafts)| {
        let samples = drafts.into_iter().map(|(time_ms, draft)| {
            let value = Value::Histogram(draft.finish()?.into());
            Ok(Sample { time_ms, value, start_ms: None })
        });
        Ok((labels, samples.collect::<Result<Vec<_>, String>>()?))
    });
    series.collect()
}

#[derive(Clone, Copy)]
enum Part {
    Bucket(f64),
    Count,
    Sum,
}

/// Which part of which histogram a series is.
fn part(labels: &Labels) -> Option<(Part, Labels)> {
    let name = labels.metric_name();
    let (part, base) = if let Some(base) = name.strip_suffix("_bucket") {
        let bound: f64 = labels.get("le")?.parse().ok()?;
        (Part::Bucket(bound), base)
    } else if let Some(base) = name.strip_suffix("_count") {
        (Part::Count, base)
    } else {
        (Part::Sum, name.strip_suffix("_sum")?)
    };
    if matches!(part, Part::Bucket(bound) if bound.is_nan()) {
        return None;
    }
    Some((part, labels.with("le", "").with(METRIC_NAME, base)))
}

impl Draft {
    fn add(&mut self, bound: f64, count: f64) {
        let at = self.buckets.partition_point(|(other, _)| *other < bound);
        if self.buckets.get(at).is_none_or(|(other, _)| *other != bound) {
            self.buckets.insert(at, (bound, count));
        }
    }

    fn finish(mut self) -> Result<FloatHistogram, String> {
        let highest = self.buckets.last().copied();
        let count = self.count.or(highest.map(|(_, count)| count)).unwrap_or(0.0);
        if highest.is_none_or(|(bound, _)| bound != f64::INFINITY) {
            self.buckets.push((f64::INFINITY, count));
        }
        let mut below = 0.0;
        let mut positive = Vec::new();
        for (index, (bound, cumulative)) in (0..).zip(&self.buckets) {
            let own = cumulative - below;
            if own < 0.0 {
                return Err(format!("the bucket up to {bound} holds less than the one before it"));
            }
            if own != 0.0 {
                positive.push(Bucket { index, count: own });
            }
            below = *cumulative;
        }
        self.buckets.pop();
        Ok(FloatHistogram {
            schema: CUSTOM_SCHEMA,
            count,
            sum: self.sum,
            positive,
            custom_values: self.buckets.into_iter().map(|(bound, _)| bound).collect(),
            ..FloatHistogram::default()
        })
    }
}
