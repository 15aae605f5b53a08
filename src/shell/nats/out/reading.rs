//! Whether an event that may have been sent is stored: the messages of its subject are read from the last one known on.
//!
//! A message of ours with the event's id: it is stored. A message of another instance only moves the sequence the next
//! one must name. A message of ours that nobody here knows of was decided by another process of the same name, or by one
//! whose state is gone: the engine is told.

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use crate::engine::rules::StoredAlert;
use crate::shell::nats::api::{ApiError, StoredMessage, read_answer};

use super::exchange::{AnswerEnding, Output};
use super::machine::{AlertMachine, Readable, Sent, Work};
use super::streams::{AlertStream, Tail, Told};
use super::words::{AnswerFault, PublishError};

/// Messages of a subject that are read before an event is sent on the word of its id alone.
pub(super) const READ_MAX: usize = 10_000;

/// A subject that is read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) number: u64,
    stream: AlertStream,
    /// The last sequence known before.
    base: Option<u64>,
    step: ReadingStep,
    found: Found,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
enum ReadingStep {
    /// The last message of the subject.
    Last,
    /// Each message from behind the base up to this last one.
    Between { last: u64, read: usize },
}

/// Whether the event is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    NotYet,
    Yes,
}

impl AlertMachine {
    /// Asks which message of the first event's subject is the last; `base` was when it was last known.
    pub(super) fn read_last(&mut self, stream: &AlertStream, base: Option<u64>) {
        let Some(letter) = self.queue.front() else { return };
        let body = json!({ "last_by_subj": self.subject(letter.kind) }).to_string();
        let number = self.ask_api(&format!("STREAM.MSG.GET.{}", stream.name), body);
        let (stream, found) = (stream.clone(), Found::NotYet);
        self.work = Work::Reading(Reading { number, stream, base, step: ReadingStep::Last, found });
    }

    pub(super) fn take_reading(&mut self, answer: Result<&[u8], AnswerFault>, now: Instant) {
        let Work::Reading(reading) = std::mem::replace(&mut self.work, Work::Idle) else { return };
        let message = match answer.map(read_answer::<StoredMessage>) {
            Ok(Ok(message)) => Some(message),
            Ok(Err(ApiError::NotFound)) => None,
            // Who may not read goes by the id alone.
            Ok(Err(ApiError::Refused { .. } | ApiError::Forbidden(_))) => {
                self.readable = Readable::No;
                return self.send(AnswerEnding::Answer, None);
            }
            Ok(Err(error @ (ApiError::NotEnabled | ApiError::Silent { .. } | ApiError::Shape(_)))) => {
                return self.fail(&error.into(), now);
            }
            Err(fault) => {
                self.readable = Readable::No;
                return self.fail(&PublishError::from(fault), now);
            }
        };
        match reading.step {
            ReadingStep::Last => self.take_last(reading, message.as_ref(), now),
            ReadingStep::Between { last, read } => {
                self.take_between(reading, message.as_ref(), (last, read), now);
            }
        }
    }

    fn take_last(&mut self, reading: Reading, message: Option<&StoredMessage>, now: Instant) {
        let Some(letter) = self.queue.front() else { return };
        let last = message.map_or(0, StoredMessage::sequence);
        let stored = message.and_then(|message| StoredAlert::read(&message.payload()));
        if stored.is_some_and(|stored| stored.id == letter.event.id) {
            return self.end_reading(&reading, Found::Yes, last, now);
        }
        let base = match (reading.base, letter.sent) {
            (Some(base), _) => base,
            (None, Sent::Perhaps) => 0,
            (None, Sent::Never) => last,
        };
        if last <= base {
            return self.end_reading(&reading, Found::NotYet, last, now);
        }
        let step = ReadingStep::Between { last, read: 0 };
        self.read_next(Reading { step, ..reading }, base + 1);
    }

    fn read_next(&mut self, reading: Reading, from: u64) {
        let Some(letter) = self.queue.front() else { return };
        let body = json!({ "seq": from, "next_by_subj": self.subject(letter.kind) }).to_string();
        let number = self.ask_api(&format!("STREAM.MSG.GET.{}", reading.stream.name), body);
        self.work = Work::Reading(Reading { number, ..reading });
    }

    fn take_between(
        &mut self,
        mut reading: Reading,
        message: Option<&StoredMessage>,
        (last, read): (u64, usize),
        now: Instant,
    ) {
        let Some(letter) = self.queue.front() else { return };
        let Some(message) = message else {
            let found = reading.found;
            return self.end_reading(&reading, found, last, now);
        };
        match StoredAlert::read(&message.payload()) {
            Some(stored) if stored.id == letter.event.id => reading.found = Found::Yes,
            Some(stored) if self.is_foreign(&stored, &reading) => {
                self.outputs.push_back(Output::Foreign(stored));
            }
            Some(_) | None => {}
        }
        let sequence = message.sequence();
        if sequence >= last || read >= READ_MAX {
            let found = reading.found;
            return self.end_reading(&reading, found, last.max(sequence), now);
        }
        reading.step = ReadingStep::Between { last, read: read + 1 };
        self.read_next(reading, sequence + 1);
    }

    /// Whether another process decided an event under our name. Without a base all of the past is read, which earlier
    /// runs decided.
    fn is_foreign(&self, stored: &StoredAlert, reading: &Reading) -> bool {
        stored.source == self.terms.source && reading.base.is_some() && !self.unplaced.contains(&stored.id)
    }

    /// Goes on with what was found; `last` is the subject's last sequence now.
    fn end_reading(&mut self, reading: &Reading, found: Found, last: u64, now: Instant) {
        let Some(letter) = self.queue.front_mut() else { return };
        let created = Arc::clone(&reading.stream.created);
        *self.tails.get_mut(letter.kind) = Some(Tail { created, sequence: last, told: Told::Yes });
        letter.sent = Sent::Never;
        match found {
            Found::Yes => self.published(now),
            Found::NotYet => self.send(AnswerEnding::Answer, Some(last)),
        }
    }
}
