//! Trackers: what is waiting, running, cached or alive, told from events that each show only one change.
//!
//! A tracker holds one entry a job, chunk, file, worker, cache entry, warmer strategy or alert of others in a [`frame::Frame`], which
//! bounds them, evicts and forgets; the tracker itself is only the transitions. Entries whose end is known stay too,
//! since only they tell a late start from a new one; they make room first.
//!
//! A gauge stays while an entry counts in it, however long nothing moves; when the last one ended it shows 0 for
//! `stale_after` and then leaves. Ratios are absent where there is nothing to tell.
//!
//! An entry remembers the series it is counted in, and each gauge is a sum by series ([`gauges::Counted`]). So label
//! sets that fold into one, by a limit or by a dropped label, add up there without anybody knowing.

pub(crate) mod alerts;
pub(crate) mod cache_entries;
pub(crate) mod chunks;
pub(crate) mod files;
pub(crate) mod frame;
pub(crate) mod gauges;
mod job;
pub(crate) mod jobs;
pub(crate) mod key;
pub(crate) mod oldest;
mod pages;
pub(crate) mod ratios;
pub(crate) mod slow_queries;
pub(crate) mod table;
pub(crate) mod warmers;
pub(crate) mod words;
pub(crate) mod workers;
