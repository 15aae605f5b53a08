//! The past of a page as its twin, and from it.

use std::sync::Arc;

use super::{Block, CellSet, Column, Extremes, PAGE_CELLS, PastPage, StepColumns};
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::history::{ColumnTwin, PastPageTwin, StepColumnsTwin};
use crate::engine::history::saved::place;
use crate::engine::series::Numbers;

impl PastPage {
    /// As it is written.
    pub(in crate::engine::history) fn twin(&self) -> PastPageTwin {
        let columns = |columns: &[Arc<Column>]| columns.iter().map(|column| column.twin()).collect();
        let step =
            |step: &Arc<StepColumns>| StepColumnsTwin { after: step.after, columns: columns(&step.columns) };
        let (packed_extremes, open_extremes) = self.extremes.save();
        PastPageTwin {
            blocks: self.blocks.iter().map(|block| block.twin()).collect(),
            base: self.base.iter().collect(),
            columns: columns(&self.columns),
            finished: self.finished.iter().map(step).collect(),
            arriving: columns(&self.arriving),
            packed_extremes,
            open_extremes,
        }
    }

    /// As it was written.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine::history) fn of_twin(twin: PastPageTwin) -> Result<Self, Damage> {
        if !matches!(twin.base.len(), 0 | PAGE_CELLS) {
            return Err(Damage("a page of the past has another number of cells"));
        }
        let blocks = twin.blocks.into_iter().map(|block| Block::of_twin(block).map(Arc::new));
        let step = |step: StepColumnsTwin| {
            let columns = columns_of(step.columns)?;
            let mut cells = CellSet::default();
            for column in &columns {
                cells.extend(column.cells());
            }
            Ok(Arc::new(StepColumns { after: place(step.after)?, cells, columns }))
        };
        let mut page = Self {
            blocks: blocks.collect::<Result<_, Damage>>()?,
            base: Arc::new(twin.base.into_iter().collect()),
            columns: columns_of(twin.columns)?,
            finished: twin.finished.into_iter().map(step).collect::<Result<_, Damage>>()?,
            arriving: columns_of(twin.arriving)?,
            extremes: Extremes::restored(twin.packed_extremes, twin.open_extremes)?,
            bytes: 0,
        };
        page.bytes = page.counted();
        Ok(page)
    }

    /// What its cells were at the last instant of the grid; empty where nothing is known of any.
    pub(in crate::engine::history) fn last_of_grid(&self) -> Numbers {
        if self.base.is_empty() && self.columns.is_empty() && self.arriving.is_empty() {
            return Numbers::default();
        }
        let mut last: Numbers = (0..PAGE_CELLS).map(|cell| self.base_of(cell)).collect();
        for column in &self.columns {
            put(column, &mut last);
        }
        last
    }

    /// The same with what arrivals changed since; none where they changed nothing.
    pub(in crate::engine::history) fn last_of_any(&self) -> Option<Numbers> {
        let mut last = (!self.arriving.is_empty()).then(|| self.last_of_grid())?;
        for column in &self.arriving {
            put(column, &mut last);
        }
        Some(last)
    }
}

fn put(column: &Column, last: &mut Numbers) {
    for cell in column.cells().iter() {
        if let Some(value) = column.get(cell) {
            last.set(cell, value);
        }
    }
}

fn columns_of(twins: Vec<ColumnTwin>) -> Result<Vec<Arc<Column>>, Damage> {
    twins.into_iter().map(|twin| Column::of_twin(twin).map(Arc::new)).collect()
}
