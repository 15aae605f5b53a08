//! The one clock: wall time at the start and what has passed since, so that it never jumps back while running.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::engine::stopwatch::Stopwatch;
use crate::engine::time::Timestamp;

/// A clock that only goes forward. Its copies go together.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    wall: Timestamp,
    start: Instant,
    /// Microseconds it was put forward by since.
    forward: Arc<AtomicU64>,
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
        Self { wall, start: read(), forward: Arc::default(), read, worked: None }
    }

    /// The same, but that it shows no less than this at its start: time goes on from a state, whatever the system says.
    pub(crate) fn not_before(self, than: Timestamp) -> Self {
        Self { wall: self.wall.max(than), ..self }
    }

    /// Goes on from this instant, where it is behind it.
    pub(crate) fn put_forward(&self, to: Timestamp) {
        let behind = u64::try_from(to.since(self.now()).as_micros()).unwrap_or(u64::MAX);
        self.forward.fetch_add(behind, Ordering::Relaxed);
    }

    /// When it was started.
    pub(crate) const fn started(&self) -> Timestamp {
        self.wall
    }

    /// The present instant.
    pub(crate) fn now(&self) -> Timestamp {
        let forward = Duration::from_micros(self.forward.load(Ordering::Relaxed));
        self.wall.after(self.elapsed().saturating_add(forward))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_put_forward_with_its_copies_and_never_back() {
        let clock = Clock::start();
        let (copy, ahead) = (clock.clone(), clock.now().after(Duration::from_hours(1)));
        copy.put_forward(ahead);
        assert!(clock.now() >= ahead && clock.now() < ahead.after(Duration::from_mins(1)));
        copy.put_forward(clock.started());
        assert!(clock.now() >= ahead && clock.now() < ahead.after(Duration::from_mins(1)));
    }

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
