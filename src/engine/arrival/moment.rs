//! Moments: which messages of a backlog one evaluation sees.

use crate::engine::time::Timestamp;

use super::catch_up::TOGETHER;

/// A span of the time at which messages were stored. Spans lie on a grid, so that both instances of a pair part a backlog
/// in the same places, wherever each of them begins to read it and in whatever batches it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) struct Moment(i64);

impl Moment {
    /// The one that a message is of that was stored then.
    pub(super) fn of(stored: Timestamp) -> Self {
        let length = i64::try_from(TOGETHER.as_micros()).unwrap_or(i64::MAX);
        Self(stored.micros().div_euclid(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_lie_on_a_grid_of_ten_milliseconds() {
        let of = |micros| Moment::of(Timestamp::from_micros(micros));
        assert_eq!(of(20_000), of(29_999));
        assert!(of(29_999) < of(30_000));
        assert!(of(-1) < of(0));
    }
}
