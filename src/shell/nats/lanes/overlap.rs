//! Two connections that hear the same: each message passes once.
//!
//! While one connection takes over from another both are subscribed, so that nothing is lost in between. The same
//! message comes by both; it is known by its bytes, and passes as often as it came by the one that heard it oftener.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;

use crate::shell::nats::frames::Delivery;

/// Distinct messages that are kept apart; beyond them all pass, and the duplicate window has to tell.
const MESSAGES_MAX: usize = 200_000;

/// Which of the two connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The one that leaves.
    Older,
    /// The one that takes over.
    Newer,
}

/// How often each message came by each connection.
#[derive(Debug, Default)]
pub(super) struct Overlap {
    heard: HashMap<u64, Heard>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    older: u32,
    newer: u32,
}

/// Whether a message is handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// It is.
    Yes,
    /// The other connection brought it.
    No,
}

impl Overlap {
    /// Notes a message of one side, and says whether it passes.
    pub(super) fn note(&mut self, side: Side, delivery: &Delivery<'_>) -> Pass {
        let message = fingerprint(delivery);
        if self.heard.len() >= MESSAGES_MAX && !self.heard.contains_key(&message) {
            return Pass::Yes;
        }
        let heard = self.heard.entry(message).or_default();
        let before = heard.older.max(heard.newer);
        let count = match side {
            Side::Older => &mut heard.older,
            Side::Newer => &mut heard.newer,
        };
        *count = count.saturating_add(1);
        if *count > before { Pass::Yes } else { Pass::No }
    }
}

fn fingerprint(delivery: &Delivery<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for part in [delivery.subject, delivery.headers, delivery.payload] {
        hasher.write_usize(part.len());
        hasher.write(part);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests;
