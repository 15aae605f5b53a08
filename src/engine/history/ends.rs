//! The two ends of what a counter did in a span, where nothing else of it is asked for: found without walking the span.

use super::instants::SampledInstant;
use super::past::Past;
use crate::engine::series::{FamilyId, SeriesSource};

/// The instants that tell by how much the counters of a family grew since some instant.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    family: Option<FamilyId>,
    /// The last one at or before that instant, else the first after it, and the last one of the span where the present
    /// is not it.
    pub(super) instants: Vec<SampledInstant>,
    pub(super) times: Vec<i64>,
    /// When the last sample is, the present one included.
    last_ms: i64,
    /// How many instants there are between the first and the last.
    between: usize,
}

impl Ends {
    /// Of a span from `start_ms` to `end_ms`, both inclusive, and `now_ms` behind it, where that is part of it.
    pub(super) fn new<S: SeriesSource>(
        past: &Past<'_, S>,
        family: FamilyId,
        (start_ms, end_ms): (i64, i64),
        since_ms: i64,
        now_ms: Option<i64>,
    ) -> Self {
        let instants = &past.timeline.instants;
        let Some(first) = instants.beginning(family, (start_ms, end_ms), since_ms) else {
            return Self { last_ms: now_ms.unwrap_or(i64::MIN), ..Self::default() };
        };
        let last = match now_ms {
            Some(_) => None,
            None => {
                instants.last_between(start_ms, end_ms, family).filter(|last| last.time_ms > first.time_ms)
            }
        };
        let last_ms = now_ms.or(last.map(|last| last.time_ms)).unwrap_or(first.time_ms);
        let found: Vec<SampledInstant> = [first].into_iter().chain(last).collect();
        Self {
            family: Some(family),
            times: found.iter().map(|instant| instant.time_ms).collect(),
            instants: found,
            last_ms,
            between: instants.count_between(first.time_ms + 1, last_ms - 1, family),
        }
    }

    /// How many samples of a series that was born at `born_ms` are left out.
    pub(super) fn left_out<S: SeriesSource>(&self, past: &Past<'_, S>, born_ms: i64) -> usize {
        match (self.family, self.times.first()) {
            (Some(family), Some(first)) if born_ms > *first => {
                past.timeline.instants.count_between(born_ms, self.last_ms - 1, family)
            }
            (Some(_), Some(_)) => self.between,
            (_, _) => 0,
        }
    }

    /// The value of a cell at each of the instants.
    pub(super) fn values<S: SeriesSource>(&self, past: &Past<'_, S>, cell: u32, out: &mut Vec<f64>) {
        out.extend(self.instants.iter().map(|instant| past.timeline.value(cell, instant)));
    }
}
