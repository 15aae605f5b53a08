//! Acknowledgements that are owed to a durable consumer: for what was handed over, once it is settled.
//!
//! Without a state folder that is once it is applied. With one it is once two checkpoints hold it, so that whatever is
//! in none comes again, and what is in a damaged one alone does too; one is wished for where much is owed, or for long.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::shell::nats::protocol::Protocol;
use crate::shell::saves::Settled;

/// How long the server waits for an acknowledgement, and for how many at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AckLimits {
    /// How long before it delivers a message again.
    pub(super) wait: Duration,
    /// How many messages may be unacknowledged.
    pub(super) messages_max: usize,
}

/// What is asked for where messages are acknowledged once they are applied.
pub(super) const ONCE_APPLIED: AckLimits = AckLimits { wait: Duration::from_secs(5), messages_max: 2_048 };

/// What is asked for where they are acknowledged once they are saved twice.
pub(super) const ONCE_SAVED: AckLimits = AckLimits { wait: Duration::from_mins(1), messages_max: 131_072 };

#[derive(Debug)]
struct Owed {
    reply: Box<str>,
    /// The batch it was handed over in.
    batch: u64,
}

/// What is owed to one consumer; it outlives connections.
#[derive(Debug)]
pub(super) struct Owing {
    limits: AckLimits,
    /// By stream sequence.
    owed: BTreeMap<u64, Owed>,
    /// Since when something is owed that came after the last checkpoint, or that it alone holds.
    since: Option<Instant>,
    /// Batches that were handed over.
    batches: u64,
    settled: u64,
    /// The last batch that a checkpoint holds.
    saved: u64,
}

impl Owing {
    /// Nothing is owed.
    pub(super) const fn new(limits: AckLimits) -> Self {
        Self { limits, owed: BTreeMap::new(), since: None, batches: 0, settled: 0, saved: 0 }
    }

    /// Goes by the limits of the consumer as it is.
    pub(super) const fn limit(&mut self, limits: AckLimits) {
        self.limits = limits;
    }

    /// Forgets everything: the stream began anew.
    pub(super) fn forget(&mut self) {
        self.owed.clear();
        self.since = None;
    }

    /// How many acknowledgements are owed for messages up to this sequence.
    pub(super) fn up_to(&self, sequence: u64) -> usize {
        self.owed.range(..=sequence).count()
    }

    /// Whether one is owed for this message.
    pub(super) fn has(&self, sequence: u64) -> bool {
        self.owed.contains_key(&sequence)
    }

    /// The message came again: it is acknowledged by its last delivery.
    pub(super) fn came_again(&mut self, sequence: u64, reply: Box<str>) {
        if let Some(owed) = self.owed.get_mut(&sequence) {
            owed.reply = reply;
        }
    }

    /// Owes an acknowledgement for a message of the next batch.
    pub(super) fn owe(&mut self, sequence: u64, reply: Box<str>, now: Instant) {
        self.since.get_or_insert(now);
        self.owed.insert(sequence, Owed { reply, batch: self.batches + 1 });
    }

    /// Numbers the batch that is handed over now.
    pub(super) const fn number_batch(&mut self) -> u64 {
        self.batches += 1;
        self.batches
    }

    /// Everything that was handed over is applied.
    pub(super) const fn applied(&mut self) {
        self.settled = self.batches;
    }

    /// Takes note of what came of checkpoints. Where none can be written, what would keep the server from delivering
    /// more is let go all the same: metrics go on, and a restart says what it lost.
    pub(super) fn settle(&mut self, settled: Settled, now: Instant) {
        if std::mem::replace(&mut self.saved, settled.saved) != settled.saved {
            // The next one settles what this one holds.
            self.since = self.since.map(|_| now);
        }
        self.settled = self.settled.max(settled.kept);
        if self.is_pressing() {
            self.settled = self.settled.max(settled.unsaved);
        }
    }

    /// Whether a checkpoint should come before its time.
    pub(super) fn wishes(&self, now: Instant) -> bool {
        let is_old = |since: Instant| now.saturating_duration_since(since) >= self.limits.wait / 4;
        self.is_pressing() || self.since.is_some_and(is_old)
    }

    /// Whether the server delivers nothing more until something is acknowledged.
    pub(super) fn is_full(&self) -> bool {
        self.owed.len() >= self.limits.messages_max
    }

    fn is_pressing(&self) -> bool {
        self.owed.len() >= self.limits.messages_max / 2
    }

    /// Acknowledges what is settled.
    pub(super) fn acknowledge(&mut self, protocol: &mut Protocol, now: Instant) {
        let settled = self.settled;
        let before = self.owed.len();
        self.owed.retain(|_, owed| {
            let is_settled = owed.batch <= settled;
            if is_settled {
                protocol.publish(&owed.reply, None, b"+ACK");
            }
            !is_settled
        });
        if self.owed.is_empty() {
            self.since = None;
        } else if self.owed.len() < before {
            // What is left is younger than the checkpoint that settled the others.
            self.since = Some(now);
        }
    }
}
