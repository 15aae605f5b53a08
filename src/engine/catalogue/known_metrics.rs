//! The metrics rules may read, by name: what checks and `stat` need to know of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::closed;
use super::families::{ExposedMetric, exposed};
use super::recorded::spec_of;
use super::row::{CatalogueRow, MoreLabels};
use super::rows::CATALOGUE;
use super::spread::Spread;
use crate::engine::config::{Config, NameScheme, metric_glob_matches};
use crate::engine::diagnostic::closest;
use crate::engine::metric::{ALERTS, ALERTS_FOR_STATE, MetricType, Part, SampleName, sample_names};
use crate::engine::series::{underscored_label, underscored_metric};
use crate::engine::wire::EventType;

/// What is known of a metric.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KnownMetric {
    /// Counter, gauge or histogram.
    pub(crate) metric_type: MetricType,
    /// Its labels; none where any may come.
    pub(crate) labels: Option<Vec<Arc<str>>>,
    /// The labels whose values are known for good, with those values.
    pub(crate) closed: Vec<(Arc<str>, Vec<Arc<str>>)>,
    /// Its unit (`seconds`, `bytes`, `ratio` …), empty where it has none.
    pub(crate) unit: Arc<str>,
    /// The upper bounds of its buckets without `+Inf`; none where they are not known.
    pub(crate) buckets: Option<Arc<[f64]>>,
    /// Whether its events are read here.
    pub(crate) feed: Feed,
    /// What becomes of it where events are read in parts.
    pub(crate) spread: Spread,
}

/// Whether the events that move a metric are read, or left to other instances (`lanes`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Feed {
    /// All of them are read.
    #[default]
    Whole,
    /// These are not.
    Partly(Vec<EventType>),
    /// None is; these are they.
    Nothing(Vec<EventType>),
}

impl Feed {
    fn of(movers: Vec<EventType>, config: &Config) -> Self {
        let count = movers.len();
        let is_off = |event_type: &EventType| !config.lanes.by_type().contains_key(event_type);
        let off: Vec<EventType> = movers.into_iter().filter(is_off).collect();
        match off.len() {
            0 => Self::Whole,
            all if all == count => Self::Nothing(off),
            _ => Self::Partly(off),
        }
    }
}

impl KnownMetric {
    /// A metric of which only the type is known.
    pub(crate) fn of_type(metric_type: MetricType) -> Self {
        let (labels, closed, unit) = (None, Vec::new(), Arc::default());
        let (feed, spread) = (Feed::Whole, Spread::Whole);
        Self { metric_type, labels, closed, unit, buckets: None, feed, spread }
    }
}

/// Metrics by family name, a counter's with `_total`.
#[derive(Clone, Debug, Default)]
pub struct KnownMetrics {
    families: BTreeMap<String, KnownMetric>,
    globs: Vec<(String, KnownMetric)>,
    /// Globs of the configuration that say nothing of the type.
    mentioned: Vec<String>,
    /// What becomes of the names that events carry.
    names: NameScheme,
    /// What stands in front of the catalogue's names, empty where nothing does.
    namespace: String,
}

/// What a person means by a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meant {
    /// The name as it is exposed, a histogram's without suffix.
    pub(crate) name: String,
    /// The type; a sample of a histogram is a counter by itself.
    pub(crate) metric_type: MetricType,
}

/// The metric that a name belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NamedMetric<'a> {
    /// The metric.
    pub(crate) metric: &'a KnownMetric,
    /// Which of its samples the name is; none where it is a histogram's own, which no sample has.
    pub(crate) part: Option<Part>,
}

/// Metrics that are no rows of the table: what rules write of alerts, and what a Prometheus that scrapes adds.
const WRITTEN_BY_OTHERS: [&str; 3] = [ALERTS, ALERTS_FOR_STATE, "up"];

impl KnownMetrics {
    /// Adds a metric under its family name; the first of a name holds.
    pub(crate) fn add(&mut self, name: &str, metric: KnownMetric) {
        let metric_type = metric.metric_type;
        let name = metric_type.exposed_name(metric_type.family_name(name)).into_owned();
        self.families.entry(name).or_insert(metric);
    }

    /// Adds metrics whose family names a glob (`*`, `?`) matches; the first that matches holds.
    pub(crate) fn add_glob(&mut self, glob: &str, metric: KnownMetric) {
        self.globs.push((glob.to_owned(), metric));
    }

    fn family(&self, name: &str) -> Option<&KnownMetric> {
        let globbed =
            || self.globs.iter().find(|(glob, _)| metric_glob_matches(glob, name)).map(|(_, metric)| metric);
        self.families.get(name).or_else(globbed)
    }

    /// Whether nothing is known at all, so that nothing can be unknown.
    pub(crate) fn is_empty(&self) -> bool {
        self.families.is_empty()
    }

    /// Every metric that is known by its name, a counter's with `_total`, with its type, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, MetricType)> {
        self.families.iter().map(|(name, metric)| (name.as_str(), metric.metric_type))
    }

    /// The name without the namespace in front, where it has it.
    pub(crate) fn without_namespace<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(self.namespace.as_str())?.strip_prefix('_')
    }

    /// The metric of a sample or family name.
    pub(crate) fn find(&self, name: &str) -> Option<NamedMetric<'_>> {
        if let Some(metric) = self.family(name) {
            let part = match metric.metric_type {
                MetricType::Counter | MetricType::Gauge => Some(Part::Value),
                MetricType::Histogram => None,
            };
            return Some(NamedMetric { metric, part });
        }
        histogram_samples(name).find_map(|sample| {
            let metric = self.family(sample.family)?;
            let is_histogram = metric.metric_type == MetricType::Histogram;
            is_histogram.then_some(NamedMetric { metric, part: Some(sample.part) })
        })
    }

    /// The metric that a person means: by the name that events carry or the one it is exposed under, with the namespace
    /// or without it.
    pub(crate) fn meant(&self, name: &str) -> Option<Meant> {
        let name = self.named(name);
        let name = name.as_ref();
        let namespaced = format!("{}_{name}", self.namespace);
        let names =
            [name, namespaced.as_str()].into_iter().take(if self.namespace.is_empty() { 1 } else { 2 });
        names.flat_map(|name| [Cow::Borrowed(name), MetricType::Counter.exposed_name(name)]).find_map(
            |name| {
                let found = self.find(&name)?;
                let metric_type = match found.part {
                    None | Some(Part::Value) => found.metric.metric_type,
                    Some(Part::Bucket | Part::Sum | Part::Count | Part::Created) => {
                        return Some(Meant { name: name.into_owned(), metric_type: MetricType::Counter });
                    }
                };
                let name = metric_type.exposed_name(metric_type.family_name(&name)).into_owned();
                Some(Meant { name, metric_type })
            },
        )
    }

    /// What becomes of a name that events carry.
    pub(crate) fn named<'a>(&self, name: &'a str) -> Cow<'a, str> {
        match self.names {
            NameScheme::Underscores => underscored_metric(name),
            NameScheme::Utf8 => Cow::Borrowed(name),
        }
    }

    /// What becomes of a label's name that events carry.
    pub(crate) fn named_label<'a>(&self, name: &'a str) -> Cow<'a, str> {
        match self.names {
            NameScheme::Underscores => underscored_label(name),
            NameScheme::Utf8 => Cow::Borrowed(name),
        }
    }

    /// Whether the configuration names it without saying its type.
    pub(crate) fn mentions(&self, name: &str) -> bool {
        let exposed = MetricType::Counter.exposed_name(name);
        let is = |glob: &String| [name, exposed.as_ref()].iter().any(|name| metric_glob_matches(glob, name));
        self.mentioned.iter().any(is)
    }

    /// Whether the name is checked at all.
    pub(crate) fn checks(&self, name: &str) -> bool {
        !self.is_empty() && !name.contains(':')
    }

    /// The known name (of a sample where `name` ends like one) that differs from an unknown one by a few characters, or by
    /// a counter's `_total`.
    fn near(&self, name: &str) -> Option<String> {
        let histograms =
            self.families.iter().filter(|(_, metric)| metric.metric_type == MetricType::Histogram);
        let of_histogram = histogram_samples(name).next().and_then(|sample| {
            let near = closest(sample.family, histograms.map(|(name, _)| name.as_str()))?;
            Some(sample.part.sample_name(MetricType::Histogram, near))
        });
        let near = || closest(name, self.families.keys().map(String::as_str)).map(str::to_owned);
        let counter = || {
            let exposed = MetricType::Counter.exposed_name(name);
            self.families.contains_key(exposed.as_ref()).then(|| exposed.into_owned())
        };
        of_histogram.or_else(near).or_else(counter)
    }

    /// The known name that an unknown one most likely is a slip of: near, and of as many words. Other programs have
    /// metrics too, whose names are much like these.
    pub(crate) fn slip_of(&self, name: &str) -> Option<String> {
        let words = |name: &str| name.split('_').count();
        self.near(name).filter(|near| words(near) == words(name))
    }

    /// The known name nearest to one that should be known.
    pub(crate) fn closest(&self, name: &str) -> Option<String> {
        let by_words = || {
            let names = self.families.keys().map(|known| (fewest_more_words(name, known), known));
            let near = names.filter_map(|(more, known)| Some((more?, known))).min();
            near.map(|(_, known)| known.clone())
        };
        self.near(name).or_else(by_words)
    }
}

/// What rules are checked against, and `stat` takes the types of metrics from.
pub(crate) fn known_metrics(config: &Config) -> KnownMetrics {
    let namespace = config.namespace.clone();
    let mut known = KnownMetrics { namespace, names: config.names, ..KnownMetrics::default() };
    for row in CATALOGUE {
        let ExposedMetric { name, labels, of_subject, spec, .. } = exposed(row, config);
        let labels = match row.more {
            MoreLabels::None => {
                let of_subject = of_subject.into_iter().map(Arc::from);
                Some(labels.into_iter().map(Arc::from).chain(of_subject).collect())
            }
            MoreLabels::OfTheAlert => None,
        };
        let closed = row.labels.iter().filter_map(|label| closed_values(row, label)).collect();
        let (metric_type, unit) = (row.metric_type, spec.unit.unwrap_or_default());
        let (buckets, spread) = (Some(spec.buckets), Spread::of(row, config));
        let feed = Feed::of(row.source.movers(), config);
        known.add(&name, KnownMetric { metric_type, labels, closed, unit, buckets, feed, spread });
    }
    for name in WRITTEN_BY_OTHERS {
        known.add(name, KnownMetric::of_type(MetricType::Gauge));
    }
    for declared in &config.metrics {
        let is_glob = declared.pattern.contains(['*', '?']);
        let Some(metric_type) = declared.metric_type else {
            known.mentioned.extend((!is_glob).then(|| declared.pattern.clone()));
            continue;
        };
        let feed = Feed::of(vec![EventType::MetricRecorded], config);
        let spread = Spread::of_recorded(config);
        let metric = KnownMetric { feed, spread, ..KnownMetric::of_type(metric_type) };
        if is_glob {
            known.add_glob(&declared.pattern, metric);
        } else {
            let name = known.named(&declared.pattern).into_owned();
            let buckets = spec_of(config, metric_type.family_name(&name), metric_type).buckets;
            known.add(&name, KnownMetric { buckets: Some(buckets), ..metric });
        }
    }
    known
}

/// What many metrics end in, which tells nothing of which is meant.
const ENDINGS: [&str; 7] = ["total", "seconds", "bytes", "ratio", "sum", "count", "bucket"];

/// How many words a known name has that the written one lacks, where each word of the written one is nearly the next of
/// those left: `signalbox_evnts_total` lacks one of `signalbox_events_applied_total`. A name of one word tells too little.
fn fewest_more_words(written: &str, known: &str) -> Option<usize> {
    let mut words = known.split('_');
    let (mut count, mut telling) = (0, 0);
    for word in written.split('_') {
        words.find(|known| closest(word, [*known]).is_some() || *known == word)?;
        count += 1;
        telling += usize::from(!ENDINGS.contains(&word));
    }
    (telling > 1).then(|| known.split('_').count() - count)
}

/// A label with the values it may have, where they are known for good.
fn closed_values(row: &CatalogueRow, label: &str) -> Option<(Arc<str>, Vec<Arc<str>>)> {
    let values = closed::values(row, label)?;
    Some((Arc::from(label), values.iter().map(|value| Arc::from(*value)).collect()))
}

/// A name as that of a sample of a histogram.
fn histogram_samples(name: &str) -> impl Iterator<Item = SampleName<'_>> {
    sample_names(name).filter(|sample| {
        sample.metric_type == MetricType::Histogram && sample.metric_type.parts().contains(&sample.part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::MetricSettings;

    #[test]
    fn names_of_samples_lead_to_their_metric() {
        let mut known = KnownMetrics::default();
        let metric = KnownMetric::of_type;
        known.add("wait_seconds", metric(MetricType::Histogram));
        known.add("jobs", metric(MetricType::Counter));
        known.add("queue_depth", metric(MetricType::Gauge));
        let part = |name: &str| known.find(name).map(|found| found.part);
        assert_eq!(part("wait_seconds_bucket"), Some(Some(Part::Bucket)));
        assert_eq!(part("wait_seconds"), Some(None));
        assert_eq!(part("jobs_total"), Some(Some(Part::Value)));
        assert_eq!(part("queue_depth_sum"), None);
        assert_eq!(known.closest("queue_dept").as_deref(), Some("queue_depth"));
        assert_eq!(known.closest("wait_second_count").as_deref(), Some("wait_seconds_count"));
        assert_eq!(known.closest("jobs").as_deref(), Some("jobs_total"));
        assert_eq!(known.slip_of("queue_dept").as_deref(), Some("queue_depth"));
        assert_eq!(known.slip_of("queues_a_depth"), None);
    }

    #[test]
    fn a_name_that_lacks_a_word_leads_to_those_that_have_it() {
        let known = known_metrics(&Config::with_defaults("me"));
        let cases = [
            ("signalbox_evnts_total", Some("signalbox_events_applied_total")),
            ("signalbox_alert_pending", Some("signalbox_alert_events_pending")),
            ("process_memory_bytes", Some("process_resident_memory_bytes")),
            ("http_requests_total", None),
            ("total", None),
        ];
        for (name, expected) in cases {
            assert_eq!(known.closest(name).as_deref(), expected, "{name}");
        }
    }

    fn declared((pattern, metric_type): (&str, MetricType)) -> MetricSettings {
        MetricSettings {
            pattern: pattern.to_owned(),
            metric_type: Some(metric_type),
            ..MetricSettings::default()
        }
    }

    #[test]
    fn rules_may_read_the_catalogue_under_its_namespace_and_what_is_declared() {
        let mut config = Config::with_defaults("me");
        config.namespace = "shop".to_owned();
        config.metrics =
            [("cart_*", MetricType::Gauge), ("wait_seconds", MetricType::Histogram)].map(declared).to_vec();
        let known = known_metrics(&config);
        assert!(known.find("shop_queue_depth").is_some());
        assert!(known.find("queue_depth").is_none());
        assert!(known.find("cart_items").is_some());
        assert_eq!(known.find("wait_seconds_bucket").map(|found| found.part), Some(Some(Part::Bucket)));
    }
}
