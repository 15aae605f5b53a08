//! Between the driver and who publishes: every alert event is in the log before it is sent, and before an Alertmanager is
//! told of it.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::engine::fact::Fact;
use crate::engine::rules::LogRecord;
use crate::shell::context::ShellContext;
use crate::shell::driver::command::{Dispatch, Logged};
use crate::shell::driver::notifications::NotificationQueues;
use crate::shell::limited_log::LimitedLog;
use crate::shell::plain::plain;

use super::disk::{Disk, RealDisk};
use super::log::TransitionLog;

/// Records written with one sync at the most.
const TOGETHER_MAX: usize = 1_024;

/// Writes the log.
pub(crate) struct Scribe<D: Disk = RealDisk> {
    log: TransitionLog<D>,
    context: ShellContext,
    said: LimitedLog,
    notifications: Arc<NotificationQueues>,
}

impl<D: Disk> Scribe<D> {
    /// A writer of this log, which passes on what Alertmanagers are told.
    pub(crate) fn new(
        log: TransitionLog<D>,
        context: ShellContext,
        notifications: Arc<NotificationQueues>,
    ) -> Self {
        Self { log, context, said: LimitedLog::default(), notifications }
    }

    /// Passes on what the driver asks, each event once the disk has it, until the driver is gone.
    pub(crate) fn run(mut self, mut from: UnboundedReceiver<Dispatch>, to: &UnboundedSender<Dispatch>) {
        let mut together = Vec::new();
        while from.blocking_recv().map(|first| together.push(first)).is_some() {
            while together.len() < TOGETHER_MAX
                && let Ok(next) = from.try_recv()
            {
                together.push(next);
            }
            self.work(std::mem::take(&mut together), to);
        }
    }

    /// Whether the log failed, and waits for the next checkpoint.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) const fn is_given_up(&self) -> bool {
        self.log.is_given_up()
    }

    /// Writes down what waited together, and passes it on.
    pub(crate) fn work(&mut self, mut together: Vec<Dispatch>, to: &UnboundedSender<Dispatch>) {
        self.log.limit(self.context.config.get().state.bytes_max as u64);
        // What comes behind a mark is in no checkpoint yet.
        for part in together.split_inclusive_mut(|dispatch| matches!(dispatch, Dispatch::Mark { .. })) {
            let records: Vec<LogRecord> = part.iter().flat_map(records_of).collect();
            if !records.is_empty() {
                // Where an acknowledgement is lost the event is looked for in the stream again.
                let may_be_lost = records.iter().all(|it| matches!(it, LogRecord::Acknowledged(_)));
                let written = if may_be_lost { self.log.note(&records) } else { self.log.append(&records) };
                self.judge(written);
            }
            for dispatch in part {
                self.pass_on(std::mem::replace(dispatch, Dispatch::Saved), to);
            }
        }
        if self.log.is_long() {
            self.context.saves.wish();
        }
    }

    fn pass_on(&mut self, dispatch: Dispatch, to: &UnboundedSender<Dispatch>) {
        match dispatch {
            // The log has it.
            Dispatch::Decided { .. } | Dispatch::Acknowledged(_) | Dispatch::Withdrawn(_) => {}
            Dispatch::Mark { at, age } => {
                let marked = self.log.mark(&LogRecord::Marked { at, age });
                self.judge(marked);
            }
            Dispatch::Saved => {
                let begun = self.log.begin_anew();
                self.judge(begun.map_err(Into::into));
            }
            // Who waits for it may have given up.
            Dispatch::Copied { noted, .. } => drop(noted.map(|noted| noted.send(()))),
            Dispatch::Tell(notifications) => self.notifications.tell(notifications),
            Dispatch::Publish { .. }
            | Dispatch::BeginAnew
            | Dispatch::Renew
            | Dispatch::StreamKnown
            | Dispatch::StreamFound => {
                // Who publishes leaves only with the process.
                drop(to.send(dispatch));
            }
        }
    }

    fn judge(&mut self, outcome: Result<(), super::log::LogError>) {
        let Err(error) = outcome else { return };
        self.context.fact(Fact::NotLogged);
        if let Some(unsaid) = self.said.may_say("log") {
            tracing::error!(
                error = plain(&error),
                unsaid,
                "the log of alert events is not written; they go out all the same, and a restart asks the stream what \
                 became of them"
            );
        }
    }
}

/// What the log says of it, before anything else is done.
fn records_of(dispatch: &Dispatch) -> Vec<LogRecord> {
    match dispatch {
        Dispatch::Acknowledged(id) => vec![LogRecord::Acknowledged(*id)],
        Dispatch::Withdrawn(id) => vec![LogRecord::Withdrawn(*id)],
        Dispatch::Copied { sequences, .. } => sequences.iter().copied().map(LogRecord::Copied).collect(),
        Dispatch::Decided { event, sequence, essence }
        | Dispatch::Publish { event, sequence, essence, logged: Logged::Now } => {
            let (event, essence) = (event.clone(), essence.clone());
            vec![LogRecord::Decided { event, sequence: *sequence, essence }]
        }
        Dispatch::Publish { logged: Logged::Before, .. }
        | Dispatch::Tell(_)
        | Dispatch::Mark { .. }
        | Dispatch::Saved
        | Dispatch::BeginAnew
        | Dispatch::Renew
        | Dispatch::StreamKnown
        | Dispatch::StreamFound => Vec::new(),
    }
}
