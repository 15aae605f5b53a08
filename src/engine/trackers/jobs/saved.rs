//! Jobs as their twins, and from them.

use super::{JobBooks, Jobs, Table, TablePlace};
use crate::engine::checkpoint::Part;
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::trackers::{
    JobBooksTwin, JobStateTwin, JobTwin, KeyTwin, RunTwin, StayTwin, TrackerTwin,
};
use crate::engine::series::SeriesId;
use crate::engine::trackers::job::{Job, JobState, Run, Stay};
use crate::engine::trackers::key::IdKey;
use crate::engine::trackers::oldest::{Ticket, Tickets};
use crate::engine::trackers::ratios::HeldRatio;
use crate::engine::trackers::table::SavedTracker;
use crate::engine::trackers::words::{Books, WordId, Words};

impl Jobs {
    /// The jobs as they are now.
    pub(in crate::engine) fn save(&mut self) -> impl Part + use<> {
        let entry: fn(&Job) -> JobTwin = job_twin;
        let own = &mut self.own;
        let shown = (own.oldest_waiting.save(), own.oldest_progress.save());
        let counted = (own.depth.save(), (own.running.save(), shown));
        let books = Books(own.words.save(), (own.tickets.save(), counted));
        SavedTracker { table: self.table.save(), key: IdKey::twin, entry, books }
    }

    /// Takes over the jobs that were saved.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine) fn restore(
        &mut self,
        twin: TrackerTwin<KeyTwin, JobTwin, JobBooksTwin>,
    ) -> Result<(), Damage> {
        self.table = Table::restored(twin.table, IdKey::of_twin, job_of, IdKey::new(""))?;
        let own = &mut self.own;
        own.words = Words::restored(twin.books.words)?;
        own.tickets = Tickets::restored(twin.books.tickets);
        own.depth.restore(twin.books.depth);
        own.running.restore(twin.books.running);
        own.oldest_waiting.restore(twin.books.oldest_waiting);
        own.oldest_progress.restore(twin.books.oldest_progress);
        for (place, job) in self.table.entries() {
            own.restore(place, job);
        }
        Ok(())
    }
}

impl JobBooks {
    /// Puts a job that was saved where it counts.
    fn restore(&mut self, place: TablePlace, job: &Job) {
        let (ages, stay) = match &job.state {
            JobState::Waiting(stay) => (&mut self.waiting_ages, stay),
            JobState::Running(run) => {
                self.by_worker.insert((run.worker, place));
                if let Some(held) = run.progress {
                    self.ratios.restore(held, place);
                }
                (&mut self.running_ages, &run.stay)
            }
            JobState::Apart | JobState::Done => return,
        };
        ages.entry(job.queue).or_default().enter(stay.moved, stay.ticket, place);
    }
}

fn job_twin(job: &Job) -> JobTwin {
    JobTwin {
        queue: job.queue.twin(),
        kind: job.kind.twin(),
        priority: job.priority.twin(),
        state: match &job.state {
            JobState::Waiting(stay) => JobStateTwin::Waiting(stay_twin(stay)),
            JobState::Running(run) => JobStateTwin::Running(RunTwin {
                stay: stay_twin(&run.stay),
                worker: run.worker.twin(),
                progress: run.progress.as_ref().map(HeldRatio::twin),
            }),
            JobState::Apart => JobStateTwin::Apart,
            JobState::Done => JobStateTwin::Done,
        },
        queued: job.queued,
        started: job.started,
        ended: job.ended,
        reported: job.reported,
    }
}

fn job_of(twin: JobTwin) -> Job {
    Job {
        queue: WordId::of_twin(twin.queue),
        kind: WordId::of_twin(twin.kind),
        priority: WordId::of_twin(twin.priority),
        state: match twin.state {
            JobStateTwin::Waiting(stay) => JobState::Waiting(stay_of(&stay)),
            JobStateTwin::Running(run) => JobState::Running(Run {
                stay: stay_of(&run.stay),
                worker: IdKey::of_twin(run.worker),
                progress: run.progress.as_ref().map(HeldRatio::of_twin),
            }),
            JobStateTwin::Apart => JobState::Apart,
            JobStateTwin::Done => JobState::Done,
        },
        queued: twin.queued,
        started: twin.started,
        ended: twin.ended,
        reported: twin.reported,
    }
}

fn stay_twin(stay: &Stay) -> StayTwin {
    StayTwin { series: stay.series.twin(), moved: stay.moved, ticket: stay.ticket.twin() }
}

fn stay_of(twin: &StayTwin) -> Stay {
    Stay { series: SeriesId::of_twin(twin.series), moved: twin.moved, ticket: Ticket::of_twin(twin.ticket) }
}
