//! What a consumer with acknowledgements needs beside: the stream's order after a break, and the acknowledgements.
//!
//! After a break newer messages come at once and the older, unacknowledged ones only when the server gives up
//! waiting for them. The newer ones are held until the older have come, so the order stays the stream's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::engine::arrival::Stored;

use super::pull::Place;
use crate::shell::driver::batch::Batch;
use crate::shell::nats::api::ConsumerInfo;
use crate::shell::nats::frames::Delivery;
use crate::shell::nats::protocol::Protocol;

/// How long the server waits for an acknowledgement.
const ACK_WAIT: Duration = Duration::from_secs(5);

/// Messages that may be unacknowledged at a time; bounds what is held.
const UNACKNOWLEDGED_MAX: usize = 2_048;

/// How long held messages wait for older ones at the longest.
const HOLD_MAX: Duration = Duration::from_secs(15);

/// A message that is held.
#[derive(Debug)]
struct Held {
    subject: Vec<u8>,
    headers: Vec<u8>,
    payload: Vec<u8>,
    stored: Stored,
}

/// Order and acknowledgements of one durable consumer.
#[derive(Debug)]
pub(crate) struct Durable {
    owed: u64,
    hold_until: Instant,
    held: BTreeMap<u64, Held>,
    handed: BTreeSet<u64>,
    acknowledgements: Vec<String>,
}

impl Durable {
    /// The configuration of the consumer.
    pub(crate) fn config(name: &str) -> Value {
        json!({
            "durable_name": name,
            "description": "signalbox",
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "ack_wait": ACK_WAIT.as_nanos() as u64,
            "max_ack_pending": UNACKNOWLEDGED_MAX,
            "replay_policy": "instant",
        })
    }

    /// What to expect of a consumer as it is found.
    pub(crate) fn new(found: &ConsumerInfo, now: Instant) -> Self {
        Self {
            owed: found.num_ack_pending,
            hold_until: now + HOLD_MAX,
            held: BTreeMap::new(),
            handed: BTreeSet::new(),
            acknowledgements: Vec::new(),
        }
    }

    /// When what is held goes on without the older ones.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        (!self.held.is_empty()).then_some(self.hold_until)
    }

    /// Whether newer messages wait for older ones.
    pub(crate) fn is_holding(&self) -> bool {
        self.owed > 0
    }

    /// Passes over a message of another type: it is only acknowledged.
    pub(crate) fn pass_over(&mut self, delivery: &Delivery<'_>, place: Place) {
        self.acknowledgements.push(String::from_utf8_lossy(delivery.reply).into_owned());
        if self.owed > 0 && place.delivered > 1 {
            self.owed -= 1;
        }
    }

    /// Takes one message: into the batch, or to be held; what was handed over before is only acknowledged again.
    pub(crate) fn accept(&mut self, delivery: &Delivery<'_>, place: Place, batch: &mut Batch, now: Instant) {
        self.pass_over(delivery, place);
        if !self.handed.insert(place.stream_sequence) {
            return;
        }
        if self.handed.len() > 2 * UNACKNOWLEDGED_MAX {
            self.handed.pop_first();
        }
        let stored = place.stored();
        if self.is_holding() && now < self.hold_until {
            let held = Held {
                subject: delivery.subject.to_vec(),
                headers: delivery.headers.to_vec(),
                payload: delivery.payload.to_vec(),
                stored,
            };
            self.held.insert(place.stream_sequence, held);
        } else if self.held.is_empty() {
            batch.push(delivery.subject, delivery.headers, delivery.payload);
            batch.note_stored(stored);
        } else {
            self.hold(delivery, place.stream_sequence, stored);
            self.release(batch, now);
        }
    }

    /// Moves what is held into the batch, in the stream's order, once nothing older is owed.
    pub(crate) fn release(&mut self, batch: &mut Batch, now: Instant) {
        if self.is_holding() && now < self.hold_until {
            return;
        }
        self.owed = 0;
        for (_, held) in std::mem::take(&mut self.held) {
            batch.push(&held.subject, &held.headers, &held.payload);
            batch.note_stored(held.stored);
        }
    }

    /// Acknowledges everything that was handed over; what is held is not.
    pub(crate) fn acknowledge(&mut self, protocol: &mut Protocol) {
        if self.held.is_empty() {
            for reply in self.acknowledgements.drain(..) {
                protocol.publish(&reply, None, b"+ACK");
            }
        }
    }

    fn hold(&mut self, delivery: &Delivery<'_>, sequence: u64, stored: Stored) {
        let held = Held {
            subject: delivery.subject.to_vec(),
            headers: delivery.headers.to_vec(),
            payload: delivery.payload.to_vec(),
            stored,
        };
        self.held.insert(sequence, held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(stream_sequence: u64, delivered: u64) -> Place {
        Place { delivered, stream_sequence, consumer_sequence: 0, stored_nanos: 0, pending: 0 }
    }

    #[test]
    fn newer_messages_wait_until_the_older_ones_have_come_again() {
        let now = Instant::now();
        let found = ConsumerInfo { num_ack_pending: 2, ..ConsumerInfo::default() };
        let mut durable = Durable::new(&found, now);
        let mut batch = Batch::default();
        for (sequence, delivered) in [(3, 1), (2, 2), (1, 2), (3, 2)] {
            let payload = sequence.to_string();
            let delivery = Delivery {
                subscription: 2,
                subject: b"s",
                reply: b"r",
                headers: b"",
                payload: payload.as_bytes(),
            };
            durable.accept(&delivery, place(sequence, delivered), &mut batch, now);
        }
        durable.release(&mut batch, now);
        let order: Vec<_> = batch.messages().iter().map(|message| message.payload.to_vec()).collect();
        assert_eq!(order, [b"1", b"2", b"3"]);
    }
}
