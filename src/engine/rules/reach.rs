//! How much of a stream was applied when an alert event was decided, as one instance of a pair tells the other.

use std::fmt;
use std::str::FromStr;

/// Where the stream that is read stood: no clocks are compared by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// The sequence up to which everything was applied.
    pub(crate) at_least: u64,
    /// The sequence behind which nothing was.
    pub(crate) at_most: u64,
}

impl Reach {
    /// The stream was applied exactly up to this sequence.
    pub(crate) const fn exactly(sequence: u64) -> Self {
        Self { at_least: sequence, at_most: sequence }
    }

    /// Whether it ends before the other begins.
    pub(crate) const fn is_before(self, other: Self) -> bool {
        self.at_most < other.at_least
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.at_least, self.at_most)
    }
}

/// A text that tells of no reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two sequences with `-` between are expected")]
pub(crate) struct NoReach;

impl FromStr for Reach {
    type Err = NoReach;

    fn from_str(text: &str) -> Result<Self, NoReach> {
        let (at_least, at_most) = text.split_once('-').ok_or(NoReach)?;
        let number = |text: &str| text.parse().map_err(|_| NoReach);
        let reach = Self { at_least: number(at_least)?, at_most: number(at_most)? };
        if reach.at_least <= reach.at_most { Ok(reach) } else { Err(NoReach) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reach_is_read_back_and_nothing_else_is_one() {
        let reach = Reach { at_least: 3, at_most: 7 };
        assert_eq!(reach.to_string().parse(), Ok(reach));
        for text in ["", "3", "-", "7-3", "3-x", "3-7-9", "-3-7"] {
            assert_eq!(text.parse::<Reach>(), Err(NoReach), "{text}");
        }
        assert!(Reach::exactly(2).is_before(reach) && !Reach::exactly(3).is_before(reach));
    }
}
