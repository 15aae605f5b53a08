//! The instants as their twins, and from them.

use std::sync::Arc;

use super::{FamilyId, Instants, StepArrivals};
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::history::StepTwin;
use crate::engine::history::saved::place;

/// The instants as they are written.
pub(in crate::engine::history) struct InstantTwins {
    pub(in crate::engine::history) first: i64,
    pub(in crate::engine::history) grid: Vec<i64>,
    pub(in crate::engine::history) finished: Vec<StepTwin>,
    pub(in crate::engine::history) arriving: StepTwin,
}

impl Instants {
    /// The instants as they are now.
    pub(in crate::engine::history) fn save(&self) -> InstantTwins {
        InstantTwins {
            first: self.first,
            grid: self.grid.iter().copied().collect(),
            finished: self.finished.iter().map(|step| step.twin()).collect(),
            arriving: self.arriving.twin(),
        }
    }

    /// The instants that were saved.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine::history) fn restored(twins: InstantTwins) -> Result<Self, Damage> {
        let InstantTwins { first, grid, finished, arriving } = twins;
        for time in &grid {
            place(*time)?;
        }
        let finished = finished.into_iter().map(|step| StepArrivals::of_twin(step).map(Arc::new));
        Ok(Self {
            first: place(first)?,
            grid: Arc::new(grid.into()),
            finished: finished.collect::<Result<_, Damage>>()?,
            arriving: Arc::new(StepArrivals::of_twin(arriving)?),
        })
    }
}

impl StepArrivals {
    fn twin(&self) -> StepTwin {
        StepTwin {
            after: self.after,
            times: self.times.clone(),
            numbers: self.numbers.iter().map(|(family, numbers)| (family.0, numbers.clone())).collect(),
        }
    }

    fn of_twin(twin: StepTwin) -> Result<Self, Damage> {
        for time in &twin.times {
            place(*time)?;
        }
        let known = twin.times.len();
        let are_known = |numbers: &[u32]| numbers.iter().all(|number| (*number as usize) < known);
        if !twin.numbers.iter().all(|(_, numbers)| numbers.is_sorted() && are_known(numbers)) {
            return Err(Damage("an arrival of the past has no time"));
        }
        let numbers = twin.numbers.into_iter().map(|(family, numbers)| (FamilyId(family), numbers));
        Ok(Self { after: place(twin.after)?, times: twin.times, numbers: numbers.collect() })
    }
}
