//! Label values that are there at zero from the start.

use crate::engine::fact::{DropReason, QueryRefusal, ReloadResult};
use crate::engine::wire::EventType;

/// Without labels: there from the start.
pub(super) const ALONE: &[&[&str]] = &[&[]];
pub(super) const CACHED: &[&[&str]] = &[&["true"], &["false"]];
pub(super) const CHUNK_OUTCOMES: &[&[&str]] = &[&["successful"], &["failed"], &["cached"]];
pub(super) const LEVELS: &[&[&str]] = &[&["L1"], &["L2"], &["L3"]];
pub(super) const LEVELS_AND_RESULTS: &[&[&str]] =
    &[&["L1", "hit"], &["L1", "miss"], &["L2", "hit"], &["L2", "miss"], &["L3", "hit"], &["L3", "miss"]];
pub(super) const EVICTIONS: &[&[&str]] = &[
    &["jobs", "full"],
    &["jobs", "abandoned"],
    &["workers", "full"],
    &["workers", "abandoned"],
    &["chunks", "full"],
    &["chunks", "abandoned"],
    &["files", "full"],
    &["files", "abandoned"],
    &["cache", "full"],
    &["cache", "abandoned"],
    &["cache", "expired"],
    &["warmers", "full"],
    &["warmers", "abandoned"],
    &["alerts", "full"],
    &["alerts", "abandoned"],
];
pub(super) const TRACKERS: &[&[&str]] =
    &[&["jobs"], &["workers"], &["chunks"], &["files"], &["cache"], &["warmers"], &["alerts"]];
pub(super) const ALERT_EVENTS: &[&[&str]] =
    &[&[EventType::AlertTriggered.name()], &[EventType::AlertCleared.name()]];
pub(super) const DROP_REASONS: &[&[&str]] = &[
    &[DropReason::SlowConsumer.word()],
    &[DropReason::ServerCut.word()],
    &[DropReason::Disconnected.word()],
];
pub(super) const QUERY_REFUSALS: &[&[&str]] = &[&[QueryRefusal::QueueFull.word()]];
pub(super) const RELOAD_RESULTS: &[&[&str]] =
    &[&[ReloadResult::Success.word()], &[ReloadResult::Failure.word()]];
