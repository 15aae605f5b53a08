//! What was looked up before, by the bytes it came with.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Keys of one generation.
const KEYS_MAX: usize = 65_536;

/// A bounded map from bytes, of which 128 bits of two hashes are kept: the bytes would take more memory here than all
/// else of a series. Both hashes are seeded anew in every process, so that nobody can aim at two keys that share them;
/// that two of a full table do by chance happens to 3 tables of 10²⁹.
///
/// There are two generations: when the young one is full it becomes the old one, and what is still in use moves over
/// as it is found. So a flood of keys that come once does not push out those that come always.
#[derive(Debug)]
pub(super) struct Known<V> {
    young: HashTable<Entry<V>>,
    old: HashTable<Entry<V>>,
    hashers: [RandomState; 2],
}

/// What is kept of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyPrint([u64; 2]);

#[derive(Clone, Copy, Debug)]
struct Entry<V> {
    print: KeyPrint,
    value: V,
}

impl<V: Copy> Known<V> {
    pub(super) fn new() -> Self {
        let hashers = [RandomState::default(), RandomState::default()];
        Self { young: HashTable::new(), old: HashTable::new(), hashers }
    }

    /// What is kept of the key that these parts are; where one ends counts.
    #[inline]
    pub(super) fn print<'p>(&self, parts: &(impl Iterator<Item = &'p [u8]> + Clone)) -> KeyPrint {
        let hash = |state: &RandomState| {
            let mut hasher = state.build_hasher();
            for part in parts.clone() {
                hasher.write_usize(part.len());
                hasher.write(part);
            }
            hasher.finish()
        };
        KeyPrint(self.hashers.each_ref().map(hash))
    }

    /// What is known of a key.
    #[inline]
    pub(super) fn get(&mut self, print: KeyPrint) -> Option<V> {
        match self.young.find(print.0[0], |entry| entry.print == print) {
            Some(entry) => Some(entry.value),
            None => self.renew(print),
        }
    }

    fn renew(&mut self, print: KeyPrint) -> Option<V> {
        let value = self.old.find(print.0[0], |entry| entry.print == print)?.value;
        self.insert(print, value);
        Some(value)
    }

    /// Remembers a key, instead of what was known of it.
    pub(super) fn insert(&mut self, print: KeyPrint, value: V) {
        if let Some(entry) = self.young.find_mut(print.0[0], |entry| entry.print == print) {
            entry.value = value;
            return;
        }
        if self.young.len() >= KEYS_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert_unique(print.0[0], Entry { print, value }, |entry| entry.print.0[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print<V: Copy>(known: &Known<V>, parts: &[&str]) -> KeyPrint {
        known.print(&parts.iter().map(|part| part.as_bytes()))
    }

    #[test]
    fn a_flood_of_keys_pushes_out_those_that_come_once_and_keeps_those_in_use() {
        let mut known = Known::new();
        let (always, once) = (print(&known, &["always"]), print(&known, &["once"]));
        known.insert(always, 1_usize);
        known.insert(once, 2);
        for place in 0..3 * KEYS_MAX {
            known.insert(print(&known, &["flood", &place.to_string()]), place);
            if place % 1_000 == 0 {
                assert_eq!(known.get(always), Some(1));
            }
        }
        assert_eq!(known.get(once), None);
        assert!(known.young.len() <= KEYS_MAX && known.old.len() <= KEYS_MAX);
    }

    #[test]
    fn the_last_value_of_a_key_holds() {
        let mut known = Known::new();
        let key = print(&known, &["key"]);
        known.insert(key, 1);
        known.insert(key, 2);
        assert_eq!(known.get(key), Some(2));
    }

    #[test]
    fn keys_whose_parts_end_elsewhere_are_others() {
        let known = Known::<u8>::new();
        let sets: [&[&str]; 5] = [&["ab", "c"], &["a", "bc"], &["abc"], &["abc", ""], &["", "abc"]];
        for (place, left) in sets.iter().enumerate() {
            for (other, right) in sets.iter().enumerate() {
                assert_eq!(print(&known, left) == print(&known, right), place == other, "{left:?} {right:?}");
            }
        }
        assert_eq!(print(&known, &["a", "b"]), print(&known, &["a", "b"]));
    }
}
