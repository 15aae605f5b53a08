//! What the other parts of the shell ask of the driver: a closed list, so that commands can be told and repeated.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::engine::checkpoint::{Checkpoint, CheckpointAge};
use crate::engine::config::Config;
use crate::engine::fact::{Fact, PairStanding};
use crate::engine::frozen::FrozenInstant;
use crate::engine::rules::notify::Notification;
use crate::engine::rules::{AlertEvent, RuleSet, StoredAlerts};
use crate::engine::time::Timestamp;
use crate::engine::wire::EventId;

use super::mailbox::Mailbox;

/// One thing for the driver to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Count something.
    Fact(Fact),
    /// Freeze everything there is now, for somebody to read.
    Freeze(oneshot::Sender<Arc<FrozenInstant>>),
    /// Put other rules in force, under another configuration where there is one, and say when that is done.
    Reload(Box<Reload>),
    /// An alert event was acknowledged.
    Confirmed(EventId),
    /// The checkpoint that was handed out last is saved.
    Saved,
    /// Take over what a stream shows of this instance's alerts.
    Adopt(Box<StoredAlerts>),
    /// The streams show nothing of this instance's alerts, or nobody says.
    NothingToAdopt,
    /// Forget whole episodes that were decided so long ago and that the other instance of a pair did not see.
    LetGo {
        /// How long ago.
        age: Duration,
    },
    /// Whether this instance of a pair publishes.
    Pair(PairStanding),
    /// Hand out everything that lives across a restart; the sender is dropped where there is nothing to save.
    Save(SyncSender<HandedOut>),
    /// Apply what is queued, hand out a checkpoint of that where one is asked for, wait until nothing is pending, then
    /// end.
    Finish(Option<SyncSender<HandedOut>>),
}

/// A checkpoint, and what of a lane is in it.
#[derive(Debug)]
pub(crate) struct HandedOut {
    /// The checkpoint.
    pub(crate) checkpoint: Checkpoint,
    /// The last batch it holds of those that are to be acknowledged.
    pub(crate) batch: u64,
}

/// Whether an alert event was given to who writes the log before it is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Logged {
    /// It was, while others were on their way.
    Before,
    /// It is to be written now.
    Now,
}

/// What the driver asks of who publishes alert events.
#[derive(Debug)]
pub(crate) enum Dispatch {
    /// Write down that this was decided; it is published later, as too many are on their way.
    Decided {
        /// The event.
        event: Box<AlertEvent>,
        /// Up to where the stream was applied when it was decided; 0 where none is read.
        sequence: u64,
        /// What makes its rule the rule it is.
        essence: Option<Arc<str>>,
    },
    /// Publish this after all others.
    Publish {
        /// The event.
        event: Box<AlertEvent>,
        /// Up to where the stream was applied when it was decided; 0 where none is read.
        sequence: u64,
        /// What makes its rule the rule it is.
        essence: Option<Arc<str>>,
        /// Whether it was written down before.
        logged: Logged,
    },
    /// The broker has the event.
    Acknowledged(EventId),
    /// The event is not to be sent any more.
    Withdrawn(EventId),
    /// The copies of rejected messages of these sequences are published, or will be once that is noted.
    Copied {
        /// The sequences.
        sequences: Vec<u64>,
        /// Told once it is noted, where somebody waits for it.
        noted: Option<oneshot::Sender<()>>,
    },
    /// Tell Alertmanagers this, once what led to it is noted.
    Tell(Vec<Notification>),
    /// A checkpoint is handed out: it holds what was decided so far.
    Mark {
        /// The engine's time in it.
        at: Timestamp,
        /// Of what it is.
        age: CheckpointAge,
    },
    /// The checkpoint is saved.
    Saved,
    /// What a stream shows is taken over. Forget what was not sent: it comes again, from the first event on.
    BeginAnew,
    /// Forget what was not sent, some of it need not be: the rest comes again.
    Renew,
    /// A stream was read by an earlier run: there is somebody to answer.
    StreamKnown,
    /// The stream that is read was found; it may have been made just now.
    StreamFound,
}

/// What a reload puts in force.
#[derive(Debug)]
pub(crate) struct Reload {
    /// The configuration; none where it stays.
    pub(crate) config: Option<Arc<Config>>,
    /// The rules.
    pub(crate) rules: RuleSet,
    /// Told what metrics keep of the old configuration.
    pub(crate) done: oneshot::Sender<Vec<String>>,
}

/// Why nothing can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// Too many commands wait for the driver.
    #[error("signalbox is too busy to answer; try again")]
    Busy,
    /// The driver is gone.
    #[error("signalbox is stopping")]
    Stopping,
}

impl Mailbox {
    /// Everything there is now: what was applied before this call is in it.
    pub(crate) async fn freeze(&self) -> Result<Arc<FrozenInstant>, Unreadable> {
        self.ask_to_freeze()?.await.map_err(|_| Unreadable::Stopping)
    }

    /// The same for a thread that may wait.
    pub(crate) fn freeze_blocking(&self) -> Result<Arc<FrozenInstant>, Unreadable> {
        self.ask_to_freeze()?.blocking_recv().map_err(|_| Unreadable::Stopping)
    }

    fn ask_to_freeze(&self) -> Result<oneshot::Receiver<Arc<FrozenInstant>>, Unreadable> {
        let (sender, receiver) = oneshot::channel();
        self.try_command(Command::Freeze(sender)).map_err(|_| Unreadable::Busy)?;
        Ok(receiver)
    }

    /// Puts rules, and a configuration where there is another one, in force; returns when they are, with the
    /// metrics that begin anew for it, or when the driver is gone.
    pub(crate) async fn reload(&self, config: Option<Arc<Config>>, rules: RuleSet) -> Vec<String> {
        let (done, receiver) = oneshot::channel();
        self.command(Command::Reload(Box::new(Reload { config, rules, done })));
        // Without a driver nothing is in force at all.
        receiver.await.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
