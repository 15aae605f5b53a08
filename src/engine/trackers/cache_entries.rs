//! Cache entries: there from CacheEntryCreated to CacheEntryInvalidated, each with its size.

use super::frame::{Frame, FrameFamilies, Tracker};
use super::gauges::{Board, Counted, Family, ONE};
use super::key::IdKey;
use super::table::{Place, Standing, Table};
use super::words::{WordId, Words};
use crate::engine::config::TrackerLimits;
use crate::engine::series::SeriesId;
use crate::engine::wire::payload::Quantity;

#[derive(Debug)]
pub(crate) struct CacheEntry {
    level: WordId,
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
    count: Counted,
    size: Counted,
}

/// The tracker of cache entries, by level and key.
pub(crate) type CacheEntries = Frame<CacheBooks>;

impl CacheEntries {
    /// A tracker without entries; feeds `cache_entries` (`count`) and `cache_size_bytes` (`size`).
    pub(crate) fn of_cache(limits: TrackerLimits, frame: FrameFamilies, count: Family, size: Family) -> Self {
        let (count, size) = (Counted::new(count), Counted::new(size));
        Self::new(limits, frame, CacheBooks { levels: Words::default(), count, size })
    }

    /// CacheEntryCreated: the entry is there, with this size.
    pub(crate) fn created(&mut self, board: &mut Board<'_>, level: &str, key: &str, bytes: Quantity) {
        if let Some(place) = self.find(level, key) {
            self.remove(board, place);
        }
        let own = &mut self.own;
        let word = own.levels.hold(level);
        let (count, size) = (own.count.place(board, &[level]), own.size.place(board, &[level]));
        own.count.enter(board, count, ONE);
        own.size.enter(board, size, bytes);
        self.enter(board, (word, IdKey::new(key)), || CacheEntry { level: word, count, size, bytes });
    }

    /// CacheEntryAccessed with a hit shows that the entry is there, so that one in use is not forgotten.
    pub(crate) fn hit(&mut self, board: &Board<'_>, level: &str, key: &str) {
        if let Some(place) = self.find(level, key) {
            self.table.touch(place, Standing::Alive, board.cause.now);
        }
    }

    /// CacheEntryInvalidated: the entry is gone.
    pub(crate) fn invalidated(&mut self, board: &mut Board<'_>, level: &str, key: &str) {
        if let Some(place) = self.find(level, key) {
            self.remove(board, place);
        }
    }

    fn find(&self, level: &str, key: &str) -> Option<Place> {
        self.table.find((self.own.levels.find(level)?, IdKey::new(key)))
    }
}

impl Tracker for CacheBooks {
    type Key = (WordId, IdKey);
    type Entry = CacheEntry;

    const NAME: &'static str = "cache";

    fn release(&mut self, board: &mut Board<'_>, _: Place, entry: CacheEntry) {
        self.count.leave(board, entry.count, ONE);
        self.size.leave(board, entry.size, entry.bytes);
        self.levels.release(entry.level);
    }

    fn show(&mut self, _: &mut Board<'_>, _: &mut Table<Self::Key, CacheEntry>) {}
}
