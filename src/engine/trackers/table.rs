//! The table every tracker keeps its entries in: by key, and in the order in which they moved last.

mod saved;

pub(in crate::engine::trackers) use saved::SavedTracker;

use std::hash::{BuildHasher, Hash};
use std::num::NonZeroU32;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::pages::Pages;
use crate::engine::time::Timestamp;

/// What an entry is kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has not ended: it counts in a gauge, or may again.
    Alive,
    /// It ended; it is remembered to know late starts by.
    Ended,
}

/// Where an entry is; its own until it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TablePlace(NonZeroU32);

impl TablePlace {
    /// The place before all others.
    pub(crate) const FIRST: Self = Self(NonZeroU32::MIN);

    /// The place after all others.
    pub(crate) const LAST: Self = Self(NonZeroU32::MAX);

    /// The place with this many before it.
    pub(crate) fn nth(before: usize) -> Self {
        Self(NonZeroU32::MIN.saturating_add(u32::try_from(before).unwrap_or(u32::MAX)))
    }

    const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

#[derive(Clone, Debug)]
struct Row<K, V> {
    key: K,
    /// None while the row is free.
    entry: Option<V>,
    standing: Standing,
    moved: Timestamp,
    previous: Option<TablePlace>,
    next: Option<TablePlace>,
}

/// The ends of one chain of rows, from the one that moved longest ago to the one that moved last.
#[derive(Clone, Copy, Debug, Default)]
struct Chain {
    first: Option<TablePlace>,
    last: Option<TablePlace>,
    len: usize,
}

/// Entries by key. Finding one costs one probe; its order and its place are kept without any.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    rows: Pages<Row<K, V>>,
    index: HashTable<TablePlace>,
    free: Vec<TablePlace>,
    alive: Chain,
    ended: Chain,
    hasher: RandomState,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self {
            rows: Pages::default(),
            index: HashTable::new(),
            free: Vec::new(),
            alive: Chain::default(),
            ended: Chain::default(),
            hasher: RandomState::default(),
        }
    }
}

impl<K: Copy + Eq + Hash, V: Clone> Table<K, V> {
    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// How many of them have not ended.
    pub(crate) fn alive(&self) -> usize {
        self.alive.len
    }

    /// The place of a key.
    pub(crate) fn find(&self, key: K) -> Option<TablePlace> {
        let same = |place: &TablePlace| self.rows.get(place.index()).is_some_and(|row| row.key == key);
        self.index.find(self.hasher.hash_one(key), same).copied()
    }

    /// The entry in a place.
    pub(crate) fn get(&self, place: TablePlace) -> Option<&V> {
        self.rows.get(place.index())?.entry.as_ref()
    }

    /// The entry in a place, to change.
    pub(crate) fn get_mut(&mut self, place: TablePlace) -> Option<&mut V> {
        self.rows.get_mut(place.index())?.entry.as_mut()
    }

    /// Takes in an entry that is not there yet, alive and moved now.
    pub(crate) fn insert(&mut self, key: K, entry: V, now: Timestamp) -> TablePlace {
        let (standing, previous, next) = (Standing::Alive, None, None);
        let new = Row { key, entry: Some(entry), standing, moved: now, previous, next };
        let place = self.free.pop().unwrap_or(TablePlace::nth(self.rows.len()));
        match self.rows.get_mut(place.index()) {
            Some(row) => *row = new,
            None => self.rows.push(new),
        }
        let Self { rows, index, hasher, .. } = self;
        let rehash = |place: &TablePlace| rows.get(place.index()).map_or(0, |row| hasher.hash_one(row.key));
        index.insert_unique(hasher.hash_one(key), place, rehash);
        self.append(place);
        place
    }

    /// Makes an entry the one that moved last.
    pub(crate) fn touch(&mut self, place: TablePlace, standing: Standing, now: Timestamp) {
        self.unlink(place);
        if let Some(row) = self.rows.get_mut(place.index()) {
            row.standing = standing;
            row.moved = now;
        }
        self.append(place);
    }

    /// Makes an entry the one that moved last, alive or ended as it was.
    pub(crate) fn touch_again(&mut self, place: TablePlace, now: Timestamp) {
        if let Some(standing) = self.rows.get(place.index()).map(|row| row.standing) {
            self.touch(place, standing, now);
        }
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, place: TablePlace) -> Option<V> {
        let row = self.rows.get_mut(place.index())?;
        let entry = row.entry.take()?;
        let hash = self.hasher.hash_one(row.key);
        if let Ok(found) = self.index.find_entry(hash, |known| *known == place) {
            found.remove();
        }
        self.unlink(place);
        self.free.push(place);
        Some(entry)
    }

    /// Of the entries of this standing, the one that moved longest ago.
    pub(crate) fn first(&self, standing: Standing) -> Option<TablePlace> {
        self.chain(standing).first
    }

    /// The same, where it moved before `instant`.
    pub(crate) fn first_before(&self, standing: Standing, instant: Timestamp) -> Option<TablePlace> {
        let earlier =
            |place: &TablePlace| self.rows.get(place.index()).is_some_and(|row| row.moved < instant);
        self.first(standing).filter(earlier)
    }

    fn chain(&self, standing: Standing) -> &Chain {
        match standing {
            Standing::Alive => &self.alive,
            Standing::Ended => &self.ended,
        }
    }

    fn chain_mut(&mut self, standing: Standing) -> &mut Chain {
        match standing {
            Standing::Alive => &mut self.alive,
            Standing::Ended => &mut self.ended,
        }
    }

    fn row_mut(&mut self, place: Option<TablePlace>) -> Option<&mut Row<K, V>> {
        self.rows.get_mut(place?.index())
    }

    fn append(&mut self, place: TablePlace) {
        let Some(standing) = self.rows.get(place.index()).map(|row| row.standing) else { return };
        let chain = self.chain_mut(standing);
        chain.len += 1;
        let last = chain.last.replace(place);
        chain.first.get_or_insert(place);
        if let Some(before) = self.row_mut(last) {
            before.next = Some(place);
        }
        if let Some(row) = self.row_mut(Some(place)) {
            row.previous = last;
            row.next = None;
        }
    }

    fn unlink(&mut self, place: TablePlace) {
        let Some(row) = self.rows.get(place.index()) else { return };
        let (previous, next, standing) = (row.previous, row.next, row.standing);
        self.chain_mut(standing).len -= 1;
        match self.row_mut(previous) {
            Some(before) => before.next = next,
            None => self.chain_mut(standing).first = next,
        }
        match self.row_mut(next) {
            Some(after) => after.previous = previous,
            None => self.chain_mut(standing).last = previous,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Entries come, move, end and leave; the table has them in the order of a plain list.
        #[test]
        fn the_order_is_that_of_a_plain_list(steps in prop::collection::vec((0_u8..8, 0_u8..4), 1..300)) {
            let mut table: Table<u8, u8> = Table::default();
            let mut plain: Vec<(u8, Standing, Timestamp)> = Vec::new();
            for (second, (key, step)) in (0..).zip(steps) {
                let now = Timestamp::from_micros(second);
                let known = plain.iter().position(|(known, _, _)| *known == key);
                let standing = if step == 2 { Standing::Ended } else { Standing::Alive };
                match (table.find(key), step) {
                    (Some(place), 0) => {
                        prop_assert_eq!(table.remove(place), Some(key));
                        plain.remove(known.unwrap());
                    }
                    (Some(place), _) => {
                        table.touch(place, standing, now);
                        plain.remove(known.unwrap());
                        plain.push((key, standing, now));
                    }
                    (None, _) => {
                        prop_assert_eq!(known, None);
                        table.insert(key, key, now);
                        plain.push((key, Standing::Alive, now));
                    }
                }
                prop_assert_eq!(table.len(), plain.len());
                for standing in [Standing::Alive, Standing::Ended] {
                    let first = plain.iter().find(|(_, own, _)| *own == standing);
                    let found = table.first(standing).and_then(|place| table.get(place));
                    prop_assert_eq!(found, first.map(|(key, _, _)| key));
                    let old = table.first_before(standing, Timestamp::from_micros(second - 2));
                    let expected = first.filter(|(_, _, moved)| moved.micros() < second - 2);
                    prop_assert_eq!(old.is_some(), expected.is_some());
                }
                prop_assert_eq!(table.alive(), plain.iter().filter(|(_, own, _)| *own == Standing::Alive).count());
            }
        }
    }
}
