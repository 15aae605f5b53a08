//! The frame every tracker stands in: who is found or taken in, who makes room, who is forgotten, and what is counted
//! of that. A tracker adds its own transitions.

use std::hash::Hash;

use super::gauges::{Board, Family};
use super::table::{Place, Standing, Table};
use crate::engine::config::TrackerLimits;
use crate::engine::series::SeriesId;

/// What a tracker adds to its [`Frame`].
pub(crate) trait Tracker {
    /// What entries are known by.
    type Key: Copy + Eq + Hash;
    /// What is known of each.
    type Entry;

    /// The value of the label `tracker`.
    const NAME: &'static str;

    /// An entry was removed: takes it out of every gauge and lets go of what it holds.
    fn release(&mut self, board: &mut Board<'_>, place: Place, entry: Self::Entry);

    /// Shows what time moves.
    fn show(&mut self, board: &mut Board<'_>, table: &mut Table<Self::Key, Self::Entry>);
}

/// Why an entry was evicted; the `reason` of `signalbox_tracker_evictions_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Eviction {
    /// It counted, and there was no room.
    Entries,
    /// It counted, and nothing moved it for too long.
    Age,
    /// It had ended: no gauge changes, only a late start of it would be taken for a new one.
    Ended,
}

impl Eviction {
    /// The word in the label.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Entries => "entries",
            Self::Age => "age",
            Self::Ended => "ended",
        }
    }
}

/// The families that every tracker feeds.
#[derive(Clone, Debug)]
pub(crate) struct FrameFamilies {
    /// `signalbox_tracker_entries`.
    pub(crate) entries: Family,
    /// `signalbox_tracker_evictions_total`.
    pub(crate) evictions: Family,
}

/// A bounded table of entries with what its tracker knows beside them.
#[derive(Debug)]
pub(crate) struct Frame<T: Tracker> {
    pub(super) table: Table<T::Key, T::Entry>,
    pub(super) own: T,
    limits: TrackerLimits,
    families: FrameFamilies,
    books: Option<Books>,
}

/// The series a frame feeds; they are the sidecar's own and never leave.
#[derive(Clone, Copy, Debug)]
struct Books {
    entries: SeriesId,
    evicted: SeriesId,
    aged: SeriesId,
    ended: SeriesId,
}

impl<T: Tracker> Frame<T> {
    /// A frame without entries.
    pub(crate) fn new(limits: TrackerLimits, families: FrameFamilies, own: T) -> Self {
        Self { table: Table::default(), own, limits, families, books: None }
    }

    /// The place of an entry; a new one is taken in where it is not known, and what is to go first makes room for it.
    pub(super) fn enter(
        &mut self,
        board: &mut Board<'_>,
        key: T::Key,
        new: impl FnOnce() -> T::Entry,
    ) -> Place {
        if let Some(place) = self.table.find(key) {
            return place;
        }
        while self.table.len() >= self.limits.entries && self.make_room(board) {}
        self.table.insert(key, new(), board.cause.now)
    }

    /// Evicts the entry that is to go first: of those that ended, else of all, the one that moved longest ago.
    pub(super) fn make_room(&mut self, board: &mut Board<'_>) -> bool {
        let ended = self.table.first(Standing::Ended).map(|place| (place, Eviction::Ended));
        let first =
            ended.or_else(|| self.table.first(Standing::Alive).map(|place| (place, Eviction::Entries)));
        if let Some((place, why)) = first {
            self.evict(board, place, why);
        }
        first.is_some()
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, board: &mut Board<'_>, place: Place) {
        if let Some(entry) = self.table.remove(place) {
            self.own.release(board, place, entry);
        }
    }

    /// Forgets what nothing moved for too long, and shows what time moves.
    pub(crate) fn refresh(&mut self, board: &mut Board<'_>) {
        let horizon = board.cause.now.before(self.limits.age);
        for (standing, why) in [(Standing::Ended, Eviction::Ended), (Standing::Alive, Eviction::Age)] {
            while let Some(place) = self.table.first_before(standing, horizon) {
                self.evict(board, place, why);
            }
        }
        self.own.show(board, &mut self.table);
        let books = self.books(board);
        board.set(books.entries, self.table.len() as f64);
    }

    fn evict(&mut self, board: &mut Board<'_>, place: Place, why: Eviction) {
        self.remove(board, place);
        let books = self.books(board);
        let series = match why {
            Eviction::Entries => books.evicted,
            Eviction::Age => books.aged,
            Eviction::Ended => books.ended,
        };
        board.add(series, 1.0);
    }

    fn books(&mut self, board: &mut Board<'_>) -> Books {
        let FrameFamilies { entries, evictions } = &self.families;
        *self.books.get_or_insert_with(|| {
            let mut evicted = |why: Eviction| evictions.resolve(board, &[T::NAME, why.word()]);
            Books {
                evicted: evicted(Eviction::Entries),
                aged: evicted(Eviction::Age),
                ended: evicted(Eviction::Ended),
                entries: entries.resolve(board, &[T::NAME]),
            }
        })
    }
}
