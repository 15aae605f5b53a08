//! The JetStream API as far as a lane needs it: requests to send, and answers read apart.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

use crate::engine::time::Timestamp;
use crate::engine::wire::base64::decoded;

use super::frames::{Delivery, number};
use super::protocol::Protocol;

/// The subscription answers of the API come by.
const ANSWERS: u64 = 1;

/// The subscription pulled messages come by.
pub(crate) const PULLED: u64 = 2;

/// Error codes of the server (`err_code`).
const STREAM_NOT_FOUND: u64 = 10_059;
const CONSUMER_NOT_FOUND: u64 = 10_014;
const MESSAGE_NOT_FOUND: u64 = 10_037;
const NOT_ENABLED: [u64; 2] = [10_039, 10_076];

/// Why a request was not answered as hoped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// Nobody serves the API here.
    #[error("JetStream is not enabled on this server or for this account; start nats-server with -js")]
    NotEnabled,
    /// No answer came.
    #[error("the server does not answer requests to {subject}")]
    Silent {
        /// The request's subject.
        subject: String,
    },
    /// The request may not be made.
    #[error("the server says: {0}")]
    Forbidden(String),
    /// What was asked for is not there.
    #[error("not found")]
    NotFound,
    /// The server said no.
    #[error("the server says: {description} (code {code})")]
    Refused {
        /// `err_code`.
        code: u64,
        /// In its words.
        description: String,
    },
    /// An answer that is none.
    #[error("an answer that cannot be read: {0}")]
    Shape(#[from] serde_json::Error),
}

/// The streams that take a subject.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct StreamNames {
    /// Their names; none where there is no stream.
    pub(crate) streams: Option<Vec<String>>,
}

/// What a stream is and holds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StreamInfo {
    /// Its configuration.
    pub(crate) config: StreamConfig,
    /// When it was created; another time is another stream.
    pub(crate) created: String,
    /// What it holds.
    pub(crate) state: StreamState,
}

/// A stream's configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StreamConfig {
    /// The subjects it takes.
    pub(crate) subjects: Vec<String>,
    /// `limits`, `interest` or `workqueue`.
    pub(crate) retention: String,
    /// `file` or `memory`.
    pub(crate) storage: String,
    /// The sequence of its first message, where that is not 1.
    pub(crate) first_seq: u64,
    /// The streams it also takes messages from.
    sources: Vec<IgnoredAny>,
    /// The stream it is a copy of.
    mirror: Option<IgnoredAny>,
}

impl StreamConfig {
    /// The subjects of everything it may hold; none where that is up to other streams.
    pub(crate) fn subjects_held(&self) -> Option<&[String]> {
        let is_own = self.sources.is_empty() && self.mirror.is_none() && !self.subjects.is_empty();
        is_own.then_some(&self.subjects)
    }
}

/// What a stream holds.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StreamState {
    /// The first stored sequence.
    pub(crate) first_seq: u64,
    /// The last sequence ever given.
    pub(crate) last_seq: u64,
    /// Messages between the first and the last that are gone.
    pub(crate) num_deleted: u64,
}

/// What a consumer is and has done.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ConsumerInfo {
    /// Its name.
    pub(crate) name: String,
    /// Its configuration as the server took it.
    pub(crate) config: ConsumerConfig,
    /// Messages it has not delivered yet.
    pub(crate) num_pending: u64,
    /// Messages it waits for an acknowledgement of.
    pub(crate) num_ack_pending: u64,
    /// How far it delivered.
    pub(crate) delivered: Sequences,
    /// Up to where everything is acknowledged.
    pub(crate) ack_floor: Sequences,
}

/// The part of a consumer's configuration that is looked at; what old servers do not know they leave out silently.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ConsumerConfig {
    /// One subject.
    pub(crate) filter_subject: String,
    /// Several; servers before 2.10 do not know it.
    pub(crate) filter_subjects: Vec<String>,
    /// What whoever made it wrote of it.
    pub(crate) description: String,
    /// How long it waits for an acknowledgement, in nanoseconds.
    pub(crate) ack_wait: u64,
    /// How many messages may be unacknowledged; -1 for any number.
    pub(crate) max_ack_pending: i64,
}

/// A place in a consumer and in its stream.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Sequences {
    /// Counted by the consumer.
    pub(crate) consumer_seq: u64,
    /// Counted by the stream.
    pub(crate) stream_seq: u64,
}

/// A request that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Its number.
    pub(crate) number: u64,
    /// Where it went.
    pub(crate) subject: String,
}

/// The API of one connection.
#[derive(Debug)]
pub(crate) struct Api {
    prefix: String,
    inbox: String,
    requests: u64,
    pulls: u64,
}

/// What the subjects of the API begin with; in a domain that is not the connection's own they name it.
pub(crate) fn api_prefix(domain: Option<&str>) -> String {
    domain.map_or_else(|| "$JS.API".to_owned(), |domain| format!("$JS.{domain}.API"))
}

impl Api {
    /// Subscribes what is needed on a new connection; nobody else may guess `inbox`.
    pub(crate) fn new(protocol: &mut Protocol, domain: Option<&str>, inbox: &str) -> Self {
        let prefix = api_prefix(domain);
        protocol.subscribe(&format!("{inbox}.a.*"), ANSWERS);
        protocol.subscribe(&format!("{inbox}.p.*"), PULLED);
        Self { prefix, inbox: inbox.to_owned(), requests: 0, pulls: 0 }
    }

    /// A number for a pull that no other of this connection has, and where its messages come.
    pub(crate) fn next_pull(&mut self) -> (u64, String) {
        self.pulls += 1;
        (self.pulls, format!("{}.p.{}", self.inbox, self.pulls))
    }

    /// The subject pulls of a consumer go to.
    pub(crate) fn pull_subject(&self, stream: &str, consumer: &str) -> String {
        format!("{}.CONSUMER.MSG.NEXT.{stream}.{consumer}", self.prefix)
    }

    /// The number of the request that this answers.
    pub(crate) fn answered(&self, delivery: &Delivery<'_>) -> Option<u64> {
        let rest = delivery.subject.strip_prefix(self.inbox.as_bytes())?;
        number(rest.strip_prefix(b".a.")?).ok()
    }

    /// Asks what a stream is and holds: a [`StreamInfo`].
    pub(crate) fn ask_stream(&mut self, protocol: &mut Protocol, stream: &str) -> Asked {
        self.ask(protocol, &format!("STREAM.INFO.{stream}"), b"")
    }

    /// Asks for a stream with file storage and limits retention: a [`StreamInfo`].
    pub(crate) fn create_stream(
        &mut self,
        protocol: &mut Protocol,
        stream: &str,
        subjects: &[&str],
    ) -> Asked {
        let config = json!({
            "name": stream, "subjects": subjects, "retention": "limits", "storage": "file", "discard": "old",
            "max_consumers": -1, "max_msgs": -1, "max_bytes": -1, "max_msg_size": -1, "num_replicas": 1,
            "max_age": 0,
        });
        self.ask(protocol, &format!("STREAM.CREATE.{stream}"), config.to_string().as_bytes())
    }

    /// Asks for the message of this sequence: a [`StoredMessage`].
    pub(crate) fn ask_message(&mut self, protocol: &mut Protocol, stream: &str, sequence: u64) -> Asked {
        let body = json!({ "seq": sequence }).to_string();
        self.ask(protocol, &format!("STREAM.MSG.GET.{stream}"), body.as_bytes())
    }

    /// Asks for a consumer, a durable one where its configuration says so: a [`ConsumerInfo`].
    pub(crate) fn create_consumer(&mut self, protocol: &mut Protocol, stream: &str, config: &Value) -> Asked {
        let subject = match config.get("durable_name").and_then(Value::as_str) {
            Some(durable) => format!("CONSUMER.DURABLE.CREATE.{stream}.{durable}"),
            None => format!("CONSUMER.CREATE.{stream}"),
        };
        let body = json!({ "stream_name": stream, "config": config }).to_string();
        self.ask(protocol, &subject, body.as_bytes())
    }

    /// Asks what a consumer is and has done: a [`ConsumerInfo`].
    pub(crate) fn ask_consumer(&mut self, protocol: &mut Protocol, stream: &str, consumer: &str) -> Asked {
        self.ask(protocol, &format!("CONSUMER.INFO.{stream}.{consumer}"), b"")
    }

    /// Asks for a consumer to be deleted; nobody waits for the answer, as it would go by itself in a while.
    pub(crate) fn delete_consumer(&mut self, protocol: &mut Protocol, stream: &str, consumer: &str) {
        self.ask(protocol, &format!("CONSUMER.DELETE.{stream}.{consumer}"), b"");
    }

    fn ask(&mut self, protocol: &mut Protocol, subject: &str, body: &[u8]) -> Asked {
        self.requests += 1;
        let subject = format!("{}.{subject}", self.prefix);
        protocol.publish(&subject, Some(&format!("{}.a.{}", self.inbox, self.requests)), body);
        Asked { number: self.requests, subject }
    }
}

/// A stored message, as far as it is looked at.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct StoredMessage {
    message: MessageFields,
}

#[derive(Clone, Debug, Deserialize)]
struct MessageFields {
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    data: String,
    time: String,
}

impl StoredMessage {
    /// When it was stored.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        self.message.time.parse().ok()
    }

    /// Its sequence.
    pub(crate) const fn sequence(&self) -> u64 {
        self.message.seq
    }

    /// What it says; empty where that cannot be read.
    pub(crate) fn payload(&self) -> Vec<u8> {
        decoded(&self.message.data).unwrap_or_default()
    }
}

/// Reads an answer: what was asked for, or an error.
pub(crate) fn answer<T: DeserializeOwned>(delivery: &Delivery<'_>) -> Result<T, ApiError> {
    if delivery.headers.starts_with(b"NATS/1.0 503") {
        return Err(ApiError::NotEnabled);
    }
    read_answer(delivery.payload)
}

/// Reads what an answer says.
pub(crate) fn read_answer<T: DeserializeOwned>(payload: &[u8]) -> Result<T, ApiError> {
    #[derive(Deserialize)]
    struct Envelope {
        error: Option<Refusal>,
    }
    #[derive(Deserialize)]
    #[serde(default)]
    #[derive(Default)]
    struct Refusal {
        code: u64,
        err_code: u64,
        description: String,
    }
    let envelope: Envelope = serde_json::from_slice(payload)?;
    match envelope.error {
        None => Ok(serde_json::from_slice(payload)?),
        Some(error)
            if [STREAM_NOT_FOUND, CONSUMER_NOT_FOUND, MESSAGE_NOT_FOUND].contains(&error.err_code) =>
        {
            Err(ApiError::NotFound)
        }
        Some(error) if NOT_ENABLED.contains(&error.err_code) => Err(ApiError::NotEnabled),
        Some(error) => Err(ApiError::Refused { code: error.err_code, description: error.description }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::nats::protocol::ServerInfo;

    fn read(headers: &str, payload: &str) -> Result<StreamInfo, ApiError> {
        let (headers, payload) = (headers.as_bytes(), payload.as_bytes());
        answer(&Delivery { subscription: ANSWERS, subject: b"i.a.1", reply: b"", headers, payload })
    }

    #[test]
    fn answers_are_told_apart_by_their_codes() {
        let error = |code: u64| format!(r#"{{"error":{{"code":400,"err_code":{code},"description":"no"}}}}"#);
        let cases = [
            ("NATS/1.0 503\r\n\r\n", String::new(), "JetStream is not enabled"),
            ("", error(10_039), "JetStream is not enabled"),
            ("", error(10_059), "not found"),
            ("", error(7), "the server says: no (code 7)"),
            ("", "{".to_owned(), "an answer that cannot be read"),
        ];
        for (headers, payload, words) in cases {
            let error = read(headers, &payload).unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}");
        }
        let info = read("", r#"{"created":"x","state":{"last_seq":3}}"#).unwrap();
        assert_eq!((info.created.as_str(), info.state.last_seq), ("x", 3));
    }

    #[test]
    fn a_stored_message_tells_its_time() {
        let text = r#"{"message":{"subject":"s","seq":1,"time":"2026-01-01T00:00:00.123456789Z"}}"#;
        let stored: StoredMessage = serde_json::from_str(text).unwrap();
        assert_eq!(stored.time(), "2026-01-01T00:00:00.123456Z".parse().ok());
    }

    /// What is sent by these requests of a new connection.
    fn sent(domain: Option<&str>, requests: impl FnOnce(&mut Api, &mut Protocol)) -> String {
        let second = std::time::Duration::from_secs(1);
        let mut protocol = Protocol::new(ServerInfo::default(), second, std::time::Instant::now());
        let mut api = Api::new(&mut protocol, domain, "_INBOX.x");
        requests(&mut api, &mut protocol);
        String::from_utf8(std::mem::take(protocol.outgoing())).unwrap()
    }

    #[test]
    fn requests_go_below_the_prefix_of_the_domain_and_are_numbered() {
        let ask = |api: &mut Api, protocol: &mut Protocol| {
            api.ask_stream(protocol, "EVENTS");
            let asked = api.ask_message(protocol, "EVENTS", 7);
            assert_eq!(asked.number, 2);
            api.ask_consumer(protocol, "EVENTS", "c");
            api.delete_consumer(protocol, "EVENTS", "c");
        };
        let subscribed = "SUB _INBOX.x.a.* 1\r\nSUB _INBOX.x.p.* 2\r\n";
        for (domain, prefix) in [(None, "$JS.API"), (Some("hub"), "$JS.hub.API")] {
            let expected = [
                format!("PUB {prefix}.STREAM.INFO.EVENTS _INBOX.x.a.1 0\r\n\r\n"),
                format!("PUB {prefix}.STREAM.MSG.GET.EVENTS _INBOX.x.a.2 9\r\n{{\"seq\":7}}\r\n"),
                format!("PUB {prefix}.CONSUMER.INFO.EVENTS.c _INBOX.x.a.3 0\r\n\r\n"),
                format!("PUB {prefix}.CONSUMER.DELETE.EVENTS.c _INBOX.x.a.4 0\r\n\r\n"),
            ];
            assert_eq!(sent(domain, ask), format!("{subscribed}{}", expected.concat()));
        }
    }

    #[test]
    fn a_consumer_with_a_name_is_made_as_a_durable_one() {
        let subject = |config: Value| {
            let text = sent(None, |api, protocol| drop(api.create_consumer(protocol, "EVENTS", &config)));
            text.split("PUB ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned()
        };
        assert_eq!(subject(json!({"ack_policy": "none"})), "$JS.API.CONSUMER.CREATE.EVENTS");
        assert_eq!(subject(json!({"durable_name": "d"})), "$JS.API.CONSUMER.DURABLE.CREATE.EVENTS.d");
    }

    #[test]
    fn only_answers_of_this_connection_are_its_own() {
        sent(None, |api, _| {
            let answered = |subject: &str| {
                let delivery = Delivery {
                    subscription: ANSWERS,
                    subject: subject.as_bytes(),
                    reply: b"",
                    headers: b"",
                    payload: b"",
                };
                api.answered(&delivery)
            };
            assert_eq!(answered("_INBOX.x.a.12"), Some(12));
            for other in ["_INBOX.y.a.12", "_INBOX.x.p.12", "_INBOX.x.a.", "_INBOX.x.a.-1", "_INBOX.x"] {
                assert_eq!(answered(other), None, "{other}");
            }
        });
    }
}
