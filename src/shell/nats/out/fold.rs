//! What the streams show of this instance's alerts, read once before anything is sent: episodes that began and did not
//! end, so that a run without a state, or one that could not write its log, goes on with them.
//!
//! AlertCleared are read before AlertTriggered, by a consumer each that acknowledges nothing. Where they cannot be read
//! to their end nothing is taken over: half a past would end what has ended already.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::json;

use crate::engine::fact::Fact;
use crate::engine::rules::{StoredAlert, StoredAlerts};
use crate::engine::wire::{EventId, EventType};
use crate::shell::nats::api::{ConsumerInfo, read_answer};

use super::exchange::{AlertKind, Answer, Output};
use super::machine::{AlertMachine, Work};
use super::streams::{Route, Told};
use super::words::AnswerFault;

/// Questions without an answer, or without the messages asked for, after which it goes on without knowing: who may not ask is
/// not answered either.
const SILENCES_MAX: u32 = 3;

/// Events that are handed over one by one, of the newest: what a run told since its last checkpoint.
const TOLD_MAX: usize = 16_384;

/// Messages of one subject that are read.
const READ_MAX: u64 = 500_000;

/// How far reading is.
#[derive(Debug, Default)]
pub(super) enum Fold {
    /// It has not begun.
    #[default]
    Due,
    /// A consumer is asked for, or messages are.
    Reading { number: u64, kind: AlertKind, step: FoldStep, found: FoldedAlerts },
    /// The engine was told.
    Told,
    /// It is over.
    Done,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) enum FoldStep {
    Consumer,
    Messages { consumer: String, pending: u64 },
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct FoldedAlerts {
    shown: StoredAlerts,
    /// By the id of their end.
    open: BTreeMap<EventId, StoredAlert>,
}

/// A message that was pulled.
#[derive(Clone, Debug)]
pub(crate) struct Pulled {
    /// Its subject.
    pub(crate) subject: String,
    /// Its sequence.
    pub(crate) sequence: u64,
    /// How much of the stream was applied when it was decided, where its header says.
    pub(crate) applied: Option<String>,
    /// What it says.
    pub(crate) payload: bytes::Bytes,
    /// Messages that wait behind it.
    pub(crate) pending: u64,
}

impl Pulled {
    /// The alert event that it is, and how much of the stream was applied when that was decided.
    pub(super) fn alert(&self) -> Option<StoredAlert> {
        let reach = self.applied.as_deref().and_then(|text| text.parse().ok()).unwrap_or_default();
        Some(StoredAlert { reach, ..StoredAlert::read(&self.payload)? })
    }
}

impl Fold {
    pub(super) fn is_about(&self, number: u64) -> bool {
        match self {
            Self::Reading { number: asked, .. } => *asked == number,
            Self::Due | Self::Told | Self::Done => false,
        }
    }

    /// It was given up without knowing what the streams show: it is still to be done.
    pub(super) fn forget(&mut self) {
        if self.is_done() {
            *self = Self::Due;
        }
    }

    /// Whether events may be sent.
    pub(super) const fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
}

impl AlertMachine {
    /// What was asked for will not be answered any more.
    pub(super) fn break_off_fold(&mut self) {
        if let Fold::Reading { .. } = self.fold {
            self.fold = Fold::Due;
        }
    }

    /// Begins to read, once the streams are known.
    pub(super) fn begin_fold(&mut self, now: Instant) {
        match self.fold {
            Fold::Due | Fold::Reading { .. } => {
                self.fold_kind(AlertKind::Cleared, FoldedAlerts::default(), now);
            }
            Fold::Told | Fold::Done => {}
        }
    }

    fn fold_kind(&mut self, kind: AlertKind, found: FoldedAlerts, now: Instant) {
        let Route::Stream(stream) = self.places.get(kind).clone() else {
            return self.fold_next(kind, found, now);
        };
        let known = self.tails.get(kind).as_ref().filter(|tail| tail.created == stream.created);
        // What a log tells of need not be read again.
        let first = known.filter(|tail| tail.told == Told::Yes).map_or(1, |tail| tail.sequence + 1);
        let filter = ("filter_subject", json!(self.subject(kind)));
        let number = self.ask_for_consumer(&stream, ("signalbox: open alerts", first), filter);
        self.fold = Fold::Reading { number, kind, step: FoldStep::Consumer, found };
    }

    fn fold_next(&mut self, kind: AlertKind, found: FoldedAlerts, now: Instant) {
        match kind {
            AlertKind::Cleared => self.fold_kind(AlertKind::Triggered, found, now),
            AlertKind::Triggered => self.end_fold(found, now),
        }
    }

    fn end_fold(&mut self, found: FoldedAlerts, now: Instant) {
        let FoldedAlerts { mut shown, open } = found;
        shown.open = open.into_values().collect();
        // In the order of their beginnings.
        shown.open.sort_by_key(|open| open.started_at);
        if shown == StoredAlerts::default() {
            self.outputs.push_back(Output::NothingShown);
            self.give_up_fold(now);
        } else {
            self.fold = Fold::Told;
            self.outputs.push_back(Output::Shown(Box::new(shown)));
        }
    }

    /// Goes on without knowing what the streams show.
    pub(super) fn give_up_fold(&mut self, now: Instant) {
        self.fold = Fold::Done;
        self.go_on_where_waiting(now);
    }

    /// The engine took over what was shown: what comes from here on is what waits, from the first event on.
    pub(crate) fn begin_anew(&mut self, now: Instant) {
        self.queue.clear();
        self.work = Work::Idle;
        self.forget_failures();
        self.taken_over(now);
        self.give_up_fold(now);
    }

    pub(super) fn take_fold(&mut self, answer: Result<&Answer, AnswerFault>, now: Instant) {
        let Fold::Reading { kind, step, mut found, .. } = std::mem::take(&mut self.fold) else { return };
        match (step, answer) {
            (FoldStep::Consumer, Ok(Answer::Text(text))) => match read_answer::<ConsumerInfo>(text) {
                Ok(info) if info.num_pending <= READ_MAX => {
                    self.pull((info.name, info.num_pending), kind, found, now);
                }
                Ok(info) => {
                    self.outputs.push_back(Output::Fact(Fact::AlertsUnread { count: info.num_pending }));
                    self.abandon_fold(now);
                }
                Err(_) => self.abandon_fold(now),
            },
            (FoldStep::Messages { consumer, pending }, Ok(Answer::Messages(messages)))
                if !messages.is_empty() =>
            {
                for message in messages {
                    found.take(message, &self.terms.source);
                }
                let left = messages.last().map_or(pending, |last| last.pending);
                self.pull((consumer, left), kind, found, now);
            }
            // An answer may be lost, and a consumer forgotten before it is read to its end; what they would have told must
            // not be.
            (FoldStep::Consumer | FoldStep::Messages { .. }, Err(AnswerFault::Silent(_)))
            | (FoldStep::Messages { .. }, Ok(Answer::Messages(_)))
                if self.fold_silences < SILENCES_MAX =>
            {
                self.fold_silences += 1;
                self.begin_fold(now);
            }
            (FoldStep::Consumer | FoldStep::Messages { .. }, Ok(_) | Err(_)) => self.abandon_fold(now),
        }
    }

    fn abandon_fold(&mut self, now: Instant) {
        self.outputs.push_back(Output::Unread);
        self.give_up_fold(now);
    }

    /// Asks for the messages that wait.
    fn pull(
        &mut self,
        (consumer, pending): (String, u64),
        kind: AlertKind,
        found: FoldedAlerts,
        now: Instant,
    ) {
        let Route::Stream(stream) = self.places.get(kind).clone() else {
            return self.abandon_fold(now);
        };
        if pending == 0 {
            return self.fold_next(kind, found, now);
        }
        let number = self.ask_for_messages(&stream, &consumer, pending);
        self.fold = Fold::Reading { number, kind, step: FoldStep::Messages { consumer, pending }, found };
    }
}

impl FoldedAlerts {
    /// Keeps an event as long as it is among the newest.
    fn keep(&mut self, stored: &StoredAlert) {
        let told = &mut self.shown.told;
        told.push(stored.clone());
        if told.len() >= 2 * TOLD_MAX {
            told.sort_by_key(|told| told.timestamp);
            told.drain(..told.len() - TOLD_MAX);
        }
    }

    fn take(&mut self, message: &Pulled, source: &str) {
        let Some(stored) = message.alert().filter(|stored| *stored.source == *source) else { return };
        self.shown.decided_at = self.shown.decided_at.max(stored.timestamp);
        self.keep(&stored);
        if stored.event_type == EventType::AlertCleared {
            self.shown.ended.insert(stored.end_id());
            return;
        }
        self.shown.begun.insert(stored.id);
        if !self.shown.ended.contains(&stored.end_id()) {
            self.open.insert(stored.end_id(), stored);
        }
    }
}
