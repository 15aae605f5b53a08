//! Finds series by a hash of their labels: five bytes each, as the hash itself is not kept.
//!
//! A table that grows must hash again what it has, which for all series at once would hold up events. So there are many
//! small ones, which grow one at a time.

use hashbrown::HashTable;

/// Tables; no power of two, so that they are not about to double at all of the round numbers of series.
const TABLES: usize = 72;

/// The slots of series by their hashes.
#[derive(Debug)]
pub(super) struct Index(Vec<HashTable<u32>>);

impl Default for Index {
    fn default() -> Self {
        Self((0..TABLES).map(|_| HashTable::new()).collect())
    }
}

/// The table of a hash, by bits that the tables themselves hardly use.
fn table_of(hash: u64) -> usize {
    ((u64::from(hash as u32) * TABLES as u64) >> 32) as usize
}

impl Index {
    /// The slot of this hash that is the one looked for.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.0.get(table_of(hash))?.find(hash, |slot| is_it(*slot)).copied()
    }

    /// Adds a slot; `hash_of` are the hashes of those that are there.
    pub(super) fn insert(&mut self, hash: u64, slot: u32, hash_of: impl Fn(u32) -> u64) {
        if let Some(table) = self.0.get_mut(table_of(hash)) {
            table.insert_unique(hash, slot, |slot| hash_of(*slot));
        }
    }

    /// Takes a slot away.
    pub(super) fn remove(&mut self, hash: u64, slot: u32) {
        let entry =
            self.0.get_mut(table_of(hash)).map(|table| table.find_entry(hash, |known| *known == slot));
        if let Some(Ok(entry)) = entry {
            entry.remove();
        }
    }
}
