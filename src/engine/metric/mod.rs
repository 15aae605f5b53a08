//! What kinds of metrics there are, and what they and their samples are called.
//!
//! A metric has one name as a *family*, which is OpenMetrics' and the store's, and one as it is *exposed*, which is what
//! people and rules say: a counter's has `_total`, the others' are the same. Its samples are *parts* of its series, and
//! each is called as the family with what the part adds.

pub(crate) mod bound;

use std::borrow::Cow;

/// The series that an alerting rule writes for each of its alerts: 1 while it is pending or firing.
pub(crate) const ALERTS: &str = "ALERTS";

/// The series that an alerting rule writes for each of its alerts: since when its condition holds.
pub(crate) const ALERTS_FOR_STATE: &str = "ALERTS_FOR_STATE";

/// What an alerting rule writes.
pub(crate) const ALERT_SERIES: [&str; 2] = [ALERTS, ALERTS_FOR_STATE];

/// The `metric_type` of a MetricRecorded event, and the type of every metric family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MetricType {
    /// Adds up.
    #[default]
    Counter,
    /// Is set.
    Gauge,
    /// Observes.
    Histogram,
}

/// One of the samples of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Part {
    /// A counter's total, a gauge's value.
    Value,
    /// A histogram's cumulative buckets.
    Bucket,
    /// A histogram's sum.
    Sum,
    /// A histogram's count.
    Count,
    /// When a counter or histogram was born: in OpenMetrics alone, which no query sees.
    Created,
}

/// A name, read as that of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SampleName<'a> {
    /// The name of the family.
    pub(crate) family: &'a str,
    /// The type the family must have.
    pub(crate) metric_type: MetricType,
    /// Which sample it is.
    pub(crate) part: Part,
}

/// What a counter's name ends in wherever it is exposed.
const TOTAL: &str = "_total";

impl MetricType {
    /// All three.
    pub(crate) const ALL: [Self; 3] = [Self::Counter, Self::Gauge, Self::Histogram];

    /// The word on the wire, in rule files and in every exposition.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }

    /// The parts that rules and queries see, in the order of the exposition.
    pub(crate) const fn parts(self) -> &'static [Part] {
        match self {
            Self::Counter | Self::Gauge => &[Part::Value],
            Self::Histogram => &[Part::Bucket, Part::Sum, Part::Count],
        }
    }

    /// The parts that any exposition shows.
    pub(crate) const fn exposed_parts(self) -> &'static [Part] {
        match self {
            Self::Counter => &[Part::Value, Part::Created],
            Self::Gauge => &[Part::Value],
            Self::Histogram => &[Part::Bucket, Part::Sum, Part::Count, Part::Created],
        }
    }

    /// The name under which a family is exposed.
    pub(crate) fn exposed_name(self, family: &str) -> Cow<'_, str> {
        match self {
            Self::Counter => Cow::Owned(format!("{family}{TOTAL}")),
            Self::Gauge | Self::Histogram => Cow::Borrowed(family),
        }
    }

    /// The name of the family that is exposed, or recorded, under this name: without a counter's `_total`, unless that
    /// is all there is.
    pub(crate) fn family_name(self, name: &str) -> &str {
        match self {
            Self::Counter => name.strip_suffix(TOTAL).filter(|family| !family.is_empty()).unwrap_or(name),
            Self::Gauge | Self::Histogram => name,
        }
    }
}

impl Part {
    /// What a family of this type adds to its name for this sample.
    pub(crate) const fn suffix(self, metric_type: MetricType) -> &'static str {
        match (self, metric_type) {
            (Self::Value, MetricType::Counter) => TOTAL,
            (Self::Value, MetricType::Gauge | MetricType::Histogram) => "",
            (Self::Bucket, _) => "_bucket",
            (Self::Sum, _) => "_sum",
            (Self::Count, _) => "_count",
            (Self::Created, _) => "_created",
        }
    }

    /// The name of this sample of a family.
    pub(crate) fn sample_name(self, metric_type: MetricType, family: &str) -> String {
        format!("{family}{}", self.suffix(metric_type))
    }
}

/// Every way to read a name as that of a sample; which one is true is for those to say who know the families. Of one
/// name it is at most one, because the store gives no family a name that another one's samples have.
pub(crate) fn sample_names(name: &str) -> impl Iterator<Item = SampleName<'_>> {
    let of = move |metric_type: MetricType, part: Part| {
        let family = name.strip_suffix(part.suffix(metric_type)).filter(|family| !family.is_empty())?;
        Some(SampleName { family, metric_type, part })
    };
    MetricType::ALL.into_iter().flat_map(move |metric_type| {
        metric_type.exposed_parts().iter().filter_map(move |part| of(metric_type, *part))
    })
}

/// The type that a metric of which only a name is known most likely has.
pub(crate) fn likely_type(name: &str) -> MetricType {
    let telling = |sample: &SampleName<'_>| {
        sample.metric_type != MetricType::Gauge && sample.metric_type.parts().contains(&sample.part)
    };
    sample_names(name).find(telling).map_or(MetricType::Gauge, |sample| sample.metric_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_every_sample_it_may_be() {
        let read = |name| -> Vec<(String, MetricType, Part)> {
            let names = sample_names(name);
            names.map(|sample| (sample.family.to_owned(), sample.metric_type, sample.part)).collect()
        };
        let gauge = |name: &str| (name.to_owned(), MetricType::Gauge, Part::Value);
        assert_eq!(read("depth"), [gauge("depth")]);
        let counter = ("jobs".to_owned(), MetricType::Counter, Part::Value);
        assert_eq!(read("jobs_total"), [counter, gauge("jobs_total")]);
        let bucket = ("wait".to_owned(), MetricType::Histogram, Part::Bucket);
        assert_eq!(read("wait_bucket"), [gauge("wait_bucket"), bucket]);
        assert_eq!(read("_total"), [gauge("_total")]);
        assert_eq!(read("a_created").len(), 3);
    }

    #[test]
    fn a_family_is_found_back_from_the_name_it_is_exposed_under() {
        for metric_type in MetricType::ALL {
            for family in ["jobs", "_total", "jobs_total"] {
                let exposed = metric_type.exposed_name(family);
                assert_eq!(metric_type.family_name(&exposed), family);
            }
        }
        assert_eq!(MetricType::Counter.family_name("jobs"), "jobs");
    }

    #[test]
    fn a_type_is_guessed_from_what_a_name_ends_in() {
        let cases = [
            ("depth", MetricType::Gauge),
            ("jobs_total", MetricType::Counter),
            ("wait_bucket", MetricType::Histogram),
            ("wait_sum", MetricType::Histogram),
            ("wait_count", MetricType::Histogram),
            ("wait_created", MetricType::Gauge),
            ("_total", MetricType::Gauge),
        ];
        for (name, expected) in cases {
            assert_eq!(likely_type(name), expected, "{name}");
        }
    }
}
