//! Cache warmers: runs started minus runs completed, by strategy, held at 0 at each event.

use super::frame::{Frame, FrameFamilies, Tracker};
use super::gauges::{Board, Counted, Family, ONE};
use super::key::IdKey;
use super::table::{Place, Standing, Table};
use crate::engine::config::TrackerLimits;
use crate::engine::series::SeriesId;
use crate::engine::wire::payload::Quantity;

#[derive(Debug)]
pub(crate) struct Warmer {
    runs: u64,
    series: SeriesId,
}

/// What warmers count in.
#[derive(Debug)]
pub(crate) struct WarmerBooks {
    active: Counted,
}

/// The tracker of warmer strategies.
pub(crate) type Warmers = Frame<WarmerBooks>;

impl Warmers {
    /// A tracker without strategies; feeds `cache_warmers_active`.
    pub(crate) fn of_warmers(limits: TrackerLimits, frame: FrameFamilies, active: Family) -> Self {
        Self::new(limits, frame, WarmerBooks { active: Counted::new(active) })
    }

    /// CacheWarmerStarted: one run more.
    pub(crate) fn started(&mut self, board: &mut Board<'_>, strategy: &str) {
        let place = self.strategy(board, strategy);
        let Some(warmer) = self.table.get_mut(place) else { return };
        warmer.runs = warmer.runs.saturating_add(1);
        self.own.active.enter(board, warmer.series, ONE);
        self.table.touch(place, Standing::Alive, board.cause.now);
    }

    /// CacheWarmerCompleted: one run less, where there was one.
    pub(crate) fn completed(&mut self, board: &mut Board<'_>, strategy: &str) {
        let place = self.strategy(board, strategy);
        let Some(warmer) = self.table.get_mut(place) else { return };
        if warmer.runs > 0 {
            warmer.runs -= 1;
            self.own.active.leave(board, warmer.series, ONE);
        } else {
            self.own.active.show(board, warmer.series);
        }
        let standing = if warmer.runs == 0 { Standing::Ended } else { Standing::Alive };
        self.table.touch(place, standing, board.cause.now);
    }

    fn strategy(&mut self, board: &mut Board<'_>, strategy: &str) -> Place {
        let series = self.own.active.place(board, &[strategy]);
        self.enter(board, IdKey::new(strategy), || Warmer { runs: 0, series })
    }
}

impl Tracker for WarmerBooks {
    type Key = IdKey;
    type Entry = Warmer;

    const NAME: &'static str = "warmers";

    fn release(&mut self, board: &mut Board<'_>, _: Place, warmer: Warmer) {
        self.active.leave(board, warmer.series, Quantity::Whole(warmer.runs));
    }

    fn show(&mut self, _: &mut Board<'_>, _: &mut Table<IdKey, Warmer>) {}
}
