//! Workers: alive from WorkerStarted to WorkerStopped, with the queues they serve and their slots.

mod saved;

use super::frame::{Frame, FrameParts, Lifted, Tracker};
use super::gauges::{Board, Counted, Family, ONE};
use super::key::IdKey;
use super::table::{Table, TablePlace};
use crate::engine::config::{TrackerLimits, TrackerName};
use crate::engine::series::SeriesId;
use crate::engine::wire::payload::Quantity;

/// A worker that started and did not stop.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    /// For each queue its series in `queue_workers` and in `queue_worker_slots`.
    queues: Box<[(SeriesId, SeriesId)]>,
    concurrency: Quantity,
}

/// What workers count in.
#[derive(Debug)]
pub(crate) struct WorkerBooks {
    alive: Counted,
    slots: Counted,
    /// Queues of all workers together, which the limit of entries bounds too.
    queues: usize,
    queues_max: usize,
}

/// The tracker of workers.
pub(crate) type Workers = Frame<WorkerBooks>;

impl Workers {
    /// A tracker without workers; feeds `queue_workers` (`alive`) and `queue_worker_slots` (`slots`).
    pub(crate) fn of_workers(parts: FrameParts<'_>, alive: Family, slots: Family) -> Self {
        let (alive, slots) = (Counted::new(alive), Counted::new(slots));
        let books = WorkerBooks { alive, slots, queues: 0, queues_max: parts.limits.entries };
        Self::new(parts, books)
    }

    /// Sets other bounds, those of the queues of all workers too.
    pub(crate) fn bound_workers(&mut self, limits: &TrackerLimits) {
        self.bound(limits);
        self.own.queues_max = limits.entries;
    }

    /// WorkerStarted: the worker is there, instead of what was there under its id. `queues` are distinct.
    pub(crate) fn started(
        &mut self,
        board: &mut Board<'_>,
        id: IdKey,
        queues: &[&str],
        concurrency: Quantity,
    ) {
        self.stopped(board, id);
        while self.own.queues.saturating_add(queues.len()) > self.own.queues_max
            && self.make_room(board).is_some()
        {}
        let place = self.enter(board, id, || Worker { queues: Box::default(), concurrency });
        let Some(worker) = self.table.get_mut(place) else { return };
        let own = &mut self.own;
        let mut counted = Vec::with_capacity(queues.len());
        for queue in queues {
            let (alive, slots) = (own.alive.place(board, &[queue]), own.slots.place(board, &[queue]));
            own.alive.enter(board, alive, ONE);
            own.slots.enter(board, slots, concurrency);
            counted.push((alive, slots));
        }
        own.queues += counted.len();
        worker.queues = counted.into();
    }

    /// WorkerStopped: the worker is gone.
    pub(crate) fn stopped(&mut self, board: &mut Board<'_>, id: IdKey) {
        if let Some(place) = self.table.find(id) {
            self.remove(board, place);
        }
    }

    /// A job event shows that the worker lives.
    pub(crate) fn seen(&mut self, board: &Board<'_>, id: IdKey) {
        if let Some(place) = self.table.find(id) {
            self.table.touch_again(place, board.cause.now);
        }
    }
}

impl Tracker for WorkerBooks {
    type Key = IdKey;
    type Entry = Worker;

    const NAME: TrackerName = TrackerName::Workers;

    fn lift(&mut self, board: &mut Board<'_>, _: TablePlace, worker: &mut Worker) -> Lifted {
        let queues = std::mem::take(&mut worker.queues);
        self.queues = self.queues.saturating_sub(queues.len());
        for (alive, slots) in &queues {
            self.alive.leave(board, *alive, ONE);
            self.slots.leave(board, *slots, worker.concurrency);
        }
        if queues.is_empty() { Lifted::Uncounted } else { Lifted::Counted }
    }

    fn forget(&mut self, _: Worker) {}

    fn show(&mut self, _: &mut Board<'_>, _: &mut Table<IdKey, Worker>) {}
}
