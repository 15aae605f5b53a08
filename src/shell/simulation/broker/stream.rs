//! A stream: what it stores, for how long it knows an id again, and how it loses messages.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};

use super::consumer::Consumer;
use crate::engine::time::Timestamp;
use crate::engine::wire::subjects;

/// How long a stream knows an id again by default.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);

/// When a message leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::shell::simulation) enum Retention {
    /// By the stream's limits.
    Limits,
    /// Once every consumer acknowledged it.
    Interest,
    /// Once a consumer acknowledged it.
    WorkQueue,
}

impl Retention {
    const fn word(self) -> &'static str {
        match self {
            Self::Limits => "limits",
            Self::Interest => "interest",
            Self::WorkQueue => "workqueue",
        }
    }
}

/// A message as it is stored.
#[derive(Clone, Debug)]
pub(in crate::shell::simulation) struct Message {
    pub(in crate::shell::simulation) subject: Rc<str>,
    pub(in crate::shell::simulation) payload: Rc<[u8]>,
    pub(in crate::shell::simulation) at: Timestamp,
    /// The header by which one instance of a pair tells the other how much it had applied.
    pub(in crate::shell::simulation) applied: Option<Rc<str>>,
}

/// What a publisher asks for beside.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Demands<'a> {
    /// `Nats-Msg-Id`.
    pub(super) id: Option<&'a str>,
    /// `Nats-Expected-Last-Subject-Sequence`.
    pub(super) last: Option<u64>,
}

/// What came of a message that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// It is, under this sequence.
    New(u64),
    /// It was before.
    Duplicate(u64),
    /// Another message was the last of its subject.
    WrongLast(u64),
    /// Nobody wants it: it is acknowledged all the same.
    Unwanted,
}

/// A stream.
#[derive(Clone, Debug)]
pub(in crate::shell::simulation) struct Stream {
    pub(in crate::shell::simulation) subjects: Vec<String>,
    pub(in crate::shell::simulation) retention: Retention,
    pub(in crate::shell::simulation) created: String,
    pub(in crate::shell::simulation) messages: BTreeMap<u64, Message>,
    pub(in crate::shell::simulation) last: u64,
    /// Messages it has room for.
    pub(in crate::shell::simulation) most: Option<usize>,
    /// How long it knows an id again.
    pub(in crate::shell::simulation) knows_ids_for: Duration,
    /// What left because it was acknowledged.
    pub(in crate::shell::simulation) settled: Vec<(u64, Message)>,
    ids: BTreeMap<String, (u64, Timestamp)>,
    pub(super) consumers: BTreeMap<String, Consumer>,
}

impl Stream {
    /// An empty one.
    pub(in crate::shell::simulation) fn new(
        subjects: &[&str],
        retention: Retention,
        created: Timestamp,
    ) -> Self {
        Self {
            subjects: subjects.iter().map(|it| (*it).to_owned()).collect(),
            retention,
            created: created.to_string(),
            messages: BTreeMap::new(),
            last: 0,
            most: None,
            knows_ids_for: DUPLICATE_WINDOW,
            settled: Vec::new(),
            ids: BTreeMap::new(),
            consumers: BTreeMap::new(),
        }
    }

    pub(super) fn takes(&self, subject: &str) -> bool {
        self.subjects.iter().any(|pattern| subjects::matches(pattern, subject))
    }

    /// The first sequence it holds, or would hold.
    pub(in crate::shell::simulation) fn first(&self) -> u64 {
        self.messages.first_key_value().map_or(self.last + 1, |(sequence, _)| *sequence)
    }

    pub(super) fn last_of(&self, subject: &str) -> Option<(u64, &Message)> {
        let of_subject = |(_, message): &(&u64, &Message)| *message.subject == *subject;
        self.messages.iter().rev().find(of_subject).map(|(sequence, message)| (*sequence, message))
    }

    pub(super) fn next_of(&self, subject: &str, from: u64) -> Option<(u64, &Message)> {
        let of_subject = |(_, message): &(&u64, &Message)| *message.subject == *subject;
        self.messages.range(from..).find(of_subject).map(|(sequence, message)| (*sequence, message))
    }

    /// Stores a message.
    pub(super) fn store(
        &mut self,
        subject: &Rc<str>,
        payload: &Rc<[u8]>,
        (demands, now): (Demands<'_>, Timestamp),
    ) -> Stored {
        let known = demands.id.and_then(|id| self.ids.get(id));
        if let Some((sequence, at)) = known
            && now.since(*at) < self.knows_ids_for
        {
            return Stored::Duplicate(*sequence);
        }
        let last = self.last_of(subject).map_or(0, |(sequence, _)| sequence);
        if demands.last.is_some_and(|expected| expected != last) {
            return Stored::WrongLast(last);
        }
        let is_wanted = self.consumers.values().any(|consumer| consumer.wants(subject));
        if self.retention == Retention::Interest && !is_wanted {
            return Stored::Unwanted;
        }
        self.last += 1;
        let message =
            Message { subject: Rc::clone(subject), payload: Rc::clone(payload), at: now, applied: None };
        self.messages.insert(self.last, message);
        if let Some(id) = demands.id {
            self.ids.insert(id.to_owned(), (self.last, now));
        }
        while self.most.is_some_and(|most| self.messages.len() > most) {
            self.messages.pop_first();
        }
        Stored::New(self.last)
    }

    /// Whether what is published is kept.
    pub(in crate::shell::simulation) fn keeps(&self) -> bool {
        self.retention != Retention::Interest || !self.consumers.is_empty()
    }

    /// Loses the first messages.
    pub(in crate::shell::simulation) fn expire(&mut self, count: usize) {
        for _ in 0..count {
            self.messages.pop_first();
        }
    }

    /// Loses what came last, as one that was restored from an older copy.
    pub(in crate::shell::simulation) fn roll_back(&mut self, count: u64) {
        self.last = self.last.saturating_sub(count);
        let _lost = self.messages.split_off(&(self.last + 1));
        self.settled.clear();
        self.ids.clear();
        self.consumers.clear();
    }

    /// Is deleted and made again, empty.
    pub(in crate::shell::simulation) fn recreate(&mut self, now: Timestamp) {
        let subjects: Vec<&str> = self.subjects.iter().map(String::as_str).collect();
        let Self { most, knows_ids_for, .. } = *self;
        *self = Self { most, knows_ids_for, ..Self::new(&subjects, self.retention, now) };
    }

    /// A consumer acknowledged a message, or all of them did.
    pub(super) fn acknowledged(&mut self, sequence: u64) {
        let is_owed = || self.consumers.values().any(|consumer| consumer.owes(sequence, &self.messages));
        let leaves = match self.retention {
            Retention::Limits => false,
            Retention::Interest => !is_owed(),
            Retention::WorkQueue => true,
        };
        if leaves && let Some(message) = self.messages.remove(&sequence) {
            self.settled.push((sequence, message));
        }
    }

    /// What the API says of it.
    pub(super) fn info(&self) -> Value {
        json!({
            "config": {
                "subjects": self.subjects, "retention": self.retention.word(), "storage": "file",
            },
            "created": self.created,
            "state": { "first_seq": self.first(), "last_seq": self.last, "messages": self.messages.len() },
        })
    }
}
