//! The table of every configuration key: the validator, the JSON Schema and `docs/configuration.md` come from it.

/// One key of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// What holds where it is left out, as text for people; empty for nothing.
    pub default: &'static str,
    /// What it does, as a sentence.
    pub about: &'static str,
}

/// What a value is.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A text.
    Text,
    /// A text that is shown to nobody.
    Secret,
    /// `true` or `false`.
    Flag,
    /// A whole number, and the least it may be.
    Count(u64),
    /// A finite number.
    Number,
    /// A number of bytes above zero, such as `64MiB`.
    Size,
    /// A duration, and whether it may be zero.
    Duration(Zero),
    /// A duration for all, or one for each glob on a name.
    DurationByGlob,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of values.
    List(&'static Self),
    /// One value, or a list of them.
    OneOrMany(&'static Self),
    /// A mapping from free keys to values.
    Map(&'static Self),
    /// A mapping from event types to values.
    ByEventType(&'static Self),
    /// The name of an event type.
    EventType,
    /// Any value.
    Anything,
    /// A mapping with keys of its own.
    Section(&'static [Key]),
}

/// Whether zero is a value or a slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zero {
    /// It is a value.
    Allowed,
    /// It is a slip.
    Refused,
}

/// A key.
pub const fn key(name: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Key {
    Key { name, kind, default, about }
}

/// A duration above zero.
const SPAN: Kind = Kind::Duration(Zero::Refused);

/// Every top-level key.
pub const KEYS: &[Key] = &[
    key(
        "instance",
        Kind::Text,
        "the host name",
        "The name of this instance: the `source` of its alert events.",
    ),
    key("namespace", Kind::Text, "", "Put in front of every catalogue name, with `_` between."),
    key("nats", Kind::Section(NATS), "", "How the broker is reached."),
    key(
        "listen",
        Kind::Text,
        "127.0.0.1:9469",
        "Where HTTP is served; port 0 picks a free one, which is logged.",
    ),
    key("admin_listen", Kind::Text, "`listen`", "Another address for the page, the API and `/-/reload`."),
    key(
        "web_config",
        Kind::Text,
        "",
        "A file with TLS and basic authentication, in Prometheus' web config format.",
    ),
    key(
        "rules",
        Kind::OneOrMany(&Kind::Text),
        "rules/ if present",
        "Rule files, or folders whose `*.yaml` and `*.yml` are rule files.",
    ),
    key("state_dir", Kind::Text, "state in memory", "The folder that keeps the state over a restart."),
    key("log_format", Kind::Word(&["text", "json"]), "text", "How log lines are written."),
    key("jetstream", Kind::Section(JETSTREAM), "", "The lane that loses nothing."),
    key(
        "lanes",
        Kind::ByEventType(&Kind::Word(&["core", "jetstream"])),
        "MetricRecorded, ProgressUpdated, JobProgressUpdated: core; all others: jetstream",
        "The lane each event type rides.",
    ),
    key("rejected", Kind::Section(REJECTED), "", "What happens to events that are refused."),
    key("dedupe", Kind::Section(DEDUPE), "", "The window in which an `event_id` counts once."),
    key("limits", Kind::Section(LIMITS), "", "The bounds of everything that events can grow."),
    key("slow_query", SPAN, "500ms", "A query that takes this long or longer is slow."),
    key("slow_query_top", Kind::Count(1), "20", "How many query hashes `db_slow_query_seconds` shows."),
    key(
        "stale_after",
        Kind::DurationByGlob,
        "1h",
        "A gauge leaves after this long without an event; a mapping gives it for each glob on the name.",
    ),
    key(
        "park_after",
        SPAN,
        "never",
        "A counter or histogram without an event for this long leaves `/metrics` and comes back at its old value with its next event.",
    ),
    key(
        "metrics",
        Kind::List(&Kind::Section(METRICS)),
        "",
        "Settings of metrics by name; of several that match, the first that sets a field holds.",
    ),
    key("utf8_names", Kind::Flag, "false", "Keeps UTF-8 in names for scrapers that ask for it."),
    key(
        "transforms",
        Kind::List(&Kind::Section(TRANSFORMS)),
        "",
        "How events of other major versions become 1.x.",
    ),
    key(
        "deprecate_after",
        SPAN,
        "30d",
        "An older major version is marked deprecated once a newer one has been seen for this long.",
    ),
    key("history", Kind::Section(HISTORY), "", "The recent past that range selectors read."),
    key(
        "evaluate",
        Kind::Word(&["arrival", "interval"]),
        "arrival",
        "Whether rules are evaluated when events move what they read, or at their interval alone.",
    ),
    key("external_labels", Kind::Map(&Kind::Text), "", "`$externalLabels` of templates in rules."),
    key("external_url", Kind::Text, "", "`externalURL` of templates in rules."),
    key("alerts", Kind::Section(ALERTS), "", "How alert events are published."),
    key("alertmanager", Kind::Section(ALERTMANAGER), "", "Alertmanagers that get the same alerts."),
    key(
        "shutdown_grace",
        Kind::Duration(Zero::Allowed),
        "10s",
        "How long a stop waits for pending alert events to be acknowledged.",
    ),
];

const NATS: &[Key] = &[
    key(
        "url",
        Kind::OneOrMany(&Kind::Text),
        "nats://127.0.0.1:4222",
        "Server URLs (`nats://` or `tls://`), separated by commas or as a list.",
    ),
    key("user", Kind::Text, "", "The user name; with `password`."),
    key("password", Kind::Secret, "", "The password."),
    key("password_file", Kind::Text, "", "The file that holds the password."),
    key("token", Kind::Secret, "", "The token."),
    key("token_file", Kind::Text, "", "The file that holds the token."),
    key("creds", Kind::Text, "", "The path of a credentials file."),
    key("nkey", Kind::Secret, "", "The nkey seed."),
    key("nkey_file", Kind::Text, "", "The file that holds the nkey seed."),
    key("tls", Kind::Section(TLS), "", "Files of a TLS connection."),
];

const TLS: &[Key] = &[
    key("ca", Kind::Text, "the system's", "Certificates of authorities to trust, PEM."),
    key("cert", Kind::Text, "", "The client certificate, PEM; with `key`."),
    key("key", Kind::Text, "", "The client key, PEM; with `cert`."),
    key(
        "mode",
        Kind::Word(&["auto", "required", "first"]),
        "auto",
        "Where the server asks for TLS or the URL begins with `tls://`; always; always, before the server says a word.",
    ),
];

const JETSTREAM: &[Key] = &[
    key("enabled", Kind::Flag, "true", "`false` takes every event type from core NATS."),
    key("stream", Kind::Text, "EVENTS", "The stream that is read."),
    key(
        "create_stream",
        Kind::Flag,
        "false",
        "Makes the stream, with exactly the lane's subjects, where it is missing (`signalbox demo` always does).",
    ),
    key(
        "start",
        Kind::Word(&["all", "new", "resume"]),
        "all",
        "Where reading begins without a state: the first stored message, new ones only, or where a durable consumer stopped.",
    ),
    key("durable", Kind::Text, "signalbox", "The name of the durable consumer, where one is needed."),
    key("domain", Kind::Text, "the connection's own", "The JetStream domain."),
    key(
        "ready_pending_max",
        Kind::Count(1),
        "100000",
        "From how many waiting messages on the sidecar is not ready.",
    ),
];

const REJECTED: &[Key] = &[
    key(
        "publish",
        Kind::Word(&["jetstream", "core", "all", "none"]),
        "jetstream",
        "Of which lanes refused events are published again, payload unchanged.",
    ),
    key("subject", Kind::Text, "signalbox.rejected", "The subject they are published to."),
];

const DEDUPE: &[Key] = &[
    key(
        "entries",
        Kind::Count(0),
        "1000000",
        "How many ids are remembered at the least; 0 turns the window off.",
    ),
    key("age", SPAN, "1h", "How long an id is remembered at the least, `entries` permitting."),
];

const LIMITS: &[Key] = &[
    key("series", Kind::Count(1), "1000000", "Series in all."),
    key("series_per_metric", Kind::Count(1), "100000", "Series of one metric."),
    key("tags", Kind::Count(0), "30", "Tags of a MetricRecorded event."),
    key("label_name_bytes", Kind::Size, "128", "Bytes of a label name."),
    key("label_value_bytes", Kind::Size, "256", "Bytes of a label value; longer ones are cut."),
    key("metric_name_bytes", Kind::Size, "256", "Bytes of a metric name."),
    key("message_bytes", Kind::Size, "1MiB", "Bytes of a message."),
    key("array_elements", Kind::Count(1), "10000", "Events in one message."),
    key("depth", Kind::Count(1), "128", "How deep the JSON of a message may nest."),
    key("tracker_entries", Kind::Count(1), "200000", "Entries of one tracker."),
    key("tracker_age", SPAN, "24h", "How long a tracker keeps an entry that nothing moves."),
];

const METRICS: &[Key] = &[
    key("match", Kind::Text, "required", "A glob on the name: `*` stands for any characters, `?` for one."),
    key(
        "buckets",
        Kind::List(&Kind::Number),
        "by unit",
        "Upper bounds of histogram buckets, rising, without `+Inf`.",
    ),
    key(
        "type",
        Kind::Word(&["counter", "gauge", "histogram"]),
        "by name",
        "The type of a metric that MetricRecorded events bring; only `signalbox check` reads it.",
    ),
    key("help", Kind::Text, "", "The HELP text."),
    key("unit", Kind::Text, "the name's last word", "The unit."),
    key(
        "drop_labels",
        Kind::OneOrMany(&Kind::Text),
        "",
        "Labels that are left out; series that become one are added up.",
    ),
    key("stale_after", SPAN, "`stale_after`", "When a gauge leaves."),
];

const TRANSFORMS: &[Key] = &[
    key("event_type", Kind::EventType, "required", "The type it is for."),
    key("major", Kind::Count(0), "required", "The major version it reads."),
    key("steps", Kind::List(&Kind::Section(STEPS)), "", "What is done to the fields, in this order."),
];

const STEPS: &[Key] = &[
    key("rename", Kind::Map(&Kind::Text), "", "Gives fields new names: `old: new`."),
    key("default", Kind::Map(&Kind::Anything), "", "Gives missing or null fields a value: `field: value`."),
    key("scale", Kind::Map(&Kind::Number), "", "Multiplies numbers: `field: factor`."),
    key(
        "map",
        Kind::Map(&Kind::Map(&Kind::Text)),
        "",
        "Replaces words: `field: {from: to}`; words not named stay.",
    ),
    key("drop", Kind::OneOrMany(&Kind::Text), "", "Leaves fields out."),
];

const HISTORY: &[Key] = &[
    key("step", SPAN, "5s", "The time between two samples."),
    key("window", SPAN, "1h", "How far back samples are kept; the ranges of rules extend it."),
    key("bytes_max", Kind::Size, "64MiB", "Bytes in all; series that rules read come first."),
];

const ALERTS: &[Key] = &[key(
    "delivery",
    Kind::Word(&["auto", "jetstream", "core"]),
    "auto",
    "Whether alert events wait for a stream's acknowledgement; `auto` does where a stream covers the subject.",
)];

const ALERTMANAGER: &[Key] =
    &[key("urls", Kind::OneOrMany(&Kind::Text), "", "Base URLs of Alertmanagers (API version 2).")];
