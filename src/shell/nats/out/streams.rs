//! Which streams take alert events, whether their acknowledgement means that an event is kept, and which message of a
//! subject is its last.
//!
//! It is found out beside the publishing, as some servers leave the question without an answer: those of a cluster
//! without JetStream, up to 2.9.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::engine::config::AlertDelivery;
use crate::shell::nats::api::{ApiError, StoredMessage, StreamConfig, StreamInfo, StreamNames, read_answer};
use crate::shell::settings::MissingStream;
use crate::shell::status::Topic;

use super::exchange::{AlertKind, AnswerEnding, ByKind, Output, Request};
use super::machine::{AlertMachine, Readable, Sent, Work};
use super::words::AnswerFault;

/// How often the streams are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// How soon they are looked at again where nobody said anything that can be believed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Looks without an answer after which there is nobody who answers, though a stream is read.
const SILENT_LOOKS_MAX: u32 = 4;

/// Looks that find no stream after which nobody makes one, though it is to be made.
const EMPTY_LOOKS_MAX: u32 = 4;

/// Messages asked for at a time.
const PULL_MAX: u64 = 500;

/// Whether there is a JetStream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JetStream {
    /// Nobody knows.
    Unknown,
    /// A stream was read.
    IsThere,
}

/// A stream that takes alert events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AlertStream {
    pub(super) name: Arc<str>,
    /// When it was created; another time is another stream.
    pub(super) created: Arc<str>,
}

/// Where events of a kind go.
#[derive(Clone, Debug, Default)]
pub(super) enum Route {
    /// Nobody looked yet.
    #[default]
    Unknown,
    /// Nobody says.
    Silent,
    /// No stream takes them, or there is no JetStream.
    None,
    /// A stream takes them.
    Stream(AlertStream),
}

/// The last message of a subject that the decisions so far know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// The life of the stream this is about.
    pub(super) created: Arc<str>,
    /// Its sequence; 0 where there is none.
    pub(super) sequence: u64,
    /// Whether everything up to it was told of: by a log, or by this run.
    pub(super) told: Told,
}

/// Whether messages of ours up to a place are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Yes,
    NotYet,
}

/// The look at the streams.
#[derive(Debug, Default)]
pub(super) enum Look {
    /// There is nobody to ask.
    #[default]
    Away,
    /// The next one is then.
    At(Instant),
    /// A question is open.
    Asking { number: u64, question: Question, seen: Box<ByKind<Seen>> },
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Which stream takes a kind.
    Name(AlertKind),
    /// What that stream is.
    Info(AlertKind),
    /// Which message of the subject is the last.
    Last(AlertKind),
}

/// The questions, in the order in which they are asked.
const QUESTIONS: [Question; 6] = [
    Question::Name(AlertKind::Triggered),
    Question::Name(AlertKind::Cleared),
    Question::Info(AlertKind::Triggered),
    Question::Info(AlertKind::Cleared),
    Question::Last(AlertKind::Triggered),
    Question::Last(AlertKind::Cleared),
];

/// What was found of one kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    name: Option<String>,
    info: Option<StreamInfo>,
    silent: Silence,
}

/// Whether a question stayed without an answer that tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Silence {
    #[default]
    No,
    /// Nobody is there to be asked, or they cannot say: no JetStream, or one that a server is still beginning.
    Nobody,
    Yes,
}

impl Look {
    pub(super) const fn deadline(&self) -> Option<Instant> {
        match self {
            Self::At(at) => Some(*at),
            Self::Away | Self::Asking { .. } => None,
        }
    }

    pub(super) const fn is_about(&self, number: u64) -> bool {
        match self {
            Self::Asking { number: asked, .. } => *asked == number,
            Self::Away | Self::At(_) => false,
        }
    }
}

impl AlertMachine {
    /// Has the streams looked at now, where they are not already.
    pub(super) fn look_again(&mut self, now: Instant) {
        match self.look {
            Look::Asking { .. } => {}
            Look::Away | Look::At(_) => self.look = Look::At(now),
        }
        self.look_when_due(now);
    }

    pub(super) fn look_when_due(&mut self, now: Instant) {
        match self.look {
            Look::At(at) if now >= at && self.is_up() => {}
            Look::At(_) | Look::Away | Look::Asking { .. } => return,
        }
        if self.delivery == AlertDelivery::Core {
            self.outputs.push_back(Output::Ready(Topic::AlertStream));
            self.look = Look::At(now + LOOK_EVERY);
            return;
        }
        self.look_on(0, Box::default(), now);
    }

    /// Asks the first of the questions from this place on that has to be asked; after the last one all is known.
    fn look_on(&mut self, place: usize, seen: Box<ByKind<Seen>>, now: Instant) {
        for question in QUESTIONS.into_iter().skip(place) {
            let Some((what, body)) = self.question(question, &seen) else { continue };
            let number = self.ask_api(&what, body);
            self.look = Look::Asking { number, question, seen };
            return;
        }
        self.look = Look::At(now + LOOK_EVERY);
        self.judge(&seen);
        let is_silent = AlertKind::BOTH.iter().any(|kind| !seen.get(*kind).tells());
        self.silent_looks = if is_silent { self.silent_looks.saturating_add(1) } else { 0 };
        let is_none = AlertKind::BOTH.iter().any(|kind| matches!(seen.get(*kind).place(), Route::None));
        self.empty_looks = self.empty_looks.saturating_add(u32::from(is_none));
        let mut is_known = true;
        for kind in AlertKind::BOTH {
            let found = seen.get(kind).place();
            let awaits_stream = matches!(found, Route::None) && self.awaits_stream();
            let believed = !awaits_stream && (seen.get(kind).tells() || !self.awaits_answer(kind));
            is_known &= believed;
            *self.places.get_mut(kind) = if believed { found } else { Route::Unknown };
        }
        if let Some(duty) = &mut self.pair {
            let info = seen.get(AlertKind::Triggered).info.as_ref();
            duty.last_sequence = info.map_or(0, |info| info.state.last_seq);
            if self.shared_stream().is_none() {
                self.look = Look::At(now + LOOK_AGAIN);
            }
            self.streams_are_known();
        } else if is_known {
            self.begin_fold(now);
        } else {
            self.look = Look::At(now + LOOK_AGAIN);
            if matches!(self.work, Work::Waiting { .. }) && !self.awaits_stream() {
                let is_slow = AlertKind::BOTH.iter().any(|kind| seen.get(*kind).silent == Silence::Yes);
                let fault = if is_slow {
                    AnswerFault::Silent(self.terms.settings.nats.request_timeout)
                } else {
                    AnswerFault::NobodyThere
                };
                return self.fail(&fault.into(), now);
            }
        }
        self.go_on_where_waiting(now);
    }

    /// Whether silence is not believed: a stream took the kind before, or one is read, so that answers are lost or late
    /// rather than never given. Who may read may yet be forbidden to ask: silence that lasts is believed. Elsewhere there
    /// may be nobody who would answer, and alert events must not wait for them.
    fn awaits_answer(&self, kind: AlertKind) -> bool {
        self.tails.get(kind).is_some()
            || (self.jetstream == JetStream::IsThere && self.silent_looks < SILENT_LOOKS_MAX)
    }

    /// Whether somebody said that there is no stream, as this very process is still to make it: the lane that reads it says
    /// when it has. Where it never can, who may not make one or has no JetStream, alert events must not wait for it.
    fn awaits_stream(&self) -> bool {
        self.terms.settings.jetstream.missing_stream == MissingStream::Create
            && self.pair.is_none()
            && self.jetstream == JetStream::Unknown
            && (1..EMPTY_LOOKS_MAX).contains(&self.empty_looks)
    }

    fn question(&self, question: Question, seen: &ByKind<Seen>) -> Option<(String, String)> {
        let other = seen.get(AlertKind::Triggered);
        match question {
            Question::Name(kind) if seen.get(kind).silent != Silence::Yes => {
                Some(("STREAM.NAMES".to_owned(), json!({ "subject": self.subject(kind) }).to_string()))
            }
            Question::Name(_) => None,
            Question::Info(kind) => {
                let of_kind = seen.get(kind);
                let name = of_kind.name.as_ref().filter(|_| of_kind.info.is_none())?;
                let known = kind == AlertKind::Cleared && other.name.as_ref() == Some(name);
                (!known).then(|| (format!("STREAM.INFO.{name}"), String::new()))
            }
            // A pair reads the subjects themselves.
            Question::Last(_) if self.pair.is_some() => None,
            Question::Last(kind) => {
                let Route::Stream(stream) = seen.get(kind).place() else { return None };
                let tail = self.tails.get(kind).as_ref();
                let known = tail.is_some_and(|tail| tail.created == stream.created) || self.is_in_doubt(kind);
                let body = || json!({ "last_by_subj": self.subject(kind) }).to_string();
                (!known && self.readable == Readable::Yes)
                    .then(|| (format!("STREAM.MSG.GET.{}", stream.name), body()))
            }
        }
    }

    /// Whether an event of this kind may be stored without our knowing: it is looked for from where the subject was last
    /// known, and a last message that may be the event itself is no such place.
    fn is_in_doubt(&self, kind: AlertKind) -> bool {
        self.queue.front().is_some_and(|letter| {
            letter.kind == kind && (letter.sent == Sent::Perhaps || matches!(self.work, Work::Sending { .. }))
        })
    }

    pub(super) fn take_look(&mut self, answer: Result<&[u8], AnswerFault>, now: Instant) {
        let Look::Asking { question, mut seen, .. } = std::mem::take(&mut self.look) else { return };
        let place = QUESTIONS.iter().position(|it| *it == question).map_or(0, |it| it + 1);
        match question {
            Question::Name(kind) => {
                seen.get_mut(kind).take_name(answer);
                if seen.get(kind).silent == Silence::Yes {
                    // Whoever does not answer one question does not answer the other.
                    for kind in AlertKind::BOTH {
                        seen.get_mut(kind).silent = Silence::Yes;
                    }
                }
            }
            Question::Info(kind) => {
                let of_kind = seen.get_mut(kind);
                of_kind.take_info(answer);
                let of_kind = of_kind.clone();
                if of_kind.name == seen.get(AlertKind::Cleared).name {
                    *seen.get_mut(AlertKind::Cleared) = of_kind;
                }
            }
            Question::Last(kind) => {
                if let Route::Stream(stream) = seen.get(kind).place()
                    && !self.is_in_doubt(kind)
                {
                    match answer.map(read_answer::<StoredMessage>) {
                        Ok(Ok(last)) => self.note_tail(kind, &stream, last.sequence()),
                        Ok(Err(ApiError::NotFound)) => self.note_tail(kind, &stream, 0),
                        Ok(Err(_)) | Err(_) => self.readable = Readable::No,
                    }
                }
            }
        }
        self.look_on(place, seen, now);
    }

    /// Asks for a consumer of a stream that reads once, from a sequence on, what a filter lets through, and that the server
    /// forgets by itself; the number of the question.
    pub(super) fn ask_for_consumer(
        &mut self,
        stream: &AlertStream,
        (description, first): (&str, u64),
        (filter, subjects): (&str, Value),
    ) -> u64 {
        let config = json!({
            "description": description,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": first,
            filter: subjects,
            "ack_policy": "none",
            "replay_policy": "instant",
            "inactive_threshold": 30_000_000_000_u64,
            "num_replicas": 1,
            "mem_storage": true,
        });
        let body = json!({ "stream_name": stream.name.as_ref(), "config": config }).to_string();
        self.ask_api(&format!("CONSUMER.CREATE.{}", stream.name), body)
    }

    /// Asks such a consumer for the next of the messages that wait; the number of the question.
    pub(super) fn ask_for_messages(&mut self, stream: &AlertStream, consumer: &str, pending: u64) -> u64 {
        let count = pending.min(PULL_MAX);
        let body = json!({ "batch": count, "expires": 2_000_000_000_u64 }).to_string();
        let subject = self.api_subject(&format!("CONSUMER.MSG.NEXT.{}.{consumer}", stream.name));
        let (payload, ending) = (body.into(), AnswerEnding::Messages(count));
        self.ask(Request { number: 0, subject, headers: Vec::new(), payload, ending })
    }

    /// Goes on without knowing which streams there are; the look goes on beside it.
    pub(super) fn places_are_silent(&mut self) {
        for kind in AlertKind::BOTH {
            let is_awaited = self.awaits_answer(kind) || self.awaits_stream();
            if matches!(self.places.get(kind), Route::Unknown) && !is_awaited {
                *self.places.get_mut(kind) = Route::Silent;
            }
        }
    }

    /// The stream that is read was found. It may have been made after the last look, or while it went on: what was not
    /// there then is looked for again, and events wait for that.
    pub(crate) fn stream_found(&mut self, now: Instant) {
        self.expect_answers();
        for kind in AlertKind::BOTH {
            let place = self.places.get_mut(kind);
            match place {
                Route::None => *place = Route::Unknown,
                // Silence was believed while nobody could know of a stream: what it shows was not read.
                Route::Silent => {
                    *place = Route::Unknown;
                    self.fold.forget();
                }
                Route::Unknown | Route::Stream(_) => {}
            }
        }
        self.look = match self.look {
            Look::Away => Look::Away,
            Look::At(_) | Look::Asking { .. } => Look::At(now),
        };
        self.look_when_due(now);
    }

    /// A stream was read: there is somebody to answer.
    pub(crate) const fn expect_answers(&mut self) {
        self.jetstream = JetStream::IsThere;
    }

    /// Notes the last message of a subject.
    pub(super) fn note_tail(&mut self, kind: AlertKind, stream: &AlertStream, sequence: u64) {
        let known = self.tails.get(kind).as_ref().filter(|tail| tail.created == stream.created);
        let sequence = known.map_or(sequence, |tail| tail.sequence.max(sequence));
        let told = known.map_or(Told::NotYet, |tail| tail.told);
        *self.tails.get_mut(kind) = Some(Tail { created: Arc::clone(&stream.created), sequence, told });
    }

    /// Says where a stream may not keep what it acknowledges: one that keeps nothing speaks against being ready, one
    /// that loses it with its server is only said.
    fn judge(&mut self, seen: &ByKind<Seen>) {
        let infos = AlertKind::BOTH.iter().filter_map(|kind| Some((*kind, seen.get(*kind).info.as_ref()?)));
        let infos: Vec<_> = infos.collect();
        let first = |is_so: fn(&StreamConfig) -> bool| {
            let (kind, info) = infos.iter().find(|(_, info)| is_so(&info.config))?;
            Some((seen.get(*kind).name.as_deref().unwrap_or_default(), &info.config))
        };
        let trouble = first(|config| config.retention != "limits").map(|(name, config)| {
            format!(
                "the stream {name} has {} retention and may acknowledge alert events without keeping them; \
                 give them a stream with limits retention",
                config.retention
            )
        });
        let trouble = trouble.or_else(|| self.pair.as_ref().and_then(|_| not_shared(seen)));
        let concern = first(|config| config.storage == "memory").map(|(name, _)| {
            format!(
                "the stream {name} keeps alert events in memory and loses them when the server ends; \
                 give them a stream with file storage"
            )
        });
        self.outputs.push_back(match trouble {
            Some(reason) => Output::Unready(Topic::AlertStream, reason),
            None => Output::Ready(Topic::AlertStream),
        });
        self.outputs.push_back(Output::Concern(concern));
    }
}

/// Why two instances cannot tell by the streams who said what, where they cannot.
fn not_shared(seen: &ByKind<Seen>) -> Option<String> {
    let name = |kind| seen.get(kind).name.as_deref();
    match (name(AlertKind::Triggered), name(AlertKind::Cleared)) {
        (Some(one), Some(other)) if one == other => None,
        (Some(one), Some(other)) => Some(format!(
            "a pair needs both kinds of alert events in one stream, and {one} takes the one, {other} the other"
        )),
        (None, _) | (_, None) => Some(
            "a pair needs a stream that takes AlertTriggered and AlertCleared, and there is none".to_owned(),
        ),
    }
}

impl Seen {
    fn take_name(&mut self, answer: Result<&[u8], AnswerFault>) {
        match answer.map(read_answer::<StreamNames>) {
            Ok(Ok(names)) => self.name = names.streams.into_iter().flatten().next(),
            Ok(Err(_)) | Err(AnswerFault::NobodyThere) => self.silent = Silence::Nobody,
            Err(
                AnswerFault::Silent(_) | AnswerFault::TooLarge | AnswerFault::Subject | AnswerFault::Closed,
            ) => {
                self.silent = Silence::Yes;
            }
        }
    }

    fn take_info(&mut self, answer: Result<&[u8], AnswerFault>) {
        if let Ok(Ok(info)) = answer.map(read_answer) {
            self.info = Some(info);
        } else {
            self.silent = Silence::Yes;
        }
    }

    /// Whether what was said is what is.
    fn tells(&self) -> bool {
        match self.place() {
            Route::Stream(_) => true,
            Route::None => self.silent == Silence::No,
            Route::Unknown | Route::Silent => false,
        }
    }

    fn place(&self) -> Route {
        match (&self.name, &self.info, self.silent) {
            (Some(name), Some(info), _) => Route::Stream(AlertStream {
                name: Arc::from(name.as_str()),
                created: Arc::from(info.created.as_str()),
            }),
            (Some(_), None, _) | (None, _, Silence::Yes) => Route::Silent,
            (None, _, Silence::No | Silence::Nobody) => Route::None,
        }
    }
}
