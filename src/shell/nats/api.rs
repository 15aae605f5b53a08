//! The JetStream API as far as a lane needs it: requests and answers over the lane's own connection.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::frames::{Delivery, Frame};
use super::link::{Link, LinkError};
use super::servers::random;

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
    /// The connection broke.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Nobody serves the API here.
    #[error("JetStream is not enabled on this server or for this account; start nats-server with -js")]
    NotEnabled,
    /// No answer came.
    #[error("no answer to {subject}{hint}")]
    Silent {
        /// The request's subject.
        subject: String,
        /// What the server said meanwhile.
        hint: String,
    },
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
}

/// What a stream holds.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StreamState {
    /// The first stored sequence.
    pub(crate) first_seq: u64,
    /// The last sequence ever given.
    pub(crate) last_seq: u64,
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

/// The part of a consumer's configuration that old servers leave out silently.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ConsumerConfig {
    /// One subject.
    pub(crate) filter_subject: String,
    /// Several; servers before 2.10 do not know it.
    pub(crate) filter_subjects: Vec<String>,
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

/// The API of one connection.
#[derive(Debug)]
pub(crate) struct Api {
    prefix: String,
    inbox: String,
    requests: u64,
    timeout: Duration,
    /// Whether pulled messages came, and were passed over, while an answer was waited for.
    pub(crate) passed_over: bool,
}

impl Api {
    /// Subscribes what is needed on a new connection.
    pub(crate) fn new(link: &mut Link, domain: Option<&str>, timeout: Duration) -> Self {
        let prefix = domain.map_or_else(|| "$JS.API".to_owned(), |domain| format!("$JS.{domain}.API"));
        let inbox = format!("_INBOX.{:016x}{:016x}", random(), random());
        link.subscribe(&format!("{inbox}.a.*"), ANSWERS);
        link.subscribe(&format!("{inbox}.p.*"), PULLED);
        Self { prefix, inbox, requests: 0, timeout, passed_over: false }
    }

    /// Where the messages of pull `number` come.
    pub(crate) fn pull_inbox(&self, number: u64) -> String {
        format!("{}.p.{number}", self.inbox)
    }

    /// The subject pulls of a consumer go to.
    pub(crate) fn pull_subject(&self, stream: &str, consumer: &str) -> String {
        format!("{}.CONSUMER.MSG.NEXT.{stream}.{consumer}", self.prefix)
    }

    /// What a stream is and holds.
    pub(crate) fn stream(&mut self, link: &mut Link, stream: &str) -> Result<StreamInfo, ApiError> {
        self.request(link, &format!("STREAM.INFO.{stream}"), b"")
    }

    /// Asks what a stream holds without waiting; the answer is for [`Api::asked_stream`].
    pub(crate) fn ask_stream(&self, link: &mut Link, stream: &str) {
        let subject = format!("{}.STREAM.INFO.{stream}", self.prefix);
        link.publish(&subject, Some(&format!("{}.a.asked", self.inbox)), b"");
    }

    /// The answer to [`Api::ask_stream`], where this is it.
    pub(crate) fn asked_stream(&self, delivery: &Delivery<'_>) -> Option<StreamInfo> {
        let is_it = delivery.subject.strip_prefix(self.inbox.as_bytes()) == Some(b".a.asked");
        if is_it { answer(delivery).ok() } else { None }
    }

    /// Creates a stream with file storage and limits retention.
    pub(crate) fn create_stream(
        &mut self,
        link: &mut Link,
        stream: &str,
        subjects: &[String],
    ) -> Result<StreamInfo, ApiError> {
        let config = json!({
            "name": stream, "subjects": subjects, "retention": "limits", "storage": "file", "discard": "old",
            "max_consumers": -1, "max_msgs": -1, "max_bytes": -1, "max_msg_size": -1, "num_replicas": 1,
            "max_age": 0,
        });
        self.request(link, &format!("STREAM.CREATE.{stream}"), config.to_string().as_bytes())
    }

    /// When the message of this sequence was stored, in nanoseconds since the epoch; none where it is gone.
    pub(crate) fn stored_at(
        &mut self,
        link: &mut Link,
        stream: &str,
        sequence: u64,
    ) -> Result<Option<i64>, ApiError> {
        #[derive(Deserialize)]
        struct Answer {
            message: Stored,
        }
        #[derive(Deserialize)]
        struct Stored {
            time: String,
        }
        let body = json!({ "seq": sequence }).to_string();
        match self.request::<Answer>(link, &format!("STREAM.MSG.GET.{stream}"), body.as_bytes()) {
            Ok(answer) => Ok(chrono::DateTime::parse_from_rfc3339(&answer.message.time)
                .ok()
                .and_then(|time| time.timestamp_nanos_opt())),
            Err(ApiError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates a consumer; a durable one where its configuration says so.
    pub(crate) fn create_consumer(
        &mut self,
        link: &mut Link,
        stream: &str,
        config: &Value,
    ) -> Result<ConsumerInfo, ApiError> {
        let subject = match config.get("durable_name").and_then(Value::as_str) {
            Some(durable) => format!("CONSUMER.DURABLE.CREATE.{stream}.{durable}"),
            None => format!("CONSUMER.CREATE.{stream}"),
        };
        let body = json!({ "stream_name": stream, "config": config }).to_string();
        self.request(link, &subject, body.as_bytes())
    }

    /// What a consumer is and has done.
    pub(crate) fn consumer(
        &mut self,
        link: &mut Link,
        stream: &str,
        consumer: &str,
    ) -> Result<ConsumerInfo, ApiError> {
        self.request(link, &format!("CONSUMER.INFO.{stream}.{consumer}"), b"")
    }

    /// Asks for a consumer to be deleted and does not wait for the answer: it would go by itself in a while.
    pub(crate) fn delete_consumer(&mut self, link: &mut Link, stream: &str, consumer: &str) {
        self.requests += 1;
        let answer = format!("{}.a.{}", self.inbox, self.requests);
        let subject = format!("{}.CONSUMER.DELETE.{stream}.{consumer}", self.prefix);
        link.publish(&subject, Some(&answer), b"");
    }

    fn request<T: DeserializeOwned>(
        &mut self,
        link: &mut Link,
        subject: &str,
        body: &[u8],
    ) -> Result<T, ApiError> {
        self.requests += 1;
        let answer_to = format!("{}.a.{}", self.inbox, self.requests);
        let subject = format!("{}.{subject}", self.prefix);
        link.publish(&subject, Some(&answer_to), body);
        let deadline = Instant::now() + self.timeout;
        let mut hint = String::new();
        while Instant::now() < deadline {
            match link.next()? {
                Some(Frame::Message(delivery)) if delivery.subject == answer_to.as_bytes() => {
                    return answer(&delivery);
                }
                Some(Frame::Message(delivery)) => self.passed_over |= delivery.subscription == PULLED,
                Some(Frame::Error(text)) => {
                    let text = String::from_utf8_lossy(text);
                    if !text.to_lowercase().starts_with("permissions violation") {
                        return Err(LinkError::Refused(text.into_owned()).into());
                    }
                    // Nothing else will come of it.
                    hint = format!("; the server says: {text}");
                    break;
                }
                Some(Frame::Ping | Frame::Pong | Frame::Ok | Frame::Info(_)) => {}
                None => {
                    link.read()?;
                }
            }
        }
        Err(ApiError::Silent { subject, hint })
    }
}

/// Reads an answer: what was asked for, or an error.
fn answer<T: DeserializeOwned>(delivery: &Delivery<'_>) -> Result<T, ApiError> {
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
    if delivery.headers.starts_with(b"NATS/1.0 503") {
        return Err(ApiError::NotEnabled);
    }
    let envelope: Envelope = serde_json::from_slice(delivery.payload)?;
    match envelope.error {
        None => Ok(serde_json::from_slice(delivery.payload)?),
        Some(error)
            if [STREAM_NOT_FOUND, CONSUMER_NOT_FOUND, MESSAGE_NOT_FOUND].contains(&error.err_code) =>
        {
            Err(ApiError::NotFound)
        }
        Some(error) if NOT_ENABLED.contains(&error.err_code) => Err(ApiError::NotEnabled),
        Some(error) => Err(ApiError::Refused { code: error.err_code, description: error.description }),
    }
}
