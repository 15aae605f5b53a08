//! Which of a rule's values the page shows: the one nearest to an alert, or furthest into it.

use crate::engine::promql::Expr;
use crate::engine::promql::ast::{BinaryOp, Node};
use crate::engine::promql::inspect::{comparison, number, unwrapped};
use crate::engine::rules::set::{Condition, Level};

/// Where the worst of several values is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worst {
    /// The highest one.
    Highest,
    /// The lowest one.
    Lowest,
}

impl Worst {
    /// By the levels of a rule; by the comparison in its expression where that is what holds or does not.
    pub(super) fn of(levels: &[Level], expr: &Expr) -> Self {
        match levels.first().map(|level| level.condition) {
            Some(Condition::Above { .. }) => Self::Highest,
            Some(Condition::Below { .. }) => Self::Lowest,
            Some(Condition::Expression) | None => Self::of_expression(expr),
        }
    }

    fn of_expression(expr: &Expr) -> Self {
        if let Node::Binary(binary) = &unwrapped(expr).node
            && matches!(binary.op, BinaryOp::And | BinaryOp::Unless)
        {
            // What is left of it are values of the left side.
            return Self::of_expression(&binary.left);
        }
        let Some(binary) = comparison(expr) else { return Self::Highest };
        let falls = if number(&binary.left).is_some() {
            matches!(binary.op, BinaryOp::Greater | BinaryOp::GreaterOrEqual)
        } else {
            matches!(binary.op, BinaryOp::Less | BinaryOp::LessOrEqual)
        };
        if falls { Self::Lowest } else { Self::Highest }
    }

    /// The worst of some values; none where there is none but NaN.
    pub(super) fn among(self, values: impl Iterator<Item = f64>) -> Option<f64> {
        values.filter(|value| !value.is_nan()).reduce(match self {
            Self::Highest => f64::max,
            Self::Lowest => f64::min,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::promql::parse;

    fn shown(condition: Condition, query: &str) -> Option<f64> {
        let levels = [Level { severity: None, condition, wait: Duration::ZERO }];
        Worst::of(&levels, &parse(query).unwrap()).among([2.0, f64::NAN, 1.0, 3.0].into_iter())
    }

    #[test]
    fn a_rule_shows_the_value_that_is_worst_for_it() {
        let above = Condition::Above { threshold: 5.0, clear: 5.0 };
        let below = Condition::Below { threshold: 5.0, clear: 5.0 };
        let cases = [
            (above, "x", 3.0),
            (below, "x", 1.0),
            (Condition::Expression, "x", 3.0),
            (Condition::Expression, "x > 0", 3.0),
            (Condition::Expression, "(x <= 5)", 1.0),
            (Condition::Expression, "5 > x", 1.0),
            (Condition::Expression, "0 < x", 3.0),
            (Condition::Expression, "x < 5 and on () y > 0", 1.0),
            (Condition::Expression, "x < y unless z", 1.0),
        ];
        for (condition, query, worst) in cases {
            assert_eq!(shown(condition, query), Some(worst), "{condition:?} {query}");
        }
        assert_eq!(Worst::Lowest.among([f64::NAN].into_iter()), None);
    }
}
