//! Comparisons: what an operator asks of two values.

use super::ast::BinaryOp;

/// What a comparison asks of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(test), expect(clippy::missing_docs_in_private_items, reason = "the names are the operators'"))]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
}

impl Comparison {
    /// Whether it holds of two numbers; with a NaN only `!=` does.
    pub(crate) fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Greater => left > right,
            Self::Less => left < right,
            Self::GreaterOrEqual => left >= right,
            Self::LessOrEqual => left <= right,
        }
    }

    /// The one that asks the same with the sides exchanged.
    pub(crate) const fn turned(self) -> Self {
        match self {
            Self::Equal => Self::Equal,
            Self::NotEqual => Self::NotEqual,
            Self::Greater => Self::Less,
            Self::Less => Self::Greater,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::LessOrEqual => Self::GreaterOrEqual,
        }
    }
}

impl BinaryOp {
    /// The comparison it is, where it is one.
    pub(crate) const fn comparison(self) -> Option<Comparison> {
        Some(match self {
            Self::Equal => Comparison::Equal,
            Self::NotEqual => Comparison::NotEqual,
            Self::Greater => Comparison::Greater,
            Self::Less => Comparison::Less,
            Self::GreaterOrEqual => Comparison::GreaterOrEqual,
            Self::LessOrEqual => Comparison::LessOrEqual,
            Self::Add
            | Self::Sub
            | Self::Mul
            | Self::Div
            | Self::Mod
            | Self::Pow
            | Self::Atan2
            | Self::And
            | Self::Or
            | Self::Unless
            | Self::TrimUpper
            | Self::TrimLower => return None,
        })
    }

    /// Whether it compares.
    pub(crate) const fn is_comparison(self) -> bool {
        self.comparison().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_comparison_asks_the_same_of_exchanged_sides() {
        let all = [
            Comparison::Equal,
            Comparison::NotEqual,
            Comparison::Greater,
            Comparison::Less,
            Comparison::GreaterOrEqual,
            Comparison::LessOrEqual,
        ];
        for comparison in all {
            for (left, right) in [(1.0, 2.0), (2.0, 1.0), (1.0, 1.0), (f64::NAN, 1.0)] {
                assert_eq!(comparison.holds(left, right), comparison.turned().holds(right, left));
            }
        }
    }
}
