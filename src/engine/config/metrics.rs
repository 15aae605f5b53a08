//! The keys that settle how single metrics look.

use std::sync::Arc;
use std::time::Duration;

use super::changes::{Change, Changes};
use super::declare::{KeyValue, section};
use super::glob::metric_glob_matches;
use super::keys::SPAN;
use crate::engine::metric::MetricType;
use crate::engine::yaml::keys::KeyDefault::{Nothing, Required, Words};
use crate::engine::yaml::keys::{Effect, Key, KeyKind};
use crate::engine::yaml::{Read, ReadValue, Values};

section! {
    /// Settings of the metrics whose name a glob matches.
    MetricSettings {
        /// A glob on the name: `*` stands for any characters, `?` for one.
        pattern ("match"): String = KeyKind::Text, Required, Live;
        /// Upper bounds of histogram buckets, rising, without `+Inf`; a histogram that has series begins anew.
        buckets: Option<Arc<[f64]>> = KeyKind::List(&KeyKind::Number), Words("by unit"), Live;
        /// The type of a metric that MetricRecorded events bring; only `signalbox check` reads it.
        metric_type ("type"): Option<MetricType> = KeyKind::Word(&["counter", "gauge", "histogram"]), Words("by name"), Live;
        /// The HELP text.
        help: Option<String> = KeyKind::Text, Nothing, Live;
        /// The unit.
        unit: Option<String> = KeyKind::Text, Words("the name's last word"), Live;
        /// Labels that are left out; series that become one are added up.
        drop_labels: Vec<String> = KeyKind::OneOrMany(&KeyKind::Text), Nothing, Live;
        /// When a gauge leaves.
        stale_after: Option<Duration> = SPAN, Words("`stale_after`"), Live;
    }
}

/// When gauges leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleAfter {
    by_glob: Vec<(String, Duration)>,
    others: Duration,
}

impl StaleAfter {
    /// All gauges after the same time.
    pub(crate) fn all(span: Duration) -> Self {
        Self { by_glob: Vec::new(), others: span }
    }

    /// When a gauge of this name leaves.
    pub(crate) fn of(&self, name: &str) -> Duration {
        let globbed = self.by_glob.iter().find(|(glob, _)| metric_glob_matches(glob, name));
        globbed.map_or(self.others, |(_, span)| *span)
    }
}

impl KeyValue for StaleAfter {
    fn of_read(read: &Read) -> Option<Self> {
        if let ReadValue::Duration(span) = read.value {
            return Some(Self::all(span));
        }
        let spans = Values::of(read).0.into_iter().filter_map(|(glob, read)| {
            if let ReadValue::Duration(span) = read.value { Some((glob, span)) } else { None }
        });
        Some(Self { by_glob: spans.collect(), ..Self::absent() })
    }

    fn absent() -> Self {
        Self::all(Duration::from_hours(1))
    }
}
