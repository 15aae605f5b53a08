//! Calls of functions over instant vectors and numbers.

use std::ops::Range;
use std::sync::Arc;

use super::super::ast::{Expr, Literal, Node};
use super::super::eval::{
    Evaluated, Evaluator, Grid, Matrix, Row, duplicate_labels, fail, position, unwrapped,
};
use super::super::storage::{Sample, Value};
use super::super::{EvalError, NameRemoval, StartTimestamps};
use super::dates::Date;
use super::{Body, Function, Special, absent, labels, ordering};

/// A function with its arguments, and where the call stands.
#[derive(Clone, Copy, Debug)]
struct Call<'a> {
    function: &'a Function,
    args: &'a [Expr],
    span: &'a Range<usize>,
}

impl Evaluator<'_> {
    /// Calls a function at each step of `grid`.
    pub(in crate::engine::promql) fn call(
        &mut self,
        function: &Function,
        args: &[Expr],
        span: &Range<usize>,
        grid: Grid,
    ) -> Result<Evaluated, EvalError> {
        let matrix = match function.body {
            Body::Special(special) => {
                return self.call_special(special, &Call { function, args, span }, grid);
            }
            Body::Numbers(combine) => return self.numbers(combine, args, grid).map(Evaluated::Scalars),
            Body::Range(body) => self.call_over_range(function, body, args, grid)?,
            Body::Number(change) => self.each_float(args, grid, |value, _| Some(change(value)))?,
            Body::NumberWith(change) => self.each_float(args, grid, change)?,
            Body::Histogram(read) => {
                let vector = argument(args, 0)?;
                let mut matrix = self.vector(vector, grid)?;
                matrix.map(|_, value| match value {
                    Value::Histogram(histogram) => Some(Value::Float(read(histogram))),
                    Value::Float(_) => None,
                });
                self.without_names(matrix, vector)?
            }
            Body::Date(read) if args.is_empty() => {
                let times =
                    (0..grid.steps()).map(|step| read(Date::of_seconds(grid.at(step) / 1_000)) as f64);
                let mut matrix = Matrix::new(grid.steps());
                matrix.push(Row::default(), times.map(|value| Some(Value::Float(value))));
                matrix
            }
            Body::Date(read) => {
                self.each_float(args, grid, |value, _| Some(read(Date::of_value(value)) as f64))?
            }
        };
        Ok(Evaluated::Matrix(matrix))
    }

    /// Changes every float of the first argument; the other arguments are numbers; histograms go.
    fn each_float(
        &mut self,
        args: &[Expr],
        grid: Grid,
        change: impl Fn(f64, &[f64]) -> Option<f64>,
    ) -> Result<Matrix, EvalError> {
        let vector = argument(args, 0)?;
        let mut matrix = self.vector(vector, grid)?;
        let mut parameters = Vec::with_capacity(args.len().saturating_sub(1));
        for arg in args.iter().skip(1) {
            parameters.push(self.scalars(arg, grid)?);
        }
        let at_step: Vec<Vec<f64>> = (0..grid.steps())
            .map(|step| parameters.iter().filter_map(|values| values.get(step)).copied().collect())
            .collect();
        matrix.map(|step, value| match value {
            Value::Float(float) => {
                change(*float, at_step.get(step).map_or(&[], Vec::as_slice)).map(Value::Float)
            }
            Value::Histogram(_) => None,
        });
        self.without_names(matrix, vector)
    }

    fn without_names(&self, mut matrix: Matrix, vector: &Expr) -> Result<Matrix, EvalError> {
        matrix.drop_empty();
        self.drop_names(&mut matrix, vector)?;
        Ok(matrix)
    }

    fn numbers(
        &mut self,
        combine: fn(f64, f64) -> f64,
        args: &[Expr],
        grid: Grid,
    ) -> Result<Vec<f64>, EvalError> {
        let left = self.scalars(argument(args, 0)?, grid)?;
        let right = self.scalars(argument(args, 1)?, grid)?;
        Ok(left.into_iter().zip(right).map(|(left, right)| combine(left, right)).collect())
    }

    fn call_special(
        &mut self,
        special: Special,
        call: &Call<'_>,
        grid: Grid,
    ) -> Result<Evaluated, EvalError> {
        let Call { function, args, span } = *call;
        let seconds = |milliseconds: i64| milliseconds as f64 / 1e3;
        let constant = |value: f64| Ok(Evaluated::Scalars(vec![value; grid.steps()]));
        let matrix = match special {
            Special::Pi => return constant(std::f64::consts::PI),
            Special::Start => return constant(seconds(self.query.start_ms)),
            Special::End => return constant(seconds(self.query.end_ms)),
            Special::Step => return constant(seconds(self.query.step_ms)),
            Special::Range => {
                return constant(seconds(self.query.end_ms.saturating_sub(self.query.start_ms)));
            }
            Special::Time => {
                return Ok(Evaluated::Scalars(
                    (0..grid.steps()).map(|step| seconds(grid.at(step))).collect(),
                ));
            }
            Special::Scalar => return self.only_float(argument(args, 0)?, grid).map(Evaluated::Scalars),
            Special::Vector => {
                let values = self.scalars(argument(args, 0)?, grid)?;
                let mut matrix = Matrix::new(grid.steps());
                matrix.push(Row::default(), values.into_iter().map(|value| Some(Value::Float(value))));
                matrix
            }
            Special::Absent => {
                let arg = unwrapped(argument(args, 0)?);
                let matrix = self.vector(arg, grid)?;
                absent::absent(&matrix, arg)
            }
            Special::AbsentOverTime => {
                let matrix = self.call_over_range(function, super::over_time::present, args, grid)?;
                absent::absent(&matrix, unwrapped(argument(args, 0)?))
            }
            Special::Timestamp => self.timestamps(argument(args, 0)?, grid)?,
            Special::StartTimestamp => self.start_timestamps(argument(args, 0)?, grid)?,
            Special::LabelReplace => labels::replace(self, args, grid)?,
            Special::LabelJoin => labels::join(self, args, grid)?,
            Special::Sort(order) => ordering::sort(self, order, args, span, grid)?,
            Special::SortByLabel(order) => ordering::sort_by_label(self, order, args, span, grid)?,
            Special::HistogramQuantile => self.histogram_quantile(args, grid)?,
            Special::HistogramQuantiles => self.histogram_quantiles(args, grid)?,
            Special::HistogramFraction => self.histogram_fraction(args, grid)?,
            Special::Info => self.info(args, grid)?,
        };
        Ok(Evaluated::Matrix(matrix))
    }

    /// The one float of a vector at each step, NaN where there is none or more than one.
    fn only_float(&mut self, vector: &Expr, grid: Grid) -> Result<Vec<f64>, EvalError> {
        let matrix = self.vector(vector, grid)?;
        Ok((0..grid.steps())
            .map(|step| {
                let mut floats = matrix.column(step).filter_map(|(_, value)| match value {
                    Value::Float(value) => Some(*value),
                    Value::Histogram(_) => None,
                });
                match (floats.next(), floats.next()) {
                    (Some(value), None) => value,
                    (_, _) => f64::NAN,
                }
            })
            .collect())
    }

    /// When the samples were taken: of a selector its samples' own times, else the instants of evaluation.
    fn timestamps(&mut self, arg: &Expr, grid: Grid) -> Result<Matrix, EvalError> {
        if let Node::Vector(selector) = &unwrapped(arg).node {
            let times = self.times(&selector.shift, grid)?;
            let time = |sample: &Sample| Value::Float(sample.time_ms as f64 / 1e3);
            let matrix = self.latest(selector, &arg.span, (times, grid), time)?;
            return self.without_names(matrix, arg);
        }
        let mut matrix = self.vector(arg, grid)?;
        matrix.map(|step, _| Some(Value::Float(grid.at(step) as f64 / 1e3)));
        self.without_names(matrix, arg)
    }

    /// When the counters of a selector's samples started, zero where that is not known.
    fn start_timestamps(&mut self, arg: &Expr, grid: Grid) -> Result<Matrix, EvalError> {
        if let Node::Vector(selector) = &unwrapped(arg).node
            && self.settings.start_timestamps == StartTimestamps::Used
        {
            let times = self.times(&selector.shift, grid)?;
            let start = |sample: &Sample| Value::Float(sample.start_ms.unwrap_or(0) as f64 / 1e3);
            let matrix = self.latest(selector, &arg.span, (times, grid), start)?;
            return self.without_names(matrix, arg);
        }
        self.vector(arg, grid)?;
        Ok(Matrix::new(grid.steps()))
    }

    /// The metric name for messages about classic histograms: it is gone unless names go last.
    pub(super) fn metric_for_messages(&self, row: &Row) -> Arc<str> {
        match self.settings.name_removal {
            NameRemoval::Delayed => row.metric(),
            NameRemoval::Immediate => Arc::from(""),
        }
    }
}

/// Joins series that became alike through new labels.
pub(super) fn joined(mut matrix: Matrix, arg: &Expr) -> Result<Matrix, EvalError> {
    matrix.merge_duplicates().map_err(|_| duplicate_labels(arg))?;
    Ok(matrix)
}

/// The argument at `index`; the parser has counted them.
pub(super) fn argument(args: &[Expr], index: usize) -> Result<&Expr, EvalError> {
    let span = args.last().map_or(0..0, |last| last.span.clone());
    args.get(index).ok_or_else(|| fail(&span, format!("expected an argument more, got {}", args.len())))
}

/// The string argument at `index`.
pub(super) fn string(args: &[Expr], index: usize) -> Result<&Arc<str>, EvalError> {
    literal(args, index).map(Literal::text)
}

/// The string argument at `index`, which names a label; `place` says whose name is wrong where it cannot.
pub(super) fn label_name<'a>(args: &'a [Expr], index: usize, place: &str) -> Result<&'a Arc<str>, EvalError> {
    let literal = literal(args, index)?;
    literal.label_name().ok_or_else(|| {
        let span = args.get(index).map_or(0..0, |arg| arg.span.clone());
        fail(&span, format!("invalid {place}: {}", literal.text()))
    })
}

fn literal(args: &[Expr], index: usize) -> Result<&Literal, EvalError> {
    let arg = unwrapped(argument(args, index)?);
    let Node::String(literal) = &arg.node else {
        return Err(fail(&arg.span, "expected a string".to_owned()));
    };
    Ok(literal)
}

/// Where messages about the argument at `index` point.
pub(super) fn argument_position(args: &[Expr], index: usize) -> usize {
    args.get(index).map_or(0, position)
}
