//! Queries, on threads of their own: each reads one frozen instant, within a time, and is refused where too many wait.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::sync::oneshot;

use crate::engine::config::QueryConfig;
use crate::engine::fact::{Fact, QueryRefusal};
use crate::engine::frozen::{FrozenInstant, QueryTerms};
use crate::engine::promql::storage::{Halt, Patience};
use crate::engine::promql::{EvalError, EvalSettings};
use crate::shell::driver::command::{Command, Unreadable};
use crate::shell::driver::mailbox::Mailbox;
use crate::shell::in_force::ConfigInForce;
use crate::shell::plain::plain;

use super::pieces::Pieces;
use super::priority;

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueryError {
    /// The evaluation refuses it.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// It took too long, or nobody waits for it any more.
    #[error(transparent)]
    Halted(#[from] Halt),
    /// Too many wait already.
    #[error("too many queries wait already (query.queue); try again")]
    QueueFull,
    /// There is nothing to read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// A bug: the log has more.
    #[error("the query could not be answered, which is a bug")]
    Broken,
}

/// What a query does with the instant it reads: it writes its answer.
type Work = Box<dyn FnOnce(&FrozenInstant, QueryTerms<'_>, &mut Pieces) -> Result<(), QueryError> + Send>;

/// The threads that answer queries, and what waits for them.
pub(crate) struct Queries {
    mailbox: Arc<Mailbox>,
    config: Arc<ConfigInForce>,
    inside: Mutex<Inside>,
    filled: Condvar,
}

#[derive(Default)]
struct Inside {
    waiting: VecDeque<Job>,
    /// Threads that there are.
    threads: usize,
    /// Those of them that wait for work.
    idle: usize,
}

struct Job {
    work: Work,
    ticket: Arc<Ticket>,
    reply: oneshot::Sender<Result<Vec<Bytes>, QueryError>>,
}

/// How long somebody waits for a query.
#[derive(Debug)]
struct Ticket {
    canceled: AtomicBool,
    deadline: Option<Instant>,
}

impl Patience for Ticket {
    fn ended(&self) -> Option<Halt> {
        if self.canceled.load(Ordering::Relaxed) {
            return Some(Halt::Canceled);
        }
        self.deadline.filter(|deadline| Instant::now() >= *deadline).map(|_| Halt::TimedOut)
    }
}

/// Cancels a query when whoever waits for it leaves.
struct Waiting(Arc<Ticket>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.canceled.store(true, Ordering::Relaxed);
    }
}

impl Queries {
    /// No thread yet: they are started when they are needed, as many as `query.threads` says.
    pub(crate) fn new(mailbox: Arc<Mailbox>, config: Arc<ConfigInForce>) -> Arc<Self> {
        Arc::new(Self { mailbox, config, inside: Mutex::default(), filled: Condvar::new() })
    }

    /// Has a query answered, within `timeout` where that is shorter than the configured one.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        timeout: Option<Duration>,
        work: impl FnOnce(&FrozenInstant, QueryTerms<'_>, &mut Pieces) -> Result<(), QueryError> + Send + 'static,
    ) -> Result<Vec<Bytes>, QueryError> {
        let settings = self.config.get().query.clone();
        let timeout = timeout.unwrap_or(settings.timeout).min(settings.timeout);
        let ticket = Arc::new(Ticket {
            canceled: AtomicBool::new(false),
            deadline: Instant::now().checked_add(timeout),
        });
        let _waiting = Waiting(Arc::clone(&ticket));
        let (reply, answer) = oneshot::channel();
        self.submit(Job { work: Box::new(work), ticket, reply }, &settings)?;
        match tokio::time::timeout(timeout, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Unreadable::Stopping.into()),
            Err(_) => Err(Halt::TimedOut.into()),
        }
    }

    fn submit(self: &Arc<Self>, job: Job, settings: &QueryConfig) -> Result<(), QueryError> {
        let mut inside = self.locked();
        let idle = inside.idle + settings.threads.saturating_sub(inside.threads);
        let room = settings.queue.saturating_add(idle);
        if inside.waiting.len() >= room {
            inside.waiting.retain(|job| job.ticket.ended().is_none());
        }
        if inside.waiting.len() >= room {
            drop(inside);
            self.count(Fact::QueryRefused(QueryRefusal::QueueFull));
            return Err(QueryError::QueueFull);
        }
        if inside.idle <= inside.waiting.len() && inside.threads < settings.threads {
            self.start(&mut inside)?;
        }
        inside.waiting.push_back(job);
        drop(inside);
        self.filled.notify_one();
        Ok(())
    }

    fn start(self: &Arc<Self>, inside: &mut Inside) -> Result<(), QueryError> {
        let queries = Arc::clone(self);
        let started =
            std::thread::Builder::new().name("signalbox-query".to_owned()).spawn(move || queries.work());
        match started {
            Ok(_) => inside.threads += 1,
            Err(error) if inside.threads == 0 => {
                tracing::error!(error = plain(&error), "cannot start a thread for queries");
                return Err(Unreadable::Busy.into());
            }
            // The others have to do.
            Err(_) => {}
        }
        Ok(())
    }

    /// Answers what waits, until there are more threads than there are to be.
    fn work(&self) {
        priority::yield_to_the_engine();
        while let Some(job) = self.next() {
            if let Some(halt) = job.ticket.ended() {
                drop(job.reply.send(Err(halt.into())));
                continue;
            }
            let begun = Instant::now();
            let (work, ticket) = (job.work, &job.ticket);
            // What a client asks must end nothing but its own answer.
            let answered = std::panic::catch_unwind(AssertUnwindSafe(|| self.evaluate(work, ticket)));
            let answer = answered.unwrap_or_else(|_| {
                tracing::error!("a query could not be answered, which is a bug");
                Err(QueryError::Broken)
            });
            self.count(Fact::Queried { took: begun.elapsed() });
            // Who asked may have left.
            drop(job.reply.send(answer));
        }
    }

    fn evaluate(&self, work: Work, ticket: &Ticket) -> Result<Vec<Bytes>, QueryError> {
        let instant = self.mailbox.freeze_blocking()?;
        let mut pieces = Pieces::default();
        let samples_max = self.config.get().query.samples;
        let terms = QueryTerms {
            settings: &EvalSettings { samples_max, ..EvalSettings::default() },
            patience: ticket,
        };
        match (work(&instant, terms, &mut pieces), ticket.ended()) {
            (Ok(()), _) => Ok(pieces.finish()),
            (Err(_), Some(halt)) => Err(halt.into()),
            (Err(error), None) => Err(error),
        }
    }

    fn next(&self) -> Option<Job> {
        let mut inside = self.locked();
        if inside.threads > self.config.get().query.threads {
            inside.threads -= 1;
            return None;
        }
        inside.idle += 1;
        loop {
            if let Some(job) = inside.waiting.pop_front() {
                inside.idle -= 1;
                return Some(job);
            }
            inside = self.filled.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Counts what happened; where too much waits to be counted, this is not what matters.
    fn count(&self, fact: Fact) {
        drop(self.mailbox.try_command(Command::Fact(fact)));
    }

    fn locked(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
