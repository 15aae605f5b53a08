//! Every key of the configuration, declared once: the reader, the JSON Schema, `docs/configuration.md`, what a reload
//! does and the field that the program reads follow from the line here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Grid;
use super::alertmanager::AlertmanagerConfig;
use super::broker::{JetStreamConfig, Lanes, NatsConfig, PartitionConfig, SubjectsConfig};
use super::changes::{Change, Changes};
use super::declare::{KeyValue, section, words};
use super::metrics::{MetricSettings, StaleAfter};
use super::pair::PairConfig;
use super::trackers::TrackerName;
use super::transforms::{TRANSFORMS, Transforms};
use crate::engine::labels::Labels;
use crate::engine::wire::EventType;
use crate::engine::yaml::keys::KeyDefault::{Nothing, Value, Words};
use crate::engine::yaml::keys::{Effect, Key, KeyKind, Names, Zero};
use crate::engine::yaml::{Read, ReadValue, Values};

/// A duration above zero.
pub(super) const SPAN: KeyKind = KeyKind::Duration(Zero::Refused);

/// The names of event types.
pub(super) const EVENT_TYPES: Names = Names {
    what: "event type",
    all: || EventType::ALL.iter().map(|event_type| event_type.name()).collect(),
    code: "unknown-event-type",
    advice: "Event types are written as in the specification, for example `JobQueued`.",
};

/// The names of contexts and of event types.
const LANE_NAMES: Names = Names {
    what: "event type or context",
    all: || EventType::contexts().chain(EventType::ALL.iter().map(|event_type| event_type.name())).collect(),
    code: "unknown-event-type",
    advice: "Write an event type or a context of the specification, for example `JobQueued` or `caching`.",
};

/// The names of trackers.
const TRACKERS: Names = Names {
    what: "tracker",
    all: || TrackerName::ALL.iter().map(|tracker| tracker.word()).collect(),
    code: "unknown-word",
    advice: "Trackers are jobs, workers, chunks, files, cache, warmers and alerts.",
};

section! {
    /// The whole configuration.
    Config {
        /// The name of this instance: the `source` of its alert events, unless it is of a pair.
        instance: String = KeyKind::Text, Words("the host name"), Restart;
        /// Put in front of every catalogue name, with `_` between.
        namespace: String = KeyKind::Text, Nothing, Restart;
        /// The subjects of events.
        subjects: SubjectsConfig = KeyKind::Section(SubjectsConfig::KEYS), Nothing, Restart;
        /// Which part of the keys this instance reads, where a server parts subjects by a key.
        partition: PartitionConfig = KeyKind::Section(PartitionConfig::KEYS), Nothing, Restart;
        /// How the broker is reached.
        nats: NatsConfig = KeyKind::Section(NatsConfig::KEYS), Nothing, Restart;
        /// Where HTTP is served; port 0 picks a free one, which is logged.
        listen: Option<String> = KeyKind::Text, Words("127.0.0.1:9469"), Restart;
        /// Another address for the page, the API and `/-/reload`.
        admin_listen: Option<String> = KeyKind::Text, Words("`listen`"), Restart;
        /// A file with TLS and basic authentication, in Prometheus' web config format.
        web_config: Option<String> = KeyKind::Text, Nothing, Restart;
        /// Lets rule files be edited on the page, where it is served to users or verified clients of `web_config`, or to this machine alone.
        web_edit: bool = KeyKind::Flag, Value("false"), Restart;
        /// Rule files, or folders whose `*.yaml` and `*.yml` are rule files.
        rules: Option<Vec<String>> = KeyKind::OneOrMany(&KeyKind::Text), Words("rules/ if present"), Live;
        /// The folder that keeps the state over a restart.
        state_dir: Option<String> = KeyKind::Text, Words("state in memory"), Restart;
        /// How log lines are written.
        log_format: LogFormat = LogFormat::WORDS, Value("text"), Live;
        /// The lane that loses nothing.
        jetstream: JetStreamConfig = KeyKind::Section(JetStreamConfig::KEYS), Nothing, Restart;
        /// The lane each event type rides, or each type of a context; `off` leaves them to other instances.
        lanes: Lanes = KeyKind::ByName(LANE_NAMES, &KeyKind::Word(&["core", "jetstream", "off"])),
            Words("MetricRecorded, ProgressUpdated, JobProgressUpdated: core; all others: jetstream"), Restart;
        /// What happens to events that are refused.
        rejected: RejectedConfig = KeyKind::Section(RejectedConfig::KEYS), Nothing, Live;
        /// The window in which an `event_id` counts once.
        dedupe: DedupeConfig = KeyKind::Section(DedupeConfig::KEYS), Nothing, Live;
        /// The bounds of everything that events can grow.
        limits: LimitsConfig = KeyKind::Section(LimitsConfig::KEYS), Nothing, Live;
        /// A query that takes this long or longer is slow.
        slow_query: Duration = SPAN, Value("500ms"), Live;
        /// How many query hashes `db_slow_query_seconds` shows.
        slow_query_top: usize = KeyKind::Count(1), Value("20"), Live;
        /// A gauge leaves after this long without an event; a mapping gives it for each glob on the name.
        stale_after: StaleAfter = KeyKind::DurationByGlob, Value("1h"), Live;
        /// A counter or histogram without an event for this long leaves `/metrics` and comes back at its old value with its next event; rules and queries still see it, and it still counts as a series.
        park_after: Option<Duration> = SPAN, Words("never"), Live;
        /// Settings of metrics by name; of several that match, the first that sets a field holds.
        metrics: Vec<MetricSettings> = KeyKind::List(&KeyKind::Section(MetricSettings::KEYS)), Nothing, Live;
        /// Keeps UTF-8 in names for scrapers that ask for it; a metric that is there keeps its name.
        names ("utf8_names"): NameScheme = KeyKind::Flag, Value("false"), Live;
        /// How events of other major versions become 1.x.
        transforms: Transforms = KeyKind::List(&KeyKind::Section(TRANSFORMS)), Nothing, Live;
        /// An older major version is marked deprecated once a newer one has been seen for this long.
        deprecate_after: Duration = SPAN, Value("30d"), Live;
        /// The recent past that range selectors read.
        history: HistoryConfig = KeyKind::Section(HistoryConfig::KEYS), Nothing, Live;
        /// How queries of the HTTP API are answered.
        query: QueryConfig = KeyKind::Section(QueryConfig::KEYS), Nothing, Live;
        /// Whether rules are evaluated when events move what they read, or at their interval alone.
        evaluate: Evaluate = Evaluate::WORDS, Value("arrival"), Live;
        /// How much of a core, in percent, the evaluations of one rule group on arrival may take; where they cost more, further arrivals are gathered.
        arrival_percent_max: usize = KeyKind::Count(1), Value("10"), Live;
        /// `$externalLabels` of templates in rules; Alertmanagers get them with every alert that has no such label of its own.
        external_labels: Labels = KeyKind::Map(&KeyKind::Text), Nothing, Live;
        /// The URL at which people reach this instance: `externalURL` of templates in rules, and the beginning of the links in alerts.
        external_url: String = KeyKind::Text, Nothing, Live;
        /// What `signalbox check` wants of rules beside what it always looks for; nothing else reads it.
        check: CheckConfig = KeyKind::Section(CheckConfig::KEYS), Nothing, Live;
        /// How alert events are published.
        alerts: AlertsConfig = KeyKind::Section(AlertsConfig::KEYS), Nothing, Live;
        /// Two instances that share their work as one: both apply everything, one publishes the alert events.
        pair: PairConfig = KeyKind::Section(PairConfig::KEYS), Nothing, Restart;
        /// Alertmanagers that get the same alerts.
        alertmanager: AlertmanagerConfig = KeyKind::Section(AlertmanagerConfig::KEYS), Nothing, Live;
        /// How the state folder is kept.
        state: StateConfig = KeyKind::Section(StateConfig::KEYS), Nothing, Live;
        /// How long a stop waits for pending alert events to be acknowledged.
        shutdown_grace: Duration = KeyKind::Duration(Zero::Allowed), Value("10s"), Live;
    }
    beside {
        /// Where the instants of rule groups lie; no key of the file, since it is the command's affair.
        grid: Grid,
        /// The file as it was written, secrets painted over.
        written: Arc<str>,
    }
}

section! {
    /// What happens to refused events.
    RejectedConfig {
        /// Of which lanes refused events are published again, payload unchanged.
        publish: RejectedLanes = RejectedLanes::WORDS, Value("jetstream"), Live;
        /// The subject they are published to.
        subject: String = KeyKind::Text, Value("signalbox.rejected"), Live;
    }
}

section! {
    /// What `signalbox check` wants of rules.
    CheckConfig {
        /// Annotations that every alert must have, for example `summary` and `runbook_url`.
        annotations: Vec<String> = KeyKind::List(&KeyKind::Text), Nothing, Live;
        /// Labels that every alert must have, its group's counted, for example `owner`.
        labels: Vec<String> = KeyKind::List(&KeyKind::Text), Nothing, Live;
        /// How many series one evaluation of a rule may read, counted in the recording that `check --events` names, without one estimated from what is known of metrics.
        series_max: Option<usize> = KeyKind::Count(1), Words("any number"), Live;
    }
}

section! {
    /// The duplicate window.
    DedupeConfig {
        /// How many ids are remembered at the least; 0 turns the window off.
        entries: usize = KeyKind::Count(0), Value("1000000"), Live;
        /// How long an id is remembered at the least, `entries` permitting.
        age: Duration = SPAN, Value("1h"), Live;
    }
}

section! {
    /// The bounds of everything that events can grow.
    LimitsConfig {
        /// Series in all.
        series: usize = KeyKind::Count(1), Value("1000000"), Live;
        /// Series of one metric.
        series_per_metric: usize = KeyKind::Count(1), Value("100000"), Live;
        /// Tags of a MetricRecorded event.
        tags: usize = KeyKind::Count(0), Value("30"), Live;
        /// Bytes of a label name.
        label_name_bytes: usize = KeyKind::Size, Value("128"), Live;
        /// Bytes of a label value; longer ones are cut.
        label_value_bytes: usize = KeyKind::Size, Value("256"), Live;
        /// Bytes of a metric name.
        metric_name_bytes: usize = KeyKind::Size, Value("256"), Live;
        /// Bytes of a message.
        message_bytes: usize = KeyKind::Size, Value("1MiB"), Live;
        /// Events in one message.
        array_elements: usize = KeyKind::Count(1), Value("10000"), Live;
        /// How deep the JSON of a message may nest.
        depth: usize = KeyKind::Count(1), Value("128"), Live;
        /// Entries of one tracker.
        tracker_entries: usize = KeyKind::Count(1), Value("200000"), Live;
        /// How long a tracker remembers what has ended, for events that come late; what is alive is never dropped for its age.
        tracker_age: Duration = SPAN, Value("24h"), Live;
        /// Gives up what is alive and was moved by no event for this long, as if its end had come; a mapping gives it by tracker.
        abandon_after: BTreeMap<TrackerName, Duration> = KeyKind::DurationByName(TRACKERS), Words("never"), Live;
    }
}

section! {
    /// What is remembered for range selectors.
    HistoryConfig {
        /// The time between two samples.
        step: Duration = SPAN, Value("5s"), Live;
        /// How far back samples are kept; the ranges of rules extend it.
        window: Duration = SPAN, Value("1h"), Live;
        /// Bytes in all; series that rules read come first.
        bytes_max: usize = KeyKind::Size, Value("64MiB"), Live;
    }
}

section! {
    /// How the state folder is kept.
    StateConfig {
        /// The time between two checkpoints.
        checkpoint_every: Duration = SPAN, Value("30s"), Live;
        /// Bytes of the folder; a checkpoint that would exceed them is written without the past, else not at all.
        bytes_max: usize = KeyKind::Size, Value("1GiB"), Live;
    }
}

section! {
    /// How queries of the HTTP API are answered.
    QueryConfig {
        /// Threads that evaluate queries.
        threads: usize = KeyKind::Count(1), Value("1"), Live;
        /// How long a query may take, its wait included; the parameter `timeout` only shortens it.
        timeout: Duration = SPAN, Value("10s"), Live;
        /// Samples a query may hold at a time.
        samples: usize = KeyKind::Count(1), Value("50000000"), Live;
        /// Queries that may wait for a thread; more are refused with 503 and counted.
        queue: usize = KeyKind::Count(0), Value("16"), Live;
    }
}

section! {
    /// How alert events are published.
    AlertsConfig {
        /// Whether alert events wait for a stream's acknowledgement; `auto` does where a stream covers the subject.
        delivery: AlertDelivery = AlertDelivery::WORDS, Value("auto"), Live;
    }
}

words! {
    /// How log lines are written.
    LogFormat {
        Text = "text": "For people.",
        Json = "json": "One JSON object a line.",
    }
}

words! {
    /// When a rule group is evaluated.
    Evaluate {
        Arrival = "arrival": "At its interval and when an event moves a series it reads.",
        Interval = "interval": "At its interval alone.",
    }
}

words! {
    /// How alert events are published.
    AlertDelivery {
        Auto = "auto": "Acknowledged by JetStream where a stream covers the subject, else core.",
        JetStream = "jetstream": "Acknowledged by JetStream always; retried until a stream takes it.",
        Core = "core": "Core NATS, flushed.",
    }
}

words! {
    /// Which lanes' refused events are published.
    RejectedLanes {
        JetStream = "jetstream": "The JetStream lane's.",
        Core = "core": "The core lane's.",
        Both = "all": "Both.",
        None = "none": "None.",
    }
}

/// How names outside `[a-zA-Z0-9_:]` are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameScheme {
    /// Every other character becomes `_`.
    #[default]
    Underscores,
    /// Kept; escaped for scrapers that cannot read them.
    Utf8,
}

impl KeyValue for NameScheme {
    fn of_read(read: &Read) -> Option<Self> {
        match read.value {
            ReadValue::Flag(true) => Some(Self::Utf8),
            ReadValue::Flag(false) => Some(Self::Underscores),
            ReadValue::Text(_)
            | ReadValue::Count(_)
            | ReadValue::Number(_)
            | ReadValue::Duration(_)
            | ReadValue::List(_)
            | ReadValue::Map(_)
            | ReadValue::Any(_) => None,
        }
    }

    fn absent() -> Self {
        Self::default()
    }
}
