//! Moments: which messages of a backlog one evaluation sees.

use std::time::Duration;

use crate::engine::time::Timestamp;

/// A span of the time at which messages were stored. Spans lie on a grid, so that both instances of a pair part a backlog
/// in the same places, wherever each of them begins to read it and in whatever batches it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) struct Moment(i64);

impl Moment {
    /// The one that a message is of that was stored then, where moments are that long.
    pub(super) fn of(stored: Timestamp, length: Duration) -> Self {
        let length = i64::try_from(length.as_micros()).unwrap_or(i64::MAX).max(1);
        Self(stored.micros().div_euclid(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_lie_on_a_grid() {
        let of = |micros| Moment::of(Timestamp::from_micros(micros), Duration::from_millis(10));
        assert_eq!(of(20_000), of(29_999));
        assert!(of(29_999) < of(30_000));
        assert!(of(-1) < of(0));
    }
}
