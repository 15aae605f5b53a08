//! A batch of a stream and what it says of its place there.

use std::sync::Arc;

use crate::engine::time::Timestamp;
use crate::engine::wire::Message;

/// One life of a stream: a sequence means the same message as long as it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Epoch {
    /// When the stream was created, as the server writes it; another time is another stream.
    pub(crate) created: Arc<str>,
    /// How often it was found to hold less, or another message, than was read of it.
    pub(crate) rollbacks: u32,
}

impl Epoch {
    /// The first life of a stream that was created then.
    pub(crate) fn first(created: &str) -> Self {
        Self { created: Arc::from(created), rollbacks: 0 }
    }
}

/// In which order a stream's messages come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The stream's own: what is at or below the position was applied.
    Stream,
    /// That of a consumer with acknowledgements, which may deliver an older message late.
    Consumer,
}

/// Where a batch is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The stream.
    pub(crate) stream: Arc<str>,
    /// Which life of it.
    pub(crate) epoch: Epoch,
    /// How its messages are ordered.
    pub(crate) order: Order,
    /// The first sequence that was read for this batch.
    pub(crate) first_sequence: u64,
    /// The last one; those in between that are no message of the batch are other types', or gone.
    pub(crate) last_sequence: u64,
    /// Messages that waited behind the last one.
    pub(crate) pending: u64,
}

/// Where one message stands in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Its sequence.
    pub(crate) sequence: u64,
    /// When it was stored.
    pub(crate) at: Timestamp,
}

/// Messages of a stream in the order they are applied in, each with its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamBatch<'a> {
    /// Where they are from.
    pub(crate) origin: &'a Origin,
    /// The messages.
    pub(crate) messages: &'a [Message<'a>],
    /// The place of each.
    pub(crate) stored: &'a [Stored],
}

/// Whether the sequences of a batch rise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rise {
    /// All along, as the stream has them.
    Throughout,
    /// An older message came behind a newer one.
    Broken,
}

impl StreamBatch<'_> {
    /// Whether its sequences rise; those of a consumer with acknowledgements nearly always do.
    pub(super) fn rise(&self) -> Rise {
        match self.origin.order {
            Order::Stream => Rise::Throughout,
            Order::Consumer if self.stored.is_sorted_by(|one, next| one.sequence < next.sequence) => {
                Rise::Throughout
            }
            Order::Consumer => Rise::Broken,
        }
    }

    /// The least sequence that was read for it.
    pub(super) fn least_sequence(&self) -> u64 {
        self.stored.iter().map(|stored| stored.sequence).min().unwrap_or(self.origin.first_sequence)
    }

    /// The greatest sequence of its messages, where it has any.
    pub(super) fn greatest_sequence(&self) -> Option<u64> {
        self.stored.iter().map(|stored| stored.sequence).max()
    }
}
