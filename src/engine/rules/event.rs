//! Alert events: what AlertTriggered and AlertCleared say, and their JSON (`CONTRACT.md`, "Alert events out").

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::reach::Reach;
use super::set::Severity;
use crate::engine::labels::Labels;
use crate::engine::time::Timestamp;
use crate::engine::wire::{EventId, EventType};

/// The namespace of alert event ids (a version 5 UUID of signalbox's own name under the URL namespace).
const NAMESPACE: Uuid = Uuid::from_u128(0x6f0c_2a3e_0d0e_5a57_9c4f_51f5_b0c2_9a11);

/// Characters of the message that a shortened event keeps.
const SHORT_MESSAGE_CHARS: usize = 256;

/// One alert event, decided and never changed again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AlertEvent {
    /// Its identity, the `event_id` and the `Nats-Msg-Id`.
    pub(crate) id: EventId,
    /// When it was decided.
    pub(crate) timestamp: Timestamp,
    /// The instance that decided it.
    pub(crate) source: Arc<str>,
    /// The rule's id.
    pub(crate) rule_id: Arc<str>,
    /// The alert's name.
    pub(crate) alert_name: Arc<str>,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// The Prometheus alert labels, `alertname` and `severity` included.
    pub(crate) labels: Labels,
    /// A hash of rule id and labels without severity.
    pub(crate) fingerprint: u64,
    /// When the AlertTriggered of this episode was decided.
    pub(crate) started_at: Timestamp,
    /// What people read of it, expanded when the episode began.
    pub(crate) annotations: Vec<(Arc<str>, String)>,
    /// Where the page shows its rule; none without `external_url`.
    pub(crate) generator_url: Option<Arc<str>>,
    /// The last events that moved the value, newest first.
    pub(crate) evidence: Vec<EventId>,
    /// When the arrival that led to the evaluation was applied; none where the interval did.
    pub(crate) moved_at: Option<Timestamp>,
    /// How much of the stream was applied when it was decided; of no state and no JSON, since only the other instance of a
    /// pair asks for it.
    pub(crate) reach: Reach,
    /// Begin or end.
    pub(crate) kind: AlertEventKind,
}

/// The two kinds of alert event with what only they carry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AlertEventKind {
    /// An episode begins.
    Triggered {
        /// The rule's metric.
        metric_name: Arc<str>,
        /// The value that crossed; finite.
        current_value: f64,
        /// The threshold in force; finite.
        threshold: f64,
        /// What people read.
        message: String,
    },
    /// An episode ends.
    Cleared {
        /// Why.
        reason: Reason,
        /// The value, where one is known and ended it; finite.
        value: Option<f64>,
    },
}

impl AlertEventKind {
    /// The type of an event of this kind.
    pub(crate) const fn event_type(&self) -> EventType {
        match self {
            Self::Triggered { .. } => EventType::AlertTriggered,
            Self::Cleared { .. } => EventType::AlertCleared,
        }
    }
}

/// Why an episode ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The condition no longer holds.
    Recovered,
    /// Another level took over.
    SeverityChanged,
    /// The series is gone.
    NoData,
    /// The rule says something else now.
    RuleChanged,
    /// The rule is gone.
    RuleRemoved,
}

impl Reason {
    /// All there are.
    const ALL: [Self; 5] =
        [Self::Recovered, Self::SeverityChanged, Self::NoData, Self::RuleChanged, Self::RuleRemoved];

    /// The reason of this word.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// The word on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::SeverityChanged => "severity_changed",
            Self::NoData => "no_data",
            Self::RuleChanged => "rule_changed",
            Self::RuleRemoved => "rule_removed",
        }
    }
}

/// What an id is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity<'a> {
    /// The rule's id.
    pub(crate) rule_id: &'a str,
    /// The alert labels.
    pub(crate) labels: &'a Labels,
    /// When the episode started.
    pub(crate) started_at: Timestamp,
}

impl Identity<'_> {
    /// The id of the event of this type in the episode; the same for ever.
    pub(crate) fn event_id(self, event_type: EventType) -> EventId {
        let mut name = Vec::new();
        put(&mut name, self.rule_id);
        for (label, value) in self.labels {
            put(&mut name, label);
            put(&mut name, value);
        }
        name.extend_from_slice(&self.started_at.micros().to_be_bytes());
        put(&mut name, event_type.name());
        EventId(Uuid::new_v5(&NAMESPACE, &name).as_u128())
    }
}

/// The fingerprint of an alert: FNV-1a over rule id and labels without severity, every text with its length.
pub(crate) fn fingerprint(rule_id: &str, labels: &Labels) -> u64 {
    let mut text = Vec::new();
    put(&mut text, rule_id);
    for (name, value) in labels.iter().filter(|(name, _)| name.as_ref() != "severity") {
        put(&mut text, name);
        put(&mut text, value);
    }
    fnv1a(&text)
}

/// The FNV-1a hash of 64 bits: stable over versions and machines.
pub(super) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A text with its length in front, so that no two lists of texts have the same bytes.
fn put(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

impl AlertEvent {
    /// Its type.
    pub(crate) const fn event_type(&self) -> EventType {
        self.kind.event_type()
    }

    /// The `Nats-Msg-Id`: the `event_id` as hyphenated text.
    pub(crate) fn message_id(&self) -> String {
        self.id.to_string()
    }

    /// Whole seconds since the episode started.
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_secs(self.timestamp.since(self.started_at).as_secs())
    }

    /// The event as the one JSON object that is published.
    pub(crate) fn to_json(&self) -> String {
        Value::Object(self.fields()).to_string()
    }

    /// The same without what only people read and what points elsewhere, for a server that takes no more.
    pub(crate) fn to_short_json(&self) -> String {
        let mut fields = self.fields();
        fields.insert("evidence".to_owned(), json!([]));
        fields.insert("annotations".to_owned(), json!({}));
        if let Some(Value::String(message)) = fields.get_mut("message") {
            *message = message.chars().take(SHORT_MESSAGE_CHARS).collect();
        }
        Value::Object(fields).to_string()
    }

    /// The fields of the JSON object.
    pub(crate) fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        put("event_id", json!(self.message_id()));
        put("event_type", json!(self.event_type().name()));
        put("event_version", json!("1.0"));
        put("timestamp", json!(self.timestamp.to_string()));
        put("source", json!(self.source.as_ref()));
        put("alert_rule_id", json!(self.rule_id.as_ref()));
        put("alert_name", json!(self.alert_name.as_ref()));
        put("severity", json!(self.severity.name()));
        match &self.kind {
            AlertEventKind::Triggered { metric_name, current_value, threshold, message } => {
                put("metric_name", json!(metric_name.as_ref()));
                put("current_value", json!(current_value));
                put("threshold", json!(threshold));
                put("message", json!(message));
            }
            AlertEventKind::Cleared { reason, value } => {
                put("duration_seconds", json!(self.duration().as_secs()));
                put("reason", json!(reason.name()));
                put("value", json!(value));
            }
        }
        let labels = self.labels.iter().map(|(name, value)| (name.to_string(), json!(value.as_ref())));
        put("labels", Value::Object(labels.collect()));
        let annotations = self.annotations.iter().map(|(name, text)| (name.to_string(), json!(text)));
        put("annotations", Value::Object(annotations.collect()));
        if let Some(url) = &self.generator_url {
            put("generator_url", json!(url.as_ref()));
        }
        put("fingerprint", json!(format!("{:016x}", self.fingerprint)));
        put("started_at", json!(self.started_at.to_string()));
        put("evidence", self.evidence.iter().map(|id| json!(id.to_string())).collect());
        fields
    }
}

#[cfg(test)]
impl AlertEvent {
    /// An event of a rule `rule` about no series, for tests.
    pub(crate) fn sample(id: EventId, kind: AlertEventKind) -> Self {
        Self {
            id,
            timestamp: Timestamp::EPOCH,
            source: Arc::from("host"),
            rule_id: Arc::from("rule"),
            alert_name: Arc::from("Alert"),
            severity: Severity::Info,
            labels: Labels::empty(),
            fingerprint: 7,
            started_at: Timestamp::EPOCH,
            annotations: Vec::new(),
            generator_url: None,
            evidence: Vec::new(),
            moved_at: None,
            reach: Reach::default(),
            kind,
        }
    }
}

/// A finite number for an event: infinities become the largest numbers, NaN becomes `other`.
pub(crate) fn finite(value: f64, other: f64) -> f64 {
    if value.is_nan() { other } else { value.clamp(f64::MIN, f64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: AlertEventKind) -> AlertEvent {
        let labels = Labels::collect([("alertname", "A"), ("queue", "bulk"), ("severity", "warning")]);
        let started_at = Timestamp::from_millis(1_700_000_000_000);
        let identity = Identity { rule_id: "a", labels: &labels, started_at };
        AlertEvent {
            id: identity.event_id(kind.event_type()),
            timestamp: started_at.after(Duration::from_millis(61_900)),
            source: Arc::from("host"),
            rule_id: Arc::from("a"),
            alert_name: Arc::from("A"),
            severity: Severity::Warning,
            fingerprint: fingerprint("a", &labels),
            labels,
            started_at,
            annotations: vec![(Arc::from("summary"), "too \"many\"".to_owned())],
            generator_url: Some(Arc::from("http://box:9469/rules/a")),
            evidence: vec![EventId(1)],
            moved_at: None,
            reach: Reach::default(),
            kind,
        }
    }

    #[test]
    fn a_trigger_carries_the_fields_of_the_specification() {
        let event = event(AlertEventKind::Triggered {
            metric_name: Arc::from("queue_depth"),
            current_value: 1001.5,
            threshold: 1000.0,
            message: "too \"many\"".to_owned(),
        });
        let read: Value = serde_json::from_str(&event.to_json()).unwrap();
        assert_eq!(read["event_type"], "AlertTriggered");
        assert_eq!(read["current_value"], 1001.5);
        assert_eq!(read["threshold"], 1000.0);
        assert_eq!(read["labels"]["queue"], "bulk");
        assert_eq!(read["annotations"]["summary"], "too \"many\"");
        assert_eq!(read["generator_url"], "http://box:9469/rules/a");
        assert_eq!(read["started_at"], "2023-11-14T22:13:20Z");
        assert_eq!(read["timestamp"], "2023-11-14T22:14:21.900Z");
        assert_eq!(read["evidence"][0], "00000000-0000-0000-0000-000000000001");
        assert_eq!(read["event_id"], event.message_id());
    }

    #[test]
    fn a_clear_tells_why_and_how_long_it_was() {
        let event = event(AlertEventKind::Cleared { reason: Reason::NoData, value: None });
        let read: Value = serde_json::from_str(&event.to_json()).unwrap();
        assert_eq!(read["duration_seconds"], 61);
        assert_eq!(read["reason"], "no_data");
        assert!(read["value"].is_null());
    }

    #[test]
    fn the_id_depends_on_rule_labels_start_and_kind_alone() {
        let labels = Labels::collect([("a", "b")]);
        let identity = Identity { rule_id: "r", labels: &labels, started_at: Timestamp::EPOCH };
        let id = identity.event_id(EventType::AlertTriggered);
        assert_eq!(id, identity.event_id(EventType::AlertTriggered));
        assert_ne!(id, identity.event_id(EventType::AlertCleared));
        assert_ne!(id, Identity { rule_id: "s", ..identity }.event_id(EventType::AlertTriggered));
        assert_eq!(Uuid::from_u128(id.0).get_version_num(), 5);
    }

    #[test]
    fn the_fingerprint_leaves_the_severity_out() {
        let with = |severity: &str| Labels::collect([("q", "x"), ("severity", severity)]);
        assert_eq!(fingerprint("r", &with("info")), fingerprint("r", &with("critical")));
        assert_ne!(fingerprint("r", &with("info")), fingerprint("s", &with("info")));
    }

    #[test]
    fn numbers_of_events_are_finite() {
        assert_eq!(finite(f64::INFINITY, 0.0), f64::MAX);
        assert_eq!(finite(f64::NEG_INFINITY, 0.0), f64::MIN);
        assert_eq!(finite(f64::NAN, 3.0), 3.0);
    }
}
