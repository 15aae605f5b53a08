//! Gauges of the least and the average over ratios that entries hold, as `stat="min"` and `stat="avg"`.

mod saved;

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::gauges::{Board, Family};
use super::oldest::{Oldest, Ticket};
use super::table::TablePlace;
use crate::engine::series::SeriesId;

/// Ratios are summed in units of 2⁻⁶⁰, so that what left the sum leaves nothing behind.
const RATIO_UNITS: f64 = (1_u64 << 60) as f64;

/// The least float from which on all are whole numbers.
const WHOLE_FROM: f64 = (1_u64 << 52) as f64;

/// The two series a ratio counts in. Its own only while the entry is in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RatioSeries {
    min: SeriesId,
    avg: SeriesId,
}

/// A ratio that an entry holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldRatio {
    /// Where it counts.
    pub(crate) series: RatioSeries,
    /// From 0 to 1.
    pub(crate) ratio: f64,
    /// Its present stay.
    pub(crate) ticket: Ticket,
}

impl HeldRatio {
    /// What [`Ratios`] orders by: the bits, which for numbers not below 0 are in their order; -0 as 0.
    pub(crate) fn key(&self) -> u64 {
        (self.ratio + 0.0).to_bits()
    }
}

#[derive(Debug, Default)]
struct Sum {
    units: u128,
    entries: u64,
    least: Oldest<u64>,
}

/// The gauge. Series that hold no ratio are not there.
#[derive(Debug)]
pub(crate) struct Ratios {
    family: Family,
    /// By the series of the least.
    sums: HashMap<SeriesId, Sum, RandomState>,
    /// What is to be shown anew.
    moved: Vec<RatioSeries>,
}

impl Ratios {
    /// A gauge without ratios.
    pub(crate) fn new(family: Family) -> Self {
        Self { family, sums: HashMap::default(), moved: Vec::new() }
    }

    /// The series for these label values, `stat` not among them.
    pub(crate) fn place(&self, board: &mut Board<'_>, values: &[&str]) -> RatioSeries {
        let mut stat = |stat| self.family.resolve(board, &[values, &[stat]].concat());
        RatioSeries { min: stat("min"), avg: stat("avg") }
    }

    /// Takes in a ratio under a fresh ticket.
    pub(crate) fn enter(&mut self, board: &mut Board<'_>, held: HeldRatio, place: TablePlace) {
        let sum = self.sums.entry(held.series.min).or_default();
        if sum.entries == 0 {
            board.store.hold(held.series.min);
            board.store.hold(held.series.avg);
        }
        sum.entries += 1;
        sum.units += units(held.ratio);
        sum.least.enter(held.key(), held.ticket, place);
        self.moved.push(held.series);
    }

    /// Puts a ratio in place of another of the same entry; it has a fresh ticket where it fell.
    pub(crate) fn change(&mut self, before: HeldRatio, after: HeldRatio, place: TablePlace) {
        let Some(sum) = self.sums.get_mut(&after.series.min) else { return };
        sum.units = (sum.units + units(after.ratio)).saturating_sub(units(before.ratio));
        if before.ticket != after.ticket {
            sum.least.fell(after.key(), after.ticket, place);
        }
        self.moved.push(after.series);
    }

    /// Takes a ratio out; with the last one its series leave.
    pub(crate) fn leave(&mut self, board: &mut Board<'_>, held: HeldRatio) {
        let Some(sum) = self.sums.get_mut(&held.series.min) else { return };
        sum.units = sum.units.saturating_sub(units(held.ratio));
        sum.entries = sum.entries.saturating_sub(1);
        sum.least.leave();
        self.moved.push(held.series);
        if sum.entries == 0 {
            self.sums.remove(&held.series.min);
            board.store.remove(held.series.min, board.cause.now);
            board.store.remove(held.series.avg, board.cause.now);
        }
    }

    /// Shows what moved as it is. `current` gives the key of the ratio in a place, none where the ticket is not its
    /// present one.
    pub(crate) fn show(
        &mut self,
        board: &mut Board<'_>,
        current: impl Fn(TablePlace, Ticket) -> Option<u64>,
    ) {
        while let Some(series) = self.moved.pop() {
            let Some(sum) = self.sums.get_mut(&series.min) else { continue };
            if let Some(least) = sum.least.least(&current) {
                board.set(series.min, f64::from_bits(least));
                board.set(series.avg, sum.units as f64 / RATIO_UNITS / sum.entries as f64);
            }
        }
    }
}

fn units(ratio: f64) -> u128 {
    let units = ratio * RATIO_UNITS;
    // From here on every float is a whole number, which spares a call.
    let whole = if units >= WHOLE_FROM { units } else { units.round() };
    // A ratio is 1 at the most, so that 64 bits hold it.
    u128::from(whole as u64)
}
