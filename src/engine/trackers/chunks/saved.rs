//! Chunks as their twins, and from them.

use super::{Chunk, Chunks, Table};
use crate::engine::checkpoint::Part;
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::trackers::{ChunkTwin, CountedTwin, KeyTwin, TrackerTwin};
use crate::engine::series::SeriesId;
use crate::engine::trackers::key::IdKey;
use crate::engine::trackers::table::SavedTracker;

impl Chunks {
    /// The chunks as they are now.
    pub(in crate::engine) fn save(&mut self) -> impl Part + use<> {
        let entry: fn(&Chunk) -> ChunkTwin =
            |chunk| ChunkTwin { active: chunk.active.map(SeriesId::twin), ended: chunk.ended };
        let (table, books) = (self.table.save(), self.own.active.save());
        SavedTracker { table, key: IdKey::twin, entry, books }
    }

    /// Takes over the chunks that were saved.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine) fn restore(
        &mut self,
        twin: TrackerTwin<KeyTwin, ChunkTwin, CountedTwin>,
    ) -> Result<(), Damage> {
        let chunk = |twin: ChunkTwin| Chunk { active: twin.active.map(SeriesId::of_twin), ended: twin.ended };
        self.table = Table::restored(twin.table, IdKey::of_twin, chunk, IdKey::new(""))?;
        self.own.active.restore(twin.books);
        Ok(())
    }
}
