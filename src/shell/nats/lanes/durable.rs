//! What a consumer with acknowledgements needs beside: the stream's order after a break.
//!
//! After a break newer messages may come before older, unacknowledged ones, which the server delivers again when it
//! gives up waiting for them, or at once where it is told that they are not acknowledged. Until they have come the newer
//! ones are held, so the order stays the stream's.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::engine::arrival::Stored;

use super::owing::{AckLimits, Owing};
use super::pull::MessagePlace;
use crate::shell::driver::batch::Batch;
use crate::shell::nats::api::ConsumerInfo;
use crate::shell::nats::frames::Delivery;
use crate::shell::nats::protocol::Protocol;

/// What the consumers made here are described as.
pub(super) const DESCRIPTION: &str = "signalbox";

/// How much longer than the server waits for an acknowledgement newer messages wait for older ones.
const HOLD_LONGER: Duration = Duration::from_secs(10);

/// Messages asked for again at a time; where more may be unacknowledged, the server is waited for.
const ASKED_AGAIN_MAX: u64 = 131_072;

/// Bytes that are held; what is over that comes again.
const HELD_BYTES_MAX: usize = 16 << 20;

/// Has the server deliver a message again in a second.
const LATER: &[u8] = b"-NAK {\"delay\":1000000000}";

/// A message that is held.
#[derive(Debug)]
struct Held {
    subject: Vec<u8>,
    headers: Vec<u8>,
    payload: Vec<u8>,
    reply: Box<str>,
    stored: Stored,
}

impl Held {
    fn bytes(&self) -> usize {
        self.subject.len() + self.headers.len() + self.payload.len()
    }
}

/// What one message goes into.
pub(super) struct Into<'a> {
    /// What is handed over next.
    pub(super) batch: &'a mut Batch,
    /// What is owed for it.
    pub(super) owing: &'a mut Owing,
    /// Where the server is told of it.
    pub(super) protocol: &'a mut Protocol,
    /// The time.
    pub(super) now: Instant,
}

/// The order of one durable consumer as it was found.
#[derive(Debug)]
pub(super) struct Durable {
    /// Messages that were delivered before and are still to come again.
    missing: u64,
    /// They lie above this sequence and up to the next.
    above: u64,
    up_to: u64,
    hold_until: Instant,
    held: BTreeMap<u64, Held>,
    held_bytes: usize,
}

impl Durable {
    /// The configuration of the consumer.
    pub(super) fn config(name: &str, limits: AckLimits) -> Value {
        json!({
            "durable_name": name,
            "description": DESCRIPTION,
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "ack_wait": limits.wait.as_nanos() as u64,
            "max_ack_pending": limits.messages_max,
            "replay_policy": "instant",
        })
    }

    /// What to expect of a consumer as it is found, where this much is owed to it.
    pub(super) fn new(found: &ConsumerInfo, owing: &Owing, limits: AckLimits, now: Instant) -> Self {
        let up_to = found.delivered.stream_seq;
        let here = owing.up_to(up_to) as u64;
        Self {
            missing: found.num_ack_pending.saturating_sub(here),
            above: found.ack_floor.stream_seq,
            up_to: if up_to == 0 { u64::MAX } else { up_to },
            hold_until: now + limits.wait + HOLD_LONGER,
            held: BTreeMap::new(),
            held_bytes: 0,
        }
    }

    /// Has the server deliver at once what it waits for an acknowledgement of and nobody here has: an earlier run had.
    pub(super) fn ask_again(
        &self,
        (stream, found): (&str, &ConsumerInfo),
        owing: &Owing,
        protocol: &mut Protocol,
    ) {
        if self.missing == 0 || self.up_to.saturating_sub(self.above) > ASKED_AGAIN_MAX {
            return;
        }
        let (name, delivered) = (&found.name, found.delivered.consumer_seq);
        for sequence in (self.above + 1..=self.up_to).filter(|sequence| !owing.has(*sequence)) {
            // The server goes by the stream's sequence; those it does not wait for it passes over.
            protocol.publish(&format!("$JS.ACK.{stream}.{name}.1.{sequence}.{delivered}.0.0"), None, b"-NAK");
        }
    }

    /// Looks again whether older ones are still to come, as the consumer is now; nothing came since it was asked.
    pub(super) fn reconsider(&mut self, found: &ConsumerInfo, owing: &Owing) {
        let here = owing.up_to(u64::MAX) + self.held.len();
        self.missing = self.missing.min(found.num_ack_pending.saturating_sub(here as u64));
    }

    /// Up to where everything is acknowledged or gone, and nothing is held: what is held and left the stream meanwhile is
    /// still to be handed over.
    pub(super) fn through(&self, found: &ConsumerInfo) -> u64 {
        let floor = found.ack_floor.stream_seq;
        self.held.first_key_value().map_or(floor, |(first, _)| floor.min(first.saturating_sub(1)))
    }

    /// When what is held goes on without the older ones.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (!self.held.is_empty()).then_some(self.hold_until)
    }

    /// Whether newer messages wait for older ones.
    pub(super) const fn is_holding(&self) -> bool {
        self.missing > 0
    }

    /// Passes over a message of another type: it is acknowledged at once.
    pub(super) fn pass_over(
        &mut self,
        delivery: &Delivery<'_>,
        place: MessagePlace,
        protocol: &mut Protocol,
    ) {
        protocol.publish(&String::from_utf8_lossy(delivery.reply), None, b"+ACK");
        self.note(place);
    }

    /// Takes one message: into the batch, or to be held. One that was handed over before is known.
    pub(super) fn accept(&mut self, delivery: &Delivery<'_>, place: MessagePlace, to: &mut Into<'_>) {
        let reply: Box<str> = String::from_utf8_lossy(delivery.reply).into();
        let sequence = place.stream_sequence;
        if to.owing.has(sequence) {
            return to.owing.came_again(sequence, reply);
        }
        if let Some(held) = self.held.get_mut(&sequence) {
            held.reply = reply;
            return;
        }
        self.note(place);
        let held = Held {
            subject: delivery.subject.to_vec(),
            headers: delivery.headers.to_vec(),
            payload: delivery.payload.to_vec(),
            reply,
            stored: place.stored(),
        };
        let is_held = self.is_holding() && to.now < self.hold_until;
        if !is_held && self.held.is_empty() {
            return hand_over(held, to);
        }
        let is_old = sequence <= self.up_to && sequence > self.above;
        if is_held && !is_old && self.held_bytes + held.bytes() > HELD_BYTES_MAX {
            return to.protocol.publish(&held.reply, None, LATER);
        }
        self.held_bytes += held.bytes();
        self.held.insert(sequence, held);
        self.release(to);
    }

    /// Moves what is held into the batch, in the stream's order, once nothing older is to come.
    pub(super) fn release(&mut self, to: &mut Into<'_>) {
        if self.is_holding() && to.now < self.hold_until {
            return;
        }
        self.missing = 0;
        self.held_bytes = 0;
        for (_, held) in std::mem::take(&mut self.held) {
            hand_over(held, to);
        }
    }

    /// One that was to come again may have come.
    fn note(&mut self, place: MessagePlace) {
        let is_old = place.stream_sequence > self.above && place.stream_sequence <= self.up_to;
        if is_old && place.delivered > 1 {
            self.missing = self.missing.saturating_sub(1);
        }
    }
}

fn hand_over(held: Held, to: &mut Into<'_>) {
    to.owing.owe(held.stored.sequence, held.reply, to.now);
    to.batch.push(&held.subject, &held.headers, &held.payload);
    to.batch.note_stored(held.stored);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::time::Timestamp;

    #[test]
    fn what_is_held_is_not_through_though_it_left_the_stream() {
        let limits = AckLimits { wait: Duration::from_mins(1), messages_max: 10 };
        let mut found = ConsumerInfo { num_ack_pending: 1, ..ConsumerInfo::default() };
        let mut durable = Durable::new(&found, &Owing::new(limits), limits, Instant::now());
        found.ack_floor.stream_seq = 7;
        assert_eq!(durable.through(&found), 7);
        let stored = Stored { sequence: 6, at: Timestamp::EPOCH };
        let (subject, headers, payload) = (Vec::new(), Vec::new(), Vec::new());
        durable.held.insert(6, Held { subject, headers, payload, reply: "".into(), stored });
        assert_eq!(durable.through(&found), 5);
    }
}
