//! A family: what it is declared with, and its series in rows.
//!
//! Rows stand in pages of 512 that a frozen view shares; the label text of a page's rows is one string. A removed
//! series leaves a hole that the next birth fills.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::page::Page;
use super::{FamilySpec, Timestamp};

/// Rows of a page.
pub(super) const PAGE_ROWS: u32 = 512;

/// Text that belongs to no row is worth moving the rest from this many bytes.
const GARBAGE_BYTES_MAX: u32 = 4_096;

/// What a scrape needs of a series.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Row {
    slot: u32,
    /// Its first cell.
    pub(in crate::engine) cell: u32,
    /// When it was born.
    pub(in crate::engine) born: Timestamp,
    text_start: u32,
    text_len: u32,
}

/// The slot of a row whose series was removed.
const HOLE: u32 = u32::MAX;

impl Row {
    /// A row whose text is put beside it.
    pub(super) const fn new(slot: u32, cell: u32, born: Timestamp) -> Self {
        Self { slot, cell, born, text_start: 0, text_len: 0 }
    }

    /// Its slot; none in a hole.
    pub(in crate::engine) fn slot(&self) -> Option<u32> {
        (self.slot != HOLE).then_some(self.slot)
    }
}

/// A page of rows.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Rows {
    all: Vec<Row>,
    text: String,
    garbage: u32,
    /// Births and removals so far.
    epoch: u64,
    is_unusual: bool,
    /// The places of parked series.
    parked: BTreeSet<u32>,
}

impl Rows {
    /// The rows that are no holes.
    pub(in crate::engine) fn iter(&self) -> impl Iterator<Item = &Row> + '_ {
        self.all.iter().filter(|row| row.slot != HOLE)
    }

    /// The rows that are no holes, each with its place in the page.
    pub(in crate::engine) fn placed(&self) -> impl Iterator<Item = (u32, &Row)> + '_ {
        (0..).zip(&self.all).filter(|(_, row)| row.slot != HOLE)
    }

    /// The rows that a scrape shows, with their places, from this place on: neither holes nor parked series.
    pub(in crate::engine) fn shown(&self, from: usize) -> impl Iterator<Item = (usize, &Row)> + '_ {
        let rows = self.all.iter().enumerate().skip(from);
        rows.filter(|(place, row)| {
            row.slot != HOLE && (self.parked.is_empty() || !self.parked.contains(&(*place as u32)))
        })
    }

    /// Grows with every birth and removal in the page.
    pub(in crate::engine) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether a label name of the page may be one that not every scraper reads.
    pub(in crate::engine) fn is_unusual(&self) -> bool {
        self.is_unusual
    }

    /// The label text of a row of this page.
    #[inline]
    pub(in crate::engine) fn text(&self, row: &Row) -> &str {
        let start = row.text_start as usize;
        self.text.get(start..start + row.text_len as usize).unwrap_or("")
    }

    fn put(&mut self, place: u32, text: &str, mut row: Row) {
        if self.garbage > GARBAGE_BYTES_MAX && self.garbage as usize > self.text.len() / 2 {
            self.compact();
        }
        self.epoch += 1;
        self.is_unusual |= text.starts_with('"') || text.contains(",\"");
        row.text_start = self.text.len() as u32;
        row.text_len = text.len() as u32;
        if self.text.capacity() - self.text.len() < text.len() {
            // Doubling would leave a third of a full page's text empty.
            self.text.reserve_exact(text.len().max(self.text.len() / 8));
        }
        self.text.push_str(text);
        if let Some(hole) = self.all.get_mut(place as usize) {
            *hole = row;
        } else {
            self.all.reserve_exact(usize::from(self.all.is_empty()));
            self.all.push(row);
        }
    }

    fn clear(&mut self, place: u32) {
        self.epoch += 1;
        if let Some(row) = self.all.get_mut(place as usize) {
            row.slot = HOLE;
            self.garbage = self.garbage.saturating_add(row.text_len);
            row.text_len = 0;
        }
        self.parked.remove(&place);
    }

    fn compact(&mut self) {
        let mut kept = String::with_capacity(self.text.len());
        for row in &mut self.all {
            let start = row.text_start as usize;
            let text = self.text.get(start..start + row.text_len as usize).unwrap_or("");
            row.text_start = kept.len() as u32;
            kept.push_str(text);
        }
        self.text = kept;
        self.garbage = 0;
    }
}

/// Who registered a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The catalogue or the sidecar itself.
    Own,
    /// An event that carried the name.
    Recorded,
}

/// A family and its series.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) spec: Arc<FamilySpec>,
    pub(super) owner: Owner,
    /// Births and removals so far.
    pub(super) epoch: u64,
    /// Series that are there, overflow series not included.
    pub(super) live: usize,
    /// Overflow series that are there.
    pub(super) overflow_series: usize,
    pub(super) watched: bool,
    /// Labels that its series are born without.
    pub(super) left_out: Arc<[Arc<str>]>,
    rows: Vec<Page<Rows>>,
    holes: Vec<u32>,
    len: u32,
}

impl Family {
    pub(super) fn new(spec: FamilySpec, owner: Owner) -> Self {
        Self {
            spec: Arc::new(spec),
            owner,
            epoch: 0,
            live: 0,
            overflow_series: 0,
            watched: false,
            left_out: Arc::default(),
            rows: Vec::new(),
            holes: Vec::new(),
            len: 0,
        }
    }

    /// Adds a row and says where it stands.
    pub(super) fn add_row(&mut self, slot: u32, cell: u32, born: Timestamp, text: &str) -> u32 {
        let place = self.holes.pop().unwrap_or_else(|| {
            self.len += 1;
            self.len - 1
        });
        let page = (place / PAGE_ROWS) as usize;
        if page == self.rows.len() {
            // Many families have one series.
            self.rows.reserve_exact(usize::from(page == 0));
            self.rows.push(Page::default());
        }
        if let Some(page) = self.rows.get_mut(page) {
            page.get_mut().put(place % PAGE_ROWS, text, Row::new(slot, cell, born));
        }
        self.epoch += 1;
        place
    }

    /// Makes as many places, all of them without a row; `left` are those that stay so, in the order in which they were
    /// left.
    pub(super) fn restore_places(&mut self, places: u32, left: Vec<u32>) {
        for place in 0..places {
            let page = (place / PAGE_ROWS) as usize;
            if page == self.rows.len() {
                self.rows.push(Page::default());
            }
            if let Some(page) = self.rows.get_mut(page) {
                page.get_mut().put(place % PAGE_ROWS, "", Row::new(HOLE, 0, Timestamp::EPOCH));
            }
        }
        self.len = places;
        self.holes = left;
    }

    /// Puts a row where it was when it was saved; false where another is, or no place.
    pub(super) fn restore_row(&mut self, place: u32, row: Row, text: &str) -> bool {
        let Some(page) = self.rows.get_mut((place / PAGE_ROWS) as usize) else { return false };
        let page = page.get_mut();
        let is_hole = page.all.get((place % PAGE_ROWS) as usize).is_some_and(|row| row.slot == HOLE);
        if is_hole {
            page.put(place % PAGE_ROWS, text, row);
        }
        is_hole
    }

    /// The places that have no row, in the order in which they were left.
    pub(super) fn holes(&self) -> &[u32] {
        &self.holes
    }

    /// Takes a row away.
    pub(super) fn remove_row(&mut self, place: u32) {
        if let Some(page) = self.rows.get_mut((place / PAGE_ROWS) as usize) {
            page.get_mut().clear(place % PAGE_ROWS);
            self.holes.push(place);
            self.epoch += 1;
        }
    }

    /// Sets when a row's series was born.
    pub(super) fn set_born(&mut self, place: u32, born: Timestamp) {
        let Some(page) = self.rows.get_mut((place / PAGE_ROWS) as usize) else { return };
        let page = page.get_mut();
        if let Some(row) = page.all.get_mut((place % PAGE_ROWS) as usize) {
            row.born = born;
            page.epoch += 1;
            self.epoch += 1;
        }
    }

    /// Hides a row from scrapes.
    pub(super) fn park_row(&mut self, place: u32) {
        if let Some(page) = self.rows.get_mut((place / PAGE_ROWS) as usize) {
            page.get_mut().parked.insert(place % PAGE_ROWS);
        }
    }

    /// Shows a row to scrapes again.
    pub(super) fn unpark_row(&mut self, place: u32) {
        if let Some(page) = self.rows.get_mut((place / PAGE_ROWS) as usize) {
            page.get_mut().parked.remove(&(place % PAGE_ROWS));
        }
    }

    /// A row with its label text.
    #[inline]
    pub(super) fn row(&self, place: u32) -> Option<(&Row, &str)> {
        let page = self.rows.get((place / PAGE_ROWS) as usize)?.get();
        let row = page.all.get((place % PAGE_ROWS) as usize)?;
        Some((row, page.text(row)))
    }

    /// Every row that is no hole, with its label text.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&Row, &str)> + '_ {
        self.pages().flat_map(|page| page.iter().map(|row| (row, page.text(row))))
    }

    /// The rows in pages.
    pub(super) fn pages(&self) -> impl Iterator<Item = &Rows> + '_ {
        self.rows.iter().map(Page::get)
    }

    /// A view of the rows as they are now.
    pub(super) fn share_rows(&mut self) -> Vec<Arc<Rows>> {
        self.rows.iter_mut().map(Page::share).collect()
    }
}
