//! What changed in a page of cells at one instant.

mod saved;

use std::sync::Arc;

use super::codec::ChangePlace;
use crate::engine::series::Numbers;

/// Cells of a page: as many as a page of the store has, so that both are walked together.
pub(super) const PAGE_CELLS: usize = crate::engine::series::PAGE_CELLS;

const WORDS: usize = PAGE_CELLS / 64;

/// Some cells of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CellSet([u64; WORDS]);

impl CellSet {
    /// Every cell of a page.
    pub(super) const ALL: Self = Self([u64::MAX; WORDS]);

    /// Adds a cell.
    pub(super) fn insert(&mut self, cell: usize) {
        if let Some(word) = self.0.get_mut(cell / 64) {
            *word |= 1 << (cell % 64);
        }
    }

    /// Adds the cells of another set.
    pub(super) fn extend(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word |= other;
        }
    }

    /// Whether a cell is in it.
    pub(super) fn contains(&self, cell: usize) -> bool {
        self.0.get(cell / 64).is_some_and(|word| word >> (cell % 64) & 1 == 1)
    }

    /// Whether there is no cell in it.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Its cells, rising.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(at, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros() as usize;
                rest &= rest.checked_sub(1)?;
                Some(at * 64 + bit)
            })
        })
    }
}

/// Finds what belongs to a cell among things kept for some cells of a page alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct CellIndex {
    set: CellSet,
    /// Cells of the set before each word.
    before: [u16; WORDS],
}

impl CellIndex {
    /// Of the cells of a set.
    pub(super) fn of(set: CellSet) -> Self {
        let mut before = [0; WORDS];
        let mut count = 0;
        for (before, word) in before.iter_mut().zip(set.0) {
            *before = count;
            count += word.count_ones() as u16;
        }
        Self { set, before }
    }

    /// The cells.
    pub(super) const fn set(&self) -> &CellSet {
        &self.set
    }

    /// How many cells of the set come before this one; none where it is not in it.
    pub(super) fn rank(&self, cell: usize) -> Option<usize> {
        let word = self.set.0.get(cell / 64)?;
        let bit = cell % 64;
        if word >> bit & 1 == 0 {
            return None;
        }
        let within = (word & ((1 << bit) - 1)).count_ones() as usize;
        Some(usize::from(*self.before.get(cell / 64)?) + within)
    }
}

/// The cells of a page that changed at one instant, with their new values.
#[derive(Debug)]
pub(super) struct Column {
    /// The instant: a place of the grid, or the number of an arrival within its step.
    pub(super) at: ChangePlace,
    index: CellIndex,
    values: Numbers,
}

impl Column {
    /// What of `shown` differs between `last` and `present`; `last` is brought to the present. None without a change.
    pub(super) fn changed(
        at: ChangePlace,
        last: &mut Arc<Numbers>,
        present: &Arc<Numbers>,
        shown: &CellSet,
    ) -> Option<Self> {
        if Arc::ptr_eq(last, present) {
            return None;
        }
        let mut set = CellSet::default();
        let mut values = Vec::new();
        for (cell, value) in last.changes(present).filter(|(cell, _)| shown.contains(*cell)) {
            set.insert(cell);
            values.push(value);
        }
        if *shown == CellSet::ALL {
            // What does not move until the next instant is kept once.
            *last = Arc::clone(present);
        } else if !values.is_empty() {
            let last = Arc::make_mut(last);
            set.iter().zip(&values).for_each(|(cell, value)| last.set(cell, *value));
        }
        Self::new(at, set, values)
    }

    /// The new values of the cells of a set, in their order; none without any.
    pub(super) fn new(at: ChangePlace, set: CellSet, values: Vec<f64>) -> Option<Self> {
        (!values.is_empty()).then(|| Self {
            at,
            index: CellIndex::of(set),
            values: values.into_iter().collect(),
        })
    }

    /// The new value of a cell, where it changed.
    pub(super) fn get(&self, cell: usize) -> Option<f64> {
        self.values.get(self.index.rank(cell)?)
    }

    /// The cells that changed.
    pub(super) const fn cells(&self) -> &CellSet {
        self.index.set()
    }

    /// The same with what an older column of its instant has of other cells.
    pub(super) fn over(&self, older: &Self) -> Self {
        let mut set = *self.cells();
        set.extend(older.cells());
        let values = set.iter().filter_map(|cell| self.get(cell).or_else(|| older.get(cell))).collect();
        Self { at: self.at, index: CellIndex::of(set), values }
    }

    /// The same without the cells that are not in `shown`; none where nothing is left.
    pub(super) fn only(&self, shown: &CellSet) -> Option<Self> {
        let mut set = CellSet::default();
        let mut values = Vec::new();
        for (cell, value) in self.cells().iter().zip(self.values.iter()) {
            if shown.contains(cell) {
                set.insert(cell);
                values.push(value);
            }
        }
        Self::new(self.at, set, values)
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + 2 * size_of::<usize>() + self.values.bytes()
    }

    /// Bytes that one cell takes.
    pub(super) fn cell_bytes(&self, cell: usize) -> usize {
        self.index.rank(cell).map_or(0, |rank| self.values.bytes_at(rank))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cell_finds_its_own_value() {
        let (mut last, mut present) = (Arc::new(Numbers::zeros(PAGE_CELLS)), Numbers::zeros(PAGE_CELLS));
        for cell in [0, 63, 64, 300, PAGE_CELLS - 1] {
            present.set(cell, cell as f64 + 1.0);
        }
        let present = Arc::new(present);
        let column = Column::changed(1, &mut last, &present, &CellSet::ALL).unwrap();
        for (cell, value) in present.iter().enumerate() {
            assert_eq!(column.get(cell), (value != 0.0).then_some(value));
        }
        assert_eq!(column.cells().iter().collect::<Vec<_>>(), [0, 63, 64, 300, PAGE_CELLS - 1]);
        assert!(Column::changed(2, &mut last, &present, &CellSet::ALL).is_none());
    }
}
