//! The 28 event types and their payloads, field for field as `domain-events.md` (and `METRICS.md` for the four
//! without a payload there) has them.

use super::Text;

/// A non-negative whole number or duration as it stood on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantity {
    /// A whole number that fits 64 bits.
    Whole(u64),
    /// A fraction (durations only) or a whole number beyond 64 bits.
    Real(f64),
}

impl Quantity {
    /// The number as metrics count.
    pub fn value(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Real(real) => real,
        }
    }
}

/// The `metric_type` of a MetricRecorded event, and the type of every metric family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MetricType {
    /// Adds up.
    Counter,
    /// Is set.
    Gauge,
    /// Observes.
    Histogram,
}

/// How a field's Rust type follows from its word in the table below.
macro_rules! field_type {
    (text) => { Text<'a> };
    (optional_text) => { Option<Text<'a>> };
    (whole) => { Quantity };
    (optional_whole) => { Option<Quantity> };
    (span) => { Quantity };
    (optional_span) => { Option<Quantity> };
    (ratio) => { f64 };
    (number) => { f64 };
    (flag) => { bool };
    (texts) => { Vec<Text<'a>> };
    (tags) => { Vec<(Text<'a>, Text<'a>)> };
    (metric_type) => { MetricType };
}

/// The table of event types: name, context, and each payload field with its kind.
macro_rules! events {
    ($($(#[$doc:meta])* $name:ident $context:literal { $($field:ident: $kind:ident,)* })*) => {
        /// One of the 28 event types.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum EventType { $($(#[$doc])* $name,)* }

        impl EventType {
            /// All of them, in the order of the specification's taxonomy.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The bounded context, the second token of the subject.
            pub const fn context(self) -> &'static str {
                match self { $(Self::$name => $context,)* }
            }
        }

        /// The typed fields of one event.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Payload<'a> { $($(#[$doc])* $name($name<'a>),)* }

        impl Payload<'_> {
            /// Which type it is.
            pub const fn event_type(&self) -> EventType {
                match self { $(Self::$name(_) => EventType::$name,)* }
            }
        }

        $(event_struct! { $(#[$doc])* $name { $($field: $kind,)* } })*
    };
}

/// One payload struct. Every one has a text field, so each borrows and [`Payload`] has one lifetime.
macro_rules! event_struct {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[expect(missing_docs, reason = "the fields are the specification's, word for word")]
        pub struct $name<'a> { $(pub $field: field_type!($kind),)* }
    };
}

events! {
    /// A user starts an upload.
    FileUploadStarted "processing" {
        transcript_id: text, file_name: text, file_size: whole, file_hash: text, language: optional_text,
        upload_ip: text,
    }
    /// A chunk begins processing.
    ChunkProcessingStarted "processing" {
        transcript_id: text, chunk_id: text, chunk_index: whole, total_chunks: whole, chunk_size: whole,
        processing_strategy: text,
    }
    /// A chunk completes.
    ChunkProcessingCompleted "processing" {
        transcript_id: text, chunk_id: text, chunk_index: whole, processing_duration_ms: span, text_length: whole,
        was_cached: flag, cache_key: optional_text,
    }
    /// A chunk fails.
    ChunkProcessingFailed "processing" {
        transcript_id: text, chunk_id: text, chunk_index: whole, error_type: text, error_message: text,
        retry_count: whole, will_retry: flag,
    }
    /// All chunks of a file are processed and merged.
    FileProcessingCompleted "processing" {
        transcript_id: text, total_duration_ms: span, total_chunks: whole, successful_chunks: whole,
        failed_chunks: whole, cache_hits: whole, final_text_length: whole, detected_language: text,
    }
    /// A file fails for good.
    FileProcessingFailed "processing" {
        transcript_id: optional_text, error_type: optional_text, error_message: optional_text,
        failed_chunks: optional_whole, total_chunks: optional_whole,
    }
    /// A file's processing moves on.
    ProgressUpdated "processing" {
        transcript_id: text, progress: ratio, current_chunk: whole, total_chunks: whole, status: text,
    }
    /// An entry enters the cache.
    CacheEntryCreated "caching" {
        cache_key: text, cache_level: text, entry_size_bytes: whole, ttl_seconds: span, entry_type: text,
        source: text,
    }
    /// The cache is read.
    CacheEntryAccessed "caching" {
        cache_key: text, cache_level: text, was_hit: flag, access_duration_ms: span,
    }
    /// An entry leaves the cache.
    CacheEntryInvalidated "caching" {
        cache_key: text, cache_level: text, reason: text, entry_age_seconds: span,
    }
    /// Cache warming begins.
    CacheWarmerStarted "caching" { warming_strategy: text, target_entries: whole, }
    /// Cache warming ends.
    CacheWarmerCompleted "caching" {
        warming_strategy: text, entries_loaded: whole, entries_failed: whole, duration_ms: span,
    }
    /// A job joins a queue.
    JobQueued "queue" {
        job_id: text, job_type: text, priority: text, queue_name: text, payload_size: whole, submitter: text,
    }
    /// A worker begins a job.
    JobStarted "queue" { job_id: text, worker_id: text, worker_pid: whole, queue_name: text, }
    /// A job moves on.
    JobProgressUpdated "queue" {
        job_id: text, progress: ratio, message: optional_text, current_step: text,
    }
    /// A job succeeds.
    JobCompleted "queue" {
        job_id: text, worker_id: text, duration_ms: span, result_size: whole, retry_count: whole,
    }
    /// A job fails for good.
    JobFailed "queue" {
        job_id: text, worker_id: text, error_type: text, error_message: text, retry_count: whole,
        sent_to_dlq: flag,
    }
    /// A job will be tried again.
    JobRetryScheduled "queue" {
        job_id: text, retry_attempt: whole, max_retries: whole, backoff_seconds: span, reason: text,
    }
    /// A worker process starts.
    WorkerStarted "queue" { worker_id: text, worker_pid: whole, queues: texts, concurrency: whole, }
    /// A worker process stops.
    WorkerStopped "queue" { worker_id: text, reason: text, jobs_running: whole, }
    /// A metric is recorded.
    MetricRecorded "monitoring" {
        metric_name: text, metric_value: number, metric_type: metric_type, tags: tags,
    }
    /// An alert fires.
    AlertTriggered "monitoring" {
        alert_rule_id: text, alert_name: text, severity: text, metric_name: text, current_value: number,
        threshold: number, message: text,
    }
    /// An alert ends.
    AlertCleared "monitoring" { alert_rule_id: text, alert_name: text, duration_seconds: span, }
    /// A dashboard is generated.
    DashboardGenerated "monitoring" {
        dashboard_id: optional_text, dashboard_name: optional_text, panel_count: optional_whole,
    }
    /// A database connection leaves its pool.
    ConnectionAcquired "database" {
        pool_id: text, pool_size: whole, pool_available: whole, checkout_duration_ms: span,
    }
    /// A database connection returns to its pool.
    ConnectionReleased "database" {
        pool_id: optional_text, pool_size: optional_whole, pool_available: optional_whole,
        held_duration_ms: optional_span,
    }
    /// A query is executed.
    QueryExecuted "database" {
        query_hash: text, query_type: text, table_name: text, duration_ms: span, row_count: whole,
        used_index: optional_text,
    }
    /// An index is created.
    IndexCreated "database" {
        index_name: optional_text, table_name: optional_text, duration_ms: optional_span,
    }
}
