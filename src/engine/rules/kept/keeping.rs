//! What an evaluation on arrival goes over, for people.

use super::Partition;

/// What of a rule is evaluated when series that it reads moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// The results of the series that moved; all others are kept.
    Results,
    /// All of it, from what was found ahead.
    WorkedOut,
    /// All of it, from the beginning.
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

    /// The same of a rule whose expression is worked out ahead.
    pub(in crate::engine::rules) const fn worked_out(self) -> Self {
        match self {
            Self::Results => Self::Results,
            Self::WorkedOut | Self::Nothing(_) => Self::WorkedOut,
        }
    }

    /// What an arrival evaluates, as a sentence.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Results => "The results of the series that it moved.",
            Self::WorkedOut => {
                "All of it, from present values and the ends of windows: the series it reads, their groups and their \
                 labels are kept."
            }
            Self::Nothing(WholeReason::Limit) => {
                "All of it: the group has a limit, and whether an alert is let in depends on all others of the rule."
            }
            Self::Nothing(WholeReason::OnePiece) => {
                "All of it, and nothing of the expression can be kept: it has one result for all series, and needs \
                 more than present values and the ends of windows over counters."
            }
        }
    }
}
