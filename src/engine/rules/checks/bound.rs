//! Where a comparison with a number lets a value lie.

use crate::engine::promql::Expr;
use crate::engine::promql::comparison::Comparison;
use crate::engine::promql::inspect::{comparison, number, unwrapped};

/// A value and where it must lie.
pub(super) struct Bound {
    /// The value, as PromQL.
    pub(super) value: String,
    pub(super) low: f64,
    pub(super) high: f64,
    /// Whether the ends themselves are outside.
    pub(super) is_open: bool,
}

impl Bound {
    /// Whether whatever is inside this one is inside the other too.
    pub(super) fn is_inside(&self, other: &Self) -> bool {
        let same_end = self.low == other.low && self.high == other.high;
        self.value == other.value
            && self.low >= other.low
            && self.high <= other.high
            && (!other.is_open || self.is_open || !same_end)
    }
}

/// The bound that an expression is at its top, where it is one.
pub(super) fn bound(expr: &Expr) -> Option<Bound> {
    let binary = comparison(expr)?;
    let comparison = binary.op.comparison()?;
    let (value, threshold, comparison) = match (number(&binary.left), number(&binary.right)) {
        (None, Some(threshold)) => (&binary.left, threshold, comparison),
        (Some(threshold), None) => (&binary.right, threshold, comparison.turned()),
        (None, None) | (Some(_), Some(_)) => return None,
    };
    let (low, high, is_open) = match comparison {
        Comparison::Equal => (threshold, threshold, false),
        Comparison::Greater => (threshold, f64::INFINITY, true),
        Comparison::GreaterOrEqual => (threshold, f64::INFINITY, false),
        Comparison::Less => (f64::NEG_INFINITY, threshold, true),
        Comparison::LessOrEqual => (f64::NEG_INFINITY, threshold, false),
        Comparison::NotEqual => return None,
    };
    Some(Bound { value: unwrapped(value).to_string(), low, high, is_open })
}
