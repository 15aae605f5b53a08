//! Reading a consumer of the JetStream lane: from its deliveries to batches for the engine.

use std::time::{Duration, Instant};

use crate::engine::arrival::{Order, Origin, StreamNews};
use crate::engine::fact::Fact;
use crate::shell::driver::mailbox::{FromStream, LaneItem};
use crate::shell::nats::api::{Api, Asked, ConsumerInfo, StreamInfo};
use crate::shell::nats::frames::Delivery;
use crate::shell::settings::Settings;

use super::durable::{Durable, Into};
use super::gaps::GapMeans;
use super::looking::read;
use super::machine::{Output, Terms};
use super::pull::{Drained, MessagePlace, Pulled, Pulls, Request, is_of, judge};
use super::stream::{CursorOrigin, StreamMachine, StreamStage, Suspicion};
use super::words::Remark;
use crate::shell::driver::batch::Batch;

/// How often the stream is looked at while it is read.
const CHECK_EVERY: Duration = Duration::from_secs(10);

/// How long to wait before a consumer that cannot go on is made anew.
const MAKE_AGAIN: Duration = Duration::from_millis(50);

/// Messages asked for at a time of a consumer with acknowledgements.
const DURABLE_MESSAGES_MAX: usize = 512;

/// A consumer to pull from.
#[derive(Debug)]
pub(super) struct Consumer {
    /// As the server made it, and how far it delivered.
    pub(super) info: ConsumerInfo,
    /// Whether subjects are told apart here, because the server does not.
    pub(super) filter: Filter,
    /// What a gap in what it delivers means.
    pub(super) gap_means: GapMeans,
    /// What a consumer with acknowledgements needs beside.
    pub(super) durable: Option<Durable>,
}

/// Where other types' messages are passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// At the server.
    AtServer,
    /// Here, uncounted.
    Here,
}

/// A consumer that is read.
#[derive(Debug)]
pub(super) struct Pulling {
    pub(super) consumer: Consumer,
    pub(super) pulls: Pulls,
    check: Check,
    /// Messages that came since the stream was last asked about.
    since_check: u64,
    gap_question: Option<Asked>,
    drained: Told,
}

/// The look at the stream that is taken now and then.
#[derive(Debug)]
enum Check {
    /// It is due then.
    At(Instant),
    /// The stream is asked what it holds, of which so much was read.
    Stream { asked: Asked, deadline: Instant, read: u64 },
    /// The consumer is asked how far it is.
    Consumer { info: StreamInfo, asked: Asked, deadline: Instant },
}

/// Whether the engine was told that nothing waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    NotYet,
    Yes,
}

/// Whether a consumer can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accepted {
    Yes,
    /// A message before it is missing.
    MissingOne,
    /// It is of another life of the stream.
    OfAnotherLife,
}

impl Pulling {
    /// Nothing asked for yet.
    pub(super) fn new(settings: &Settings, api: &Api, consumer: Consumer, now: Instant) -> Self {
        let jetstream = &settings.jetstream;
        let most = if consumer.durable.is_some() { DURABLE_MESSAGES_MAX } else { usize::MAX };
        let request = Request {
            messages_max: jetstream.pull_messages_max.clamp(1, most),
            bytes_max: jetstream.pull_bytes_max.max(1),
            expires: jetstream.pull_expires,
            heartbeat: jetstream.heartbeat,
        };
        let subject = api.pull_subject(&jetstream.stream, &consumer.info.name);
        Self {
            consumer,
            pulls: Pulls::new(subject, request, now),
            check: Check::At(now + CHECK_EVERY),
            since_check: 0,
            gap_question: None,
            drained: Told::NotYet,
        }
    }

    /// When something has to be done next, where nothing comes before.
    pub(super) fn deadline(&self) -> Instant {
        let of_check = match &self.check {
            Check::At(at) => *at,
            Check::Stream { deadline, .. } | Check::Consumer { deadline, .. } => *deadline,
        };
        let of_held = self.consumer.durable.as_ref().and_then(Durable::deadline);
        [Some(self.pulls.deadline()), Some(of_check), of_held].into_iter().flatten().min().unwrap_or(of_check)
    }

    fn is_holding(&self) -> bool {
        self.consumer.durable.as_ref().is_some_and(Durable::is_holding)
    }
}

impl StreamMachine {
    /// Takes what came by a pull; says how many messages it was.
    pub(super) fn take_pulled(&mut self, delivery: &Delivery<'_>, now: Instant) -> usize {
        let StreamStage::Pulling(pulling) = &mut self.stage else { return 0 };
        match judge(delivery) {
            Pulled::Message(place) => {
                let Delivery { subject, reply, headers, payload, .. } = delivery;
                let bytes = subject.len() + reply.len() + headers.len() + payload.len();
                pulling.pulls.note_message(bytes, now);
                pulling.since_check += 1;
                match self.accept(delivery, place, now) {
                    Accepted::Yes => {}
                    Accepted::MissingOne => self.stop_pulling(now),
                    Accepted::OfAnotherLife => {
                        self.cursor.suspicion = Suspicion::RolledBack;
                        self.stop_pulling(now);
                    }
                }
                1
            }
            // Only what is about an open request: an older consumer's requests end too.
            Pulled::Broken if pulling.pulls.is_open(delivery.subject) => {
                self.stop_pulling(now);
                0
            }
            Pulled::Broken => 0,
            other @ (Pulled::Heartbeat | Pulled::Done(_)) => {
                let drained = pulling.pulls.note(delivery.subject, other, now);
                let is_all = !pulling.is_holding() && !self.owing.is_full();
                if drained == Drained::Yes && is_all {
                    self.tell_drained();
                }
                0
            }
        }
    }

    /// Takes one message.
    fn accept(&mut self, delivery: &Delivery<'_>, place: MessagePlace, now: Instant) -> Accepted {
        let is_wanted = match &self.stage {
            StreamStage::Pulling(pulling) => {
                pulling.consumer.filter == Filter::AtServer || self.wants(delivery.subject)
            }
            StreamStage::Away | StreamStage::Resting { .. } | StreamStage::Looking(_) => {
                return Accepted::Yes;
            }
        };
        let StreamStage::Pulling(pulling) = &mut self.stage else { return Accepted::Yes };
        let consumer = &mut pulling.consumer;
        consumer.info.num_pending = place.pending;
        if let Some(durable) = &mut consumer.durable {
            if self.cursor.contradicts(place) {
                return Accepted::OfAnotherLife;
            }
            let Some(connection) = &mut self.connection else { return Accepted::Yes };
            let (batch, owing, protocol) = (&mut self.batch, &mut self.owing, &mut connection.protocol);
            if is_wanted {
                durable.accept(delivery, place, &mut Into { batch, owing, protocol, now });
            } else {
                durable.pass_over(delivery, place, protocol);
            }
            if place.stream_sequence > self.cursor.sequence {
                self.cursor.pass(place);
            }
            self.hand_full_batch();
            return Accepted::Yes;
        }
        if place.consumer_sequence != consumer.info.delivered.consumer_seq.saturating_add(1) {
            let is_ours = is_of(delivery.reply, &consumer.info.name);
            return if is_ours { Accepted::MissingOne } else { Accepted::Yes };
        }
        consumer.info.delivered.consumer_seq = place.consumer_sequence;
        if place.stream_sequence <= self.cursor.sequence {
            return Accepted::Yes;
        }
        if let Some(look) = self.first_look {
            let theirs = match consumer.gap_means {
                GapMeans::Loss => look.holes_until,
                GapMeans::LossOrOthers | GapMeans::Nothing => look.others_until,
            };
            let start = self.cursor.sequence.max(theirs) + 1;
            self.gaps.note(start..place.stream_sequence, consumer.gap_means);
        }
        self.cursor.pass(place);
        if is_wanted {
            self.batch.push(delivery.subject, delivery.headers, delivery.payload);
            self.batch.note_stored(place.stored());
        }
        if self.hand_full_batch() {
            self.tell_pending(place.pending, now);
        }
        Accepted::Yes
    }

    /// Hands over what was gathered, where that is enough; whether it was.
    fn hand_full_batch(&mut self) -> bool {
        let flow = &self.settings.flow;
        let is_full =
            self.batch.bytes() >= flow.batch_bytes_max || self.batch.len() >= flow.batch_messages_max;
        if is_full {
            self.hand_batch();
        }
        is_full
    }

    /// Messages that wait in the stream, as far as is known.
    pub(super) fn waiting(&self) -> u64 {
        match &self.stage {
            StreamStage::Pulling(pulling) => pulling.consumer.info.num_pending,
            StreamStage::Away | StreamStage::Resting { .. } | StreamStage::Looking(_) => 0,
        }
    }

    /// What follows once everything that was read is taken.
    pub(super) fn after_read(&mut self, now: Instant) {
        if let StreamStage::Pulling(_) = &self.stage {
            self.go_on(now);
        }
    }

    /// Hands over what was gathered, asks for more, and looks at the stream where it is time.
    pub(super) fn go_on(&mut self, now: Instant) {
        self.tell_lost();
        self.release(now);
        self.hand_batch();
        let stream = self.stream();
        let StreamStage::Pulling(pulling) = &mut self.stage else { return };
        if now >= pulling.pulls.deadline() {
            self.stop_pulling(now);
            return;
        }
        let Some(connection) = &mut self.connection else { return };
        pulling.pulls.ask(&mut connection.protocol, &mut connection.api);
        if self.gaps.should_ask(now) {
            pulling.gap_question = Some(connection.api.ask_stream(&mut connection.protocol, &stream));
        }
        match &pulling.check {
            Check::At(at) if now >= *at => {
                let asked = connection.api.ask_stream(&mut connection.protocol, &stream);
                let deadline = now + self.settings.nats.request_timeout;
                pulling.check = Check::Stream { asked, deadline, read: self.cursor.sequence };
                pulling.since_check = 0;
            }
            Check::Stream { deadline, .. } | Check::Consumer { deadline, .. } if now >= *deadline => {
                self.stop_pulling(now);
                return;
            }
            Check::At(_) | Check::Stream { .. } | Check::Consumer { .. } => {}
        }
        let pending = pulling.consumer.info.num_pending;
        self.tell_pending(pending, now);
    }

    /// Moves what a durable consumer held into the batch, once nothing older is owed.
    fn release(&mut self, now: Instant) {
        let StreamStage::Pulling(pulling) = &mut self.stage else { return };
        let Some(durable) = &mut pulling.consumer.durable else { return };
        let Some(connection) = &mut self.connection else { return };
        let (batch, owing, protocol) = (&mut self.batch, &mut self.owing, &mut connection.protocol);
        durable.release(&mut Into { batch, owing, protocol, now });
        let is_idle = pulling.consumer.info.num_pending == 0 && !durable.is_holding();
        if self.batch.is_empty() && is_idle {
            self.tell_drained();
        }
        if self.settings.state_dir.is_some() && self.owing.wishes(now) {
            self.outputs.push_back(Output::Save);
        }
    }

    /// Tells the engine that nothing waits any more.
    fn tell_drained(&mut self) {
        self.hand_batch();
        let StreamStage::Pulling(pulling) = &mut self.stage else { return };
        if std::mem::replace(&mut pulling.drained, Told::Yes) == Told::NotYet {
            self.tell(StreamNews::Drained);
        }
    }

    /// Counts what was found to have left the stream unread.
    fn tell_lost(&mut self) {
        let count = self.gaps.take_lost();
        if count > 0 {
            self.count_lost(count);
        }
    }

    /// Counts what left the stream unread, at its place in the order.
    pub(super) fn count_lost(&mut self, count: u64) {
        self.say(Remark::Lost { count });
        let fact = Fact::StreamLost { stream: self.stream(), count };
        self.outputs.push_back(Output::Hand(LaneItem::Fact(fact), Terms::Wait));
    }

    /// Counts for lost what an earlier run acknowledged behind the place of the state, as its checkpoint is gone: nobody
    /// delivers it again.
    pub(super) fn count_acknowledged(&mut self, floor: u64) {
        let lost = floor.saturating_sub(self.cursor.sequence);
        if std::mem::take(&mut self.cursor.origin) == CursorOrigin::State && lost > 0 {
            self.count_lost(lost);
            self.cursor.sequence = floor;
        }
    }

    /// Hands over what was gathered, with where it is from.
    pub(super) fn hand_batch(&mut self) {
        let Some((first, last)) = self.batch.first_sequence().zip(self.batch.last_sequence()) else { return };
        let Some(epoch) = self.cursor.epoch.clone() else { return };
        let (order, pending) = match &self.stage {
            StreamStage::Pulling(pulling) if pulling.consumer.durable.is_some() => {
                (Order::Consumer, pulling.consumer.info.num_pending)
            }
            StreamStage::Pulling(pulling) => (Order::Stream, pulling.consumer.info.num_pending),
            StreamStage::Away | StreamStage::Resting { .. } | StreamStage::Looking(_) => return,
        };
        let origin = Origin {
            stream: self.stream(),
            epoch,
            order,
            first_sequence: first,
            last_sequence: last.max(self.cursor.sequence),
            pending,
        };
        let (terms, number) = match order {
            Order::Stream => (Terms::Wait, 0),
            Order::Consumer if self.settings.state_dir.is_some() => (Terms::Wait, self.owing.number_batch()),
            Order::Consumer => (Terms::UntilApplied, self.owing.number_batch()),
        };
        let batch = self.batch.take();
        let item = LaneItem::Stream(FromStream { origin, batch, receipt: None, number });
        self.outputs.push_back(Output::Hand(item, terms));
    }

    /// Tells the engine that what lies before the cursor and was in no batch is not ours; so many wait behind it.
    pub(super) fn hand_position(&mut self, pending: u64) {
        let Some(epoch) = self.cursor.epoch.clone() else { return };
        let sequence = self.cursor.sequence;
        let origin = Origin {
            stream: self.stream(),
            epoch,
            order: Order::Stream,
            first_sequence: sequence,
            last_sequence: sequence,
            pending,
        };
        let item = LaneItem::Stream(FromStream { origin, batch: Batch::default(), receipt: None, number: 0 });
        self.outputs.push_back(Output::Hand(item, Terms::Wait));
    }

    /// Acknowledges what is settled.
    pub(super) fn acknowledge(&mut self, now: Instant) {
        if let (StreamStage::Pulling(pulling), Some(connection)) = (&self.stage, &mut self.connection)
            && pulling.consumer.durable.is_some()
        {
            self.owing.acknowledge(&mut connection.protocol, now);
        }
    }

    /// Takes an answer that is about the stream that is read.
    pub(super) fn take_check(&mut self, number: u64, delivery: &Delivery<'_>, now: Instant) {
        let stream = self.stream();
        let (StreamStage::Pulling(pulling), Some(connection)) = (&mut self.stage, &mut self.connection)
        else {
            return;
        };
        if pulling.gap_question.take_if(|asked| asked.number == number).is_some() {
            if let Some(info) = read::<StreamInfo>(delivery) {
                self.gaps.answered(info.state.first_seq);
            }
            return;
        }
        match &pulling.check {
            Check::Stream { asked, read: has_read, .. } if asked.number == number => {
                let has_read = *has_read;
                let Some(info) = read::<StreamInfo>(delivery) else { return self.stop_pulling(now) };
                let asked = connection.api.ask_consumer(
                    &mut connection.protocol,
                    &stream,
                    &pulling.consumer.info.name,
                );
                let deadline = now + self.settings.nats.request_timeout;
                pulling.check = Check::Consumer { info: info.clone(), asked, deadline };
                let is_it = self.cursor.epoch.as_ref().is_some_and(|epoch| *epoch.created == *info.created);
                let is_rolled_back = is_it && self.is_rolled_back(&info, has_read);
                if is_rolled_back {
                    // By the next look it may have got as much again.
                    self.cursor.suspicion = Suspicion::RolledBack;
                }
                let missing = self.missing.clone();
                let lacks = self.check_subjects(&info).is_err() || self.missing != missing;
                if lacks || !is_it || is_rolled_back {
                    self.stop_pulling(now);
                }
            }
            Check::Consumer { info, asked, .. } if asked.number == number => {
                let last_sequence = info.state.last_seq;
                self.cursor.seen = self.cursor.seen.max(last_sequence);
                let Some(seen) = read::<ConsumerInfo>(delivery) else { return self.stop_pulling(now) };
                pulling.check = Check::At(now + CHECK_EVERY);
                let delivered = pulling.consumer.info.delivered.consumer_seq;
                let is_quiet = pulling.since_check == 0
                    && seen.num_pending == 0
                    && seen.delivered.consumer_seq == delivered;
                // So that other types' messages that leave the stream later are not taken for lost ones.
                if let Some(durable) = &mut pulling.consumer.durable {
                    if is_quiet {
                        durable.reconsider(&seen, &self.owing);
                    }
                    let sequence = durable.through(&seen);
                    self.hand_batch();
                    self.tell(StreamNews::Acknowledged { sequence });
                } else if is_quiet && last_sequence > self.cursor.sequence {
                    if pulling.consumer.gap_means == GapMeans::Loss {
                        // All of them were ours, and nothing will come behind them that shows the gap.
                        self.gaps.note(self.cursor.sequence + 1..last_sequence + 1, GapMeans::Loss);
                    }
                    self.cursor.sequence = last_sequence;
                    self.hand_position(0);
                }
            }
            Check::At(_) | Check::Stream { .. } | Check::Consumer { .. } => {}
        }
    }

    /// Has the consumer made anew.
    pub(super) fn stop_pulling(&mut self, now: Instant) {
        self.hand_batch();
        self.leave_consumer();
        self.stage = StreamStage::Resting { until: now + MAKE_AGAIN };
    }

    /// Deletes a consumer that nobody needs any more.
    pub(super) fn leave_consumer(&mut self) {
        let stream = self.stream();
        if let (StreamStage::Pulling(pulling), Some(connection)) = (&self.stage, &mut self.connection)
            && pulling.consumer.durable.is_none()
        {
            let name = &pulling.consumer.info.name;
            connection.api.delete_consumer(&mut connection.protocol, &stream, name);
        }
    }
}
