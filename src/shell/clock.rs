//! The one clock: wall time at the start and what has passed since, so that it never jumps while running.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::engine::stopwatch::Stopwatch;
use crate::engine::time::Timestamp;

/// A clock that only goes forward.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    wall: Timestamp,
    start: Instant,
}

impl Stopwatch for Clock {
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

impl Clock {
    /// Reads the wall clock once.
    pub(crate) fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { wall: Timestamp::EPOCH.after(since), start: Instant::now() }
    }

    /// When it was started.
    pub(crate) const fn started(&self) -> Timestamp {
        self.wall
    }

    /// The present instant.
    pub(crate) fn now(&self) -> Timestamp {
        self.wall.after(self.start.elapsed())
    }
}
