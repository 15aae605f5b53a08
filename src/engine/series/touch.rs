//! Which series moved: the ones rules read since they last looked, and the last events that moved any.

use super::{Ordinal, SeriesId};

/// Moves remembered as evidence; a power of two. An event moves up to four series as a rule, so that the last
/// 65,536 events are covered.
const EVIDENCE_MOVES: usize = 1 << 18;

/// Events that evidence may reach back over.
const EVIDENCE_EVENTS: u32 = 1 << 16;

#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub(super) event: u32,
    pub(super) slot: u32,
    pub(super) generation: u32,
}

/// A ring of the last moves that events caused.
#[derive(Debug, Default)]
pub(super) struct Moves {
    ring: Vec<Move>,
    next: usize,
}

impl Moves {
    /// Remembers that `event` moved a series.
    #[inline]
    pub(super) fn push(&mut self, event: Ordinal, series: SeriesId) {
        let entry = Move { event: event.0, slot: series.slot, generation: series.generation };
        match self.ring.get_mut(self.next) {
            Some(old) => *old = entry,
            None => self.ring.push(entry),
        }
        self.next = (self.next + 1) % EVIDENCE_MOVES;
    }

    /// What is remembered, oldest first.
    pub(super) fn oldest_first(&self) -> impl Iterator<Item = Move> + '_ {
        let (newer, older) = self.ring.split_at(self.next.min(self.ring.len()));
        older.iter().chain(newer).copied()
    }

    /// Up to `most` of the last events that moved any of `series`, newest first.
    pub(super) fn evidence(&self, series: &[SeriesId], most: usize) -> Vec<Ordinal> {
        let mut wanted: Vec<(u32, u32)> = series.iter().map(|id| (id.slot, id.generation)).collect();
        wanted.sort_unstable();
        let mut found: Vec<Ordinal> = Vec::new();
        let (newer, older) = self.ring.split_at(self.next.min(self.ring.len()));
        let newest = newer.last().or(older.last()).map_or(0, |entry| entry.event);
        for entry in newer.iter().rev().chain(older.iter().rev()) {
            if found.len() >= most || newest.wrapping_sub(entry.event) >= EVIDENCE_EVENTS {
                break;
            }
            let event = Ordinal(entry.event);
            if wanted.binary_search(&(entry.slot, entry.generation)).is_ok() && !found.contains(&event) {
                found.push(event);
            }
        }
        found
    }
}
