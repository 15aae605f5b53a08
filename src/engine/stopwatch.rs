//! How long the engine's own work takes: the one thing it cannot know by itself.
//!
//! Two things depend on it: metrics, and how long a group of rules pauses after an evaluation on arrival. What an
//! evaluation decides does not. Under [`Stopped`] the pause is fixed, so the same calls yield the same bytes.

use std::fmt;
use std::time::Duration;

/// Measures spans of work.
pub trait Stopwatch: fmt::Debug + Send + Sync {
    /// The time since some fixed instant; never less than before.
    fn elapsed(&self) -> Duration;
    /// What this thread worked since some fixed instant: other than with [`Stopwatch::elapsed`] the time does not count that
    /// it waited for a core, or stood still with its machine.
    fn worked(&self) -> Duration {
        self.elapsed()
    }
}

/// Does not run: for replays, tests and queries.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stopped;

impl Stopwatch for Stopped {
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}
