//! The instants an expression is evaluated at.

/// Evenly spaced instants, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::promql) struct Grid {
    start_ms: i64,
    step_ms: i64,
    steps: usize,
}

impl Grid {
    /// One instant.
    pub(in crate::engine::promql) const fn instant(at_ms: i64) -> Self {
        Self { start_ms: at_ms, step_ms: 1, steps: 1 }
    }

    /// Every `step_ms` from `start_ms` to `end_ms`; none where the end lies before the start or the step is not positive.
    pub(in crate::engine::promql) fn spanning(start_ms: i64, end_ms: i64, step_ms: i64) -> Option<Self> {
        if end_ms < start_ms {
            return None;
        }
        if start_ms == end_ms {
            return Some(Self::instant(start_ms));
        }
        let intervals =
            (i128::from(end_ms) - i128::from(start_ms)).checked_div(i128::from(step_ms.max(0)))?;
        Some(Self { start_ms, step_ms, steps: usize::try_from(intervals).ok()?.saturating_add(1) })
    }

    /// How many instants there are.
    pub(in crate::engine::promql) const fn steps(self) -> usize {
        self.steps
    }

    /// The instant at `step`.
    pub(in crate::engine::promql) fn at(self, step: usize) -> i64 {
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        self.start_ms.saturating_add(self.step_ms.saturating_mul(step))
    }

    /// The last instant.
    pub(in crate::engine::promql) fn last(self) -> i64 {
        self.at(self.steps.saturating_sub(1))
    }

    /// The first instant alone.
    pub(in crate::engine::promql) const fn first(self) -> Self {
        Self::instant(self.start_ms)
    }
}

/// The instants a selector reads at, one per step of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::promql) enum Times {
    /// The steps, moved back by an offset.
    Moving { grid: Grid, offset_ms: i64 },
    /// The same instant at each step.
    Fixed(i64),
}

impl Times {
    /// The instant at `step`.
    pub(in crate::engine::promql) fn at(self, step: usize) -> i64 {
        match self {
            Self::Moving { grid, offset_ms } => grid.at(step).saturating_sub(offset_ms),
            Self::Fixed(time_ms) => time_ms,
        }
    }

    /// The first and the last instant.
    pub(in crate::engine::promql) fn bounds(self) -> (i64, i64) {
        match self {
            Self::Moving { grid, offset_ms } => (self.at(0), grid.last().saturating_sub(offset_ms)),
            Self::Fixed(time_ms) => (time_ms, time_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_ends_at_the_last_step_that_is_not_past_the_end() {
        let grid = Grid::spanning(0, 25, 10).unwrap();
        assert_eq!((grid.steps(), grid.last()), (3, 20));
        assert_eq!(Grid::spanning(10, 0, 1), None);
        assert_eq!(Grid::spanning(0, 10, 0), None);
    }
}
