//! What bounds a tracker, and the trackers' names.

use std::collections::BTreeMap;
use std::time::Duration;

/// A tracker, as the label `tracker` and `limits.abandon_after` name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrackerName {
    /// Jobs of queues.
    Jobs,
    /// Workers of queues.
    Workers,
    /// Chunks of files.
    Chunks,
    /// Files.
    Files,
    /// Entries of the cache.
    Cache,
    /// Runs of cache warmers.
    Warmers,
    /// Alerts of others.
    Alerts,
}

impl TrackerName {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Jobs, Self::Workers, Self::Chunks, Self::Files, Self::Cache, Self::Warmers, Self::Alerts];

    /// The word in labels and in the configuration.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Workers => "workers",
            Self::Chunks => "chunks",
            Self::Files => "files",
            Self::Cache => "cache",
            Self::Warmers => "warmers",
            Self::Alerts => "alerts",
        }
    }

    /// The tracker of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.word() == word)
    }
}

/// Bounds of the trackers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackerLimits {
    /// Entries of one tracker.
    pub entries: usize,
    /// How long what has ended is remembered.
    pub age: Duration,
    /// After how long without a move something alive is given up; a tracker that is not named never gives up.
    pub abandon_after: BTreeMap<TrackerName, Duration>,
}
