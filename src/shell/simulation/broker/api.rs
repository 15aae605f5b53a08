//! What the broker answers: streams, consumers, stored messages, pulls, and whether something was stored.

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::connection::Letter;
use super::consumer::{Consumer, Due, Pull};
use super::stream::{Demands, Message, Retention, Stored, Stream};
use super::{Broker, Request, field};
use crate::shell::nats::out::exchange::{Answer, AnswerEnding};
use crate::shell::nats::out::fold::Pulled;
use crate::shell::nats::out::words::AnswerFault;
use crate::shell::simulation::time::{Micros, SECOND};

/// The subjects of a stream that is made by a client which does not say.
const FALLBACK: [&str; 1] = ["events.>"];

fn refusal(code: u64, description: &str) -> String {
    json!({ "error": { "code": 400, "err_code": code, "description": description } }).to_string()
}

fn message_answer(found: Option<(u64, &Message)>) -> String {
    let Some((sequence, message)) = found else { return refusal(10_037, "no message found") };
    let data = STANDARD.encode(&message.payload);
    let time = message.at.to_string();
    json!({ "message": { "subject": &*message.subject, "seq": sequence, "data": data, "time": time } })
        .to_string()
}

impl Broker {
    /// Answers a request of who publishes alert events.
    pub(in crate::shell::simulation) fn request(
        &mut self,
        request: &Request,
        ending: AnswerEnding,
        now: Micros,
    ) -> Result<Answer, AnswerFault> {
        let Request { subject, headers, payload } = request;
        let answered = |text: Option<String>| match text {
            Some(text) => Ok(Answer::Text(Bytes::from(text))),
            None => Err(AnswerFault::NobodyThere),
        };
        if let Some(what) = subject.strip_prefix("$JS.API.CONSUMER.MSG.NEXT.") {
            let AnswerEnding::Messages(count) = ending else { return Err(AnswerFault::NobodyThere) };
            return Ok(Answer::Messages(self.pull_now(what, count, now)));
        }
        if let Some(what) = subject.strip_prefix("$JS.API.") {
            return answered(self.api(what, payload, now));
        }
        let header = |name: &str| headers.iter().find(|(it, _)| *it == name).map(|(_, value)| value.as_str());
        let demands = Demands {
            id: header("Nats-Msg-Id"),
            last: header("Nats-Expected-Last-Subject-Sequence").and_then(|value| value.parse().ok()),
        };
        let subject: Rc<str> = Rc::from(subject.as_str());
        let stored = self.store(&subject, payload, (demands, now));
        if let (Some((stream, Stored::New(sequence))), Some(applied)) = (&stored, header("Signalbox-Applied"))
            && let Some(stream) = self.streams.get_mut(stream)
            && let Some(message) = stream.messages.get_mut(sequence)
        {
            message.applied = Some(Rc::from(applied));
        }
        self.deliver(now);
        if ending == AnswerEnding::Flush {
            return Ok(Answer::Text(Bytes::new()));
        }
        answered(stored.map(|(stream, stored)| match stored {
            Stored::New(sequence) => json!({ "stream": &*stream, "seq": sequence }).to_string(),
            Stored::Duplicate(sequence) => {
                json!({ "stream": &*stream, "seq": sequence, "duplicate": true }).to_string()
            }
            Stored::WrongLast(last) => refusal(10_071, &format!("wrong last sequence: {last}")),
            Stored::Unwanted => json!({ "stream": &*stream, "seq": 0 }).to_string(),
        }))
    }

    /// Answers a request to the API; none where nobody listens there.
    pub(super) fn api(&mut self, what: &str, payload: &[u8], now: Micros) -> Option<String> {
        let body: Value = serde_json::from_slice(payload).unwrap_or_default();
        let words: Vec<&str> = what.split('.').collect();
        match words.as_slice() {
            ["STREAM", "NAMES"] => {
                let subject = field(&body, "subject").as_str().unwrap_or_default();
                let takes =
                    |(name, stream): (&Rc<str>, &Stream)| stream.takes(subject).then(|| name.to_string());
                let names: Vec<String> = self.streams.iter().filter_map(takes).collect();
                Some(json!({ "streams": names }).to_string())
            }
            ["STREAM", "INFO", name] => Some(match self.streams.get(*name) {
                Some(stream) => stream.info().to_string(),
                None => refusal(10_059, "stream not found"),
            }),
            ["STREAM", "CREATE", name] => {
                let subjects: Vec<&str> = field(&body, "subjects")
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                let subjects = if subjects.is_empty() { &FALLBACK[..] } else { &subjects };
                let made = Stream::new(subjects, Retention::Limits, self.wall(now));
                let stream = self.streams.entry(Rc::from(*name)).or_insert(made);
                Some(stream.info().to_string())
            }
            ["STREAM", "MSG", "GET", name] => Some(self.stored_message(name, &body)),
            ["CONSUMER", "CREATE", stream] | ["CONSUMER", "DURABLE", "CREATE", stream, _] => {
                Some(self.make_consumer(stream, words.get(4).copied(), (field(&body, "config"), now)))
            }
            ["CONSUMER", "INFO", stream, name] => {
                let found = self
                    .streams
                    .get(*stream)
                    .and_then(|stream| Some(stream.consumers.get(*name)?.info(name, &stream.messages)));
                Some(found.map_or_else(|| refusal(10_014, "consumer not found"), |info| info.to_string()))
            }
            ["CONSUMER", "DELETE", stream, name] => {
                self.streams.get_mut(*stream)?.consumers.remove(*name);
                Some(json!({ "success": true }).to_string())
            }
            _ => None,
        }
    }

    fn stored_message(&self, stream: &str, body: &Value) -> String {
        let Some(stream) = self.streams.get(stream) else { return refusal(10_059, "stream not found") };
        let sequence = field(body, "seq").as_u64();
        message_answer(match (field(body, "last_by_subj").as_str(), field(body, "next_by_subj").as_str()) {
            (Some(subject), _) => stream.last_of(subject),
            (None, Some(subject)) => stream.next_of(subject, sequence.unwrap_or(1)),
            (None, None) => {
                let sequence = sequence.unwrap_or(0);
                stream.messages.get(&sequence).map(|message| (sequence, message))
            }
        })
    }

    fn make_consumer(
        &mut self,
        stream: &str,
        durable: Option<&str>,
        (config, now): (&Value, Micros),
    ) -> String {
        let Some(stream) = self.streams.get_mut(stream) else { return refusal(10_059, "stream not found") };
        self.made += 1;
        let name = durable.map_or_else(|| format!("C{}", self.made), str::to_owned);
        if stream.retention == Retention::WorkQueue && field(config, "ack_policy") == "none" {
            return refusal(10_084, "workqueue stream requires explicit ack");
        }
        let first = stream.first();
        let consumer =
            stream.consumers.entry(name.clone()).or_insert_with(|| Consumer::new(config, first, now));
        consumer.info(&name, &stream.messages).to_string()
    }

    /// Takes a request for messages.
    pub(super) fn take_pull(
        &mut self,
        (connection, inbox): (u32, &str),
        what: &str,
        (payload, now): (&[u8], Micros),
    ) {
        let body: Value = serde_json::from_slice(payload).unwrap_or_default();
        let micros = |name: &str| field(&body, name).as_u64().unwrap_or(30_000_000_000) / 1_000;
        let consumer = what
            .split_once('.')
            .and_then(|(stream, name)| self.streams.get_mut(stream)?.consumers.get_mut(name));
        let Some(consumer) = consumer else {
            let delay = self.random.below(self.slowness);
            if let Some(connection) = self.connections.get_mut(&connection) {
                connection.deliver_to_inbox(inbox, &Letter::Status("503"), now + delay);
            }
            return;
        };
        consumer.used_at = now;
        let heartbeat = micros("idle_heartbeat");
        consumer.pulls.push_back(Pull {
            connection,
            inbox: inbox.to_owned(),
            left: field(&body, "batch").as_u64().unwrap_or(1),
            bytes_left: field(&body, "max_bytes").as_u64().unwrap_or(u64::MAX),
            expires_at: now + micros("expires"),
            heartbeat,
            beat_at: now + heartbeat,
        });
    }

    /// Messages of a consumer that are there now.
    fn pull_now(&mut self, what: &str, count: u64, now: Micros) -> Vec<Pulled> {
        let Some((stream, name)) = what.split_once('.') else { return Vec::new() };
        let Some(Stream { consumers, messages, .. }) = self.streams.get_mut(stream) else {
            return Vec::new();
        };
        let Some(consumer) = consumers.get_mut(name) else { return Vec::new() };
        let due = (0..count).map_while(|_| consumer.due(messages, now));
        due.map(|due| Pulled {
            subject: due.message.subject.to_string(),
            sequence: due.sequence,
            applied: due.message.applied.as_deref().map(str::to_owned),
            payload: Bytes::copy_from_slice(&due.message.payload),
            pending: due.pending,
        })
        .collect()
    }

    /// Takes an acknowledgement: `<stream>.<consumer>.<delivered>.<sequence>.…`; or the word that there is none, after
    /// which the message is delivered again, at once or in a second.
    pub(super) fn acknowledge(&mut self, place: &str, word: &[u8], now: Micros) {
        let words: Vec<&str> = place.split('.').collect();
        let [stream, consumer, _, sequence, ..] = words.as_slice() else { return };
        let (Some(stream), Ok(sequence)) = (self.streams.get_mut(*stream), sequence.parse()) else { return };
        let Some(consumer) = stream.consumers.get_mut(*consumer) else { return };
        if word.starts_with(b"-NAK") {
            if let Some(waits) = consumer.unacknowledged.get_mut(&sequence) {
                waits.again_at = if word == b"-NAK" { now } else { now + SECOND };
            }
        } else if consumer.unacknowledged.remove(&sequence).is_some() {
            stream.acknowledged(sequence);
        }
    }

    /// Delivers what waits to whom it was asked for, and says what of the requests is over.
    pub(super) fn deliver(&mut self, now: Micros) {
        let mut letters = Vec::new();
        for (stream, it) in &mut self.streams {
            let Stream { consumers, messages, .. } = it;
            for (name, consumer) in consumers.iter_mut() {
                consumer.serve((stream, name), messages, (now, &mut letters));
            }
        }
        for (connection, inbox, due) in letters {
            let delay = self.random.below(self.slowness);
            if let Some(connection) = self.connections.get_mut(&connection) {
                connection.deliver_to_inbox(&inbox, &due.letter(), now + delay);
            }
        }
    }
}

/// What goes to an inbox.
enum Going {
    Message { reply: String, message: Message },
    Status(&'static str),
}

impl Going {
    fn letter(&self) -> Letter<'_> {
        match self {
            Self::Message { reply, message } => {
                Letter::Message { subject: &message.subject, reply, payload: &message.payload }
            }
            Self::Status(status) => Letter::Status(status),
        }
    }
}

type Letters = Vec<(u32, String, Going)>;

impl Consumer {
    fn serve(
        &mut self,
        place: (&str, &str),
        messages: &std::collections::BTreeMap<u64, Message>,
        (now, letters): (Micros, &mut Letters),
    ) {
        while !self.pulls.is_empty() && self.has_due(messages, now) {
            let Some(due) = self.due(messages, now) else { break };
            self.serve_first(place, due, (now, letters));
        }
        let mut over = Vec::new();
        for pull in &mut self.pulls {
            if pull.expires_at <= now {
                over.push((pull.connection, pull.inbox.clone(), Going::Status("408 Request Timeout")));
            } else if pull.beat_at <= now {
                pull.beat_at = now + pull.heartbeat;
                over.push((pull.connection, pull.inbox.clone(), Going::Status("100 Idle Heartbeat")));
            }
        }
        self.pulls.retain(|pull| pull.expires_at > now);
        if !over.is_empty() {
            self.used_at = now;
        }
        letters.extend(over);
    }

    fn serve_first(
        &mut self,
        (stream, name): (&str, &str),
        due: Due,
        (now, letters): (Micros, &mut Letters),
    ) {
        self.used_at = now;
        let Some(pull) = self.pulls.front_mut() else { return };
        let nanos = due.message.at.micros() * 1_000;
        let Due { sequence, delivered, number, message, pending } = due;
        let reply = format!("$JS.ACK.{stream}.{name}.{delivered}.{sequence}.{number}.{nanos}.{pending}");
        let bytes = (message.payload.len() + message.subject.len() + reply.len()) as u64;
        pull.left = pull.left.saturating_sub(1);
        pull.bytes_left = pull.bytes_left.saturating_sub(bytes);
        pull.beat_at = now + pull.heartbeat;
        letters.push((pull.connection, pull.inbox.clone(), Going::Message { reply, message }));
        if pull.left == 0 {
            self.pulls.pop_front();
        } else if pull.bytes_left == 0 {
            let (connection, inbox) = (pull.connection, pull.inbox.clone());
            letters.push((connection, inbox, Going::Status("409 Batch Completed")));
            self.pulls.pop_front();
        }
    }
}
