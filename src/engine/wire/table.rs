//! The table all event types come from: name, context, and each payload field with its kind.
//!
//! Types, reading, writing and their tests expand from it, so that no field can be in one and not in another.
//!
//! | kind | on the wire |
//! |---|---|
//! | `text`, `name` | a string; a `name` is not empty |
//! | `whole`, `span` | a number of at least 0; a `span`, a duration, may be a fraction |
//! | `ratio`, `number` | a number from 0 to 1; any finite number |
//! | `measurement` | a number as the event's `metric_type` allows it; for gauges also `"NaN"`, `"+Inf"`, `"-Inf"` |
//! | `flag`, `texts`, `tags`, `metric_type` | true or false; strings; an object of strings; one of three words |
//! | `optional_…` | the same, or null, or missing |
//! | `beside_text` | a string, else as if it were missing: what producers may add to the specification's fields |

/// Expands `$callback!` over the table of event types.
macro_rules! event_table {
    ($callback:ident) => {
        $callback! {
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
                metric_name: name, metric_value: measurement, metric_type: metric_type, tags: tags,
            }
            /// An alert fires.
            AlertTriggered "monitoring" {
                alert_rule_id: text, alert_name: text, severity: text, metric_name: text, current_value: number,
                threshold: number, message: text, fingerprint: beside_text,
            }
            /// An alert ends.
            AlertCleared "monitoring" {
                alert_rule_id: text, alert_name: text, duration_seconds: span, fingerprint: beside_text,
            }
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
    };
}

pub(super) use event_table;
