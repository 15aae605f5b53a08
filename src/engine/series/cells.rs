//! Every value of every series, in pages of 512 cells, with the exemplars of those that events add to.
//!
//! The cells of one series are neighbours. Gauges, which carry no exemplars and are seldom whole, have pages of their own,
//! so that counts beside them take four bytes each.

use std::collections::BTreeMap;
use std::mem::replace;
use std::ops::Range;
use std::sync::Arc;

use super::Ordinal;
use super::exemplars::{Exemplar, Exemplars};
use super::numbers::Numbers;
use super::page::Page;

/// Cells of a page.
pub(in crate::engine) const PAGE_CELLS: usize = 512;

/// Which pages a series' cells stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CellKind {
    /// Gauges.
    Plain,
    /// Counters and histograms.
    Exemplified,
}

/// Cells not yet handed out, of the page each kind fills.
#[derive(Debug, Default)]
struct Open {
    plain: Range<u32>,
    exemplified: Range<u32>,
}

impl Open {
    fn of(&mut self, kind: CellKind) -> &mut Range<u32> {
        match kind {
            CellKind::Plain => &mut self.plain,
            CellKind::Exemplified => &mut self.exemplified,
        }
    }
}

/// Events after which exemplars are swept; a power of two.
const SWEPT_EVENTS: u32 = 1 << 14;

/// One page in so many is looked through for single exemplars to sweep.
const SWEPT_PAGES: usize = 16;

/// The cells.
#[derive(Debug, Default)]
pub(super) struct Cells {
    values: Vec<Page<Numbers>>,
    exemplars: Vec<Page<Exemplars>>,
    /// The event at which exemplars were swept last.
    swept: Ordinal,
    open: Open,
    free: BTreeMap<(CellKind, u32), Vec<u32>>,
}

fn place_of(cell: u32) -> (usize, usize) {
    (cell as usize / PAGE_CELLS, cell as usize % PAGE_CELLS)
}

impl Cells {
    /// Hands out `count` neighbouring cells, all zero, without exemplars; none where 2^32 cells are in use.
    pub(super) fn take(&mut self, kind: CellKind, count: u32) -> Option<u32> {
        if let Some(first) = self.free.get_mut(&(kind, count)).and_then(Vec::pop) {
            return Some(first);
        }
        let open = self.open.of(kind);
        if open.end - open.start >= count {
            let first = open.start;
            open.start += count;
            return Some(first);
        }
        let pages = count.div_ceil(PAGE_CELLS as u32);
        let first = u32::try_from(self.values.len() * PAGE_CELLS).ok()?;
        let end = pages.checked_mul(PAGE_CELLS as u32)?.checked_add(first)?;
        for _ in 0..pages {
            self.values.push(Page::Own(Numbers::zeros(PAGE_CELLS)));
            self.exemplars.push(Page::default());
        }
        let left_over = replace(self.open.of(kind), first + count..end);
        self.free.entry((kind, 1)).or_default().extend(left_over.rev());
        Some(first)
    }

    /// As many pages with these cells taken, at zero; none where some overlap or lie outside.
    pub(super) fn restored(pages: u32, mut used: Vec<(CellKind, u32, u32)>) -> Option<Self> {
        used.sort_unstable_by_key(|(_, first, _)| *first);
        let total = (pages as usize).checked_mul(PAGE_CELLS).filter(|total| u32::try_from(*total).is_ok())?;
        let last = used.last().map_or(Some(0), |(_, first, count)| first.checked_add(*count))?;
        // A page that nobody uses was taken for a series that left; no more than a few of those are kept.
        if last as usize > total || total > (used.len() + 2) * 2 * PAGE_CELLS.max(last as usize) {
            return None;
        }
        let mut cells = Self::default();
        for _ in 0..pages {
            cells.values.push(Page::Own(Numbers::zeros(PAGE_CELLS)));
            cells.exemplars.push(Page::default());
        }
        let mut next = 0;
        let mut before = CellKind::Plain;
        for (kind, first, count) in used {
            let gap = next..first;
            next = first.max(next).checked_add(count).filter(|_| first >= gap.start)?;
            // Both kinds begin at a page, so that a gap is of the kind before it up to there.
            let border = gap.start.next_multiple_of(PAGE_CELLS as u32).min(gap.end);
            cells.free_singles(before, gap.start..border);
            cells.free_singles(kind, border..gap.end);
            before = kind;
        }
        let end = total as u32;
        let border = next.next_multiple_of(PAGE_CELLS as u32).min(end);
        *cells.open.of(before) = next..border;
        cells.free_singles(before, border..end);
        Some(cells)
    }

    fn free_singles(&mut self, kind: CellKind, cells: Range<u32>) {
        if !cells.is_empty() {
            self.free.entry((kind, 1)).or_default().extend(cells.rev());
        }
    }

    /// Brings a cell to zero, without an exemplar.
    pub(super) fn clear(&mut self, cell: u32) {
        let (page, place) = place_of(cell);
        if let Some(page) = self.values.get_mut(page) {
            page.get_mut().clear(place);
        }
        if let Some(page) = self.exemplars.get_mut(page)
            && page.get().at(place).is_some()
        {
            page.get_mut().clear(place);
        }
    }

    /// Takes cells back.
    pub(super) fn give_back(&mut self, kind: CellKind, cells: Range<u32>) {
        for cell in cells.clone() {
            self.clear(cell);
        }
        self.free.entry((kind, cells.end - cells.start)).or_default().push(cells.start);
    }

    /// The value of a cell; 0 where there is no such cell.
    #[inline]
    pub(super) fn get(&self, cell: u32) -> f64 {
        let (page, place) = place_of(cell);
        self.values.get(page).and_then(|page| page.get().get(place)).unwrap_or(0.0)
    }

    /// How many pages there are.
    pub(super) fn pages_len(&self) -> usize {
        self.values.len()
    }

    /// The values of a page as they are now.
    pub(super) fn share_page(&mut self, page: usize) -> Arc<Numbers> {
        self.values.get_mut(page).map(Page::share).unwrap_or_default()
    }

    /// Sets a cell.
    #[inline]
    pub(super) fn set(&mut self, cell: u32, value: f64) {
        let (page, place) = place_of(cell);
        if let Some(page) = self.values.get_mut(page) {
            page.get_mut().set(place, value);
        }
    }

    /// Adds to a cell; a total saturates at the largest finite number.
    #[inline]
    pub(super) fn add(&mut self, cell: u32, delta: f64) {
        let (page, place) = place_of(cell);
        if let Some(page) = self.values.get_mut(page) {
            page.get_mut().add(place, delta);
        }
    }

    /// Remembers what last added to a cell.
    #[inline]
    pub(super) fn exemplify(&mut self, cell: u32, exemplar: Exemplar) {
        let (page, place) = place_of(cell);
        if let Some(page) = self.exemplars.get_mut(page) {
            page.get_mut().put(place, exemplar);
        }
        if exemplar.event.0.wrapping_sub(self.swept.0) >= SWEPT_EVENTS {
            self.sweep(exemplar.event);
        }
    }

    /// Remembers what a state says last added to a cell.
    pub(super) fn restore_exemplar(&mut self, cell: u32, exemplar: Exemplar) {
        let (page, place) = place_of(cell);
        if let Some(page) = self.exemplars.get_mut(page) {
            page.get_mut().restore(place, exemplar);
        }
    }

    /// Forgets exemplars whose events are no longer among the last ones: whole pages, and single ones in a few of the
    /// others each time.
    #[cold]
    fn sweep(&mut self, newest: Ordinal) {
        self.swept = newest;
        let turn = (newest.0 / SWEPT_EVENTS) as usize;
        for (number, page) in self.exemplars.iter_mut().enumerate() {
            if page.get().are_gone(newest) {
                *page = Page::default();
            } else if number % SWEPT_PAGES == turn % SWEPT_PAGES && page.get().are_half_gone(newest) {
                page.get_mut().sweep(newest);
            }
        }
    }

    /// A view of all cells as they are now.
    pub(super) fn freeze(&mut self) -> FrozenCells {
        FrozenCells {
            values: self.values.iter_mut().map(Page::share).collect(),
            exemplars: self.exemplars.iter_mut().map(Page::share).collect(),
        }
    }
}

/// All cells at one instant.
#[derive(Debug, Default)]
pub(super) struct FrozenCells {
    values: Vec<Arc<Numbers>>,
    exemplars: Vec<Arc<Exemplars>>,
}

impl FrozenCells {
    /// The value of a cell; 0 where there is no such cell.
    pub(super) fn get(&self, cell: u32) -> f64 {
        let (page, place) = place_of(cell);
        self.values.get(page).and_then(|page| page.get(place)).unwrap_or(0.0)
    }

    /// What last added to a cell.
    pub(super) fn exemplar(&self, cell: u32) -> Option<Exemplar> {
        let (page, place) = place_of(cell);
        self.exemplars.get(page)?.at(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_one_series_are_neighbours_and_come_back_at_zero() {
        let mut cells = Cells::default();
        assert_eq!(cells.take(CellKind::Exemplified, 500), Some(0));
        assert_eq!(cells.take(CellKind::Exemplified, 20), Some(512), "a histogram does not straddle");
        assert_eq!(cells.take(CellKind::Exemplified, 1), Some(500), "what it left over serves counters");
        cells.add(500, 3.0);
        cells.exemplify(500, Exemplar { value: 3.0, event: Ordinal(9) });
        cells.give_back(CellKind::Exemplified, 500..501);
        assert_eq!(cells.take(CellKind::Exemplified, 1), Some(500));
        assert_eq!(cells.get(500), 0.0);
        assert_eq!(cells.freeze().exemplar(500), None);
        assert_eq!(cells.take(CellKind::Plain, 1), Some(1024), "gauges have pages of their own");
        assert_eq!(cells.take(CellKind::Plain, 2_000), Some(1536), "a series may be longer than a page");
    }

    #[test]
    fn exemplars_of_a_state_stay_in_whatever_order_their_events_came() {
        let mut cells = Cells::default();
        cells.take(CellKind::Exemplified, 500);
        cells.take(CellKind::Exemplified, 500);
        let events = [(3, 70_000), (4, 60_000), (512, 60_001), (513, 90_000), (514, 50_000)];
        for (cell, event) in events {
            cells.restore_exemplar(cell, Exemplar { value: 1.0, event: Ordinal(event) });
        }
        // One that lives on has what is gone swept.
        cells.exemplify(5, Exemplar { value: 1.0, event: Ordinal(100_000) });
        let frozen = cells.freeze();
        let found = events.map(|(cell, _)| frozen.exemplar(cell).map(|exemplar| exemplar.event.0));
        assert_eq!(found, events.map(|(_, event)| Some(event)));
    }

    #[test]
    fn totals_saturate() {
        let mut cells = Cells::default();
        cells.take(CellKind::Plain, 1);
        cells.add(0, f64::MAX);
        cells.add(0, f64::MAX);
        assert_eq!(cells.get(0), f64::MAX);
    }
}
