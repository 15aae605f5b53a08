//! Uploads, jobs and the workers that run them.

use super::{
    ACT_SECONDS, Action, INCIDENT_SECONDS, INCIDENTS, Incident, Job, WORKERS, Workload, uuid, worker_name,
};
use crate::engine::wire::payload::{
    ChunkProcessingFailed, FileProcessingCompleted, FileProcessingFailed, FileUploadStarted, JobCompleted,
    JobFailed, JobQueued, JobRetryScheduled, JobStarted, Payload, Quantity, WorkerStarted, WorkerStopped,
};

const LANGUAGES: [&str; 4] = ["en", "de", "fr", "ja"];
/// A kind of job.
#[derive(Debug)]
pub(super) struct JobKind {
    queue: &'static str,
    job_type: &'static str,
    priority: &'static str,
    /// How its chunks are processed.
    pub(super) strategy: &'static str,
}

const TRANSCRIPTION: JobKind =
    JobKind { queue: "transcripts", job_type: "transcription", priority: "high", strategy: "parallel" };
const SUMMARY: JobKind =
    JobKind { queue: "summaries", job_type: "summarization", priority: "medium", strategy: "sequential" };
const INDEXING: JobKind =
    JobKind { queue: "indexing", job_type: "indexing", priority: "low", strategy: "sequential" };
/// The share of uploads that nobody made before.
const NEW_SHARE: f64 = 0.5;
/// Uploads a second while they surge, at least: enough for one worker to fall behind.
const SURGE_UPLOADS_PER_SECOND_MIN: f64 = 8.0;

impl Workload {
    pub(super) fn upload(&mut self) {
        let transcript = self.ids.uuid();
        let language = self.random.pick(&LANGUAGES);
        let size = self.random.whole(20_000, 40_000_000);
        let payload = Payload::FileUploadStarted(FileUploadStarted {
            transcript_id: uuid(transcript),
            file_name: format!("interview-{}.mp3", self.plans).into(),
            file_size: Quantity::Whole(size),
            file_hash: format!("{:032x}{:032x}", transcript, self.ids.uuid()).into(),
            language: Some(language.into()),
            upload_ip: "203.0.113.7".into(),
        });
        self.emit(payload);
        let kind = match self.random.whole(0, 5) {
            0..=3 => &TRANSCRIPTION,
            4 => &SUMMARY,
            _ => &INDEXING,
        };
        let job = Job {
            transcript,
            kind,
            new: self.random.happens(NEW_SHARE),
            chunks: 2 + size / 8_000_000,
            failed_chunks: 0,
            cached_chunks: 0,
            retries: 0,
            worker: 0,
            chunk: None,
            queued: self.now,
            started: self.now,
            language,
        };
        let id = self.ids.uuid();
        self.jobs.insert(id, job);
        self.queue(id, "api");
        let usual = self.uploads_per_second;
        let surge = self.incident() == Some(Incident::WorkerLoss);
        let rate = if surge { (usual * 4.0).max(SURGE_UPLOADS_PER_SECOND_MIN) } else { usual };
        let wait = self.random.wait(rate);
        self.plan(wait, Action::Upload);
    }

    pub(super) fn queue(&mut self, id: u128, submitter: &'static str) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.queued = self.now;
        let JobKind { queue, job_type, priority, .. } = *job.kind;
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
            let queue = job.kind.queue;
            if let Some(Some(free)) = self.workers.get_mut(worker) {
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

    pub(super) fn complete(&mut self, id: u128) {
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

    pub(super) fn fail(&mut self, id: u128) {
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

    fn free_slot(&mut self, worker: usize) {
        if let Some(Some(free)) = self.workers.get_mut(worker) {
            *free = (*free + 1).min(self.slots);
        }
    }

    pub(super) fn start_worker(&mut self, worker: usize) {
        let payload = Payload::WorkerStarted(WorkerStarted {
            worker_id: worker_name(worker),
            worker_pid: Quantity::Whole(1_000 + worker as u64),
            queues: [&TRANSCRIPTION, &SUMMARY, &INDEXING].map(|kind| kind.queue.into()).into(),
            concurrency: Quantity::Whole(self.slots),
        });
        self.emit(payload);
        if let Some(slots) = self.workers.get_mut(worker) {
            *slots = Some(self.slots);
        }
        self.dispatch();
    }

    /// All workers but one crash; their jobs go back to the queue when they return.
    pub(super) fn crash(&mut self) {
        for worker in 1..WORKERS {
            let free = self.workers.get_mut(worker).and_then(Option::take);
            let running = free.map_or(0, |free| self.slots - free);
            let payload = Payload::WorkerStopped(WorkerStopped {
                worker_id: worker_name(worker),
                reason: "crash".into(),
                jobs_running: Quantity::Whole(running),
            });
            self.emit(payload);
            let mut lost: Vec<(f64, u128)> = self
                .jobs
                .iter()
                .filter(|(id, job)| job.worker == worker && !self.waiting.contains(id))
                .map(|(id, job)| (job.queued, *id))
                .collect();
            // Not in the order of ids, which another start makes another one.
            lost.sort_by(|left, right| left.0.total_cmp(&right.0));
            for (_, id) in lost {
                self.orphan(id);
            }
            self.plan(INCIDENT_SECONDS, Action::Restart { worker });
        }
        self.plan(ACT_SECONDS * INCIDENTS.len() as f64, Action::Crash);
    }

    /// Whoever watches over the workers gives a job that lost its worker a new life.
    fn orphan(&mut self, id: u128) {
        let Some(mut job) = self.jobs.remove(&id) else { return };
        if let Some((index, chunk_id)) = job.chunk.take() {
            let payload = Payload::ChunkProcessingFailed(ChunkProcessingFailed {
                transcript_id: uuid(job.transcript),
                chunk_id: uuid(chunk_id),
                chunk_index: Quantity::Whole(index),
                error_type: "worker_lost".into(),
                error_message: "the worker crashed".into(),
                retry_count: Quantity::Whole(job.retries),
                will_retry: true,
            });
            self.emit(payload);
        }
        let again = self.ids.uuid();
        self.jobs.insert(again, job);
        self.plan(1.0, Action::Ready { job: again });
    }
}
