//! Binary operators: arithmetic, comparisons, trims and set operators over numbers and vectors.

mod element;
mod matching;
mod set;
mod vectors;

use std::ops::Range;

use super::EvalError;
use super::ast::{Binary, BinaryOp, ComparisonMode};
use super::eval::{Evaluated, Evaluator, Grid, Matrix, Note, fail};
use super::histogram::Incompatible;
use super::storage::Value;

pub(in crate::engine::promql) use element::{kept_float, numbers};
pub(in crate::engine::promql) use matching::MatchGroups;
pub(in crate::engine::promql) use vectors::joined_row;

/// How an operator treats the metric name, and what it yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::promql) enum OperatorKind {
    /// A new number, of another metric.
    Arithmetic,
    /// The left value where it holds.
    Comparison,
    /// The histogram with less in it.
    Trim,
    /// One of the values.
    Set,
}

impl BinaryOp {
    /// How it treats the metric name, and what it yields.
    pub(in crate::engine::promql) const fn kind(self) -> OperatorKind {
        match self {
            Self::Add | Self::Sub | Self::Mul | Self::Div | Self::Mod | Self::Pow | Self::Atan2 => {
                OperatorKind::Arithmetic
            }
            Self::Equal
            | Self::NotEqual
            | Self::Greater
            | Self::Less
            | Self::GreaterOrEqual
            | Self::LessOrEqual => OperatorKind::Comparison,
            Self::TrimUpper | Self::TrimLower => OperatorKind::Trim,
            Self::And | Self::Or | Self::Unless => OperatorKind::Set,
        }
    }
}

/// What an operator yields for two values.
#[derive(Debug)]
enum Verdict {
    /// A value to keep.
    Keep(Value),
    /// A comparison that does not hold.
    Discard,
    /// The values do not go together.
    Refuse(Refusal),
}

/// Why two values do not go together.
#[derive(Debug)]
enum Refusal {
    Note(Note),
    Incompatible,
}

impl From<Incompatible> for Refusal {
    fn from(_: Incompatible) -> Self {
        Self::Incompatible
    }
}

impl Refusal {
    fn note(self, operator: BinaryOp) -> Note {
        match self {
            Self::Note(note) => note,
            Self::Incompatible => Note::IncompatibleLayouts(operator.symbol()),
        }
    }
}

/// The numbers at each step, by the side of a vector they stand on.
#[derive(Debug)]
enum Numbers {
    Left(Vec<f64>),
    Right(Vec<f64>),
}

impl Evaluator<'_> {
    /// A binary operation at each step of `grid`.
    pub(in crate::engine::promql) fn binary(
        &mut self,
        binary: &Binary,
        span: &Range<usize>,
        grid: Grid,
    ) -> Result<Evaluated, EvalError> {
        let left = self.evaluate(&binary.left, grid)?;
        let right = self.evaluate(&binary.right, grid)?;
        match (left, right) {
            (Evaluated::Scalars(left), Evaluated::Scalars(right)) => {
                let values = left.into_iter().zip(right).map(|(left, right)| numbers(binary.op, left, right));
                Ok(Evaluated::Scalars(values.collect()))
            }
            (Evaluated::Matrix(matrix), Evaluated::Scalars(numbers)) => {
                self.with_numbers(binary, span, matrix, &Numbers::Right(numbers)).map(Evaluated::Matrix)
            }
            (Evaluated::Scalars(numbers), Evaluated::Matrix(matrix)) => {
                self.with_numbers(binary, span, matrix, &Numbers::Left(numbers)).map(Evaluated::Matrix)
            }
            (Evaluated::Matrix(left), Evaluated::Matrix(right)) => {
                if binary.op.kind() == OperatorKind::Set {
                    return set::combined(binary, left, right)
                        .map(Evaluated::Matrix)
                        .map_err(|_| super::eval::duplicate_labels(&binary.left));
                }
                self.with_vectors(binary, span, &left, &right).map(Evaluated::Matrix)
            }
            (Evaluated::String(_), _) | (_, Evaluated::String(_)) => {
                Err(fail(span, "a string is no operand".to_owned()))
            }
        }
    }

    /// An operation between every value of a vector and a number.
    fn with_numbers(
        &mut self,
        binary: &Binary,
        span: &Range<usize>,
        mut matrix: Matrix,
        numbers: &Numbers,
    ) -> Result<Matrix, EvalError> {
        let (op, comparison) = (binary.op, binary.op.kind() == OperatorKind::Comparison);
        let as_bool = comparison && binary.comparison == ComparisonMode::Bool;
        let notes = &mut self.notes;
        matrix.map(|step, value| {
            let (Numbers::Left(at_steps) | Numbers::Right(at_steps)) = numbers;
            let number = Value::Float(at_steps.get(step).copied().unwrap_or(f64::NAN));
            let (left, right) = match numbers {
                Numbers::Left(_) => (&number, value),
                Numbers::Right(_) => (value, &number),
            };
            let (verdict, note) = element::values(op, left, right);
            if let Some(note) = note {
                notes.add(note, span.start);
            }
            match verdict {
                Verdict::Refuse(refusal) => {
                    notes.add(refusal.note(op), span.start);
                    None
                }
                Verdict::Keep(_) if as_bool => Some(Value::Float(1.0)),
                Verdict::Discard if as_bool => Some(Value::Float(0.0)),
                Verdict::Discard => None,
                // A comparison keeps the vector's value, wherever the number stands.
                Verdict::Keep(_) if comparison => Some(value.clone()),
                Verdict::Keep(result) => Some(result),
            }
        });
        matrix.drop_empty();
        if as_bool || op.kind() == OperatorKind::Arithmetic {
            self.drop_names(&mut matrix, &binary.left)?;
        }
        Ok(matrix)
    }
}
