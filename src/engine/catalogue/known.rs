//! What was looked up before, by the bytes it came with.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// The longest key remembered; longer ones are looked up each time.
const KEY_BYTES_MAX: usize = 1_024;

/// Keys of one generation.
const KEYS_MAX: usize = 65_536;

/// Bytes of the keys of one generation.
const BYTES_MAX: usize = 8 << 20;

/// A bounded map from bytes. Keys are compared byte for byte, so what it answers does not hang on the hash, which may
/// be seeded anew in every process and cannot be aimed at.
///
/// There are two generations: when the young one is full it becomes the old one, and what is still in use moves over
/// as it is found. So a flood of keys that come once does not push out those that come always.
#[derive(Debug)]
pub(super) struct Known<V> {
    young: Generation<V>,
    old: Generation<V>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Generation<V> {
    index: HashTable<Entry<V>>,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Entry<V> {
    hash: u64,
    start: u32,
    len: u32,
    value: V,
}

impl<V> Default for Generation<V> {
    fn default() -> Self {
        Self { index: HashTable::new(), bytes: Vec::new() }
    }
}

impl<V: Copy> Generation<V> {
    fn find(&self, hash: u64, key: &[u8]) -> Option<V> {
        self.index.find(hash, |entry| self.is(entry, hash, key)).map(|entry| entry.value)
    }

    fn is(&self, entry: &Entry<V>, hash: u64, key: &[u8]) -> bool {
        entry.hash == hash
            && entry.len as usize == key.len()
            && self.bytes.get(entry.start as usize..).is_some_and(|bytes| bytes.starts_with(key))
    }
}

impl<V: Copy> Known<V> {
    pub(super) fn new() -> Self {
        Self { young: Generation::default(), old: Generation::default(), hasher: RandomState::default() }
    }

    /// What is known of a key.
    pub(super) fn get(&mut self, key: &[u8]) -> Option<V> {
        let hash = self.hasher.hash_one(key);
        if let Some(value) = self.young.find(hash, key) {
            return Some(value);
        }
        let value = self.old.find(hash, key)?;
        self.put(hash, key, value);
        Some(value)
    }

    /// Remembers a key, instead of what was known of it.
    pub(super) fn insert(&mut self, key: &[u8], value: V) {
        if key.len() <= KEY_BYTES_MAX {
            self.put(self.hasher.hash_one(key), key, value);
        }
    }

    fn put(&mut self, hash: u64, key: &[u8], value: V) {
        let Generation { index, bytes } = &mut self.young;
        let same = |entry: &Entry<V>| {
            entry.hash == hash
                && entry.len as usize == key.len()
                && bytes.get(entry.start as usize..).is_some_and(|bytes| bytes.starts_with(key))
        };
        if let Some(entry) = index.find_mut(hash, same) {
            entry.value = value;
            return;
        }
        if index.len() >= KEYS_MAX || bytes.len() + key.len() > BYTES_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        let Generation { index, bytes } = &mut self.young;
        let entry = Entry { hash, start: bytes.len() as u32, len: key.len() as u32, value };
        bytes.extend_from_slice(key);
        index.insert_unique(hash, entry, |entry| entry.hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_keys_pushes_out_those_that_come_once_and_keeps_those_in_use() {
        let mut known = Known::new();
        known.insert(b"always", 1_usize);
        known.insert(b"once", 2);
        for place in 0..3 * KEYS_MAX {
            known.insert(format!("flood {place}").as_bytes(), place);
            if place % 1_000 == 0 {
                assert_eq!(known.get(b"always"), Some(1));
            }
        }
        assert_eq!(known.get(b"once"), None);
        assert!(known.young.index.len() <= KEYS_MAX && known.old.index.len() <= KEYS_MAX);
    }

    #[test]
    fn the_last_value_of_a_key_holds_and_a_long_key_is_not_kept() {
        let mut known = Known::new();
        known.insert(b"key", 1);
        known.insert(b"key", 2);
        assert_eq!(known.get(b"key"), Some(2));
        let long = [0; KEY_BYTES_MAX + 1];
        known.insert(&long, 3);
        assert_eq!(known.get(&long), None);
    }
}
