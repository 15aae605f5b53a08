//! A broker with JetStream, as far as the sidecar can tell: streams, consumers, core subscriptions, connections that
//! break, answers that are lost or late.

mod api;
mod connection;
mod consumer;
mod stream;

use std::collections::BTreeMap;
use std::rc::Rc;

pub(super) use stream::{Message, Retention, Stream};

use serde_json::Value;

use connection::Connection;
use stream::{Demands, Stored};

use super::random::Random;
use super::time::Micros;
use crate::engine::time::Timestamp;
use crate::shell::nats::out::exchange::AnswerEnding;

/// A field of what is written as JSON; null where it is not there.
pub(super) fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

/// An alert event or another message that came to be stored, in the order of the broker.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) subject: Rc<str>,
    pub(super) payload: Rc<[u8]>,
}

/// A request of a client that is not read byte by byte.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) subject: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) payload: Rc<[u8]>,
}

/// A request that nobody waits for an answer to any more, and when it arrives.
pub(super) type LateRequest = (Micros, Request, AnswerEnding);

/// The broker.
#[derive(Debug)]
pub(super) struct Broker {
    pub(super) is_up: bool,
    /// Its wall clock at microsecond 0.
    pub(super) epoch: Timestamp,
    pub(super) streams: BTreeMap<Rc<str>, Stream>,
    connections: BTreeMap<u32, Connection>,
    connected: u32,
    made: u64,
    starts: u64,
    /// What was stored since the last call of [`Broker::take_arrivals`].
    arrivals: Vec<Arrival>,
    /// How long a message may be under way, at the most.
    pub(super) slowness: Micros,
    random: Random,
}

impl Broker {
    /// One without streams.
    pub(super) fn new(epoch: Timestamp, seed: u64) -> Self {
        Self {
            is_up: true,
            epoch,
            streams: BTreeMap::new(),
            connections: BTreeMap::new(),
            connected: 0,
            made: 0,
            starts: 1,
            arrivals: Vec::new(),
            slowness: 2_000,
            random: Random::new(seed),
        }
    }

    /// What its clock shows.
    pub(super) fn wall(&self, now: Micros) -> Timestamp {
        self.epoch.after(std::time::Duration::from_micros(now))
    }

    /// What was stored since the last call.
    pub(super) fn take_arrivals(&mut self) -> Vec<Arrival> {
        std::mem::take(&mut self.arrivals)
    }

    /// Stops: every connection breaks, ephemeral consumers are gone; what is stored stays.
    pub(super) fn stop(&mut self) {
        self.is_up = false;
        for connection in self.connections.values_mut() {
            connection.close();
        }
    }

    /// Starts again.
    pub(super) fn start(&mut self) {
        self.is_up = true;
        self.starts += 1;
        for stream in self.streams.values_mut() {
            stream.consumers.retain(|_, it| it.is_durable == consumer::Lifetime::Durable);
            stream.consumers.values_mut().for_each(|it| it.pulls.clear());
        }
    }

    /// Takes the requests that have arrived by now, where it is there, and says of which subjects they were.
    pub(super) fn take_late(&mut self, late: &mut Vec<LateRequest>, now: Micros) -> Vec<String> {
        let arrived: Vec<LateRequest> = late.extract_if(.., |(at, ..)| *at <= now).collect();
        if !self.is_up {
            return Vec::new();
        }
        for (_, request, ending) in &arrived {
            drop(self.request(request, *ending, now));
        }
        arrived.into_iter().map(|(_, request, _)| request.subject).collect()
    }

    /// Stores a message and hands it to who is subscribed.
    pub(super) fn publish(&mut self, subject: &str, payload: &[u8], now: Micros) {
        let (subject, payload): (Rc<str>, Rc<[u8]>) = (Rc::from(subject), Rc::from(payload));
        let asked = Demands::default();
        drop(self.store(&subject, &payload, (asked, now)));
        self.deliver(now);
    }

    /// Hands a message to streams and subscriptions; what the stream made of it.
    fn store(
        &mut self,
        subject: &Rc<str>,
        payload: &Rc<[u8]>,
        (demands, now): (Demands<'_>, Micros),
    ) -> Option<(Rc<str>, Stored)> {
        self.fan_out(subject, payload, now);
        let wall = self.wall(now);
        let (name, stream) = self.streams.iter_mut().find(|(_, stream)| stream.takes(subject))?;
        let name = Rc::clone(name);
        let stored = stream.store(subject, payload, (demands, wall));
        if let Stored::New(_) = stored {
            self.arrivals.push(Arrival { subject: Rc::clone(subject), payload: Rc::clone(payload) });
        }
        Some((name, stored))
    }

    /// Hands a message to core subscriptions.
    fn fan_out(&mut self, subject: &str, payload: &[u8], now: Micros) {
        for connection in self.connections.values_mut() {
            let delay = self.random.below(self.slowness);
            connection.deliver(subject, payload, now + delay);
        }
    }

    /// Makes a connection; none where it is down.
    pub(super) fn connect(&mut self) -> Option<u32> {
        if !self.is_up {
            return None;
        }
        self.connected += 1;
        self.connections.insert(self.connected, Connection::default());
        Some(self.connected)
    }

    /// What it says of itself.
    pub(super) fn server_id(&self) -> String {
        format!("S{}", self.starts)
    }

    /// Takes bytes of a client.
    pub(super) fn take_bytes(&mut self, connection: u32, bytes: &[u8], now: Micros) {
        let delay = self.random.below(self.slowness);
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.send(bytes, now + delay);
        }
    }

    /// What came over a connection by now; none where it broke and everything before that was read.
    pub(super) fn read(&mut self, connection: u32, now: Micros) -> Option<Vec<u8>> {
        let connection = self.connections.get_mut(&connection)?;
        connection.read(now)
    }

    /// When something is to be read of a connection.
    pub(super) fn readable_at(&self, connection: u32) -> Option<Micros> {
        self.connections.get(&connection).map_or(Some(0), Connection::readable_at)
    }

    /// Breaks a connection.
    pub(super) fn cut(&mut self, connection: u32) {
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.close();
        }
    }

    /// The client is gone: what it sent before may still come.
    pub(super) fn forget(&mut self, connection: u32) {
        self.connections.remove(&connection);
        for consumer in self.streams.values_mut().flat_map(|stream| stream.consumers.values_mut()) {
            consumer.pulls.retain(|pull| pull.connection != connection);
        }
    }

    /// Deletes every consumer that nobody asked to last.
    pub(super) fn delete_ephemeral_consumers(&mut self) {
        for stream in self.streams.values_mut() {
            stream.consumers.retain(|_, it| it.is_durable == consumer::Lifetime::Durable);
        }
    }

    /// When it has something to do.
    pub(super) fn deadline(&self) -> Option<Micros> {
        if !self.is_up {
            return None;
        }
        let of_connections = self.connections.values().filter_map(Connection::due_at);
        let consumers = self.streams.values().flat_map(|stream| stream.consumers.values());
        of_connections.chain(consumers.filter_map(consumer::Consumer::deadline)).min()
    }

    /// Does what is due.
    pub(super) fn work(&mut self, now: Micros) {
        if !self.is_up {
            return;
        }
        let numbers: Vec<u32> = self.connections.keys().copied().collect();
        for number in numbers {
            self.hear(number, now);
        }
        for stream in self.streams.values_mut() {
            stream.consumers.retain(|_, consumer| !consumer.is_abandoned(now));
        }
        self.deliver(now);
    }
}
