//! The past of a page of cells.
//!
//! Instants of the grid come as columns of what changed. After some of them they are packed into a block; the pages
//! take turns, so that no step has them all to pack. Blocks and columns are never written again: a frozen view shares
//! them, and the page itself, which is copied before it is next written, is a list of them.

mod saved;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::block::{Block, BlockBuilder};
use super::codec::ChangePlace;
use super::column::{CellSet, Column, PAGE_CELLS};
use super::extremes::{Extremes, Point};
use crate::engine::series::Numbers;

/// Columns that are kept as they came before they are packed.
pub(super) const COLUMNS_MAX: usize = 48;

/// The past of a page of cells.
#[derive(Clone, Debug, Default)]
pub(super) struct PastPage {
    blocks: VecDeque<Arc<Block>>,
    /// What cells were before the columns; empty stands for zeros.
    base: Arc<Numbers>,
    columns: Vec<Arc<Column>>,
    /// The arrivals of steps that are over.
    finished: VecDeque<Arc<StepColumns>>,
    /// The arrivals since the last instant of the grid.
    arriving: Vec<Arc<Column>>,
    extremes: Extremes,
    bytes: usize,
}

/// What arrivals changed in one step.
#[derive(Debug)]
struct StepColumns {
    /// The place of the grid before it.
    after: ChangePlace,
    cells: CellSet,
    columns: Vec<Arc<Column>>,
}

impl PastPage {
    /// Adds what changed at an instant of the grid; at the last one again, where that is it.
    pub(super) fn push(&mut self, column: Column) {
        add(&mut self.columns, column, &mut self.bytes);
    }

    /// Adds what changed at an arrival since the last instant of the grid; at the last one again, where that is it.
    pub(super) fn arrive(&mut self, column: Column) {
        add(&mut self.arriving, column, &mut self.bytes);
    }

    /// Whether arrivals wait for the end of their step.
    pub(super) fn is_arriving(&self) -> bool {
        !self.arriving.is_empty()
    }

    /// Ends the step that followed the place `after`, of which the first `arrivals` count.
    pub(super) fn finish_step(&mut self, after: ChangePlace, arrivals: ChangePlace) {
        let mut columns = std::mem::take(&mut self.arriving);
        while let Some(column) = columns.pop_if(|column| column.at >= arrivals) {
            self.bytes = self.bytes.saturating_sub(column.bytes());
        }
        let mut cells = CellSet::default();
        for column in &columns {
            cells.extend(column.cells());
        }
        self.finished.push_back(Arc::new(StepColumns { after, cells, columns }));
    }

    /// Leaves of the arrivals of steps up to the one that followed `after` only these points.
    pub(super) fn thin(&mut self, after: ChangePlace, points: Vec<Point>) {
        while let Some(step) = self.finished.front().filter(|step| step.after <= after) {
            self.bytes = self.bytes.saturating_sub(step.columns.iter().map(|column| column.bytes()).sum());
            self.finished.pop_front();
        }
        if !points.is_empty() {
            self.bytes = self.bytes.saturating_add_signed(self.extremes.push(points));
        }
    }

    /// Whether arrivals of a step up to the one that followed `after` are kept.
    pub(super) fn has_step_until(&self, after: ChangePlace) -> bool {
        self.finished.front().is_some_and(|step| step.after <= after)
    }

    /// How many columns wait to be packed.
    pub(super) fn columns_len(&self) -> usize {
        self.columns.len()
    }

    /// Packs the columns; `last` is what cells are after them.
    pub(super) fn pack(&mut self, last: &Arc<Numbers>) {
        let Some(first) = self.columns.first().map(|column| column.at) else { return };
        let end = self.columns.last().map_or(first, |column| column.at) + 1;
        let mut changed = CellSet::default();
        for column in &self.columns {
            changed.extend(column.cells());
        }
        let mut builder = BlockBuilder::new(first - 1);
        for cell in changed.iter() {
            let changes = self.columns.iter().filter_map(|column| Some((column.at, column.get(cell)?)));
            builder.add(cell, self.base_of(cell), changes);
        }
        self.bytes =
            self.bytes.saturating_sub(self.columns.iter().map(|column| column.bytes()).sum::<usize>());
        self.columns = Vec::new();
        if let Some(block) = builder.finish(end) {
            self.bytes += block.bytes();
            self.blocks.push_back(Arc::new(block));
        }
        self.rebase(Arc::clone(last));
    }

    fn rebase(&mut self, base: Arc<Numbers>) {
        self.bytes = self.bytes.saturating_sub(page_bytes(&self.base)) + page_bytes(&base);
        self.base = base;
    }

    fn base_of(&self, cell: usize) -> f64 {
        self.base.get(cell).unwrap_or(0.0)
    }

    /// Whether [`PastPage::forget_before`] has something to do.
    pub(super) fn is_older_than(&self, place: ChangePlace, time_ms: i64) -> bool {
        self.blocks.front().is_some_and(|block| block.end <= place)
            || self.columns.first().is_some_and(|column| column.at < place)
            || self.extremes.is_older_than(time_ms)
    }

    /// Forgets the changes before a place of the grid, which is at `time_ms`.
    pub(super) fn forget_before(&mut self, place: ChangePlace, time_ms: i64) {
        while let Some(block) = self.blocks.front().filter(|block| block.end <= place) {
            self.bytes = self.bytes.saturating_sub(block.bytes());
            self.blocks.pop_front();
        }
        let old = self.columns.partition_point(|column| column.at < place);
        if old > 0 {
            let mut base: Numbers = (0..PAGE_CELLS).map(|cell| self.base_of(cell)).collect();
            for column in self.columns.drain(..old) {
                self.bytes = self.bytes.saturating_sub(column.bytes());
                for cell in column.cells().iter() {
                    if let Some(value) = column.get(cell) {
                        base.set(cell, value);
                    }
                }
            }
            self.rebase(Arc::new(base));
        }
        let held = self.extremes.bytes();
        self.extremes.forget_before(time_ms);
        self.bytes = self.bytes.saturating_sub(held) + self.extremes.bytes();
    }

    /// Forgets everything of the cells that are not in `shown`.
    pub(super) fn keep(&mut self, shown: &CellSet) {
        if shown.is_empty() {
            *self = Self::default();
            return;
        }
        let only = |columns: &[Arc<Column>]| -> Vec<Arc<Column>> {
            columns.iter().filter_map(|column| column.only(shown)).map(Arc::new).collect()
        };
        self.blocks = self.blocks.iter().filter_map(|block| block.only(shown)).map(Arc::new).collect();
        self.columns = only(&self.columns);
        self.arriving = only(&self.arriving);
        for step in &mut self.finished {
            let (after, cells) = (step.after, step.cells);
            *step = Arc::new(StepColumns { after, cells, columns: only(&step.columns) });
        }
        self.extremes.keep(shown);
        self.bytes = self.counted();
    }

    /// The values of a cell at these places of the grid.
    pub(super) fn values(&self, cell: usize, places: Range<ChangePlace>, out: &mut Vec<f64>) {
        let mut hold = Holding { next: places.start, end: places.end, out };
        let from = self.blocks.partition_point(|block| block.end <= places.start);
        for block in self.blocks.iter().skip(from) {
            let Some((base, changes)) = block.changes(cell) else { continue };
            let mut value = base;
            for (at, after) in changes {
                if hold.until(at, value) == Filled::Full {
                    return;
                }
                value = after;
            }
        }
        let mut value = self.base_of(cell);
        for column in &self.columns {
            let Some(after) = column.get(cell) else { continue };
            if hold.until(column.at, value) == Filled::Full {
                return;
            }
            value = after;
        }
        hold.until(places.end, value);
    }

    /// The value of a cell at one place of the grid.
    pub(super) fn value(&self, cell: usize, place: ChangePlace) -> f64 {
        if self.columns.first().is_some_and(|first| first.at <= place) {
            let until = self.columns.get(..self.columns.partition_point(|column| column.at <= place));
            let known = until.into_iter().flatten().rev().find_map(|column| column.get(cell));
            return known.unwrap_or_else(|| self.base_of(cell));
        }
        let from = self.blocks.partition_point(|block| block.end <= place);
        match self.blocks.iter().skip(from).find_map(|block| block.changes(cell)) {
            Some((base, changes)) => {
                changes.take_while(|(at, _)| *at <= place).last().map_or(base, |(_, value)| value)
            }
            None => self.base_of(cell),
        }
    }

    /// The value of a cell at an arrival, by the place of the grid before it and its number; `current` is the last
    /// place of the grid.
    pub(super) fn value_at_arrival(
        &self,
        cell: usize,
        (after, number): (ChangePlace, ChangePlace),
        current: ChangePlace,
    ) -> f64 {
        let columns = self.arrivals(after, current);
        let until = columns.get(..columns.partition_point(|column| column.at <= number));
        let known = until.into_iter().flatten().rev().find_map(|column| column.get(cell));
        known.unwrap_or_else(|| self.value(cell, after))
    }

    /// What arrivals changed in the step that followed `after`.
    pub(super) fn arrivals(&self, after: ChangePlace, current: ChangePlace) -> &[Arc<Column>] {
        if after == current {
            return &self.arriving;
        }
        self.finished.iter().find(|step| step.after == after).map_or(&[], |step| &step.columns)
    }

    /// Whether arrivals changed a cell in the finished step that followed `after`.
    pub(super) fn is_moved(&self, cell: usize, after: ChangePlace) -> bool {
        self.finished.iter().any(|step| step.after == after && step.cells.contains(cell))
    }

    /// What is left of the arrivals of older steps.
    pub(super) const fn extremes(&self) -> &Extremes {
        &self.extremes
    }

    /// Bytes held.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes that one cell takes.
    pub(super) fn cell_bytes(&self, cell: usize) -> usize {
        let packed: usize = self.blocks.iter().map(|block| block.cell_bytes(cell)).sum();
        packed + self.columns.iter().map(|column| column.cell_bytes(cell)).sum::<usize>()
    }

    /// [`PastPage::bytes`], counted anew.
    pub(super) fn counted(&self) -> usize {
        let arrivals = self.finished.iter().flat_map(|step| &step.columns).chain(&self.arriving);
        self.blocks.iter().map(|block| block.bytes()).sum::<usize>()
            + page_bytes(&self.base)
            + self.columns.iter().chain(arrivals).map(|column| column.bytes()).sum::<usize>()
            + self.extremes.bytes()
    }
}

/// What a page of cells counts for: as if it were kept for itself alone and none of them were whole, which depends on
/// what was there before.
pub(super) fn page_bytes(cells: &Numbers) -> usize {
    if cells.is_empty() { 0 } else { PAGE_CELLS * size_of::<f64>() }
}

/// Whether all places that were asked for have their value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filled {
    Full,
    Open,
}

/// Values written out place by place, each holding until the next change.
struct Holding<'a> {
    next: ChangePlace,
    end: ChangePlace,
    out: &'a mut Vec<f64>,
}

impl Holding<'_> {
    /// The value holds until the place `at`.
    fn until(&mut self, at: ChangePlace, value: f64) -> Filled {
        let at = at.min(self.end);
        if at > self.next {
            let count = usize::try_from(at - self.next).unwrap_or(0);
            self.out.extend(std::iter::repeat_n(value, count));
            self.next = at;
        }
        if self.next < self.end { Filled::Open } else { Filled::Full }
    }
}

/// Puts a column behind others, over the last one where that is of the same instant.
fn add(columns: &mut Vec<Arc<Column>>, mut column: Column, bytes: &mut usize) {
    if let Some(older) = columns.pop_if(|older| older.at == column.at) {
        *bytes = bytes.saturating_sub(older.bytes());
        column = column.over(&older);
    }
    *bytes += column.bytes();
    columns.push(Arc::new(column));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_page_reads_as_the_values_that_were_pushed(
            steps in prop::collection::vec(prop::collection::vec((0_usize..PAGE_CELLS, 0_i32..5), 0..6), 1..200),
            start in 1_i64..200,
            forgotten in 0_i64..200,
        ) {
            let (mut page, mut last) = (PastPage::default(), Arc::new(Numbers::zeros(PAGE_CELLS)));
            let mut present = vec![0.0; PAGE_CELLS];
            let mut seen: Vec<Vec<f64>> = vec![present.clone()];
            for (place, moves) in (1..).zip(&steps) {
                for (cell, value) in moves {
                    present[*cell] = f64::from(*value);
                }
                if let Some(column) = Column::changed(place, &mut last, &Arc::new(present.iter().copied().collect()), &CellSet::ALL) {
                    page.push(column);
                }
                if place % 17 == 0 {
                    page.pack(&last);
                }
                seen.push(present.clone());
            }
            let end = seen.len().cast_signed() as i64;
            let (start, forgotten) = (start.min(end), forgotten.min(end));
            page.forget_before(forgotten, 0);
            for cell in [0, 1, 63, 64, 511] {
                let mut read = Vec::new();
                let start = start.max(forgotten);
                page.values(cell, start..end, &mut read);
                let expected: Vec<f64> = seen[start as usize..].iter().map(|values| values[cell]).collect();
                prop_assert_eq!(read, expected);
            }
            prop_assert_eq!(page.bytes(), page.counted());
        }
    }
}
