//! Jobs: waiting, running, apart (a retry is scheduled, or the worker is gone) or done.
//!
//! Events say which move was made, not which state came of it, and arrive in any order. A job's state is that of the
//! last arrived move, save for late ones: what is older than the job's end, and a JobQueued older than its start, move
//! nothing. Labels come from the last event that carries them.

mod saved;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::frame::{Frame, FrameParts, Lifted, Tracker};
use super::gauges::{Board, Counted, Family, ONE, SeriesEnding, ShownGauge};
use super::job::{Job, JobState, Move, Run, Stay};
use super::key::IdKey;
use super::oldest::{Oldest, Ticket, Tickets};
use super::ratios::{HeldRatio, Ratios};
use super::table::{Table, TablePlace};
use super::words::{UNKNOWN, WordId, Words};
use crate::engine::config::TrackerName;
use crate::engine::time::Timestamp;

/// The families that jobs feed.
#[derive(Debug)]
pub(crate) struct JobFamilies {
    /// `queue_depth`.
    pub(crate) depth: Family,
    /// `queue_jobs_running`.
    pub(crate) running: Family,
    /// `queue_oldest_job_age_seconds`.
    pub(crate) oldest_waiting: Family,
    /// `queue_oldest_progress_age_seconds`.
    pub(crate) oldest_progress: Family,
    /// `queue_job_progress_ratio`.
    pub(crate) ratio: Family,
}

/// The labels a JobQueued event carries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JobLabels<'a> {
    /// The queue.
    pub(crate) queue: &'a str,
    /// The kind of job.
    pub(crate) job_type: &'a str,
    /// The priority.
    pub(crate) priority: &'a str,
}

/// A JobStarted event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JobStart<'a> {
    /// The job.
    pub(crate) job: &'a str,
    /// The worker that runs it.
    pub(crate) worker: IdKey,
    /// The queue it came from.
    pub(crate) queue: &'a str,
    /// The event's timestamp.
    pub(crate) at: Timestamp,
}

/// A JobProgressUpdated event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JobProgress<'a> {
    /// The job.
    pub(crate) job: &'a str,
    /// From 0 to 1.
    pub(crate) ratio: f64,
    /// The event's timestamp.
    pub(crate) at: Timestamp,
}

/// Entries by queue, to find the one that moved longest ago.
type Ages = BTreeMap<WordId, Oldest<Timestamp>>;

/// What jobs count in.
#[derive(Debug)]
pub(crate) struct JobBooks {
    words: Words,
    tickets: Tickets,
    depth: Counted,
    running: Counted,
    oldest_waiting: ShownGauge,
    oldest_progress: ShownGauge,
    ratios: Ratios,
    waiting_ages: Ages,
    running_ages: Ages,
    by_worker: BTreeSet<(IdKey, TablePlace)>,
}

/// The tracker of jobs.
pub(crate) type Jobs = Frame<JobBooks>;

/// A job that is tracked; valid until the next event.
pub(crate) type JobPlace = TablePlace;

impl Jobs {
    /// A tracker without jobs.
    pub(crate) fn of_jobs(parts: FrameParts<'_>, families: JobFamilies) -> Self {
        let books = JobBooks {
            words: Words::default(),
            tickets: Tickets::default(),
            depth: Counted::new(families.depth),
            running: Counted::new(families.running),
            oldest_waiting: ShownGauge::new(families.oldest_waiting, SeriesEnding::Zero),
            oldest_progress: ShownGauge::new(families.oldest_progress, SeriesEnding::Zero),
            ratios: Ratios::new(families.ratio),
            waiting_ages: Ages::new(),
            running_ages: Ages::new(),
            by_worker: BTreeSet::new(),
        };
        Self::new(parts, books)
    }

    /// JobQueued: the job waits, unless the event is older than its end or its last start.
    pub(crate) fn queued(&mut self, board: &mut Board<'_>, id: &str, at: Timestamp, labels: JobLabels<'_>) {
        let place = self.enter(board, IdKey::new(id), Job::new);
        let Some(job) = self.table.get_mut(place) else { return };
        let before = self.own.part(board, place, job);
        let words = &mut self.own.words;
        words.replace(&mut job.queue, labels.queue);
        words.replace(&mut job.kind, labels.job_type);
        words.replace(&mut job.priority, labels.priority);
        job.queued = Some(at);
        let late = Some(at) < job.ended || Some(at) < job.started;
        self.settle(board, place, if late { before } else { Move::Wait { moved: at } });
    }

    /// JobStarted: the job runs, unless the event is older than its end. Tells how long it waited, where that is known.
    pub(crate) fn started(
        &mut self,
        board: &mut Board<'_>,
        start: JobStart<'_>,
    ) -> (JobPlace, Option<Duration>) {
        let place = self.enter(board, IdKey::new(start.job), Job::new);
        let Some(job) = self.table.get_mut(place) else { return (place, None) };
        let before = self.own.part(board, place, job);
        self.own.words.replace(&mut job.queue, start.queue);
        let wait = job.queued.map(|queued| start.at.since(queued));
        let late = Some(start.at) < job.ended;
        if !late {
            job.started = Some(start.at);
        }
        let run = Move::Run { moved: start.at, worker: start.worker };
        self.settle(board, place, if late { before } else { run });
        (place, wait)
    }

    /// JobProgressUpdated: a running job moved.
    pub(crate) fn progressed(&mut self, board: &mut Board<'_>, update: JobProgress<'_>) -> Option<JobPlace> {
        let JobProgress { job, ratio, at } = update;
        let place = self.table.find(IdKey::new(job))?;
        let job = self.table.get_mut(place)?;
        if Some(at) >= job.started {
            job.reported = Some((ratio, at));
        }
        let (queue, report) = (job.queue, job.reported_since_start());
        if let JobState::Running(run) = &mut job.state {
            if at < run.stay.moved {
                run.stay.ticket = self.own.tickets.issue();
                self.own.running_ages.entry(queue).or_default().fell(at, run.stay.ticket, place);
            }
            run.stay.moved = at;
            if let Some(ratio) = report {
                self.own.report(board, place, (queue, ratio), run);
            }
            if let Some(oldest) = self.own.running_ages.get_mut(&queue) {
                oldest.sweep(|place, ticket| current(&self.table, place, ticket));
            }
        }
        self.show_ratios(board);
        self.table.touch_again(place, board.cause.now);
        Some(place)
    }

    /// JobCompleted or JobFailed: the job is done.
    pub(crate) fn ended(&mut self, board: &mut Board<'_>, id: &str, at: Timestamp) -> JobPlace {
        let place = self.enter(board, IdKey::new(id), Job::new);
        if let Some(job) = self.table.get_mut(place) {
            self.own.part(board, place, job);
            job.ended = job.ended.max(Some(at));
        }
        self.settle(board, place, Move::Finish);
        place
    }

    /// JobRetryScheduled: the job neither waits nor runs, unless it is done.
    pub(crate) fn retry_scheduled(&mut self, board: &mut Board<'_>, id: &str) -> Option<JobPlace> {
        let place = self.table.find(IdKey::new(id))?;
        let before = self.own.part(board, place, self.table.get_mut(place)?);
        self.settle(
            board,
            place,
            match before {
                Move::Finish => Move::Finish,
                Move::Wait { .. } | Move::Run { .. } | Move::Part => Move::Part,
            },
        );
        Some(place)
    }

    /// The jobs a lost worker was running run no more.
    pub(crate) fn worker_lost(&mut self, board: &mut Board<'_>, worker: IdKey) {
        let of_worker = (worker, TablePlace::FIRST)..=(worker, TablePlace::LAST);
        let places: Vec<TablePlace> = self.own.by_worker.range(of_worker).map(|(_, place)| *place).collect();
        for place in places {
            if let Some(job) = self.table.get_mut(place) {
                self.own.part(board, place, job);
            }
            self.settle(board, place, Move::Part);
        }
    }

    /// The labels of a job, each `unknown` where no event carried it.
    pub(crate) fn labels(&self, place: Option<JobPlace>) -> JobLabels<'_> {
        match place.and_then(|place| self.table.get(place)) {
            Some(job) => JobLabels {
                queue: self.own.words.text(job.queue),
                job_type: self.own.words.text(job.kind),
                priority: self.own.words.text(job.priority),
            },
            None => JobLabels { queue: UNKNOWN, job_type: UNKNOWN, priority: UNKNOWN },
        }
    }

    /// Puts a lifted job where it goes.
    fn settle(&mut self, board: &mut Board<'_>, place: TablePlace, to: Move) {
        let Some(job) = self.table.get_mut(place) else { return };
        let own = &mut self.own;
        let queue = own.words.text(job.queue);
        let ages = match to {
            Move::Wait { moved } => {
                let series = own.depth.place(board, &[queue, own.words.text(job.priority)]);
                own.depth.enter(board, series, ONE);
                let stay = Stay { series, moved, ticket: own.tickets.issue() };
                job.state = JobState::Waiting(stay);
                Some((&mut own.waiting_ages, &mut own.oldest_waiting, stay))
            }
            Move::Run { moved, worker } => {
                let series = own.running.place(board, &[queue, own.words.text(job.kind)]);
                own.running.enter(board, series, ONE);
                own.by_worker.insert((worker, place));
                let stay = Stay { series, moved, ticket: own.tickets.issue() };
                let mut run = Run { stay, worker, progress: None };
                if let Some(ratio) = job.reported_since_start() {
                    own.report(board, place, (job.queue, ratio), &mut run);
                }
                job.state = JobState::Running(run);
                Some((&mut own.running_ages, &mut own.oldest_progress, stay))
            }
            Move::Part => {
                job.state = JobState::Apart;
                None
            }
            Move::Finish => {
                job.state = JobState::Done;
                None
            }
        };
        let (standing, queue) = (job.standing(), job.queue);
        if let Some((ages, shown, stay)) = ages {
            let oldest = ages.entry(queue).or_default();
            if oldest.is_empty() {
                let series = shown.place(board, &[own.words.text(queue)]);
                shown.begin(board, series, board.cause.now.since(stay.moved).as_secs_f64());
            }
            oldest.enter(stay.moved, stay.ticket, place);
            oldest.sweep(|place, ticket| current(&self.table, place, ticket));
        }
        self.show_ratios(board);
        self.table.touch(place, standing, board.cause.now);
    }

    fn show_ratios(&mut self, board: &mut Board<'_>) {
        self.own.ratios.show(board, |place, ticket| ratio(&self.table, place, ticket));
    }
}

impl JobBooks {
    /// Counts the progress that was reported of a run in this queue.
    fn report(&mut self, board: &mut Board<'_>, place: TablePlace, report: (WordId, f64), run: &mut Run) {
        let (queue, ratio) = report;
        if let Some(before) = run.progress {
            let ticket = if ratio < before.ratio { self.tickets.issue() } else { before.ticket };
            let after = HeldRatio { ratio, ticket, ..before };
            self.ratios.change(before, after, place);
            run.progress = Some(after);
        } else {
            let series = self.ratios.place(board, &[self.words.text(queue)]);
            let held = HeldRatio { series, ratio, ticket: self.tickets.issue() };
            self.ratios.enter(board, held, place);
            run.progress = Some(held);
        }
    }

    /// Takes a job out of every gauge and says how it would come back.
    fn part(&mut self, board: &mut Board<'_>, place: TablePlace, job: &mut Job) -> Move {
        match std::mem::replace(&mut job.state, JobState::Apart) {
            JobState::Waiting(Stay { series, moved, .. }) => {
                self.depth.leave(board, series, ONE);
                leave(&mut self.waiting_ages, job.queue);
                Move::Wait { moved }
            }
            JobState::Running(Run { stay: Stay { series, moved, .. }, worker, progress }) => {
                self.running.leave(board, series, ONE);
                leave(&mut self.running_ages, job.queue);
                self.by_worker.remove(&(worker, place));
                if let Some(held) = progress {
                    self.ratios.leave(board, held);
                }
                Move::Run { moved, worker }
            }
            JobState::Apart => Move::Part,
            JobState::Done => Move::Finish,
        }
    }
}

impl Tracker for JobBooks {
    type Key = IdKey;
    type Entry = Job;

    const NAME: TrackerName = TrackerName::Jobs;

    fn lift(&mut self, board: &mut Board<'_>, place: TablePlace, job: &mut Job) -> Lifted {
        let before = self.part(board, place, job);
        job.state = JobState::Done;
        match before {
            Move::Wait { .. } | Move::Run { .. } => Lifted::Counted,
            Move::Part | Move::Finish => Lifted::Uncounted,
        }
    }

    fn forget(&mut self, job: Job) {
        for word in [job.queue, job.kind, job.priority] {
            self.words.release(word);
        }
    }

    fn show(&mut self, board: &mut Board<'_>, table: &mut Table<IdKey, Job>) {
        self.ratios.show(board, |place, ticket| ratio(table, place, ticket));
        let Self { words, waiting_ages, running_ages, oldest_waiting, oldest_progress, .. } = self;
        for (ages, shown) in [(waiting_ages, oldest_waiting), (running_ages, oldest_progress)] {
            let mut values = Vec::new();
            ages.retain(|queue, oldest| match oldest.least(|place, ticket| current(table, place, ticket)) {
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
}

fn leave(ages: &mut Ages, queue: WordId) {
    if let Some(oldest) = ages.get_mut(&queue) {
        oldest.leave();
    }
}

/// When the job of this ticket moved last.
fn current(table: &Table<IdKey, Job>, place: TablePlace, ticket: Ticket) -> Option<Timestamp> {
    table.get(place)?.stay().filter(|stay| stay.ticket == ticket).map(|stay| stay.moved)
}

/// What [`Ratios`] orders the progress of this ticket by.
fn ratio(table: &Table<IdKey, Job>, place: TablePlace, ticket: Ticket) -> Option<u64> {
    table.get(place)?.progress().filter(|held| held.ticket == ticket).map(HeldRatio::key)
}
