//! Workers as their twins, and from them.

use super::{Table, Worker, Workers};
use crate::engine::checkpoint::Part;
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::trackers::{KeyTwin, TrackerTwin, WorkerBooksTwin, WorkerTwin};
use crate::engine::series::SeriesId;
use crate::engine::trackers::gauges::{quantity_of, quantity_twin};
use crate::engine::trackers::key::IdKey;
use crate::engine::trackers::table::SavedTracker;

impl Workers {
    /// The workers as they are now.
    pub(in crate::engine) fn save(&mut self) -> impl Part + use<> {
        let entry: fn(&Worker) -> WorkerTwin = |worker| WorkerTwin {
            queues: worker.queues.iter().map(|(alive, slots)| (alive.twin(), slots.twin())).collect(),
            concurrency: quantity_twin(worker.concurrency),
        };
        let books = WorkerBooksTwin { alive: self.own.alive.save(), slots: self.own.slots.save() };
        SavedTracker { table: self.table.save(), key: IdKey::twin, entry, books }
    }

    /// Takes over the workers that were saved.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine) fn restore(
        &mut self,
        twin: TrackerTwin<KeyTwin, WorkerTwin, WorkerBooksTwin>,
    ) -> Result<(), Damage> {
        let series = |(alive, slots)| (SeriesId::of_twin(alive), SeriesId::of_twin(slots));
        let worker = |twin: WorkerTwin| Worker {
            queues: twin.queues.into_iter().map(series).collect(),
            concurrency: quantity_of(&twin.concurrency),
        };
        self.table = Table::restored(twin.table, IdKey::of_twin, worker, IdKey::new(""))?;
        self.own.alive.restore(twin.books.alive);
        self.own.slots.restore(twin.books.slots);
        self.own.queues = self.table.entries().map(|(_, worker)| worker.queues.len()).sum();
        Ok(())
    }
}
