//! What is known of one job, and where it may go.

use super::key::IdKey;
use super::oldest::Ticket;
use super::ratios::HeldRatio;
use super::table::Standing;
use super::words::WordId;
use crate::engine::series::SeriesId;
use crate::engine::time::Timestamp;

/// Where a job is.
#[derive(Clone, Copy, Debug)]
pub(super) enum JobState {
    Waiting(Stay),
    Running(Run),
    Apart,
    Done,
}

/// What a waiting or running job counts in, and since when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stay {
    pub(super) series: SeriesId,
    /// The timestamp of the event that moved it last.
    pub(super) moved: Timestamp,
    pub(super) ticket: Ticket,
}

/// What a running job is beside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) stay: Stay,
    pub(super) worker: IdKey,
    /// The progress that was reported of this run.
    pub(super) progress: Option<HeldRatio>,
}

/// Where a job goes, before it is counted there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Move {
    Wait { moved: Timestamp },
    Run { moved: Timestamp, worker: IdKey },
    Part,
    Finish,
}

/// What is known of a job.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(super) queue: WordId,
    pub(super) kind: WordId,
    pub(super) priority: WordId,
    pub(super) state: JobState,
    /// The timestamp of the last JobQueued.
    pub(super) queued: Option<Timestamp>,
    /// The timestamp of the last JobStarted.
    pub(super) started: Option<Timestamp>,
    /// The latest timestamp of an end.
    pub(super) ended: Option<Timestamp>,
    /// What progress was reported last, and when. It rides another lane, so a report may come before its start.
    pub(super) reported: Option<(f64, Timestamp)>,
}

impl Job {
    pub(super) fn new() -> Self {
        let unknown = WordId::default();
        Self {
            queue: unknown,
            kind: unknown,
            priority: unknown,
            state: JobState::Apart,
            queued: None,
            started: None,
            ended: None,
            reported: None,
        }
    }

    pub(super) fn standing(&self) -> Standing {
        match self.state {
            JobState::Waiting(_) | JobState::Running(_) | JobState::Apart => Standing::Alive,
            JobState::Done => Standing::Ended,
        }
    }

    pub(super) fn stay(&self) -> Option<&Stay> {
        match &self.state {
            JobState::Waiting(stay) | JobState::Running(Run { stay, .. }) => Some(stay),
            JobState::Apart | JobState::Done => None,
        }
    }

    pub(super) fn progress(&self) -> Option<&HeldRatio> {
        match &self.state {
            JobState::Running(run) => run.progress.as_ref(),
            JobState::Waiting(_) | JobState::Apart | JobState::Done => None,
        }
    }

    /// The progress that was reported of the present run.
    pub(super) fn reported_since_start(&self) -> Option<f64> {
        self.reported.filter(|(_, at)| Some(*at) >= self.started).map(|(ratio, _)| ratio)
    }
}
