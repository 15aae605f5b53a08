//! 128 bits that stand for a key of any length.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

/// What is kept of a key: two hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct KeyPrint(pub(super) [u64; 2]);

impl KeyPrint {
    /// Its bytes, the same on every machine.
    pub(in crate::engine) fn bytes(self) -> [u8; 16] {
        let [first, second] = self.0;
        (u128::from(first) | u128::from(second) << 64).to_le_bytes()
    }
}

/// What prints differ by beside their keys.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Seeds([u64; 4]);

impl Seeds {
    /// The same in every process, for prints that are written down: numbers drawn at random, as small ones mix little.
    /// Whoever wants two keys of one print can make them.
    pub(in crate::engine) const fn fixed(seeds: [u64; 4]) -> Self {
        Self(seeds)
    }

    /// Others in every process, so that nobody can aim at two keys that share their print.
    pub(in crate::engine) fn random() -> Self {
        let random = RandomState::default();
        Self(std::array::from_fn(|place| random.hash_one(place)))
    }

    /// Begins the print of a key of this kind.
    #[inline]
    pub(in crate::engine) const fn begin(&self, kind: u8) -> Printer {
        let [left, right, ..] = self.0;
        let kind = (kind as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Printer { seeds: *self, hashes: [left ^ kind, right ^ kind] }
    }
}

/// Takes a key part by part.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Printer {
    seeds: Seeds,
    hashes: [u64; 2],
}

impl Printer {
    /// The next part of the key; where one ends counts.
    ///
    /// Each hash multiplies 16 bytes at a time into the other half of its product, with a seed that is turned by the
    /// length; the last bytes of a part may come twice.
    #[inline]
    pub(in crate::engine) fn add(&mut self, part: &[u8]) {
        let Seeds([.., left, right]) = self.seeds;
        let turns = part.len() as u32;
        let (left, right) = (left.rotate_left(turns), right.rotate_left(turns));
        let [mut first_hash, mut second_hash] = self.hashes;
        let mut take = |[first, second]: [u64; 2]| {
            first_hash = fold(first_hash ^ first, left ^ second);
            second_hash = fold(second_hash ^ second, right ^ first);
        };
        match part.last_chunk::<16>() {
            None => take(short(part)),
            Some(last) => {
                let blocks = part.get(..part.len() - 1).unwrap_or_default().as_chunks::<16>().0;
                for block in blocks {
                    take(words(block));
                }
                take(words(last));
            }
        }
        self.hashes = [first_hash, second_hash];
    }

    /// The print of what was taken.
    #[inline]
    pub(in crate::engine) const fn end(self) -> KeyPrint {
        KeyPrint(self.hashes)
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

    fn print(seeds: &Seeds, kind: u8, parts: &[&[u8]]) -> KeyPrint {
        let mut printer = seeds.begin(kind);
        for part in parts {
            printer.add(part);
        }
        printer.end()
    }

    #[test]
    fn keys_of_any_length_that_differ_in_a_byte_differ_in_both_hashes() {
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
        let seeds = Seeds::random();
        for hash in [0, 1] {
            let prints = keys.iter().flat_map(|key| [0, 1].map(|kind| print(&seeds, kind, &[key])));
            let hashes: BTreeSet<u64> = prints.map(|print| print.0[hash]).collect();
            assert_eq!(hashes.len(), 2 * keys.len());
        }
    }

    #[test]
    fn keys_whose_parts_end_elsewhere_are_others() {
        let seeds = Seeds::random();
        let sets: [&[&[u8]]; 5] = [&[b"ab", b"c"], &[b"a", b"bc"], &[b"abc"], &[b"abc", b""], &[b"", b"abc"]];
        for (place, left) in sets.iter().enumerate() {
            for (other, right) in sets.iter().enumerate() {
                let same = print(&seeds, 0, left) == print(&seeds, 0, right);
                assert_eq!(same, place == other, "{left:?} {right:?}");
            }
        }
        assert_eq!(print(&seeds, 7, &[b"a", b"b"]), print(&seeds, 7, &[b"a", b"b"]));
    }
}
