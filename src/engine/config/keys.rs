//! The table of every configuration key: the validator, the JSON Schema and `docs/configuration.md` come from it.

use super::TrackerName;
use crate::engine::wire::EventType;
use crate::engine::yaml::keys::{Key, KeyDefault, KeyKind, Names, Zero, key};

/// The names of event types.
const EVENT_TYPES: Names = Names {
    what: "event type",
    all: || EventType::ALL.iter().map(|event_type| event_type.name()).collect(),
    code: "unknown-event-type",
    advice: "Event types are written as in the specification, for example `JobQueued`.",
};

/// The names of trackers.
const TRACKERS: Names = Names {
    what: "tracker",
    all: || TrackerName::ALL.iter().map(|tracker| tracker.word()).collect(),
    code: "unknown-word",
    advice: "Trackers are jobs, workers, chunks, files, cache, warmers and alerts.",
};

/// A duration above zero.
const SPAN: KeyKind = KeyKind::Duration(Zero::Refused);

/// Every top-level key.
pub const KEYS: &[Key] = &[
    key(
        "instance",
        KeyKind::Text,
        KeyDefault::Words("the host name"),
        "The name of this instance: the `source` of its alert events.",
    ),
    key(
        "namespace",
        KeyKind::Text,
        KeyDefault::Nothing,
        "Put in front of every catalogue name, with `_` between.",
    ),
    key("nats", KeyKind::Section(NATS), KeyDefault::Nothing, "How the broker is reached."),
    key(
        "listen",
        KeyKind::Text,
        KeyDefault::Words("127.0.0.1:9469"),
        "Where HTTP is served; port 0 picks a free one, which is logged.",
    ),
    key(
        "admin_listen",
        KeyKind::Text,
        KeyDefault::Words("`listen`"),
        "Another address for the page, the API and `/-/reload`.",
    ),
    key(
        "web_config",
        KeyKind::Text,
        KeyDefault::Nothing,
        "A file with TLS and basic authentication, in Prometheus' web config format.",
    ),
    key(
        "rules",
        KeyKind::OneOrMany(&KeyKind::Text),
        KeyDefault::Words("rules/ if present"),
        "Rule files, or folders whose `*.yaml` and `*.yml` are rule files.",
    ),
    key(
        "state_dir",
        KeyKind::Text,
        KeyDefault::Words("state in memory"),
        "The folder that keeps the state over a restart.",
    ),
    key(
        "log_format",
        KeyKind::Word(&["text", "json"]),
        KeyDefault::Words("text"),
        "How log lines are written.",
    ),
    key("jetstream", KeyKind::Section(JETSTREAM), KeyDefault::Nothing, "The lane that loses nothing."),
    key(
        "lanes",
        KeyKind::ByName(EVENT_TYPES, &KeyKind::Word(&["core", "jetstream"])),
        KeyDefault::Words("MetricRecorded, ProgressUpdated, JobProgressUpdated: core; all others: jetstream"),
        "The lane each event type rides.",
    ),
    key(
        "rejected",
        KeyKind::Section(REJECTED),
        KeyDefault::Nothing,
        "What happens to events that are refused.",
    ),
    key(
        "dedupe",
        KeyKind::Section(DEDUPE),
        KeyDefault::Nothing,
        "The window in which an `event_id` counts once.",
    ),
    key(
        "limits",
        KeyKind::Section(LIMITS),
        KeyDefault::Nothing,
        "The bounds of everything that events can grow.",
    ),
    key("slow_query", SPAN, KeyDefault::Words("500ms"), "A query that takes this long or longer is slow."),
    key(
        "slow_query_top",
        KeyKind::Count(1),
        KeyDefault::Words("20"),
        "How many query hashes `db_slow_query_seconds` shows.",
    ),
    key(
        "stale_after",
        KeyKind::DurationByGlob,
        KeyDefault::Words("1h"),
        "A gauge leaves after this long without an event; a mapping gives it for each glob on the name.",
    ),
    key(
        "park_after",
        SPAN,
        KeyDefault::Words("never"),
        "A counter or histogram without an event for this long leaves `/metrics` and comes back at its old value with its next event.",
    ),
    key(
        "metrics",
        KeyKind::List(&KeyKind::Section(METRICS)),
        KeyDefault::Nothing,
        "Settings of metrics by name; of several that match, the first that sets a field holds.",
    ),
    key(
        "utf8_names",
        KeyKind::Flag,
        KeyDefault::Words("false"),
        "Keeps UTF-8 in names for scrapers that ask for it.",
    ),
    key(
        "transforms",
        KeyKind::List(&KeyKind::Section(TRANSFORMS)),
        KeyDefault::Nothing,
        "How events of other major versions become 1.x.",
    ),
    key(
        "deprecate_after",
        SPAN,
        KeyDefault::Words("30d"),
        "An older major version is marked deprecated once a newer one has been seen for this long.",
    ),
    key(
        "history",
        KeyKind::Section(HISTORY),
        KeyDefault::Nothing,
        "The recent past that range selectors read.",
    ),
    key(
        "evaluate",
        KeyKind::Word(&["arrival", "interval"]),
        KeyDefault::Words("arrival"),
        "Whether rules are evaluated when events move what they read, or at their interval alone.",
    ),
    key(
        "external_labels",
        KeyKind::Map(&KeyKind::Text),
        KeyDefault::Nothing,
        "`$externalLabels` of templates in rules.",
    ),
    key("external_url", KeyKind::Text, KeyDefault::Nothing, "`externalURL` of templates in rules."),
    key("alerts", KeyKind::Section(ALERTS), KeyDefault::Nothing, "How alert events are published."),
    key(
        "alertmanager",
        KeyKind::Section(ALERTMANAGER),
        KeyDefault::Nothing,
        "Alertmanagers that get the same alerts.",
    ),
    key(
        "shutdown_grace",
        KeyKind::Duration(Zero::Allowed),
        KeyDefault::Words("10s"),
        "How long a stop waits for pending alert events to be acknowledged.",
    ),
];

const NATS: &[Key] = &[
    key(
        "url",
        KeyKind::OneOrMany(&KeyKind::Text),
        KeyDefault::Words("nats://127.0.0.1:4222"),
        "Server URLs (`nats://` or `tls://`), separated by commas or as a list.",
    ),
    key("user", KeyKind::Text, KeyDefault::Nothing, "The user name; with `password`."),
    key("password", KeyKind::Secret, KeyDefault::Nothing, "The password."),
    key("password_file", KeyKind::Text, KeyDefault::Nothing, "The file that holds the password."),
    key("token", KeyKind::Secret, KeyDefault::Nothing, "The token."),
    key("token_file", KeyKind::Text, KeyDefault::Nothing, "The file that holds the token."),
    key("creds", KeyKind::Text, KeyDefault::Nothing, "The path of a credentials file."),
    key("nkey", KeyKind::Secret, KeyDefault::Nothing, "The nkey seed."),
    key("nkey_file", KeyKind::Text, KeyDefault::Nothing, "The file that holds the nkey seed."),
    key("tls", KeyKind::Section(TLS), KeyDefault::Nothing, "Files of a TLS connection."),
];

const TLS: &[Key] = &[
    key("ca", KeyKind::Text, KeyDefault::Words("the system's"), "Certificates of authorities to trust, PEM."),
    key("cert", KeyKind::Text, KeyDefault::Nothing, "The client certificate, PEM; with `key`."),
    key("key", KeyKind::Text, KeyDefault::Nothing, "The client key, PEM; with `cert`."),
    key(
        "mode",
        KeyKind::Word(&["auto", "required", "first"]),
        KeyDefault::Words("auto"),
        "Where the server asks for TLS or the URL begins with `tls://`; always; always, before the server says a word.",
    ),
];

const JETSTREAM: &[Key] = &[
    key(
        "enabled",
        KeyKind::Flag,
        KeyDefault::Words("true"),
        "`false` takes every event type from core NATS.",
    ),
    key("stream", KeyKind::Text, KeyDefault::Words("EVENTS"), "The stream that is read."),
    key(
        "create_stream",
        KeyKind::Flag,
        KeyDefault::Words("false"),
        "Makes the stream, with exactly the lane's subjects, where it is missing (`signalbox demo` always does).",
    ),
    key(
        "start",
        KeyKind::Word(&["all", "new", "resume"]),
        KeyDefault::Words("all"),
        "Where reading begins without a state: the first stored message, new ones only, or where a durable consumer stopped.",
    ),
    key(
        "durable",
        KeyKind::Text,
        KeyDefault::Words("signalbox"),
        "The name of the durable consumer, where one is needed.",
    ),
    key("domain", KeyKind::Text, KeyDefault::Words("the connection's own"), "The JetStream domain."),
    key(
        "ready_pending_max",
        KeyKind::Count(1),
        KeyDefault::Words("100000"),
        "From how many waiting messages on the sidecar is not ready.",
    ),
];

const REJECTED: &[Key] = &[
    key(
        "publish",
        KeyKind::Word(&["jetstream", "core", "all", "none"]),
        KeyDefault::Words("jetstream"),
        "Of which lanes refused events are published again, payload unchanged.",
    ),
    key(
        "subject",
        KeyKind::Text,
        KeyDefault::Words("signalbox.rejected"),
        "The subject they are published to.",
    ),
];

const DEDUPE: &[Key] = &[
    key(
        "entries",
        KeyKind::Count(0),
        KeyDefault::Words("1000000"),
        "How many ids are remembered at the least; 0 turns the window off.",
    ),
    key(
        "age",
        SPAN,
        KeyDefault::Words("1h"),
        "How long an id is remembered at the least, `entries` permitting.",
    ),
];

const LIMITS: &[Key] = &[
    key("series", KeyKind::Count(1), KeyDefault::Words("1000000"), "Series in all."),
    key("series_per_metric", KeyKind::Count(1), KeyDefault::Words("100000"), "Series of one metric."),
    key("tags", KeyKind::Count(0), KeyDefault::Words("30"), "Tags of a MetricRecorded event."),
    key("label_name_bytes", KeyKind::Size, KeyDefault::Words("128"), "Bytes of a label name."),
    key(
        "label_value_bytes",
        KeyKind::Size,
        KeyDefault::Words("256"),
        "Bytes of a label value; longer ones are cut.",
    ),
    key("metric_name_bytes", KeyKind::Size, KeyDefault::Words("256"), "Bytes of a metric name."),
    key("message_bytes", KeyKind::Size, KeyDefault::Words("1MiB"), "Bytes of a message."),
    key("array_elements", KeyKind::Count(1), KeyDefault::Words("10000"), "Events in one message."),
    key("depth", KeyKind::Count(1), KeyDefault::Words("128"), "How deep the JSON of a message may nest."),
    key("tracker_entries", KeyKind::Count(1), KeyDefault::Words("200000"), "Entries of one tracker."),
    key(
        "tracker_age",
        SPAN,
        KeyDefault::Words("24h"),
        "How long a tracker remembers what has ended, for events that come late; what is alive is never dropped for its age.",
    ),
    key(
        "abandon_after",
        KeyKind::DurationByName(TRACKERS),
        KeyDefault::Words("never"),
        "Gives up what is alive and was moved by no event for this long, as if its end had come; a mapping gives it by tracker.",
    ),
];

const METRICS: &[Key] = &[
    key(
        "match",
        KeyKind::Text,
        KeyDefault::Required,
        "A glob on the name: `*` stands for any characters, `?` for one.",
    ),
    key(
        "buckets",
        KeyKind::List(&KeyKind::Number),
        KeyDefault::Words("by unit"),
        "Upper bounds of histogram buckets, rising, without `+Inf`.",
    ),
    key(
        "type",
        KeyKind::Word(&["counter", "gauge", "histogram"]),
        KeyDefault::Words("by name"),
        "The type of a metric that MetricRecorded events bring; only `signalbox check` reads it.",
    ),
    key("help", KeyKind::Text, KeyDefault::Nothing, "The HELP text."),
    key("unit", KeyKind::Text, KeyDefault::Words("the name's last word"), "The unit."),
    key(
        "drop_labels",
        KeyKind::OneOrMany(&KeyKind::Text),
        KeyDefault::Nothing,
        "Labels that are left out; series that become one are added up.",
    ),
    key("stale_after", SPAN, KeyDefault::Words("`stale_after`"), "When a gauge leaves."),
];

const TRANSFORMS: &[Key] = &[
    key("event_type", KeyKind::Name(EVENT_TYPES), KeyDefault::Required, "The type it is for."),
    key("major", KeyKind::Count(0), KeyDefault::Required, "The major version it reads."),
    key(
        "steps",
        KeyKind::List(&KeyKind::Section(STEPS)),
        KeyDefault::Nothing,
        "What is done to the fields, in this order.",
    ),
];

const STEPS: &[Key] = &[
    key("rename", KeyKind::Map(&KeyKind::Text), KeyDefault::Nothing, "Gives fields new names: `old: new`."),
    key(
        "default",
        KeyKind::Map(&KeyKind::Anything),
        KeyDefault::Nothing,
        "Gives missing or null fields a value: `field: value`.",
    ),
    key("scale", KeyKind::Map(&KeyKind::Number), KeyDefault::Nothing, "Multiplies numbers: `field: factor`."),
    key(
        "map",
        KeyKind::Map(&KeyKind::Map(&KeyKind::Text)),
        KeyDefault::Nothing,
        "Replaces words: `field: {from: to}`; words not named stay.",
    ),
    key("drop", KeyKind::OneOrMany(&KeyKind::Text), KeyDefault::Nothing, "Leaves fields out."),
];

const HISTORY: &[Key] = &[
    key("step", SPAN, KeyDefault::Words("5s"), "The time between two samples."),
    key(
        "window",
        SPAN,
        KeyDefault::Words("1h"),
        "How far back samples are kept; the ranges of rules extend it.",
    ),
    key(
        "bytes_max",
        KeyKind::Size,
        KeyDefault::Words("64MiB"),
        "Bytes in all; series that rules read come first.",
    ),
];

const ALERTS: &[Key] = &[key(
    "delivery",
    KeyKind::Word(&["auto", "jetstream", "core"]),
    KeyDefault::Words("auto"),
    "Whether alert events wait for a stream's acknowledgement; `auto` does where a stream covers the subject.",
)];

const ALERTMANAGER: &[Key] = &[key(
    "urls",
    KeyKind::OneOrMany(&KeyKind::Text),
    KeyDefault::Nothing,
    "Base URLs of Alertmanagers (API version 2).",
)];
