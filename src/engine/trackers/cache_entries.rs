//! Cache entries: there from CacheEntryCreated to CacheEntryInvalidated, each with its size.
//!
//! Within its time to live an entry is alive. Once that is over, its end is due though nobody told it: such an entry
//! counts on, but like one that ended it makes room first, and is dropped when nothing moved it for
//! `limits.tracker_age`. An entry without a time to live (0) is alive until its end is told.

mod saved;

use super::frame::{Frame, FrameParts, Lifted, Tracker};
use super::gauges::{Board, Counted, Family, ONE};
use super::key::IdKey;
use super::oldest::{Oldest, Ticket, Tickets};
use super::table::{Standing, Table, TablePlace};
use super::words::{WordId, Words};
use crate::engine::config::TrackerName;
use crate::engine::series::SeriesId;
use crate::engine::time::Timestamp;
use crate::engine::wire::payload::Quantity;

/// A CacheEntryCreated event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheCreation<'a> {
    /// The level, as a label.
    pub(crate) level: &'a str,
    /// The key.
    pub(crate) key: &'a str,
    /// Its size.
    pub(crate) bytes: Quantity,
    /// When its time to live is over; none where it has no end.
    pub(crate) expires: Option<Timestamp>,
}

/// An entry of a cache.
#[derive(Clone, Debug)]
pub(crate) struct CacheEntry {
    level: WordId,
    /// What it counts in until its end.
    counted: Option<CountedEntry>,
    /// When its time to live is over, while it is not.
    expires: Option<(Timestamp, Ticket)>,
}

#[derive(Clone, Copy, Debug)]
struct CountedEntry {
    /// Its series in `cache_entries`.
    count: SeriesId,
    /// Its series in `cache_size_bytes`.
    size: SeriesId,
    bytes: Quantity,
}

/// What cache entries count in.
#[derive(Debug)]
pub(crate) struct CacheBooks {
    levels: Words,
    tickets: Tickets,
    expiries: Oldest<Timestamp>,
    count: Counted,
    size: Counted,
}

/// The tracker of cache entries, by level and key.
pub(crate) type CacheEntries = Frame<CacheBooks>;

impl CacheEntries {
    /// A tracker without entries; feeds `cache_entries` (`count`) and `cache_size_bytes` (`size`).
    pub(crate) fn of_cache(parts: FrameParts<'_>, count: Family, size: Family) -> Self {
        let books = CacheBooks {
            levels: Words::default(),
            tickets: Tickets::default(),
            expiries: Oldest::default(),
            count: Counted::new(count),
            size: Counted::new(size),
        };
        Self::new(parts, books)
    }

    /// CacheEntryCreated: the entry is there, with this size and time to live, instead of what was there under its key.
    pub(crate) fn created(&mut self, board: &mut Board<'_>, creation: CacheCreation<'_>) {
        let CacheCreation { level, key, bytes, expires } = creation;
        let key = IdKey::new(key);
        if let Some(place) = self.find(level, key) {
            self.remove(board, place);
        }
        let own = &mut self.own;
        let word = own.levels.hold(level);
        let (count, size) = (own.count.place(board, &[level]), own.size.place(board, &[level]));
        own.count.enter(board, count, ONE);
        own.size.enter(board, size, bytes);
        let counted = Some(CountedEntry { count, size, bytes });
        let expires = expires.map(|expires| (expires, own.tickets.issue()));
        let entry = || CacheEntry { level: word, counted, expires };
        let place = self.enter(board, (word, key), entry);
        if let Some((expires, ticket)) = expires {
            self.own.expiries.enter(expires, ticket, place);
            self.own.expiries.sweep(|place, ticket| expiry(&self.table, place, ticket));
        }
    }

    /// CacheEntryAccessed with a hit shows that the entry is there.
    pub(crate) fn hit(&mut self, board: &Board<'_>, level: &str, key: &str) {
        if let Some(place) = self.find(level, IdKey::new(key)) {
            self.table.touch_again(place, board.cause.now);
        }
    }

    /// CacheEntryInvalidated: the entry is gone.
    pub(crate) fn invalidated(&mut self, board: &mut Board<'_>, level: &str, key: &str) {
        if let Some(place) = self.find(level, IdKey::new(key)) {
            self.remove(board, place);
        }
    }

    fn find(&self, level: &str, key: IdKey) -> Option<TablePlace> {
        self.table.find((self.own.levels.find(level)?, key))
    }
}

impl Tracker for CacheBooks {
    type Key = (WordId, IdKey);
    type Entry = CacheEntry;

    const NAME: TrackerName = TrackerName::Cache;

    fn lift(&mut self, board: &mut Board<'_>, _: TablePlace, entry: &mut CacheEntry) -> Lifted {
        if entry.expires.take().is_some() {
            self.expiries.leave();
        }
        let Some(counted) = entry.counted.take() else { return Lifted::Uncounted };
        self.count.leave(board, counted.count, ONE);
        self.size.leave(board, counted.size, counted.bytes);
        Lifted::Counted
    }

    fn forget(&mut self, entry: CacheEntry) {
        self.levels.release(entry.level);
    }

    fn show(&mut self, board: &mut Board<'_>, table: &mut Table<Self::Key, CacheEntry>) {
        let now = board.cause.now;
        while let Some((expires, place)) = self.expiries.first(|place, ticket| expiry(table, place, ticket))
            && expires <= now
        {
            if let Some(entry) = table.get_mut(place) {
                entry.expires = None;
            }
            self.expiries.leave();
            table.touch(place, Standing::Ended, now);
        }
    }
}

/// When the entry of this ticket expires.
fn expiry(
    table: &Table<(WordId, IdKey), CacheEntry>,
    place: TablePlace,
    ticket: Ticket,
) -> Option<Timestamp> {
    let (expires, own) = table.get(place)?.expires?;
    (own == ticket).then_some(expires)
}
