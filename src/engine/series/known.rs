//! What was looked up before, by the bytes it came with.

use hashbrown::HashTable;

use super::print::{KeyPrint, Printer, Seeds};

/// Keys of one generation: as many as a table of 65,536 places takes before it doubles.
const KEYS_MAX: usize = 57_344;

/// A bounded map from bytes, of which the print alone is kept: the bytes would take more memory here than all else of a
/// series. That two of a full table share their print by chance happens to 3 tables of 10²⁹.
///
/// There are two generations: when the young one is full it becomes the old one, and what is still in use moves over
/// as it is found. So a flood of keys that come once does not push out those that come always.
#[derive(Debug)]
pub(in crate::engine) struct Known<V> {
    young: HashTable<Entry<V>>,
    old: HashTable<Entry<V>>,
    seeds: Seeds,
}

#[derive(Clone, Copy, Debug)]
struct Entry<V> {
    print: KeyPrint,
    value: V,
}

impl<V: Copy> Known<V> {
    pub(in crate::engine) fn new() -> Self {
        Self { young: HashTable::new(), old: HashTable::new(), seeds: Seeds::random() }
    }

    /// Begins the print of a key of this kind.
    #[inline]
    pub(in crate::engine) const fn begin(&self, kind: u8) -> Printer {
        self.seeds.begin(kind)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn print<V: Copy>(known: &Known<V>, parts: &[&str]) -> KeyPrint {
        let mut printer = known.begin(0);
        for part in parts {
            printer.add(part.as_bytes());
        }
        printer.end()
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
}
