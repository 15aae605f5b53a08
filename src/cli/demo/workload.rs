//! The story the demo tells: a transcript-processing application at work, and its bad minutes.
//!
//! A discrete-event simulation in the application's own time. Uploads become jobs, workers take them, chunks go
//! through the cache and the database, files complete. Four incidents come round in turn ([`Incident`]), each
//! made to have shipped rules fire while it lasts and clear after it.

mod application;
mod chunks;
mod jobs;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::num::NonZero;
use std::time::Duration;

use jobs::JobKind;

use super::random::Random;
use crate::engine::time::Timestamp;
use crate::engine::wire::payload::Payload;
use crate::engine::wire::{Event, EventId, Text, Version};

/// Seconds from the beginning of one incident to the beginning of the next.
const ACT_SECONDS: f64 = 60.0;
/// How long of it the incident lasts; the rest is recovery.
const INCIDENT_SECONDS: f64 = 25.0;
/// Quiet seconds before the first incident.
const OVERTURE_SECONDS: f64 = 10.0;
/// Events that a file causes on its way through, about.
const EVENTS_PER_FILE: f64 = 65.0;
/// Events a second that the application records of itself, whatever the load.
const OWN_EVENTS_PER_SECOND: f64 = 4.0;
const WORKERS: usize = 4;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Incident {
    /// The transcription API fails: chunks and jobs fail, are retried and fail again.
    ApiOutage,
    /// All workers but one crash while uploads surge; the queues grow until others are started.
    WorkerLoss,
    /// The database is slow and its pool runs empty.
    SlowDatabase,
    /// The cache starts cold.
    ColdCache,
}

const INCIDENTS: [Incident; 4] =
    [Incident::ApiOutage, Incident::WorkerLoss, Incident::SlowDatabase, Incident::ColdCache];

/// A chunk that was worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct WorkedChunk {
    job: u128,
    number: u64,
    id: u128,
    cached: bool,
}

/// What will happen at a time of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    Upload,
    Chunk { job: u128, chunk: u64 },
    ChunkDone(WorkedChunk),
    Ready { job: u128 },
    Record,
    Warm,
    WarmDone { target: u64 },
    Index,
    Crash,
    Restart { worker: usize },
}

#[derive(Clone, Debug)]
struct Job {
    transcript: u128,
    kind: &'static JobKind,
    /// Whether nobody uploaded this before, so that no cache can know it.
    new: bool,
    chunks: u64,
    failed_chunks: u64,
    cached_chunks: u64,
    retries: u64,
    worker: usize,
    /// The chunk that is being processed: its index and id.
    chunk: Option<(u64, u128)>,
    queued: f64,
    started: f64,
    language: &'static str,
}

/// The simulation; an endless iterator over events in the order of their time.
#[derive(Debug)]
pub(super) struct Workload {
    random: Random,
    /// Apart from what happens, so that a story told again has other ids.
    ids: Random,
    start: Timestamp,
    uploads_per_second: f64,
    /// Jobs that a worker runs at once.
    slots: u64,
    /// Actions by time (in microseconds of the story), then by the order they were planned in.
    planned: BinaryHeap<Reverse<(u64, u64, Action)>>,
    plans: u64,
    now: f64,
    jobs: BTreeMap<u128, Job>,
    waiting: VecDeque<u128>,
    /// Free slots by worker; none where the worker is gone.
    workers: Vec<Option<u64>>,
    /// How much of what is asked for again the cache knows, 0 to 1.
    warmth: f64,
    events: VecDeque<Event<'static>>,
}

impl Workload {
    /// A story that begins at `start` and yields about `rate` events a second.
    pub(super) fn new(seed: u64, rate: f64, start: Timestamp) -> Self {
        let mut workload = Self {
            random: Random::seeded(seed),
            ids: Random::seeded(seed.rotate_left(32) ^ start.micros().unsigned_abs()),
            start,
            uploads_per_second: ((rate - OWN_EVENTS_PER_SECOND) / EVENTS_PER_FILE).max(0.01),
            slots: (rate / 100.0).ceil().max(1.0) as u64,
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
        workload.plan(5.0, Action::Index);
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
        let act = (since / ACT_SECONDS) as usize % INCIDENTS.len();
        INCIDENTS.get(act).copied().filter(|_| happening)
    }

    fn plan(&mut self, seconds: f64, action: Action) {
        self.plans += 1;
        self.planned.push(Reverse((((self.now + seconds) * 1e6) as u64, self.plans, action)));
    }

    fn emit(&mut self, payload: Payload<'static>) {
        let timestamp = self.start.after(Duration::from_secs_f64(self.now));
        let trace = NonZero::new(self.ids.uuid());
        let version = Version { major: 1, minor: 0, patch: 0 };
        let id = EventId(self.ids.uuid());
        self.events.push_back(Event { id, timestamp, version, trace, payload });
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Upload => self.upload(),
            Action::Chunk { job, chunk } => self.begin_chunk(job, chunk),
            Action::ChunkDone(worked) => self.end_chunk(worked),
            Action::Ready { job } => self.queue(job, "retry"),
            Action::Record => self.record(),
            Action::Warm => self.warm(),
            Action::WarmDone { target } => self.warmed(target),
            Action::Index => self.index(),
            Action::Crash => self.crash(),
            Action::Restart { worker } => self.start_worker(worker),
        }
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

fn uuid(id: u128) -> Text<'static> {
    uuid::Uuid::from_u128(id).to_string().into()
}

fn worker_name(worker: usize) -> Text<'static> {
    format!("worker-{}", worker + 1).into()
}
