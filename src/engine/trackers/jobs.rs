//! Jobs: waiting, running, apart (a retry is scheduled, or the worker is gone) or done.
//!
//! Events say which move was made, not which state came of it, and arrive in any order. A job's state is that of the
//! last arrived move, save for late ones: what is older than the job's end, and a JobQueued older than its start, move
//! nothing. Labels come from the last event that carries them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::NEVER;
use super::gauges::{Board, Counted, Family, ONE, Shown};
use super::key::IdKey;
use super::oldest::{Oldest, Ticket, Tickets};
use super::roll::{Eviction, Roll, Standing};
use super::words::{UNKNOWN, WordId, Words};
use crate::engine::config::TrackerLimits;
use crate::engine::series::SeriesId;
use crate::engine::time::Timestamp;

/// The families that jobs feed.
#[derive(Debug)]
pub struct JobFamilies {
    /// `queue_depth`.
    pub depth: Family,
    /// `queue_jobs_running`.
    pub running: Family,
    /// `queue_oldest_job_age_seconds`.
    pub oldest_waiting: Family,
    /// `queue_oldest_progress_age_seconds`.
    pub oldest_progress: Family,
    /// `signalbox_tracker_evictions_total`.
    pub evictions: Family,
}

/// The labels a JobQueued event carries.
#[derive(Clone, Copy, Debug)]
pub struct JobLabels<'a> {
    /// The queue.
    pub queue: &'a str,
    /// The kind of job.
    pub job_type: &'a str,
    /// The priority.
    pub priority: &'a str,
}

/// A JobStarted event.
#[derive(Clone, Copy, Debug)]
pub struct JobStart<'a> {
    /// The job.
    pub job: &'a str,
    /// The worker that runs it.
    pub worker: IdKey,
    /// The queue it came from.
    pub queue: &'a str,
    /// The event's timestamp.
    pub at: Timestamp,
}

/// A job that is tracked; valid until the next event.
#[derive(Clone, Copy, Debug)]
pub struct JobSlot(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting { series: SeriesId },
    Running { series: SeriesId },
    Apart,
    Done,
}

/// What a job is after a move, before it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Waiting,
    Running,
    Apart,
    Done,
}

#[derive(Debug)]
struct Job {
    queue: WordId,
    kind: WordId,
    priority: WordId,
    state: State,
    /// The timestamp of the last JobQueued.
    queued: Timestamp,
    /// The timestamp of the last JobStarted.
    started: Timestamp,
    /// The latest timestamp of an end.
    ended: Timestamp,
    /// The timestamp of the event that moved it last.
    moved: Timestamp,
    ticket: Ticket,
    worker: IdKey,
}

/// Entries by queue, to find the one that moved longest ago.
type Ages = BTreeMap<WordId, Oldest<Timestamp>>;

/// The tracker of jobs.
#[derive(Debug)]
pub struct Jobs {
    roll: Roll<IdKey, Job>,
    words: Words,
    tickets: Tickets,
    depth: Counted,
    running: Counted,
    oldest_waiting: Shown,
    oldest_progress: Shown,
    waiting_ages: Ages,
    running_ages: Ages,
    by_worker: BTreeSet<(IdKey, u32)>,
}

impl Jobs {
    /// A tracker without jobs.
    pub fn new(limits: TrackerLimits, families: JobFamilies) -> Self {
        Self {
            roll: Roll::new(limits, families.evictions, "jobs"),
            words: Words::default(),
            tickets: Tickets::default(),
            depth: Counted::new(families.depth),
            running: Counted::new(families.running),
            oldest_waiting: Shown::new(families.oldest_waiting),
            oldest_progress: Shown::new(families.oldest_progress),
            waiting_ages: Ages::new(),
            running_ages: Ages::new(),
            by_worker: BTreeSet::new(),
        }
    }

    /// JobQueued: the job waits, unless the event is older than its end or its last start.
    pub fn queued(&mut self, board: &mut Board<'_>, id: &str, at: Timestamp, labels: JobLabels<'_>) {
        let slot = self.slot(board, id);
        let before = self.lift(board, slot);
        let Some(job) = self.roll.get_mut(slot) else { return };
        self.words.replace(&mut job.queue, labels.queue);
        self.words.replace(&mut job.kind, labels.job_type);
        self.words.replace(&mut job.priority, labels.priority);
        job.queued = at;
        let late = at < job.ended || at < job.started;
        if !late {
            job.moved = at;
        }
        self.settle(board, slot, if late { before } else { Place::Waiting });
    }

    /// JobStarted: the job runs, unless the event is older than its end. Tells how long it waited, where that is known.
    pub fn started(&mut self, board: &mut Board<'_>, start: JobStart<'_>) -> (JobSlot, Option<Duration>) {
        let slot = self.slot(board, start.job);
        let before = self.lift(board, slot);
        let Some(job) = self.roll.get_mut(slot) else { return (JobSlot(slot), None) };
        self.words.replace(&mut job.queue, start.queue);
        let wait = (job.queued != NEVER).then(|| start.at.since(job.queued));
        let late = start.at < job.ended;
        if !late {
            job.started = start.at;
            job.moved = start.at;
            job.worker = start.worker;
        }
        self.settle(board, slot, if late { before } else { Place::Running });
        (JobSlot(slot), wait)
    }

    /// JobProgressUpdated: a running job moved.
    pub fn progressed(&mut self, board: &Board<'_>, id: &str, at: Timestamp) -> Option<JobSlot> {
        let slot = self.roll.find(IdKey::new(id))?;
        let job = self.roll.get_mut(slot)?;
        if let State::Running { .. } = job.state {
            let fell = at < job.moved;
            job.moved = at;
            if fell {
                job.ticket = self.tickets.issue();
                let ticket = job.ticket;
                let oldest = self.running_ages.entry(job.queue).or_default();
                oldest.fell(at, ticket, slot);
                oldest.sweep(|slot, ticket| current(&self.roll, slot, ticket));
            }
        }
        let standing = self.roll.get(slot).map_or(Standing::Held, standing);
        self.roll.touch(slot, standing, board.cause.now);
        Some(JobSlot(slot))
    }

    /// JobCompleted or JobFailed: the job is done.
    pub fn ended(&mut self, board: &mut Board<'_>, id: &str, at: Timestamp) -> JobSlot {
        let slot = self.slot(board, id);
        self.lift(board, slot);
        if let Some(job) = self.roll.get_mut(slot) {
            job.ended = job.ended.max(at);
        }
        self.settle(board, slot, Place::Done);
        JobSlot(slot)
    }

    /// JobRetryScheduled: the job neither waits nor runs, unless it is done.
    pub fn retry_scheduled(&mut self, board: &mut Board<'_>, id: &str) -> Option<JobSlot> {
        let slot = self.roll.find(IdKey::new(id))?;
        match self.lift(board, slot) {
            Place::Done => self.settle(board, slot, Place::Done),
            Place::Waiting | Place::Running | Place::Apart => self.settle(board, slot, Place::Apart),
        }
        Some(JobSlot(slot))
    }

    /// The jobs a lost worker was running run no more.
    pub fn worker_lost(&mut self, board: &mut Board<'_>, worker: IdKey) {
        let slots: Vec<u32> =
            self.by_worker.range((worker, 0)..=(worker, u32::MAX)).map(|(_, slot)| *slot).collect();
        for slot in slots {
            self.lift(board, slot);
            self.settle(board, slot, Place::Apart);
        }
    }

    /// The labels of a job, each `unknown` where no event carried it.
    pub fn labels(&self, slot: Option<JobSlot>) -> JobLabels<'_> {
        match slot.and_then(|slot| self.roll.get(slot.0)) {
            Some(job) => JobLabels {
                queue: self.words.text(job.queue),
                job_type: self.words.text(job.kind),
                priority: self.words.text(job.priority),
            },
            None => JobLabels { queue: UNKNOWN, job_type: UNKNOWN, priority: UNKNOWN },
        }
    }

    /// How many jobs are known.
    pub fn len(&self) -> usize {
        self.roll.len()
    }

    /// Whether no job is known.
    pub fn is_empty(&self) -> bool {
        self.roll.is_empty()
    }

    /// Evicts what nothing moved for too long and shows the ages of now.
    pub fn refresh(&mut self, board: &mut Board<'_>) {
        while let Some((slot, why)) = self.roll.overdue(board.cause.now) {
            self.evict(board, slot, why);
        }
        let Self { roll, words, waiting_ages, running_ages, .. } = self;
        for (ages, shown) in
            [(waiting_ages, &mut self.oldest_waiting), (running_ages, &mut self.oldest_progress)]
        {
            let mut values = Vec::new();
            ages.retain(|queue, oldest| match oldest.least(|slot, ticket| current(roll, slot, ticket)) {
                Some(moved) => {
                    let series = shown.place(board, &[words.text(*queue)]);
                    values.push((series, board.cause.now.since(moved).as_secs_f64()));
                    true
                }
                None => false,
            });
            shown.replace(board, values);
        }
    }

    /// The slot of a job, new if it was not known.
    fn slot(&mut self, board: &mut Board<'_>, id: &str) -> u32 {
        let key = IdKey::new(id);
        if let Some(slot) = self.roll.find(key) {
            return slot;
        }
        while let Some((slot, why)) = self.roll.crowded() {
            self.evict(board, slot, why);
        }
        let unknown = WordId::default();
        let job = Job {
            queue: unknown,
            kind: unknown,
            priority: unknown,
            state: State::Apart,
            queued: NEVER,
            started: NEVER,
            ended: NEVER,
            moved: NEVER,
            ticket: Ticket::default(),
            worker: IdKey::new(""),
        };
        self.roll.insert(key, job, board.cause.now)
    }

    /// Takes a job out of every gauge and says where it was.
    fn lift(&mut self, board: &mut Board<'_>, slot: u32) -> Place {
        let Some(job) = self.roll.get_mut(slot) else { return Place::Apart };
        job.ticket = Ticket::default();
        match std::mem::replace(&mut job.state, State::Apart) {
            State::Waiting { series } => {
                self.depth.leave(board, series, ONE);
                leave(&mut self.waiting_ages, job.queue);
                Place::Waiting
            }
            State::Running { series } => {
                self.running.leave(board, series, ONE);
                leave(&mut self.running_ages, job.queue);
                self.by_worker.remove(&(job.worker, slot));
                Place::Running
            }
            State::Apart => Place::Apart,
            State::Done => Place::Done,
        }
    }

    /// Puts a lifted job where it is now.
    fn settle(&mut self, board: &mut Board<'_>, slot: u32, place: Place) {
        let Some(job) = self.roll.get_mut(slot) else { return };
        let queue = self.words.text(job.queue);
        let ages = match place {
            Place::Waiting => {
                let series = self.depth.place(board, &[queue, self.words.text(job.priority)]);
                self.depth.enter(board, series, ONE);
                job.state = State::Waiting { series };
                Some(&mut self.waiting_ages)
            }
            Place::Running => {
                let series = self.running.place(board, &[queue, self.words.text(job.kind)]);
                self.running.enter(board, series, ONE);
                self.by_worker.insert((job.worker, slot));
                job.state = State::Running { series };
                Some(&mut self.running_ages)
            }
            Place::Apart => {
                job.state = State::Apart;
                None
            }
            Place::Done => {
                job.state = State::Done;
                None
            }
        };
        let standing = standing(job);
        if let Some(ages) = ages {
            job.ticket = self.tickets.issue();
            let (moved, ticket, oldest) = (job.moved, job.ticket, ages.entry(job.queue).or_default());
            oldest.enter(moved, ticket, slot);
            oldest.sweep(|slot, ticket| current(&self.roll, slot, ticket));
        }
        self.roll.touch(slot, standing, board.cause.now);
    }

    fn evict(&mut self, board: &mut Board<'_>, slot: u32, why: Eviction) {
        self.lift(board, slot);
        if let Some(job) = self.roll.remove(slot) {
            for word in [job.queue, job.kind, job.priority] {
                self.words.release(word);
            }
        }
        self.roll.count(board, why);
    }
}

fn standing(job: &Job) -> Standing {
    match job.state {
        State::Waiting { .. } | State::Running { .. } | State::Apart => Standing::Held,
        State::Done => Standing::Ended,
    }
}

fn leave(ages: &mut Ages, queue: WordId) {
    if let Some(oldest) = ages.get_mut(&queue) {
        oldest.leave();
    }
}

/// When the job of this ticket moved last.
fn current(roll: &Roll<IdKey, Job>, slot: u32, ticket: Ticket) -> Option<Timestamp> {
    roll.get(slot).filter(|job| job.ticket == ticket).map(|job| job.moved)
}
