//! Making room where the past does not fit its bytes: metrics that no rule reads lose theirs first, the largest first;
//! where that is not enough the window shrinks.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::column::CellSet;
use super::timeline::place_of;
use super::{History, LastSampled};
use crate::engine::series::{FamilyId, SeriesSource, Store};
use crate::engine::time::Timestamp;

impl History {
    /// The cells whose past is kept, by page; none while that is all of them.
    pub(super) fn shown(&self, store: &Store) -> Option<Vec<CellSet>> {
        let left_out = &self.timeline.left_out;
        if left_out.is_empty() {
            return None;
        }
        let mut shown = vec![CellSet::default(); store.cell_pages_len()];
        for family in store.families_by_name().filter(|family| !left_out.contains(family)) {
            let cells = store.family_spec(family).cells();
            let mut add = |first: u32, end: u32| {
                for (page, cell) in (first..end).map(place_of) {
                    if let Some(page) = shown.get_mut(page) {
                        page.insert(cell);
                    }
                }
            };
            store.rows(family).for_each(|(_, row)| add(row.cell, row.cell + cells));
            self.timeline.gone.of(family, i64::MIN).for_each(|gone| add(gone.cells.start, gone.cells.end));
        }
        Some(shown)
    }

    /// Leaves out what must be left out for the rest to fit nine tenths of the bytes there are.
    pub(super) fn make_room(&mut self, store: &Store, now: Timestamp, read: &BTreeSet<FamilyId>) {
        let goal = self.bytes_max / 10 * 9;
        let unread = |family: &FamilyId| !read.contains(family) && !self.timeline.left_out.contains(family);
        let mut largest: Vec<(usize, FamilyId)> = store
            .families_by_name()
            .filter(unread)
            .map(|family| (self.family_bytes(store, family), family))
            .filter(|(bytes, _)| *bytes > 0)
            .collect();
        largest.sort_unstable_by(|left, right| right.cmp(left));
        let mut largest = largest.into_iter().peekable();
        while self.bytes() > goal && largest.peek().is_some() {
            let mut excess = self.bytes() - goal;
            // What pages share goes only when all of their cells do, so that one round may not be enough.
            while let Some((bytes, family)) = largest.next_if(|_| excess > 0) {
                excess = excess.saturating_sub(bytes);
                Arc::make_mut(&mut self.timeline.left_out).insert(family);
                self.unsaid.push(family);
            }
            self.drop_hidden(store);
        }
        let mut window = self.window;
        while self.bytes() > self.bytes_max && window > self.step {
            window /= 2;
            self.forget_before(now.before(window));
        }
        if self.bytes() > self.bytes_max {
            self.timeline.gone.keep(|_| false);
        }
    }

    fn family_bytes(&self, store: &Store, family: FamilyId) -> usize {
        let cells = store.family_spec(family).cells();
        let all = store.rows(family).flat_map(|(_, row)| row.cell..row.cell + cells);
        let bytes = all.map(|cell| {
            let (page, cell) = place_of(cell);
            // Its places in the page's values count too, so that every family with series has some.
            self.timeline.pages.get(page).map_or(0, |page| page.cell_bytes(cell) + 2 * size_of::<f64>())
        });
        bytes.sum()
    }

    /// Forgets the past of the cells that are not shown.
    fn drop_hidden(&mut self, store: &Store) {
        let Some(shown) = self.shown(store) else { return };
        let left_out = &self.timeline.left_out;
        self.timeline.gone.keep(|family| !left_out.contains(&family));
        let nothing = CellSet::default();
        let pages = self.timeline.pages.iter_mut().zip(&mut self.last);
        for ((page, last), shown) in pages.zip(shown.iter().chain(std::iter::repeat(&nothing))) {
            if shown.is_empty() {
                *last = LastSampled::default();
            }
            Arc::make_mut(page).keep(shown);
        }
    }
}
