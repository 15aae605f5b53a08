//! Trackers: what is waiting, running, cached or alive, told from events that each show only one change.
//!
//! A tracker holds one entry a job, chunk, file, worker, cache entry or warmer strategy, at most
//! [`TrackerLimits::entries`](crate::engine::config::TrackerLimits) of them, each until nothing moved it for
//! [`TrackerLimits::age`](crate::engine::config::TrackerLimits). Entries whose end is known stay too, since only they
//! tell a late start from a new one; they make room first.
//!
//! An entry remembers the series it is counted in, and each gauge is a sum by series ([`gauges::Counted`]). So label
//! sets that fold into one, by a limit or by a dropped label, add up there without anybody knowing.

pub mod cache_entries;
pub mod chunks;
pub mod files;
pub mod gauges;
pub mod jobs;
pub mod key;
pub mod oldest;
pub mod roll;
pub mod slow_queries;
pub mod warmers;
pub mod words;
pub mod workers;

use crate::engine::time::Timestamp;

/// Stands for an instant that never was: older than every event's.
pub(crate) const NEVER: Timestamp = Timestamp::from_micros(i64::MIN);
