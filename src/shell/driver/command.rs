//! What the other parts of the shell ask of the driver.

use std::fmt;

use tokio::sync::oneshot;

use crate::engine::Engine;
use crate::engine::fact::Fact;
use crate::engine::time::Timestamp;
use crate::engine::wire::EventId;

use super::mailbox::Mailbox;

/// Work on the engine that somebody waits for.
pub(crate) type Question = Box<dyn FnOnce(&mut Engine, Timestamp) + Send>;

/// One thing for the driver to do.
pub(crate) enum Command {
    /// Count something.
    Fact(Fact),
    /// Answer something.
    Ask(Question),
    /// An alert event was acknowledged.
    Confirmed(EventId),
    /// Apply what is queued, wait until nothing is pending, then end.
    Finish,
}

impl fmt::Debug for Command {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fact(fact) => write!(out, "Fact({fact:?})"),
            Self::Ask(_) => out.write_str("Ask"),
            Self::Confirmed(id) => write!(out, "Confirmed({id:?})"),
            Self::Finish => out.write_str("Finish"),
        }
    }
}

impl Mailbox {
    /// Has the driver answer a question; none where the driver is gone.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Engine, Timestamp) -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        self.command(Command::Ask(Box::new(move |engine, now| {
            // Nobody listens any more where the asking client has left.
            drop(sender.send(question(engine, now)));
        })));
        receiver.await.ok()
    }
}
