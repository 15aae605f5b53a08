//! A family: what it is declared with, and its series in pages of rows.

use std::sync::Arc;

use super::page::Page;
use super::rows::{Newcomer, PAGE_ROWS, Row, Rows};
use super::{FamilySpec, Timestamp};

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
    pub(super) fn add_row(&mut self, newcomer: Newcomer, text: &str) -> u32 {
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
            page.get_mut().put(place % PAGE_ROWS, text, newcomer);
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
                page.get_mut().put_hole();
            }
        }
        self.len = places;
        self.holes = left;
    }

    /// Puts a row where it was when it was saved; false where another is, or no place.
    pub(super) fn restore_row(&mut self, place: u32, newcomer: Newcomer, text: &str) -> bool {
        let Some(page) = self.rows.get_mut((place / PAGE_ROWS) as usize) else { return false };
        let page = page.get_mut();
        let is_hole = page.is_hole(place % PAGE_ROWS);
        if is_hole {
            page.put(place % PAGE_ROWS, text, newcomer);
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
        if let Some(page) = self.rows.get_mut((place / PAGE_ROWS) as usize) {
            page.get_mut().set_born(place % PAGE_ROWS, born);
            self.epoch += 1;
        }
    }

    /// Hides a row from scrapes.
    pub(super) fn park_row(&mut self, place: u32) {
        if let Some(page) = self.rows.get_mut((place / PAGE_ROWS) as usize) {
            page.get_mut().park(place % PAGE_ROWS);
        }
    }

    /// Shows a row to scrapes again.
    pub(super) fn unpark_row(&mut self, place: u32) {
        if let Some(page) = self.rows.get_mut((place / PAGE_ROWS) as usize) {
            page.get_mut().unpark(place % PAGE_ROWS);
        }
    }

    /// A row with its page.
    #[inline]
    pub(super) fn row(&self, place: u32) -> Option<(&Rows, &Row)> {
        let page = self.rows.get((place / PAGE_ROWS) as usize)?.get();
        Some((page, page.row(place % PAGE_ROWS)?))
    }

    /// Every row that is no hole, with its page.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&Rows, &Row)> + '_ {
        self.pages().flat_map(|page| page.iter().map(move |row| (page, row)))
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
