//! A lane's machine with the broker in the place of its sockets: what [`crate::shell::nats::lanes::runner`] does with
//! threads.

use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use super::broker::Broker;
use super::random::Random;
use super::time::{self, MILLI, Micros};
use crate::shell::context::ShellContext;
use crate::shell::driver::mailbox::{FromStream, LaneItem, PushError, Slot};
use crate::shell::nats::lanes::machine::{Handed, LinkNumber, Machine, Opened, Output, Terms};
use crate::shell::nats::link::LinkError;
use crate::shell::nats::protocol::ServerInfo;
use crate::shell::saves::Settled;
use std::time::Duration;

/// The longest pause before connecting again.
const PAUSE_MAX: Micros = 2 * time::SECOND;

/// A connection of the lane.
#[derive(Debug)]
struct SimulatedLink {
    number: LinkNumber,
    connection: u32,
    unread: Vec<u8>,
}

/// What keeps the lane from going on.
#[derive(Debug)]
enum Blocked {
    /// The engine has no room for this.
    Full(Box<LaneItem>, Terms),
    /// It waits until what it handed over is applied.
    Unapplied(Receiver<()>),
}

/// A lane.
#[derive(Debug)]
pub(super) struct Lane<M> {
    machine: M,
    slot: Slot,
    context: ShellContext,
    links: Vec<SimulatedLink>,
    opening: Option<Micros>,
    failures: u32,
    opened: u32,
    blocked: Option<Blocked>,
    settled: Settled,
    random: Random,
}

impl<M: Machine> Lane<M> {
    /// A lane that begins.
    pub(super) fn new(mut machine: M, slot: Slot, context: ShellContext, seed: u64) -> Self {
        machine.start();
        Self {
            machine,
            slot,
            context,
            links: Vec::new(),
            opening: None,
            failures: 0,
            opened: 0,
            blocked: None,
            settled: Settled::default(),
            random: Random::new(seed),
        }
    }

    /// When it has something to do.
    pub(super) fn ready_at(&mut self, broker: &Broker, now: Micros) -> Option<Micros> {
        if self.blocked.is_some() {
            return Some(now + MILLI);
        }
        if !self.machine.outputs().is_empty() {
            return Some(now);
        }
        let readable = self.links.iter().filter_map(|link| broker.readable_at(link.connection)).min();
        let deadline = self.machine.deadline().map(time::micros_of);
        [self.opening, readable, deadline].into_iter().flatten().min()
    }

    /// Does what is due.
    pub(super) fn work(&mut self, broker: &mut Broker, now: Micros) {
        self.unblock();
        self.perform(broker, now);
        if self.blocked.is_some() {
            return;
        }
        let settled = self.context.saves.settled();
        if std::mem::replace(&mut self.settled, settled) != settled {
            self.machine.settled(settled, time::at(now));
        }
        if self.opening.is_some_and(|at| at <= now) {
            self.opening = None;
            self.open(broker);
        }
        self.read(broker, now);
        if self.blocked.is_none() && self.machine.deadline().is_some_and(|at| time::micros_of(at) <= now) {
            self.machine.due(time::at(now));
        }
        self.perform(broker, now);
        self.send(broker, now);
    }

    /// The process ends in order: what was read is handed over.
    pub(super) fn finish(&mut self, broker: &mut Broker, now: Micros) {
        self.unblock();
        self.machine.finish();
        self.perform(broker, now);
        self.send(broker, now);
    }

    /// Its connections.
    pub(super) fn connections(&self) -> impl Iterator<Item = u32> {
        self.links.iter().map(|link| link.connection)
    }

    /// Reads each connection once.
    fn read(&mut self, broker: &mut Broker, now: Micros) {
        let mut place = 0;
        while self.blocked.is_none()
            && let Some(link) = self.links.get_mut(place)
        {
            let number = link.number;
            match broker.read(link.connection, now) {
                Some(bytes) if bytes.is_empty() => {}
                Some(bytes) => {
                    link.unread.extend_from_slice(&bytes);
                    let used = self.machine.read(number, &link.unread, time::at(now));
                    link.unread.drain(..used.bytes.min(link.unread.len()));
                }
                None => {
                    self.close(number, broker);
                    self.machine.closed(number, &LinkError::Closed, time::at(now));
                }
            }
            self.perform(broker, now);
            if self.links.get(place).is_some_and(|link| link.number == number) {
                place += 1;
            }
        }
    }

    fn send(&mut self, broker: &mut Broker, now: Micros) {
        for link in &self.links {
            if let Some(outgoing) = self.machine.outgoing(link.number).filter(|bytes| !bytes.is_empty()) {
                broker.take_bytes(link.connection, &std::mem::take(outgoing), now);
            }
        }
    }

    /// Does what the machine says, until it has to wait.
    fn perform(&mut self, broker: &mut Broker, now: Micros) {
        while self.blocked.is_none()
            && let Some(output) = self.machine.outputs().pop_front()
        {
            match output {
                Output::Open(_) => self.opening = Some(now + self.pause()),
                Output::Close(number) => {
                    self.send(broker, now);
                    self.close(number, broker);
                }
                Output::Hand(item, terms) => self.hand(item, terms),
                Output::Fact(fact) => self.context.fact(fact),
                Output::Up => self.context.link_is_up(M::LINK),
                Output::Down(reason) => self.context.link_is_down(M::LINK, reason),
                Output::Ready(topic) => drop(self.context.status.clear(topic)),
                Output::Unready(topic, trouble) => {
                    self.context.status.set(topic, trouble.to_string());
                }
                Output::Save => self.context.saves.wish(),
                Output::Learn(_) | Output::Say(_) => {}
            }
        }
    }

    fn pause(&mut self) -> Micros {
        let most = (50 * MILLI) << self.failures.min(6);
        if self.failures == 0 { 0 } else { self.random.below(most.min(PAUSE_MAX)) }
    }

    fn open(&mut self, broker: &mut Broker) {
        let Some(connection) = broker.connect() else {
            self.failures += 1;
            self.machine.failed(&LinkError::Closed);
            return;
        };
        self.failures = 1;
        self.opened += 1;
        let number = LinkNumber(self.opened);
        let info = ServerInfo { server_id: broker.server_id(), ..ServerInfo::default() };
        let inbox = format!("_INBOX.{:016x}", self.random.next());
        self.machine.opened(Opened { number, info, inbox }, time::now());
        self.links.push(SimulatedLink { number, connection, unread: Vec::new() });
    }

    fn close(&mut self, number: LinkNumber, broker: &mut Broker) {
        for link in self.links.extract_if(.., |link| link.number == number) {
            broker.forget(link.connection);
        }
    }

    fn hand(&mut self, item: LaneItem, terms: Terms) {
        let messages = match &item {
            LaneItem::Core(batch) | LaneItem::Stream(FromStream { batch, .. }) => batch.len(),
            LaneItem::News(_) | LaneItem::Fact(_) => 0,
        };
        let mailbox = &self.context.mailbox;
        let handed = match (terms, item) {
            (Terms::Wait | Terms::UntilApplied, item) if !mailbox.has_room(self.slot, &item) => {
                self.blocked = Some(Blocked::Full(Box::new(item), terms));
                return;
            }
            (Terms::UntilApplied, LaneItem::Stream(batch)) => {
                let (applied, receipt) = sync_channel(1);
                let item = LaneItem::Stream(FromStream { receipt: Some(applied), ..batch });
                if mailbox.push(self.slot, item, Duration::ZERO).is_ok() {
                    self.blocked = Some(Blocked::Unapplied(receipt));
                    return;
                }
                Handed::Refused
            }
            (_, item) => match mailbox.push(self.slot, item, Duration::ZERO) {
                Ok(()) => {
                    if let Some(spare) = mailbox.spare() {
                        self.machine.reuse(spare);
                    }
                    Handed::Taken
                }
                Err(PushError::Full) => Handed::Dropped { messages },
                Err(PushError::Closed) => Handed::Refused,
            },
        };
        self.machine.handed(handed, time::now());
    }

    /// Goes on where what it waited for has come.
    fn unblock(&mut self) {
        match self.blocked.take() {
            None => {}
            Some(Blocked::Full(item, terms)) => self.hand(*item, terms),
            Some(Blocked::Unapplied(receipt)) => match receipt.try_recv() {
                Ok(()) => self.machine.handed(Handed::Applied, time::now()),
                Err(TryRecvError::Empty) => self.blocked = Some(Blocked::Unapplied(receipt)),
                Err(TryRecvError::Disconnected) => self.machine.handed(Handed::Refused, time::now()),
            },
        }
    }
}
