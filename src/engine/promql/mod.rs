//! PromQL: parser with positions, evaluator and the storage it reads through.

mod aggregate;
pub mod ast;
mod check;
pub(crate) mod comparison;
pub(crate) mod eval;
pub(crate) mod functions;
pub mod histogram;
pub mod inspect;
mod lexer;
mod operators;
pub mod parse;
pub(crate) mod place;
pub(crate) mod plan;
mod print;
pub mod series_notation;
pub(crate) mod steady;
pub mod storage;
mod text;
mod twins;

use std::ops::Range;
use std::time::Duration;

use crate::engine::labels::Labels;

pub use ast::Expr;
pub use eval::{QueryTimes, instant, range};
pub use parse::parse;
pub use storage::{Sample, SelectedSeries, Storage, Value};
pub use twins::number_twins;

/// Whether the metric name of a result goes at each operation or once at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameRemoval {
    /// As Prometheus does by default.
    #[default]
    Immediate,
    /// Prometheus' `promql-delayed-name-removal`.
    Delayed,
}

/// Whether rates use the start timestamps that samples carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartTimestamps {
    /// As Prometheus does by default.
    #[default]
    Ignored,
    /// Prometheus' start-timestamp storage: a changed start is a reset.
    Used,
}

/// What the labels `__type__` and `__unit__` are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TypeAndUnit {
    /// Labels as any other, as Prometheus has them by default.
    #[default]
    Labels,
    /// Prometheus' `type-and-unit-labels`: part of the metric's identity, gone wherever its name goes.
    Identity,
}

/// Settings of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvalSettings {
    /// How far an instant selector looks back.
    pub lookback: Duration,
    /// The step of a subquery that names none.
    pub subquery_step: Duration,
    /// When metric names go.
    pub name_removal: NameRemoval,
    /// Whether rates use start timestamps.
    pub start_timestamps: StartTimestamps,
    /// What `__type__` and `__unit__` are.
    pub type_and_unit: TypeAndUnit,
    /// Samples one query may hold at a time.
    pub samples_max: usize,
}

impl Default for EvalSettings {
    fn default() -> Self {
        Self {
            lookback: Duration::from_mins(5),
            subquery_step: Duration::from_mins(1),
            name_removal: NameRemoval::Immediate,
            start_timestamps: StartTimestamps::Ignored,
            type_and_unit: TypeAndUnit::Labels,
            samples_max: 50_000_000,
        }
    }
}

/// Why a text is no PromQL expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// The bytes at fault.
    pub span: Range<usize>,
    /// What is wrong, as a lower-case fragment.
    pub message: String,
    /// What to do, as a sentence.
    pub(crate) advice: Option<String>,
}

impl ParseError {
    /// The error with its place, as Prometheus words it (`1:4: parse error: …`), in the text that was parsed.
    pub(crate) fn placed(&self, text: &str) -> String {
        let cut = parse::cut_short(self, text);
        let (at, message) = cut.unwrap_or((self.span.start, self.message.as_str()));
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.len() - before.rfind('\n').map_or(0, |newline| newline + 1) + 1;
        format!("{line}:{column}: parse error: {message}")
    }
}

/// Why an expression could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    /// The bytes of the query it comes from.
    pub(crate) span: Range<usize>,
    /// What is wrong, in Prometheus' words where operators know them.
    pub message: String,
}

/// What an evaluation yields.
#[derive(Clone, Debug, PartialEq)]
pub struct EvalOutcome {
    /// The result.
    pub value: QueryValue,
    /// Warnings, each once.
    pub warnings: Vec<String>,
    /// Infos, each once.
    pub infos: Vec<String>,
    /// How many samples it held and showed to functions: what it cost.
    pub(crate) samples_read: usize,
}

/// The four kinds of result.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryValue {
    /// One number.
    Scalar(f64),
    /// One text.
    String(String),
    /// One sample a label set, in the order of the result (`sort` keeps its own).
    Vector(Vec<(Labels, Value)>),
    /// Many samples a label set, sorted by labels.
    Matrix(Vec<SelectedSeries>),
}
