//! What waits for the driver: batches of the two lanes, bounded, and commands, which go first.
//!
//! A lane that finds its queue full waits, and with it its connection; that is the backpressure. A command never
//! waits behind a batch, so a scrape is not slower for a flood.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::arrival::{Origin, StreamNews};
use crate::engine::fact::Fact;

use super::batch::Batch;
use super::command::Command;

/// Batches that were applied and are kept for the lanes to fill again, and the bytes one may have room for: more would
/// keep memory that one flood of large messages needed.
const SPARES_MAX: usize = 4;
const SPARE_BYTES_MAX: usize = 512 << 10;

/// How many times more of the core lane may wait while its gate is shut.
const HELD_TIMES: usize = 4;

/// The longest sleep that is planned.
const PATIENCE_MAX: Duration = Duration::from_hours(1);

/// Commands that may wait for the driver.
const COMMANDS_MAX: usize = 4_096;

/// What a lane hands over, in order.
#[derive(Debug)]
pub(crate) enum LaneItem {
    /// Messages of core NATS.
    Core(Batch),
    /// Messages of a stream.
    Stream(FromStream),
    /// News of the stream.
    News(StreamNews),
    /// Something to count at this place in the order.
    Fact(Fact),
}

/// Messages of a stream on their way to the engine.
#[derive(Debug)]
pub(crate) struct FromStream {
    /// Where they are from.
    pub(crate) origin: Origin,
    /// The messages.
    pub(crate) batch: Batch,
    /// Whom to tell once they are applied.
    pub(crate) receipt: Option<SyncSender<()>>,
    /// Its number among those that are to be acknowledged; 0 where there is nothing to acknowledge.
    pub(crate) number: u64,
}

impl LaneItem {
    fn bytes(&self) -> usize {
        match self {
            Self::Core(batch) | Self::Stream(FromStream { batch, .. }) => batch.bytes(),
            Self::News(_) | Self::Fact(_) => 0,
        }
    }
}

/// Why an item was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PushError {
    /// The lane's queue stayed full.
    Full,
    /// The process ends.
    Closed,
}

/// The two ways into the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The core lane.
    Core,
    /// The JetStream lane.
    Stream,
}

/// From which lanes the driver takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LaneGate {
    /// From both.
    #[default]
    Open,
    /// From the core lane only where its queue is full: what happens now waits until the engine lives in the present.
    CoreShut,
    /// Nothing from the stream: what it stored waits until it is known what was told of it.
    StreamShut,
    /// Nothing from the stream, and from the core lane only where its queue is full.
    Shut,
}

/// What the driver takes out at a time.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// All commands that waited.
    pub(crate) commands: Vec<Command>,
    /// One item of a lane, the lanes taking turns.
    pub(crate) item: Option<LaneItem>,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<LaneItem>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Inside {
    commands: Vec<Command>,
    core: Queue,
    stream: Queue,
    turn: usize,
    /// What the driver last said of the core lane.
    gate: LaneGate,
    closed: bool,
    spares: Vec<Batch>,
    /// Until when the driver's thread sleeps, or is about to; none where it is awake or was woken.
    sleeps_until: Option<Instant>,
}

/// The mailbox of the driver.
#[derive(Debug)]
pub(crate) struct Mailbox {
    inside: Mutex<Inside>,
    filled: Condvar,
    emptied: Condvar,
    bytes_max: usize,
}

impl Mailbox {
    /// An empty mailbox that takes `bytes_max` bytes of each lane, and more of core NATS while its gate is shut.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            inside: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            bytes_max: bytes_max.max(1),
        }
    }

    /// Leaves a command, waiting for room where too many wait already: the driver takes them all at each turn.
    pub(crate) fn command(&self, command: Command) {
        let mut inside = self.locked();
        while inside.commands.len() >= COMMANDS_MAX && !inside.closed {
            inside = self.emptied.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
        inside.commands.push(command);
        drop(inside);
        self.filled.notify_one();
    }

    /// Leaves a command where there is room.
    ///
    /// # Errors
    /// The command comes back where too many wait.
    pub(crate) fn try_command(&self, command: Command) -> Result<(), Command> {
        let mut inside = self.locked();
        if inside.commands.len() >= COMMANDS_MAX {
            return Err(command);
        }
        inside.commands.push(command);
        drop(inside);
        self.filled.notify_one();
        Ok(())
    }

    /// Leaves an item of a lane, waiting up to `patience` for room. Nobody is woken for it: who leaves it works, or finds
    /// another at work.
    ///
    /// # Errors
    /// Why the item was dropped.
    pub(crate) fn push(&self, slot: Slot, item: LaneItem, patience: Duration) -> Result<(), PushError> {
        let deadline = Instant::now().checked_add(patience);
        let mut inside = self.locked();
        loop {
            if inside.closed {
                return Err(PushError::Closed);
            }
            let bytes_max = inside.bytes_max(slot, self.bytes_max);
            let queue = inside.queue(slot);
            if queue.bytes < bytes_max || item.bytes() == 0 {
                queue.bytes = queue.bytes.saturating_add(item.bytes());
                queue.items.push_back(item);
                return Ok(());
            }
            let left =
                deadline.map_or(Duration::from_secs(1), |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Err(PushError::Full);
            }
            inside = self.emptied.wait_timeout(inside, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether [`Mailbox::push`] would take an item at once.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn has_room(&self, slot: Slot, item: &LaneItem) -> bool {
        let mut inside = self.locked();
        let bytes_max = inside.bytes_max(slot, self.bytes_max);
        inside.closed || item.bytes() == 0 || inside.queue(slot).bytes < bytes_max
    }

    /// Says that the driver's thread will sleep for `patience` unless something comes. Said while nobody else can work, so
    /// that who works next knows when it would look again.
    pub(crate) fn plan_sleep(&self, patience: Duration, gate: LaneGate) {
        let mut inside = self.locked();
        inside.gate = gate;
        inside.sleeps_until = Instant::now().checked_add(patience.min(PATIENCE_MAX));
    }

    /// Sleeps as was planned, where nothing is there and nobody has woken it since.
    pub(crate) fn sleep(&self, gate: LaneGate) {
        let mut inside = self.locked();
        if let Some(until) = inside.sleeps_until
            && inside.is_empty(gate, self.bytes_max)
        {
            let left = until.saturating_duration_since(Instant::now());
            inside = self.filled.wait_timeout(inside, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        inside.sleeps_until = None;
    }

    /// Waits up to `patience` for anything.
    #[cfg(test)]
    pub(crate) fn wait(&self, patience: Duration, gate: LaneGate) {
        self.plan_sleep(patience, gate);
        self.sleep(gate);
    }

    /// Wakes who waits, where something is there or it would wait for longer than `patience`.
    pub(crate) fn wake(&self, patience: Duration, gate: LaneGate) {
        let mut inside = self.locked();
        let Some(until) = inside.sleeps_until else { return };
        let is_soon = || Instant::now().checked_add(patience).is_some_and(|due| due < until);
        if !inside.is_empty(gate, self.bytes_max) || is_soon() {
            // Once is enough.
            inside.sleeps_until = None;
            drop(inside);
            self.filled.notify_one();
        }
    }

    /// Whether nothing is there that the driver would take.
    pub(crate) fn is_empty(&self, gate: LaneGate) -> bool {
        self.locked().is_empty(gate, self.bytes_max)
    }

    /// A batch that was applied, to fill again.
    pub(crate) fn spare(&self) -> Option<Batch> {
        self.locked().spares.pop()
    }

    /// Takes what is there.
    pub(crate) fn take(&self, gate: LaneGate) -> Taken {
        let mut inside = self.locked();
        inside.gate = gate;
        let commands = std::mem::take(&mut inside.commands);
        inside.turn = inside.turn.wrapping_add(1);
        let order = if inside.turn.is_multiple_of(2) {
            [Slot::Core, Slot::Stream]
        } else {
            [Slot::Stream, Slot::Core]
        };
        let item = order.into_iter().find_map(|slot| {
            if inside.lets(slot, gate, self.bytes_max) { inside.queue(slot).pop() } else { None }
        });
        drop(inside);
        if item.is_some() || commands.len() >= COMMANDS_MAX {
            self.emptied.notify_all();
        }
        Taken { commands, item }
    }

    /// Gives a batch that was applied back to the lanes.
    pub(crate) fn give_back(&self, batch: Batch) {
        if (1..=SPARE_BYTES_MAX).contains(&batch.capacity()) {
            let mut inside = self.locked();
            if inside.spares.len() < SPARES_MAX {
                inside.spares.push(batch);
            }
        }
    }

    /// Takes no more items; commands still come through.
    pub(crate) fn close(&self) {
        self.locked().closed = true;
        self.emptied.notify_all();
        self.filled.notify_all();
    }

    fn locked(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn queue(&mut self, slot: Slot) -> &mut Queue {
        match slot {
            Slot::Core => &mut self.core,
            Slot::Stream => &mut self.stream,
        }
    }

    /// How much of a lane may wait.
    fn bytes_max(&self, slot: Slot, bytes_max: usize) -> usize {
        match (slot, self.gate) {
            (Slot::Core, LaneGate::CoreShut | LaneGate::Shut) => bytes_max.saturating_mul(HELD_TIMES),
            (Slot::Core, LaneGate::Open | LaneGate::StreamShut) | (Slot::Stream, _) => bytes_max,
        }
    }

    /// Whether something of a lane may be taken.
    fn lets(&self, slot: Slot, gate: LaneGate, bytes_max: usize) -> bool {
        match (slot, gate) {
            (Slot::Core, LaneGate::Open | LaneGate::StreamShut)
            | (Slot::Stream, LaneGate::Open | LaneGate::CoreShut) => true,
            (Slot::Core, LaneGate::CoreShut | LaneGate::Shut) => {
                self.core.bytes >= self.bytes_max(Slot::Core, bytes_max)
            }
            (Slot::Stream, LaneGate::StreamShut | LaneGate::Shut) => false,
        }
    }

    fn is_empty(&self, gate: LaneGate, bytes_max: usize) -> bool {
        let has = |slot, queue: &Queue| !queue.items.is_empty() && self.lets(slot, gate, bytes_max);
        self.commands.is_empty() && !has(Slot::Core, &self.core) && !has(Slot::Stream, &self.stream)
    }
}

impl Queue {
    fn pop(&mut self) -> Option<LaneItem> {
        let item = self.items.pop_front()?;
        self.bytes = self.bytes.saturating_sub(item.bytes());
        Some(item)
    }
}

#[cfg(test)]
mod tests;
