//! The one clock: wall time at the start and what has passed since, so that it never jumps while running.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::engine::stopwatch::Stopwatch;
use crate::engine::time::Timestamp;

/// A clock that only goes forward.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    wall: Timestamp,
    start: Instant,
    read: fn() -> Instant,
    /// What this thread worked so far; none where the clock is made up.
    worked: Option<fn() -> Duration>,
}

impl Stopwatch for Clock {
    fn elapsed(&self) -> Duration {
        (self.read)().saturating_duration_since(self.start)
    }

    fn worked(&self) -> Duration {
        self.worked.map_or_else(|| self.elapsed(), |worked| worked())
    }
}

impl Clock {
    /// Reads the wall clock once.
    pub(crate) fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let worked = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default();
        Self { worked: Some(worked), ..Self::showing(Timestamp::EPOCH.after(since), Instant::now) }
    }

    /// Shows `wall` now, and goes on as `read` does.
    pub(crate) fn showing(wall: Timestamp, read: fn() -> Instant) -> Self {
        Self { wall, start: read(), read, worked: None }
    }

    /// The same, but that it shows no less than this at its start: time goes on from a state, whatever the system says.
    pub(crate) fn not_before(self, than: Timestamp) -> Self {
        Self { wall: self.wall.max(than), ..self }
    }

    /// When it was started.
    pub(crate) const fn started(&self) -> Timestamp {
        self.wall
    }

    /// The present instant.
    pub(crate) fn now(&self) -> Timestamp {
        self.wall.after(self.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_from_the_wall_clock_of_its_start() {
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let clock = Clock::start();
        let (first, second) = (clock.now(), clock.now());
        assert!(clock.started() >= Timestamp::EPOCH.after(before) && first >= clock.started());
        assert!(second >= first && clock.elapsed() >= first.since(clock.started()));
        // This thread did something by now.
        let worked = clock.worked();
        assert!(worked > Duration::ZERO && worked <= clock.worked());
    }
}
