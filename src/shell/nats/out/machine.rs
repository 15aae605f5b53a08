//! Publishing alert events, without the connection: events, answers and `now` in; requests, confirmations and deadlines
//! out.
//!
//! One event is on its way at a time, in the order of decisions. Where a stream takes its subject it goes out with its
//! id and with the sequence that the last message of the subject had when it was decided: a copy too many is refused by
//! the stream, whatever became of the acknowledgement ([`super::reading`]). [`super::streams`] finds the streams.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Deserialize;

use crate::engine::config::AlertDelivery;
use crate::engine::fact::Fact;
use crate::engine::rules::{AlertEvent, Reach};
use crate::engine::wire::EventId;
use crate::shell::backoff::backoff;
use crate::shell::nats::api::{ApiError, api_prefix, read_answer};
use crate::shell::settings::Settings;
use crate::shell::status::Topic;

use super::exchange::{AlertKind, Answer, AnswerEnding, ByKind, Output, Request};
use super::fold::Fold;
use super::following::Duty;
use super::reading::{READ_MAX, Reading};
use super::streams::{JetStream, Look, Route, Tail};
use super::words::{AnswerFault, PublishError};

/// How long an alert event waits to hear which stream takes it, where nobody has said yet.
const FIRST_LOOK: Duration = Duration::from_millis(500);

/// The server's codes for a subject or stream whose last sequence is another than was expected.
pub(super) const WRONG_LAST_SEQUENCE: [u64; 2] = [10_071, 10_164];

/// An event on its way.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) event: Arc<AlertEvent>,
    pub(super) kind: AlertKind,
    pub(super) payload: Bytes,
    pub(super) sent: Sent,
}

/// Whether an event was sent before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It was not.
    Never,
    /// It may have been stored.
    Perhaps,
}

/// What becomes of the first event.
#[derive(Debug)]
pub(super) enum Work {
    /// There is none.
    Idle,
    /// There is no connection.
    Away,
    /// Nobody has said yet which stream takes it.
    Waiting { until: Instant },
    /// What the streams show is read first, or the other instance of a pair publishes.
    Folding,
    /// It was sent, to be answered so.
    Sending { number: u64, ending: AnswerEnding },
    /// It was sent, or may have been: the stream is asked.
    Reading(Reading),
    /// It is tried again later.
    Resting { until: Instant },
}

/// Whether the messages of a stream may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readable {
    /// As far as is known.
    Yes,
    /// The server does not answer who asks for one: the events' ids must do.
    No,
}

/// Whether there is a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Away,
    Up,
}

/// What of the shell's settings publishing needs, and the randomness of pauses.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// The shell's settings.
    pub(crate) settings: Arc<Settings>,
    /// The `source` of our own events.
    pub(crate) source: Arc<str>,
    /// A number nobody can guess.
    pub(crate) random: fn() -> u64,
    /// Whether another instance does the same work.
    pub(crate) company: Company,
}

/// Whether another instance does the same work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    /// None does.
    Alone,
    /// This one is one of a pair.
    Pair,
}

/// Publishes alert events.
#[derive(Debug)]
pub(crate) struct AlertMachine {
    pub(super) terms: Terms,
    pub(super) delivery: AlertDelivery,
    link: Link,
    pub(super) queue: VecDeque<Letter>,
    pub(super) work: Work,
    pub(super) look: Look,
    pub(super) jetstream: JetStream,
    /// Looks in a row that were not answered.
    pub(super) silent_looks: u32,
    /// Looks that found no stream, before one was found.
    pub(super) empty_looks: u32,
    pub(super) fold: Fold,
    /// Questions about open alerts that were not answered.
    pub(super) fold_silences: u32,
    pub(super) places: ByKind<Route>,
    pub(super) tails: ByKind<Option<Tail>>,
    pub(super) readable: Readable,
    /// Being one of a pair.
    pub(super) pair: Option<Duty>,
    /// What was published without knowing where: none of it is a stranger's when it is read.
    pub(super) unplaced: BTreeSet<EventId>,
    asked: u64,
    failures: u32,
    /// What is to be done.
    pub(crate) outputs: VecDeque<Output>,
}

/// An acknowledgement.
#[derive(Deserialize)]
struct Stored {
    stream: String,
    seq: u64,
    /// It was stored before.
    #[serde(default)]
    duplicate: bool,
}

impl AlertMachine {
    /// Nothing to publish, and no connection yet.
    pub(crate) fn new(terms: Terms, delivery: AlertDelivery) -> Self {
        let pair = (terms.company == Company::Pair).then(Duty::new);
        Self {
            pair,
            terms,
            delivery,
            link: Link::Away,
            queue: VecDeque::new(),
            work: Work::Idle,
            look: Look::default(),
            jetstream: JetStream::Unknown,
            silent_looks: 0,
            empty_looks: 0,
            fold: Fold::default(),
            fold_silences: 0,
            places: ByKind::default(),
            tails: ByKind::default(),
            readable: Readable::Yes,
            unplaced: BTreeSet::new(),
            asked: 0,
            failures: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Goes on by another way of delivery.
    pub(crate) fn deliver_by(&mut self, delivery: AlertDelivery, now: Instant) {
        if self.delivery != delivery {
            self.delivery = delivery;
            self.look_again(now);
        }
    }

    /// Takes an event to be published after all others.
    pub(crate) fn push(&mut self, event: AlertEvent, now: Instant) {
        let payload = Bytes::from(event.to_json());
        let kind = AlertKind::of(&event);
        self.queue.push_back(Letter { event: Arc::new(event), kind, payload, sent: Sent::Never });
        if let Work::Idle = self.work {
            self.go_on(now);
        }
    }

    /// The connection stands, anew where it stood before.
    pub(crate) fn connected(&mut self, now: Instant) {
        self.disconnected();
        self.link = Link::Up;
        self.readable = Readable::Yes;
        self.look_again(now);
        self.go_on(now);
    }

    /// The connection is gone, and with it every answer.
    pub(crate) fn disconnected(&mut self) {
        self.link = Link::Away;
        self.look = Look::default();
        self.places = ByKind::default();
        self.break_off_fold();
        if let Some(duty) = &mut self.pair {
            duty.break_off();
        }
        match self.work {
            Work::Sending { .. } | Work::Reading(_) => {
                self.doubt_first();
                self.go_away();
            }
            Work::Waiting { .. } | Work::Folding => self.go_away(),
            Work::Idle | Work::Away | Work::Resting { .. } => {}
        }
    }

    /// Takes the answer to a request.
    pub(crate) fn answered(&mut self, number: u64, answer: Result<&Answer, AnswerFault>, now: Instant) {
        if self.fold.is_about(number) {
            self.take_fold(answer, now);
            return;
        }
        if self.pair.as_ref().is_some_and(|duty| duty.is_about(number)) {
            self.take_tailing(answer, now);
            return;
        }
        let answer = answer.map(Answer::text);
        if self.look.is_about(number) {
            self.take_look(answer, now);
            return;
        }
        match &self.work {
            Work::Sending { number: sent, ending } if *sent == number => {
                let ending = *ending;
                self.take_receipt(ending, answer, now);
            }
            Work::Reading(reading) if reading.number == number => self.take_reading(answer, now),
            Work::Idle
            | Work::Away
            | Work::Waiting { .. }
            | Work::Folding
            | Work::Sending { .. }
            | Work::Reading(_)
            | Work::Resting { .. } => {}
        }
    }

    /// Time went on.
    pub(crate) fn due(&mut self, now: Instant) {
        self.look_when_due(now);
        self.read_on_when_due(now);
        match self.work {
            Work::Waiting { until } if now >= until => {
                self.places_are_silent();
                self.go_on(now);
            }
            Work::Resting { until } if now >= until => self.go_on(now),
            Work::Waiting { .. }
            | Work::Resting { .. }
            | Work::Idle
            | Work::Away
            | Work::Folding
            | Work::Sending { .. }
            | Work::Reading(_) => {}
        }
    }

    /// When [`AlertMachine::due`] has something to do next, where nothing comes before.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let of_work = match self.work {
            Work::Waiting { until } | Work::Resting { until } => Some(until),
            Work::Idle | Work::Away | Work::Folding | Work::Sending { .. } | Work::Reading(_) => None,
        };
        let of_look = self.look.deadline().filter(|_| self.link == Link::Up);
        let of_pair = self.pair.as_ref().and_then(Duty::deadline);
        let of_pair = of_pair.filter(|_| self.is_up() && !matches!(self.work, Work::Sending { .. }));
        [of_work, of_look, of_pair].into_iter().flatten().min()
    }

    /// Whether there is a connection.
    pub(super) fn is_up(&self) -> bool {
        self.link == Link::Up
    }

    /// Sends the first event where it waited to hear what the streams are and show.
    pub(super) fn go_on_where_waiting(&mut self, now: Instant) {
        match self.work {
            Work::Waiting { .. } | Work::Folding | Work::Idle => self.go_on(now),
            Work::Away | Work::Sending { .. } | Work::Reading(_) | Work::Resting { .. } => {}
        }
    }

    /// Sends the first event, where it can go.
    pub(super) fn go_on(&mut self, now: Instant) {
        let Some(letter) = self.queue.front() else {
            self.work = Work::Idle;
            return;
        };
        if self.link == Link::Away {
            self.go_away();
            return;
        }
        let (kind, sent) = (letter.kind, letter.sent);
        if self.pair.is_some() {
            return self.go_on_in_pair(kind, now);
        }
        match (self.delivery, self.places.get(kind).clone()) {
            (AlertDelivery::Core, _) | (AlertDelivery::Auto, Route::None | Route::Silent) => {
                self.send(AnswerEnding::Flush, None);
            }
            (AlertDelivery::Auto | AlertDelivery::JetStream, Route::Unknown) => {
                self.work = Work::Waiting { until: now + FIRST_LOOK };
            }
            (AlertDelivery::Auto | AlertDelivery::JetStream, Route::Stream(_)) if !self.fold.is_done() => {
                self.work = Work::Folding;
            }
            (AlertDelivery::JetStream, Route::None) => {
                let subject = self.subject(kind);
                self.fail(&PublishError::NoStream(subject), now);
            }
            // Whoever may publish may yet be forbidden to ask.
            (AlertDelivery::JetStream, Route::Silent) => self.send(AnswerEnding::Answer, None),
            (AlertDelivery::Auto | AlertDelivery::JetStream, Route::Stream(stream)) => {
                let tail = self.tails.get(kind).as_ref().filter(|tail| *tail.created == *stream.created);
                match (tail.map(|tail| tail.sequence), sent, self.readable) {
                    (Some(last), Sent::Never, _) => self.send(AnswerEnding::Answer, Some(last)),
                    (base, _, Readable::Yes) => self.read_last(&stream, base),
                    (_, _, Readable::No) => self.send(AnswerEnding::Answer, None),
                }
            }
        }
    }

    fn go_away(&mut self) {
        // Who follows has nothing to publish.
        let is_known = matches!(self.work, Work::Away) || self.pair.as_ref().is_some_and(Duty::follows);
        if let (Some(letter), false) = (self.queue.front(), is_known) {
            self.outputs.push_back(Output::Fact(Fact::PublishFailed { kind: letter.kind.event_type() }));
        }
        self.work = Work::Away;
    }

    /// The first event may have been stored.
    pub(super) fn doubt_first(&mut self) {
        if let Some(letter) = self.queue.front_mut() {
            letter.sent = Sent::Perhaps;
        }
    }

    /// Sends the first event; `last` is what the subject's last sequence must be.
    pub(super) fn send(&mut self, ending: AnswerEnding, last: Option<u64>) {
        let Some(letter) = self.queue.front() else { return };
        let mut headers = vec![("Nats-Msg-Id", letter.event.message_id())];
        if self.pair.is_some() || letter.event.reach != Reach::default() {
            headers.push(("Signalbox-Applied", letter.event.reach.to_string()));
        }
        if let Some(last) = last {
            headers.push(("Nats-Expected-Last-Subject-Sequence", last.to_string()));
        }
        let (subject, payload) = (self.subject(letter.kind), letter.payload.clone());
        let number = self.ask(Request { number: 0, subject, headers, payload, ending });
        self.work = Work::Sending { number, ending };
    }

    /// Sends a request under the next number.
    pub(super) fn ask(&mut self, request: Request) -> u64 {
        self.asked += 1;
        self.outputs.push_back(Output::Ask(Request { number: self.asked, ..request }));
        self.asked
    }

    /// Asks the JetStream API.
    pub(super) fn ask_api(&mut self, what: &str, body: String) -> u64 {
        let (subject, payload) = (self.api_subject(what), Bytes::from(body));
        self.ask(Request { number: 0, subject, headers: Vec::new(), payload, ending: AnswerEnding::Answer })
    }

    pub(super) fn api_subject(&self, what: &str) -> String {
        format!("{}.{what}", api_prefix(self.terms.settings.jetstream.domain.as_deref()))
    }

    pub(super) fn subject(&self, kind: AlertKind) -> String {
        self.terms.settings.subjects.of(kind.event_type())
    }

    /// What became of the first event.
    fn take_receipt(&mut self, ending: AnswerEnding, answer: Result<&[u8], AnswerFault>, now: Instant) {
        let Some(letter) = self.queue.front() else { return };
        let kind = letter.kind;
        let stream = match (self.delivery, self.places.get(kind)) {
            (AlertDelivery::Core, _) | (_, Route::Unknown | Route::None | Route::Silent) => None,
            (AlertDelivery::Auto | AlertDelivery::JetStream, Route::Stream(stream)) => Some(stream.clone()),
        };
        match answer {
            // Who asked for no answer has none to read; a stream that is known by now tells whether it has the event.
            Ok(_)
                if ending == AnswerEnding::Flush
                    && (stream.is_none() || self.delivery == AlertDelivery::Core) =>
            {
                self.published_somewhere(now);
            }
            Ok(payload) => match (read_answer::<Stored>(payload), stream) {
                // The other instance published it, and perhaps more before it.
                (Ok(Stored { duplicate: true, seq, .. }), _) if self.is_unread(kind, seq) => self.doubt(kind),
                (Err(ApiError::Refused { code, .. }), _)
                    if self.pair.is_some() && WRONG_LAST_SEQUENCE.contains(&code) =>
                {
                    self.doubt(kind);
                }
                (Ok(stored), Some(stream)) if stored.stream == *stream.name => {
                    self.note_tail(kind, &stream, stored.seq);
                    self.published(now);
                }
                // Another stream took the subject over meanwhile: it has the event.
                (Ok(_), Some(_) | None) => {
                    self.look_again(now);
                    self.published_somewhere(now);
                }
                (Err(ApiError::Refused { code, .. }), Some(stream))
                    if WRONG_LAST_SEQUENCE.contains(&code) =>
                {
                    self.doubt_first();
                    let base = self.tails.get(kind).as_ref().map(|tail| tail.sequence);
                    match self.readable {
                        Readable::Yes => self.read_last(&stream, base),
                        Readable::No => self.send(AnswerEnding::Answer, None),
                    }
                }
                (Err(error), Some(_) | None) => {
                    if let ApiError::Shape(_) = error {
                        self.doubt_first();
                    }
                    self.fail(&error.into(), now);
                }
            },
            Err(fault) => {
                self.doubt_first();
                if fault == AnswerFault::TooLarge {
                    self.shorten();
                }
                self.fail(&fault.into(), now);
            }
        }
    }

    /// Leaves out of the first event what only people read, so that a server with a small `max_payload` takes it.
    fn shorten(&mut self) {
        if let Some(letter) = self.queue.front_mut() {
            letter.payload = Bytes::from(letter.event.to_short_json());
        }
    }

    /// The first event is with the broker, in a place that is not known.
    fn published_somewhere(&mut self, now: Instant) {
        if self.unplaced.len() >= READ_MAX {
            self.unplaced.pop_first();
        }
        self.unplaced.extend(self.queue.front().map(|letter| letter.event.id));
        self.published(now);
    }

    /// The first event is with the broker.
    pub(super) fn published(&mut self, now: Instant) {
        let Some(letter) = self.queue.pop_front() else { return };
        self.forget_failures();
        self.outputs.push_back(Output::Published(letter.event));
        self.work = Work::Idle;
        self.go_on(now);
    }

    /// Whatever failed before does not matter any more.
    pub(super) fn forget_failures(&mut self) {
        if std::mem::take(&mut self.failures) > 0 {
            self.outputs.push_back(Output::Ready(Topic::Publishing));
        }
    }

    /// The first event is tried again later, when the streams were looked at.
    pub(super) fn fail(&mut self, error: &PublishError, now: Instant) {
        let Some(letter) = self.queue.front() else { return };
        let kind = letter.kind.event_type();
        self.failures = self.failures.saturating_add(1);
        self.outputs.push_back(Output::Fact(Fact::PublishFailed { kind }));
        let reason = format!("cannot publish {}: {error}", kind.name());
        self.outputs.push_back(Output::Unready(Topic::Publishing, reason));
        let alerts = &self.terms.settings.alerts;
        let pause = backoff(self.failures, alerts.retry_first, alerts.retry_max, (self.terms.random)());
        self.work = Work::Resting { until: now + pause };
        self.places = ByKind::default();
        self.look_again(now);
    }
}
