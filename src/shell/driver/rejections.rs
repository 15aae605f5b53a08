//! Rejected events on their way out: logged, and copies queued, without waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::engine::config::RejectedLanes;
use crate::engine::fact::{CopyFault, Novelty, Rejected};
use crate::engine::wire::{Lane, Message, Reason};
use crate::shell::in_force::ConfigInForce;
use crate::shell::limited_log::LimitedLog;
use crate::shell::settings::RejectedSettings;

use super::examples::RejectedExamples;

/// Bytes of all copies that wait.
const QUEUE_BYTES_MAX: usize = 32 << 20;

/// One copy.
#[derive(Debug)]
pub(crate) struct RejectedCopy {
    /// The subject it came on.
    pub(crate) subject: String,
    /// Its raw header block; empty where it had none.
    pub(crate) headers: Bytes,
    /// The message as it came.
    pub(crate) payload: Bytes,
    /// Why it was rejected.
    pub(crate) reason: Reason,
    /// Its sequence in the stream, where it comes again after a crash.
    pub(crate) sequence: Option<u64>,
    /// Which of the events in it was rejected.
    pub(crate) element: usize,
}

/// How much waits: counted where it is queued, and given back where it is taken out.
#[derive(Debug, Default)]
struct Waiting {
    messages: AtomicUsize,
    bytes: AtomicUsize,
}

/// The driver's end: logs, and queues copies.
#[derive(Debug)]
pub(crate) struct Rejections {
    config: Arc<ConfigInForce>,
    queue: UnboundedSender<RejectedCopy>,
    waiting: Arc<Waiting>,
    messages_max: usize,
    log: LimitedLog,
    /// The last ones, for the page.
    pub(super) examples: Arc<RejectedExamples>,
}

/// The publisher's end.
#[derive(Debug)]
pub(crate) struct RejectedCopies {
    queue: UnboundedReceiver<RejectedCopy>,
    waiting: Arc<Waiting>,
}

/// Both ends of the queue.
pub(crate) fn queue(
    settings: &RejectedSettings,
    config: Arc<ConfigInForce>,
    examples: Arc<RejectedExamples>,
) -> (Rejections, RejectedCopies) {
    let (sender, receiver) = unbounded_channel();
    let waiting = Arc::new(Waiting::default());
    let rejections = Rejections {
        config,
        queue: sender,
        waiting: Arc::clone(&waiting),
        messages_max: settings.queue_messages_max.max(1),
        log: LimitedLog::default(),
        examples,
    };
    (rejections, RejectedCopies { queue: receiver, waiting })
}

impl Rejections {
    /// Logs a refusal, at a bounded rate, and queues a copy of the message where that is wanted and no earlier run has
    /// published one.
    ///
    /// # Errors
    /// Why no copy was queued.
    pub(crate) fn take(
        &mut self,
        lane: Lane,
        (message, sequence): (&Message<'_>, Option<u64>),
        rejected: &Rejected,
    ) -> Result<(), CopyFault> {
        let refusal = &rejected.refusal;
        let reason = refusal.reason;
        if let Some(unsaid) = self.log.may_say(reason.name()) {
            tracing::warn!(
                reason = reason.name(),
                detail = %refusal.detail,
                subject = message.subject,
                unsaid,
                "an event is rejected"
            );
        }
        let wanted = match self.config.get().rejected.publish {
            RejectedLanes::Both => true,
            RejectedLanes::JetStream => lane == Lane::JetStream,
            RejectedLanes::Core => lane == Lane::Core,
            RejectedLanes::None => false,
        };
        if !wanted || refusal.reason == Reason::OtherLane || rejected.novelty == Novelty::Known {
            return Ok(());
        }
        let bytes = message.payload.len() + message.headers.len();
        let is_full = self.waiting.messages.load(Ordering::Relaxed) >= self.messages_max;
        if is_full || self.waiting.bytes.load(Ordering::Relaxed).saturating_add(bytes) > QUEUE_BYTES_MAX {
            return Err(CopyFault::QueueFull);
        }
        let copy = RejectedCopy {
            subject: message.subject.to_owned(),
            headers: Bytes::copy_from_slice(message.headers),
            payload: Bytes::copy_from_slice(message.payload),
            reason,
            sequence,
            element: rejected.element,
        };
        self.waiting.messages.fetch_add(1, Ordering::Relaxed);
        self.waiting.bytes.fetch_add(bytes, Ordering::Relaxed);
        // Who publishes leaves only with the process.
        drop(self.queue.send(copy));
        Ok(())
    }
}

impl RejectedCopies {
    /// The next copy; none once the driver is gone.
    pub(crate) async fn next(&mut self) -> Option<RejectedCopy> {
        let copy = self.queue.recv().await?;
        self.give_back(&copy);
        Some(copy)
    }

    /// The next copy, where one waits.
    pub(crate) fn next_waiting(&mut self) -> Option<RejectedCopy> {
        let copy = self.queue.try_recv().ok()?;
        self.give_back(&copy);
        Some(copy)
    }

    fn give_back(&self, copy: &RejectedCopy) {
        self.waiting.messages.fetch_sub(1, Ordering::Relaxed);
        self.waiting.bytes.fetch_sub(copy.payload.len() + copy.headers.len(), Ordering::Relaxed);
    }

    /// The payloads of what waits.
    #[cfg(test)]
    pub(crate) fn waiting_payloads(&mut self) -> Vec<String> {
        let copies = std::iter::from_fn(|| self.queue.try_recv().ok());
        copies.map(|copy| String::from_utf8_lossy(&copy.payload).into_owned()).collect()
    }
}

#[cfg(test)]
mod tests;
