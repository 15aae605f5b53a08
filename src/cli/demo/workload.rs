//! The story the demo tells: a transcript-processing application at work, and its bad minutes.
//!
//! A discrete-event simulation in the application's own time. Uploads become jobs, workers take them, chunks go
//! through the cache and the database, files complete. Four incidents come round in turn ([`Incident`]), each
//! made to have shipped rules fire while it lasts and clear after it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use super::random::Random;
use crate::engine::time::Timestamp;
use crate::engine::wire::payload::*;
use crate::engine::wire::{Event, EventId, Tags, Version};

/// Seconds from the beginning of one incident to the beginning of the next.
const ACT_SECONDS: f64 = 60.0;
/// How long of it the incident lasts; the rest is recovery.
const INCIDENT_SECONDS: f64 = 25.0;
/// Quiet seconds before the first incident.
const OVERTURE_SECONDS: f64 = 10.0;

const WORKERS: usize = 4;
const SLOTS: u64 = 3;
const POOL_SIZE: u64 = 20;
const LANGUAGES: [&str; 4] = ["en", "de", "fr", "ja"];
const QUEUES: [(&str, &str, &str); 3] = [
    ("transcripts", "transcription", "high"),
    ("summaries", "summarization", "medium"),
    ("indexing", "indexing", "low"),
];
const TABLES: [&str; 3] = ["transcripts", "chunks", "embeddings"];

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Incident {
    /// The transcription API fails: jobs and chunks fail and are retried.
    ApiOutage,
    /// A worker crashes and its queue grows until another is started.
    WorkerLoss,
    /// The database is slow and its pool runs empty.
    SlowDatabase,
    /// The cache starts cold.
    ColdCache,
}

const INCIDENTS: [Incident; 4] =
    [Incident::ApiOutage, Incident::WorkerLoss, Incident::SlowDatabase, Incident::ColdCache];

/// What will happen at a time of the story.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    Upload,
    Chunk { job: u128, chunk: u64 },
    ChunkDone { job: u128, chunk: u64, id: u128, cached: bool },
    Ready { job: u128 },
    Record,
    Warm,
    WarmDone { target: u64 },
    Crash,
    Restart { worker: usize },
}

#[derive(Clone, Debug)]
struct Job {
    transcript: u128,
    kind: usize,
    chunks: u64,
    failed_chunks: u64,
    cached_chunks: u64,
    retries: u64,
    worker: usize,
    queued: f64,
    started: f64,
    language: &'static str,
}

/// The simulation; an endless iterator over events in the order of their time.
#[derive(Debug)]
pub(super) struct Workload {
    random: Random,
    start: Timestamp,
    uploads_per_second: f64,
    /// Actions by time (in microseconds of the story), then by the order they were planned in.
    planned: BinaryHeap<Reverse<(u64, u64, Action)>>,
    plans: u64,
    now: f64,
    jobs: BTreeMap<u128, Job>,
    waiting: VecDeque<u128>,
    /// Free slots by worker; none where the worker is gone.
    workers: Vec<Option<u64>>,
    warmth: f64,
    events: VecDeque<Event<'static>>,
}

impl Workload {
    /// A story that begins at `start` and yields about `rate` events a second.
    pub(super) fn new(seed: u64, rate: f64, start: Timestamp) -> Self {
        let mut workload = Self {
            random: Random::seeded(seed),
            start,
            // A file yields about 75 events on its way through.
            uploads_per_second: (rate / 75.0).max(0.01),
            planned: BinaryHeap::new(),
            plans: 0,
            now: 0.0,
            jobs: BTreeMap::new(),
            waiting: VecDeque::new(),
            workers: vec![None; WORKERS],
            warmth: 0.8,
            events: VecDeque::new(),
        };
        for worker in 0..WORKERS {
            workload.start_worker(worker);
        }
        workload.plan(0.1, Action::Upload);
        workload.plan(0.5, Action::Record);
        workload.plan(20.0, Action::Warm);
        workload.plan(OVERTURE_SECONDS + ACT_SECONDS, Action::Crash);
        workload
    }

    /// The events, each with how long after the start of the story it happens.
    pub(super) fn timed(self) -> impl Iterator<Item = (Duration, Event<'static>)> {
        let start = self.start;
        self.map(move |event| (event.timestamp.since(start), event))
    }

    fn incident(&self) -> Option<Incident> {
        let since = self.now - OVERTURE_SECONDS;
        let happening = since >= 0.0 && since % ACT_SECONDS < INCIDENT_SECONDS;
        happening.then(|| INCIDENTS[(since / ACT_SECONDS) as usize % INCIDENTS.len()])
    }

    fn plan(&mut self, seconds: f64, action: Action) {
        self.plans += 1;
        self.planned.push(Reverse((((self.now + seconds) * 1e6) as u64, self.plans, action)));
    }

    fn emit(&mut self, payload: Payload<'static>) {
        let timestamp = self.start.after(Duration::from_secs_f64(self.now));
        let trace = Some(self.random.uuid());
        let version = Version { major: 1, minor: 0, patch: 0 };
        let id = EventId(self.random.uuid());
        self.events.push_back(Event { id, timestamp, version, trace, payload });
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Upload => self.upload(),
            Action::Chunk { job, chunk } => self.begin_chunk(job, chunk),
            Action::ChunkDone { job, chunk, id, cached } => self.end_chunk(job, chunk, id, cached),
            Action::Ready { job } => self.queue(job, "retry"),
            Action::Record => self.record(),
            Action::Warm => self.warm(),
            Action::WarmDone { target } => self.warmed(target),
            Action::Crash => self.crash(),
            Action::Restart { worker } => self.start_worker(worker),
        }
    }

    fn upload(&mut self) {
        let transcript = self.random.uuid();
        let language = *self.random.pick(&LANGUAGES);
        let size = self.random.whole(20_000, 40_000_000);
        let payload = Payload::FileUploadStarted(FileUploadStarted {
            transcript_id: uuid(transcript),
            file_name: format!("interview-{}.mp3", self.plans).into(),
            file_size: Quantity::Whole(size),
            file_hash: format!("{:032x}{:032x}", transcript, self.random.uuid()).into(),
            language: Some(language.into()),
            upload_ip: "203.0.113.7".into(),
        });
        self.emit(payload);
        let kind = self.random.whole(0, 5).saturating_sub(3) as usize;
        let job = Job {
            transcript,
            kind,
            chunks: 2 + size / 8_000_000,
            failed_chunks: 0,
            cached_chunks: 0,
            retries: 0,
            worker: 0,
            queued: self.now,
            started: self.now,
            language,
        };
        let id = self.random.uuid();
        self.jobs.insert(id, job);
        self.queue(id, "api");
        let surge = if self.incident() == Some(Incident::WorkerLoss) { 4.0 } else { 1.0 };
        let wait = self.random.wait(self.uploads_per_second * surge);
        self.plan(wait, Action::Upload);
    }

    fn queue(&mut self, id: u128, submitter: &'static str) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.queued = self.now;
        let (queue, job_type, priority) = QUEUES[job.kind];
        let payload = Payload::JobQueued(JobQueued {
            job_id: uuid(id),
            job_type: job_type.into(),
            priority: priority.into(),
            queue_name: queue.into(),
            payload_size: Quantity::Whole(900),
            submitter: submitter.into(),
        });
        self.emit(payload);
        self.waiting.push_back(id);
        self.dispatch();
    }

    /// Gives waiting jobs to free slots.
    fn dispatch(&mut self) {
        while !self.waiting.is_empty() {
            let free = self.workers.iter().position(|slots| slots.is_some_and(|free| free > 0));
            let (Some(worker), Some(id)) = (free, self.waiting.front().copied()) else { return };
            self.waiting.pop_front();
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            (job.worker, job.started, job.failed_chunks, job.cached_chunks) = (worker, self.now, 0, 0);
            let queue = QUEUES[job.kind].0;
            if let Some(free) = &mut self.workers[worker] {
                *free -= 1;
            }
            let payload = Payload::JobStarted(JobStarted {
                job_id: uuid(id),
                worker_id: worker_name(worker),
                worker_pid: Quantity::Whole(1_000 + worker as u64),
                queue_name: queue.into(),
            });
            self.emit(payload);
            self.plan(0.02, Action::Chunk { job: id, chunk: 0 });
        }
    }

    fn begin_chunk(&mut self, id: u128, chunk: u64) {
        let Some(job) = self.jobs.get(&id).cloned() else { return };
        let chunk_id = self.random.uuid();
        let payload = Payload::ChunkProcessingStarted(ChunkProcessingStarted {
            transcript_id: uuid(job.transcript),
            chunk_id: uuid(chunk_id),
            chunk_index: Quantity::Whole(chunk),
            total_chunks: Quantity::Whole(job.chunks),
            chunk_size: Quantity::Whole(self.random.whole(500_000, 1_000_000)),
            processing_strategy: if job.kind == 0 { "parallel" } else { "sequential" }.into(),
        });
        self.emit(payload);
        let cached = self.read_cache(chunk_id);
        let slow = if self.incident() == Some(Incident::SlowDatabase) { 8.0 } else { 1.0 };
        self.query(slow);
        let seconds = if cached { self.random.between(0.02, 0.06) } else { self.random.between(0.15, 0.5) };
        self.plan(seconds * f64::sqrt(slow), Action::ChunkDone { job: id, chunk, id: chunk_id, cached });
    }

    /// Asks the levels in turn; says whether one of them had it.
    fn read_cache(&mut self, chunk: u128) -> bool {
        let cold = self.incident() == Some(Incident::ColdCache);
        self.warmth = if cold { 0.1 } else { (self.warmth + 0.002).min(0.85) };
        for (level, milliseconds) in [("L1", 1), ("L2", 4), ("L3", 15)] {
            let hit = self.random.happens(self.warmth * 0.8);
            let payload = Payload::CacheEntryAccessed(CacheEntryAccessed {
                cache_key: format!("chunk:{chunk:032x}").into(),
                cache_level: level.into(),
                was_hit: hit,
                access_duration_ms: Quantity::Whole(milliseconds),
            });
            self.emit(payload);
            if hit {
                return true;
            }
        }
        false
    }

    fn query(&mut self, slow: f64) {
        let busy = self.workers.iter().flatten().map(|free| SLOTS - free).sum::<u64>();
        let available = if slow > 1.0 { 0 } else { POOL_SIZE.saturating_sub(busy) };
        let payload = Payload::ConnectionAcquired(ConnectionAcquired {
            pool_id: "main".into(),
            pool_size: Quantity::Whole(POOL_SIZE),
            pool_available: Quantity::Whole(available),
            checkout_duration_ms: Quantity::Whole((self.random.between(1.0, 4.0) * slow * slow) as u64),
        });
        self.emit(payload);
        let table = *self.random.pick(&TABLES);
        let (query_type, index) = if self.random.happens(0.7) {
            ("SELECT", Some("idx_transcript".into()))
        } else {
            ("INSERT", None)
        };
        let milliseconds = self.random.between(3.0, 120.0) * slow;
        let payload = Payload::QueryExecuted(QueryExecuted {
            query_hash: format!("{:08x}", table.len() as u64 * 7_919 + query_type.len() as u64).into(),
            query_type: query_type.into(),
            table_name: table.into(),
            duration_ms: Quantity::Whole(milliseconds as u64),
            row_count: Quantity::Whole(self.random.whole(1, 200)),
            used_index: index,
        });
        self.emit(payload);
        let payload = Payload::ConnectionReleased(ConnectionReleased {
            pool_id: Some("main".into()),
            pool_size: Some(Quantity::Whole(POOL_SIZE)),
            pool_available: Some(Quantity::Whole(if slow > 1.0 { 0 } else { available + 1 }.min(POOL_SIZE))),
            held_duration_ms: Some(Quantity::Whole(milliseconds as u64 + 2)),
        });
        self.emit(payload);
    }

    fn end_chunk(&mut self, id: u128, chunk: u64, chunk_id: u128, cached: bool) {
        let Some(mut job) = self.jobs.get(&id).cloned() else { return };
        let failing = self.incident() == Some(Incident::ApiOutage);
        let failed = !cached && self.random.happens(if failing { 0.5 } else { 0.004 });
        if failed {
            job.failed_chunks += 1;
            let payload = Payload::ChunkProcessingFailed(ChunkProcessingFailed {
                transcript_id: uuid(job.transcript),
                chunk_id: uuid(chunk_id),
                chunk_index: Quantity::Whole(chunk),
                error_type: if failing { "api_error" } else { "timeout" }.into(),
                error_message: "upstream answered 503".into(),
                retry_count: Quantity::Whole(job.retries),
                will_retry: job.retries < 2,
            });
            self.emit(payload);
            self.jobs.insert(id, job);
            return self.fail(id);
        }
        job.cached_chunks += u64::from(cached);
        let payload = Payload::ChunkProcessingCompleted(ChunkProcessingCompleted {
            transcript_id: uuid(job.transcript),
            chunk_id: uuid(chunk_id),
            chunk_index: Quantity::Whole(chunk),
            processing_duration_ms: Quantity::Whole(self.random.whole(20, 480)),
            text_length: Quantity::Whole(self.random.whole(400, 4_000)),
            was_cached: cached,
            cache_key: cached.then(|| format!("chunk:{chunk_id:032x}").into()),
        });
        self.emit(payload);
        if !cached {
            self.fill_cache(chunk_id);
        }
        let done = chunk + 1;
        self.progress(id, &job, done);
        let (complete, total) = (done >= job.chunks, job.chunks);
        self.jobs.insert(id, job);
        if complete {
            self.complete(id);
        } else {
            debug_assert!(done < total);
            self.plan(0.005, Action::Chunk { job: id, chunk: done });
        }
    }

    fn fill_cache(&mut self, chunk: u128) {
        let payload = Payload::CacheEntryCreated(CacheEntryCreated {
            cache_key: format!("chunk:{chunk:032x}").into(),
            cache_level: "L2".into(),
            entry_size_bytes: Quantity::Whole(self.random.whole(2_000, 60_000)),
            ttl_seconds: Quantity::Whole(3_600),
            entry_type: "transcript".into(),
            source: "api_result".into(),
        });
        self.emit(payload);
        if self.random.happens(0.6) {
            let payload = Payload::CacheEntryInvalidated(CacheEntryInvalidated {
                cache_key: format!("chunk:{chunk:032x}").into(),
                cache_level: "L2".into(),
                reason: (*self.random.pick(&["ttl_expired", "eviction", "explicit"])).into(),
                entry_age_seconds: Quantity::Whole(self.random.whole(1, 3_600)),
            });
            self.emit(payload);
        }
    }

    fn progress(&mut self, id: u128, job: &Job, done: u64) {
        let ratio = done as f64 / job.chunks as f64;
        let complete = done >= job.chunks;
        let payload = Payload::ProgressUpdated(ProgressUpdated {
            transcript_id: uuid(job.transcript),
            progress: ratio,
            current_chunk: Quantity::Whole(done),
            total_chunks: Quantity::Whole(job.chunks),
            status: if complete {
                "completed"
            } else if done + 1 == job.chunks {
                "merging"
            } else {
                "processing"
            }
            .into(),
        });
        self.emit(payload);
        let payload = Payload::JobProgressUpdated(JobProgressUpdated {
            job_id: uuid(id),
            progress: ratio,
            message: None,
            current_step: format!("chunk {done} of {}", job.chunks).into(),
        });
        self.emit(payload);
    }

    fn free_slot(&mut self, worker: usize) {
        if let Some(free) = &mut self.workers[worker] {
            *free = (*free + 1).min(SLOTS);
        }
    }

    fn complete(&mut self, id: u128) {
        let Some(job) = self.jobs.remove(&id) else { return };
        let payload = Payload::FileProcessingCompleted(FileProcessingCompleted {
            transcript_id: uuid(job.transcript),
            total_duration_ms: Quantity::Whole(((self.now - job.queued) * 1e3) as u64),
            total_chunks: Quantity::Whole(job.chunks),
            successful_chunks: Quantity::Whole(job.chunks - job.failed_chunks),
            failed_chunks: Quantity::Whole(job.failed_chunks),
            cache_hits: Quantity::Whole(job.cached_chunks),
            final_text_length: Quantity::Whole(job.chunks * 2_100),
            detected_language: job.language.into(),
        });
        self.emit(payload);
        let payload = Payload::JobCompleted(JobCompleted {
            job_id: uuid(id),
            worker_id: worker_name(job.worker),
            duration_ms: Quantity::Whole(((self.now - job.started) * 1e3) as u64),
            result_size: Quantity::Whole(job.chunks * 2_100),
            retry_count: Quantity::Whole(job.retries),
        });
        self.emit(payload);
        self.free_slot(job.worker);
        self.dispatch();
    }

    fn fail(&mut self, id: u128) {
        let Some(mut job) = self.jobs.remove(&id) else { return };
        self.free_slot(job.worker);
        if job.retries < 1 {
            job.retries += 1;
            let backoff = 2 * job.retries;
            let payload = Payload::JobRetryScheduled(JobRetryScheduled {
                job_id: uuid(id),
                retry_attempt: Quantity::Whole(job.retries),
                max_retries: Quantity::Whole(1),
                backoff_seconds: Quantity::Whole(backoff),
                reason: "api_error".into(),
            });
            self.emit(payload);
            self.jobs.insert(id, job);
            self.plan(backoff as f64, Action::Ready { job: id });
        } else {
            let payload = Payload::JobFailed(JobFailed {
                job_id: uuid(id),
                worker_id: worker_name(job.worker),
                error_type: "api_error".into(),
                error_message: "upstream answered 503 twice".into(),
                retry_count: Quantity::Whole(job.retries),
                sent_to_dlq: true,
            });
            self.emit(payload);
            let payload = Payload::FileProcessingFailed(FileProcessingFailed {
                transcript_id: Some(uuid(job.transcript)),
                error_type: Some("api_error".into()),
                error_message: Some("upstream answered 503 twice".into()),
                failed_chunks: Some(Quantity::Whole(job.failed_chunks)),
                total_chunks: Some(Quantity::Whole(job.chunks)),
            });
            self.emit(payload);
        }
        self.dispatch();
    }

    /// What the application records of itself, once a second.
    fn record(&mut self) {
        let requests = self.random.whole(5, 40) as f64;
        let memory = 4e8 + 5e7 * f64::sin(self.now / 30.0);
        let latency = self.random.between(0.004, 0.2);
        let metrics = [
            (
                "http_requests_total",
                requests,
                MetricType::Counter,
                &[("method", "GET"), ("status", "200")][..],
            ),
            (
                "http_requests_total",
                (requests / 20.0).floor(),
                MetricType::Counter,
                &[("method", "POST"), ("status", "500")][..],
            ),
            ("app_memory_bytes", memory.round(), MetricType::Gauge, &[("service", "api")][..]),
            ("api_latency_seconds", latency, MetricType::Histogram, &[("route", "/transcripts")][..]),
        ];
        for (name, value, metric_type, tags) in metrics {
            let payload = Payload::MetricRecorded(MetricRecorded {
                metric_name: name.into(),
                metric_value: value,
                metric_type,
                tags: Tags::render(tags.iter().copied()),
            });
            self.emit(payload);
        }
        self.plan(1.0, Action::Record);
    }

    fn warm(&mut self) {
        let target = self.random.whole(50, 200);
        let payload = Payload::CacheWarmerStarted(CacheWarmerStarted {
            warming_strategy: "frequent_access".into(),
            target_entries: Quantity::Whole(target),
        });
        self.emit(payload);
        self.plan(4.0, Action::WarmDone { target });
        self.plan(60.0, Action::Warm);
    }

    fn warmed(&mut self, target: u64) {
        let payload = Payload::CacheWarmerCompleted(CacheWarmerCompleted {
            warming_strategy: "frequent_access".into(),
            entries_loaded: Quantity::Whole(target - target / 50),
            entries_failed: Quantity::Whole(target / 50),
            duration_ms: Quantity::Whole(4_000),
        });
        self.emit(payload);
        self.warmth = (self.warmth + 0.1).min(0.85);
    }

    fn start_worker(&mut self, worker: usize) {
        let payload = Payload::WorkerStarted(WorkerStarted {
            worker_id: worker_name(worker),
            worker_pid: Quantity::Whole(1_000 + worker as u64),
            queues: QUEUES.iter().map(|(queue, ..)| (*queue).into()).collect(),
            concurrency: Quantity::Whole(SLOTS),
        });
        self.emit(payload);
        self.workers[worker] = Some(SLOTS);
        self.dispatch();
    }

    /// All workers but one crash; their jobs go back to the queue when they return.
    fn crash(&mut self) {
        for worker in 1..WORKERS {
            let running = self.workers[worker].map_or(0, |free| SLOTS - free);
            self.workers[worker] = None;
            let payload = Payload::WorkerStopped(WorkerStopped {
                worker_id: worker_name(worker),
                reason: "crash".into(),
                jobs_running: Quantity::Whole(running),
            });
            self.emit(payload);
            let lost: Vec<u128> = self
                .jobs
                .iter()
                .filter(|(id, job)| job.worker == worker && !self.waiting.contains(id))
                .map(|(id, _)| *id)
                .collect();
            for id in lost {
                if let Some(job) = self.jobs.remove(&id) {
                    let again = self.random.uuid();
                    self.jobs.insert(again, Job { transcript: job.transcript, ..job });
                    self.plan(1.0, Action::Ready { job: again });
                }
            }
            self.plan(INCIDENT_SECONDS, Action::Restart { worker });
        }
        self.plan(ACT_SECONDS * INCIDENTS.len() as f64, Action::Crash);
    }
}

impl Iterator for Workload {
    type Item = Event<'static>;

    fn next(&mut self) -> Option<Event<'static>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let Reverse((micros, _, action)) = self.planned.pop()?;
            self.now = micros as f64 / 1e6;
            self.act(action);
        }
    }
}

fn uuid(id: u128) -> crate::engine::wire::Text<'static> {
    uuid::Uuid::from_u128(id).to_string().into()
}

fn worker_name(worker: usize) -> crate::engine::wire::Text<'static> {
    format!("worker-{}", worker + 1).into()
}
