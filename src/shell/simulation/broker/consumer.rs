//! A consumer of a stream: how far it delivered, what waits to be acknowledged, and the open pulls.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::field;
use super::stream::Message;
use crate::engine::wire::subjects;
use crate::shell::simulation::time::{Micros, SECOND};

/// How long an ephemeral consumer outlives who reads it.
const INACTIVE: Micros = 30 * SECOND;

/// A request for messages.
#[derive(Clone, Debug)]
pub(super) struct Pull {
    /// The connection it came by; none for one that is answered at once.
    pub(super) connection: u32,
    pub(super) inbox: String,
    pub(super) left: u64,
    pub(super) bytes_left: u64,
    pub(super) expires_at: Micros,
    pub(super) heartbeat: Micros,
    pub(super) beat_at: Micros,
}

/// A message that waits to be acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unacknowledged {
    pub(super) again_at: Micros,
    pub(super) delivered: u64,
}

/// Whether deliveries are acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acknowledges {
    /// Each is, within so long.
    Each { within: Micros },
    /// None is.
    None,
}

/// A consumer.
#[derive(Clone, Debug)]
pub(super) struct Consumer {
    pub(super) filter: Vec<String>,
    pub(super) acknowledges: Acknowledges,
    pub(super) is_durable: Lifetime,
    most_unacknowledged: usize,
    /// The sequence behind the last one that was delivered.
    pub(super) next: u64,
    pub(super) delivered: u64,
    pub(super) unacknowledged: BTreeMap<u64, Unacknowledged>,
    pub(super) pulls: VecDeque<Pull>,
    pub(super) used_at: Micros,
}

/// How long a consumer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// Until it is deleted.
    Durable,
    /// While somebody reads it.
    Ephemeral,
}

/// A delivery.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) sequence: u64,
    pub(super) delivered: u64,
    pub(super) number: u64,
    pub(super) message: Message,
    pub(super) pending: u64,
}

impl Consumer {
    /// As its configuration has it.
    pub(super) fn new(config: &Value, first: u64, now: Micros) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let mut filter: Vec<String> =
            field(config, "filter_subjects").as_array().into_iter().flatten().filter_map(text).collect();
        filter.extend(text(field(config, "filter_subject")));
        let within = field(config, "ack_wait").as_u64().unwrap_or(30_000_000_000) / 1_000;
        Self {
            filter,
            acknowledges: match field(config, "ack_policy").as_str() {
                Some("none") => Acknowledges::None,
                Some(_) | None => Acknowledges::Each { within },
            },
            is_durable: if field(config, "durable_name").is_string() {
                Lifetime::Durable
            } else {
                Lifetime::Ephemeral
            },
            most_unacknowledged: field(config, "max_ack_pending").as_u64().unwrap_or(1_000) as usize,
            next: field(config, "opt_start_seq").as_u64().unwrap_or(first),
            delivered: 0,
            unacknowledged: BTreeMap::new(),
            pulls: VecDeque::new(),
            used_at: now,
        }
    }

    pub(super) fn wants(&self, subject: &str) -> bool {
        self.filter.is_empty() || self.filter.iter().any(|pattern| subjects::matches(pattern, subject))
    }

    /// Whether it did not acknowledge a message yet.
    pub(super) fn owes(&self, sequence: u64, messages: &BTreeMap<u64, Message>) -> bool {
        let wants = messages.get(&sequence).is_some_and(|message| self.wants(&message.subject));
        wants && (sequence >= self.next || self.unacknowledged.contains_key(&sequence))
    }

    /// Messages it has not delivered.
    pub(super) fn pending(&self, messages: &BTreeMap<u64, Message>) -> u64 {
        messages.range(self.next..).filter(|(_, message)| self.wants(&message.subject)).count() as u64
    }

    /// Whether it is deleted because nobody reads it.
    pub(super) fn is_abandoned(&self, now: Micros) -> bool {
        self.is_durable == Lifetime::Ephemeral && self.pulls.is_empty() && now >= self.used_at + INACTIVE
    }

    /// The next message to deliver.
    pub(super) fn due(&mut self, messages: &BTreeMap<u64, Message>, now: Micros) -> Option<Due> {
        let again =
            self.unacknowledged.iter().find(|(_, it)| it.again_at <= now).map(|(sequence, _)| *sequence);
        if let Some(sequence) = again {
            let Some(message) = messages.get(&sequence) else {
                self.unacknowledged.remove(&sequence);
                return self.due(messages, now);
            };
            return Some(self.deliver(sequence, message.clone(), messages, now));
        }
        if self.unacknowledged.len() >= self.most_unacknowledged {
            return None;
        }
        let mut rest = messages.range(self.next..);
        let (sequence, message) = rest.find(|(_, message)| self.wants(&message.subject))?;
        self.next = sequence + 1;
        Some(self.deliver(*sequence, message.clone(), messages, now))
    }

    fn deliver(
        &mut self,
        sequence: u64,
        message: Message,
        messages: &BTreeMap<u64, Message>,
        now: Micros,
    ) -> Due {
        self.delivered += 1;
        let mut delivered = 1;
        if let Acknowledges::Each { within } = self.acknowledges {
            let before = self.unacknowledged.get(&sequence).map_or(0, |it| it.delivered);
            delivered = before + 1;
            self.unacknowledged.insert(sequence, Unacknowledged { again_at: now + within, delivered });
        }
        Due { sequence, delivered, number: self.delivered, message, pending: self.pending(messages) }
    }

    /// Whether there is something to deliver.
    pub(super) fn has_due(&self, messages: &BTreeMap<u64, Message>, now: Micros) -> bool {
        let again = self.unacknowledged.values().any(|it| it.again_at <= now);
        again
            || (self.unacknowledged.len() < self.most_unacknowledged
                && messages.range(self.next..).any(|(_, message)| self.wants(&message.subject)))
    }

    /// When something of it is due that no message brings.
    pub(super) fn deadline(&self) -> Option<Micros> {
        let of_pulls = self.pulls.iter().map(|pull| pull.expires_at.min(pull.beat_at)).min();
        let again =
            self.unacknowledged.values().map(|it| it.again_at).min().filter(|_| !self.pulls.is_empty());
        [of_pulls, again].into_iter().flatten().min()
    }

    /// What the API says of it.
    pub(super) fn info(&self, name: &str, messages: &BTreeMap<u64, Message>) -> Value {
        let config = match self.filter.as_slice() {
            [] => json!({}),
            [only] => json!({ "filter_subject": only }),
            several => json!({ "filter_subjects": several }),
        };
        let floor = self.unacknowledged.keys().next().map_or(self.next, |first| *first).saturating_sub(1);
        json!({
            "name": name,
            "config": config,
            "num_pending": self.pending(messages),
            "num_ack_pending": self.unacknowledged.len(),
            "delivered": { "consumer_seq": self.delivered, "stream_seq": self.next.saturating_sub(1) },
            "ack_floor": { "consumer_seq": 0, "stream_seq": floor },
        })
    }
}
