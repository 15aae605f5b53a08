//! Cache warmers: runs started minus runs completed, by strategy, held at 0 at each event.

use super::gauges::{Board, Counted, Family, ONE};
use super::key::IdKey;
use super::roll::{Eviction, Roll, Standing};
use crate::engine::config::TrackerLimits;
use crate::engine::series::SeriesId;
use crate::engine::wire::payload::Quantity;

#[derive(Debug)]
struct Warmer {
    runs: u64,
    series: SeriesId,
}

/// The tracker of warmer strategies.
#[derive(Debug)]
pub struct Warmers {
    roll: Roll<IdKey, Warmer>,
    active: Counted,
}

impl Warmers {
    /// A tracker without strategies; feeds `cache_warmers_active`.
    pub fn new(limits: TrackerLimits, evictions: Family, active: Family) -> Self {
        Self { roll: Roll::new(limits, evictions, "warmers"), active: Counted::new(active) }
    }

    /// CacheWarmerStarted: one run more.
    pub fn started(&mut self, board: &mut Board<'_>, strategy: &str) {
        let slot = self.slot(board, strategy);
        let Some(warmer) = self.roll.get_mut(slot) else { return };
        warmer.runs = warmer.runs.saturating_add(1);
        self.active.enter(board, warmer.series, ONE);
        self.roll.touch(slot, Standing::Held, board.cause.now);
    }

    /// CacheWarmerCompleted: one run less, where there was one.
    pub fn completed(&mut self, board: &mut Board<'_>, strategy: &str) {
        let slot = self.slot(board, strategy);
        let Some(warmer) = self.roll.get_mut(slot) else { return };
        if warmer.runs > 0 {
            warmer.runs -= 1;
            self.active.leave(board, warmer.series, ONE);
        } else {
            self.active.show(board, warmer.series);
        }
        let standing = if warmer.runs == 0 { Standing::Ended } else { Standing::Held };
        self.roll.touch(slot, standing, board.cause.now);
    }

    /// How many strategies are known.
    pub fn len(&self) -> usize {
        self.roll.len()
    }

    /// Whether no strategy is known.
    pub fn is_empty(&self) -> bool {
        self.roll.is_empty()
    }

    /// Evicts what nothing moved for too long.
    pub fn refresh(&mut self, board: &mut Board<'_>) {
        while let Some((slot, why)) = self.roll.overdue(board.cause.now) {
            self.evict(board, slot, why);
        }
    }

    fn slot(&mut self, board: &mut Board<'_>, strategy: &str) -> u32 {
        let key = IdKey::new(strategy);
        if let Some(slot) = self.roll.find(key) {
            return slot;
        }
        while let Some((slot, why)) = self.roll.crowded() {
            self.evict(board, slot, why);
        }
        let series = self.active.place(board, &[strategy]);
        self.roll.insert(key, Warmer { runs: 0, series }, board.cause.now)
    }

    fn evict(&mut self, board: &mut Board<'_>, slot: u32, why: Eviction) {
        if let Some(warmer) = self.roll.remove(slot) {
            self.active.leave(board, warmer.series, Quantity::Whole(warmer.runs));
        }
        self.roll.count(board, why);
    }
}
