//! A chunk's way: the cache, the database, the transcription API.

use super::{Action, Incident, Job, WORKERS, WorkedChunk, Workload, uuid};
use crate::engine::wire::payload::{
    CacheEntryAccessed, CacheEntryCreated, CacheEntryInvalidated, ChunkProcessingCompleted,
    ChunkProcessingFailed, ChunkProcessingStarted, ConnectionAcquired, ConnectionReleased,
    JobProgressUpdated, Payload, ProgressUpdated, Quantity, QueryExecuted,
};

const TABLES: [&str; 3] = ["transcripts", "chunks", "embeddings"];
/// Connections that no worker uses.
const SPARE_CONNECTIONS: u64 = 8;
/// The share of calls that the transcription API fails while it is out.
const OUTAGE_FAILURES: f64 = 0.9;

impl Workload {
    pub(super) fn begin_chunk(&mut self, id: u128, chunk: u64) {
        let chunk_id = self.ids.uuid();
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.chunk = Some((chunk, chunk_id));
        let job = job.clone();
        let payload = Payload::ChunkProcessingStarted(ChunkProcessingStarted {
            transcript_id: uuid(job.transcript),
            chunk_id: uuid(chunk_id),
            chunk_index: Quantity::Whole(chunk),
            total_chunks: Quantity::Whole(job.chunks),
            chunk_size: Quantity::Whole(self.random.whole(500_000, 1_000_000)),
            processing_strategy: job.kind.strategy.into(),
        });
        self.emit(payload);
        let cached = !job.new && self.read_cache(chunk_id);
        let slow = if self.incident() == Some(Incident::SlowDatabase) { 8.0 } else { 1.0 };
        self.query(slow);
        let seconds = if cached { self.random.between(0.02, 0.06) } else { self.random.between(0.15, 0.5) };
        self.plan(
            seconds * f64::sqrt(slow),
            Action::ChunkDone(WorkedChunk { job: id, number: chunk, id: chunk_id, cached }),
        );
    }

    /// Asks the levels in turn; says whether one of them had it.
    fn read_cache(&mut self, chunk: u128) -> bool {
        let cold = self.incident() == Some(Incident::ColdCache);
        self.warmth = if cold { 0.1 } else { (self.warmth + 0.004).min(0.85) };
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
        let busy = self.workers.iter().flatten().map(|free| self.slots - free).sum::<u64>();
        let pool_size = self.slots * WORKERS as u64 + SPARE_CONNECTIONS;
        let available = if slow > 1.0 { 0 } else { pool_size.saturating_sub(busy) };
        let payload = Payload::ConnectionAcquired(ConnectionAcquired {
            pool_id: "main".into(),
            pool_size: Quantity::Whole(pool_size),
            pool_available: Quantity::Whole(available),
            checkout_duration_ms: Quantity::Whole((self.random.between(1.0, 4.0) * slow * slow) as u64),
        });
        self.emit(payload);
        let table = self.random.pick(&TABLES);
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
            pool_size: Some(Quantity::Whole(pool_size)),
            pool_available: Some(Quantity::Whole(if slow > 1.0 { 0 } else { available + 1 }.min(pool_size))),
            held_duration_ms: Some(Quantity::Whole(milliseconds as u64 + 2)),
        });
        self.emit(payload);
    }

    pub(super) fn end_chunk(&mut self, worked: WorkedChunk) {
        let WorkedChunk { job: id, number: chunk, id: chunk_id, cached } = worked;
        let Some(mut job) = self.jobs.get(&id).cloned() else { return };
        job.chunk = None;
        let failing = self.incident() == Some(Incident::ApiOutage);
        let failed = !cached && self.random.happens(if failing { OUTAGE_FAILURES } else { 0.004 });
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
        let complete = done >= job.chunks;
        self.jobs.insert(id, job);
        if complete {
            self.complete(id);
        } else {
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
                reason: self.random.pick(&["ttl_expired", "eviction", "explicit"]).into(),
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
}
