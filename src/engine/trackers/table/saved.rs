//! The table as its twin, and from it.

use std::hash::{BuildHasher, Hash};

use super::{Chain, Row, Standing, Table, TablePlace};
use crate::engine::checkpoint::Part;
use crate::engine::checkpoint::bytes::{Damage, Twin, Writer};
use crate::engine::checkpoint::trackers::{EntryTwin, StandingTwin, TableTwin};
use crate::engine::time::Timestamp;
use crate::engine::trackers::pages::SharedPages;

impl TablePlace {
    /// As it is written.
    pub(in crate::engine::trackers) const fn twin(self) -> u32 {
        self.0.get() - 1
    }

    fn of_twin(twin: u32) -> Self {
        Self::nth(twin as usize)
    }
}

/// A table at one instant, to be written elsewhere.
#[derive(Debug)]
pub(in crate::engine::trackers) struct SavedTable<K, V> {
    rows: SharedPages<Row<K, V>>,
    free: Vec<TablePlace>,
    alive: Chain,
    ended: Chain,
}

impl<K: Copy, V> SavedTable<K, V> {
    /// Appends the entries, those that moved longest ago first, as [`TableTwin`] is read.
    pub(in crate::engine::trackers) fn append<TK: Twin, TV: Twin>(
        &self,
        out: &mut Writer,
        key: fn(K) -> TK,
        entry: fn(&V) -> TV,
    ) {
        (self.rows.len() as u32).write(out);
        out.list(self.free.iter().map(|place| place.twin()));
        out.len(self.alive.len + self.ended.len);
        for first in [self.alive.first, self.ended.first] {
            let mut next = first;
            while let Some((place, row)) = next.and_then(|place| Some((place, self.rows.get(place.index())?)))
            {
                if let Some(kept) = &row.entry {
                    let standing = match row.standing {
                        Standing::Alive => StandingTwin::Alive,
                        Standing::Ended => StandingTwin::Ended,
                    };
                    let (key, moved, entry) = (key(row.key), row.moved, entry(kept));
                    EntryTwin { place: place.twin(), key, standing, moved, entry }.write(out);
                }
                next = row.next;
            }
        }
    }
}

/// A tracker at one instant, to be written elsewhere.
pub(in crate::engine::trackers) struct SavedTracker<K, V, TK, TV, B> {
    /// Its entries.
    pub(in crate::engine::trackers) table: SavedTable<K, V>,
    /// A key as it is written.
    pub(in crate::engine::trackers) key: fn(K) -> TK,
    /// An entry as it is written.
    pub(in crate::engine::trackers) entry: fn(&V) -> TV,
    /// What it keeps beside.
    pub(in crate::engine::trackers) books: B,
}

impl<K, V, TK, TV, B> Part for SavedTracker<K, V, TK, TV, B>
where
    K: Copy + Send + Sync,
    V: Send + Sync,
    TK: Twin,
    TV: Twin,
    B: Part,
{
    fn append(&self, out: &mut Writer) {
        self.table.append(out, self.key, self.entry);
        self.books.append(out);
    }
}

impl<K: Copy + Eq + Hash, V: Clone> Table<K, V> {
    /// The entries as they are now, to be written elsewhere.
    pub(in crate::engine::trackers) fn save(&mut self) -> SavedTable<K, V> {
        SavedTable { rows: self.rows.share(), free: self.free.clone(), alive: self.alive, ended: self.ended }
    }

    /// The entries that were saved; `vacant` is a key for places that are free.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine::trackers) fn restored<TK, TV>(
        twin: TableTwin<TK, TV>,
        key: impl Fn(TK) -> K,
        entry: impl Fn(TV) -> V,
        vacant: K,
    ) -> Result<Self, Damage> {
        if twin.places as usize != twin.rows.len() + twin.free.len() {
            return Err(Damage("a tracker has places for which nothing was saved"));
        }
        let mut table = Self::default();
        for _ in 0..twin.places {
            table.rows.push(Row {
                key: vacant,
                entry: None,
                standing: Standing::Ended,
                moved: Timestamp::EPOCH,
                previous: None,
                next: None,
            });
        }
        for saved in twin.rows {
            let place = TablePlace::of_twin(saved.place);
            let row = table.rows.get_mut(place.index()).filter(|row| row.entry.is_none());
            let row = row.ok_or(Damage("two entries of a tracker have one place"))?;
            row.key = key(saved.key);
            row.entry = Some(entry(saved.entry));
            row.moved = saved.moved;
            row.standing = match saved.standing {
                StandingTwin::Alive => Standing::Alive,
                StandingTwin::Ended => Standing::Ended,
            };
            table.index_restored(place)?;
            table.append(place);
        }
        for place in twin.free.into_iter().map(TablePlace::of_twin) {
            if table.rows.get(place.index()).is_none_or(|row| row.entry.is_some()) {
                return Err(Damage("a free place of a tracker is taken"));
            }
            table.free.push(place);
        }
        Ok(table)
    }

    fn index_restored(&mut self, place: TablePlace) -> Result<(), Damage> {
        let key = self.rows.get(place.index()).map(|row| row.key);
        if key.is_none_or(|key| self.find(key).is_some()) {
            return Err(Damage("a tracker has an entry twice"));
        }
        let Self { rows, index, hasher, .. } = self;
        let hash = |place: &TablePlace| rows.get(place.index()).map_or(0, |row| hasher.hash_one(row.key));
        index.insert_unique(hash(&place), place, hash);
        Ok(())
    }

    /// The entries with their places.
    pub(in crate::engine::trackers) fn entries(&self) -> impl Iterator<Item = (TablePlace, &V)> {
        let rows = self.rows.iter().enumerate();
        rows.filter_map(|(before, row)| Some((TablePlace::nth(before), row.entry.as_ref()?)))
    }
}
