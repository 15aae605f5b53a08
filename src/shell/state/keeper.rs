//! When the state is saved, and what is said of it.

use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use crate::engine::Ending;
use crate::engine::checkpoint::{Checkpoint, CheckpointAge};
use crate::engine::fact::Fact;
use crate::shell::context::ShellContext;
use crate::shell::driver::command::Command;
use crate::shell::limited_log::LimitedLog;
use crate::shell::status::Concern;

use super::folder::{Extent, FolderError, StateFolder, Stored};

/// How long the engine may take to hand a checkpoint out.
const PATIENCE: Duration = Duration::from_secs(30);

/// Saves the state now and then, and at the end.
#[derive(Debug)]
pub(crate) struct Keeper {
    path: PathBuf,
    /// None while the disk does not let it be used.
    folder: Option<StateFolder>,
    context: ShellContext,
    log: LimitedLog,
}

impl Keeper {
    /// A keeper of this folder; one that could not be opened is tried again.
    pub(crate) fn new(path: PathBuf, folder: Option<StateFolder>, context: ShellContext) -> Self {
        Self { path, folder, context, log: LimitedLog::default() }
    }

    /// Saves each `state.checkpoint_every` until the process stops; the keeper comes back for the last time.
    pub(crate) fn run(mut self) -> Self {
        while !self.context.stop.is_stopping() {
            self.context.stop.wait(self.context.config.get().state.checkpoint_every);
            if !self.context.stop.is_stopping() {
                self.save(Command::Save, Ending::Crash);
            }
        }
        self
    }

    /// Tells the driver to finish, and stores what it holds once everything that was queued is applied.
    pub(crate) fn finish(&mut self) {
        self.save(|keeper| Command::Finish(Some(keeper)), Ending::Clean);
    }

    /// Asks the driver for a checkpoint and stores it.
    fn save(&mut self, ask: impl FnOnce(SyncSender<Checkpoint>) -> Command, ending: Ending) {
        let (sender, receiver) = sync_channel(1);
        self.context.mailbox.command(ask(sender));
        // An engine that lives in a past it does not remember, or that is gone, has nothing to save.
        if let Ok(checkpoint) = receiver.recv_timeout(PATIENCE) {
            self.store(&checkpoint, ending);
        }
    }

    /// Stores a checkpoint, and says how that went.
    pub(crate) fn store(&mut self, checkpoint: &Checkpoint, ending: Ending) {
        let begun = Instant::now();
        let ending = match checkpoint.age() {
            CheckpointAge::Present => ending,
            CheckpointAge::Past => Ending::Crash,
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
                self.context.mailbox.command(Command::Saved);
            }
            Err(error) => {
                if let Some(unsaid) = self.log.may_say("state") {
                    tracing::error!(
                        %error,
                        unsaid,
                        "the state is not saved; metrics and alerts go on, but a restart now loses what came since"
                    );
                }
                self.context.status.note_concern(Concern::State, format!("state: {error}"));
                self.context.fact(Fact::NotSaved);
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
    fn folder(&mut self) -> Result<&StateFolder, FolderError> {
        let folder = match self.folder.take() {
            Some(folder) => folder,
            None => StateFolder::open(&self.path)?,
        };
        Ok(self.folder.insert(folder))
    }
}
