//! The metrics rules may read, by name: what checks and `stat` need to know of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::config::glob_matches;
use crate::engine::diagnostic::closest;
use crate::engine::metric::MetricType;

/// What is known of a metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownMetric {
    /// Counter, gauge or histogram.
    pub metric_type: MetricType,
    /// Its labels; none where any may come.
    pub labels: Option<Vec<Arc<str>>>,
    /// Its unit (`seconds`, `bytes`, `ratio` …), empty where it has none.
    pub unit: Arc<str>,
}

/// Metrics by family name, a counter's with `_total`.
#[derive(Clone, Debug, Default)]
pub struct KnownMetrics {
    families: BTreeMap<String, KnownMetric>,
    globs: Vec<(String, KnownMetric)>,
}

/// A sample name's metric.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The metric.
    pub metric: &'a KnownMetric,
    /// Which of its samples the name is.
    pub sample: SampleKind,
}

/// Which of a metric's samples a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleKind {
    /// The only one of a counter or gauge.
    Only,
    /// A histogram's own name, which no sample has.
    Family,
    /// `_bucket`.
    Bucket,
    /// `_count`.
    Count,
    /// `_sum`.
    Sum,
}

/// Names that are always there and of which nothing else is known.
const UNCHECKED: [&str; 5] = ["ALERTS", "ALERTS_FOR_STATE", "signalbox_", "process_", "up"];

impl KnownMetrics {
    /// Adds a metric under its family name; the first of a name holds.
    pub fn add(&mut self, name: &str, metric: KnownMetric) {
        let counter = metric.metric_type == MetricType::Counter;
        let name =
            if counter && !name.ends_with("_total") { format!("{name}_total") } else { name.to_owned() };
        self.families.entry(name).or_insert(metric);
    }

    /// Adds metrics whose family names a glob (`*`, `?`) matches; the first that matches holds.
    pub fn add_glob(&mut self, glob: &str, metric: KnownMetric) {
        self.globs.push((glob.to_owned(), metric));
    }

    fn family(&self, name: &str) -> Option<&KnownMetric> {
        let globbed =
            || self.globs.iter().find(|(glob, _)| glob_matches(glob, name)).map(|(_, metric)| metric);
        self.families.get(name).or_else(globbed)
    }

    /// Whether nothing is known at all, so that nothing can be unknown.
    pub fn is_empty(&self) -> bool {
        self.families.is_empty()
    }

    /// The metric of a sample or family name.
    pub fn find(&self, name: &str) -> Option<Found<'_>> {
        if let Some(metric) = self.family(name) {
            let histogram = metric.metric_type == MetricType::Histogram;
            let sample = if histogram { SampleKind::Family } else { SampleKind::Only };
            return Some(Found { metric, sample });
        }
        let parts =
            [("_bucket", SampleKind::Bucket), ("_count", SampleKind::Count), ("_sum", SampleKind::Sum)];
        parts.into_iter().find_map(|(suffix, sample)| {
            let metric = self.family(name.strip_suffix(suffix)?)?;
            (metric.metric_type == MetricType::Histogram).then_some(Found { metric, sample })
        })
    }

    /// Whether the name is checked at all.
    pub fn checks(&self, name: &str) -> bool {
        let unchecked =
            |known: &&str| if known.ends_with('_') { name.starts_with(*known) } else { name == *known };
        !self.is_empty() && !name.contains(':') && !UNCHECKED.iter().any(unchecked)
    }

    /// The known name (of a sample where `name` ends like one) nearest to an unknown one.
    pub fn closest(&self, name: &str) -> Option<String> {
        let suffix = ["_bucket", "_count", "_sum"].into_iter().find(|suffix| name.ends_with(suffix));
        let histograms =
            self.families.iter().filter(|(_, metric)| metric.metric_type == MetricType::Histogram);
        let with_suffix = suffix.and_then(|suffix| {
            let base = name.strip_suffix(suffix)?;
            let near = closest(base, histograms.map(|(name, _)| name.as_str()))?;
            Some(format!("{near}{suffix}"))
        });
        with_suffix.or_else(|| {
            let near = closest(name, self.families.keys().map(String::as_str)).map(str::to_owned);
            near.or_else(|| {
                self.families.contains_key(&format!("{name}_total")).then(|| format!("{name}_total"))
            })
        })
    }
}

/// The type a metric of this name most likely has.
pub fn guessed_type(name: &str) -> MetricType {
    if name.ends_with("_total") {
        MetricType::Counter
    } else if ["_bucket", "_sum", "_count"].iter().any(|suffix| name.ends_with(suffix)) {
        MetricType::Histogram
    } else {
        MetricType::Gauge
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_samples_lead_to_their_metric() {
        let mut known = KnownMetrics::default();
        let metric = |metric_type| KnownMetric { metric_type, labels: None, unit: Arc::from("") };
        known.add("wait_seconds", metric(MetricType::Histogram));
        known.add("jobs", metric(MetricType::Counter));
        known.add("queue_depth", metric(MetricType::Gauge));
        let sample = |name: &str| known.find(name).map(|found| found.sample);
        assert_eq!(sample("wait_seconds_bucket"), Some(SampleKind::Bucket));
        assert_eq!(sample("wait_seconds"), Some(SampleKind::Family));
        assert_eq!(sample("jobs_total"), Some(SampleKind::Only));
        assert_eq!(sample("queue_depth_sum"), None);
        assert_eq!(known.closest("queue_dept").as_deref(), Some("queue_depth"));
        assert_eq!(known.closest("wait_second_count").as_deref(), Some("wait_seconds_count"));
        assert_eq!(known.closest("jobs").as_deref(), Some("jobs_total"));
    }
}
