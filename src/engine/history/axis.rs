//! The instants at which series were sampled: the grid of steps, and the arrivals that had rules evaluated.

use std::collections::VecDeque;
use std::sync::Arc;

use super::track::Place;
use crate::engine::series::FamilyId;

/// Instants kept at the most; beyond that the oldest go, whatever the window says.
const INSTANTS_MAX: usize = 500_000;

/// Whose samples an instant holds.
#[derive(Clone, Debug)]
pub(super) enum Sampled {
    /// Every series', as a scrape would.
    All,
    /// The series' of these families, sorted, which the evaluated rules read.
    Families(Arc<[FamilyId]>),
}

/// The instants in rising time, each with its place for ever.
#[derive(Clone, Debug, Default)]
pub(super) struct Axis {
    first: Place,
    instants: VecDeque<(i64, Sampled)>,
}

impl Axis {
    /// Adds an instant later than all others and returns its place; of the same or an earlier time there is none.
    pub(super) fn push(&mut self, time_ms: i64, sampled: Sampled) -> Option<Place> {
        if self.instants.back().is_some_and(|(last, _)| *last >= time_ms) {
            return None;
        }
        if self.instants.len() >= INSTANTS_MAX {
            self.instants.pop_front();
            self.first += 1;
        }
        self.instants.push_back((time_ms, sampled));
        Some(self.first + self.instants.len() as Place - 1)
    }

    /// Forgets the instants before `time_ms`; returns the place of the oldest that is left.
    pub(super) fn forget_before(&mut self, time_ms: i64) -> Place {
        while self.instants.front().is_some_and(|(time, _)| *time < time_ms) {
            self.instants.pop_front();
            self.first += 1;
        }
        self.first
    }

    /// The places and times between `start_ms` and `end_ms` (both inclusive) that sampled `family`.
    pub(super) fn between(&self, start_ms: i64, end_ms: i64, family: FamilyId) -> (Vec<Place>, Vec<i64>) {
        let from = self.instants.partition_point(|(time, _)| *time < start_ms);
        self.instants
            .iter()
            .enumerate()
            .skip(from)
            .take_while(|(_, (time, _))| *time <= end_ms)
            .filter(|(_, (_, sampled))| match sampled {
                Sampled::All => true,
                Sampled::Families(families) => families.binary_search(&family).is_ok(),
            })
            .map(|(at, (time, _))| (self.first + at as Place, *time))
            .unzip()
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.instants.capacity() * size_of::<(i64, Sampled)>()
    }
}
