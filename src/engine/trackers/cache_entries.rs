//! Cache entries: there from CacheEntryCreated to CacheEntryInvalidated, each with its size.

use super::gauges::{Board, Counted, Family, ONE};
use super::key::IdKey;
use super::roll::{Eviction, Roll, Standing};
use super::words::{WordId, Words};
use crate::engine::config::TrackerLimits;
use crate::engine::series::SeriesId;
use crate::engine::wire::payload::Quantity;

#[derive(Debug)]
struct Entry {
    level: WordId,
    /// Its series in `cache_entries`.
    count: SeriesId,
    /// Its series in `cache_size_bytes`.
    size: SeriesId,
    bytes: Quantity,
}

/// The tracker of cache entries, by level and key.
#[derive(Debug)]
pub struct CacheEntries {
    roll: Roll<(WordId, IdKey), Entry>,
    levels: Words,
    count: Counted,
    size: Counted,
}

impl CacheEntries {
    /// A tracker without entries; feeds `cache_entries` (`count`) and `cache_size_bytes` (`size`).
    pub fn new(limits: TrackerLimits, evictions: Family, count: Family, size: Family) -> Self {
        Self {
            roll: Roll::new(limits, evictions, "cache"),
            levels: Words::default(),
            count: Counted::new(count),
            size: Counted::new(size),
        }
    }

    /// CacheEntryCreated: the entry is there, with this size.
    pub fn created(&mut self, board: &mut Board<'_>, level: &str, key: &str, bytes: Quantity) {
        let word = self.levels.hold(level);
        let key = (word, IdKey::new(key));
        if let Some(slot) = self.roll.find(key) {
            self.levels.release(word);
            let Some(entry) = self.roll.get_mut(slot) else { return };
            let before = std::mem::replace(&mut entry.bytes, bytes);
            self.size.leave(board, entry.size, before);
            self.size.enter(board, entry.size, bytes);
            self.roll.touch(slot, Standing::Held, board.cause.now);
            return;
        }
        while let Some((slot, why)) = self.roll.crowded() {
            self.evict(board, slot, why);
        }
        let (count, size) = (self.count.place(board, &[level]), self.size.place(board, &[level]));
        self.count.enter(board, count, ONE);
        self.size.enter(board, size, bytes);
        self.roll.insert(key, Entry { level: word, count, size, bytes }, board.cause.now);
    }

    /// CacheEntryAccessed with a hit shows that the entry is there, so that one in use is not forgotten.
    pub fn hit(&mut self, board: &Board<'_>, level: &str, key: &str) {
        if let Some(slot) = self.find(level, key) {
            self.roll.touch(slot, Standing::Held, board.cause.now);
        }
    }

    /// CacheEntryInvalidated: the entry is gone.
    pub fn invalidated(&mut self, board: &mut Board<'_>, level: &str, key: &str) {
        if let Some(slot) = self.find(level, key) {
            self.remove(board, slot);
        }
    }

    /// How many entries are known.
    pub fn len(&self) -> usize {
        self.roll.len()
    }

    /// Whether no entry is known.
    pub fn is_empty(&self) -> bool {
        self.roll.is_empty()
    }

    /// Evicts what nothing moved for too long.
    pub fn refresh(&mut self, board: &mut Board<'_>) {
        while let Some((slot, why)) = self.roll.overdue(board.cause.now) {
            self.evict(board, slot, why);
        }
    }

    fn find(&self, level: &str, key: &str) -> Option<u32> {
        self.roll.find((self.levels.find(level)?, IdKey::new(key)))
    }

    fn evict(&mut self, board: &mut Board<'_>, slot: u32, why: Eviction) {
        self.remove(board, slot);
        self.roll.count(board, why);
    }

    fn remove(&mut self, board: &mut Board<'_>, slot: u32) {
        let Some(entry) = self.roll.remove(slot) else { return };
        self.count.leave(board, entry.count, ONE);
        self.size.leave(board, entry.size, entry.bytes);
        self.levels.release(entry.level);
    }
}
