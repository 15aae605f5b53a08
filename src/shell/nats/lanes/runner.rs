//! Runs a lane's machine: its sockets, its thread, and what it says.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::time::Duration;

use crate::engine::arrival::StreamNews;
use crate::shell::context::ShellContext;
use crate::shell::driver::batch::Batch;
use crate::shell::driver::mailbox::{FromStream, LaneItem, PushError, Slot};
use crate::shell::driver::shared::SharedDriver;
use crate::shell::limited_log::LimitedLog;
use crate::shell::nats::link::{Link, LinkError};
use crate::shell::nats::servers::Servers;
use crate::shell::nats::world::World;
use crate::shell::saves::Settled;

use super::machine::{Choice, Handed, LinkNumber, Machine, Opened, Output, Terms};
use super::pace::{Gathered, Pace};
use super::words::Remark;

/// The longest one read waits where two connections are read in turn.
const TURN: Duration = Duration::from_millis(5);

/// The shortest wait of a read.
const LEAST_WAIT: Duration = Duration::from_millis(1);

/// The longest wait where there is no connection, and of a read.
const LOOK_UP: Duration = Duration::from_millis(100);

/// How long the process's end waits for a batch to be applied so that it can be acknowledged.
const LAST_RECEIPT: Duration = Duration::from_secs(2);

/// A lane with its sockets.
pub(crate) struct Runner<M> {
    machine: M,
    context: ShellContext,
    driver: Arc<SharedDriver>,
    world: World,
    servers: Servers,
    links: Vec<(LinkNumber, Link)>,
    opening: Option<Receiver<SignedIn>>,
    opened: u32,
    /// Which of the credentials that were read are in use.
    credentials: u64,
    pace: Pace,
    /// How long a read may wait, where that is not as usual.
    patience: Option<Duration>,
    log: LimitedLog,
    /// What the machine knows of checkpoints.
    settled: Settled,
}

/// What came of an attempt to connect, and which of the credentials that were read it was made with, or later ones.
type SignedIn = (u64, Result<Link, LinkError>);

impl<M: Machine> Runner<M> {
    /// A lane over these servers.
    pub(crate) fn new(
        machine: M,
        (context, driver): (ShellContext, Arc<SharedDriver>),
        servers: Servers,
    ) -> Self {
        let world = World::real();
        let credentials = context.renewals.generation();
        let pace = Pace::new(context.settings.flow.coalesce_max, (world.now)());
        Self {
            machine,
            context,
            driver,
            world,
            servers,
            links: Vec::new(),
            opening: None,
            opened: 0,
            credentials,
            pace,
            patience: None,
            log: LimitedLog::default(),
            settled: Settled::default(),
        }
    }

    /// Runs until the process stops.
    pub(crate) fn run(mut self) {
        self.machine.start();
        while !self.context.stop.is_stopping() {
            self.perform();
            self.take_opened();
            self.read();
            self.machine.due((self.world.now)());
            self.renew();
            self.tell_settled();
        }
        self.machine.finish();
        self.perform();
        self.send();
    }

    /// Has the machine sign in anew where the credentials changed, and tells it what a reload may have changed.
    fn renew(&mut self) {
        self.machine.bound_pending(self.context.config.get().jetstream.ready_pending_max);
        let generation = self.context.renewals.generation();
        if generation != self.credentials {
            self.credentials = generation;
            self.machine.renew();
        }
    }

    /// Tells the machine what came of checkpoints, where that is news.
    fn tell_settled(&mut self) {
        let settled = self.context.saves.settled();
        if settled != self.settled {
            self.settled = settled;
            self.machine.settled(settled, (self.world.now)());
        }
    }

    /// Reads every connection once.
    fn read(&mut self) {
        self.perform();
        self.send();
        self.share_time();
        let mut gathered = Gathered::default();
        for place in 0..self.links.len() {
            let Some((number, link)) = self.links.get_mut(place) else { break };
            let number = *number;
            match link.read() {
                Ok(0) => {}
                Ok(count) => {
                    let used = self.machine.read(number, link.unread(), (self.world.now)());
                    link.consume(used.bytes);
                    gathered.bytes += count;
                    gathered.messages += used.messages;
                    gathered.waiting += used.waiting;
                }
                Err(error) => {
                    self.close(number);
                    self.machine.closed(number, &error, (self.world.now)());
                }
            }
            self.perform();
            if self.links.get(place).is_none_or(|(there, _)| *there != number) {
                // What closed moved the others up; they are read in the next round.
                break;
            }
        }
        let pause = self.pace.after(gathered, (self.world.now)());
        if !pause.is_zero() {
            self.send();
            self.context.stop.wait(pause);
        }
    }

    /// Sends what waits to be sent.
    fn send(&mut self) {
        let mut broken = Vec::new();
        for (number, link) in &mut self.links {
            let Some(outgoing) = self.machine.outgoing(*number).filter(|bytes| !bytes.is_empty()) else {
                continue;
            };
            if let Err(error) = link.send(&std::mem::take(outgoing)) {
                broken.push((*number, error));
            }
        }
        for (number, error) in broken {
            self.close(number);
            self.machine.closed(number, &error, (self.world.now)());
        }
        self.perform();
    }

    /// Does what the machine says.
    fn perform(&mut self) {
        while let Some(output) = self.machine.outputs().pop_front() {
            match output {
                Output::Open(choice) => self.open(choice),
                Output::Learn(urls) => self.servers.learn(&urls),
                Output::Close(number) => {
                    self.flush(number);
                    self.close(number);
                }
                Output::Hand(item, terms) => {
                    let handed = self.hand(item, terms);
                    self.machine.handed(handed, (self.world.now)());
                }
                Output::Fact(fact) => self.context.fact(fact),
                Output::Up => self.context.link_is_up(M::LINK),
                Output::Down(reason) => self.context.link_is_down(M::LINK, reason),
                Output::Ready(topic) => {
                    self.context.status.clear(topic);
                }
                Output::Unready(topic, trouble) => {
                    self.context.status.set(topic, trouble.to_string());
                }
                Output::Say(remark) => self.say(&remark),
                Output::Save => self.context.saves.wish(),
            }
        }
    }

    fn flush(&mut self, number: LinkNumber) {
        let link = self.links.iter_mut().find(|(there, _)| *there == number);
        if let (Some((_, link)), Some(outgoing)) = (link, self.machine.outgoing(number)) {
            // It is closed at once; what it could not take is nobody's loss.
            drop(link.send(&std::mem::take(outgoing)));
        }
    }

    fn close(&mut self, number: LinkNumber) {
        self.links.retain(|(there, _)| *there != number);
    }

    /// No read may wait for long where two connections are read in turn, or where something is due before its end.
    fn share_time(&mut self) {
        let now = (self.world.now)();
        let left = self.machine.deadline().map(|deadline| deadline.saturating_duration_since(now));
        let of_deadline = left.filter(|left| *left < LOOK_UP).map(|left| left.max(LEAST_WAIT));
        let of_turn = (self.links.len() > 1).then_some(TURN);
        let patience = [of_deadline, of_turn].into_iter().flatten().min();
        if patience == self.patience {
            return;
        }
        self.patience = patience;
        for (_, link) in &self.links {
            // Where that fails the connection is broken, which the next read says.
            drop(link.wait_to_read(patience));
        }
    }

    /// Connects, after the pause that failures call for, on a thread of its own: another connection may be read
    /// meanwhile.
    fn open(&mut self, choice: Choice) {
        if choice == Choice::Another {
            self.servers.pass_over();
        }
        let Some((address, userinfo)) = self.servers.aim() else { return };
        let pause = if self.opened == 0 && self.servers.is_first_attempt() {
            Duration::ZERO
        } else {
            self.servers.pause((self.world.random)())
        };
        let (context, world) = (self.context.clone(), self.world);
        let (sender, receiver) = sync_channel(1);
        let connect = move || {
            context.stop.wait(pause);
            let credentials = context.renewals.generation();
            let link = Link::open(&address, userinfo.as_ref(), &context.settings.nats, world);
            // A lane that is gone needs no connection.
            drop(sender.send((credentials, link)));
        };
        let spawned = std::thread::Builder::new().name("signalbox-connect".to_owned()).spawn(connect);
        match spawned {
            Ok(_) => self.opening = Some(receiver),
            Err(error) => {
                self.servers.failed();
                self.context.stop.wait(LOOK_UP);
                self.machine.failed(&error.into());
            }
        }
    }

    /// Takes a connection that was made.
    fn take_opened(&mut self) {
        let Some(opening) = &self.opening else {
            if self.links.is_empty() {
                self.context.stop.wait(LOOK_UP);
            }
            return;
        };
        let made = if self.links.is_empty() {
            opening.recv_timeout(LOOK_UP).map_err(|error| match error {
                RecvTimeoutError::Timeout => TryRecvError::Empty,
                RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
            })
        } else {
            opening.try_recv()
        };
        let made = match made {
            Ok(made) => made,
            Err(TryRecvError::Empty) => return,
            Err(TryRecvError::Disconnected) => (self.credentials, Err(LinkError::Closed)),
        };
        self.opening = None;
        match made {
            (credentials, Ok(link)) => {
                // Those that changed meanwhile are none of this connection's.
                self.credentials = credentials;
                self.servers.succeeded();
                self.opened += 1;
                let number = LinkNumber(self.opened);
                let prefix = &self.context.settings.nats.inbox_prefix;
                let inbox = format!("{prefix}.{:016x}{:016x}", (self.world.random)(), (self.world.random)());
                self.machine.opened(Opened { number, info: link.info.clone(), inbox }, (self.world.now)());
                self.links.push((number, link));
                self.patience = None;
            }
            (_, Err(error)) => {
                self.servers.failed();
                self.machine.failed(&error);
            }
        }
        self.perform();
    }

    /// Hands an item over, and gives the machine the memory of a batch that was applied.
    fn hand(&mut self, item: LaneItem, terms: Terms) -> Handed {
        let (slot, messages) = match &item {
            LaneItem::Core(batch) => (Slot::Core, batch.len()),
            LaneItem::Stream(FromStream { batch, .. }) => (Slot::Stream, batch.len()),
            LaneItem::News(
                StreamNews::Found { .. }
                | StreamNews::Drained
                | StreamNews::Acknowledged { .. }
                | StreamNews::Missing
                | StreamNews::Unreadable
                | StreamNews::Unreachable,
            )
            | LaneItem::Fact(_) => (Slot::Stream, 0),
        };
        match (terms, item) {
            (Terms::UntilApplied, LaneItem::Stream(batch)) => self.hand_until_applied(batch),
            (Terms::OrDrop(patience), item) => match self.driver.hand_over(slot, item, patience) {
                Ok(spare) => self.taken(spare),
                Err(PushError::Full) if !self.context.stop.is_stopping() => Handed::Dropped { messages },
                Err(PushError::Full | PushError::Closed) => Handed::Refused,
            },
            (Terms::Wait | Terms::UntilApplied, item) => self
                .driver
                .hand_over(slot, item, Duration::MAX)
                .map_or(Handed::Refused, |spare| self.taken(spare)),
        }
    }

    fn taken(&mut self, spare: Option<Batch>) -> Handed {
        if let Some(spare) = spare {
            self.machine.reuse(spare);
        }
        Handed::Taken
    }

    fn hand_until_applied(&mut self, batch: FromStream) -> Handed {
        let (applied, receipt) = sync_channel(1);
        let item = LaneItem::Stream(FromStream { receipt: Some(applied), ..batch });
        match self.driver.hand_over(Slot::Stream, item, Duration::MAX) {
            Ok(spare) => self.taken(spare),
            Err(_) => return Handed::Refused,
        };
        let mut stopping_since = None;
        while let Err(RecvTimeoutError::Timeout) = receipt.recv_timeout(LOOK_UP) {
            if self.context.stop.is_stopping() {
                let now = (self.world.now)();
                let since = *stopping_since.get_or_insert(now);
                if now.saturating_duration_since(since) > LAST_RECEIPT {
                    return Handed::Refused;
                }
            }
        }
        Handed::Applied
    }

    fn say(&mut self, remark: &Remark) {
        let stream = &*self.context.settings.jetstream.stream;
        match remark {
            Remark::ServerCut => {
                tracing::warn!("the server cut the connection of the core lane: events may be lost");
            }
            Remark::SlowConsumer => {
                tracing::warn!("the server says slow consumer: core-NATS events were lost");
            }
            Remark::EngineBehind => {
                tracing::warn!("the engine is behind: core-NATS events are dropped, counted");
            }
            Remark::ServerLeaves => {
                tracing::info!("the server is about to leave (lame duck mode): another is looked for");
            }
            Remark::TakenOver => tracing::info!("another connection took over from the server that leaves"),
            Remark::CreatingStream => tracing::info!(stream, "creating the stream"),
            Remark::StreamAnew(reason) => tracing::warn!(
                stream,
                reason = reason.word(),
                "the stream began anew; it is read from its first message"
            ),
            Remark::Lost { count } => {
                if let Some(unsaid) = self.log.may_say("lost") {
                    tracing::warn!(stream, count, unsaid, "messages left the stream before they were read");
                }
            }
            Remark::SubjectsMissing { missing, all } => tracing::warn!(
                stream,
                missing = missing.join(","),
                advice = format!("nats stream edit {stream} --subjects '{}'", all.join(",")),
                "the stream does not take these subjects of the JetStream lane; their events will not be seen"
            ),
            Remark::SubjectsComplete => tracing::info!(stream, "the stream takes all of the lane's subjects"),
        }
    }
}

#[cfg(test)]
mod tests;
