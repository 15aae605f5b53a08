//! The recent past of every series, for range selectors (`CONTRACT.md`, "What a rule sees").
//!
//! The store's cells are sampled in pages on one grid ([`instants`]); each page keeps its changes alone ([`page`]), so
//! that what does not move costs its value. What arrivals leave between the steps is kept whole for two steps and
//! thinned to [`extremes`] then. What rules write themselves (recording rules, `ALERTS`) is in [`written`]. Readers
//! have all of it as a [`Timeline`], which a frozen view shares; [`past`] is what the evaluator reads through.

mod block;
mod codec;
mod column;
mod ends;
mod entries;
mod extremes;
mod gone;
mod instants;
mod page;
mod past;
mod room;
mod rows;
mod saved;
mod steady;
mod timeline;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::config::HistoryConfig;
use super::metric::MetricType;
use super::series::{FamilyId, Numbers, Removed, SeriesId, SeriesSource, Store};
use super::time::Timestamp;
use codec::ChangePlace;
use column::{CellSet, Column, PAGE_CELLS};
use extremes::{Point, thinned};
use instants::{NoInstant, StepArrivals};
use page::{COLUMNS_MAX, PastPage, page_bytes};
use timeline::place_of;

pub(in crate::engine) use past::Past;
pub(crate) use timeline::Timeline;
pub(crate) use written::{Occasion, Written};

/// The recent past, as it is written.
#[derive(Debug)]
pub struct History {
    step: Duration,
    window: Duration,
    bytes_max: usize,
    timeline: Timeline,
    last: Vec<LastSampled>,
    /// Bytes held, as counted at the last step, with what arrivals added since.
    held: usize,
    /// Arrivals that left no sample and that nobody was told of yet.
    arrivals_refused: u64,
    /// Families left out that nobody was told of yet.
    unsaid: Vec<FamilyId>,
}

/// Whether samples were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampled {
    /// They were.
    Yes,
    /// There was no room, or there are some of that instant.
    No,
}

/// What the cells of a page were last sampled at.
#[derive(Clone, Debug, Default)]
struct LastSampled {
    /// By the grid; empty where no cell of the page is kept.
    grid: Arc<Numbers>,
    /// By anything: the same until an arrival samples the page.
    any: Arc<Numbers>,
}

impl History {
    /// An empty past.
    pub fn new(config: &HistoryConfig) -> Self {
        Self {
            step: config.step.max(Duration::from_millis(1)),
            window: config.window,
            bytes_max: config.bytes_max,
            timeline: Timeline::default(),
            last: Vec::new(),
            held: 0,
            arrivals_refused: 0,
            unsaid: Vec::new(),
        }
    }

    /// Samples and keeps as another configuration has it. What is left out already stays so: its past has a hole.
    pub(crate) fn configure(&mut self, config: &HistoryConfig) {
        self.step = config.step.max(Duration::from_millis(1));
        self.window = config.window;
        self.bytes_max = config.bytes_max;
    }

    /// Keeps at least this much, because a rule reads so far back.
    pub(crate) fn extend_window(&mut self, needed: Duration) {
        self.window = self.window.max(needed);
    }

    /// The next instant of the grid (multiples of the step since the Unix epoch) after `now`.
    pub(crate) fn next_step(&self, now: Timestamp) -> Timestamp {
        let step = i64::try_from(self.step.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros((now.micros().div_euclid(step).saturating_add(1)).saturating_mul(step))
    }

    /// What readers need of it. A clone shares it.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Samples every series, as a scrape at `now` would.
    pub fn sample_all(&mut self, store: &mut Store, now: Timestamp, read: &BTreeSet<FamilyId>) -> Sampled {
        self.forget_before(now.before(self.window).before(self.step));
        let Some(place) = self.timeline.instants.push_grid(now.millis()) else { return Sampled::No };
        let shown = self.shown(store);
        for page in 0..store.cell_pages_len() {
            let shown =
                shown.as_ref().map_or(CellSet::ALL, |shown| shown.get(page).copied().unwrap_or_default());
            self.sample_page(page, &store.share_cell_page(page), place, &shown);
        }
        self.thin(store);
        if let Some(end_ms) = self.timeline.instants.kept_since() {
            self.timeline.written.age(end_ms, i64::MIN);
        }
        if self.bytes() > self.bytes_max {
            self.make_room(store, now, read);
        }
        self.held = self.bytes();
        Sampled::Yes
    }

    /// Samples the last instant of the grid once more, where that is `now` and more came of this very instant.
    pub(crate) fn sample_again(&mut self, store: &mut Store, now: Timestamp) {
        if self.timeline.instants.last_of_grid() != Some(now.millis()) {
            return;
        }
        let place = self.timeline.instants.last_place();
        let shown = self.shown(store);
        for number in 0..store.cell_pages_len() {
            let shown =
                shown.as_ref().map_or(CellSet::ALL, |shown| shown.get(number).copied().unwrap_or_default());
            if shown.is_empty() {
                continue;
            }
            self.begin_page(number);
            let (Some(last), Some(page)) = (self.last.get_mut(number), self.timeline.pages.get_mut(number))
            else {
                continue;
            };
            let present = store.share_cell_page(number);
            if let Some(column) = Column::changed(place, &mut last.grid, &present, &shown) {
                Arc::make_mut(page).push(column);
            }
            last.any = Arc::clone(&last.grid);
        }
    }

    fn sample_page(&mut self, number: usize, present: &Arc<Numbers>, place: ChangePlace, shown: &CellSet) {
        if shown.is_empty() {
            return;
        }
        self.begin_page(number);
        let (Some(last), Some(shared)) = (self.last.get_mut(number), self.timeline.pages.get_mut(number))
        else {
            return;
        };
        let column = Column::changed(place, &mut last.grid, present, shown);
        last.any = Arc::clone(&last.grid);
        let turn = (place as usize).wrapping_add(number).is_multiple_of(COLUMNS_MAX);
        let full = turn || shared.columns_len() >= COLUMNS_MAX;
        let packs = full && (shared.columns_len() > 0 || column.is_some());
        if column.is_none() && !packs && !shared.is_arriving() {
            return;
        }
        let page = Arc::make_mut(shared);
        if page.is_arriving() {
            page.finish_step(place - 1, self.timeline.instants.last_step_len());
        }
        if let Some(column) = column {
            page.push(column);
        }
        if packs {
            page.pack(&last.grid);
        }
    }

    /// Makes a page that was not sampled yet: its cells were zero.
    fn begin_page(&mut self, number: usize) {
        while self.last.len() <= number {
            self.last.push(LastSampled::default());
            self.timeline.pages.push(Arc::default());
        }
        if let Some(last) = self.last.get_mut(number).filter(|last| last.grid.is_empty()) {
            last.grid = Arc::new(Numbers::zeros(PAGE_CELLS));
            last.any = Arc::clone(&last.grid);
        }
    }

    /// Samples the families that rules evaluated at `now` read; `moved` are those of their series that may have moved
    /// since they were last sampled.
    pub fn sample_read(
        &mut self,
        store: &Store,
        now: Timestamp,
        families: &BTreeSet<FamilyId>,
        moved: &[SeriesId],
    ) -> Sampled {
        if self.held > self.bytes_max {
            self.arrivals_refused += 1;
            return Sampled::No;
        }
        let left_out = &self.timeline.left_out;
        let kept = families.iter().copied().filter(|family| !left_out.contains(family));
        let number = match self.timeline.instants.push_arrival(now.millis(), kept) {
            Ok(number) => number,
            Err(NoInstant::TooMany) => {
                self.arrivals_refused += 1;
                return Sampled::No;
            }
            Err(NoInstant::NotLater) => return Sampled::No,
        };
        let kept = moved.iter().copied().filter(|series| !left_out.contains(&store.family_of(*series)));
        let kept: Vec<SeriesId> = kept.collect();
        self.sample_series(store, &kept, number);
        Sampled::Yes
    }

    /// Samples series once more at the last arrival, where that was of this very instant: those that `moved` of the families
    /// it sampled. One that was born since then would have a value before its first one.
    pub(crate) fn sample_read_again(
        &mut self,
        store: &Store,
        now: Timestamp,
        moved: impl FnOnce(&BTreeSet<FamilyId>) -> Vec<SeriesId>,
    ) {
        if let Some((number, families)) = self.timeline.instants.arrival_at(now.millis()) {
            self.sample_series(store, &moved(&families), number);
        }
    }

    /// Notes which cells of these series are others than when they were last sampled.
    fn sample_series(&mut self, store: &Store, series: &[SeriesId], number: ChangePlace) {
        let cells = series.iter().flat_map(|series| store.cells(*series));
        let values = cells.map(|cell| (cell, store.cell_value(cell)));
        let mut changed: Vec<(u32, f64)> =
            values.filter(|(cell, value)| self.last_value(*cell).to_bits() != value.to_bits()).collect();
        changed.sort_unstable_by_key(|(cell, _)| *cell);
        changed.dedup_by_key(|(cell, _)| *cell);
        for cells in changed.chunk_by(|left, right| place_of(left.0).0 == place_of(right.0).0) {
            self.sample_cells(cells, number);
        }
    }

    /// How many arrivals left no sample since the last call, as there was no room for it.
    pub(crate) fn take_arrivals_refused(&mut self) -> u64 {
        std::mem::take(&mut self.arrivals_refused)
    }

    fn last_value(&self, cell: u32) -> f64 {
        let (page, cell) = place_of(cell);
        self.last.get(page).and_then(|last| last.any.get(cell)).unwrap_or(0.0)
    }

    /// Notes cells of one page that changed since they were last sampled.
    fn sample_cells(&mut self, cells: &[(u32, f64)], number: ChangePlace) {
        let Some(page) = cells.first().map(|(cell, _)| place_of(*cell).0) else { return };
        self.begin_page(page);
        let (Some(last), Some(shared)) = (self.last.get_mut(page), self.timeline.pages.get_mut(page)) else {
            return;
        };
        let any = Arc::make_mut(&mut last.any);
        let (mut set, mut values) = (CellSet::default(), Vec::with_capacity(cells.len()));
        for (cell, value) in cells {
            let (_, cell) = place_of(*cell);
            any.set(cell, *value);
            set.insert(cell);
            values.push(*value);
        }
        if let Some(column) = Column::new(number, set, values) {
            self.held += column.bytes();
            Arc::make_mut(shared).arrive(column);
        }
    }

    /// Leaves of the arrivals of steps that are older than they are kept what [`extremes`] are.
    fn thin(&mut self, store: &Store) {
        while let Some(step) = self.timeline.instants.take_old() {
            let mut points: BTreeMap<usize, Vec<Point>> = BTreeMap::new();
            let is_gauge = |family: &FamilyId| store.family_spec(*family).metric_type == MetricType::Gauge;
            let gauges = step.families().filter(is_gauge);
            for family in gauges {
                self.thin_family(store, family, &step, &mut points);
            }
            for (number, page) in self.timeline.pages.iter_mut().enumerate() {
                let mut points = points.remove(&number).unwrap_or_default();
                if page.has_step_until(step.after) {
                    points.sort_by_key(|point| (point.cell, point.time_ms));
                    Arc::make_mut(page).thin(step.after, points);
                }
            }
        }
    }

    fn thin_family(
        &self,
        store: &Store,
        family: FamilyId,
        step: &StepArrivals,
        points: &mut BTreeMap<usize, Vec<Point>>,
    ) {
        let arrivals: Vec<(ChangePlace, i64)> = step.of(family).collect();
        let Some((_, since_ms)) = arrivals.first().copied() else { return };
        let live = store.rows(family).map(|(page, row)| (row.cell, page.born(row), i64::MAX));
        let gone = self.timeline.gone.of(family, since_ms);
        let gone = gone.map(|gone| (gone.cells.start, gone.born, gone.at.millis()));
        for (cell, born, left_ms) in live.chain(gone) {
            let (number, within) = place_of(cell);
            let Some(page) = self.timeline.pages.get(number) else { continue };
            if page.is_moved(within, step.after) {
                let samples = samples_of(page, within, step, &arrivals);
                let lived = born.millis()..left_ms;
                let samples: Vec<(i64, f64)> =
                    samples.into_iter().filter(|(time, _)| lived.contains(time)).collect();
                let end = self.timeline.instants.time_of(step.after + 1).filter(|end| lived.contains(end));
                let kept = thinned(&samples, end.map(|_| page.value(within, step.after + 1)));
                let cell = within as u16;
                points.entry(number).or_default().extend(kept.into_iter().map(|(time_ms, value)| Point {
                    cell,
                    time_ms,
                    value,
                }));
            }
        }
    }

    /// Keeps the past of series that have just left the store. A histogram only leaves because its buckets are others now,
    /// by which the cells of its past cannot be read.
    pub(crate) fn retire(&mut self, removed: Vec<Removed>) {
        let is_kept =
            |series: &Removed| series.cells.len() == 1 && !self.timeline.left_out.contains(&series.family);
        for series in removed.into_iter().filter(is_kept) {
            self.timeline.gone.push(series);
        }
    }

    /// What rules wrote themselves.
    pub(crate) fn written_mut(&mut self) -> &mut Written {
        &mut self.timeline.written
    }

    /// Families whose past did not fit, for `signalbox_history_families_left_out`.
    pub(crate) fn left_out(&self) -> &BTreeSet<FamilyId> {
        &self.timeline.left_out
    }

    /// Families left out since the last call.
    pub(crate) fn take_newly_left_out(&mut self) -> Vec<FamilyId> {
        std::mem::take(&mut self.unsaid)
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let Timeline { instants, pages, gone, written, .. } = &self.timeline;
        let last = self.last.iter().map(|last| {
            let is_other = !Arc::ptr_eq(&last.any, &last.grid);
            size_of::<LastSampled>() + page_bytes(&last.grid) * (1 + usize::from(is_other))
        });
        let pages = pages.iter().map(|page| size_of::<PastPage>() + page.bytes());
        last.chain(pages).sum::<usize>() + instants.bytes() + gone.bytes() + written.bytes()
    }

    fn forget_before(&mut self, oldest: Timestamp) {
        let place = self.timeline.instants.forget_before(oldest.millis());
        for page in &mut self.timeline.pages {
            if page.is_older_than(place, oldest.millis()) {
                Arc::make_mut(page).forget_before(place, oldest.millis());
            }
        }
        self.timeline.gone.forget_before(oldest);
        self.timeline.written.age(i64::MIN, oldest.millis());
    }
}

/// The samples that arrivals left of a cell in a finished step.
fn samples_of(
    page: &PastPage,
    cell: usize,
    step: &StepArrivals,
    arrivals: &[(ChangePlace, i64)],
) -> Vec<(i64, f64)> {
    let mut value = page.value(cell, step.after);
    // The step is over, so that none is current.
    let mut columns = page.arrivals(step.after, ChangePlace::MAX);
    let mut samples = Vec::with_capacity(arrivals.len());
    for (number, time) in arrivals {
        while let Some((column, rest)) = columns.split_first()
            && column.at <= *number
        {
            value = column.get(cell).unwrap_or(value);
            columns = rest;
        }
        samples.push((*time, value));
    }
    samples
}

#[cfg(test)]
mod tests;
