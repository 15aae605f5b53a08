//! Series that left as their twins, and from them.

use super::{Gone, GoneSeries};
use crate::engine::checkpoint::history::GoneTwin;
use crate::engine::series::{FamilyId, Removed, SeriesId};

impl GoneSeries {
    /// The series that left, by family, in the order in which they did.
    pub(in crate::engine::history) fn save(&self) -> Vec<GoneTwin> {
        let twin = |family: FamilyId, gone: &Gone| GoneTwin {
            family: family.0,
            labels: gone.labels.clone(),
            born: gone.born,
            at: gone.at,
            cells: (gone.cells.start, gone.cells.end),
        };
        let families = self.families.iter();
        let all = families.flat_map(|(family, chunks)| {
            chunks.iter().flat_map(|chunk| chunk.iter()).map(move |gone| twin(*family, gone))
        });
        all.collect()
    }

    /// The series that were saved.
    pub(in crate::engine::history) fn restored(twins: Vec<GoneTwin>) -> Self {
        let mut gone = Self::default();
        for twin in twins {
            gone.push(Removed {
                // Nobody asks for it any more.
                id: SeriesId { slot: u32::MAX, generation: u32::MAX },
                family: FamilyId(twin.family),
                labels: twin.labels,
                cells: twin.cells.0..twin.cells.1.max(twin.cells.0),
                born: twin.born,
                at: twin.at,
            });
        }
        gone
    }
}
