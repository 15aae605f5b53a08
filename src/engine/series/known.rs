//! What was looked up before, by the bytes it came with.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Keys of one generation: as many as a table of 65,536 places takes before it doubles.
const KEYS_MAX: usize = 57_344;

/// A bounded map from bytes, of which 128 bits of two hashes are kept: the bytes would take more memory here than all
/// else of a series. Both hashes are seeded anew in every process, so that nobody can aim at two keys that share them;
/// that two of a full table do by chance happens to 3 tables of 10²⁹.
///
/// There are two generations: when the young one is full it becomes the old one, and what is still in use moves over
/// as it is found. So a flood of keys that come once does not push out those that come always.
#[derive(Debug)]
pub(in crate::engine) struct Known<V> {
    young: HashTable<Entry<V>>,
    old: HashTable<Entry<V>>,
    seeds: [u64; 4],
}

/// What is kept of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct KeyPrint([u64; 2]);

#[derive(Clone, Copy, Debug)]
struct Entry<V> {
    print: KeyPrint,
    value: V,
}

impl<V: Copy> Known<V> {
    pub(in crate::engine) fn new() -> Self {
        let random = RandomState::default();
        let seeds = std::array::from_fn(|place| random.hash_one(place));
        Self { young: HashTable::new(), old: HashTable::new(), seeds }
    }

    /// What is kept of the key that these parts are; where one ends counts.
    #[inline]
    pub(in crate::engine) fn print<'p>(&self, parts: impl Iterator<Item = &'p [u8]>) -> KeyPrint {
        let [left, right, ..] = self.seeds;
        KeyPrint(parts.fold([left, right], |hashes, part| self.add(hashes, part)))
    }

    /// Both hashes with one more part. Each multiplies 16 bytes at a time into the other half of its product, with a seed
    /// that is turned by the length; the last bytes of a part may come twice.
    #[inline]
    fn add(&self, mut hashes: [u64; 2], part: &[u8]) -> [u64; 2] {
        let [.., left, right] = self.seeds;
        let turns = part.len() as u32;
        let (left, right) = (left.rotate_left(turns), right.rotate_left(turns));
        let mut take = |[first, second]: [u64; 2]| {
            hashes = [fold(hashes[0] ^ first, left ^ second), fold(hashes[1] ^ second, right ^ first)];
        };
        match part.last_chunk::<16>() {
            None => take(short(part)),
            Some(last) => {
                let blocks = part.get(..part.len() - 1).unwrap_or_default().as_chunks::<16>().0;
                blocks.iter().chain([last]).for_each(|block| take(words(block)));
            }
        }
        hashes
    }

    /// What is known of a key, where it came lately.
    #[inline]
    pub(in crate::engine) fn recent(&self, print: KeyPrint) -> Option<&V> {
        self.young.find(print.0[0], |entry| entry.print == print).map(|entry| &entry.value)
    }

    /// What is known of a key.
    #[inline]
    pub(in crate::engine) fn get(&mut self, print: KeyPrint) -> Option<V> {
        match self.recent(print) {
            Some(value) => Some(*value),
            None => self.renew(print),
        }
    }

    /// What is known of a key that did not come lately; from now on it did.
    pub(in crate::engine) fn renew(&mut self, print: KeyPrint) -> Option<V> {
        let value = self.old.find(print.0[0], |entry| entry.print == print)?.value;
        self.insert(print, value);
        Some(value)
    }

    /// Remembers a key, instead of what was known of it.
    pub(in crate::engine) fn insert(&mut self, print: KeyPrint, value: V) {
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

#[inline]
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product as u64) ^ (product >> 64) as u64
}

/// Sixteen bytes as two words.
#[inline]
fn words(block: &[u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(*block);
    [both as u64, (both >> 64) as u64]
}

/// Fewer than sixteen bytes as two words, in which some may be twice.
#[inline]
fn short(part: &[u8]) -> [u64; 2] {
    if let (Some(first), Some(last)) = (part.first_chunk(), part.last_chunk()) {
        return [u64::from_le_bytes(*first), u64::from_le_bytes(*last)];
    }
    if let (Some(first), Some(last)) = (part.first_chunk(), part.last_chunk()) {
        return [u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last))];
    }
    let byte = |place: usize| part.get(place).copied().map_or(0, u64::from);
    [byte(0) | byte(1) << 8, byte(2)]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn print<V: Copy>(known: &Known<V>, parts: &[&str]) -> KeyPrint {
        known.print(parts.iter().map(|part| part.as_bytes()))
    }

    #[test]
    fn keys_of_any_length_that_differ_in_a_byte_differ_in_both_hashes() {
        let known = Known::<u8>::new();
        let mut keys: BTreeSet<Vec<u8>> = BTreeSet::new();
        for length in 0..70 {
            let text: Vec<u8> = (0..length).map(|place| b'a' + (place % 7) as u8).collect();
            for place in 0..length {
                let mut other = text.clone();
                other[place] ^= 1 << (place % 8);
                keys.insert(other);
            }
            keys.insert(vec![0; length]);
            keys.insert(text);
        }
        for hash in [0, 1] {
            let hashes: BTreeSet<u64> =
                keys.iter().map(|key| known.print([key.as_slice()].into_iter()).0[hash]).collect();
            assert_eq!(hashes.len(), keys.len());
        }
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
