//! Workers: alive from WorkerStarted to WorkerStopped, with the queues they serve and their slots.

use super::gauges::{Board, Counted, Family, ONE};
use super::key::IdKey;
use super::roll::{Eviction, Roll, Standing};
use crate::engine::config::TrackerLimits;
use crate::engine::series::SeriesId;
use crate::engine::wire::payload::Quantity;

#[derive(Debug)]
struct Worker {
    /// For each queue its series in `queue_workers` and in `queue_worker_slots`.
    queues: Box<[(SeriesId, SeriesId)]>,
    concurrency: Quantity,
}

/// The tracker of workers.
#[derive(Debug)]
pub struct Workers {
    roll: Roll<IdKey, Worker>,
    alive: Counted,
    slots: Counted,
    /// Queues of all workers together, which the limit of entries bounds too.
    places: usize,
    places_max: usize,
}

impl Workers {
    /// A tracker without workers; feeds `queue_workers` (`alive`) and `queue_worker_slots` (`slots`).
    pub fn new(limits: TrackerLimits, evictions: Family, alive: Family, slots: Family) -> Self {
        Self {
            roll: Roll::new(limits, evictions, "workers"),
            alive: Counted::new(alive),
            slots: Counted::new(slots),
            places: 0,
            places_max: limits.entries,
        }
    }

    /// WorkerStarted: the worker is there, instead of what was there under its id. `queues` are distinct.
    pub fn started(&mut self, board: &mut Board<'_>, id: IdKey, queues: &[&str], concurrency: Quantity) {
        self.stopped(board, id);
        while let Some((slot, why)) = self.roll.crowded() {
            self.evict(board, slot, why);
        }
        while let Some((slot, why)) =
            self.roll.first().filter(|_| self.places.saturating_add(queues.len()) > self.places_max)
        {
            self.evict(board, slot, why);
        }
        let mut places = Vec::with_capacity(queues.len());
        for queue in queues {
            let (alive, slots) = (self.alive.place(board, &[queue]), self.slots.place(board, &[queue]));
            self.alive.enter(board, alive, ONE);
            self.slots.enter(board, slots, concurrency);
            places.push((alive, slots));
        }
        self.places += places.len();
        self.roll.insert(id, Worker { queues: places.into(), concurrency }, board.cause.now);
    }

    /// WorkerStopped: the worker is gone.
    pub fn stopped(&mut self, board: &mut Board<'_>, id: IdKey) {
        if let Some(slot) = self.roll.find(id) {
            self.remove(board, slot);
        }
    }

    /// A job event shows that the worker lives, so that one which runs for days is not forgotten.
    pub fn seen(&mut self, board: &Board<'_>, id: IdKey) {
        if let Some(slot) = self.roll.find(id) {
            self.roll.touch(slot, Standing::Held, board.cause.now);
        }
    }

    /// How many workers are known.
    pub fn len(&self) -> usize {
        self.roll.len()
    }

    /// Whether no worker is known.
    pub fn is_empty(&self) -> bool {
        self.roll.is_empty()
    }

    /// Evicts what nothing moved for too long.
    pub fn refresh(&mut self, board: &mut Board<'_>) {
        while let Some((slot, why)) = self.roll.overdue(board.cause.now) {
            self.evict(board, slot, why);
        }
    }

    fn evict(&mut self, board: &mut Board<'_>, slot: u32, why: Eviction) {
        self.remove(board, slot);
        self.roll.count(board, why);
    }

    fn remove(&mut self, board: &mut Board<'_>, slot: u32) {
        let Some(worker) = self.roll.remove(slot) else { return };
        self.places = self.places.saturating_sub(worker.queues.len());
        for (alive, slots) in worker.queues {
            self.alive.leave(board, alive, ONE);
            self.slots.leave(board, slots, worker.concurrency);
        }
    }
}
