//! Families, series and values; the last events and what they moved.

use std::sync::Arc;
use std::time::Duration;

use super::bytes::twin;
use crate::engine::time::Timestamp;

/// A series: its slot and the generation of it.
pub(in crate::engine) type SeriesTwinId = (u32, u32);

twin! {
    /// The store.
    struct StoreTwin {
        families: Vec<FamilyTwin>,
        /// By slot: its generation.
        generations: Vec<u32>,
        /// Slots without a series, in the order in which they were left.
        free_slots: Vec<u32>,
        /// Pages of cells.
        cell_pages: u32,
        /// What events moved lately, oldest first.
        moves: Vec<MoveTwin>,
    }
}

twin! {
    /// A family with its series.
    struct FamilyTwin {
        name: Arc<str>,
        /// 0 counter, 1 gauge, 2 histogram.
        metric_type: u8,
        help: String,
        unit: Option<Arc<str>>,
        buckets: Vec<f64>,
        stale_after: Option<Duration>,
        /// 0 the sidecar's own, 1 of an event.
        owner: u8,
        /// Places without a series, in the order in which they were left.
        holes: Vec<u32>,
        series: Vec<SeriesTwin>,
    }
}

twin! {
    /// A series with its values.
    struct SeriesTwin {
        /// Its place in the family.
        place: u32,
        slot: u32,
        /// Its first cell.
        cell: u32,
        born: Timestamp,
        moved: Timestamp,
        /// 4 overflow, 8 held, 16 parked.
        marks: u8,
        /// Its labels as they are shown.
        text: String,
        values: Vec<f64>,
        /// By a cell's place in the series: what last added to it, and which event did.
        exemplars: Vec<ExemplarTwin>,
    }
}

twin! {
    /// What last added to a cell.
    struct ExemplarTwin {
        place: u32,
        value: f64,
        event: u32,
    }
}

twin! {
    /// An event moved a series.
    struct MoveTwin {
        event: u32,
        slot: u32,
        generation: u32,
    }
}

twin! {
    /// The last events.
    struct RecentTwin {
        /// The ordinal of the next event.
        next: u32,
        /// Oldest first.
        events: Vec<RecentEventTwin>,
    }
}

twin! {
    /// One of the last events.
    struct RecentEventTwin {
        id: u128,
        trace: Option<u128>,
        timestamp: Timestamp,
        query_hash: String,
    }
}
