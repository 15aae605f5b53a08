//! The least key among entries whose keys mostly grow: times of the last move, progress ratios.

mod saved;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::table::TablePlace;

/// A heap may hold this many outdated items beside as many as there are entries before it is swept.
const OUTDATED_MAX: usize = 64;

/// Tells an entry's present stay in an [`Oldest`] from its former ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// Hands out tickets, each once.
#[derive(Debug, Default)]
pub(crate) struct Tickets(u64);

impl Tickets {
    /// A ticket nobody had.
    pub(crate) fn issue(&mut self) -> Ticket {
        self.0 += 1;
        Ticket(self.0)
    }
}

/// A heap that is told when a key falls but not when it grows: what lies in it is at most the entry's key, and is put
/// right only when it comes to the top. So an entry that moves on costs nothing here.
#[derive(Debug)]
pub(crate) struct Oldest<K> {
    heap: BinaryHeap<Reverse<(K, Ticket, TablePlace)>>,
    entries: usize,
}

impl<K: Ord> Default for Oldest<K> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), entries: 0 }
    }
}

impl<K: Ord + Copy> Oldest<K> {
    /// Takes an entry in under a fresh ticket.
    pub(crate) fn enter(&mut self, key: K, ticket: Ticket, place: TablePlace) {
        self.entries += 1;
        self.heap.push(Reverse((key, ticket, place)));
    }

    /// Whether no entry is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Notes that the key of an entry fell; the entry has a fresh ticket since.
    pub(crate) fn fell(&mut self, key: K, ticket: Ticket, place: TablePlace) {
        self.heap.push(Reverse((key, ticket, place)));
    }

    /// Notes that an entry left; its ticket is no longer its own.
    pub(crate) fn leave(&mut self) {
        self.entries = self.entries.saturating_sub(1);
        if self.entries == 0 {
            self.heap.clear();
        }
    }

    /// The least key. `current` gives the key of the entry in a place, none where the ticket is not its present one.
    pub(crate) fn least(&mut self, current: impl Fn(TablePlace, Ticket) -> Option<K>) -> Option<K> {
        self.first(current).map(|(key, _)| key)
    }

    /// The least key and whose it is.
    pub(crate) fn first(
        &mut self,
        current: impl Fn(TablePlace, Ticket) -> Option<K>,
    ) -> Option<(K, TablePlace)> {
        self.sweep(&current);
        while let Some(mut top) = self.heap.peek_mut() {
            let Reverse((key, ticket, place)) = *top;
            match current(place, ticket) {
                Some(present) if present > key => *top = Reverse((present, ticket, place)),
                Some(_) => return Some((key, place)),
                None => {
                    std::collections::binary_heap::PeekMut::pop(top);
                }
            }
        }
        None
    }

    /// Drops what is outdated once it outweighs the entries.
    pub(crate) fn sweep(&mut self, current: impl Fn(TablePlace, Ticket) -> Option<K>) {
        if self.heap.len() > self.entries.saturating_mul(2).saturating_add(OUTDATED_MAX) {
            self.heap.retain(|Reverse((_, ticket, place))| current(*place, *ticket).is_some());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Entries enter, move either way and leave; the least is that of a plain scan, and the heap stays small.
        #[test]
        fn the_least_is_that_of_a_plain_scan(steps in prop::collection::vec((0_usize..6, 0_i64..50, 0_u8..4), 1..400)) {
            let mut tickets = Tickets::default();
            let mut oldest = Oldest::default();
            let mut entries: Vec<Option<(i64, Ticket)>> = vec![None; 6];
            for (slot, key, step) in steps {
                match (&mut entries[slot], step) {
                    (Some(_), 0) => {
                        entries[slot] = None;
                        oldest.leave();
                    }
                    (Some((present, ticket)), _) => {
                        if key < *present {
                            *ticket = tickets.issue();
                            oldest.fell(key, *ticket, TablePlace::nth(slot));
                        }
                        *present = key;
                    }
                    (stay, _) => {
                        let ticket = tickets.issue();
                        *stay = Some((key, ticket));
                        oldest.enter(key, ticket, TablePlace::nth(slot));
                    }
                }
                let current = |place: TablePlace, ticket: Ticket| {
                    let slot = (0..6).find(|slot| TablePlace::nth(*slot) == place).unwrap();
                    entries[slot].filter(|(_, own)| *own == ticket).map(|(key, _)| key)
                };
                let expected = entries.iter().flatten().map(|(key, _)| *key).min();
                prop_assert_eq!(oldest.least(current), expected);
                prop_assert!(oldest.heap.len() <= 2 * 6 + OUTDATED_MAX);
            }
        }
    }
}
