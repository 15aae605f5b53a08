//! The frame every tracker stands in: who is found or taken in, who makes room, who is given up or forgotten, and what
//! is counted of that. A tracker adds its own transitions.
//!
//! What is alive goes only when its end comes, when the table is full (of those that ended, else of all, the one that
//! moved longest ago makes room), or, where `limits.abandon_after` asks for it, when nothing moved it for so long. What
//! has ended is remembered for `limits.tracker_age`.

use std::hash::Hash;
use std::time::Duration;

use super::gauges::{Board, Family};
use super::table::{Standing, Table, TablePlace};
use crate::engine::config::{TrackerLimits, TrackerName};
use crate::engine::series::SeriesId;

/// What a tracker adds to its [`Frame`].
pub(crate) trait Tracker {
    /// What entries are known by.
    type Key: Copy + Eq + Hash;
    /// What is known of each.
    type Entry: Clone;

    /// Which tracker it is.
    const NAME: TrackerName;

    /// Takes an entry out of every gauge, as its end does.
    fn lift(&mut self, board: &mut Board<'_>, place: TablePlace, entry: &mut Self::Entry) -> Lifted;

    /// Lets go of what a lifted entry still holds.
    fn forget(&mut self, entry: Self::Entry);

    /// Shows what time moves.
    fn show(&mut self, board: &mut Board<'_>, table: &mut Table<Self::Key, Self::Entry>);
}

/// Whether an entry counted in a gauge when it was lifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifted {
    /// It did.
    Counted,
    /// It did not.
    Uncounted,
}

/// Why an entry was evicted; the `reason` of `signalbox_tracker_evictions_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Eviction {
    /// There was no room.
    Full,
    /// Nothing moved it for `limits.abandon_after`.
    Abandoned,
    /// A cache entry whose time to live was over for `limits.tracker_age`, and whose end nobody told.
    Expired,
    /// Its events are another instance's since the state was saved.
    Reassigned,
}

impl Eviction {
    /// The word in the label.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Abandoned => "abandoned",
            Self::Expired => "expired",
            Self::Reassigned => "reassigned",
        }
    }
}

/// The families that every tracker feeds.
#[derive(Clone, Debug)]
pub(crate) struct FrameFamilies {
    /// `signalbox_tracker_entries`.
    pub(crate) entries: Family,
    /// `signalbox_tracker_alive`.
    pub(crate) alive: Family,
    /// `signalbox_tracker_evictions_total`.
    pub(crate) evictions: Family,
}

/// What a frame is made with.
#[derive(Debug)]
pub(crate) struct FrameParts<'a> {
    /// Bounds of every tracker.
    pub(crate) limits: &'a TrackerLimits,
    /// What every tracker feeds.
    pub(crate) families: FrameFamilies,
}

/// A bounded table of entries with what its tracker knows beside them.
#[derive(Debug)]
pub(crate) struct Frame<T: Tracker> {
    pub(super) table: Table<T::Key, T::Entry>,
    pub(super) own: T,
    entries_max: usize,
    remember: Duration,
    abandon_after: Option<Duration>,
    families: FrameFamilies,
    books: Option<Books>,
}

/// The series a frame feeds; they are the sidecar's own and never leave.
#[derive(Clone, Copy, Debug)]
struct Books {
    entries: SeriesId,
    alive: SeriesId,
    full: SeriesId,
    abandoned: SeriesId,
    expired: SeriesId,
}

impl<T: Tracker> Frame<T> {
    /// A frame without entries.
    pub(crate) fn new(parts: FrameParts<'_>, own: T) -> Self {
        let FrameParts { limits, families } = parts;
        Self {
            table: Table::default(),
            own,
            entries_max: limits.entries,
            remember: limits.age,
            abandon_after: limits.abandon_after.get(&T::NAME).copied(),
            families,
            books: None,
        }
    }

    /// Sets other bounds; what is over them leaves as others come or time passes.
    pub(crate) fn bound(&mut self, limits: &TrackerLimits) {
        self.entries_max = limits.entries;
        self.remember = limits.age;
        self.abandon_after = limits.abandon_after.get(&T::NAME).copied();
    }

    /// The place of an entry; a new one is taken in where it is not known, and what is to go first makes room for it.
    pub(super) fn enter(
        &mut self,
        board: &mut Board<'_>,
        key: T::Key,
        new: impl FnOnce() -> T::Entry,
    ) -> TablePlace {
        if let Some(place) = self.table.find(key) {
            return place;
        }
        while self.table.len() >= self.entries_max && self.make_room(board).is_some() {}
        self.table.insert(key, new(), board.cause.now)
    }

    /// Evicts the entry that is to go first, where there is one.
    pub(super) fn make_room(&mut self, board: &mut Board<'_>) -> Option<TablePlace> {
        let ended = self.table.first(Standing::Ended);
        let place = ended.or_else(|| self.table.first(Standing::Alive))?;
        self.remove(board, place);
        self.count(board, Eviction::Full);
        Some(place)
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, board: &mut Board<'_>, place: TablePlace) -> Lifted {
        let Some(mut entry) = self.table.remove(place) else { return Lifted::Uncounted };
        let lifted = self.own.lift(board, place, &mut entry);
        self.own.forget(entry);
        lifted
    }

    /// Forgets what ended long ago, gives up what is to be, and shows what time moves.
    pub(crate) fn refresh(&mut self, board: &mut Board<'_>) {
        let now = board.cause.now;
        while let Some(place) = self.table.first_before(Standing::Ended, now.before(self.remember)) {
            if self.remove(board, place) == Lifted::Counted {
                self.count(board, Eviction::Expired);
            }
        }
        if let Some(after) = self.abandon_after {
            while let Some(place) = self.table.first_before(Standing::Alive, now.before(after)) {
                self.abandon(board, place);
            }
        }
        self.own.show(board, &mut self.table);
        let books = self.books(board);
        // Rules read them, so they move only where there is something to tell.
        for (series, count) in [(books.entries, self.table.len()), (books.alive, self.table.alive())] {
            if board.store.value(series) != count as f64 {
                board.set(series, count as f64);
            }
        }
    }

    /// Takes every entry out: what moves them comes to another instance from now on.
    pub(crate) fn reassign(&mut self, board: &mut Board<'_>) {
        while let Some(place) = self.table.first(Standing::Ended) {
            self.remove(board, place);
        }
        while let Some(place) = self.table.first(Standing::Alive) {
            self.remove(board, place);
            self.count(board, Eviction::Reassigned);
        }
    }

    /// Ends an entry that nothing moved; it is remembered like any that ended.
    fn abandon(&mut self, board: &mut Board<'_>, place: TablePlace) {
        if let Some(entry) = self.table.get_mut(place) {
            self.own.lift(board, place, entry);
        }
        self.table.touch(place, Standing::Ended, board.cause.now);
        self.count(board, Eviction::Abandoned);
    }

    fn count(&mut self, board: &mut Board<'_>, why: Eviction) {
        let books = self.books(board);
        let series = match why {
            Eviction::Full => books.full,
            Eviction::Abandoned => books.abandoned,
            Eviction::Expired => books.expired,
            Eviction::Reassigned => {
                self.families.evictions.resolve(board, &[T::NAME.word(), Eviction::Reassigned.word()])
            }
        };
        board.add(series, 1.0);
    }

    fn books(&mut self, board: &mut Board<'_>) -> Books {
        let FrameFamilies { entries, alive, evictions } = &self.families;
        let tracker = T::NAME.word();
        *self.books.get_or_insert_with(|| {
            let mut evicted = |why: Eviction| evictions.resolve(board, &[tracker, why.word()]);
            let [full, abandoned, expired] =
                [Eviction::Full, Eviction::Abandoned, Eviction::Expired].map(&mut evicted);
            let (entries, alive) = (entries.resolve(board, &[tracker]), alive.resolve(board, &[tracker]));
            Books { entries, alive, full, abandoned, expired }
        })
    }
}
