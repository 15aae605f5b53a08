//! The core lane: one subscription a type, read as fast as it comes, every loss counted.
//!
//! Where the engine is behind, reading waits for it for a while and TCP holds the server back; the server in turn
//! slows its publishers. It would cut a client that stays behind, so after that while messages are dropped here,
//! counted one by one, until there is room again. A server that leaves (lame duck mode) is read until another
//! connection is subscribed and its subscriptions are known in the cluster.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::engine::fact::{DropReason, Fact};
use crate::engine::wire::EventType;
use crate::shell::driver::mailbox::LaneItem;
use crate::shell::nats::frames::{Delivery, Frame};
use crate::shell::nats::link::LinkError;
use crate::shell::nats::protocol::{Protocol, is_forbidden};
use crate::shell::saves::Settled;
use crate::shell::settings::{FlowSettings, Settings};
use crate::shell::status::Topic;

use super::machine::{Choice, Handed, LinkNumber, Machine, Opened, Output, Terms, Used};
use super::overlap::{Overlap, Pass, Side};
use super::subscriptions::Subscriptions;
use super::words::{Remark, Trouble};
use crate::shell::driver::batch::Batch;

/// How long a cluster may take to tell its servers of a subscription.
const SPREAD: Duration = Duration::from_millis(250);

/// How long messages of an old connection may still come by the new one after it was closed.
const TAIL: Duration = Duration::from_secs(1);

/// The core lane.
#[derive(Debug)]
pub(crate) struct CoreMachine {
    flow: FlowSettings,
    ping_interval: Duration,
    subjects: Vec<String>,
    /// At most two; the last takes over from the one before it.
    connections: Vec<Connection>,
    handover: Handover,
    gap: Option<Gap>,
    batch: Batch,
    room: Room,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Connection {
    number: LinkNumber,
    protocol: Protocol,
    subscriptions: Subscriptions,
    stage: CoreStage,
}

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CoreStage {
    /// Its subscriptions are not judged yet.
    Asking,
    /// It is subscribed.
    Subscribed,
    /// It is being read out.
    Ending,
}

/// Whether a connection takes over from another.
#[derive(Debug)]
enum Handover {
    /// None does.
    None,
    /// One is being made.
    Wanted,
    /// Both are subscribed.
    Both { overlap: Overlap, spread: Option<Instant> },
    /// The old one is gone.
    Tail { overlap: Overlap, until: Instant },
}

/// A time without a subscription.
#[derive(Debug)]
struct Gap {
    /// The server that was heard before it.
    server_id: String,
}

/// Whether the engine takes batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Enough,
    None,
}

impl CoreMachine {
    /// The lane of these types.
    pub(crate) fn new(settings: &Settings, types: &[EventType]) -> Self {
        Self {
            flow: settings.flow.clone(),
            ping_interval: settings.nats.ping_interval,
            subjects: types.iter().flat_map(|event_type| settings.subjects.patterns(*event_type)).collect(),
            connections: Vec::new(),
            handover: Handover::None,
            gap: None,
            batch: Batch::default(),
            room: Room::Enough,
            outputs: VecDeque::new(),
        }
    }

    fn place(&self, number: LinkNumber) -> Option<usize> {
        self.connections.iter().position(|connection| connection.number == number)
    }

    /// Takes every whole frame.
    fn take(&mut self, number: LinkNumber, unread: &[u8], now: Instant) -> Result<Used, LinkError> {
        let mut used = Used::default();
        let Some(place) = self.place(number) else {
            return Ok(Used { bytes: unread.len(), ..Used::default() });
        };
        loop {
            let Some(connection) = self.connections.get_mut(place) else { return Ok(used) };
            let rest = unread.get(used.bytes..).unwrap_or_default();
            let Some((frame, length)) = connection.protocol.next(rest)? else { return Ok(used) };
            used.bytes += length;
            match frame {
                Frame::Message(delivery) => {
                    used.messages += 1;
                    self.accept(place, &delivery);
                }
                Frame::Error(text) if is_forbidden(text) => {
                    connection.subscriptions.forbid(&String::from_utf8_lossy(text));
                }
                Frame::Error(text) => return Err(self.refused(text)),
                Frame::Pong => self.settle(place, now),
                Frame::Info(_) => self.look_at_info(place),
                Frame::Ping | Frame::Ok => {}
            }
        }
    }

    fn accept(&mut self, place: usize, delivery: &Delivery<'_>) {
        if let Handover::Both { overlap, .. } | Handover::Tail { overlap, .. } = &mut self.handover {
            let is_last = place + 1 == self.connections.len();
            let side = if is_last { Side::Newer } else { Side::Older };
            if overlap.note(side, delivery) == Pass::No {
                return;
            }
        }
        self.batch.push(delivery.subject, delivery.headers, delivery.payload);
        if self.batch.len() >= self.flow.batch_messages_max || self.batch.bytes() >= self.flow.batch_bytes_max
        {
            self.flush();
        }
    }

    /// Hands the batch over.
    fn flush(&mut self) {
        if !self.batch.is_empty() {
            let patience = match self.room {
                Room::Enough => self.flow.full_wait_max,
                Room::None => Duration::ZERO,
            };
            let batch = LaneItem::Core(self.batch.take());
            self.outputs.push_back(Output::Hand(batch, Terms::OrDrop(patience)));
        }
    }

    fn refused(&mut self, text: &[u8]) -> LinkError {
        let text = String::from_utf8_lossy(text).into_owned();
        if is_slow_consumer(&text) {
            self.outputs.push_back(Output::Say(Remark::SlowConsumer));
            self.count_incident(DropReason::ServerCut);
        }
        LinkError::Refused(text)
    }

    fn count_incident(&mut self, reason: DropReason) {
        self.outputs.push_back(Output::Fact(Fact::Dropped { reason, count: 1 }));
    }

    /// Everything that was asked for before this `PONG` has been dealt with.
    fn settle(&mut self, place: usize, now: Instant) {
        let is_last = place + 1 == self.connections.len();
        let Some(connection) = self.connections.get_mut(place) else { return };
        if !connection.protocol.is_settled() {
            return;
        }
        if connection.stage == CoreStage::Ending {
            let number = connection.number;
            self.connections.remove(place);
            self.outputs.push_back(Output::Close(number));
            if !self.connections.is_empty() {
                self.outputs.push_back(Output::Say(Remark::TakenOver));
            }
            self.end_overlap(now);
            return;
        }
        let Some(forbidden) = connection.subscriptions.settle() else { return };
        self.outputs.push_back(match forbidden {
            [] => Output::Ready(Topic::Subscriptions),
            forbidden => Output::Unready(Topic::Subscriptions, Trouble::Forbidden(forbidden.to_vec())),
        });
        if connection.stage == CoreStage::Asking {
            connection.stage = CoreStage::Subscribed;
            self.outputs.push_back(Output::Up);
        }
        if let (true, Handover::Both { spread: spread @ None, .. }) = (is_last, &mut self.handover) {
            *spread = Some(now + SPREAD);
        }
    }

    fn end_overlap(&mut self, now: Instant) {
        if let Handover::Both { overlap, .. } = std::mem::replace(&mut self.handover, Handover::None) {
            self.handover = Handover::Tail { overlap, until: now + TAIL };
        }
    }

    fn look_at_info(&mut self, place: usize) {
        let is_last = place + 1 == self.connections.len();
        let Some(connection) = self.connections.get(place) else { return };
        let info = connection.protocol.info();
        self.outputs.push_back(Output::Learn(info.connect_urls.clone()));
        if info.leaving && is_last && matches!(self.handover, Handover::None | Handover::Tail { .. }) {
            self.handover = Handover::Wanted;
            self.outputs.push_back(Output::Say(Remark::ServerLeaves));
            self.outputs.push_back(Output::Open(Choice::Another));
        }
    }

    /// Takes a connection out that broke.
    fn lose(&mut self, number: LinkNumber, error: &LinkError, now: Instant) {
        let Some(place) = self.place(number) else { return };
        self.flush();
        let connection = self.connections.remove(place);
        let stood = connection.stage != CoreStage::Asking;
        match (&self.handover, self.connections.is_empty()) {
            (Handover::Both { spread, .. }, false) if place == 0 => {
                // The old one went before the new one was known everywhere.
                if spread.is_none_or(|spread| now < spread) {
                    self.count_incident(DropReason::Disconnected);
                }
                self.end_overlap(now);
            }
            // The new one broke while the old one still stands.
            (_, false) => {
                self.handover = Handover::Wanted;
                self.outputs.push_back(Output::Open(Choice::Another));
                // The old one has ended its subscriptions already: nobody hears what comes now.
                if self.connections.iter().all(|it| it.stage == CoreStage::Ending) {
                    self.begin_gap(&connection);
                    self.outputs.push_back(Output::Down(error.to_string()));
                }
            }
            (handover, true) => {
                let choice = if connection.protocol.info().leaving { Choice::Another } else { Choice::Any };
                if !matches!(handover, Handover::Wanted) {
                    self.outputs.push_back(Output::Open(choice));
                }
                self.handover = Handover::None;
                // Where the server says slow consumer, that is counted already.
                let is_counted = matches!(error, LinkError::Refused(text) if is_slow_consumer(text));
                if stood && !is_counted {
                    self.begin_gap(&connection);
                }
                self.outputs.push_back(Output::Down(error.to_string()));
            }
        }
    }

    /// From here on nothing is subscribed; this connection was the last that was.
    fn begin_gap(&mut self, last: &Connection) {
        let server_id = last.protocol.info().server_id.clone();
        self.gap.get_or_insert(Gap { server_id });
    }

    /// What may have been lost without a subscription cannot be known: one incident.
    fn close_gap(&mut self, server_id: &str) {
        let Some(gap) = self.gap.take() else { return };
        if gap.server_id == server_id {
            // The same server again: it did not restart, it closed on us, with whatever it held for us.
            self.outputs.push_back(Output::Say(Remark::ServerCut));
            self.count_incident(DropReason::ServerCut);
        } else {
            self.count_incident(DropReason::Disconnected);
        }
    }

    /// Ends the old connection once the new one's subscriptions are known everywhere.
    fn hand_over(&mut self, now: Instant) {
        match &self.handover {
            Handover::Both { spread: Some(spread), .. } if now >= *spread => {
                if let [older, _, ..] = self.connections.as_mut_slice()
                    && older.stage == CoreStage::Subscribed
                {
                    older.stage = CoreStage::Ending;
                    Subscriptions::end(&mut older.protocol, &self.subjects);
                }
            }
            Handover::Tail { until, .. } if now >= *until => self.handover = Handover::None,
            Handover::None | Handover::Wanted | Handover::Both { .. } | Handover::Tail { .. } => {}
        }
    }
}

fn is_slow_consumer(text: &str) -> bool {
    text.to_lowercase().starts_with("slow consumer")
}

impl Machine for CoreMachine {
    const LINK: Topic = Topic::CoreLink;

    fn start(&mut self) {
        self.outputs.push_back(Output::Open(Choice::Any));
    }

    fn opened(&mut self, opened: Opened, now: Instant) {
        self.outputs.push_back(Output::Learn(opened.info.connect_urls.clone()));
        self.close_gap(&opened.info.server_id);
        let mut protocol = Protocol::new(opened.info, self.ping_interval, now);
        let subscriptions = Subscriptions::ask(&mut protocol, &self.subjects, now);
        self.handover = if self.connections.is_empty() {
            Handover::None
        } else {
            Handover::Both { overlap: Overlap::default(), spread: None }
        };
        let number = opened.number;
        self.connections.push(Connection { number, protocol, subscriptions, stage: CoreStage::Asking });
    }

    fn failed(&mut self, error: &LinkError) {
        if self.connections.is_empty() {
            self.outputs.push_back(Output::Down(error.to_string()));
        }
        self.outputs.push_back(Output::Open(Choice::Any));
    }

    fn closed(&mut self, number: LinkNumber, error: &LinkError, now: Instant) {
        self.lose(number, error, now);
    }

    fn read(&mut self, number: LinkNumber, unread: &[u8], now: Instant) -> Used {
        if let Some(connection) = self.place(number).and_then(|place| self.connections.get_mut(place)) {
            connection.protocol.hear(now);
        }
        let used = self.take(number, unread, now).unwrap_or_else(|error| {
            self.outputs.push_back(Output::Close(number));
            self.lose(number, &error, now);
            Used { bytes: unread.len(), ..Used::default() }
        });
        self.flush();
        used
    }

    fn due(&mut self, now: Instant) {
        let mut silent = Vec::new();
        for connection in &mut self.connections {
            connection.subscriptions.due(&mut connection.protocol, &self.subjects, now);
            if let Err(error) = connection.protocol.due(now) {
                silent.push((connection.number, error));
            }
        }
        for (number, error) in silent {
            self.outputs.push_back(Output::Close(number));
            self.lose(number, &error, now);
        }
        self.hand_over(now);
    }

    fn deadline(&self) -> Option<Instant> {
        let of_connections = self.connections.iter().flat_map(|connection| {
            [Some(connection.protocol.deadline()), connection.subscriptions.deadline()]
        });
        let is_ending = self.connections.first().is_some_and(|older| older.stage == CoreStage::Ending);
        let of_handover = match &self.handover {
            Handover::Both { spread, .. } if !is_ending => *spread,
            Handover::Tail { until, .. } => Some(*until),
            Handover::None | Handover::Wanted | Handover::Both { .. } => None,
        };
        of_connections.chain([of_handover]).flatten().min()
    }

    fn handed(&mut self, handed: Handed, _now: Instant) {
        match handed {
            Handed::Taken | Handed::Applied => self.room = Room::Enough,
            Handed::Dropped { messages } => {
                if self.room == Room::Enough {
                    self.outputs.push_back(Output::Say(Remark::EngineBehind));
                }
                self.room = Room::None;
                let count = messages as u64;
                self.outputs
                    .push_back(Output::Fact(Fact::Dropped { reason: DropReason::SlowConsumer, count }));
            }
            Handed::Refused => {}
        }
    }

    fn settled(&mut self, _settled: Settled, _now: Instant) {}

    fn reuse(&mut self, spare: Batch) {
        self.batch.reuse(spare);
    }

    fn renew(&mut self) {
        let stands = self.connections.last().is_some_and(|it| it.stage == CoreStage::Subscribed);
        if stands && matches!(self.handover, Handover::None | Handover::Tail { .. }) {
            self.handover = Handover::Wanted;
            self.outputs.push_back(Output::Open(Choice::Any));
        }
    }

    fn finish(&mut self) {
        self.flush();
    }

    fn outgoing(&mut self, number: LinkNumber) -> Option<&mut Vec<u8>> {
        let place = self.place(number)?;
        self.connections.get_mut(place).map(|connection| connection.protocol.outgoing())
    }

    fn outputs(&mut self) -> &mut VecDeque<Output> {
        &mut self.outputs
    }
}
