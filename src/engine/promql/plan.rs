//! Expressions worked out ahead: which series they read, which of those belong together and what their results are
//! called, so that an evaluation is arithmetic over present values and the two ends of windows.
//!
//! A plan yields what [`super::instant`] yields, bit for bit and in the same order: its steps are the evaluator's own
//! functions over rows that were found before. It stands while its selections do. What has no steps here (windows that
//! must be walked, labels that are made from values) has no plan, and where an evaluation finds what only the evaluator
//! can word, it gives up for that instant.

mod build;
mod number;
mod steps;

use super::steady::{SteadySelection, SteadyStorage};
use super::{EvalSettings, Expr};
use crate::engine::labels::Labels;
use build::Builder;
use number::Number;
use steps::{Column, Instant, PlanStep};

/// An expression worked out ahead.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    selections: Vec<SteadySelection>,
    /// Each reads the columns of steps before it.
    steps: Vec<PlanStep>,
    columns: Vec<Column>,
    result: PlannedResult,
    lookback_ms: i64,
}

/// What an expression yields.
#[derive(Clone, Debug)]
enum PlannedResult {
    /// One number.
    Number(Number),
    /// The samples of a step, by row the labels of each.
    Vector { step: usize, labels: Vec<Labels> },
}

impl Plan {
    /// Works an expression out over what `storage` has; none where that cannot be done.
    pub(crate) fn new(expr: &Expr, storage: &dyn SteadyStorage, settings: &EvalSettings) -> Option<Self> {
        let mut builder = Builder::new(storage, settings)?;
        let result = if let Some(number) = Number::of(expr) {
            PlannedResult::Number(number)
        } else {
            let step = builder.vector(expr)?;
            PlannedResult::Vector { step, labels: builder.labels(step)? }
        };
        let (selections, steps) = builder.finish()?;
        let columns = steps.iter().map(|_| Column::new()).collect();
        let lookback_ms = i64::try_from(settings.lookback.as_millis()).ok()?;
        Some(Self { selections, steps, columns, result, lookback_ms })
    }

    /// Whether it is what would be worked out now.
    pub(crate) fn stands(&self, storage: &dyn SteadyStorage) -> bool {
        self.selections.iter().all(|selection| storage.stands(&selection.stamp))
    }

    /// How many series its selections have.
    pub(crate) fn series_len(&self) -> usize {
        self.selections.iter().map(|selection| selection.series.len()).sum()
    }

    /// The samples at the storage's present; none where the evaluator has to say what they are.
    pub(crate) fn evaluate(&mut self, storage: &dyn SteadyStorage) -> Option<Vec<(Labels, f64)>> {
        let instant = Instant {
            storage,
            selections: &self.selections,
            at_ms: storage.now_ms(),
            lookback_ms: self.lookback_ms,
        };
        let (step, labels) = match &self.result {
            PlannedResult::Number(number) => return Some(vec![(Labels::empty(), number.at(instant.at_ms))]),
            PlannedResult::Vector { step, labels } => (*step, labels),
        };
        for (place, step) in self.steps.iter_mut().enumerate() {
            let (before, from) = self.columns.split_at_mut_checked(place)?;
            let column = from.first_mut()?;
            column.clear();
            step.run(&instant, before, column)?;
        }
        let column = self.columns.get(step)?;
        column.iter().map(|(row, value)| Some((labels.get(*row as usize)?.clone(), *value))).collect()
    }
}
