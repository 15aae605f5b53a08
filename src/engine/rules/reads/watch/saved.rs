//! What moved and was not sampled yet as its twin, and from it.

use super::Watch;
use crate::engine::checkpoint::Part;
use crate::engine::checkpoint::bytes::Writer;
use crate::engine::checkpoint::series::SeriesTwinId;
use crate::engine::checkpoint::unsampled::UnsampledTwin;
use crate::engine::series::{SeriesId, Store};

/// Series that moved since they were last sampled, to be written elsewhere.
#[derive(Debug)]
pub(in crate::engine) struct SavedUnsampled(Vec<SeriesId>);

impl Watch {
    /// What is not sampled yet, to be written elsewhere.
    pub(in crate::engine) fn save(&self) -> SavedUnsampled {
        SavedUnsampled(self.unsampled.values().flatten().copied().collect())
    }

    /// Takes note of what was not sampled when the state was saved, as far as the store still has it.
    pub(in crate::engine) fn restore(&mut self, twin: &UnsampledTwin, store: &Store) {
        for twin in &twin.series {
            let series = SeriesId::of_twin(*twin);
            if store.is_live(series) {
                self.unsampled.entry(store.family_of(series)).or_default().push(series);
            }
        }
    }
}

impl Part for SavedUnsampled {
    fn append(&self, out: &mut Writer) {
        let mut series: Vec<SeriesTwinId> = self.0.iter().map(|series| series.twin()).collect();
        // One that moved before and after other rules came is noted twice.
        series.sort_unstable();
        series.dedup();
        out.list(series.into_iter());
    }
}
