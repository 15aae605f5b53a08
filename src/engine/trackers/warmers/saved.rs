//! Cache warmers as their twins, and from them.

use super::{Table, Warmer, Warmers};
use crate::engine::checkpoint::Part;
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::trackers::{CountedTwin, KeyTwin, TrackerTwin, WarmerTwin};
use crate::engine::series::SeriesId;
use crate::engine::trackers::key::IdKey;
use crate::engine::trackers::table::SavedTracker;

impl Warmers {
    /// The strategies as they are now.
    pub(in crate::engine) fn save(&mut self) -> impl Part + use<> {
        let entry: fn(&Warmer) -> WarmerTwin =
            |warmer| WarmerTwin { active: warmer.active.map(|(runs, series)| (runs, series.twin())) };
        let (table, books) = (self.table.save(), self.own.active.save());
        SavedTracker { table, key: IdKey::twin, entry, books }
    }

    /// Takes over the strategies that were saved.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine) fn restore(
        &mut self,
        twin: TrackerTwin<KeyTwin, WarmerTwin, CountedTwin>,
    ) -> Result<(), Damage> {
        let warmer = |twin: WarmerTwin| Warmer {
            active: twin.active.map(|(runs, series)| (runs, SeriesId::of_twin(series))),
        };
        self.table = Table::restored(twin.table, IdKey::of_twin, warmer, IdKey::new(""))?;
        self.own.active.restore(twin.books);
        Ok(())
    }
}
