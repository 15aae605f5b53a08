//! What bounds a tracker, and the trackers' names.

use std::collections::BTreeMap;
use std::time::Duration;

use super::declare::KeyValue;
use crate::engine::yaml::{Read, ReadValue, Values};

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
    pub(crate) const ALL: [Self; 7] =
        [Self::Jobs, Self::Workers, Self::Chunks, Self::Files, Self::Cache, Self::Warmers, Self::Alerts];

    /// The word in labels and in the configuration.
    pub(crate) const fn word(self) -> &'static str {
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
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.word() == word)
    }
}

/// Bounds of the trackers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrackerLimits {
    /// Entries of one tracker.
    pub(crate) entries: usize,
    /// How long what has ended is remembered.
    pub(crate) age: Duration,
    /// After how long without a move something alive is given up; a tracker that is not named never gives up.
    pub(crate) abandon_after: BTreeMap<TrackerName, Duration>,
}

impl KeyValue for BTreeMap<TrackerName, Duration> {
    fn of_read(read: &Read) -> Option<Self> {
        if let ReadValue::Duration(span) = read.value {
            return Some(TrackerName::ALL.iter().map(|name| (*name, span)).collect());
        }
        let spans = Values::of(read).0.into_iter().filter_map(|(word, read)| {
            let ReadValue::Duration(span) = read.value else { return None };
            Some((TrackerName::from_word(&word)?, span))
        });
        Some(spans.collect())
    }

    fn absent() -> Self {
        Self::new()
    }
}
