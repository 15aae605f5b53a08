//! How far a stream was applied: part of the state, saved with what it produced.

use std::sync::Arc;

use super::applied_set::AppliedSet;
use super::origin::{Epoch, Order, StreamBatch};
use crate::engine::fact::EpochReason;
use crate::engine::time::Timestamp;
use crate::engine::wire::{self, EventId};

/// The place in a stream up to which everything was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The stream.
    pub(crate) stream: Arc<str>,
    /// Which life of it.
    pub(crate) epoch: Epoch,
    /// The last sequence that was applied or is not ours; 0 before the first.
    pub(crate) sequence: u64,
    /// The last message that was applied, so that it can be known again.
    pub(crate) applied: Option<Applied>,
    /// What was applied, where a consumer with acknowledgements may deliver it again.
    pub(crate) delivered: AppliedSet,
}

/// A message by which a stream is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Applied {
    /// Its sequence.
    pub(crate) sequence: u64,
    /// When it was stored.
    pub(crate) stored: Timestamp,
    /// Its `event_id`, where it shows one.
    pub(crate) event_id: Option<EventId>,
}

impl Position {
    /// Before the first message of this life of a stream.
    pub(crate) fn before_all(stream: &Arc<str>, epoch: &Epoch) -> Self {
        let (stream, epoch) = (Arc::clone(stream), epoch.clone());
        Self { stream, epoch, sequence: 0, applied: None, delivered: AppliedSet::default() }
    }

    /// Why `epoch` is another life of the stream than this one; none where it is the same.
    pub(crate) fn change_to(&self, epoch: &Epoch) -> Option<EpochReason> {
        if self.epoch.created != epoch.created {
            Some(EpochReason::Recreated)
        } else if self.epoch.rollbacks != epoch.rollbacks {
            Some(EpochReason::RolledBack)
        } else {
            None
        }
    }

    /// Whether the message of this sequence was not applied yet.
    pub(crate) fn is_new(&self, order: Order, sequence: u64) -> bool {
        match order {
            Order::Stream => sequence > self.sequence,
            Order::Consumer => !self.delivered.contains(sequence),
        }
    }

    /// Moves to the end of a batch that was applied.
    pub(crate) fn pass(&mut self, batch: &StreamBatch<'_>) {
        self.sequence = self.sequence.max(batch.origin.last_sequence);
        match batch.origin.order {
            Order::Stream => self.delivered.insert_through(self.sequence),
            Order::Consumer => batch.stored.iter().for_each(|stored| self.delivered.insert(stored.sequence)),
        }
        let last = batch.messages.last().zip(batch.stored.last());
        if let Some((message, stored)) =
            last.filter(|(_, stored)| self.applied.is_none_or(|applied| applied.sequence < stored.sequence))
        {
            self.applied = Some(Applied {
                sequence: stored.sequence,
                stored: stored.at,
                event_id: wire::likely_id(message.payload).map(|glance| glance.id),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::arrival::{Origin, Stored};
    use crate::engine::wire::Message;

    fn origin(order: Order, first_sequence: u64, last_sequence: u64) -> Origin {
        let epoch = Epoch::first("a");
        Origin { stream: Arc::from("S"), epoch, order, first_sequence, last_sequence, pending: 0 }
    }

    fn stored(sequences: &[u64]) -> Vec<Stored> {
        let at = |sequence: u64| Timestamp::from_millis(sequence.cast_signed());
        sequences.iter().map(|sequence| Stored { sequence: *sequence, at: at(*sequence) }).collect()
    }

    /// Passes batches of these sequences, each read up to a last one, and yields how many of each were new.
    fn pass(order: Order, batches: &[(&[u64], u64)]) -> (Position, Vec<usize>) {
        let mut position = Position::before_all(&Arc::from("S"), &Epoch::first("a"));
        let mut fresh = Vec::new();
        for (sequences, last) in batches {
            let origin = origin(order, sequences.first().copied().unwrap_or(*last), *last);
            let stored = stored(sequences);
            let message = Message { subject: "s", headers: b"", payload: b"{}" };
            let messages = vec![message; stored.len()];
            fresh.push(stored.iter().filter(|it| position.is_new(order, it.sequence)).count());
            position.pass(&StreamBatch { origin: &origin, messages: &messages, stored: &stored });
        }
        (position, fresh)
    }

    #[test]
    fn what_is_at_or_below_the_position_was_applied_where_the_order_is_the_streams() {
        let batches: &[(&[u64], u64)] = &[(&[1, 2], 2), (&[2, 3, 5], 7), (&[], 9), (&[8, 9, 10], 10)];
        let (position, fresh) = pass(Order::Stream, batches);
        assert_eq!((position.sequence, fresh), (10, vec![2, 2, 0, 1]));
    }

    #[test]
    fn what_a_consumer_delivers_again_is_known_and_what_it_delivers_late_is_new() {
        let batches: &[(&[u64], u64)] = &[(&[1, 2], 2), (&[5, 6], 6), (&[2, 5, 7], 7), (&[3, 4, 7], 7)];
        assert_eq!(pass(Order::Consumer, batches).1, [2, 2, 1, 2]);
    }

    #[test]
    fn the_last_applied_message_is_known_again_by_its_time() {
        let (position, _) = pass(Order::Stream, &[(&[4], 4), (&[], 9)]);
        assert_eq!(position.applied.map(|it| (it.sequence, it.stored.millis())), Some((4, 4)));
    }

    #[test]
    fn another_life_of_the_stream_is_told_with_its_reason() {
        let position = Position::before_all(&Arc::from("S"), &Epoch::first("a"));
        let rolled_back = Epoch { rollbacks: 1, ..Epoch::first("a") };
        let cases = [
            (Epoch::first("a"), None),
            (Epoch::first("b"), Some(EpochReason::Recreated)),
            (rolled_back, Some(EpochReason::RolledBack)),
        ];
        for (epoch, expected) in cases {
            assert_eq!(position.change_to(&epoch), expected, "{epoch:?}");
        }
    }
}
