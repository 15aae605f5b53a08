//! The driver: who owns the engine and calls it, one at a time (`shared`).
//!
//! It waits for nothing but its mailbox: no broker, no disk, no client. What it has to say goes into queues.

pub(crate) mod batch;
pub(crate) mod command;
pub(crate) mod examples;
pub(crate) mod mailbox;
pub(crate) mod notifications;
mod recollection;
pub(crate) mod rejections;
pub(crate) mod shared;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::engine::Engine;
use crate::engine::arrival::{Standing, Stored};
use crate::engine::fact::{Fact, Notice, PairStanding, Rejected};
use crate::engine::rules::{AlertEvent, StoredAlerts};
use crate::engine::wire::{EventId, Lane, Message};

use super::clock::Clock;
use super::status::{Status, Topic};
use command::{Command, Dispatch, HandedOut, Logged, Reload};
use mailbox::{FromStream, LaneGate, LaneItem, Mailbox, Taken};
use notifications::NotificationQueues;
use recollection::Recollection;
use rejections::Rejections;

/// The longest the driver sleeps.
const SLEEP_MAX: Duration = Duration::from_millis(500);

/// Alert events handed to the publisher at a time; the rest stay in the engine's outbox, and in the log.
pub(crate) const IN_FLIGHT_MAX: usize = 256;

/// What the driver works with.
pub(crate) struct Driver {
    /// The engine.
    pub(crate) engine: Engine,
    /// Where work comes from.
    mailbox: Arc<Mailbox>,
    /// The condition.
    pub(crate) status: Arc<Status>,
    /// The clock.
    pub(crate) clock: Clock,
    /// Where what it decides goes.
    outputs: Outputs,
    /// How far catching up was when it was last told.
    standing: Standing,
    /// Alert events handed to the publisher and not confirmed.
    in_flight: usize,
    /// Alert events at the front of the outbox that were given to who writes the log, those in flight among them.
    logged: usize,
    /// Whether this instance of a pair publishes; none without a pair.
    pair: Option<PairStanding>,
    /// What a stream shows of our alerts, until it is taken over.
    shown: Option<Box<StoredAlerts>>,
    recollection: Recollection,
    /// Who waits for a checkpoint.
    saves: Vec<SyncSender<HandedOut>>,
    /// The last batch applied of those that are to be acknowledged.
    batch: u64,
}

/// Where what a driver decides goes.
pub(crate) struct Outputs {
    /// Where alert events go.
    pub(crate) alerts: UnboundedSender<Dispatch>,
    /// Where copies of rejected events go.
    pub(crate) rejections: Rejections,
    /// Where what Alertmanagers are told goes at once; none where a log comes first, and who writes it tells them.
    pub(crate) notifications: Option<Arc<NotificationQueues>>,
    /// Alert events handed to the publisher at a time.
    pub(crate) in_flight_max: usize,
}

/// Whether the driver goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DriverStage {
    /// Until it is told to finish.
    Running,
    /// Until nothing waits.
    Finishing,
    /// It does not.
    Finished,
}

impl Driver {
    /// Nothing is in flight yet; who publishes is told whether an earlier run read a stream.
    pub(crate) fn new(
        (engine, clock): (Engine, Clock),
        (mailbox, status): (Arc<Mailbox>, Arc<Status>),
        outputs: Outputs,
    ) -> Self {
        let standing = engine.standing();
        if engine.knows_stream() {
            drop(outputs.alerts.send(Dispatch::StreamKnown));
        }
        let recollection =
            if engine.recalls_stored() { Recollection::Awaited } else { Recollection::Complete };
        let (in_flight, logged, pair, shown, saves, batch) = (0, 0, None, None, Vec::new(), 0);
        Self {
            engine,
            mailbox,
            status,
            clock,
            outputs,
            standing,
            in_flight,
            logged,
            pair,
            shown,
            recollection,
            saves,
            batch,
        }
    }

    /// Does what waits, and one item of a lane.
    fn turn(&mut self, stage: DriverStage) -> DriverStage {
        let taken = self.mailbox.take(self.gate(stage));
        self.work(taken, stage)
    }

    /// Does what was taken from the mailbox, and what is due.
    pub(crate) fn work(&mut self, taken: Taken, mut stage: DriverStage) -> DriverStage {
        // While it catches up, only the turn after it was told to finish takes what core NATS brought.
        let is_empty = stage == DriverStage::Finishing && taken.item.is_none();
        for command in taken.commands {
            if matches!(command, Command::Finish(_)) {
                stage = DriverStage::Finishing;
            }
            self.obey(command);
        }
        if let Some(item) = taken.item {
            self.take_in(item);
        }
        self.tick();
        self.tell_standing();
        self.adopt(stage);
        self.dispatch();
        self.notify();
        // The checkpoint of a stop holds everything that was queued.
        if stage == DriverStage::Running || is_empty {
            self.hand_out();
        }
        for notice in self.engine.take_notices() {
            tell(&notice);
        }
        // What waits at an instance that follows is for the other one to publish.
        let has_ended = self.in_flight == 0 || self.pair == Some(PairStanding::Follows);
        if is_empty && has_ended { DriverStage::Finished } else { stage }
    }

    /// Has Alertmanagers told what there is to be told.
    fn notify(&mut self) {
        let notifications = self.engine.take_notifications();
        match &self.outputs.notifications {
            Some(queues) => queues.tell(notifications),
            None if notifications.is_empty() => {}
            None => drop(self.outputs.alerts.send(Dispatch::Tell(notifications))),
        }
    }

    /// How long it may sleep where nothing comes.
    pub(crate) fn patience(&self) -> Duration {
        if !self.saves.is_empty() {
            return Duration::ZERO;
        }
        match self.engine.standing() {
            Standing::Awaiting | Standing::Reading { .. } => SLEEP_MAX,
            Standing::Present => self.engine.next_tick().since(self.clock.now()).min(SLEEP_MAX),
        }
    }

    /// What the core lane brings happens now: while the engine lives in the past it would be given a wrong time.
    pub(crate) fn gate(&self, stage: DriverStage) -> LaneGate {
        let is_past = self.engine.standing() != Standing::Present && stage == DriverStage::Running;
        match (is_past, &self.recollection) {
            (true, Recollection::Late { .. }) => LaneGate::Shut,
            (true, Recollection::Awaited | Recollection::Complete) => LaneGate::CoreShut,
            (false, Recollection::Late { .. }) => LaneGate::StreamShut,
            (false, Recollection::Awaited | Recollection::Complete) => LaneGate::Open,
        }
    }

    fn tick(&mut self) {
        let now = self.clock.now();
        if self.engine.standing() == Standing::Present && self.engine.next_tick() <= now {
            self.engine.tick(now);
        }
        self.wait_no_longer(now);
    }

    /// Says how far catching up is, where that changed.
    fn tell_standing(&mut self) {
        let standing = self.engine.standing();
        if standing == self.standing {
            return;
        }
        match standing {
            Standing::Awaiting => {}
            Standing::Reading { messages } => {
                tracing::info!(messages, "reading what the stream stored before the start");
                let reason = format!("reading {messages} messages that the stream stored before the start");
                self.status.set(Topic::CatchUp, reason);
            }
            Standing::Present => {
                if matches!(self.standing, Standing::Reading { .. }) {
                    tracing::info!("caught up with the stream");
                }
                self.status.clear(Topic::CatchUp);
            }
        }
        self.standing = standing;
    }

    fn obey(&mut self, command: Command) {
        let now = self.clock.now();
        match command {
            Command::Fact(fact) => self.engine.observe(fact, now),
            Command::Freeze(reader) => {
                // Who asked may have left.
                let _ = reader.send(self.engine.freeze(now));
            }
            Command::Reload(order) => {
                let Reload { config, rules, done } = *order;
                let anew = config.map(|config| self.engine.reconfigure(&config, now)).unwrap_or_default();
                self.engine.replace_rules(rules, now);
                // Who asked may have left.
                let _ = done.send(anew);
            }
            Command::Confirmed(id) => {
                if self.engine.confirm(id, now) {
                    self.in_flight = self.in_flight.saturating_sub(1);
                    self.logged = self.logged.saturating_sub(1);
                }
                drop(self.outputs.alerts.send(Dispatch::Acknowledged(id)));
            }
            Command::Saved => drop(self.outputs.alerts.send(Dispatch::Saved)),
            Command::Adopt(mut shown) => {
                self.recall(&mut shown);
                self.shown = Some(shown);
            }
            Command::NothingToAdopt => self.go_on_to_stream(),
            // Who leads meanwhile says all of it.
            Command::LetGo { age } if self.pair == Some(PairStanding::Follows) => self.let_go(age),
            Command::LetGo { .. } => {}
            Command::Pair(standing) => {
                self.pair = Some(standing);
                self.engine.observe(Fact::Pair(standing), now);
            }
            Command::Save(keeper) => self.saves.push(keeper),
            Command::Finish(keeper) => self.saves.extend(keeper),
        }
    }

    /// Forgets what the other instance of a pair did not see, where that is something.
    fn let_go(&mut self, age: Duration) {
        let waited: Vec<EventId> = self.engine.outbox().map(|event| event.id).collect();
        self.engine.let_go(age, self.clock.now());
        if !self.engine.outbox().map(|event| event.id).eq(waited.iter().copied()) {
            self.withdraw(waited, &StoredAlerts::default());
            (self.in_flight, self.logged) = (0, 0);
            drop(self.outputs.alerts.send(Dispatch::Renew));
        }
    }

    /// What a log tells of events that wait no more must not come back.
    fn withdraw(&self, waited: Vec<EventId>, shown: &StoredAlerts) {
        let waits: BTreeSet<EventId> = self.engine.outbox().map(|event| event.id).collect();
        for id in waited.into_iter().filter(|id| !waits.contains(id)) {
            let is_stored = shown.begun.contains(&id) || shown.ended.contains(&id);
            let told = if is_stored { Dispatch::Acknowledged(id) } else { Dispatch::Withdrawn(id) };
            drop(self.outputs.alerts.send(told));
        }
    }

    /// Hands out a checkpoint to who waits for one, where there is something to save.
    fn hand_out(&mut self) {
        let now = self.clock.now();
        for keeper in std::mem::take(&mut self.saves) {
            if self.engine.can_be_saved() {
                let checkpoint = self.engine.save(now);
                let mark = Dispatch::Mark { at: checkpoint.now(), age: checkpoint.age() };
                drop(self.outputs.alerts.send(mark));
                // Who asked may have left.
                let _ = keeper.try_send(HandedOut { checkpoint, batch: self.batch });
            }
        }
    }

    fn take_in(&mut self, item: LaneItem) {
        let now = self.clock.now();
        match item {
            LaneItem::Core(batch) => {
                let messages = batch.messages();
                let rejected = self.engine.apply(Lane::Core, &messages, now);
                self.pass_on(Lane::Core, (&messages, &[]), &rejected);
                drop(messages);
                self.mailbox.give_back(batch);
            }
            LaneItem::Stream(FromStream { origin, batch, receipt, number }) => {
                let messages = batch.messages();
                let rejected = self.engine.receive(&batch.of_stream(&origin, &messages), now);
                self.pass_on(Lane::JetStream, (&messages, batch.stored()), &rejected);
                self.batch = self.batch.max(number);
                drop(messages);
                self.mailbox.give_back(batch);
                if let Some(receipt) = receipt {
                    // A lane that is gone needs no receipt.
                    let _ = receipt.try_send(());
                }
            }
            LaneItem::News(news) => self.hear(news, now),
            LaneItem::Fact(fact) => self.engine.observe(fact, now),
        }
    }

    fn pass_on(
        &mut self,
        lane: Lane,
        (messages, stored): (&[Message<'_>], &[Stored]),
        rejected: &[Rejected],
    ) {
        for rejection in rejected {
            let Some(message) = messages.get(rejection.message) else { continue };
            self.outputs.rejections.examples.notice((lane, message), rejection, self.clock.now());
            let sequence = stored.get(rejection.message).map(|stored| stored.sequence);
            let kept = self.outputs.rejections.take(lane, (message, sequence), rejection);
            if let Err(reason) = kept {
                self.engine.observe(Fact::RejectedCopyDropped { reason }, self.clock.now());
            }
        }
    }

    /// Hands new alert events to the publisher, in order, and to who writes the log those that have to wait: whoever is told
    /// of one is told after that.
    fn dispatch(&mut self) {
        let room = self.outputs.in_flight_max.saturating_sub(self.in_flight);
        let fresh: Vec<AlertEvent> = self.engine.outbox().skip(self.in_flight).take(room).cloned().collect();
        for event in fresh {
            let logged = if self.in_flight < self.logged { Logged::Before } else { Logged::Now };
            let (sequence, essence) = self.told_of(&event);
            let publish = Dispatch::Publish { event: Box::new(event), sequence, essence, logged };
            if self.outputs.alerts.send(publish).is_err() {
                return;
            }
            self.in_flight += 1;
        }
        self.logged = self.logged.max(self.in_flight);
        self.log_rest();
    }

    /// Has who writes the log, where there is one, write down what was decided and is not there yet.
    fn log_rest(&mut self) {
        if self.outputs.notifications.is_some() {
            return;
        }
        let rest: Vec<AlertEvent> = self.engine.outbox().skip(self.logged).cloned().collect();
        for event in rest {
            let (sequence, essence) = self.told_of(&event);
            drop(self.outputs.alerts.send(Dispatch::Decided { event: Box::new(event), sequence, essence }));
            self.logged += 1;
        }
    }

    /// What the log tells of an event beside it.
    fn told_of(&self, event: &AlertEvent) -> (u64, Option<Arc<str>>) {
        let applied = self.engine.position().map_or(0, |position| position.sequence);
        // The rest of its batch was applied since.
        let sequence = match event.reach.at_most {
            0 => applied,
            decided => decided.min(applied),
        };
        (sequence, self.engine.essence_of(&event.rule_id))
    }
}

/// Says what a person should read of.
fn tell(notice: &Notice) {
    match notice {
        Notice::SeriesOverflow { metric, label } => tracing::warn!(
            metric,
            label,
            "more series than limits.series_per_metric or limits.series allow; new ones are folded into __overflow__"
        ),
        Notice::DeprecatedVersion { event_type, version } => tracing::warn!(
            event_type = event_type.name(),
            version = format!("{}.{}", version.major, version.minor),
            "events still come in a version whose successor has long been there"
        ),
        Notice::HistoryFull { metric } => {
            tracing::warn!(metric, "the past of this metric does not fit history.bytes_max");
        }
        Notice::Reassigned { trackers } => {
            let trackers: Vec<&str> = trackers.iter().map(|tracker| tracker.word()).collect();
            tracing::warn!(
                trackers = trackers.join(","),
                "`partition` or `lanes` are others than when the state was saved: these trackers begin anew, counters stay"
            );
        }
    }
}

#[cfg(test)]
mod tests;
