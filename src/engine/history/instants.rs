//! The instants at which series were sampled: the grid of steps, and the arrivals that had rules evaluated.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::codec::Place;
use crate::engine::series::FamilyId;

/// Instants of the grid kept at the most; beyond that the oldest go, whatever the window says.
const GRID_MAX: usize = 500_000;

/// Arrivals of one step that are sampled; further ones are not.
const ARRIVALS_MAX: usize = 10_000;

/// Whole steps whose arrivals are kept.
const STEPS_KEPT: Place = 2;

/// The instants in rising time. A clone shares them.
#[derive(Clone, Debug)]
pub(super) struct Instants {
    /// The place of the oldest instant of the grid; the first there ever was has the place 1.
    first: Place,
    grid: Arc<VecDeque<i64>>,
    finished: VecDeque<Arc<StepArrivals>>,
    arriving: Arc<StepArrivals>,
}

/// The arrivals between two instants of the grid.
#[derive(Clone, Debug, Default)]
pub(super) struct StepArrivals {
    /// The place of the grid before them.
    pub(super) after: Place,
    /// Each with the families, sorted, that the evaluated rules read.
    pub(super) instants: Vec<(i64, Arc<[FamilyId]>)>,
}

impl StepArrivals {
    /// The numbers and times of the arrivals that sampled a family.
    pub(super) fn of(&self, family: FamilyId) -> impl Iterator<Item = (Place, i64)> + '_ {
        (0..).zip(&self.instants).filter_map(move |(number, (time, families))| {
            families.binary_search(&family).is_ok().then_some((number, *time))
        })
    }
}

impl Default for Instants {
    fn default() -> Self {
        Self { first: 1, grid: Arc::default(), finished: VecDeque::new(), arriving: Arc::default() }
    }
}

impl Instants {
    /// The place of the last instant of the grid; 0 where there was none.
    pub(super) fn last_place(&self) -> Place {
        self.first + as_place(self.grid.len()) - 1
    }

    fn last_time(&self) -> Option<i64> {
        self.arriving.instants.last().map(|(time, _)| *time).max(self.grid.back().copied())
    }

    /// Adds an instant of the grid, later than all others, and returns its place; of the same or an earlier time
    /// there is none.
    pub(super) fn push_grid(&mut self, time_ms: i64) -> Option<Place> {
        if self.last_time().is_some_and(|last| last >= time_ms) {
            return None;
        }
        let grid = Arc::make_mut(&mut self.grid);
        if grid.len() >= GRID_MAX {
            grid.pop_front();
            self.first += 1;
        }
        grid.push_back(time_ms);
        let place = self.last_place();
        let next = Arc::new(StepArrivals { after: place, instants: Vec::new() });
        let over = std::mem::replace(&mut self.arriving, next);
        if !over.instants.is_empty() {
            self.finished.push_back(over);
        }
        Some(place)
    }

    /// Adds an arrival, later than all other instants, and returns its number within the step; none where it is not
    /// later, or the step has too many.
    pub(super) fn push_arrival(&mut self, time_ms: i64, families: &Arc<[FamilyId]>) -> Option<Place> {
        let number = self.arriving.instants.len();
        if number >= ARRIVALS_MAX || self.last_time().is_some_and(|last| last >= time_ms) {
            return None;
        }
        Arc::make_mut(&mut self.arriving).instants.push((time_ms, Arc::clone(families)));
        Some(as_place(number))
    }

    /// The place of the grid since which all arrivals are kept.
    fn kept_place(&self) -> Place {
        self.last_place() - STEPS_KEPT
    }

    /// The instant of the grid since which all arrivals are kept.
    pub(super) fn kept_since(&self) -> Option<i64> {
        self.time_of(self.kept_place())
    }

    /// Takes the oldest step whose arrivals are older than they are kept.
    pub(super) fn take_old(&mut self) -> Option<Arc<StepArrivals>> {
        let kept = self.kept_place();
        self.finished.front().filter(|step| step.after < kept)?;
        self.finished.pop_front()
    }

    /// The time of a place of the grid.
    pub(super) fn time_of(&self, place: Place) -> Option<i64> {
        self.grid.get(usize::try_from(place - self.first).ok()?).copied()
    }

    /// Forgets the instants of the grid before `time_ms`; returns the place of the oldest that is left.
    pub(super) fn forget_before(&mut self, time_ms: i64) -> Place {
        if self.grid.front().is_some_and(|time| *time < time_ms) {
            let grid = Arc::make_mut(&mut self.grid);
            while grid.front().is_some_and(|time| *time < time_ms) {
                grid.pop_front();
                self.first += 1;
            }
            while self.finished.front().is_some_and(|step| step.after + 1 < self.first) {
                self.finished.pop_front();
            }
            if grid.capacity() > 64 && grid.len() < grid.capacity() / 4 {
                grid.shrink_to_fit();
            }
        }
        self.first
    }

    /// The places of the grid between `start_ms` and `end_ms`, both inclusive.
    pub(super) fn grid_between(&self, start_ms: i64, end_ms: i64) -> Range<Place> {
        let from = self.grid.partition_point(|time| *time < start_ms);
        let to = self.grid.partition_point(|time| *time <= end_ms).max(from);
        self.first + as_place(from)..self.first + as_place(to)
    }

    /// The arrivals between `start_ms` and `end_ms` that sampled a family: the place of the grid before them, their
    /// number after it, their time.
    pub(super) fn arrivals_between(
        &self,
        start_ms: i64,
        end_ms: i64,
        family: FamilyId,
    ) -> impl Iterator<Item = (Place, Place, i64)> + '_ {
        let steps = self.finished.iter().chain([&self.arriving]);
        let overlap = move |step: &&Arc<StepArrivals>| {
            step.instants.last().is_some_and(|(last, _)| *last >= start_ms)
                && step.instants.first().is_some_and(|(first, _)| *first <= end_ms)
        };
        steps.filter(overlap).flat_map(move |step| {
            let inside = step.of(family).filter(move |(_, time)| (start_ms..=end_ms).contains(time));
            inside.map(move |(number, time)| (step.after, number, time))
        })
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let arrivals = self.finished.iter().chain([&self.arriving]).map(|step| step.instants.capacity());
        self.grid.capacity() * size_of::<i64>()
            + arrivals.sum::<usize>() * size_of::<(i64, Arc<[FamilyId]>)>()
    }
}

/// A count of instants, which never comes near the end of the numbers.
const fn as_place(count: usize) -> Place {
    count.cast_signed() as Place
}
