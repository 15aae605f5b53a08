//! What is left of the arrivals of older steps: the lowest and the highest sample of each gauge in each step
//! (`CONTRACT.md`, "What a rule sees"). The last of a step is the grid's own.

mod saved;

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

use super::block::{Block, BlockBuilder};
use super::codec::ChangePlace;
use super::column::{CellSet, PAGE_CELLS};

/// Steps that are kept as they came before they are packed.
const OPEN_STEPS_MAX: usize = 48;

/// A sample of a cell between two instants of the grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) cell: u16,
    pub(super) time_ms: i64,
    pub(super) value: f64,
}

/// The lowest and highest samples of a page's cells, by steps.
#[derive(Clone, Debug, Default)]
pub(super) struct Extremes {
    packed: VecDeque<Arc<Block>>,
    open: Vec<Arc<[Point]>>,
}

impl Extremes {
    /// Adds the points of a step, sorted by cell and time; says by how many bytes more are held.
    pub(super) fn push(&mut self, points: Vec<Point>) -> isize {
        let before = self.bytes();
        self.open.push(points.into());
        if self.open.len() >= OPEN_STEPS_MAX {
            self.pack();
        }
        self.bytes().cast_signed() - before.cast_signed()
    }

    fn pack(&mut self) {
        let times = || self.open.iter().flat_map(|step| step.iter()).map(|point| point.time_ms);
        let (Some(first), Some(last)) = (times().min(), times().max()) else { return };
        let mut builder = BlockBuilder::new(first - 1);
        for cell in 0..PAGE_CELLS {
            let mut points = self.of_open(cell).peekable();
            if let Some(base) = points.peek().map(|(_, value)| *value) {
                builder.add(cell, base, points);
            }
        }
        self.packed.extend(builder.finish(last + 1).map(Arc::new));
        self.open.clear();
    }

    fn of_open(&self, cell: usize) -> impl Iterator<Item = (ChangePlace, f64)> + '_ {
        self.open.iter().flat_map(move |step| {
            let from = step.partition_point(|point| usize::from(point.cell) < cell);
            let own = step.iter().skip(from).take_while(move |point| usize::from(point.cell) == cell);
            own.map(|point| (point.time_ms, point.value))
        })
    }

    /// The samples of a cell from `start_ms` to `end_ms`, both inclusive, in rising time.
    pub(super) fn of(
        &self,
        cell: usize,
        start_ms: i64,
        end_ms: i64,
    ) -> impl Iterator<Item = (i64, f64)> + '_ {
        let from = self.packed.partition_point(|block| block.end <= start_ms);
        let packed = self.packed.iter().skip(from).filter_map(move |block| block.changes(cell));
        let all = packed.flat_map(|(_, changes)| changes).chain(self.of_open(cell));
        all.filter(move |(time, _)| (start_ms..=end_ms).contains(time))
    }

    /// Whether there is none at all.
    pub(super) fn is_empty(&self) -> bool {
        self.packed.is_empty() && self.open.is_empty()
    }

    /// Whether [`Extremes::forget_before`] has something to do.
    pub(super) fn is_older_than(&self, time_ms: i64) -> bool {
        self.packed.front().is_some_and(|block| block.end <= time_ms)
            || (self.packed.is_empty() && self.open.first().is_some_and(|step| ends_before(step, time_ms)))
    }

    /// Forgets what is older than `time_ms`.
    pub(super) fn forget_before(&mut self, time_ms: i64) {
        while self.packed.front().is_some_and(|block| block.end <= time_ms) {
            self.packed.pop_front();
        }
        self.open.retain(|step| !ends_before(step, time_ms));
    }

    /// Keeps the cells of `shown` alone.
    pub(super) fn keep(&mut self, shown: &CellSet) {
        self.packed = self.packed.iter().filter_map(|block| block.only(shown)).map(Arc::new).collect();
        for step in &mut self.open {
            *step = step.iter().filter(|point| shown.contains(usize::from(point.cell))).copied().collect();
        }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let packed: usize = self.packed.iter().map(|block| block.bytes()).sum();
        packed + self.open.iter().map(|step| size_of_val(&**step) + 4 * size_of::<usize>()).sum::<usize>()
    }
}

fn ends_before(step: &[Point], time_ms: i64) -> bool {
    step.iter().all(|point| point.time_ms < time_ms)
}

/// What is kept of the samples of one step, in rising time, beside the grid's sample at its end; where the series had
/// left by then there is none, and the last one is kept too.
pub(super) fn thinned(samples: &[(i64, f64)], grid: Option<f64>) -> Vec<(i64, f64)> {
    let numbers = || samples.iter().copied().filter(|(_, value)| !value.is_nan());
    let last = grid.or_else(|| samples.last().map(|(_, value)| *value)).unwrap_or(f64::NAN);
    let lowest = numbers().reduce(|kept, sample| if sample.1 < kept.1 { sample } else { kept });
    let highest = numbers().reduce(|kept, sample| if sample.1 > kept.1 { sample } else { kept });
    // Beside a last one that is no number both are kept.
    let is_beyond = |(_, value): &(i64, f64), way| last.is_nan() || value.partial_cmp(&last) == Some(way);
    let mut kept: Vec<(i64, f64)> = Vec::with_capacity(3);
    kept.extend(lowest.filter(|sample| is_beyond(sample, Ordering::Less)));
    kept.extend(highest.filter(|sample| is_beyond(sample, Ordering::Greater)));
    if grid.is_none() {
        kept.extend(samples.last());
    }
    kept.sort_by_key(|(time, _)| *time);
    kept.dedup_by_key(|(time, _)| *time);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_and_the_highest_of_a_step_stay_where_they_are_not_its_last() {
        let samples = [(1, 5.0), (2, 9.0), (3, 2.0), (4, 9.0), (5, 4.0)];
        assert_eq!(thinned(&samples, Some(4.0)), [(2, 9.0), (3, 2.0)]);
        assert_eq!(thinned(&samples, Some(9.5)), [(2, 9.0), (3, 2.0)].map(|kept| kept)[1..].to_vec());
        assert_eq!(thinned(&samples, None), [(2, 9.0), (3, 2.0), (5, 4.0)]);
        assert_eq!(thinned(&[(1, 4.0), (2, 4.0)], Some(4.0)), []);
        assert_eq!(thinned(&[(1, 4.0)], Some(f64::NAN)), [(1, 4.0)]);
    }

    #[test]
    fn points_are_found_again_when_they_are_packed() {
        let mut extremes = Extremes::default();
        for step in 0..100 {
            let point = |cell, value| Point { cell, time_ms: step * 5_000 + 17, value };
            extremes.push(vec![point(3, step as f64), point(500, 0.1)]);
        }
        let read: Vec<_> = extremes.of(3, 0, i64::MAX).collect();
        let expected: Vec<_> = (0..100).map(|step| (step * 5_000 + 17, step as f64)).collect();
        assert_eq!(read, expected);
        assert_eq!(extremes.of(500, 20_000, 60_000).count(), 8);
        extremes.forget_before(300_000);
        assert!(extremes.of(3, 0, i64::MAX).all(|(time, _)| time >= 240_000));
    }
}
