//! The table of metrics: the one source of names, types, labels, units and help texts.
//!
//! Families are registered from it, rules are checked against it, and the HTTP metadata and the metrics page of the
//! documentation are written from it.

use super::buckets::{
    ALERT_SECONDS, BYTES, CHARS, EVALUATION_SECONDS, LAG_SECONDS, LATENCY_SECONDS, LIFETIME_SECONDS, RETRIES,
    ROWS, WORK_SECONDS,
};
use super::declared::{
    ALERT_EVENTS, ALONE, CACHED, CHUNK_OUTCOMES, DROP_REASONS, EVICTIONS, LEVELS, LEVELS_AND_RESULTS,
    QUERY_REFUSALS, RELOAD_RESULTS, TRACKERS,
};
use super::row::{CatalogueRow, Source};
use crate::engine::metric::{MetricType, sample_names};
use crate::engine::wire::payload::EventType;

/// Names each row, so that code refers to it, and puts it in the table.
macro_rules! rows {
    ($($metric:ident: $kind:ident $source:ident$(($event:ident))? $name:literal $labels:expr, $help:literal
        $(, $detail:ident($($value:expr)?))*;)*) => {
        /// A row of [`CATALOGUE`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Metric { $($metric,)* }

        impl Metric {
            /// All of them, in the order of the catalogue.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$metric,)*];

            /// What it is.
            pub(crate) const fn row(self) -> &'static CatalogueRow {
                match self { $(Self::$metric => {
                    const ROW: &CatalogueRow = &CatalogueRow::new(
                        $name, MetricType::$kind, &$labels, Source::$source$((EventType::$event))?, $help,
                    )$(.$detail($($value)?))*;
                    ROW
                })* }
            }
        }

        /// One value for each metric.
        #[derive(Clone, Debug)]
        #[expect(non_snake_case, reason = "each field is called as its metric")]
        pub(super) struct PerMetric<T> { $($metric: T,)* }

        impl<T> PerMetric<T> {
            /// What `make` says of each, in the order of the table.
            pub(super) fn of(mut make: impl FnMut(Metric) -> T) -> Self {
                Self { $($metric: make(Metric::$metric),)* }
            }

            /// The value of one.
            pub(super) const fn get(&self, metric: Metric) -> &T {
                match metric { $(Metric::$metric => &self.$metric,)* }
            }
        }

        /// Every metric that the sidecar exposes of itself, in the order of the specification.
        pub(crate) const CATALOGUE: &[&CatalogueRow] = &[$(Metric::$metric.row(),)*];
    };
}

rows! {
    Uploads: Counter Event(FileUploadStarted) "processing_uploads_total" ["language"],
        "File uploads that began.";
    UploadSize: Histogram Event(FileUploadStarted) "processing_upload_size_bytes" [],
        "Size of uploaded files.", unit("bytes"), buckets(BYTES), declared(ALONE);
    FilesActive: Gauge Tracker(FileUploadStarted) "processing_files_active" [],
        "Files whose upload began and whose processing has not ended.", declared(ALONE);
    ChunksStarted: Counter Event(ChunkProcessingStarted) "processing_chunks_started_total" ["strategy"],
        "Chunks whose processing began.";
    ChunksActive: Gauge Tracker(ChunkProcessingStarted) "processing_chunks_active" ["strategy"],
        "Chunks in processing.";
    ChunkSize: Histogram Event(ChunkProcessingStarted) "processing_chunk_size_bytes" [],
        "Size of chunks.", unit("bytes"), buckets(BYTES), declared(ALONE);
    ChunksCompleted: Counter Event(ChunkProcessingCompleted) "processing_chunks_completed_total" ["cached"],
        "Chunks completed, by whether the result came from the cache.", declared(CACHED);
    ChunkDuration: Histogram Event(ChunkProcessingCompleted) "processing_chunk_duration_seconds" ["cached"],
        "Time to process a chunk.", unit("seconds"), buckets(WORK_SECONDS), declared(CACHED);
    ChunkTextLength: Histogram Event(ChunkProcessingCompleted) "processing_chunk_text_length_chars" [],
        "Length of the text of a chunk.", unit("chars"), buckets(CHARS), declared(ALONE);
    ChunksFailed: Counter Event(ChunkProcessingFailed) "processing_chunks_failed_total" ["error_type", "will_retry"],
        "Chunks that failed, by kind of error and whether they will be tried again.";
    ChunkFailureRetries: Histogram Event(ChunkProcessingFailed) "processing_failed_chunk_retries" [],
        "Retries that chunks had when they failed.", fixed_buckets(RETRIES), declared(ALONE);
    FilesCompleted: Counter Event(FileProcessingCompleted) "processing_files_completed_total" ["language"],
        "Files processed to the end, by detected language.";
    FileDuration: Histogram Event(FileProcessingCompleted) "processing_file_duration_seconds" [],
        "Time to process a whole file.", unit("seconds"), buckets(WORK_SECONDS), declared(ALONE);
    FileChunks: Counter Event(FileProcessingCompleted) "processing_file_chunks_total" ["outcome"],
        "Chunks of completed files, by outcome.", declared(CHUNK_OUTCOMES);
    FileTextLength: Histogram Event(FileProcessingCompleted) "processing_file_text_length_chars" [],
        "Length of the text of a whole file.", unit("chars"), buckets(CHARS), declared(ALONE);
    FilesFailed: Counter Event(FileProcessingFailed) "processing_files_failed_total" ["error_type"],
        "Files that failed for good, by kind of error.";
    ProgressUpdates: Counter Event(ProgressUpdated) "processing_progress_updates_total" ["status"],
        "Progress updates of files, by status.";
    FilesInProgress: Gauge Tracker(ProgressUpdated) "processing_files_in_progress" ["status"],
        "Files in progress, by the status of their last progress update.";
    FileProgress: Gauge Tracker(ProgressUpdated) "processing_file_progress_ratio" ["stat"],
        "Least and average progress over the files in progress, absent when there are none.", unit("ratio");
    FileProgressAge: Gauge Tracker(ProgressUpdated) "processing_oldest_progress_age_seconds" [],
        "Longest time since any file in progress last moved; 0 when the last one ended.", unit("seconds");

    CacheCreated: Counter Event(CacheEntryCreated) "cache_entries_created_total" ["level", "entry_type", "source"],
        "Entries added to the cache.";
    CacheEntrySize: Histogram Event(CacheEntryCreated) "cache_entry_size_bytes" ["level", "entry_type"],
        "Size of entries added to the cache.", unit("bytes"), buckets(BYTES);
    CacheEntryTtl: Histogram Event(CacheEntryCreated) "cache_entry_ttl_seconds" ["level"],
        "Time to live given to entries.", unit("seconds"), buckets(LIFETIME_SECONDS), declared(LEVELS);
    CacheEntries: Gauge Tracker(CacheEntryCreated) "cache_entries" ["level"],
        "Entries in the cache.", declared(LEVELS);
    CacheSize: Gauge Tracker(CacheEntryCreated) "cache_size_bytes" ["level"],
        "Size of all entries in the cache.", unit("bytes"), declared(LEVELS);
    CacheAccesses: Counter Event(CacheEntryAccessed) "cache_accesses_total" ["level", "result"],
        "Reads of the cache, by whether the entry was there.", declared(LEVELS_AND_RESULTS);
    CacheAccessDuration: Histogram Event(CacheEntryAccessed) "cache_access_duration_seconds" ["level", "result"],
        "Time to read the cache.", unit("seconds"), buckets(LATENCY_SECONDS), declared(LEVELS_AND_RESULTS);
    CacheInvalidated: Counter Event(CacheEntryInvalidated) "cache_entries_invalidated_total" ["level", "reason"],
        "Entries removed from the cache, by reason.";
    CacheEntryAge: Histogram Event(CacheEntryInvalidated) "cache_entry_age_seconds" ["level", "reason"],
        "Age of entries when they were removed.", unit("seconds"), buckets(LIFETIME_SECONDS);
    WarmersStarted: Counter Event(CacheWarmerStarted) "cache_warmer_runs_started_total" ["strategy"],
        "Runs of cache warmers that began.";
    WarmerTarget: Gauge Event(CacheWarmerStarted) "cache_warmer_target_entries" ["strategy"],
        "Entries that the last run of a cache warmer set out to load.";
    WarmersActive: Gauge Tracker(CacheWarmerStarted) "cache_warmers_active" ["strategy"],
        "Runs of cache warmers started and not completed.";
    WarmersCompleted: Counter Event(CacheWarmerCompleted) "cache_warmer_runs_completed_total" ["strategy"],
        "Runs of cache warmers completed.";
    WarmerEntries: Counter Event(CacheWarmerCompleted) "cache_warmer_entries_total" ["strategy", "outcome"],
        "Entries that cache warmers tried to load, by outcome.";
    WarmerDuration: Histogram Event(CacheWarmerCompleted) "cache_warmer_duration_seconds" ["strategy"],
        "Time a cache warmer took.", unit("seconds"), buckets(WORK_SECONDS);

    JobsQueued: Counter Event(JobQueued) "queue_jobs_queued_total" ["queue", "job_type", "priority", "submitter"],
        "Jobs added to a queue.";
    JobPayload: Histogram Event(JobQueued) "queue_job_payload_bytes" ["queue", "job_type"],
        "Size of the payload of queued jobs.", unit("bytes"), buckets(BYTES);
    QueueDepth: Gauge Tracker(JobQueued) "queue_depth" ["queue", "priority"],
        "Jobs waiting in a queue.";
    OldestJobAge: Gauge Tracker(JobQueued) "queue_oldest_job_age_seconds" ["queue"],
        "Longest time any waiting job of a queue has waited; 0 when the last one left.", unit("seconds");
    JobsStarted: Counter Event(JobStarted) "queue_jobs_started_total" ["queue", "job_type"],
        "Jobs that a worker began.";
    JobWait: Histogram Tracker(JobStarted) "queue_wait_seconds" ["queue", "job_type", "priority"],
        "Time from queueing to start.", unit("seconds"), buckets(WORK_SECONDS);
    JobsRunning: Gauge Tracker(JobStarted) "queue_jobs_running" ["queue", "job_type"],
        "Jobs that workers are running.";
    JobProgressUpdates: Counter Event(JobProgressUpdated) "queue_job_progress_updates_total" ["job_type"],
        "Progress updates of jobs.";
    JobProgressAge: Gauge Tracker(JobProgressUpdated) "queue_oldest_progress_age_seconds" ["queue"],
        "Longest time since any running job of a queue last moved; 0 when the last one ended.", unit("seconds");
    JobProgress: Gauge Tracker(JobProgressUpdated) "queue_job_progress_ratio" ["queue", "stat"],
        "Least and average progress over the running jobs of a queue that reported any, absent when there are none.",
        unit("ratio");
    JobsCompleted: Counter Event(JobCompleted) "queue_jobs_completed_total" ["queue", "job_type"],
        "Jobs that succeeded.";
    JobDuration: Histogram Event(JobCompleted) "queue_job_duration_seconds" ["queue", "job_type"],
        "Time a job ran.", unit("seconds"), buckets(WORK_SECONDS);
    JobResult: Histogram Event(JobCompleted) "queue_job_result_bytes" ["queue", "job_type"],
        "Size of the result of jobs.", unit("bytes"), buckets(BYTES);
    JobRetries: Histogram Event(JobCompleted) "queue_job_retries" ["queue", "job_type"],
        "Retries a job needed until it succeeded.", fixed_buckets(RETRIES);
    JobsFailed: Counter Event(JobFailed) "queue_jobs_failed_total" ["queue", "job_type", "error_type"],
        "Jobs that failed for good, by kind of error.";
    JobsDeadLettered: Counter Event(JobFailed) "queue_jobs_dead_lettered_total" ["queue", "job_type"],
        "Failed jobs that were sent to the dead letter queue.";
    JobFailureRetries: Histogram Event(JobFailed) "queue_failed_job_retries" ["queue", "job_type"],
        "Retries that jobs had when they failed for good.", fixed_buckets(RETRIES);
    RetriesScheduled: Counter Event(JobRetryScheduled) "queue_job_retries_scheduled_total" ["queue", "job_type"],
        "Retries of jobs that were scheduled.";
    RetryBackoff: Histogram Event(JobRetryScheduled) "queue_job_retry_backoff_seconds" ["queue", "job_type"],
        "Time until a scheduled retry.", unit("seconds"), buckets(WORK_SECONDS);
    LastRetries: Counter Event(JobRetryScheduled) "queue_job_last_retries_total" ["queue", "job_type"],
        "Scheduled retries after which none is left.";
    WorkersStarted: Counter Event(WorkerStarted) "queue_workers_started_total" ["queue"],
        "Workers that started, once for each queue they serve.";
    Workers: Gauge Tracker(WorkerStarted) "queue_workers" ["queue"],
        "Workers alive, in each queue they serve.";
    WorkerSlots: Gauge Tracker(WorkerStarted) "queue_worker_slots" ["queue"],
        "Jobs that the workers alive can run at once, in each queue they serve.";
    WorkersStopped: Counter Event(WorkerStopped) "queue_workers_stopped_total" ["reason"],
        "Workers that stopped, by reason.";
    JobsOrphaned: Counter Event(WorkerStopped) "queue_jobs_orphaned_total" ["reason"],
        "Jobs that were running on workers which stopped with another reason than a shutdown.";

    ConnectionsAcquired: Counter Event(ConnectionAcquired) "db_connections_acquired_total" ["pool"],
        "Connections taken from a pool.";
    ConnectionCheckout: Histogram Event(ConnectionAcquired) "db_connection_checkout_duration_seconds" ["pool"],
        "Time to take a connection from a pool.", unit("seconds"), buckets(LATENCY_SECONDS);
    PoolSize: Gauge Event(ConnectionAcquired) "db_pool_size" ["pool"],
        "Connections of a pool.";
    PoolAvailable: Gauge Event(ConnectionAcquired) "db_pool_available" ["pool"],
        "Connections of a pool that are free.";
    PoolInUse: Gauge Event(ConnectionAcquired) "db_pool_in_use" ["pool"],
        "Connections of a pool that are taken.";
    ConnectionsReleased: Counter Event(ConnectionReleased) "db_connections_released_total" ["pool"],
        "Connections given back to a pool.";
    ConnectionHeld: Histogram Event(ConnectionReleased) "db_connection_held_duration_seconds" ["pool"],
        "Time a connection was held.", unit("seconds"), buckets(LATENCY_SECONDS);
    Queries: Counter Event(QueryExecuted) "db_queries_total" ["query_type", "table", "indexed"],
        "Queries, by whether they used an index.";
    QueryDuration: Histogram Event(QueryExecuted) "db_query_duration_seconds" ["query_type", "table"],
        "Time a query took.", unit("seconds"), buckets(LATENCY_SECONDS);
    QueryRows: Histogram Event(QueryExecuted) "db_query_rows" ["query_type", "table"],
        "Rows of a query's answer.", unit("rows"), buckets(ROWS);
    SlowQueries: Counter Event(QueryExecuted) "db_slow_queries_total" ["query_type", "table"],
        "Queries that took as long as a slow query, or longer.";
    SlowQuery: Gauge Tracker(QueryExecuted) "db_slow_query_seconds" ["query_hash", "table"],
        "Worst duration of the slowest query hashes since the start.", unit("seconds");
    IndexesCreated: Counter Event(IndexCreated) "db_indexes_created_total" ["table"],
        "Indexes created.";
    IndexBuild: Histogram Event(IndexCreated) "db_index_build_duration_seconds" ["table"],
        "Time to build an index.", unit("seconds"), buckets(WORK_SECONDS);

    AlertsTriggered: Counter Event(AlertTriggered) "alerts_triggered_total" ["alert_name", "severity"],
        "Alerts that other publishers triggered.";
    AlertsCleared: Counter Event(AlertCleared) "alerts_cleared_total" ["alert_name"],
        "Alerts that other publishers cleared.";
    AlertsActive: Gauge Tracker(AlertCleared) "alerts_active" ["alert_name", "severity"],
        "Alerts that other publishers triggered and did not clear.";
    AlertDuration: Histogram Event(AlertCleared) "alert_duration_seconds" ["alert_name"],
        "How long alerts of other publishers lasted.", unit("seconds"), buckets(LIFETIME_SECONDS);
    Dashboards: Counter Event(DashboardGenerated) "dashboards_generated_total" [],
        "Dashboards generated.", declared(ALONE);

    OwnAlerts: Gauge Sidecar "signalbox_alerts" ["alertname", "alertstate"],
        "Alerts of its own that are pending or firing, with their labels; always 1.", more_labels();

    EventsReceived: Counter Sidecar "signalbox_events_received_total" ["event_type", "lane"],
        "Events taken from NATS, its own alerts not included.";
    EventsApplied: Counter Sidecar "signalbox_events_applied_total" ["event_type", "lane"],
        "Events that moved their metrics.";
    EventsDuplicate: Counter Sidecar "signalbox_events_duplicate_total" ["event_type", "lane"],
        "Events whose event_id had been applied already.";
    EventsRejected: Counter Sidecar "signalbox_events_rejected_total" ["lane", "reason"],
        "Events that were refused, by the first check that failed.";
    EventsDropped: Counter Sidecar "signalbox_events_dropped_total" ["reason"],
        "Core NATS messages lost before they could be read.", declared(DROP_REASONS);
    EventVersions: Counter Sidecar "signalbox_event_versions_total" ["event_type", "version", "deprecated"],
        "Applied events by the version they were sent in.";
    EventLag: Histogram Sidecar "signalbox_event_lag_seconds" ["lane"],
        "Time from an event's own timestamp to its application.", unit("seconds"), buckets(LAG_SECONDS);
    EventLastTimestamp: Gauge Sidecar "signalbox_event_last_timestamp_seconds" ["event_type"],
        "When an event of the type was last applied, of types that were seen; it stays however long ago that is.",
        unit("seconds");
    Series: Gauge Sidecar "signalbox_series" [],
        "Series in the store.", declared(ALONE);
    SeriesLimit: Gauge Sidecar "signalbox_series_limit" [],
        "Series the store may hold (limits.series).", declared(ALONE);
    SeriesOverflow: Counter Sidecar "signalbox_series_overflow_total" ["metric"],
        "Observations folded into a metric's __overflow__ series because of a series limit.";
    NatsConnected: Gauge Sidecar "signalbox_nats_connected" [],
        "1 while connected to NATS.";
    StreamPending: Gauge Sidecar "signalbox_stream_pending" ["stream"],
        "Messages of the stream that are still to be read.";
    StreamLost: Counter Sidecar "signalbox_stream_lost_total" ["stream"],
        "Messages that left the stream before they were read.";
    StreamEpochs: Counter Sidecar "signalbox_stream_epochs_total" ["stream", "reason"],
        "Times the stream began anew.";
    SubjectMissing: Gauge Sidecar "signalbox_stream_subject_missing" ["event_type"],
        "1 where the stream does not take the subject of a type of the JetStream lane.";
    RuleEvaluations: Counter Sidecar "signalbox_rule_evaluations_total" ["group"],
        "Rule evaluations, one for each rule.";
    RuleEvaluationFailures: Counter Sidecar "signalbox_rule_evaluation_failures_total" ["group"],
        "Rule evaluations that failed; the rule's alerts stay as they were.";
    RuleEvaluationsMissed: Counter Sidecar "signalbox_rule_evaluations_missed_total" ["group"],
        "Evaluations of the group left out because the one before took too long.";
    RuleFullEvaluations: Counter Sidecar "signalbox_rule_full_evaluations_total" ["group"],
        "Rule evaluations that nothing kept from earlier ones could shorten.";
    RuleEvaluationDuration: Histogram Sidecar "signalbox_rule_evaluation_duration_seconds" ["group"],
        "Time one evaluation of the group took.", unit("seconds"), buckets(EVALUATION_SECONDS);
    RuleLimitRefused: Counter Sidecar "signalbox_rule_limit_refused_total" ["group", "rule"],
        "Alerts refused because of the group's limit.";
    TemplateFailures: Counter Sidecar "signalbox_template_failures_total" ["group"],
        "Alert templates that failed; the alert went out with its raw text.";
    RuleNanValues: Counter Sidecar "signalbox_rule_nan_values_total" ["group"],
        "Values of NaN that a threshold took for no data.";
    RuleUnknownSeries: Counter Sidecar "signalbox_rule_unknown_series_total" ["group"],
        "Series that a rule with no_data: alert sees and cannot remember, because it remembers 100,000 others.";
    RecordedSamplesRefused: Counter Sidecar "signalbox_recorded_samples_refused_total" [],
        "Samples of recording rules refused because rules write too many series.", declared(ALONE);
    AlertEventsPublished: Counter Sidecar "signalbox_alert_events_published_total" ["type"],
        "Alert events acknowledged by NATS.", declared(ALERT_EVENTS);
    AlertEventsPending: Gauge Sidecar "signalbox_alert_events_pending" ["type"],
        "Alert events waiting to be acknowledged.", declared(ALERT_EVENTS);
    AlertEventsRefused: Counter Sidecar "signalbox_alert_events_refused_total" [],
        "Alert events that were not published because 100,000 others waited: both events of an alert, or neither.", declared(ALONE);
    AlertPublishFailures: Counter Sidecar "signalbox_alert_publish_failures_total" ["type"],
        "Failed attempts to publish an alert event; each is tried again.", declared(ALERT_EVENTS);
    AlertLatency: Histogram Sidecar "signalbox_alert_latency_seconds" [],
        "Time from the event that moved the value to the acknowledgement of AlertTriggered.",
        unit("seconds"), buckets(ALERT_SECONDS), declared(ALONE);
    AlertEventsUnread: Counter Sidecar "signalbox_alert_events_unread_total" [],
        "Alert events of the stream that were not read at a start because there were too many of them.", declared(ALONE);
    PairLeader: Gauge Sidecar "signalbox_pair_leader" [],
        "1 while this instance of a pair publishes the alert events, 0 while it follows the other; without a pair it is not there.";
    PairHasLeader: Gauge Sidecar "signalbox_pair_has_leader" [],
        "1 while this instance of a pair knows which of the two publishes the alert events, 0 while none does or it cannot ask; without a pair it is not there.";
    PairYielded: Counter Sidecar "signalbox_pair_alert_events_yielded_total" [],
        "Alert events decided here that were not published because the other instance of the pair had said it already, or had not seen it so.";
    NotificationsSent: Counter Sidecar "signalbox_notifications_sent_total" ["alertmanager"],
        "Alerts an Alertmanager took.";
    NotificationErrors: Counter Sidecar "signalbox_notifications_errors_total" ["alertmanager"],
        "Failed attempts to send alerts to an Alertmanager; unless it refuses them for good they are sent again.";
    NotificationsDropped: Counter Sidecar "signalbox_notifications_dropped_total" ["alertmanager"],
        "Alerts dropped because alertmanager.queue others waited for an Alertmanager, or because it refuses them.";
    NotificationsWaiting: Gauge Sidecar "signalbox_notifications_queue_length" ["alertmanager"],
        "Alerts that wait to be sent to an Alertmanager.";
    NotificationLatency: Histogram Sidecar "signalbox_notifications_latency_seconds" ["alertmanager"],
        "Time an Alertmanager took to take what it was sent.", unit("seconds"), buckets(LATENCY_SECONDS);
    RejectedCopiesDropped: Counter Sidecar "signalbox_rejected_copies_dropped_total" ["reason"],
        "Rejected events of which no copy was published.";
    ReloadSuccessful: Gauge Sidecar "signalbox_config_last_reload_successful" [],
        "1 where the last load of configuration and rules refused nothing.", declared(ALONE);
    ReloadTimestamp: Gauge Sidecar "signalbox_config_last_reload_timestamp_seconds" [],
        "When configuration and rules were last loaded without a refusal.", unit("seconds"), declared(ALONE);
    Reloads: Counter Sidecar "signalbox_config_reloads_total" ["result"],
        "Reloads of configuration and rules.", declared(RELOAD_RESULTS);
    RestartPending: Gauge Sidecar "signalbox_config_restart_pending" [],
        "1 while a key of the configuration that changed waits for a restart.", declared(ALONE);
    HistoryBytes: Gauge Sidecar "signalbox_history_bytes" [],
        "Memory that the recent past of the series takes.", unit("bytes"), declared(ALONE);
    HistoryFamiliesLeftOut: Gauge Sidecar "signalbox_history_families_left_out" [],
        "Metrics without a past because history.bytes_max was reached.", declared(ALONE);
    HistoryArrivalsRefused: Counter Sidecar "signalbox_history_arrivals_refused_total" [],
        "Evaluations on arrival that left no samples in the recent past, because it is full or they were too many.", declared(ALONE);
    DuplicateWindowEntries: Gauge Sidecar "signalbox_duplicate_window_entries" [],
        "Event ids in the duplicate window.", declared(ALONE);
    ApiQueryDuration: Histogram Sidecar "signalbox_query_duration_seconds" [],
        "Time a query of the HTTP API took.", unit("seconds"), buckets(LATENCY_SECONDS), declared(ALONE);
    ApiQueriesRefused: Counter Sidecar "signalbox_queries_refused_total" ["reason"],
        "Queries of the HTTP API that were not answered, by what they exceeded.", declared(QUERY_REFUSALS);
    CheckpointAge: Gauge Sidecar "signalbox_checkpoint_age_seconds" [],
        "Time since the state was last saved.", unit("seconds");
    CheckpointSize: Gauge Sidecar "signalbox_checkpoint_size_bytes" [],
        "Size of the state that was last saved.", unit("bytes");
    CheckpointDuration: Histogram Sidecar "signalbox_checkpoint_duration_seconds" [],
        "Time it took to save the state.", unit("seconds"), buckets(LATENCY_SECONDS);
    CheckpointFailures: Counter Sidecar "signalbox_checkpoint_failures_total" [],
        "Times the state could not be saved.";
    AlertLogFailures: Counter Sidecar "signalbox_alert_log_failures_total" [],
        "Times the log of alert events in the state folder could not be written.";
    BuildInfo: Gauge Sidecar "signalbox_build_info" ["version", "revision"],
        "The build; always 1.";

    TrackerEntries: Gauge Sidecar "signalbox_tracker_entries" ["tracker"],
        "Entries a tracker holds.", declared(TRACKERS);
    TrackerAlive: Gauge Sidecar "signalbox_tracker_alive" ["tracker"],
        "Entries a tracker holds that have not ended.", declared(TRACKERS);
    TrackerEvictions: Counter Sidecar "signalbox_tracker_evictions_total" ["tracker", "reason"],
        "Tracker entries that went too early: full, for lack of room, what had ended first; abandoned, since nothing moved them; expired, cache entries whose time to live was long over; reassigned, when a start left their events to another instance.",
        declared(EVICTIONS);
    LabelValuesCut: Counter Sidecar "signalbox_label_values_cut_total" ["metric"],
        "Label values cut because they were longer than the limit.";

    ProcessCpu: Counter Process "process_cpu_seconds_total" [],
        "User and system CPU time spent.", unit("seconds");
    ProcessOpenFds: Gauge Process "process_open_fds" [],
        "Open file descriptors.";
    ProcessMaxFds: Gauge Process "process_max_fds" [],
        "File descriptors that may be open.";
    ProcessVirtualMemory: Gauge Process "process_virtual_memory_bytes" [],
        "Size of the virtual memory.", unit("bytes");
    ProcessResidentMemory: Gauge Process "process_resident_memory_bytes" [],
        "Size of the resident memory.", unit("bytes");
    ProcessStartTime: Gauge Process "process_start_time_seconds" [],
        "When the process started, since the Unix epoch.", unit("seconds");
    ProcessThreads: Gauge Process "process_threads" [],
        "Threads of the process.";
}

/// The row of a metric, by its family name or by the name of any of its samples, without a namespace.
pub(crate) fn find(name: &str) -> Option<&'static CatalogueRow> {
    let of_sample = |row: &&CatalogueRow| {
        let mut names = sample_names(name);
        names.any(|sample| sample.family == row.family() && sample.metric_type == row.metric_type)
    };
    CATALOGUE.iter().copied().find(|row| name == row.family() || of_sample(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_follows_the_conventions_of_names_units_and_buckets() {
        for row in CATALOGUE {
            let name = row.name;
            assert_eq!(row.metric_type == MetricType::Counter, name.ends_with("_total"), "{name}");
            assert_eq!(row.metric_type == MetricType::Histogram, !row.buckets.is_empty(), "{name}");
            assert!(row.buckets.is_sorted_by(|left, right| left < right), "{name}");
            let word = row.family().rsplit('_').next().unwrap_or_default();
            let unit = ["seconds", "bytes", "ratio", "chars", "rows"].into_iter().find(|unit| *unit == word);
            assert_eq!(row.unit, unit, "{name}");
            assert!(row.declared.iter().all(|values| values.len() == row.labels.len()), "{name}");
            assert!(row.help.ends_with('.'), "{name}");
        }
    }

    #[test]
    fn a_row_is_found_by_its_samples_and_by_its_family() {
        let name = |sample| find(sample).map(|row| row.name);
        assert_eq!(name("queue_jobs_queued"), Some("queue_jobs_queued_total"));
        assert_eq!(name("db_query_duration_seconds_bucket"), Some("db_query_duration_seconds"));
        assert_eq!(name("cache_entries"), Some("cache_entries"));
        assert_eq!(name("queue_depth_total"), None);
    }
}
