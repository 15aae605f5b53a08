//! Who keeps the state in a simulated process: the real keeper and the real scribe, each taking its turn.

use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::disk::FakeDisk;
use super::random::Random;
use super::time::{MILLI, Micros};
use crate::engine::RunEnding;
use crate::engine::checkpoint::Checkpoint;
use crate::shell::driver::command::{Command, Dispatch, HandedOut};
use crate::shell::driver::mailbox::Mailbox;
use crate::shell::state::{Keeper, SaveOutcome, Scribe};

/// How soon the first checkpoint is written, at the latest.
const FIRST: Micros = 500 * MILLI;

/// What the keeper is at.
#[derive(Debug)]
enum Saving {
    /// It saves then.
    At(Micros),
    /// It asked for a checkpoint.
    Asked(Receiver<HandedOut>, RunEnding),
    /// It stores one then.
    Storing(Box<HandedOut>, RunEnding, Micros),
    /// It has stored the last one.
    Done,
}

/// Whether the process is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    GoesOn,
    Ends,
}

/// Keeps the state.
pub(super) struct StateKeeping {
    keeper: Keeper<FakeDisk>,
    saving: Saving,
    save_every: Micros,
    course: Course,
    scribe: Scribe<FakeDisk>,
    asked: UnboundedReceiver<Dispatch>,
    written: UnboundedSender<Dispatch>,
    scribe_at: Option<Micros>,
}

impl StateKeeping {
    /// They begin; what the driver asks comes by one queue, and goes on by another.
    pub(super) fn new(
        (keeper, scribe): (Keeper<FakeDisk>, Scribe<FakeDisk>),
        (asked, written): (UnboundedReceiver<Dispatch>, UnboundedSender<Dispatch>),
        (save_every, now): (Micros, Micros),
    ) -> Self {
        let first = if save_every < FIRST { save_every } else { FIRST };
        let (saving, course) = (Saving::At(now + first), Course::GoesOn);
        Self { keeper, saving, save_every, course, scribe, asked, written, scribe_at: None }
    }

    /// When the keeper has something to do.
    pub(super) const fn keeper_at(&self) -> Option<Micros> {
        match &self.saving {
            Saving::At(at) | Saving::Storing(_, _, at) => Some(*at),
            Saving::Asked(..) | Saving::Done => None,
        }
    }

    /// When the scribe has something to do.
    pub(super) fn scribe_at(&mut self, random: &mut Random, now: Micros) -> Option<Micros> {
        if self.asked.is_empty() {
            return None;
        }
        Some(*self.scribe_at.get_or_insert_with(|| now + random.below(MILLI)))
    }

    /// The scribe writes what waits.
    pub(super) fn write(&mut self) {
        self.scribe_at = None;
        let together = std::iter::from_fn(|| self.asked.try_recv().ok()).collect();
        self.scribe.work(together, &self.written);
    }

    /// The keeper does what is due.
    pub(super) fn keep(&mut self, mailbox: &Mailbox, now: Micros) {
        match std::mem::replace(&mut self.saving, Saving::Done) {
            Saving::At(_) => {
                let (sender, receiver) = sync_channel(1);
                mailbox.command(Command::Save(sender));
                self.saving = Saving::Asked(receiver, RunEnding::Crash);
            }
            Saving::Storing(handed_out, ending, _) => {
                self.keeper.keep(&handed_out, ending);
                self.saving = self.after_one(now);
            }
            saving @ (Saving::Asked(..) | Saving::Done) => self.saving = saving,
        }
    }

    /// The driver had a turn; the checkpoint that it handed out in it.
    pub(super) fn handed_out(&mut self, random: &mut Random, now: Micros) -> Option<&Checkpoint> {
        let Saving::Asked(receiver, ending) = &self.saving else { return None };
        match receiver.try_recv() {
            Ok(handed_out) => {
                let at = now + random.below(40 * MILLI);
                self.saving = Saving::Storing(Box::new(handed_out), *ending, at);
            }
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => self.saving = self.after_one(now),
        }
        match &self.saving {
            Saving::Storing(handed_out, ..) => Some(&handed_out.checkpoint),
            Saving::At(_) | Saving::Asked(..) | Saving::Done => None,
        }
    }

    /// What the keeper does after a checkpoint.
    const fn after_one(&self, now: Micros) -> Saving {
        match self.course {
            Course::GoesOn => Saving::At(now + self.save_every),
            Course::Ends => Saving::Done,
        }
    }

    /// Saves at once.
    pub(super) const fn save(&mut self, now: Micros) {
        if let Saving::At(at) = &mut self.saving {
            *at = now;
        }
    }

    /// The process ends in order: one checkpoint of all that was queued.
    pub(super) fn finish(&mut self, mailbox: &Mailbox) {
        self.course = Course::Ends;
        if let Saving::Storing(handed_out, ending, _) = std::mem::replace(&mut self.saving, Saving::Done) {
            self.keeper.keep(&handed_out, ending);
        }
        let (sender, receiver) = sync_channel(1);
        mailbox.command(Command::Finish(Some(sender)));
        self.saving = Saving::Asked(receiver, RunEnding::Clean);
    }

    /// Whether the last checkpoint before the end of publishing is stored.
    pub(super) const fn is_done(&self) -> bool {
        matches!(self.saving, Saving::Done)
    }

    /// Stores the last checkpoint of all; what came of it.
    pub(super) fn store_last(&mut self, checkpoint: &Checkpoint) -> SaveOutcome {
        self.keeper.store(checkpoint, RunEnding::Clean)
    }

    /// Whether what is decided is written down.
    pub(super) const fn remembers(&self) -> bool {
        !self.scribe.is_given_up()
    }
}
