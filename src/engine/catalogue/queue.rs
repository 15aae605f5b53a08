//! What the events of the queue context move.
//!
//! Most of them carry only the job's id: queue, type and priority come from what the tracker saw before.

use super::Catalogue;
use super::families::Group;
use super::rows::Metric;
use crate::engine::time::Timestamp;
use crate::engine::trackers::gauges::Board;
use crate::engine::trackers::jobs::{JobLabels, JobProgress, JobStart};
use crate::engine::trackers::key::IdKey;
use crate::engine::trackers::words::UNKNOWN;
use crate::engine::wire::payload::{
    JobCompleted, JobFailed, JobProgressUpdated, JobQueued, JobRetryScheduled, JobStarted, WorkerStarted,
    WorkerStopped,
};

const QUEUED: Group<2, 4> = Group {
    metrics: [Metric::JobsQueued, Metric::JobPayload],
    labels: ["queue", "job_type", "priority", "submitter"],
};
const STARTED: Group<1, 2> = Group { metrics: [Metric::JobsStarted], labels: ["queue", "job_type"] };
const WAITED: Group<1, 3> = Group { metrics: [Metric::JobWait], labels: ["queue", "job_type", "priority"] };
const PROGRESSED: Group<1, 1> = Group { metrics: [Metric::JobProgressUpdates], labels: ["job_type"] };
const COMPLETED: Group<4, 2> = Group {
    metrics: [Metric::JobsCompleted, Metric::JobDuration, Metric::JobResult, Metric::JobRetries],
    labels: ["queue", "job_type"],
};
const FAILED: Group<3, 3> = Group {
    metrics: [Metric::JobsFailed, Metric::JobsDeadLettered, Metric::JobFailureRetries],
    labels: ["queue", "job_type", "error_type"],
};
const RETRIED: Group<3, 2> = Group {
    metrics: [Metric::RetriesScheduled, Metric::RetryBackoff, Metric::LastRetries],
    labels: ["queue", "job_type"],
};
const WORKER_START: Group<1, 1> = Group { metrics: [Metric::WorkersStarted], labels: ["queue"] };
const WORKER_STOP: Group<1, 1> = Group { metrics: [Metric::WorkersStopped], labels: ["reason"] };
const ORPHANED: Group<1, 1> = Group { metrics: [Metric::JobsOrphaned], labels: ["reason"] };

/// The reason of a stop that leaves no job behind.
const SHUTDOWN: &str = "shutdown";

impl Catalogue {
    pub(super) fn job_queued(&mut self, board: &mut Board<'_>, event: &JobQueued<'_>, at: Timestamp) {
        let values = [event.queue_name.as_ref(), &event.job_type, &event.priority, &event.submitter];
        let [queued, payload] = self.families.series(board, &QUEUED, values);
        board.add(queued, 1.0);
        board.observe(payload, event.payload_size.value());
        let labels = JobLabels {
            queue: self.families.value(&event.queue_name),
            job_type: self.families.value(&event.job_type),
            priority: self.families.value(&event.priority),
        };
        self.jobs.queued(board, &event.job_id, at, labels);
    }

    pub(super) fn job_started(&mut self, board: &mut Board<'_>, event: &JobStarted<'_>, at: Timestamp) {
        let worker = IdKey::new(&event.worker_id);
        let queue = self.families.value(&event.queue_name);
        let (job, wait) = self.jobs.started(board, JobStart { job: &event.job_id, worker, queue, at });
        self.workers.seen(board, worker);
        let labels = self.jobs.labels(Some(job));
        let values = [event.queue_name.as_ref(), labels.job_type];
        let [started] = self.families.series(board, &STARTED, values);
        board.add(started, 1.0);
        if let Some(wait) = wait {
            let values = [event.queue_name.as_ref(), labels.job_type, labels.priority];
            let [waited] = self.families.series(board, &WAITED, values);
            board.observe(waited, wait.as_secs_f64());
        }
    }

    pub(super) fn job_progressed(
        &mut self,
        board: &mut Board<'_>,
        event: &JobProgressUpdated<'_>,
        at: Timestamp,
    ) {
        let update = JobProgress { job: &event.job_id, ratio: event.progress.clamp(0.0, 1.0), at };
        let job = self.jobs.progressed(board, update);
        let labels = self.jobs.labels(job);
        let [updates] = self.families.series(board, &PROGRESSED, [labels.job_type]);
        board.add(updates, 1.0);
    }

    pub(super) fn job_completed(&mut self, board: &mut Board<'_>, event: &JobCompleted<'_>, at: Timestamp) {
        let job = self.jobs.ended(board, &event.job_id, at);
        self.workers.seen(board, IdKey::new(&event.worker_id));
        let labels = self.jobs.labels(Some(job));
        let values = [labels.queue, labels.job_type];
        let [completed, duration, result, retries] = self.families.series(board, &COMPLETED, values);
        board.add(completed, 1.0);
        board.observe(duration, event.duration_ms.value() / 1e3);
        board.observe(result, event.result_size.value());
        board.observe(retries, event.retry_count.value());
    }

    pub(super) fn job_failed(&mut self, board: &mut Board<'_>, event: &JobFailed<'_>, at: Timestamp) {
        let job = self.jobs.ended(board, &event.job_id, at);
        self.workers.seen(board, IdKey::new(&event.worker_id));
        let labels = self.jobs.labels(Some(job));
        let values = [labels.queue, labels.job_type, &event.error_type];
        let [failed, dead, retries] = self.families.series(board, &FAILED, values);
        board.add(failed, 1.0);
        board.observe(retries, event.retry_count.value());
        if event.sent_to_dlq {
            board.add(dead, 1.0);
        }
    }

    pub(super) fn job_retry_scheduled(&mut self, board: &mut Board<'_>, event: &JobRetryScheduled<'_>) {
        let job = self.jobs.retry_scheduled(board, &event.job_id);
        let labels = self.jobs.labels(job);
        let [retries, backoff, last] = self.families.series(board, &RETRIED, [labels.queue, labels.job_type]);
        board.add(retries, 1.0);
        board.observe(backoff, event.backoff_seconds.value());
        if event.retry_attempt.value() >= event.max_retries.value() {
            board.add(last, 1.0);
        }
    }

    pub(super) fn worker_started(&mut self, board: &mut Board<'_>, event: &WorkerStarted<'_>) {
        let mut queues: Vec<&str> = Vec::new();
        let mut names: Vec<&str> = event.queues.iter().map(AsRef::as_ref).collect();
        // Sorted, names that become one stand together, save for an empty one (the first) and `unknown` itself.
        names.sort_unstable();
        for name in names {
            let queue = self.families.value(name);
            if queues.last() == Some(&queue) || (queue == UNKNOWN && queues.first() == Some(&UNKNOWN)) {
                continue;
            }
            let [started] = self.families.series(board, &WORKER_START, [name]);
            board.add(started, 1.0);
            queues.push(queue);
        }
        self.workers.started(board, IdKey::new(&event.worker_id), &queues, event.concurrency);
    }

    pub(super) fn worker_stopped(&mut self, board: &mut Board<'_>, event: &WorkerStopped<'_>) {
        let reason = event.reason.as_ref();
        let [stopped] = self.families.series(board, &WORKER_STOP, [reason]);
        board.add(stopped, 1.0);
        let worker = IdKey::new(&event.worker_id);
        self.workers.stopped(board, worker);
        if reason != SHUTDOWN {
            let [orphaned] = self.families.series(board, &ORPHANED, [reason]);
            board.add(orphaned, event.jobs_running.value());
            self.jobs.worker_lost(board, worker);
        }
    }
}
