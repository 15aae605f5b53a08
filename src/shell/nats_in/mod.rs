//! The lanes: messages from NATS, in batches, to the driver's mailbox.
//!
//! Each lane has a connection and a thread of its own and speaks the NATS protocol itself ([`link`], [`frames`]).
//! A client library would drop messages its reader has no room for, would end the connection over a header block
//! it cannot read, and would cost more for each message than all that follows.

pub(crate) mod address;
pub(crate) mod batch;
pub(crate) mod core_lane;
pub(crate) mod frames;
pub(crate) mod link;
pub(crate) mod login;
pub(crate) mod pace;
pub(crate) mod servers;
pub(crate) mod stream_api;
pub(crate) mod stream_durable;
mod stream_gaps;
pub(crate) mod stream_lane;
pub(crate) mod stream_pull;
pub(crate) mod stream_reader;
pub(crate) mod tls;

use std::sync::Arc;
use std::time::Duration;

use crate::engine::fact::Fact;

use super::command::Command;
use super::mailbox::{Item, Mailbox, Slot};
use super::settings::Settings;
use super::status::{Connectivity, Status, Topic};
use super::stop::Stop;

/// What every lane works with.
#[derive(Clone, Debug)]
pub(crate) struct LaneContext {
    /// Where batches go.
    pub(crate) mailbox: Arc<Mailbox>,
    /// Where the condition is noted.
    pub(crate) status: Arc<Status>,
    /// Whether the process stops.
    pub(crate) stop: Arc<Stop>,
    /// The settings.
    pub(crate) settings: Arc<Settings>,
}

impl LaneContext {
    /// Notes that a connection stands.
    pub(crate) fn link_is_up(&self, topic: Topic) {
        self.tell(self.status.clear(topic));
    }

    /// Notes that a connection is gone.
    pub(crate) fn link_is_down(&self, topic: Topic, reason: impl Into<String>) {
        self.tell(self.status.set(topic, reason));
    }

    /// Counts a fact.
    pub(crate) fn fact(&self, fact: Fact) {
        self.mailbox.command(Command::Fact(fact));
    }

    /// Hands an item over, however long that takes; false where the process stops.
    pub(crate) fn hand_over(&self, slot: Slot, item: Item) -> bool {
        self.mailbox.push(slot, item, Duration::MAX).is_ok()
    }

    fn tell(&self, change: Connectivity) {
        match change {
            Connectivity::Same => {}
            Connectivity::Gained => self.fact(Fact::Connected),
            Connectivity::Lost => self.fact(Fact::Disconnected),
        }
    }
}
