//! Cache warmers: runs started minus runs completed, by strategy, held at 0 at each event.

mod saved;

use super::frame::{Frame, FrameParts, Lifted, Tracker};
use super::gauges::{Board, Counted, Family};
use super::key::IdKey;
use super::table::{Standing, Table, TablePlace};
use crate::engine::config::TrackerName;
use crate::engine::series::SeriesId;
use crate::engine::wire::payload::Quantity;

/// The runs of one strategy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Warmer {
    /// How many runs there are, and where they count; none where there is no run.
    active: Option<(u64, SeriesId)>,
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
    pub(crate) fn of_warmers(parts: FrameParts<'_>, active: Family) -> Self {
        Self::new(parts, WarmerBooks { active: Counted::new(active) })
    }

    /// CacheWarmerStarted: one run more.
    pub(crate) fn started(&mut self, board: &mut Board<'_>, strategy: &str) {
        let place = self.enter(board, IdKey::new(strategy), Warmer::default);
        let Some(warmer) = self.table.get_mut(place) else { return };
        let (runs, series) = self.own.take(board, warmer).unwrap_or_else(|| {
            let series = self.own.active.place(board, &[strategy]);
            (0, series)
        });
        self.own.put(board, warmer, (runs.saturating_add(1), series));
        self.table.touch(place, Standing::Alive, board.cause.now);
    }

    /// CacheWarmerCompleted: one run less, where there was one.
    pub(crate) fn completed(&mut self, board: &mut Board<'_>, strategy: &str) {
        let place = self.enter(board, IdKey::new(strategy), Warmer::default);
        let Some(warmer) = self.table.get_mut(place) else { return };
        let standing = match self.own.take(board, warmer) {
            Some((runs, series)) if runs > 1 => {
                self.own.put(board, warmer, (runs - 1, series));
                Standing::Alive
            }
            Some(_) => Standing::Ended,
            None => {
                let series = self.own.active.place(board, &[strategy]);
                self.own.active.show(board, series);
                Standing::Ended
            }
        };
        self.table.touch(place, standing, board.cause.now);
    }
}

impl WarmerBooks {
    fn put(&mut self, board: &mut Board<'_>, warmer: &mut Warmer, active: (u64, SeriesId)) {
        let (runs, series) = active;
        warmer.active = Some(active);
        self.active.enter(board, series, Quantity::Whole(runs));
    }

    fn take(&mut self, board: &mut Board<'_>, warmer: &mut Warmer) -> Option<(u64, SeriesId)> {
        warmer.active.take().inspect(|(runs, series)| {
            self.active.leave(board, *series, Quantity::Whole(*runs));
        })
    }
}

impl Tracker for WarmerBooks {
    type Key = IdKey;
    type Entry = Warmer;

    const NAME: TrackerName = TrackerName::Warmers;

    fn lift(&mut self, board: &mut Board<'_>, _: TablePlace, warmer: &mut Warmer) -> Lifted {
        match self.take(board, warmer) {
            Some(_) => Lifted::Counted,
            None => Lifted::Uncounted,
        }
    }

    fn forget(&mut self, _: Warmer) {}

    fn show(&mut self, _: &mut Board<'_>, _: &mut Table<IdKey, Warmer>) {}
}
