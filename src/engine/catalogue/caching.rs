//! What the events of the caching context move.

use std::time::Duration;

use super::Catalogue;
use super::families::Group;
use super::rows::Metric;
use crate::engine::time::Timestamp;
use crate::engine::trackers::cache_entries::CacheCreation;
use crate::engine::trackers::gauges::Board;
use crate::engine::wire::payload::{
    CacheEntryAccessed, CacheEntryCreated, CacheEntryInvalidated, CacheWarmerCompleted, CacheWarmerStarted,
    Quantity,
};

const CREATED: Group<3, 3> = Group {
    metrics: [Metric::CacheCreated, Metric::CacheEntrySize, Metric::CacheEntryTtl],
    labels: ["level", "entry_type", "source"],
};
const ACCESSED: Group<2, 2> =
    Group { metrics: [Metric::CacheAccesses, Metric::CacheAccessDuration], labels: ["level", "result"] };
const INVALIDATED: Group<2, 2> =
    Group { metrics: [Metric::CacheInvalidated, Metric::CacheEntryAge], labels: ["level", "reason"] };
const WARMER_START: Group<2, 1> =
    Group { metrics: [Metric::WarmersStarted, Metric::WarmerTarget], labels: ["strategy"] };
const WARMER_END: Group<2, 1> =
    Group { metrics: [Metric::WarmersCompleted, Metric::WarmerDuration], labels: ["strategy"] };
const WARMER_ENTRIES: Group<1, 2> =
    Group { metrics: [Metric::WarmerEntries], labels: ["strategy", "outcome"] };

impl Catalogue {
    pub(super) fn cache_created(
        &mut self,
        board: &mut Board<'_>,
        event: &CacheEntryCreated<'_>,
        at: Timestamp,
    ) {
        let values = [event.cache_level.as_ref(), &event.entry_type, &event.source];
        let [created, size, ttl] = self.families.series(board, &CREATED, values);
        board.add(created, 1.0);
        board.observe(size, event.entry_size_bytes.value());
        board.observe(ttl, event.ttl_seconds.value());
        let creation = CacheCreation {
            level: self.families.value(&event.cache_level),
            key: &event.cache_key,
            bytes: event.entry_size_bytes,
            expires: expiry(at, event.ttl_seconds),
        };
        self.cache.created(board, creation);
    }

    pub(super) fn cache_accessed(&mut self, board: &mut Board<'_>, event: &CacheEntryAccessed<'_>) {
        let result = if event.was_hit { "hit" } else { "miss" };
        let [accesses, duration] = self.families.series(board, &ACCESSED, [&event.cache_level, result]);
        board.add(accesses, 1.0);
        board.observe(duration, event.access_duration_ms.value() / 1e3);
        if event.was_hit {
            self.cache.hit(board, self.families.value(&event.cache_level), &event.cache_key);
        }
    }

    pub(super) fn cache_invalidated(&mut self, board: &mut Board<'_>, event: &CacheEntryInvalidated<'_>) {
        let values = [event.cache_level.as_ref(), &event.reason];
        let [invalidated, age] = self.families.series(board, &INVALIDATED, values);
        board.add(invalidated, 1.0);
        board.observe(age, event.entry_age_seconds.value());
        self.cache.invalidated(board, self.families.value(&event.cache_level), &event.cache_key);
    }

    pub(super) fn warmer_started(&mut self, board: &mut Board<'_>, event: &CacheWarmerStarted<'_>) {
        let [started, target] = self.families.series(board, &WARMER_START, [&event.warming_strategy]);
        board.add(started, 1.0);
        board.set(target, event.target_entries.value());
        self.warmers.started(board, self.families.value(&event.warming_strategy));
    }

    pub(super) fn warmer_completed(&mut self, board: &mut Board<'_>, event: &CacheWarmerCompleted<'_>) {
        let strategy = event.warming_strategy.as_ref();
        let [completed, duration] = self.families.series(board, &WARMER_END, [strategy]);
        board.add(completed, 1.0);
        board.observe(duration, event.duration_ms.value() / 1e3);
        for (outcome, entries) in [("loaded", event.entries_loaded), ("failed", event.entries_failed)] {
            let [count] = self.families.series(board, &WARMER_ENTRIES, [strategy, outcome]);
            board.add(count, entries.value());
        }
        self.warmers.completed(board, self.families.value(strategy));
    }
}

/// When a time to live is over that began at `at`; 0 stands for one without an end, as caches have it.
fn expiry(at: Timestamp, ttl_seconds: Quantity) -> Option<Timestamp> {
    let ttl = Duration::try_from_secs_f64(ttl_seconds.value()).ok().filter(|ttl| !ttl.is_zero())?;
    Some(at.after(ttl))
}
