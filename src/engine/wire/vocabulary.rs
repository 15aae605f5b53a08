//! The words that the specification names for a field, where another one is more likely a slip than a new kind: events
//! with others are taken all the same.

use super::payload::EventType;

/// The levels of the cache.
pub(crate) const CACHE_LEVELS: &[&str] = &["L1", "L2", "L3"];
/// The severities of alerts.
pub(crate) const SEVERITIES: &[&str] = &["info", "warning", "critical"];

/// The words that are expected in a field of a type; empty where any is.
pub(super) fn usual_words(event_type: EventType, field: &str) -> &'static [&'static str] {
    match (event_type, field) {
        (_, "cache_level") => CACHE_LEVELS,
        (_, "severity") => SEVERITIES,
        (_, "priority") => &["high", "medium", "low"],
        (_, "processing_strategy") => &["parallel", "sequential"],
        (EventType::ProgressUpdated, "status") => &["processing", "merging", "completed"],
        (EventType::CacheEntryInvalidated, "reason") => &["ttl_expired", "explicit", "eviction"],
        (EventType::WorkerStopped, "reason") => &["shutdown", "crash", "timeout"],
        _ => &[],
    }
}
