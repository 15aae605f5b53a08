//! Label values that are there at zero from the start.

/// Without labels: there from the start.
pub(super) const ALONE: &[&[&str]] = &[&[]];
pub(super) const CACHED: &[&[&str]] = &[&["true"], &["false"]];
pub(super) const CHUNK_OUTCOMES: &[&[&str]] = &[&["successful"], &["failed"], &["cached"]];
pub(super) const LEVELS: &[&[&str]] = &[&["L1"], &["L2"], &["L3"]];
pub(super) const LEVELS_AND_RESULTS: &[&[&str]] =
    &[&["L1", "hit"], &["L1", "miss"], &["L2", "hit"], &["L2", "miss"], &["L3", "hit"], &["L3", "miss"]];
pub(super) const EVICTIONS: &[&[&str]] = &[
    &["jobs", "entries"],
    &["jobs", "age"],
    &["jobs", "ended"],
    &["workers", "entries"],
    &["workers", "age"],
    &["chunks", "entries"],
    &["chunks", "age"],
    &["chunks", "ended"],
    &["files", "entries"],
    &["files", "age"],
    &["files", "ended"],
    &["cache", "entries"],
    &["cache", "age"],
    &["warmers", "entries"],
    &["warmers", "age"],
    &["warmers", "ended"],
];
pub(super) const TRACKERS: &[&[&str]] =
    &[&["jobs"], &["workers"], &["chunks"], &["files"], &["cache"], &["warmers"]];
