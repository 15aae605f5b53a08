//! A block as its twin, and from it.

use super::{Block, CellIndex};
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::history::BlockTwin;
use crate::engine::history::column::CellSet;
use crate::engine::history::saved::place;

impl Block {
    /// As it is written.
    pub(in crate::engine::history) fn twin(&self) -> BlockTwin {
        BlockTwin {
            before: self.before,
            end: self.end,
            cells: self.index.set().iter().map(|cell| cell as u16).collect(),
            bases: self.bases.iter().collect(),
            ends: self.ends.iter().map(|end| end as u32).collect(),
            bytes: self.bytes.to_vec(),
        }
    }

    /// As it was written.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine::history) fn of_twin(twin: BlockTwin) -> Result<Self, Damage> {
        let set = CellSet::of_twin(&twin.cells)?;
        let count = twin.cells.len();
        let fits =
            twin.ends.is_sorted() && twin.ends.last().is_none_or(|end| *end as usize <= twin.bytes.len());
        if twin.bases.len() != count || twin.ends.len() != count || !fits {
            return Err(Damage("a block of the past does not fit its cells"));
        }
        Ok(Self {
            before: place(twin.before)?,
            end: place(twin.end)?,
            index: CellIndex::of(set),
            bases: twin.bases.into_iter().collect(),
            ends: twin.ends.into(),
            bytes: twin.bytes.into(),
        })
    }
}
