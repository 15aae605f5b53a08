//! The configuration as the engine uses it: every limit with its default and unit.
//!
//! The file format and its diagnostics are in `file`; here are the values, valid once built.

mod declared;
#[cfg(test)]
mod docs_tests;
pub mod file;
#[cfg(test)]
mod file_tests;
pub mod keys;
mod secrets;
pub mod server_url;
mod trackers;
mod values;

pub use declared::DeclaredMetric;
pub use trackers::{TrackerLimits, TrackerName};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::labels::Labels;
use super::series::SeriesLimits;
use super::time::Timestamp;
use super::wire::Lane;
use super::wire::payload::EventType;

/// Everything the engine is configured with.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The name of this instance, the `source` of its alert events.
    pub instance: Arc<str>,
    /// Put in front of every catalogue name with `_`; empty for none.
    pub namespace: String,
    /// What a message and an event may be.
    pub wire: WireConfig,
    /// What the duplicate window holds.
    pub dedupe: DedupeConfig,
    /// How many series there may be.
    pub series: SeriesLimits,
    /// The duration from which a query is slow.
    pub slow_query: Duration,
    /// How many query hashes `db_slow_query_seconds` shows.
    pub slow_query_top: usize,
    /// Bounds of every tracker.
    pub trackers: TrackerLimits,
    /// A gauge leaves after this long without an event, where no rule of `metrics` says otherwise.
    pub stale_after: Duration,
    /// A counter or histogram idle for this long leaves, to come back at its old value; none for never.
    pub park_after: Option<Duration>,
    /// Settings of metrics by name, the first whose glob matches holds (per field).
    pub metrics: Vec<MetricSettings>,
    /// Whether UTF-8 metric and label names are kept for scrapers that ask for them.
    pub names: NameScheme,
    /// What is remembered for range selectors.
    pub history: HistoryConfig,
    /// When rule groups are evaluated that do not say so themselves.
    pub evaluate: Evaluate,
    /// Where the instants of rule groups lie; no key of the file, since it is the command's affair.
    pub grid: Grid,
    /// `$externalLabels` of templates.
    pub external_labels: Labels,
    /// `externalURL` of templates.
    pub external_url: String,
    /// Metrics beside the catalogue's that rules may read.
    pub declared: Vec<DeclaredMetric>,
}

/// How names outside `[a-zA-Z0-9_:]` are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameScheme {
    /// Every other character becomes `_`.
    Underscores,
    /// Kept; escaped for scrapers that cannot read them.
    Utf8,
}

/// When a rule group is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evaluate {
    /// At its interval and when an event moves a series it reads.
    Arrival,
    /// At its interval alone.
    Interval,
}

/// Where the instants of rule groups lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grid {
    /// Spread by file and name of the group, so that not all are evaluated at once.
    #[default]
    Spread,
    /// Whole intervals after this instant: tests and replays, whose times people reckon by hand.
    From(Timestamp),
}

/// What a message and an event may be, and which lane each type rides.
#[derive(Clone, Debug, PartialEq)]
pub struct WireConfig {
    /// Bytes of a message.
    pub message_bytes_max: usize,
    /// Elements of an array.
    pub elements_max: usize,
    /// Depth of nesting.
    pub depth_max: usize,
    /// Tags of a MetricRecorded event.
    pub tags_max: usize,
    /// Bytes of a label name.
    pub label_name_bytes_max: usize,
    /// Bytes of a metric name.
    pub metric_name_bytes_max: usize,
    /// Bytes of a label value; longer ones are cut at a character's boundary and counted.
    pub label_value_bytes_max: usize,
    /// The lane of each type; all JetStream-lane types move to core where JetStream is off.
    pub lanes: BTreeMap<EventType, Lane>,
    /// How other major versions become 1.x.
    pub transforms: Vec<Transform>,
    /// An older major counts as deprecated once a newer one has been seen for this long.
    pub deprecate_after: Duration,
}

/// A declared way from another major version's shape to 1.x.
#[derive(Clone, Debug, PartialEq)]
pub struct Transform {
    /// The type it is for.
    pub event_type: EventType,
    /// The major version it reads.
    pub major: u32,
    /// The steps, in order.
    pub steps: Vec<TransformStep>,
}

/// One step of a transform, on top-level fields.
#[derive(Clone, Debug, PartialEq)]
pub enum TransformStep {
    /// A field gets another name.
    Rename {
        /// The old name.
        from: String,
        /// The new name.
        to: String,
    },
    /// A missing or null field gets a value.
    Default {
        /// The field.
        field: String,
        /// The value, as JSON text.
        json: String,
    },
    /// A number is multiplied.
    Scale {
        /// The field.
        field: String,
        /// The factor.
        factor: f64,
    },
    /// A text becomes another; texts not named stay.
    Map {
        /// The field.
        field: String,
        /// From and to.
        values: BTreeMap<String, String>,
    },
    /// A field is left out.
    Drop {
        /// The field.
        field: String,
    },
}

/// The duplicate window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DedupeConfig {
    /// Ids remembered at the least, age permitting; 0 turns the window off.
    pub entries: usize,
    /// How long an id is remembered at the least, entries permitting.
    pub age: Duration,
}

/// Settings of the metrics whose name a glob (`*`, `?`) matches.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricSettings {
    /// The glob over the exposed family or sample name.
    pub pattern: String,
    /// Upper bounds of histogram buckets, rising.
    pub buckets: Option<Arc<[f64]>>,
    /// The HELP text.
    pub help: Option<String>,
    /// The unit.
    pub unit: Option<String>,
    /// Labels that are left out.
    pub drop_labels: Vec<String>,
    /// When a gauge leaves.
    pub stale_after: Option<Duration>,
}

/// What is remembered for range selectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryConfig {
    /// The time between two samples.
    pub step: Duration,
    /// How far back samples are kept; the ranges of rules extend it.
    pub window: Duration,
    /// Bytes in all.
    pub bytes_max: usize,
}

impl Config {
    /// The defaults of `METRICS.md` and `CONTRACT.md`.
    pub fn with_defaults(instance: &str) -> Self {
        Self {
            instance: Arc::from(instance),
            namespace: String::new(),
            wire: WireConfig::default(),
            dedupe: DedupeConfig { entries: 1_000_000, age: Duration::from_hours(1) },
            series: SeriesLimits { series: 1_000_000, series_per_metric: 100_000 },
            slow_query: Duration::from_millis(500),
            slow_query_top: 20,
            trackers: TrackerLimits {
                entries: 200_000,
                age: Duration::from_hours(24),
                abandon_after: BTreeMap::new(),
            },
            stale_after: Duration::from_hours(1),
            park_after: None,
            metrics: Vec::new(),
            names: NameScheme::Underscores,
            history: HistoryConfig {
                step: Duration::from_secs(5),
                window: Duration::from_hours(1),
                bytes_max: 64 << 20,
            },
            evaluate: Evaluate::Arrival,
            grid: Grid::Spread,
            external_labels: Labels::empty(),
            external_url: String::new(),
            declared: Vec::new(),
        }
    }
}

impl Default for WireConfig {
    fn default() -> Self {
        Self {
            message_bytes_max: 1 << 20,
            elements_max: 10_000,
            depth_max: 128,
            tags_max: 30,
            label_name_bytes_max: 128,
            metric_name_bytes_max: 256,
            label_value_bytes_max: 256,
            lanes: EventType::ALL.iter().map(|event_type| (*event_type, default_lane(*event_type))).collect(),
            transforms: Vec::new(),
            deprecate_after: Duration::from_hours(24 * 30),
        }
    }
}

/// The lane of a type where the configuration says nothing: progress and metrics tolerate loss, the rest does not.
fn default_lane(event_type: EventType) -> Lane {
    match event_type {
        EventType::MetricRecorded | EventType::ProgressUpdated | EventType::JobProgressUpdated => Lane::Core,
        _ => Lane::JetStream,
    }
}

/// Whether `name` matches `pattern`, in which `*` stands for any characters and `?` for one.
pub fn glob_matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut star, mut from, mut retry) = (0, None, 0, 0);
    while from < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some(at);
                retry = from;
                at += 1;
            }
            Some(wanted) if *wanted == '?' || name.get(from) == Some(wanted) => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some(place) => {
                    retry += 1;
                    from = retry;
                    at = place + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters_and_a_question_mark_for_one() {
        let cases = [
            ("db_*", "db_pool", true),
            ("*_total", "a_total", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(glob_matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
