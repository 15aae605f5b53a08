//! Rejected events on their way out: logged, and copies queued, without waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::engine::config::RejectedLanes;
use crate::engine::fact::{CopyFault, Novelty, Rejected};
use crate::engine::wire::{Lane, Message, Reason};
use crate::shell::in_force::ConfigInForce;
use crate::shell::limited_log::LimitedLog;
use crate::shell::settings::RejectedSettings;

use super::examples::RejectedExamples;

/// Bytes of all copies that wait.
const QUEUE_BYTES_MAX: usize = 8 << 20;

/// One copy.
#[derive(Debug)]
pub(crate) struct RejectedCopy {
    /// The subject it came on.
    pub(crate) subject: String,
    /// The message as it came.
    pub(crate) payload: Bytes,
    /// Why it was rejected.
    pub(crate) reason: Reason,
}

/// The driver's end: logs, and queues copies.
#[derive(Debug)]
pub(crate) struct Rejections {
    config: Arc<ConfigInForce>,
    queue: Sender<RejectedCopy>,
    waiting_bytes: Arc<AtomicUsize>,
    log: LimitedLog,
    /// The last ones, for the page.
    pub(super) examples: Arc<RejectedExamples>,
}

/// The publisher's end.
#[derive(Debug)]
pub(crate) struct RejectedCopies {
    queue: Receiver<RejectedCopy>,
    waiting_bytes: Arc<AtomicUsize>,
}

/// Both ends of the queue.
pub(crate) fn queue(
    settings: &RejectedSettings,
    config: Arc<ConfigInForce>,
    examples: Arc<RejectedExamples>,
) -> (Rejections, RejectedCopies) {
    let (sender, receiver) = channel(settings.queue_messages_max.max(1));
    let waiting_bytes = Arc::new(AtomicUsize::new(0));
    let rejections = Rejections {
        config,
        queue: sender,
        waiting_bytes: Arc::clone(&waiting_bytes),
        log: LimitedLog::default(),
        examples,
    };
    (rejections, RejectedCopies { queue: receiver, waiting_bytes })
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
        message: &Message<'_>,
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
        let bytes = message.payload.len();
        if self.waiting_bytes.load(Ordering::Relaxed).saturating_add(bytes) > QUEUE_BYTES_MAX {
            return Err(CopyFault::QueueFull);
        }
        let copy = RejectedCopy {
            subject: message.subject.to_owned(),
            payload: Bytes::copy_from_slice(message.payload),
            reason,
        };
        self.queue.try_send(copy).map_err(|_| CopyFault::QueueFull)?;
        self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

impl RejectedCopies {
    /// The next copy; none once the driver is gone.
    pub(crate) async fn next(&mut self) -> Option<RejectedCopy> {
        let copy = self.queue.recv().await?;
        self.waiting_bytes.fetch_sub(copy.payload.len(), Ordering::Relaxed);
        Some(copy)
    }

    /// The payloads of what waits.
    #[cfg(test)]
    pub(crate) fn waiting_payloads(&mut self) -> Vec<String> {
        let copies = std::iter::from_fn(|| self.queue.try_recv().ok());
        copies.map(|copy| String::from_utf8_lossy(&copy.payload).into_owned()).collect()
    }
}
