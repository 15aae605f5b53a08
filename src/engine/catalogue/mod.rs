//! The catalogue: what each domain event becomes (`METRICS.md`).
//!
//! [`rows::CATALOGUE`] lists the metrics; [`Catalogue::apply`] moves them. Counters and histograms follow from the event
//! alone, gauges marked as tracked from [`crate::engine::trackers`]. Only MetricRecorded can be refused here, before
//! anything was changed.
//!
//! There from the start, at zero, is every label set that is closed: metrics without labels, `cached`, the outcomes of
//! `processing_file_chunks_total`, and the levels L1 to L3 of the cache with their results. Absent until there is
//! something to tell are ages and ratios. A counter that belongs to an event is there at zero as soon as the event
//! was, also where it adds nothing to it (`queue_jobs_dead_lettered_total`, `db_slow_queries_total`).

mod anew;
mod buckets;
mod caching;
mod closed;
mod database;
mod declared;
mod families;
mod idle_settings;
mod known_metrics;
#[cfg(test)]
mod model_tests;
mod monitoring;
mod movers;
#[cfg(test)]
mod page_tests;
mod processing;
mod queue;
mod recorded;
mod registered;
mod row;
mod rows;
mod saved;
mod settings;
mod spread;
mod subject_labels;
#[cfg(test)]
mod tests;

pub(in crate::engine) use anew::Unrepeatable;
pub(crate) use idle_settings::idle_settings;
pub use known_metrics::KnownMetrics;
pub(crate) use known_metrics::{Feed, KnownMetric, Meant, NamedMetric, known_metrics};
pub(crate) use registered::Registered;
pub(crate) use row::{CatalogueRow, Source};
pub(crate) use rows::{CATALOGUE, Metric, find};
pub(in crate::engine) use saved::CatalogueState;
pub(crate) use spread::Spread;

use self::families::{Families, no_event};
use self::recorded::Recorded;
use crate::engine::config::{Config, TrackerName};
use crate::engine::series::{Cause, Store};
use crate::engine::time::Timestamp;
use crate::engine::trackers::alerts::ForeignAlerts;
use crate::engine::trackers::cache_entries::CacheEntries;
use crate::engine::trackers::chunks::Chunks;
use crate::engine::trackers::files::{FileFamilies, Files};
use crate::engine::trackers::frame::{FrameFamilies, FrameParts};
use crate::engine::trackers::gauges::{Board, Family};
use crate::engine::trackers::jobs::{JobFamilies, Jobs};
use crate::engine::trackers::slow_queries::SlowQueries;
use crate::engine::trackers::warmers::Warmers;
use crate::engine::trackers::workers::Workers;
use crate::engine::wire::{Event, Payload, Refusal};

/// How the names of the sidecar's own metrics begin; no event can bring one.
const SIDECAR_PREFIX: &str = "signalbox_";

/// How the names of the metrics of its process begin.
const PROCESS_PREFIX: &str = "process_";

/// Turns events into changes of the store.
#[derive(Debug)]
pub(crate) struct Catalogue {
    families: Families,
    recorded: Recorded,
    jobs: Jobs,
    workers: Workers,
    chunks: Chunks,
    files: Files,
    cache: CacheEntries,
    warmers: Warmers,
    alerts: ForeignAlerts,
    slow_queries: SlowQueries,
    slow_query_ms: f64,
    declared: bool,
}

impl Catalogue {
    /// Nothing has happened yet.
    pub(crate) fn new(registered: Registered, config: &Config) -> Self {
        let families = Families::new(registered, config);
        let family = |metric: Metric| -> Family { families.family(metric).clone() };
        let limits = config.trackers();
        let parts = || FrameParts {
            limits: &limits,
            families: FrameFamilies {
                entries: family(Metric::TrackerEntries),
                alive: family(Metric::TrackerAlive),
                evictions: family(Metric::TrackerEvictions),
            },
        };
        let jobs = JobFamilies {
            depth: family(Metric::QueueDepth),
            running: family(Metric::JobsRunning),
            oldest_waiting: family(Metric::OldestJobAge),
            oldest_progress: family(Metric::JobProgressAge),
            ratio: family(Metric::JobProgress),
        };
        let files = FileFamilies {
            active: family(Metric::FilesActive),
            in_progress: family(Metric::FilesInProgress),
            ratio: family(Metric::FileProgress),
            oldest_progress: family(Metric::FileProgressAge),
        };
        let (entries, size) = (family(Metric::CacheEntries), family(Metric::CacheSize));
        let (alive, slots) = (family(Metric::Workers), family(Metric::WorkerSlots));
        Self {
            jobs: Jobs::of_jobs(parts(), jobs),
            workers: Workers::of_workers(parts(), alive, slots),
            chunks: Chunks::of_chunks(parts(), family(Metric::ChunksActive)),
            files: Files::of_files(parts(), files),
            cache: CacheEntries::of_cache(parts(), entries, size),
            warmers: Warmers::of_warmers(parts(), family(Metric::WarmersActive)),
            alerts: ForeignAlerts::of_alerts(parts(), family(Metric::AlertsActive)),
            slow_queries: SlowQueries::new(config.slow_query_top, family(Metric::SlowQuery)),
            slow_query_ms: config.slow_query.as_micros() as f64 / 1e3,
            recorded: Recorded::new(config),
            families,
            declared: false,
        }
    }

    /// Goes on under another configuration; the metrics that begin anew for it are returned.
    pub(crate) fn configure(&mut self, store: &mut Store, config: &Config, now: Timestamp) -> Vec<String> {
        let limits = config.trackers();
        self.jobs.bound(&limits);
        self.workers.bound_workers(&limits);
        self.chunks.bound(&limits);
        self.files.bound(&limits);
        self.cache.bound(&limits);
        self.warmers.bound(&limits);
        self.alerts.bound(&limits);
        self.slow_query_ms = config.slow_query.as_micros() as f64 / 1e3;
        let board = &mut Board { store: &mut *store, cause: no_event(now) };
        self.slow_queries.show_at_most(board, config.slow_query_top);
        let mut anew = self.families.configure(store, config, now);
        anew.append(&mut self.recorded.configure(store, config, now));
        anew
    }

    /// Applies one event, whole or not at all.
    ///
    /// # Errors
    /// A MetricRecorded event whose value, name or tags are not valid for its type, or whose name is taken.
    pub(crate) fn apply(
        &mut self,
        store: &mut Store,
        event: &Event<'_>,
        cause: Cause,
    ) -> Result<(), Refusal> {
        self.declare(store, cause.now);
        let board = &mut Board { store, cause };
        let at = event.timestamp;
        match &event.payload {
            Payload::MetricRecorded(event) => return self.recorded.apply(board, &self.families, event),
            Payload::ProgressUpdated(event) => self.progress_updated(board, event, at),
            Payload::JobProgressUpdated(event) => self.job_progressed(board, event, at),
            Payload::FileUploadStarted(event) => self.file_upload_started(board, event, at),
            Payload::ChunkProcessingStarted(event) => self.chunk_started(board, event, at),
            Payload::ChunkProcessingCompleted(event) => self.chunk_completed(board, event, at),
            Payload::ChunkProcessingFailed(event) => self.chunk_failed(board, event, at),
            Payload::FileProcessingCompleted(event) => self.file_completed(board, event, at),
            Payload::FileProcessingFailed(event) => self.file_failed(board, event, at),
            Payload::CacheEntryCreated(event) => self.cache_created(board, event, at),
            Payload::CacheEntryAccessed(event) => self.cache_accessed(board, event),
            Payload::CacheEntryInvalidated(event) => self.cache_invalidated(board, event),
            Payload::CacheWarmerStarted(event) => self.warmer_started(board, event),
            Payload::CacheWarmerCompleted(event) => self.warmer_completed(board, event),
            Payload::JobQueued(event) => self.job_queued(board, event, at),
            Payload::JobStarted(event) => self.job_started(board, event, at),
            Payload::JobCompleted(event) => self.job_completed(board, event, at),
            Payload::JobFailed(event) => self.job_failed(board, event, at),
            Payload::JobRetryScheduled(event) => self.job_retry_scheduled(board, event),
            Payload::WorkerStarted(event) => self.worker_started(board, event),
            Payload::WorkerStopped(event) => self.worker_stopped(board, event),
            Payload::AlertTriggered(event) => self.alert_triggered(board, event),
            Payload::AlertCleared(event) => self.alert_cleared(board, event),
            Payload::DashboardGenerated(_) => self.dashboard_generated(board),
            Payload::ConnectionAcquired(event) => self.connection_acquired(board, event),
            Payload::ConnectionReleased(event) => self.connection_released(board, event),
            Payload::QueryExecuted(event) => self.query_executed(board, event),
            Payload::IndexCreated(event) => self.index_created(board, event),
        }
        Ok(())
    }

    /// Has trackers begin anew, as what moves their entries comes to another instance from now on.
    pub(in crate::engine) fn reassign(
        &mut self,
        store: &mut Store,
        trackers: &[TrackerName],
        now: Timestamp,
    ) {
        let board = &mut Board { store, cause: no_event(now) };
        for tracker in trackers {
            match tracker {
                TrackerName::Jobs => self.jobs.reassign(board),
                TrackerName::Workers => self.workers.reassign(board),
                TrackerName::Chunks => self.chunks.reassign(board),
                TrackerName::Files => self.files.reassign(board),
                TrackerName::Cache => self.cache.reassign(board),
                TrackerName::Warmers => self.warmers.reassign(board),
                TrackerName::Alerts => self.alerts.reassign(board),
            }
        }
    }

    /// Notes the subject of the events that are applied next.
    #[inline]
    pub(crate) fn note_subject(&mut self, subject: &str) {
        self.families.subject.note(subject);
    }

    /// Shows the ages of now and forgets what ended too long ago. Call it before the store is
    /// read: at a scrape, at a history step, before rules are evaluated.
    pub(crate) fn refresh(&mut self, store: &mut Store, now: Timestamp) {
        self.declare(store, now);
        let board = &mut Board { store, cause: no_event(now) };
        self.jobs.refresh(board);
        self.workers.refresh(board);
        self.chunks.refresh(board);
        self.files.refresh(board);
        self.cache.refresh(board);
        self.warmers.refresh(board);
        self.alerts.refresh(board);
    }

    /// Gives birth to the declared label sets at the first instant that is known.
    fn declare(&mut self, store: &mut Store, now: Timestamp) {
        if !self.declared {
            self.declared = true;
            self.families.declare(&mut Board { store, cause: no_event(now) });
        }
    }
}
