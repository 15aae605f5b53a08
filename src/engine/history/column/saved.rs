//! A column as its twin, and from it.

use super::{CellSet, Column, PAGE_CELLS};
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::history::ColumnTwin;
use crate::engine::history::saved::place;

impl CellSet {
    /// The cells that were written.
    ///
    /// # Errors
    /// They do not rise, or there is no such cell.
    pub(in crate::engine::history) fn of_twin(cells: &[u16]) -> Result<Self, Damage> {
        let rise = cells.is_sorted_by(|left, right| left < right);
        if !rise || cells.last().is_some_and(|last| usize::from(*last) >= PAGE_CELLS) {
            return Err(Damage("a page of the past has a cell twice, or one too many"));
        }
        let mut set = Self::default();
        for cell in cells {
            set.insert(usize::from(*cell));
        }
        Ok(set)
    }
}

impl Column {
    /// As it is written.
    pub(in crate::engine::history) fn twin(&self) -> ColumnTwin {
        ColumnTwin {
            at: self.at,
            cells: self.cells().iter().map(|cell| cell as u16).collect(),
            values: self.values.iter().collect(),
        }
    }

    /// As it was written.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine::history) fn of_twin(twin: ColumnTwin) -> Result<Self, Damage> {
        let set = CellSet::of_twin(&twin.cells)?;
        if twin.cells.len() != twin.values.len() {
            return Err(Damage("a column of the past does not fit its cells"));
        }
        Self::new(place(twin.at)?, set, twin.values).ok_or(Damage("a column of the past is empty"))
    }
}
