//! What an evaluation on arrival goes over, for people.

use super::Partition;

/// What of a rule is evaluated when series that it reads moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// The results of the series that moved; all others are kept.
    Results,
    /// All of it.
    Nothing(WholeReason),
}

/// Why all of a rule is evaluated whatever moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WholeReason {
    /// Its group has a limit.
    Limit,
    /// No label keeps its results apart.
    OnePiece,
}

impl Keeping {
    /// Of a rule that falls apart by these labels, in a group without a limit.
    pub(in crate::engine::rules) fn of(partition: &Partition) -> Self {
        if partition.is_one_piece() { Self::Nothing(WholeReason::OnePiece) } else { Self::Results }
    }

    /// Why all of it is evaluated, as a sentence; none where it is not.
    pub(crate) const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Results => None,
            Self::Nothing(WholeReason::Limit) => {
                Some("The group has a limit: whether an alert is let in depends on all others of the rule.")
            }
            Self::Nothing(WholeReason::OnePiece) => Some(
                "The expression has one result for all series, so that each arrival evaluates all of it.",
            ),
        }
    }
}
