//! The instants at which series were sampled: the grid of steps, and the arrivals that had rules evaluated.

mod saved;

pub(super) use saved::InstantTwins;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use super::codec::ChangePlace;
use crate::engine::series::FamilyId;

/// Instants of the grid kept at the most; beyond that the oldest go, whatever the window says.
const GRID_MAX: usize = 500_000;

/// Arrivals of one step that are sampled; further ones are not.
const ARRIVALS_MAX: usize = 10_000;

/// Whole steps whose arrivals are kept.
const STEPS_KEPT: ChangePlace = 2;

/// The instants in rising time. A clone shares them.
#[derive(Clone, Debug)]
pub(super) struct Instants {
    /// The place of the oldest instant of the grid; the first there ever was has the place 1.
    first: ChangePlace,
    grid: Arc<VecDeque<i64>>,
    finished: VecDeque<Arc<StepArrivals>>,
    arriving: Arc<StepArrivals>,
}

/// The arrivals between two instants of the grid.
#[derive(Clone, Debug, Default)]
pub(super) struct StepArrivals {
    /// The place of the grid before them.
    pub(super) after: ChangePlace,
    /// When they were; the number of an arrival is its place here.
    times: Vec<i64>,
    /// By family, the numbers of the arrivals that sampled it.
    numbers: BTreeMap<FamilyId, Vec<u32>>,
}

/// Why an arrival is no instant of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoInstant {
    /// There is one at that time or later.
    NotLater,
    /// The step has as many as it may have.
    TooMany,
}

/// An instant at which a family was sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SampledInstant {
    /// The place of the grid, or of the grid before an arrival.
    pub(super) place: ChangePlace,
    /// The number of an arrival after that place.
    pub(super) arrival: Option<ChangePlace>,
    pub(super) time_ms: i64,
}

impl StepArrivals {
    /// The families that were sampled.
    pub(super) fn families(&self) -> impl Iterator<Item = FamilyId> + '_ {
        self.numbers.keys().copied()
    }

    /// The numbers and times of the arrivals that sampled a family.
    pub(super) fn of(&self, family: FamilyId) -> impl Iterator<Item = (ChangePlace, i64)> + '_ {
        let numbers = self.numbers.get(&family).map_or(&[][..], Vec::as_slice);
        numbers.iter().map(|number| (ChangePlace::from(*number), self.time(*number)))
    }

    fn forget_last(&mut self) {
        self.times.pop();
        let number = self.times.len() as u32;
        for numbers in self.numbers.values_mut() {
            numbers.pop_if(|last| *last == number);
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> ChangePlace {
        as_place(self.times.len())
    }

    fn time(&self, number: u32) -> i64 {
        self.times.get(number as usize).copied().unwrap_or(i64::MAX)
    }

    /// The numbers of the arrivals from `start_ms` to `end_ms`, both inclusive, that sampled a family.
    fn between(&self, family: FamilyId, start_ms: i64, end_ms: i64) -> &[u32] {
        let (Some(first), Some(last)) = (self.times.first(), self.times.last()) else { return &[] };
        if *last < start_ms || *first > end_ms {
            return &[];
        }
        let Some(numbers) = self.numbers.get(&family) else { return &[] };
        let from = numbers.partition_point(|number| self.time(*number) < start_ms);
        let to = numbers.partition_point(|number| self.time(*number) <= end_ms);
        numbers.get(from..to).unwrap_or_default()
    }

    fn sampled(&self, number: u32) -> SampledInstant {
        let time_ms = self.time(number);
        SampledInstant { place: self.after, arrival: Some(ChangePlace::from(number)), time_ms }
    }

    fn bytes(&self) -> usize {
        let numbers: usize = self.numbers.values().map(Vec::capacity).sum();
        self.times.capacity() * size_of::<i64>() + numbers * size_of::<u32>()
    }
}

impl Default for Instants {
    fn default() -> Self {
        Self { first: 1, grid: Arc::default(), finished: VecDeque::new(), arriving: Arc::default() }
    }
}

impl Instants {
    /// How many arrivals there were in the step before the last instant of the grid.
    pub(super) fn last_step_len(&self) -> ChangePlace {
        let last = self.finished.back().filter(|step| step.after + 1 == self.last_place());
        last.map_or(0, |step| step.len())
    }

    /// The place of the last instant of the grid; 0 where there was none.
    pub(super) fn last_place(&self) -> ChangePlace {
        self.first + as_place(self.grid.len()) - 1
    }

    fn last_time(&self) -> Option<i64> {
        self.arriving.times.last().copied().max(self.grid.back().copied())
    }

    /// The last instant of the grid.
    pub(super) fn last_of_grid(&self) -> Option<i64> {
        self.grid.back().copied()
    }

    /// Adds an instant of the grid and returns its place; none where one is there that is not earlier. It stands for an
    /// arrival of the same time, too.
    pub(super) fn push_grid(&mut self, time_ms: i64) -> Option<ChangePlace> {
        let last_arrival = self.arriving.times.last().copied();
        if self.last_of_grid().is_some_and(|last| last >= time_ms)
            || last_arrival.is_some_and(|last| last > time_ms)
        {
            return None;
        }
        if last_arrival == Some(time_ms) {
            Arc::make_mut(&mut self.arriving).forget_last();
        }
        let grid = Arc::make_mut(&mut self.grid);
        if grid.len() >= GRID_MAX {
            grid.pop_front();
            self.first += 1;
        }
        grid.push_back(time_ms);
        let place = self.last_place();
        let next = Arc::new(StepArrivals { after: place, ..StepArrivals::default() });
        let over = std::mem::replace(&mut self.arriving, next);
        if !over.times.is_empty() {
            self.finished.push_back(over);
        }
        Some(place)
    }

    /// Adds an arrival and returns its number within the step.
    pub(super) fn push_arrival(
        &mut self,
        time_ms: i64,
        families: impl Iterator<Item = FamilyId>,
    ) -> Result<ChangePlace, NoInstant> {
        let number = self.arriving.times.len();
        if self.last_time().is_some_and(|last| last >= time_ms) {
            return Err(NoInstant::NotLater);
        }
        if number >= ARRIVALS_MAX {
            return Err(NoInstant::TooMany);
        }
        let step = Arc::make_mut(&mut self.arriving);
        step.times.push(time_ms);
        for family in families {
            step.numbers.entry(family).or_default().push(number as u32);
        }
        Ok(as_place(number))
    }

    /// The number of the last arrival and the families it sampled, where nothing was sampled after it and it was then.
    pub(super) fn arrival_at(&self, time_ms: i64) -> Option<(ChangePlace, BTreeSet<FamilyId>)> {
        if self.arriving.times.last() != Some(&time_ms) {
            return None;
        }
        let number = self.arriving.times.len() as u32 - 1;
        let sampled = self.arriving.numbers.iter().filter(|(_, numbers)| numbers.last() == Some(&number));
        Some((as_place(number as usize), sampled.map(|(family, _)| *family).collect()))
    }

    /// The first instant of the grid.
    pub(super) fn first_of_grid(&self) -> Option<i64> {
        self.grid.front().copied()
    }

    /// The place of the grid since which all arrivals are kept.
    fn kept_place(&self) -> ChangePlace {
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
    pub(super) fn time_of(&self, place: ChangePlace) -> Option<i64> {
        self.grid.get(usize::try_from(place - self.first).ok()?).copied()
    }

    /// Forgets the instants of the grid before `time_ms`; returns the place of the oldest that is left.
    pub(super) fn forget_before(&mut self, time_ms: i64) -> ChangePlace {
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
    pub(super) fn grid_between(&self, start_ms: i64, end_ms: i64) -> Range<ChangePlace> {
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
    ) -> impl Iterator<Item = (ChangePlace, ChangePlace, i64)> + '_ {
        self.steps().flat_map(move |step| {
            let numbers = step.between(family, start_ms, end_ms);
            numbers.iter().map(|number| (step.after, ChangePlace::from(*number), step.time(*number)))
        })
    }

    fn steps(&self) -> impl DoubleEndedIterator<Item = &StepArrivals> {
        self.finished.iter().chain([&self.arriving]).map(AsRef::as_ref)
    }

    /// How many instants from `start_ms` to `end_ms`, both inclusive, sampled a family.
    pub(super) fn count_between(&self, start_ms: i64, end_ms: i64, family: FamilyId) -> usize {
        let grid = self.grid_between(start_ms, end_ms);
        let arrivals = self.steps().map(|step| step.between(family, start_ms, end_ms).len());
        usize::try_from(grid.end - grid.start).unwrap_or(0) + arrivals.sum::<usize>()
    }

    /// The first instant from `start_ms` to `end_ms`, both inclusive, that sampled a family.
    pub(super) fn first_between(
        &self,
        start_ms: i64,
        end_ms: i64,
        family: FamilyId,
    ) -> Option<SampledInstant> {
        let grid = self.grid_instant(self.grid_between(start_ms, end_ms).next());
        let arrival = self.steps().find_map(|step| {
            step.between(family, start_ms, end_ms).first().map(|number| step.sampled(*number))
        });
        grid.into_iter().chain(arrival).min_by_key(|instant| instant.time_ms)
    }

    /// The last instant from `start_ms` to `end_ms`, both inclusive, that sampled a family.
    pub(super) fn last_between(
        &self,
        start_ms: i64,
        end_ms: i64,
        family: FamilyId,
    ) -> Option<SampledInstant> {
        let grid = self.grid_instant(self.grid_between(start_ms, end_ms).next_back());
        let arrival = self.steps().rev().find_map(|step| {
            step.between(family, start_ms, end_ms).last().map(|number| step.sampled(*number))
        });
        grid.into_iter().chain(arrival).max_by_key(|instant| instant.time_ms)
    }

    /// The last instant of a span that sampled a family at or before `since_ms`, else the first after it.
    pub(super) fn beginning(
        &self,
        family: FamilyId,
        (start_ms, end_ms): (i64, i64),
        since_ms: i64,
    ) -> Option<SampledInstant> {
        self.last_between(start_ms, since_ms.min(end_ms), family)
            .or_else(|| self.first_between(start_ms.max(since_ms), end_ms, family))
    }

    fn grid_instant(&self, place: Option<ChangePlace>) -> Option<SampledInstant> {
        let place = place?;
        Some(SampledInstant { place, arrival: None, time_ms: self.time_of(place)? })
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.grid.capacity() * size_of::<i64>() + self.steps().map(StepArrivals::bytes).sum::<usize>()
    }
}

/// A count of instants, which never comes near the end of the numbers.
const fn as_place(count: usize) -> ChangePlace {
    count.cast_signed() as ChangePlace
}
