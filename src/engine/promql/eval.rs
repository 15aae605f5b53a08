//! The evaluator: an expression, a storage and instants in, values with warnings and infos out.
//!
//! Every expression is evaluated over all steps of a query at once: a selector reads each series once and walks through
//! it, labels are worked out once a series and not once a step. An instant query is a range query of one step.

mod annotations;
mod durations;
mod grid;
mod info;
mod kahan;
mod matrix;
mod ranges;
mod row;
mod select;
mod smooth;
mod subquery;
mod text;

use std::ops::Range;
use std::sync::Arc;

use super::ast::{DurationExpr, Expr, Node, Sign};
use super::functions::Evaluation;
pub(in crate::engine::promql) use super::inspect::unwrapped;
use super::storage::{Sample, SelectedSeries, Storage, Value};
use super::{EvalError, EvalOutcome, EvalSettings, NameRemoval, QueryValue};

pub(in crate::engine::promql) use annotations::{Annotations, Merge, Note};
pub(in crate::engine::promql) use durations::positive_milliseconds;
pub(in crate::engine::promql) use grid::{Grid, Times};
pub(in crate::engine::promql) use kahan::{Kahan, Mean};
pub(in crate::engine::promql) use matrix::{Cell, DuplicateLabels, Matrix};
pub(in crate::engine::promql) use ranges::{FloatPoint, HistogramPoint, RangeSeries};
pub(in crate::engine::promql) use row::{Novelty, Numbering, Row, TYPE, hash_labels, is_metadata};
pub(in crate::engine::promql) use text::{number, open_metrics_number, plain_number, quoted};

/// Evaluates `expr` at one instant.
///
/// # Errors
/// Returns what Prometheus refuses too: label sets that meet, matches that are not one to one, parameters out of range,
/// more samples than `settings` allow.
pub fn instant(
    expr: &Expr,
    storage: &dyn Storage,
    at_ms: i64,
    settings: &EvalSettings,
) -> Result<EvalOutcome, EvalError> {
    let mut evaluator =
        Evaluator::new(storage, settings, QueryTimes { start_ms: at_ms, end_ms: at_ms, step_ms: 0 });
    let grid = Grid::instant(at_ms);
    let value = match evaluator.selected_range(expr, grid)? {
        Some(series) => QueryValue::Matrix(series),
        None => match evaluator.evaluate(expr, grid)? {
            Evaluated::Scalars(values) => QueryValue::Scalar(values.first().copied().unwrap_or(f64::NAN)),
            Evaluated::String(text) => QueryValue::String(text.to_string()),
            Evaluated::Matrix(mut matrix) => {
                matrix.finish_names().map_err(|_| duplicate_labels(expr))?;
                QueryValue::Vector(
                    matrix.into_vector().map(|(row, value)| (row.into_labels(), value)).collect(),
                )
            }
        },
    };
    Ok(evaluator.outcome(value))
}

/// Evaluates `expr` at every step from the start to the end of `times`.
///
/// # Errors
/// As [`instant`], and for an expression that is no vector and no number.
pub fn range(
    expr: &Expr,
    storage: &dyn Storage,
    times: QueryTimes,
    settings: &EvalSettings,
) -> Result<EvalOutcome, EvalError> {
    let mut evaluator = Evaluator::new(storage, settings, times);
    if let Some(kind) = ranges::refused_in_range_query(expr) {
        let message =
            format!("invalid expression type \"{kind}\" for range query, must be Scalar or instant Vector");
        return Err(EvalError { span: expr.span.clone(), message });
    }
    let Some(grid) = Grid::spanning(times.start_ms, times.end_ms, times.step_ms) else {
        return Ok(evaluator.outcome(QueryValue::Matrix(Vec::new())));
    };
    evaluator.fits(grid.steps(), &expr.span)?;
    let mut matrix = match evaluator.evaluate(expr, grid)? {
        Evaluated::Scalars(values) => {
            let mut matrix = Matrix::new(grid.steps());
            matrix.push(Row::default(), values.into_iter().map(|value| Some(Value::Float(value))));
            matrix
        }
        Evaluated::Matrix(matrix) => matrix,
        Evaluated::String(_) => Matrix::new(grid.steps()),
    };
    matrix.finish_names().map_err(|_| duplicate_labels(expr))?;
    let mut series: Vec<SelectedSeries> = matrix
        .into_series()
        .map(|(row, cells)| SelectedSeries::whole(row.into_labels(), samples(grid, cells)))
        .filter(|series| !series.samples.is_empty())
        .collect();
    series.sort_by(|left, right| left.labels.cmp(&right.labels));
    Ok(evaluator.outcome(QueryValue::Matrix(series)))
}

fn samples(grid: Grid, cells: Vec<Cell>) -> Vec<Sample> {
    cells
        .into_iter()
        .enumerate()
        .filter_map(|(step, cell)| cell.map(|value| Sample { time_ms: grid.at(step), start_ms: None, value }))
        .collect()
}

/// The instants the whole query is about.
#[derive(Clone, Copy, Debug)]
pub struct QueryTimes {
    /// The first instant.
    pub start_ms: i64,
    /// No instant is later.
    pub end_ms: i64,
    /// From one instant to the next; zero in an instant query.
    pub step_ms: i64,
}

/// What an expression yields.
#[derive(Clone, Debug)]
pub(in crate::engine::promql) enum Evaluated {
    /// One number per step.
    Scalars(Vec<f64>),
    /// Series by steps.
    Matrix(Matrix),
    /// One text.
    String(Arc<str>),
}

impl Evaluated {
    fn size(&self) -> usize {
        match self {
            Self::Scalars(values) => values.len(),
            Self::Matrix(matrix) => matrix.size(),
            Self::String(_) => 0,
        }
    }
}

/// One evaluation under way.
pub(in crate::engine::promql) struct Evaluator<'a> {
    storage: &'a dyn Storage,
    pub(in crate::engine::promql) settings: &'a EvalSettings,
    pub(in crate::engine::promql) query: QueryTimes,
    pub(in crate::engine::promql) notes: Annotations,
    /// Samples held by results that are still needed.
    live: usize,
    /// Samples that windows have shown to functions.
    shown: usize,
    /// Samples that were held at any time.
    held: usize,
    /// How the histograms of selectors are read.
    pub(in crate::engine::promql) reading: Reading,
    /// What sub-expressions that stand in the expression more than once came to.
    twins: Vec<(TwinKey, Evaluated)>,
}

/// Which of a sub-expression's values it is: its number, the instants, and how histograms are read.
type TwinKey = (u16, Grid, Reading);

/// How often a query may read each of the samples it may hold: windows of subqueries within subqueries multiply.
const READS_MAX: usize = 20;

/// Samples shown to functions from one look at whether to go on to the next.
const SHOWN_BETWEEN_LOOKS: usize = 1 << 16;

/// How the histograms of selectors are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine::promql) enum Reading {
    /// As they are stored.
    #[default]
    Whole,
    /// For their count or sum alone: Prometheus leaves their buckets out and gives each a reset hint instead.
    Statistics,
    /// As they are stored, whatever is asked of them: their buckets matter.
    Buckets,
}

impl<'a> Evaluator<'a> {
    fn new(storage: &'a dyn Storage, settings: &'a EvalSettings, query: QueryTimes) -> Self {
        Self {
            storage,
            settings,
            query,
            notes: Annotations::default(),
            live: 0,
            shown: 0,
            held: 0,
            reading: Reading::Whole,
            twins: Vec::new(),
        }
    }

    fn outcome(self, value: QueryValue) -> EvalOutcome {
        let (warnings, infos) = self.notes.finish();
        EvalOutcome { value, warnings, infos, samples_read: self.held.saturating_add(self.shown) }
    }

    /// Evaluates an expression at every step of `grid`.
    pub(in crate::engine::promql) fn evaluate(
        &mut self,
        expr: &Expr,
        grid: Grid,
    ) -> Result<Evaluated, EvalError> {
        self.go_on(&expr.span)?;
        let held = self.live;
        let twin = expr.twin.map(|number| (number, grid, self.reading));
        let known = twin.and_then(|twin| self.twins.iter().find(|(known, _)| *known == twin));
        if let Some(value) = known.map(|(_, value)| value.clone()) {
            self.charge(value.size(), &expr.span)?;
            return Ok(value);
        }
        let result = if grid.steps() > 1 && is_costly(expr) && is_invariant(expr) {
            match self.node(expr, grid.first())? {
                Evaluated::Matrix(matrix) => {
                    self.fits(matrix.size().saturating_mul(grid.steps()), &expr.span)?;
                    Evaluated::Matrix(matrix.repeated(grid.steps()))
                }
                Evaluated::Scalars(values) => {
                    Evaluated::Scalars(vec![values.first().copied().unwrap_or(f64::NAN); grid.steps()])
                }
                Evaluated::String(text) => Evaluated::String(text),
            }
        } else {
            self.node(expr, grid)?
        };
        self.go_on(&expr.span)?;
        self.live = held;
        self.charge(result.size(), &expr.span)?;
        if let Some(twin) = twin {
            self.twins.push((twin, result.clone()));
        }
        Ok(result)
    }

    fn node(&mut self, expr: &Expr, grid: Grid) -> Result<Evaluated, EvalError> {
        match &expr.node {
            Node::Number(value) => Ok(Evaluated::Scalars(vec![*value; grid.steps()])),
            Node::String(literal) => Ok(Evaluated::String(Arc::clone(literal.text()))),
            Node::Vector(selector) => self.select_vector(selector, &expr.span, grid).map(Evaluated::Matrix),
            Node::Matrix { .. } | Node::Subquery { .. } => {
                Err(fail(&expr.span, "a range vector has no value at an instant".to_owned()))
            }
            Node::Unary { sign, expr: inner } => self.unary(*sign, inner, grid),
            Node::Binary(binary) => self.binary(binary, &expr.span, grid),
            Node::Aggregate(aggregate) => self.aggregate(aggregate, &expr.span, grid).map(Evaluated::Matrix),
            Node::Call { function, args } => {
                let around = self.reading;
                self.reading = function.reading(around);
                let result = self.call(function, args, &expr.span, grid);
                self.reading = around;
                result
            }
            Node::Paren(inner) => self.evaluate(inner, grid),
        }
    }

    /// Evaluates an expression that must be a vector.
    pub(in crate::engine::promql) fn vector(&mut self, expr: &Expr, grid: Grid) -> Result<Matrix, EvalError> {
        match self.evaluate(expr, grid)? {
            Evaluated::Matrix(matrix) => Ok(matrix),
            Evaluated::Scalars(_) | Evaluated::String(_) => {
                Err(fail(&expr.span, "expected an instant vector".to_owned()))
            }
        }
    }

    /// Evaluates an expression that must be a number at each step.
    pub(in crate::engine::promql) fn scalars(
        &mut self,
        expr: &Expr,
        grid: Grid,
    ) -> Result<Vec<f64>, EvalError> {
        match self.evaluate(expr, grid)? {
            Evaluated::Scalars(values) => Ok(values),
            Evaluated::Matrix(_) | Evaluated::String(_) => {
                Err(fail(&expr.span, "expected a number".to_owned()))
            }
        }
    }

    fn unary(&mut self, sign: Sign, inner: &Expr, grid: Grid) -> Result<Evaluated, EvalError> {
        let mut value = self.evaluate(inner, grid)?;
        if sign == Sign::Plus {
            return Ok(value);
        }
        match &mut value {
            Evaluated::Scalars(values) => values.iter_mut().for_each(|value| *value = -*value),
            Evaluated::Matrix(matrix) => {
                matrix.map(|_, value| {
                    Some(match value {
                        Value::Float(float) => Value::Float(-float),
                        Value::Histogram(histogram) => Value::Histogram(Arc::new(histogram.multiplied(-1.0))),
                    })
                });
                self.drop_names(matrix, inner)?;
            }
            Evaluated::String(_) => return Err(fail(&inner.span, "a string has no sign".to_owned())),
        }
        Ok(value)
    }

    /// Takes metric names away after an operation, and joins series that are alike without them.
    pub(in crate::engine::promql) fn drop_names(
        &self,
        matrix: &mut Matrix,
        expr: &Expr,
    ) -> Result<(), EvalError> {
        for row in matrix.rows_mut() {
            row.drop_name(self.settings.name_removal);
        }
        match self.settings.name_removal {
            NameRemoval::Immediate => matrix.merge_after_name_removal().map_err(|_| duplicate_labels(expr)),
            NameRemoval::Delayed => Ok(()),
        }
    }

    /// Counts samples that are held until the expression around this one is done.
    pub(in crate::engine::promql) fn charge(
        &mut self,
        samples: usize,
        span: &Range<usize>,
    ) -> Result<(), EvalError> {
        self.fits(samples, span)?;
        self.live = self.live.saturating_add(samples);
        self.held = self.held.saturating_add(samples);
        Ok(())
    }

    /// Fails where whoever asked waits no longer.
    pub(in crate::engine::promql) fn go_on(&self, span: &Range<usize>) -> Result<(), EvalError> {
        self.storage.halted().map_or(Ok(()), |halt| Err(fail(span, halt.to_string())))
    }

    /// Whether `samples` more may be held.
    pub(in crate::engine::promql) fn fits(
        &self,
        samples: usize,
        span: &Range<usize>,
    ) -> Result<(), EvalError> {
        if self.live.saturating_add(samples) > self.settings.samples_max {
            let message = "query processing would load too many samples into memory in query execution";
            return Err(fail(span, message.to_owned()));
        }
        Ok(())
    }

    /// Counts samples that a window shows to a function.
    fn show(&mut self, samples: usize, span: &Range<usize>) -> Result<(), EvalError> {
        let before = self.shown / SHOWN_BETWEEN_LOOKS;
        self.shown = self.shown.saturating_add(samples);
        if self.shown / SHOWN_BETWEEN_LOOKS != before {
            self.go_on(span)?;
        }
        if self.shown > self.settings.samples_max.saturating_mul(READS_MAX) {
            return Err(fail(
                span,
                "query processing would read too many samples in query execution".to_owned(),
            ));
        }
        Ok(())
    }

    /// The lookback in milliseconds.
    pub(in crate::engine::promql) fn lookback_ms(&self) -> i64 {
        i64::try_from(self.settings.lookback.as_millis()).unwrap_or(i64::MAX)
    }

    /// A duration expression in milliseconds.
    fn duration_ms(&self, duration: &DurationExpr) -> Result<i64, EvalError> {
        durations::milliseconds(duration, self.query)
    }
}

/// An error at some bytes of the query.
pub(in crate::engine::promql) fn fail(span: &Range<usize>, message: String) -> EvalError {
    EvalError { span: span.clone(), message }
}

/// The error of two series with the same labels, in Prometheus' words.
pub(in crate::engine::promql) fn duplicate_labels(expr: &Expr) -> EvalError {
    fail(&expr.span, "vector cannot contain metrics with the same labelset".to_owned())
}

/// The byte where messages about an argument point.
pub(in crate::engine::promql) fn position(expr: &Expr) -> usize {
    unwrapped(expr).span.start
}

/// Whether evaluating it once instead of at each step is worth asking for.
fn is_costly(expr: &Expr) -> bool {
    match &expr.node {
        Node::Number(_) | Node::String(_) | Node::Vector(_) | Node::Matrix { .. } | Node::Subquery { .. } => {
            false
        }
        Node::Unary { .. } | Node::Binary(_) | Node::Aggregate(_) | Node::Call { .. } | Node::Paren(_) => {
            true
        }
    }
}

/// Whether it has the same value at every step because `@` fixes everything it reads.
fn is_invariant(expr: &Expr) -> bool {
    match &expr.node {
        Node::Number(_) | Node::String(_) => true,
        Node::Vector(selector) | Node::Matrix { selector, .. } => selector.shift.at.is_some(),
        Node::Subquery { shift, .. } => shift.at.is_some(),
        Node::Unary { expr, .. } | Node::Paren(expr) => is_invariant(expr),
        Node::Binary(binary) => is_invariant(&binary.left) && is_invariant(&binary.right),
        Node::Aggregate(aggregate) => {
            is_invariant(&aggregate.expr) && aggregate.param.as_ref().is_none_or(is_invariant)
        }
        Node::Call { function, args } => {
            function.evaluation() == Evaluation::OfArguments && args.iter().all(is_invariant)
        }
    }
}

#[cfg(test)]
mod tests;
