//! What is small: times, the place in the stream, versions seen, the names that events brought.

use std::sync::Arc;

use super::bytes::twin;
use crate::engine::time::Timestamp;

twin! {
    /// What is small.
    struct HeadTwin {
        /// The engine's time.
        now: Timestamp,
        position: Option<PositionTwin>,
        /// 1 where rules are silent: what the stream stored before the first start is being read.
        silent: u8,
        /// The names of the event types that rode the core lane.
        core_types: Vec<Arc<str>>,
        majors: Vec<MajorTwin>,
        versions: Vec<VersionTwin>,
        /// Alert events refused, as counted so far.
        alerts_refused: u64,
        recorded: RecordedTwin,
        catalogue: Vec<RowTwin>,
        slow_queries: Vec<SlowQueryTwin>,
    }
}

twin! {
    /// How far a stream was applied.
    struct PositionTwin {
        stream: Arc<str>,
        created: Arc<str>,
        rollbacks: u32,
        sequence: u64,
        applied: Option<AppliedTwin>,
        /// Of a consumer with acknowledgements: up to where everything was applied, and ranges above that.
        delivered: (u64, Vec<(u64, u64)>),
    }
}

twin! {
    /// The last message that was applied.
    struct AppliedTwin {
        sequence: u64,
        stored: Timestamp,
        event_id: Option<u128>,
    }
}

twin! {
    /// A major version of a type that was seen.
    struct MajorTwin {
        event_type: Arc<str>,
        major: u32,
        first: Timestamp,
        told: Option<Timestamp>,
    }
}

twin! {
    /// A version of a type that has a series of its own.
    struct VersionTwin {
        event_type: Arc<str>,
        major: u32,
        minor: u32,
        patch: u32,
        /// 1 where it was deprecated.
        deprecated: u8,
    }
}

twin! {
    /// The metrics that events brought.
    struct RecordedTwin {
        /// 1 where names keep characters outside `[a-zA-Z0-9_:]`.
        utf8: u8,
        families: Vec<RecordedFamilyTwin>,
        /// The name as events have it and the one it was registered under.
        named_before: Vec<(String, Arc<str>)>,
    }
}

twin! {
    /// A metric that events brought.
    struct RecordedFamilyTwin {
        /// The name of the family, without `_total`.
        name: Arc<str>,
        /// Its place in the store.
        family: u32,
        /// The name of the first event's metric, as it came.
        written: Arc<str>,
        /// Labels that are left out.
        dropped: Vec<String>,
    }
}

twin! {
    /// A row of the catalogue and its place in the store.
    struct RowTwin {
        /// The name as the table has it.
        row: Arc<str>,
        family: u32,
        /// The labels that are kept.
        labels: Vec<Arc<str>>,
    }
}

twin! {
    /// One of the worst queries.
    struct SlowQueryTwin {
        hash: String,
        table: String,
        seconds: f64,
    }
}
