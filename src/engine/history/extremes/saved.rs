//! Extremes as their twins, and from them.

use std::sync::Arc;

use super::{Block, Extremes, PAGE_CELLS, Point};
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::history::{BlockTwin, PointTwin};
use crate::engine::history::saved::place;

impl Extremes {
    /// What is packed, and what is open yet.
    pub(in crate::engine::history) fn save(&self) -> (Vec<BlockTwin>, Vec<Vec<PointTwin>>) {
        let point =
            |point: &Point| PointTwin { cell: point.cell, time_ms: point.time_ms, value: point.value };
        let open = self.open.iter().map(|step| step.iter().map(point).collect());
        (self.packed.iter().map(|block| block.twin()).collect(), open.collect())
    }

    /// What was saved.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine::history) fn restored(
        packed: Vec<BlockTwin>,
        open: Vec<Vec<PointTwin>>,
    ) -> Result<Self, Damage> {
        let point = |twin: PointTwin| {
            if usize::from(twin.cell) >= PAGE_CELLS {
                return Err(Damage("an extreme of the past is of no cell"));
            }
            Ok(Point { cell: twin.cell, time_ms: place(twin.time_ms)?, value: twin.value })
        };
        let step =
            |step: Vec<PointTwin>| step.into_iter().map(point).collect::<Result<Arc<[Point]>, Damage>>();
        let packed = packed.into_iter().map(|twin| Block::of_twin(twin).map(Arc::new));
        Ok(Self {
            packed: packed.collect::<Result<_, Damage>>()?,
            open: open.into_iter().map(step).collect::<Result<_, Damage>>()?,
        })
    }
}
