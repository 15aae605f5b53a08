//! The driver: the one thread that owns the engine and calls it.
//!
//! It waits for nothing but its mailbox: no broker, no disk, no client. What it has to say goes into queues.

pub(crate) mod command;
pub(crate) mod mailbox;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::engine::Engine;
use crate::engine::fact::{CatchUp, Fact, Notice, Rejected};
use crate::engine::rules::AlertEvent;
use crate::engine::time::Timestamp;
use crate::engine::wire::{Lane, Message};

use super::clock::Clock;
use super::driver::command::{Command, Question};
use super::driver::mailbox::{CoreGate, Item, Mailbox};
use super::nats::lanes::batch::Batch;
use super::nats::out::rejected::Rejections;
use super::status::{Status, Topic};

/// The longest the driver sleeps.
const SLEEP_MAX: Duration = Duration::from_millis(500);

/// Alert events handed to the publisher at a time; the rest stay in the engine's outbox.
const IN_FLIGHT_MAX: usize = 256;

/// Ticks made up for between two messages of the past.
const TICKS_MAX: usize = 10_000;

/// What the driver works with.
pub(crate) struct Driver {
    /// The engine.
    pub(crate) engine: Engine,
    /// Where work comes from.
    pub(crate) mailbox: Arc<Mailbox>,
    /// The condition.
    pub(crate) status: Arc<Status>,
    /// The clock.
    pub(crate) clock: Clock,
    /// Where alert events go.
    pub(crate) alerts: UnboundedSender<AlertEvent>,
    /// Where copies of rejected events go.
    pub(crate) rejections: Rejections,
    /// The engine's time while it reads the past; none when it lives in the present.
    pub(crate) past: Option<Timestamp>,
    /// Whether a message of the past was applied: before the first one there is no past to tick through.
    pub(crate) has_read: bool,
    /// Facts whose time counts, kept until the engine lives in the present.
    pub(crate) held: Vec<Fact>,
    /// Alert events handed to the publisher and not confirmed.
    pub(crate) in_flight: usize,
}

/// Whether the driver goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Running,
    Finishing,
}

impl Driver {
    /// Works until it is told to finish and nothing is pending.
    pub(crate) fn run(mut self) {
        let mut stage = Stage::Running;
        loop {
            let taken = self.mailbox.take(self.patience(), self.gate(stage));
            let idle = taken.item.is_none();
            for command in taken.commands {
                if matches!(command, Command::Finish) {
                    stage = Stage::Finishing;
                }
                self.obey(command);
            }
            if let Some(item) = taken.item {
                self.take_in(item);
            }
            self.tick();
            self.dispatch();
            for notice in self.engine.take_notices() {
                tell(&notice);
            }
            if stage == Stage::Finishing && idle && self.in_flight == 0 {
                return;
            }
        }
    }

    /// The engine's present: the clock's, or the past's while that is read.
    fn now(&self) -> Timestamp {
        self.past.unwrap_or_else(|| self.clock.now())
    }

    fn patience(&self) -> Duration {
        if self.past.is_some() {
            return SLEEP_MAX;
        }
        self.engine.next_tick().since(self.clock.now()).min(SLEEP_MAX)
    }

    /// What the core lane brings happens now: while the engine lives in the past it would be given a wrong time.
    fn gate(&self, stage: Stage) -> CoreGate {
        if self.past.is_some() && stage == Stage::Running { CoreGate::Shut } else { CoreGate::Open }
    }

    fn tick(&mut self) {
        let now = self.now();
        if self.engine.next_tick() <= now {
            self.engine.tick(now);
        }
    }

    fn obey(&mut self, command: Command) {
        let now = self.now();
        match command {
            Command::Fact(fact @ Fact::Reloaded(_)) if self.past.is_some() => self.held.push(fact),
            Command::Fact(fact) => self.engine.observe(&fact, now),
            Command::Ask(question) => self.answer(question, now),
            Command::Confirmed(id) => {
                self.engine.confirm(id, now);
                self.in_flight = self.in_flight.saturating_sub(1);
            }
            Command::Finish => {}
        }
    }

    /// Answers a question. What a client asks must not end the engine: a panic over it is a line in the log, and the
    /// client hears that there is no answer.
    fn answer(&mut self, question: Question, now: Timestamp) {
        let engine = &mut self.engine;
        let answered = std::panic::catch_unwind(AssertUnwindSafe(|| question(engine, now)));
        if answered.is_err() {
            tracing::error!("a question could not be answered, which is a bug");
        }
    }

    fn take_in(&mut self, item: Item) {
        match item {
            Item::Batch(batch) => self.apply(&batch),
            Item::Receipted(batch, receipt) => {
                self.apply(&batch);
                // A lane that is gone needs no receipt.
                let _ = receipt.try_send(());
            }
            Item::Fact(fact) => self.engine.observe(&fact, self.now()),
            Item::CatchUp(CatchUp::Begin) => {
                let now = self.now();
                self.engine.catch_up(CatchUp::Begin, now);
                // The engine's time never goes back: a stream that comes late is read in the present.
                self.past.get_or_insert(now);
            }
            Item::CatchUp(CatchUp::End) => {
                self.tick_until(self.clock.now());
                self.engine.catch_up(CatchUp::End, self.clock.now());
                tracing::info!("caught up with the stream");
                self.arrive_in_present();
            }
            Item::Present => self.arrive_in_present(),
        }
    }

    fn arrive_in_present(&mut self) {
        self.past = None;
        let now = self.clock.now();
        for fact in std::mem::take(&mut self.held) {
            self.engine.observe(&fact, now);
        }
        self.status.clear(Topic::CatchUp);
    }

    fn apply(&mut self, batch: &Batch) {
        let messages = batch.messages();
        if self.past.is_some() && batch.lane == Lane::JetStream {
            self.apply_past(batch, &messages);
        } else {
            let now = self.now();
            let rejected = self.engine.apply(batch.lane, &messages, now);
            self.pass_on(batch.lane, &messages, &rejected);
        }
    }

    /// Applies messages of the past in their own time, the ticks between them included.
    fn apply_past(&mut self, batch: &Batch, messages: &[Message<'_>]) {
        let present = self.clock.now();
        let mut start = 0;
        for (place, stored) in batch.stored().enumerate() {
            let before = self.now();
            let at = stored.min(present).max(before);
            if self.engine.next_tick() > at && at.since(before) < Duration::from_millis(10) {
                continue;
            }
            self.apply_run(batch.lane, messages.get(start..place).unwrap_or_default(), before);
            start = place;
            if self.has_read {
                self.tick_until(at);
            }
            self.has_read = true;
            self.past = Some(at);
        }
        self.apply_run(batch.lane, messages.get(start..).unwrap_or_default(), self.now());
    }

    fn apply_run(&mut self, lane: Lane, messages: &[Message<'_>], now: Timestamp) {
        if !messages.is_empty() {
            let rejected = self.engine.apply(lane, messages, now);
            self.pass_on(lane, messages, &rejected);
        }
    }

    fn tick_until(&mut self, at: Timestamp) {
        for _ in 0..TICKS_MAX {
            let next = self.engine.next_tick();
            if next > at {
                return;
            }
            self.engine.tick(next.max(self.now()));
        }
        self.engine.tick(at);
    }

    fn pass_on(&mut self, lane: Lane, messages: &[Message<'_>], rejected: &[Rejected]) {
        for rejection in rejected {
            let Some(message) = messages.get(rejection.message) else { continue };
            if let Err(reason) = self.rejections.take(lane, message, &rejection.refusal) {
                let now = self.now();
                self.engine.observe(&Fact::RejectedCopyDropped { reason }, now);
            }
        }
    }

    /// Hands new alert events to the publisher, in order.
    fn dispatch(&mut self) {
        let room = IN_FLIGHT_MAX.saturating_sub(self.in_flight);
        let fresh: Vec<AlertEvent> = self.engine.outbox().skip(self.in_flight).take(room).cloned().collect();
        for event in fresh {
            if self.alerts.send(event).is_err() {
                return;
            }
            self.in_flight += 1;
        }
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
    }
}
