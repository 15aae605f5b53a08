//! Results while they are computed: series by steps, a value or nothing in each cell.

use super::super::storage::Value;
use super::row::{NameState, Novelty, Numbering, Row};
use crate::engine::labels::METRIC_NAME;

/// The value of one series at one step, if it has one there.
pub(in crate::engine::promql) type Cell = Option<Value>;

/// Two series with the same labels have values at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::promql) struct DuplicateLabels;

/// Series by steps.
#[derive(Clone, Debug, Default)]
pub(in crate::engine::promql) struct Matrix {
    steps: usize,
    rows: Vec<Row>,
    cells: Vec<Cell>,
}

impl Matrix {
    /// No series yet.
    pub(in crate::engine::promql) fn new(steps: usize) -> Self {
        Self { steps, rows: Vec::new(), cells: Vec::new() }
    }

    /// No series yet, with room for `rows`.
    pub(in crate::engine::promql) fn with_capacity(steps: usize, rows: usize) -> Self {
        Self { steps, rows: Vec::with_capacity(rows), cells: Vec::with_capacity(rows.saturating_mul(steps)) }
    }

    /// How many steps there are.
    pub(in crate::engine::promql) fn steps(&self) -> usize {
        self.steps
    }

    /// How many series there are.
    pub(in crate::engine::promql) fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many cells it holds.
    pub(in crate::engine::promql) fn size(&self) -> usize {
        self.cells.len()
    }

    /// The series' labels.
    pub(in crate::engine::promql) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The series' labels, to change.
    pub(in crate::engine::promql) fn rows_mut(&mut self) -> &mut [Row] {
        &mut self.rows
    }

    /// Every cell, to change.
    pub(in crate::engine::promql) fn cells_mut(&mut self) -> &mut [Cell] {
        &mut self.cells
    }

    /// The values of the series at `index`.
    pub(in crate::engine::promql) fn values(&self, index: usize) -> &[Cell] {
        let start = index.saturating_mul(self.steps);
        self.cells.get(start..start.saturating_add(self.steps)).unwrap_or_default()
    }

    /// The values of the series at `index`, to change.
    pub(in crate::engine::promql) fn values_mut(&mut self, index: usize) -> &mut [Cell] {
        let start = index.saturating_mul(self.steps);
        self.cells.get_mut(start..start.saturating_add(self.steps)).unwrap_or_default()
    }

    /// The value of a series at a step.
    pub(in crate::engine::promql) fn get(&self, index: usize, step: usize) -> Option<&Value> {
        self.cells.get(index.saturating_mul(self.steps).saturating_add(step))?.as_ref()
    }

    /// The series with their values.
    pub(in crate::engine::promql) fn iter(&self) -> impl Iterator<Item = (&Row, &[Cell])> {
        self.rows.iter().zip(self.cells.chunks(self.steps.max(1)))
    }

    /// The values at `step` with the index of their series.
    pub(in crate::engine::promql) fn column(&self, step: usize) -> impl Iterator<Item = (usize, &Value)> {
        (0..self.rows.len()).filter_map(move |index| self.get(index, step).map(|value| (index, value)))
    }

    /// Adds a series without values; [`Self::set`] gives it some.
    pub(in crate::engine::promql) fn push_empty(&mut self, row: Row) -> usize {
        self.rows.push(row);
        self.cells.resize(self.cells.len() + self.steps, None);
        self.rows.len() - 1
    }

    /// Adds a series with one value per step.
    pub(in crate::engine::promql) fn push(&mut self, row: Row, values: impl IntoIterator<Item = Cell>) {
        self.rows.push(row);
        self.cells.extend(values.into_iter().take(self.steps));
        self.cells.resize(self.rows.len().saturating_mul(self.steps), None);
    }

    /// Sets the value of a series at a step.
    pub(in crate::engine::promql) fn set(&mut self, index: usize, step: usize, value: Value) {
        if let Some(cell) = self.cells.get_mut(index.saturating_mul(self.steps).saturating_add(step)) {
            *cell = Some(value);
        }
    }

    /// Changes every float and takes every histogram away, or what `change` says.
    pub(in crate::engine::promql) fn map(&mut self, mut change: impl FnMut(usize, &Value) -> Cell) {
        let steps = self.steps.max(1);
        for (at, cell) in self.cells.iter_mut().enumerate() {
            if let Some(value) = cell {
                *cell = change(at % steps, value);
            }
        }
    }

    /// Takes away the series without any value.
    pub(in crate::engine::promql) fn drop_empty(&mut self) {
        if self.cells.chunks(self.steps.max(1)).all(|values| values.iter().any(Option::is_some)) {
            return;
        }
        let mut kept = Self::with_capacity(self.steps, self.rows.len());
        let mut cells = std::mem::take(&mut self.cells).into_iter();
        for row in std::mem::take(&mut self.rows) {
            let start = kept.cells.len();
            kept.cells.extend(cells.by_ref().take(self.steps));
            if kept.cells.iter().skip(start).any(Option::is_some) {
                kept.rows.push(row);
            } else {
                kept.cells.truncate(start);
            }
        }
        *self = kept;
    }

    /// Takes the series apart.
    pub(in crate::engine::promql) fn into_series(self) -> impl Iterator<Item = (Row, Vec<Cell>)> {
        let steps = self.steps;
        let mut cells = self.cells.into_iter();
        self.rows.into_iter().map(move |row| (row, cells.by_ref().take(steps).collect()))
    }

    /// The series of a matrix of one step with their values.
    pub(in crate::engine::promql) fn into_vector(self) -> impl Iterator<Item = (Row, Value)> {
        self.rows.into_iter().zip(self.cells).filter_map(|(row, cell)| cell.map(|value| (row, value)))
    }

    /// Repeats a matrix of one step over `steps` steps.
    pub(in crate::engine::promql) fn repeated(self, steps: usize) -> Self {
        if steps == 1 {
            return self;
        }
        let mut repeated = Self::with_capacity(steps, self.rows.len());
        for (row, cell) in self.rows.into_iter().zip(self.cells) {
            repeated.push(row, std::iter::repeat_n(cell, steps));
        }
        repeated
    }

    /// Whether taking metric names away can have made two series alike.
    fn names_differ(&self) -> bool {
        let first = self.rows.first().map(|row| row.raw(METRIC_NAME));
        self.rows.iter().any(|row| Some(row.raw(METRIC_NAME)) != first || row.has_type_or_unit())
    }

    /// Makes one series of those with the same labels after metric names went.
    pub(in crate::engine::promql) fn merge_after_name_removal(&mut self) -> Result<(), DuplicateLabels> {
        if self.names_differ() { self.merge_duplicates() } else { Ok(()) }
    }

    /// Whether two series have the same labels after metric names went.
    pub(in crate::engine::promql) fn duplicates_after_name_removal(&self) -> Result<(), DuplicateLabels> {
        if !self.names_differ() {
            return Ok(());
        }
        let mut numbering = Numbering::default();
        for row in &self.rows {
            let same = |number: usize| self.rows.get(number).is_some_and(|known| known.same_labels(row));
            if numbering.number(row.hash(), same).1 == Novelty::Known {
                return Err(DuplicateLabels);
            }
        }
        Ok(())
    }

    /// Makes one series of those with the same labels; they must not have values at the same step.
    pub(in crate::engine::promql) fn merge_duplicates(&mut self) -> Result<(), DuplicateLabels> {
        let mut numbering = Numbering::default();
        let mut firsts: Vec<usize> = Vec::with_capacity(self.rows.len());
        let mut merges: Vec<(usize, usize)> = Vec::new();
        for (index, row) in self.rows.iter().enumerate() {
            let same = |number: usize| {
                firsts
                    .get(number)
                    .and_then(|first| self.rows.get(*first))
                    .is_some_and(|known| known.same_labels(row))
            };
            match numbering.number(row.hash(), same) {
                (_, Novelty::New) => firsts.push(index),
                (number, Novelty::Known) => merges.extend(firsts.get(number).map(|first| (*first, index))),
            }
        }
        for (first, other) in &merges {
            let moved: Vec<Cell> = self.values_mut(*other).iter_mut().map(Option::take).collect();
            for (cell, value) in self.values_mut(*first).iter_mut().zip(moved) {
                match (cell.is_some(), value) {
                    (true, Some(_)) => return Err(DuplicateLabels),
                    (false, Some(value)) => *cell = Some(value),
                    (_, None) => {}
                }
            }
        }
        if !merges.is_empty() {
            self.drop_empty();
        }
        Ok(())
    }

    /// Takes away the metric names that were to go last.
    pub(in crate::engine::promql) fn finish_names(&mut self) -> Result<(), DuplicateLabels> {
        if self.rows.iter().all(|row| row.name != NameState::GoesLast) {
            return Ok(());
        }
        for row in &mut self.rows {
            if row.name == NameState::GoesLast {
                row.name = NameState::Gone;
            }
        }
        self.merge_duplicates()
    }
}
