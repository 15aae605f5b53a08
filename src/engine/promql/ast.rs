//! The syntax tree; every node knows the bytes it came from.

use std::ops::Range;
use std::sync::Arc;

use super::storage::Matcher;

/// A node with the bytes of the query text it covers.
#[derive(Clone, Debug)]
pub struct Expr {
    /// The bytes in the query text.
    pub(crate) span: Range<usize>,
    /// What it is.
    pub node: Node,
    /// Where it stands in its expression more than once: a number that those that are the same share, as
    /// [`super::number_twins`] gives it.
    pub twin: Option<u16>,
}

/// The kinds of node, as Prometheus' grammar has them.
#[derive(Clone, Debug)]
pub enum Node {
    /// A number.
    Number(f64),
    /// A string.
    String(Literal),
    /// `name{…}`, with its modifiers.
    Vector(VectorSelector),
    /// `selector[range]`.
    Matrix {
        /// The selector, with `offset`, `@`, `anchored` and `smoothed`.
        selector: VectorSelector,
        /// The range.
        range: DurationExpr,
    },
    /// `expr[range:step]`.
    Subquery {
        /// The inner expression.
        expr: Box<Expr>,
        /// The range.
        range: DurationExpr,
        /// The step; the engine's default where it is left out.
        step: Option<DurationExpr>,
        /// `offset` and `@`.
        shift: Shift,
    },
    /// `-expr` or `+expr`.
    Unary {
        /// Whether the sign is a minus.
        sign: Sign,
        /// The operand.
        expr: Box<Expr>,
    },
    /// `left op right`.
    Binary(Box<Binary>),
    /// `sum by (…) (expr)` and the like.
    Aggregate(Box<Aggregate>),
    /// `function(args…)`.
    Call {
        /// Which function.
        function: &'static super::functions::Function,
        /// Its arguments.
        args: Vec<Expr>,
    },
    /// `(expr)`.
    Paren(Box<Expr>),
}

/// The value of a string literal; escapes may spell bytes that are no UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// A text.
    Text(Arc<str>),
    /// Bytes that are no text.
    Bytes {
        /// The bytes.
        bytes: Arc<[u8]>,
        /// The same with U+FFFD in place of what is no UTF-8.
        shown: Arc<str>,
    },
}

impl Literal {
    /// The text; of bytes that are none, the nearest.
    pub fn text(&self) -> &Arc<str> {
        match self {
            Self::Text(text) | Self::Bytes { shown: text, .. } => text,
        }
    }

    /// The text where it can name a label: UTF-8 and not empty.
    pub(crate) fn label_name(&self) -> Option<&Arc<str>> {
        match self {
            Self::Text(text) => Some(text).filter(|text| !text.is_empty()),
            Self::Bytes { .. } => None,
        }
    }
}

impl From<Vec<u8>> for Literal {
    fn from(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text.into()),
            Err(broken) => Self::Bytes {
                shown: String::from_utf8_lossy(broken.as_bytes()).into(),
                bytes: broken.into_bytes().into(),
            },
        }
    }
}

/// A sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// `+`
    Plus,
    /// `-`
    Minus,
}

/// A selector of series.
#[derive(Clone, Debug)]
pub struct VectorSelector {
    /// The literal metric name, where there is one (it is among the matchers too).
    pub(crate) name: Option<Arc<str>>,
    /// Every condition, the name's included.
    pub(crate) matchers: Vec<Matcher>,
    /// `offset` and `@`.
    pub(crate) shift: Shift,
    /// `anchored`, `smoothed` or neither.
    pub(crate) range_mode: RangeMode,
}

/// How a range selector treats its boundaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RangeMode {
    /// As Prometheus always did.
    #[default]
    Extrapolated,
    /// `anchored`: the last sample before the range stands at its start.
    Anchored,
    /// `smoothed`: values at both ends are interpolated.
    Smoothed,
}

/// Where in time an expression is evaluated.
#[derive(Clone, Debug, Default)]
pub struct Shift {
    /// `offset`.
    pub(crate) offset: Option<DurationExpr>,
    /// `@`.
    pub(crate) at: Option<At>,
}

/// The instant of an `@` modifier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum At {
    /// Milliseconds since the Unix epoch.
    Time(i64),
    /// `start()` of the query.
    Start,
    /// `end()` of the query.
    End,
}

/// A duration: a literal, or (experimental in Prometheus) arithmetic over numbers, durations, `step()`, `range()`.
#[derive(Clone, Debug)]
pub struct DurationExpr {
    /// The bytes in the query text.
    pub(crate) span: Range<usize>,
    /// What it is.
    pub(crate) node: DurationNode,
}

/// The kinds of duration expression.
#[derive(Clone, Debug)]
pub(crate) enum DurationNode {
    /// Seconds (`5m` is 300).
    Seconds(f64),
    /// `step()`: the query's step, 0 in an instant query.
    Step,
    /// `range()`: the query's end minus its start.
    Range,
    /// `-a` or `+a`.
    Unary(Sign, Box<DurationExpr>),
    /// `a op b`, op one of `+ - * / % ^`.
    Binary(BinaryOp, Box<DurationExpr>, Box<DurationExpr>),
    /// `min(a, b)`.
    Min(Box<DurationExpr>, Box<DurationExpr>),
    /// `max(a, b)`.
    Max(Box<DurationExpr>, Box<DurationExpr>),
}

/// A binary operation.
#[derive(Clone, Debug)]
pub struct Binary {
    /// The operator.
    pub(crate) op: BinaryOp,
    /// The bytes of the operator.
    pub(crate) op_span: Range<usize>,
    /// The left side.
    pub(crate) left: Expr,
    /// The right side.
    pub(crate) right: Expr,
    /// `bool` on a comparison.
    pub(crate) comparison: ComparisonMode,
    /// How vectors are matched.
    pub(crate) matching: Matching,
}

/// What a comparison yields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ComparisonMode {
    /// The left value where it holds, nothing elsewhere.
    #[default]
    Filter,
    /// `bool`: 1 or 0.
    Bool,
}

/// Binary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(not(test), expect(clippy::missing_docs_in_private_items, reason = "the names are the operators'"))]
pub(crate) enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    And,
    Or,
    Unless,
    /// `</` and `>/`: trims of native histograms.
    TrimUpper,
    TrimLower,
}

/// How two vectors are matched.
#[derive(Clone, Debug, Default)]
pub(crate) struct Matching {
    /// `on`/`ignoring`; ignoring nothing where neither stands.
    pub(crate) on: Grouping,
    /// One to one, or which side is many.
    pub(crate) cardinality: Cardinality,
    /// The labels of `group_left(…)`/`group_right(…)`.
    pub(crate) include: Vec<Arc<str>>,
    /// `fill`/`fill_left`: the value of a missing left sample.
    pub(crate) fill_left: Option<f64>,
    /// `fill`/`fill_right`: the value of a missing right sample.
    pub(crate) fill_right: Option<f64>,
}

impl Matching {
    /// Whether it fills in samples that are missing on either side.
    pub(super) const fn fills(&self) -> bool {
        self.fill_left.is_some() || self.fill_right.is_some()
    }
}

/// A choice of labels.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Grouping {
    /// `on (…)` or `by (…)`: these alone.
    By(Vec<Arc<str>>),
    /// `ignoring (…)` or `without (…)`: all but these.
    Without(Vec<Arc<str>>),
}

impl Default for Grouping {
    fn default() -> Self {
        Self::Without(Vec::new())
    }
}

/// Which side of a match is many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Cardinality {
    /// Neither.
    #[default]
    OneToOne,
    /// `group_left`: the left side.
    ManyToOne,
    /// `group_right`: the right side.
    OneToMany,
}

/// An aggregation.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// The operator.
    pub(crate) op: AggregateOp,
    /// What is aggregated.
    pub(crate) expr: Expr,
    /// The parameter of `topk`, `quantile`, `count_values` and the like.
    pub(crate) param: Option<Expr>,
    /// `by`/`without`; by nothing where neither stands.
    pub(crate) grouping: Grouping,
}

/// Aggregation operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(not(test), expect(clippy::missing_docs_in_private_items, reason = "the names are the operators'"))]
pub(crate) enum AggregateOp {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    CountValues,
    Quantile,
    Limitk,
    LimitRatio,
}
