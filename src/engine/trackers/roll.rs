//! The bounded table every tracker is built on: entries by key, in the order in which they moved last.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::gauges::{Board, Family};
use crate::engine::config::TrackerLimits;
use crate::engine::series::SeriesId;
use crate::engine::time::Timestamp;

/// No slot.
const NIL: u32 = u32::MAX;

/// What an entry is kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It counts in a gauge, or may again.
    Held,
    /// It ended; it is remembered to know late starts by.
    Ended,
}

/// Why an entry was evicted; the `reason` of `signalbox_tracker_evictions_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eviction {
    /// It counted, and there was no room.
    Entries,
    /// It counted, and nothing moved it for too long.
    Age,
    /// It had ended: no gauge changes, only a late start of it would be taken for a new one.
    Ended,
}

impl Eviction {
    /// The word in the label.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Entries => "entries",
            Self::Age => "age",
            Self::Ended => "ended",
        }
    }
}

#[derive(Debug)]
struct Slot<K, V> {
    key: K,
    /// None while the slot is free.
    value: Option<V>,
    standing: Standing,
    moved: Timestamp,
    previous: u32,
    next: u32,
}

/// The ends of one list of slots, from the one that moved longest ago to the one that moved last.
#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
}

const EMPTY: List = List { first: NIL, last: NIL };

/// A table of entries, the slot of each stable until it is removed.
#[derive(Debug)]
pub struct Roll<K, V> {
    slots: Vec<Slot<K, V>>,
    index: HashTable<u32>,
    free: Vec<u32>,
    held: List,
    ended: List,
    hasher: RandomState,
    limits: TrackerLimits,
    evictions: Family,
    /// The series of each reason, once it was needed.
    evicted: [Option<SeriesId>; 3],
    tracker: &'static str,
}

impl<K: Copy + Eq + Hash, V> Roll<K, V> {
    /// An empty table that counts in `evictions` what it evicts, under this tracker's name.
    pub fn new(limits: TrackerLimits, evictions: Family, tracker: &'static str) -> Self {
        Self {
            slots: Vec::new(),
            index: HashTable::new(),
            free: Vec::new(),
            held: EMPTY,
            ended: EMPTY,
            hasher: RandomState::default(),
            limits,
            evictions,
            evicted: [None; 3],
            tracker,
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The slot of a key.
    pub fn find(&self, key: K) -> Option<u32> {
        self.index.find(self.hasher.hash_one(key), |slot| self.key(*slot) == Some(key)).copied()
    }

    /// The entry in a slot.
    pub fn get(&self, slot: u32) -> Option<&V> {
        self.slots.get(slot as usize)?.value.as_ref()
    }

    /// The entry in a slot, to change.
    pub fn get_mut(&mut self, slot: u32) -> Option<&mut V> {
        self.slots.get_mut(slot as usize)?.value.as_mut()
    }

    /// Takes in an entry that is not there yet, moved now. Make room first ([`Roll::crowded`]).
    pub fn insert(&mut self, key: K, value: V, now: Timestamp) -> u32 {
        let new =
            Slot { key, value: Some(value), standing: Standing::Held, moved: now, previous: NIL, next: NIL };
        let slot = self.free.pop().unwrap_or(self.slots.len() as u32);
        match self.slots.get_mut(slot as usize) {
            Some(place) => *place = new,
            None => self.slots.push(new),
        }
        let Self { slots, index, hasher, .. } = self;
        let rehash = |slot: &u32| slots.get(*slot as usize).map_or(0, |slot| hasher.hash_one(slot.key));
        index.insert_unique(hasher.hash_one(key), slot, rehash);
        self.append(slot);
        slot
    }

    /// Makes an entry the one that moved last.
    pub fn touch(&mut self, slot: u32, standing: Standing, now: Timestamp) {
        self.unlink(slot);
        if let Some(entry) = self.slots.get_mut(slot as usize) {
            entry.standing = standing;
            entry.moved = now;
        }
        self.append(slot);
    }

    /// Takes an entry out.
    pub fn remove(&mut self, slot: u32) -> Option<V> {
        let entry = self.slots.get_mut(slot as usize)?;
        let value = entry.value.take()?;
        let hash = self.hasher.hash_one(entry.key);
        if let Ok(found) = self.index.find_entry(hash, |known| *known == slot) {
            found.remove();
        }
        self.unlink(slot);
        self.free.push(slot);
        Some(value)
    }

    /// The entry to evict before another is taken in, where there is no room for it.
    pub fn crowded(&self) -> Option<(u32, Eviction)> {
        self.first().filter(|_| self.len() >= self.limits.entries)
    }

    /// The entry to evict first: of those that ended, else of all, the one that moved longest ago.
    pub fn first(&self) -> Option<(u32, Eviction)> {
        [(self.ended.first, Eviction::Ended), (self.held.first, Eviction::Entries)]
            .into_iter()
            .find(|(slot, _)| *slot != NIL)
    }

    /// An entry that nothing moved for too long.
    pub fn overdue(&self, now: Timestamp) -> Option<(u32, Eviction)> {
        let old = |slot: u32| {
            self.slots.get(slot as usize).is_some_and(|entry| now.since(entry.moved) > self.limits.age)
        };
        [(self.ended.first, Eviction::Ended), (self.held.first, Eviction::Age)]
            .into_iter()
            .find(|(slot, _)| old(*slot))
    }

    /// Counts an eviction.
    pub fn count(&mut self, board: &mut Board<'_>, eviction: Eviction) {
        let known = self.evicted[eviction as usize].filter(|series| board.store.is_live(*series));
        let series = known.unwrap_or_else(|| self.evictions.resolve(board, &[self.tracker, eviction.word()]));
        self.evicted[eviction as usize] = Some(series);
        board.add(series, 1.0);
    }

    fn key(&self, slot: u32) -> Option<K> {
        self.slots.get(slot as usize).map(|entry| entry.key)
    }

    fn list(&mut self, standing: Standing) -> &mut List {
        match standing {
            Standing::Held => &mut self.held,
            Standing::Ended => &mut self.ended,
        }
    }

    fn append(&mut self, slot: u32) {
        let Some(entry) = self.slots.get(slot as usize) else { return };
        let list = self.list(entry.standing);
        let last = std::mem::replace(&mut list.last, slot);
        if last == NIL {
            list.first = slot;
        }
        if let Some(entry) = self.slots.get_mut(slot as usize) {
            entry.previous = last;
            entry.next = NIL;
        }
        if let Some(before) = self.slots.get_mut(last as usize) {
            before.next = slot;
        }
    }

    fn unlink(&mut self, slot: u32) {
        let Some(entry) = self.slots.get(slot as usize) else { return };
        let (previous, next, standing) = (entry.previous, entry.next, entry.standing);
        match self.slots.get_mut(previous as usize) {
            Some(before) => before.next = next,
            None => self.list(standing).first = next,
        }
        match self.slots.get_mut(next as usize) {
            Some(after) => after.previous = previous,
            None => self.list(standing).last = previous,
        }
    }
}
