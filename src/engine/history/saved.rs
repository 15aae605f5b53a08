//! The past as its twin, and from it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::gone::GoneSeries;
use super::instants::InstantTwins;
use super::instants::Instants;
use super::page::PastPage;
use super::written::Written;
use super::{History, LastSampled, Timeline};
use crate::engine::checkpoint::Part;
use crate::engine::checkpoint::bytes::{Damage, Twin, Writer};
use crate::engine::checkpoint::history::HistoryTwin;
use crate::engine::config::HistoryConfig;
use crate::engine::series::FamilyId;

/// Places and milliseconds are below this, so that nothing that is reckoned with them overflows.
const PLACE_MAX: i64 = 1 << 52;

/// A place of the grid or a time in milliseconds as it was written.
///
/// # Errors
/// It is beyond all that are written.
pub(super) const fn place(twin: i64) -> Result<i64, Damage> {
    if twin >= -PLACE_MAX && twin <= PLACE_MAX {
        Ok(twin)
    } else {
        Err(Damage("an instant is out of all time"))
    }
}

/// The past at one instant, to be written elsewhere.
#[derive(Debug)]
pub(in crate::engine) struct SavedHistory(Timeline);

impl History {
    /// The past as it is now, to be written elsewhere.
    pub(in crate::engine) fn save(&self) -> SavedHistory {
        SavedHistory(self.timeline.clone())
    }

    /// The past that was saved, sampled and kept as this configuration has it.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine) fn restored(config: &HistoryConfig, twin: HistoryTwin) -> Result<Self, Damage> {
        let mut history = Self::new(config);
        let HistoryTwin { first, grid, finished, arriving, pages, gone, left_out, written } = twin;
        let left_out: BTreeSet<FamilyId> = left_out.into_iter().map(FamilyId).collect();
        history.timeline.instants = Instants::restored(InstantTwins { first, grid, finished, arriving })?;
        for twin in pages {
            let page = PastPage::of_twin(twin)?;
            let grid = Arc::new(page.last_of_grid());
            let any = page.last_of_any().map_or_else(|| Arc::clone(&grid), Arc::new);
            history.last.push(LastSampled { grid, any });
            history.timeline.pages.push(Arc::new(page));
        }
        history.timeline.gone = GoneSeries::restored(gone);
        history.timeline.left_out = Arc::new(left_out);
        history.timeline.written = Written::restored(written)?;
        history.held = history.bytes();
        Ok(history)
    }
}

impl Part for SavedHistory {
    fn append(&self, out: &mut Writer) {
        let Timeline { instants, pages, gone, left_out, written, labels: _ } = &self.0;
        let InstantTwins { first, grid, finished, arriving } = instants.save();
        first.write(out);
        grid.write(out);
        finished.write(out);
        arriving.write(out);
        out.list(pages.iter().map(|page| page.twin()));
        gone.save().write(out);
        left_out.iter().map(|family| family.0).collect::<Vec<u32>>().write(out);
        written.save().collect::<Vec<_>>().write(out);
    }
}
