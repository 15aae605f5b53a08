//! Aggregations: `sum by (…)` and its kind.

mod accumulate;
mod count_values;
mod ratio;
mod select;

use std::ops::Range;

use super::EvalError;
use super::ast::{Aggregate, AggregateOp, Expr, Grouping, Literal, Node};
use super::eval::{
    Evaluator, Grid, Matrix, Note, Novelty, Numbering, Row, fail, hash_labels, position, unwrapped,
};
use crate::engine::labels::Labels;

pub(in crate::engine::promql) use accumulate::Group;

/// The groups of an aggregation.
pub(in crate::engine::promql) struct Groups {
    /// Which group each series belongs to.
    pub(in crate::engine::promql) of_series: Vec<usize>,
    /// The labels of each group.
    pub(in crate::engine::promql) rows: Vec<Row>,
}

/// The parameter of `topk`, `quantile` and the like, per step.
struct Parameter {
    values: Vec<f64>,
    position: usize,
}

impl Evaluator<'_> {
    /// An aggregation at each step of `grid`.
    pub(in crate::engine::promql) fn aggregate(
        &mut self,
        aggregate: &Aggregate,
        span: &Range<usize>,
        grid: Grid,
    ) -> Result<Matrix, EvalError> {
        let inner = unwrapped(&aggregate.expr);
        match aggregate.op {
            AggregateOp::CountValues => self.count_values(aggregate, inner, span, grid),
            AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk => {
                let parameter = self.parameter(aggregate, span, grid)?;
                let matrix = self.vector(inner, grid)?;
                let counts = counts(&parameter, span)?;
                Ok(self.select_count(aggregate, matrix, &counts, span))
            }
            AggregateOp::LimitRatio => {
                let parameter = self.parameter(aggregate, span, grid)?;
                let matrix = self.vector(inner, grid)?;
                let ratios = self.ratios(&parameter, span)?;
                Ok(ratio::select(matrix, &ratios))
            }
            AggregateOp::Quantile => {
                let parameter = self.parameter(aggregate, span, grid)?;
                let matrix = self.vector(inner, grid)?;
                self.note_quantiles_out_of_range(&parameter);
                Ok(self.accumulate(aggregate, &matrix, &parameter.values, position(inner)))
            }
            AggregateOp::Sum
            | AggregateOp::Avg
            | AggregateOp::Min
            | AggregateOp::Max
            | AggregateOp::Count
            | AggregateOp::Group
            | AggregateOp::Stddev
            | AggregateOp::Stdvar => {
                let matrix = self.vector(inner, grid)?;
                Ok(self.accumulate(aggregate, &matrix, &[], position(inner)))
            }
        }
    }

    fn parameter(
        &mut self,
        aggregate: &Aggregate,
        span: &Range<usize>,
        grid: Grid,
    ) -> Result<Parameter, EvalError> {
        let param = parameter_expr(aggregate, span)?;
        Ok(Parameter { values: self.scalars(param, grid)?, position: position(param) })
    }

    fn note_quantiles_out_of_range(&mut self, parameter: &Parameter) {
        let Extent { lowest, highest, nan } = Extent::of(&parameter.values);
        let wrong = [(nan, f64::NAN), (highest > 1.0, highest), (lowest < 0.0, lowest)];
        for (_, value) in wrong.into_iter().filter(|(is_wrong, _)| *is_wrong) {
            self.notes.add(Note::InvalidQuantile(value.to_bits()), parameter.position);
        }
    }

    /// The ratios of `limit_ratio`, between -1 and 1.
    fn ratios(&mut self, parameter: &Parameter, span: &Range<usize>) -> Result<Vec<f64>, EvalError> {
        let Extent { lowest, highest, nan } = Extent::of(&parameter.values);
        if nan {
            return Err(fail(span, "Ratio value is NaN".to_owned()));
        }
        for (is_wrong, ratio, capped) in [(highest > 1.0, highest, 1.0_f64), (lowest < -1.0, lowest, -1.0)] {
            if is_wrong {
                let note = Note::InvalidRatio { ratio: ratio.to_bits(), capped: capped.to_bits() };
                self.notes.add(note, parameter.position);
            }
        }
        Ok(parameter.values.iter().map(|ratio| ratio.clamp(-1.0, 1.0)).collect())
    }
}

/// The parameter expression; the parser has made sure that it is there.
fn parameter_expr<'a>(aggregate: &'a Aggregate, span: &Range<usize>) -> Result<&'a Expr, EvalError> {
    aggregate.param.as_ref().map(unwrapped).ok_or_else(|| fail(span, "expected a parameter".to_owned()))
}

/// The string parameter of `count_values`.
fn string_parameter<'a>(aggregate: &'a Aggregate, span: &Range<usize>) -> Result<&'a Literal, EvalError> {
    let Node::String(literal) = &parameter_expr(aggregate, span)?.node else {
        return Err(fail(span, "expected a string as parameter".to_owned()));
    };
    Ok(literal)
}

/// The range of a parameter over all steps.
struct Extent {
    lowest: f64,
    highest: f64,
    nan: bool,
}

impl Extent {
    fn of(values: &[f64]) -> Self {
        Self {
            lowest: values.iter().copied().fold(f64::INFINITY, f64::min),
            highest: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            nan: values.iter().any(|value| value.is_nan()),
        }
    }
}

/// The counts of `topk` and the like; less than one is none.
fn counts(parameter: &Parameter, span: &Range<usize>) -> Result<Vec<usize>, EvalError> {
    let Extent { lowest, highest, nan } = Extent::of(&parameter.values);
    if nan {
        return Err(fail(span, "Parameter value is NaN".to_owned()));
    }
    let number = super::eval::number;
    if lowest < i64::MIN as f64 {
        return Err(fail(span, format!("Scalar value {} underflows int64", number(lowest))));
    }
    // The largest float below 2^63.
    if highest > 9_223_372_036_854_774_784.0 {
        return Err(fail(span, format!("Scalar value {} overflows int64", number(highest))));
    }
    Ok(parameter.values.iter().map(|count| if *count < 1.0 { 0 } else { *count as usize }).collect())
}

impl Groups {
    /// Of these series.
    pub(in crate::engine::promql) fn new(rows: &[Row], grouping: &Grouping) -> Self {
        let mut numbering = Numbering::default();
        let mut groups = Self { of_series: Vec::with_capacity(rows.len()), rows: Vec::new() };
        let mut firsts: Vec<usize> = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let hash = hash_labels(row.grouped(grouping));
            let same = |number: usize| {
                let first = firsts.get(number).and_then(|first| rows.get(*first));
                first.is_some_and(|first| first.grouped(grouping).eq(row.grouped(grouping)))
            };
            let (number, novelty) = numbering.number(hash, same);
            if novelty == Novelty::New {
                firsts.push(index);
                groups.rows.push(Row::new(Labels::collect(row.grouped(grouping).cloned())));
            }
            groups.of_series.push(number);
        }
        groups
    }

    fn len(&self) -> usize {
        self.rows.len()
    }
}
