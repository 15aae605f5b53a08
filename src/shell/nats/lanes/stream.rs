//! The JetStream lane: a stream read in its order, each message handed over once.
//!
//! A limits-retention stream is read by an ephemeral consumer that acknowledges nothing, from behind the last sequence
//! that was handed over; whatever goes wrong, it is made anew there, and what comes twice is dropped by its sequence.
//! Work-queue and interest streams, and `start: resume`, need a durable consumer with acknowledgements
//! ([`super::durable`]). [`super::looking`] finds the stream and makes the consumer, [`super::pulling`] reads it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::arrival::position::Applied;
use crate::engine::arrival::{Epoch, Position, Stored, StreamNews};
use crate::engine::fact::Fact;
use crate::engine::time::Timestamp;
use crate::engine::wire::EventType;
use crate::shell::driver::mailbox::LaneItem;
use crate::shell::nats::api::{Api, ApiError, PULLED};
use crate::shell::nats::frames::{Delivery, Frame};
use crate::shell::nats::link::LinkError;
use crate::shell::nats::protocol::{Protocol, is_forbidden};
use crate::shell::saves::Settled;
use crate::shell::settings::Settings;
use crate::shell::status::Topic;

use super::gaps::Gaps;
use super::looking::Looking;
use super::machine::{Choice, Handed, LinkNumber, Machine, Opened, Output, Terms, Used};
use super::owing::{AckLimits, ONCE_APPLIED, ONCE_SAVED, Owing};
use super::pull::MessagePlace;
use super::pulling::Pulling;
use super::words::{Remark, Trouble};
use crate::shell::driver::batch::Batch;

/// How long to wait before looking again at a stream that cannot be read.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How often the number of waiting messages is told.
const TELL_PENDING: Duration = Duration::from_millis(250);

/// How far the stream was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Cursor {
    /// The last sequence handed over or known not to be ours.
    pub(super) sequence: u64,
    /// The last message that was handed over, by which the stream is known again.
    pub(super) known: Option<Applied>,
    /// Which life of the stream, once it was seen.
    pub(super) epoch: Option<Epoch>,
    /// Whose place it is.
    pub(super) origin: CursorOrigin,
    /// The latest time at which a message that was handed over was stored.
    pub(super) latest: Option<Timestamp>,
    /// Whether another life of the stream shows.
    pub(super) suspicion: Suspicion,
    /// The last sequence that this life of the stream was seen to hold, read or not.
    pub(super) seen: u64,
    /// Up to this sequence everything of ours had left this life of the stream when it was looked at.
    pub(super) gone: u64,
}

/// Whose place a cursor is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum CursorOrigin {
    /// That of a state, until the stream was seen.
    State,
    /// This run's own.
    #[default]
    Run,
}

/// What is known of the stream before it is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Suspicion {
    /// Nothing speaks against it being the one that was read.
    #[default]
    None,
    /// A message came that was stored later than others behind it, or where everything of ours had left, or the stream was
    /// seen to hold less than before: what stood there before is gone.
    RolledBack,
}

impl Cursor {
    /// Behind what was applied; before everything where nothing was.
    fn after(position: Option<Position>) -> Self {
        let Some(position) = position else { return Self::default() };
        let (sequence, known, epoch) = (position.sequence, position.applied, Some(position.epoch));
        let latest = known.map(|known| known.stored);
        let (origin, seen) = (CursorOrigin::State, sequence);
        Self { sequence, known, epoch, origin, latest, seen, ..Self::default() }
    }

    /// Moves on to a message that is handed over.
    pub(super) fn pass(&mut self, place: MessagePlace) {
        let Stored { sequence, at: stored } = place.stored();
        self.sequence = sequence;
        self.known = Some(Applied { sequence, stored, event_id: None });
        self.latest = self.latest.max(Some(stored));
    }

    /// Whether a message that a consumer delivers for the first time is of another life of the stream: it stands where
    /// everything of ours had left, or before the place that was read, and was stored after everything there.
    pub(super) fn contradicts(&self, place: MessagePlace) -> bool {
        let Stored { sequence, at } = place.stored();
        let is_later = sequence <= self.sequence && self.latest.is_some_and(|latest| at > latest);
        place.delivered == 1 && (sequence <= self.gone || is_later)
    }
}

/// What a stream held when this life of it was first looked at: holes in that are none of ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct FirstLook {
    /// Up to this sequence messages of others may have been left out.
    pub(super) others_until: u64,
    /// Up to this sequence messages may have been taken out.
    pub(super) holes_until: u64,
}

/// What the lane wants of the stream: messages whose subjects match a pattern.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) event_type: EventType,
    pub(super) pattern: String,
}

/// The lane's connection.
#[derive(Debug)]
pub(super) struct Connection {
    number: LinkNumber,
    pub(super) protocol: Protocol,
    pub(super) api: Api,
}

/// What the lane is at.
#[derive(Debug)]
pub(super) enum StreamStage {
    /// There is no connection.
    Away,
    /// The stream is looked at again later.
    Resting { until: Instant },
    /// A question about the stream is open.
    Looking(Box<Looking>),
    /// The stream is read.
    Pulling(Box<Pulling>),
}

/// The JetStream lane.
#[derive(Debug)]
pub(crate) struct StreamMachine {
    pub(super) settings: Arc<Settings>,
    pending_max: u64,
    pub(super) wanted: Vec<Wanted>,
    pub(super) connection: Option<Connection>,
    pub(super) stage: StreamStage,
    pub(super) cursor: Cursor,
    /// What the stream held when it was first looked at.
    pub(super) first_look: Option<FirstLook>,
    /// Whether the stream was missing when it was looked for: whatever it holds later is new.
    pub(super) was_missing: bool,
    pub(super) missing: Option<Vec<EventType>>,
    pub(super) batch: Batch,
    pub(super) gaps: Gaps,
    /// What is owed to a durable consumer.
    pub(super) owing: Owing,
    told_pending: Option<(Instant, u64)>,
    pub(super) outputs: VecDeque<Output>,
}

/// What is acknowledged when.
fn ack_limits(settings: &Settings) -> AckLimits {
    if settings.state_dir.is_some() { ONCE_SAVED } else { ONCE_APPLIED }
}

impl StreamMachine {
    /// The lane of these types.
    pub(crate) fn new(settings: &Arc<Settings>, types: &[EventType], position: Option<Position>) -> Self {
        let wanted = |event_type: &EventType| {
            let (event_type, patterns) = (*event_type, settings.subjects.patterns(*event_type));
            patterns.into_iter().map(move |pattern| Wanted { event_type, pattern })
        };
        Self {
            settings: Arc::clone(settings),
            pending_max: settings.jetstream.ready_pending_max,
            wanted: types.iter().flat_map(wanted).collect(),
            connection: None,
            stage: StreamStage::Away,
            cursor: Cursor::after(position.filter(|it| it.stream == settings.jetstream.stream)),
            first_look: None,
            was_missing: false,
            missing: None,
            batch: Batch::default(),
            gaps: Gaps::default(),
            owing: Owing::new(ack_limits(settings)),
            told_pending: None,
            outputs: VecDeque::new(),
        }
    }

    pub(super) fn stream(&self) -> Arc<str> {
        Arc::clone(&self.settings.jetstream.stream)
    }

    /// What is asked of a durable consumer that is made.
    pub(super) fn ack_limits(&self) -> AckLimits {
        ack_limits(&self.settings)
    }

    pub(super) fn say(&mut self, remark: Remark) {
        self.outputs.push_back(Output::Say(remark));
    }

    pub(super) fn tell(&mut self, news: StreamNews) {
        self.outputs.push_back(Output::Hand(LaneItem::News(news), Terms::Wait));
    }

    /// Gives up for a while, with the reason.
    pub(super) fn rest(&mut self, trouble: Trouble, now: Instant) {
        let news = match trouble {
            Trouble::NoStream { .. } => {
                self.was_missing = true;
                StreamNews::Missing
            }
            Trouble::Forbidden(_)
            | Trouble::NoSubject { .. }
            | Trouble::SharedWorkQueue { .. }
            | Trouble::NotForPair { .. }
            | Trouble::Api(_)
            | Trouble::Behind(_) => StreamNews::Unreadable,
        };
        self.outputs.push_back(Output::Unready(Topic::Stream, trouble));
        self.tell(news);
        self.stage = StreamStage::Resting { until: now + LOOK_AGAIN };
    }

    /// Tells how many messages wait, now and then, and at once where none does.
    pub(super) fn tell_pending(&mut self, count: u64, now: Instant) {
        let due = self.told_pending.is_none_or(|(when, last)| {
            last != count && (count == 0 || now.saturating_duration_since(when) >= TELL_PENDING)
        });
        if !due {
            return;
        }
        self.told_pending = Some((now, count));
        self.outputs.push_back(Output::Fact(Fact::StreamPending { stream: self.stream(), count }));
        self.tell_lag(count);
    }

    fn tell_lag(&mut self, count: u64) {
        self.outputs.push_back(if count > self.pending_max {
            Output::Unready(Topic::Lag, Trouble::Behind(count))
        } else {
            Output::Ready(Topic::Lag)
        });
    }

    /// Takes every whole frame.
    fn take(&mut self, unread: &[u8], now: Instant) -> Result<Used, LinkError> {
        let mut used = Used::default();
        loop {
            let Some(connection) = &mut self.connection else {
                return Ok(Used { bytes: unread.len(), ..used });
            };
            let rest = unread.get(used.bytes..).unwrap_or_default();
            let Some((frame, length)) = connection.protocol.next(rest)? else { return Ok(used) };
            used.bytes += length;
            match frame {
                Frame::Message(delivery) if delivery.subscription == PULLED => {
                    used.messages += self.take_pulled(&delivery, now);
                }
                Frame::Message(delivery) => self.take_answer(&delivery, now),
                Frame::Error(text) if is_forbidden(text) => self.hear_forbidden(text, now),
                Frame::Error(text) => {
                    return Err(LinkError::Refused(String::from_utf8_lossy(text).into_owned()));
                }
                Frame::Info(_) => {
                    let urls = connection.protocol.info().connect_urls.clone();
                    self.outputs.push_back(Output::Learn(urls));
                }
                Frame::Ping | Frame::Pong | Frame::Ok => {}
            }
        }
    }

    fn take_answer(&mut self, delivery: &Delivery<'_>, now: Instant) {
        let Some(number) = self.connection.as_ref().and_then(|it| it.api.answered(delivery)) else { return };
        match &mut self.stage {
            StreamStage::Looking(looking) if looking.asked.number == number => self.take_look(delivery, now),
            StreamStage::Pulling(_) => self.take_check(number, delivery, now),
            StreamStage::Looking(_) | StreamStage::Away | StreamStage::Resting { .. } => {}
        }
    }

    /// The server refuses a request: nothing else will come of it.
    fn hear_forbidden(&mut self, text: &[u8], now: Instant) {
        let text = String::from_utf8_lossy(text).into_owned();
        match &self.stage {
            StreamStage::Looking(_) => self.rest(ApiError::Forbidden(text).into(), now),
            StreamStage::Pulling(_) => {
                let trouble = Trouble::Api(ApiError::Forbidden(text));
                self.outputs.push_back(Output::Unready(Topic::Stream, trouble));
                self.stop_pulling(now);
            }
            StreamStage::Away | StreamStage::Resting { .. } => {}
        }
    }

    fn lose(&mut self, error: &LinkError) {
        self.hand_batch();
        let was_leaving = self.connection.take().is_some_and(|it| it.protocol.info().leaving);
        self.stage = StreamStage::Away;
        self.outputs.push_back(Output::Down(error.to_string()));
        self.tell(StreamNews::Unreachable);
        self.outputs.push_back(Output::Open(if was_leaving { Choice::Another } else { Choice::Any }));
    }
}

impl Machine for StreamMachine {
    const LINK: Topic = Topic::StreamLink;

    fn start(&mut self) {
        self.outputs.push_back(Output::Open(Choice::Any));
    }

    fn opened(&mut self, opened: Opened, now: Instant) {
        self.outputs.push_back(Output::Learn(opened.info.connect_urls.clone()));
        let mut protocol = Protocol::new(opened.info, self.settings.nats.ping_interval, now);
        let domain = self.settings.jetstream.domain.as_deref();
        let api = Api::new(&mut protocol, domain, &opened.inbox);
        self.connection = Some(Connection { number: opened.number, protocol, api });
        self.outputs.push_back(Output::Up);
        self.look(now);
    }

    fn failed(&mut self, error: &LinkError) {
        self.outputs.push_back(Output::Down(error.to_string()));
        self.tell(StreamNews::Unreachable);
        self.outputs.push_back(Output::Open(Choice::Any));
    }

    fn closed(&mut self, _number: LinkNumber, error: &LinkError, _now: Instant) {
        self.lose(error);
    }

    fn read(&mut self, number: LinkNumber, unread: &[u8], now: Instant) -> Used {
        if let Some(connection) = &mut self.connection {
            connection.protocol.hear(now);
        }
        let used = self.take(unread, now).unwrap_or_else(|error| {
            self.outputs.push_back(Output::Close(number));
            self.lose(&error);
            Used { bytes: unread.len(), ..Used::default() }
        });
        self.after_read(now);
        Used { waiting: self.waiting(), ..used }
    }

    fn due(&mut self, now: Instant) {
        let silence = self.connection.as_mut().and_then(|it| {
            let number = it.number;
            it.protocol.due(now).err().map(|error| (number, error))
        });
        if let Some((number, error)) = silence {
            self.outputs.push_back(Output::Close(number));
            self.lose(&error);
            return;
        }
        match &self.stage {
            StreamStage::Resting { until } if now >= *until => self.look(now),
            StreamStage::Looking(looking) if now >= looking.deadline => {
                let subject = looking.asked.subject.clone();
                self.rest(ApiError::Silent { subject }.into(), now);
            }
            StreamStage::Pulling(_) => self.go_on(now),
            StreamStage::Away | StreamStage::Resting { .. } | StreamStage::Looking(_) => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let of_stage = match &self.stage {
            StreamStage::Away => None,
            StreamStage::Resting { until } => Some(*until),
            StreamStage::Looking(looking) => Some(looking.deadline),
            StreamStage::Pulling(pulling) => Some(pulling.deadline()),
        };
        let pulls = matches!(self.stage, StreamStage::Pulling(_));
        let of_gaps = self.gaps.deadline().filter(|_| pulls);
        let of_connection = self.connection.as_ref().map(|it| it.protocol.deadline());
        [of_stage, of_gaps, of_connection].into_iter().flatten().min()
    }

    fn handed(&mut self, handed: Handed, now: Instant) {
        if handed == Handed::Applied {
            self.owing.applied();
        }
        let StreamStage::Pulling(pulling) = &mut self.stage else { return };
        // The lane itself was busy: silence until now says nothing of the server.
        pulling.pulls.excuse(now);
        if handed == Handed::Applied {
            self.acknowledge(now);
        }
    }

    fn settled(&mut self, settled: Settled, now: Instant) {
        self.owing.settle(settled, now);
        self.acknowledge(now);
    }

    fn reuse(&mut self, spare: Batch) {
        self.batch.reuse(spare);
    }

    fn renew(&mut self) {
        if let Some(number) = self.connection.as_ref().map(|it| it.number) {
            self.outputs.push_back(Output::Close(number));
            self.lose(&LinkError::Renewed);
        }
    }

    fn bound_pending(&mut self, pending_max: u64) {
        if self.pending_max != pending_max {
            self.pending_max = pending_max;
            if let Some((_, count)) = self.told_pending {
                self.tell_lag(count);
            }
        }
    }

    fn finish(&mut self) {
        self.hand_batch();
        self.leave_consumer();
    }

    fn outgoing(&mut self, number: LinkNumber) -> Option<&mut Vec<u8>> {
        let connection = self.connection.as_mut().filter(|it| it.number == number)?;
        Some(connection.protocol.outgoing())
    }

    fn outputs(&mut self) -> &mut VecDeque<Output> {
        &mut self.outputs
    }
}
