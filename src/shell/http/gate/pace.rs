//! How many requests are answered: room for some at once, and for one more after each interval.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::config::web::RateLimit;

/// When requests came, as far as it matters: the instant until which the room is taken.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<Option<Instant>>);

impl Pace {
    /// Whether a request that comes now is answered.
    pub(super) fn admits(&self, limit: &RateLimit, now: Instant) -> bool {
        let (interval, burst) = (limit.interval, u32::try_from(limit.burst).unwrap_or(u32::MAX));
        if interval.is_zero() {
            return true;
        }
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let start = taken.filter(|until| *until > now).unwrap_or(now);
        let Some(end) = start.checked_add(interval) else { return false };
        let room = interval.checked_mul(burst).unwrap_or(Duration::MAX);
        let admits = end.duration_since(now) <= room;
        if admits {
            *taken = Some(end);
        }
        admits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_come_at_once_and_one_more_after_each_interval() {
        let limit = RateLimit { burst: 2, interval: Duration::from_secs(1) };
        let (pace, start) = (Pace::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        let admitted =
            [0, 0, 0, 900, 1_000, 1_100, 5_000, 5_000, 5_000].map(|millis| pace.admits(&limit, at(millis)));
        assert_eq!(admitted, [true, true, false, false, true, false, true, true, false]);
    }

    #[test]
    fn without_an_interval_there_is_no_limit_and_without_room_nobody_comes() {
        let (pace, now) = (Pace::default(), Instant::now());
        let unlimited = RateLimit { burst: 0, interval: Duration::ZERO };
        assert!((0..100).all(|_| pace.admits(&unlimited, now)));
        assert!(!pace.admits(&RateLimit { burst: 0, interval: Duration::from_secs(1) }, now));
    }
}
