//! Reading on, as one of a pair: what of the two subjects of alert events is not known here yet, in the stream's order.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::engine::fact::Fact;
use crate::engine::rules::{StoredAlert, StoredAlerts};
use crate::engine::wire::{EventId, EventType};
use crate::shell::backoff::backoff;
use crate::shell::nats::api::{ApiError, ConsumerInfo, StoredMessage, read_answer};
use crate::shell::status::Topic;

use super::exchange::{AlertKind, Answer, ByKind, Output};
use super::fold::Pulled;
use super::following::{Candidacy, OtherIs};
use super::machine::{AlertMachine, Sent};
use super::streams::{AlertStream, Route, Tail, Told};
use super::words::{AnswerFault, PublishError};

/// How often the subjects are looked at for what the other instance published.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The shortest pause after reading failed, and the longest.
const RETRY: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(5)];

/// Alert events of which a whole past is read at the most.
const READ_MAX: u64 = 2_000_000;

/// Events that are kept before those are left out that another event of their alert follows.
const KEPT_MAX: usize = 10_000;

/// How far the subjects are read.
#[derive(Debug)]
pub(super) enum Tailing {
    /// They are to be read, before anything is sent: at once where the streams are known, or then.
    Due { at: Option<Instant> },
    /// The last message of a subject is asked for, or the next one behind what is known.
    Asking { number: u64, question: Question, found: ByKind<Option<u64>> },
    /// A consumer from this sequence on is asked for; over more than is read, one was before.
    Consumer { number: u64, first: u64, over: Option<Excess> },
    /// Messages are.
    Pulling { number: u64, consumer: String, pending: u64, read: Box<Read> },
    /// Messages were passed over, and none of this kind was read: where its last one lies is asked for.
    Placing { number: u64, kind: AlertKind, read: Box<Read> },
    /// The engine was told.
    Told,
    /// Everything that was there is known; they are looked at again then.
    Quiet { until: Instant },
}

/// What is asked of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Last(AlertKind),
    Next(AlertKind),
    /// For the next AlertCleared once more: one may lie before an AlertTriggered that was found after it was asked for.
    Again,
}

/// More messages than are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Excess {
    /// The first sequence of all that is not known.
    first: u64,
    /// How many messages lie there.
    count: u64,
}

/// Messages that were passed over.
#[derive(Clone, Copy, Debug)]
struct Passed {
    /// The first sequence of those.
    first: u64,
    /// How many they were.
    count: u64,
    /// The first sequence that was read.
    behind: u64,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    shown: StoredAlerts,
    subjects: ByKind<String>,
    /// Up to where the subjects were known before.
    known: ByKind<u64>,
    /// Where the last message lies of each kind, once one is known.
    last: ByKind<Option<u64>>,
    /// What was left out before all that was read.
    passed: Option<Passed>,
    /// Where events are left out next that another one of their alert follows.
    thin_at: usize,
    /// Whether the first event that waits is among it.
    own: Option<EventId>,
}

impl Read {
    /// Notes a message, unless it is known.
    fn take(&mut self, message: &Pulled, source: &Arc<str>) {
        let of_kind = AlertKind::BOTH.into_iter().find(|kind| *self.subjects.get(*kind) == message.subject);
        let Some(kind) = of_kind.filter(|kind| message.sequence > *self.known.get(*kind)) else { return };
        let last = self.last.get_mut(kind);
        *last = (*last).max(Some(message.sequence));
        if let Some(stored) = message.alert().filter(|it| it.source == *source) {
            self.keep(stored);
        }
    }

    fn keep(&mut self, stored: StoredAlert) {
        let ids = if stored.event_type == EventType::AlertCleared {
            &mut self.shown.ended
        } else {
            &mut self.shown.begun
        };
        ids.insert(stored.id);
        self.shown.latest.push(stored);
        if self.shown.latest.len() > self.thin_at.max(KEPT_MAX) {
            self.thin();
            self.thin_at = self.shown.latest.len() * 2;
        }
    }

    /// Keeps the last event of each alert.
    fn thin(&mut self) {
        let mut seen = BTreeSet::new();
        let latest = std::mem::take(&mut self.shown.latest).into_iter().rev();
        self.shown.latest = latest.filter(|stored| seen.insert(stored.fingerprint())).collect();
        self.shown.latest.reverse();
    }
}

impl AlertMachine {
    /// The streams were looked at: reads them where they are there, and nothing of them is known.
    pub(super) fn streams_are_known(&mut self) {
        let are_known = self.known_tails().is_some();
        let Some(duty) = &mut self.pair else { return };
        match duty.tailing {
            Tailing::Quiet { .. } if are_known => {}
            Tailing::Due { .. } | Tailing::Quiet { .. } => {
                duty.tailing = Tailing::Due { at: None };
                self.read_on();
            }
            Tailing::Asking { .. }
            | Tailing::Consumer { .. }
            | Tailing::Pulling { .. }
            | Tailing::Placing { .. }
            | Tailing::Told => {}
        }
    }

    /// The one stream that takes both kinds.
    pub(super) fn shared_stream(&self) -> Option<AlertStream> {
        match (self.places.get(AlertKind::Triggered), self.places.get(AlertKind::Cleared)) {
            (Route::Stream(one), Route::Stream(other)) if one == other => Some(one.clone()),
            (Route::Unknown | Route::Silent | Route::None | Route::Stream(_), _) => None,
        }
    }

    /// Up to where both subjects are known, in the stream there is now.
    pub(super) fn known_tails(&self) -> Option<ByKind<u64>> {
        let stream = self.shared_stream()?;
        let mut tails = ByKind::default();
        for kind in AlertKind::BOTH {
            let tail = self.tails.get(kind).as_ref();
            let tail = tail.filter(|tail| tail.created == stream.created && tail.told == Told::Yes)?;
            *tails.get_mut(kind) = tail.sequence;
        }
        Some(tails)
    }

    fn set_tailing(&mut self, tailing: Tailing) {
        if let Some(duty) = &mut self.pair {
            duty.tailing = tailing;
        }
    }

    /// Asks what is behind what is known; for everything where nothing is.
    pub(super) fn read_on(&mut self) {
        let Some(duty) = &self.pair else { return };
        if !matches!(duty.tailing, Tailing::Due { .. } | Tailing::Quiet { .. }) {
            return;
        }
        let doubted = duty.doubted;
        match (self.shared_stream(), self.known_tails()) {
            (Some(_), Some(_)) => {
                let question = doubted.map_or(Question::Next(AlertKind::Cleared), Question::Last);
                self.ask_of_subject(question, ByKind::default());
            }
            (Some(stream), None) => self.ask_for_tail(&stream, 1, None),
            (None, _) => self.set_tailing(Tailing::Due { at: None }),
        }
    }

    fn ask_of_subject(&mut self, question: Question, found: ByKind<Option<u64>>) {
        let (Some(stream), Some(tails)) = (self.shared_stream(), self.known_tails()) else {
            return self.set_tailing(Tailing::Due { at: None });
        };
        let body = match question {
            Question::Last(kind) => self.last_of(kind),
            Question::Next(kind) => self.next_of(kind, &tails),
            Question::Again => self.next_of(AlertKind::Cleared, &tails),
        };
        let number = self.ask_api(&format!("STREAM.MSG.GET.{}", stream.name), body.to_string());
        self.set_tailing(Tailing::Asking { number, question, found });
    }

    fn last_of(&self, kind: AlertKind) -> Value {
        json!({ "last_by_subj": self.subject(kind) })
    }

    fn next_of(&self, kind: AlertKind, tails: &ByKind<u64>) -> Value {
        json!({ "next_by_subj": self.subject(kind), "seq": tails.get(kind) + 1 })
    }

    fn ask_for_tail(&mut self, stream: &AlertStream, first: u64, over: Option<Excess>) {
        let what = "signalbox: what the other instance of the pair published";
        let filter = ("filter_subjects", json!(AlertKind::BOTH.map(|kind| self.subject(kind))));
        let number = self.ask_for_consumer(stream, (what, first), filter);
        self.set_tailing(Tailing::Consumer { number, first, over });
    }

    pub(super) fn take_tailing(&mut self, answer: Result<&Answer, AnswerFault>, now: Instant) {
        let Some(duty) = &mut self.pair else { return };
        let tailing = std::mem::replace(&mut duty.tailing, Tailing::Due { at: None });
        match (tailing, answer) {
            (Tailing::Asking { question, found, .. }, answer) => {
                match answer.map(|answer| read_answer::<StoredMessage>(answer.text())) {
                    Ok(Ok(message)) => self.take_place(question, Some(message.sequence()), found, now),
                    Ok(Err(ApiError::NotFound)) => self.take_place(question, None, found, now),
                    Ok(Err(error)) => self.reading_failed(&error.into(), now),
                    Err(fault) => self.reading_failed(&fault.into(), now),
                }
            }
            (Tailing::Consumer { first, over, .. }, Ok(Answer::Text(text))) => {
                match read_answer::<ConsumerInfo>(text) {
                    // What came since the streams were looked at is no matter.
                    Ok(info) if info.num_pending <= READ_MAX || first >= self.read_from() => {
                        let count = |over: Excess| over.count.saturating_sub(info.num_pending);
                        let passed =
                            over.map(|over| Passed { first: over.first, count: count(over), behind: first });
                        let read = Box::new(self.begin_read(passed));
                        self.pull_on((info.name, info.num_pending), read, now);
                    }
                    Ok(info) => self.pass_over(Excess { first, count: info.num_pending }),
                    Err(error) => self.reading_failed(&error.into(), now),
                }
            }
            (Tailing::Placing { kind, read, .. }, answer) => {
                match answer.map(|answer| read_answer::<StoredMessage>(answer.text())) {
                    Ok(Ok(message)) => self.take_last_place(kind, message.sequence(), read, now),
                    Ok(Err(ApiError::NotFound)) => self.take_last_place(kind, 0, read, now),
                    Ok(Err(error)) => self.reading_failed(&error.into(), now),
                    Err(fault) => self.reading_failed(&fault.into(), now),
                }
            }
            (Tailing::Pulling { consumer, pending, mut read, .. }, Ok(Answer::Messages(messages)))
                if !messages.is_empty() =>
            {
                for message in messages {
                    read.take(message, &self.terms.source);
                }
                let left = messages.last().map_or(pending, |last| last.pending);
                self.pull_on((consumer, left), read, now);
            }
            (Tailing::Consumer { .. } | Tailing::Pulling { .. }, Err(fault)) => {
                self.reading_failed(&fault.into(), now);
            }
            (Tailing::Consumer { .. } | Tailing::Pulling { .. }, Ok(_)) => {
                self.reading_failed(&PublishError::BrokenOff, now);
            }
            (Tailing::Due { .. } | Tailing::Told | Tailing::Quiet { .. }, _) => {}
        }
    }

    /// Nothing is read yet of what is not known.
    fn begin_read(&self, passed: Option<Passed>) -> Read {
        let mut subjects = ByKind::default();
        for kind in AlertKind::BOTH {
            *subjects.get_mut(kind) = self.subject(kind);
        }
        let known = self.known_tails().unwrap_or_default();
        Read { own: self.doubted_id(), subjects, known, passed, ..Read::default() }
    }

    /// From which sequence on no more than may be read can lie in the stream, as it was looked at last.
    fn read_from(&self) -> u64 {
        self.pair.as_ref().map_or(0, |duty| (duty.last_sequence + 1).saturating_sub(READ_MAX))
    }

    /// More lies in the stream than is read: the newest of it is, and who publishes does so without the rest.
    fn pass_over(&mut self, excess: Excess) {
        match self.shared_stream() {
            Some(stream) => self.ask_for_tail(&stream, self.read_from(), Some(excess)),
            None => self.set_tailing(Tailing::Due { at: None }),
        }
    }

    /// The id of the first event that waits, where it may have been stored.
    fn doubted_id(&self) -> Option<EventId> {
        self.queue.front().filter(|letter| letter.sent == Sent::Perhaps).map(|letter| letter.event.id)
    }

    /// Where the message asked for is, if anywhere.
    fn take_place(
        &mut self,
        question: Question,
        place: Option<u64>,
        mut found: ByKind<Option<u64>>,
        now: Instant,
    ) {
        match question {
            Question::Last(kind) => {
                // Messages that left the stream count no more; what is behind the known ones is read.
                let last = place.unwrap_or(0);
                if let Some(tail) = self.tails.get_mut(kind).as_mut().filter(|tail| tail.sequence > last) {
                    tail.sequence = last;
                }
                if let Some(duty) = &mut self.pair {
                    duty.doubted = None;
                }
                self.ask_of_subject(Question::Next(AlertKind::Cleared), found);
            }
            Question::Next(kind @ AlertKind::Cleared) => {
                *found.get_mut(kind) = place;
                self.ask_of_subject(Question::Next(AlertKind::Triggered), found);
            }
            Question::Next(kind @ AlertKind::Triggered) => {
                *found.get_mut(kind) = place;
                if place.is_some() && found.get(AlertKind::Cleared).is_none() {
                    return self.ask_of_subject(Question::Again, found);
                }
                self.take_places(&found, now);
            }
            Question::Again => {
                *found.get_mut(AlertKind::Cleared) = place;
                self.take_places(&found, now);
            }
        }
    }

    /// Reads from the first message on that is not known.
    fn take_places(&mut self, found: &ByKind<Option<u64>>, now: Instant) {
        let first = AlertKind::BOTH.iter().filter_map(|kind| *found.get(*kind)).min();
        match (first, self.shared_stream()) {
            (Some(first), Some(stream)) => self.ask_for_tail(&stream, first, None),
            (Some(_), None) => self.set_tailing(Tailing::Due { at: None }),
            (None, _) => self.nothing_new(now),
        }
    }

    fn pull_on(&mut self, (consumer, pending): (String, u64), read: Box<Read>, now: Instant) {
        let Some(stream) = self.shared_stream() else {
            return self.set_tailing(Tailing::Due { at: None });
        };
        if pending == 0 {
            return self.place(read, &stream, now);
        }
        let number = self.ask_for_messages(&stream, &consumer, pending);
        self.set_tailing(Tailing::Pulling { number, consumer, pending, read });
    }

    /// Everything was read. Of a kind that has messages among those that were passed over alone, the last one is to be
    /// known: nothing that the stream holds before it is read, and the next one goes out over it.
    fn place(&mut self, read: Box<Read>, stream: &AlertStream, now: Instant) {
        let is_unknown = |kind: &AlertKind| read.passed.is_some() && read.last.get(*kind).is_none();
        let Some(kind) = AlertKind::BOTH.into_iter().find(is_unknown) else {
            return self.end_read(*read, stream, now);
        };
        let body = self.last_of(kind).to_string();
        let number = self.ask_api(&format!("STREAM.MSG.GET.{}", stream.name), body);
        self.set_tailing(Tailing::Placing { number, kind, read });
    }

    /// Takes note of where a kind's last message lies. One that came since is none that was passed over.
    fn take_last_place(&mut self, kind: AlertKind, last: u64, mut read: Box<Read>, now: Instant) {
        let Some(stream) = self.shared_stream() else {
            return self.set_tailing(Tailing::Due { at: None });
        };
        let behind = read.passed.map_or(0, |passed| passed.behind);
        *read.last.get_mut(kind) = Some(last.min(behind.saturating_sub(1)));
        self.place(read, &stream, now);
    }

    /// Everything was read: the engine takes over what is new.
    fn end_read(&mut self, mut read: Read, stream: &AlertStream, now: Instant) {
        let known = self.known_tails();
        for kind in AlertKind::BOTH {
            let before = known.as_ref().map_or(0, |tails| *tails.get(kind));
            let sequence = before.max(read.last.get(kind).unwrap_or(0));
            let (created, told) = (Arc::clone(&stream.created), Told::Yes);
            *self.tails.get_mut(kind) = Some(Tail { created, sequence, told });
        }
        if known.is_none() {
            read.thin();
        }
        if let Some(Passed { first, count, .. }) = read.passed {
            self.outputs.push_back(Output::Fact(Fact::AlertsUnread { count }));
            self.outputs.push_back(Output::PassedOver { first, count });
        }
        let is_stored = |id: &EventId| read.shown.begun.contains(id) || read.shown.ended.contains(id);
        let own = read.own.filter(is_stored);
        self.reading_succeeded();
        if let Some(id) = own.filter(|id| self.queue.front().is_some_and(|letter| letter.event.id == *id)) {
            read.shown.latest.retain(|stored| stored.id != id);
            self.set_tailing(Tailing::Told);
            self.published(now);
        }
        if read.shown.latest.is_empty() {
            return self.nothing_new(now);
        }
        self.set_tailing(Tailing::Told);
        self.outputs.push_back(Output::Shown(Box::new(read.shown)));
    }

    /// Nothing is there that is not known: what waits may go, and whole episodes that an idle other did not see are let go.
    fn nothing_new(&mut self, now: Instant) {
        self.reading_succeeded();
        if let Some(letter) = self.queue.front_mut() {
            letter.sent = Sent::Never;
        }
        let has_waiting = !self.queue.is_empty();
        let Some(duty) = &mut self.pair else { return };
        duty.candidacy = Candidacy::Ready;
        duty.tailing = Tailing::Quiet { until: now + LOOK_EVERY };
        let other = std::mem::replace(&mut duty.other, OtherIs::Busy);
        if duty.follows() && other == OtherIs::Idle && has_waiting {
            self.outputs.push_back(Output::LetGo);
        }
        self.go_on_where_waiting(now);
    }

    fn reading_succeeded(&mut self) {
        if self.pair.as_mut().is_some_and(|duty| std::mem::take(&mut duty.failures) > 0) {
            self.outputs.push_back(Output::Ready(Topic::PairStream));
        }
    }

    fn reading_failed(&mut self, error: &PublishError, now: Instant) {
        let random = (self.terms.random)();
        let Some(duty) = &mut self.pair else { return };
        duty.failures = duty.failures.saturating_add(1);
        let [first, most] = RETRY;
        duty.tailing = Tailing::Due { at: Some(now + backoff(duty.failures, first, most, random)) };
        // One answer may get lost.
        if duty.failures > 1 {
            let reason = format!("cannot read what the other instance of the pair published: {error}");
            self.outputs.push_back(Output::Unready(Topic::PairStream, reason));
        }
    }
}
