//! Copies of rejected events: queued by the driver without waiting, published one by one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::engine::arrival::Novelty;
use crate::engine::config::RejectedLanes;
use crate::engine::fact::{CopyFault, Fact, Rejected};
use crate::engine::wire::{Lane, Message, Reason};
use crate::shell::context::{ConfigInForce, ShellContext};
use crate::shell::limited_log::LimitedLog;
use crate::shell::settings::RejectedSettings;

/// Bytes of all copies that wait.
const QUEUE_BYTES_MAX: usize = 8 << 20;

/// How long one copy may take to be sent.
const SEND_WAIT: Duration = Duration::from_secs(5);

/// One copy.
#[derive(Debug)]
pub(crate) struct Copy {
    subject: String,
    payload: Bytes,
    reason: Reason,
}

/// The driver's end: logs, and queues copies.
#[derive(Debug)]
pub(crate) struct Rejections {
    config: Arc<ConfigInForce>,
    queue: Sender<Copy>,
    waiting_bytes: Arc<AtomicUsize>,
    log: LimitedLog,
}

/// The publisher's end.
#[derive(Debug)]
pub(crate) struct RejectedCopies {
    queue: Receiver<Copy>,
    waiting_bytes: Arc<AtomicUsize>,
}

/// Both ends of the queue.
pub(crate) fn queue(settings: &RejectedSettings, config: Arc<ConfigInForce>) -> (Rejections, RejectedCopies) {
    let (sender, receiver) = channel(settings.queue_messages_max.max(1));
    let waiting_bytes = Arc::new(AtomicUsize::new(0));
    let rejections = Rejections {
        config,
        queue: sender,
        waiting_bytes: Arc::clone(&waiting_bytes),
        log: LimitedLog::default(),
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
        let copy = Copy {
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
    /// The payloads of what waits.
    #[cfg(test)]
    pub(crate) fn waiting_payloads(&mut self) -> Vec<String> {
        let copies = std::iter::from_fn(|| self.queue.try_recv().ok());
        copies.map(|copy| String::from_utf8_lossy(&copy.payload).into_owned()).collect()
    }

    /// Publishes copies until the driver is gone.
    pub(crate) async fn publish(mut self, client: Client, context: ShellContext) {
        while let Some(copy) = self.queue.recv().await {
            self.waiting_bytes.fetch_sub(copy.payload.len(), Ordering::Relaxed);
            let mut headers = HeaderMap::new();
            headers.insert("Signalbox-Reason", copy.reason.name());
            headers.insert("Signalbox-Subject", one_line(&copy.subject));
            // What the header block takes beside names and values stays well below this.
            let bytes = copy.payload.len() + copy.subject.len() + 128;
            if bytes > client.max_payload() {
                context.fact(Fact::RejectedCopyDropped { reason: CopyFault::TooLarge });
                continue;
            }
            let subject = context.config.get().rejected.subject.clone();
            let sent = client.publish_with_headers(subject, headers, copy.payload);
            if !matches!(tokio::time::timeout(SEND_WAIT, sent).await, Ok(Ok(()))) {
                context.fact(Fact::RejectedCopyDropped { reason: CopyFault::NotSent });
            }
        }
        // Nobody waits longer than the process's end.
        drop(tokio::time::timeout(SEND_WAIT, client.flush()).await);
    }
}

/// A text that fits into a header value.
fn one_line(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}
