//! When the state is saved, and what is said of it.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use crate::engine::RunEnding;
use crate::engine::checkpoint::{Checkpoint, CheckpointAge};
use crate::engine::fact::Fact;
use crate::shell::context::ShellContext;
use crate::shell::driver::command::{Command, HandedOut};
use crate::shell::limited_log::LimitedLog;
use crate::shell::plain::plain;
use crate::shell::status::Concern;

use super::disk::{Disk, RealDisk};
use super::folder::{Extent, FolderError, StateFolder, Stored};

/// How long the engine may take to hand a checkpoint out.
const PATIENCE: Duration = Duration::from_secs(30);

/// How soon the first checkpoint is written.
const FIRST: Duration = Duration::from_millis(500);

/// How much longer than it took a checkpoint is followed by none, whoever wishes for one: a few hundredths of a core.
const REST_ROUNDS: u32 = 40;

/// The longest of these pauses.
const REST_MAX: Duration = Duration::from_secs(5);

/// Saves the state now and then, and at the end.
#[derive(Debug)]
pub(crate) struct Keeper<D: Disk = RealDisk> {
    disk: D,
    path: PathBuf,
    /// None while the disk does not let it be used.
    folder: Option<StateFolder<D>>,
    context: ShellContext,
    log: LimitedLog,
    /// How long no checkpoint is written now, whoever wishes for one.
    rest: Duration,
    has_saved: bool,
}

/// What came of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SaveOutcome {
    /// It is on disk.
    Saved,
    /// It is not.
    Unsaved,
}

impl<D: Disk + Clone> Keeper<D> {
    /// A keeper of this folder; one that could not be opened is tried again.
    pub(crate) fn new(
        (disk, path): (D, PathBuf),
        folder: Option<StateFolder<D>>,
        context: ShellContext,
    ) -> Self {
        let (log, rest) = (LimitedLog::default(), Duration::ZERO);
        Self { disk, path, folder, context, log, rest, has_saved: false }
    }

    /// Saves each `state.checkpoint_every`, and where somebody wishes for it, until the process stops; the keeper comes
    /// back for the last time.
    pub(crate) fn run(mut self) -> Self {
        while !self.context.stop.is_stopping() {
            let every = self.pause();
            self.context.stop.wait(self.rest.min(every));
            self.context.saves.wait(every.saturating_sub(self.rest));
            if !self.context.stop.is_stopping() {
                let begun = Instant::now();
                self.save(Command::Save, RunEnding::Crash);
                self.rest = (begun.elapsed() * REST_ROUNDS).min(REST_MAX);
            }
        }
        self
    }

    /// Tells the driver to finish, and stores what it holds once everything that was queued is applied.
    pub(crate) fn finish(&mut self) {
        self.save(|keeper| Command::Finish(Some(keeper)), RunEnding::Clean);
    }

    /// Asks the driver for a checkpoint and stores it.
    fn save(&mut self, ask: impl FnOnce(SyncSender<HandedOut>) -> Command, ending: RunEnding) {
        let (sender, receiver) = sync_channel(1);
        self.context.mailbox.command(ask(sender));
        // An engine that lives in a past it does not remember, or that is gone, has nothing to save.
        if let Ok(handed_out) = receiver.recv_timeout(PATIENCE) {
            self.keep(&handed_out, ending);
        }
    }

    /// Stores what was handed out, and tells the lane whether that can be relied on.
    pub(crate) fn keep(&mut self, handed_out: &HandedOut, ending: RunEnding) {
        match self.store(&handed_out.checkpoint, ending) {
            SaveOutcome::Saved => {
                self.has_saved = true;
                self.context.saves.saved(handed_out.batch);
            }
            SaveOutcome::Unsaved => self.context.saves.unsaved(handed_out.batch),
        }
    }

    /// How long after the last checkpoint the next one is due where nobody wishes for one.
    pub(crate) fn pause(&self) -> Duration {
        let configured = self.context.config.get().state.checkpoint_every;
        // What a log tells needs something to go on from.
        if self.has_saved { configured } else { configured.min(FIRST) }
    }

    /// Stores a checkpoint, and says how that went.
    pub(crate) fn store(&mut self, checkpoint: &Checkpoint, ending: RunEnding) -> SaveOutcome {
        let begun = Instant::now();
        let ending = match checkpoint.age() {
            CheckpointAge::Present => ending,
            CheckpointAge::Past => RunEnding::Crash,
        };
        let bytes_max = self.context.config.get().state.bytes_max as u64;
        let stored = self.folder().and_then(|folder| {
            folder
                .store(checkpoint, ending, bytes_max)
                .map_err(|error| FolderError::Disk { folder: folder.path().to_owned(), error })
        });
        match stored {
            Ok(Stored { bytes, extent }) => {
                let (at, took) = (checkpoint.now(), begun.elapsed());
                self.say_extent(extent);
                self.context.fact(Fact::Saved { at, bytes, took });
                // What lives in a past takes the log as it goes on from it: what is to be left alone stands there.
                if checkpoint.age() == CheckpointAge::Present {
                    self.context.mailbox.command(Command::Saved);
                }
                SaveOutcome::Saved
            }
            Err(error) => {
                if matches!(&error, FolderError::Disk { error, .. } if error.kind() == ErrorKind::NotFound) {
                    // Somebody removed it: it is made again next time.
                    self.folder = None;
                }
                if let Some(unsaid) = self.log.may_say("state") {
                    tracing::error!(
                        error = plain(&error),
                        unsaid,
                        "the state is not saved; metrics and alerts go on, but a restart now loses what came since"
                    );
                }
                self.context.status.note_concern(Concern::State, format!("state: {}", plain(error)));
                self.context.fact(Fact::NotSaved);
                SaveOutcome::Unsaved
            }
        }
    }

    fn say_extent(&mut self, extent: Extent) {
        match extent {
            Extent::Whole => self.context.status.resolve_concern(Concern::State),
            Extent::WithoutPast => {
                let text =
                    "state: saved without the past of the series, for which state.bytes_max has no room";
                if let Some(unsaid) = self.log.may_say("past") {
                    tracing::warn!(unsaid, "{text}");
                }
                self.context.status.note_concern(Concern::State, text.to_owned());
            }
        }
    }

    /// The folder, opened now where that failed before.
    fn folder(&mut self) -> Result<&StateFolder<D>, FolderError> {
        let folder = match self.folder.take() {
            Some(folder) => folder,
            None => StateFolder::open(self.disk.clone(), &self.path)?,
        };
        Ok(self.folder.insert(folder))
    }
}

#[cfg(test)]
mod tests;
