//! How long the engine's own work takes: the one thing it cannot know by itself.
//!
//! A stopwatch is for metrics alone. Nothing the engine decides depends on it, so the same calls yield the same
//! decisions under any stopwatch, and the same bytes under [`Stopped`].

use std::fmt;
use std::time::Duration;

/// Measures spans of work.
pub trait Stopwatch: fmt::Debug + Send + Sync {
    /// The time since some fixed instant; never less than before.
    fn elapsed(&self) -> Duration;
}

/// Does not run: for replays, tests and queries.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stopped;

impl Stopwatch for Stopped {
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}
