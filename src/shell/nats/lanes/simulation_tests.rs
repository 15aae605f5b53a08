//! The JetStream lane's machine over a stream that is made up: whatever breaks, each message arrives once and in order,
//! and what left the stream unread is counted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::engine::fact::Fact;
use crate::engine::wire::EventType;
use crate::shell::driver::mailbox::{FromStream, LaneItem};
use crate::shell::nats::link::LinkError;
use crate::shell::nats::protocol::ServerInfo;
use crate::shell::settings::Settings;

use super::machine::{Handed, LinkNumber, Machine, Opened, Output};
use super::stream::StreamMachine;

const SUBJECT: &str = "events.queue.JobQueued";

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many messages are published.
    Publish(u64),
    /// The server answers and delivers up to so many messages, torn at so many bytes.
    Serve(usize, usize),
    /// The next delivery gets lost on the way.
    LoseOne,
    /// The connection breaks.
    Cut,
    /// The consumer is gone, and nobody says so.
    Forget,
    /// So many of the oldest messages leave the stream.
    Expire(u64),
    /// The stream is deleted and made anew.
    Recreate,
    /// So many hundred milliseconds go by.
    Wait(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (1_u64..20).prop_map(Step::Publish),
        8 => (0_usize..30, 1_usize..400).prop_map(|(most, tear)| Step::Serve(most, tear)),
        1 => Just(Step::LoseOne),
        1 => Just(Step::Cut),
        1 => Just(Step::Forget),
        1 => (1_u64..30).prop_map(Step::Expire),
        4 => (1_u32..30).prop_map(Step::Wait),
        1 => Just(Step::Wait(110)),
    ]
}

/// A consumer of the server.
#[derive(Debug)]
struct Consumer {
    name: String,
    next: u64,
    delivered: u64,
}

/// A request for messages that is open at the server.
#[derive(Debug)]
struct Pull {
    inbox: String,
    left: u64,
    got: u64,
    ends: Instant,
}

/// The server, its stream, and the machine that reads it.
struct World {
    machine: StreamMachine,
    now: Instant,
    link: u32,
    unread: Vec<u8>,
    stands: bool,
    created: u32,
    stream: BTreeSet<u64>,
    last: u64,
    consumer: Option<Consumer>,
    consumers: u32,
    pulls: Vec<Pull>,
    answers: Vec<String>,
    lose_next: bool,
    heard: Vec<(u32, u64)>,
    lost: u64,
    /// Messages that left the stream unread.
    expired: u64,
}

impl World {
    fn new() -> Self {
        let types = [EventType::JobQueued];
        let mut machine = StreamMachine::new(&Arc::new(Settings::default()), &types, None);
        machine.start();
        let mut world = Self {
            machine,
            now: Instant::now(),
            link: 0,
            unread: Vec::new(),
            stands: false,
            created: 0,
            stream: BTreeSet::new(),
            last: 0,
            consumer: None,
            consumers: 0,
            pulls: Vec::new(),
            answers: Vec::new(),
            lose_next: false,
            heard: Vec::new(),
            lost: 0,
            expired: 0,
        };
        world.collect();
        world
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Publish(count) => {
                for _ in 0..count {
                    self.last += 1;
                    self.stream.insert(self.last);
                }
            }
            Step::Serve(most, tear) => self.serve(most, tear),
            Step::LoseOne => self.lose_next = true,
            Step::Cut => self.cut(),
            Step::Forget => (self.consumer, self.pulls) = (None, Vec::new()),
            Step::Expire(count) => {
                for _ in 0..count {
                    let Some(sequence) = self.stream.pop_first() else { break };
                    self.expired += u64::from(!self.heard.contains(&(self.created, sequence)));
                }
            }
            Step::Recreate => {
                self.created += 1;
                (self.last, self.stream, self.lose_next) = (0, BTreeSet::new(), false);
                (self.consumer, self.pulls) = (None, Vec::new());
            }
            Step::Wait(tenths) => {
                for _ in 0..tenths {
                    self.now += Duration::from_millis(100);
                    self.expire_pulls();
                    self.machine.due(self.now);
                    self.collect();
                }
            }
        }
        self.collect();
    }

    fn cut(&mut self) {
        if std::mem::take(&mut self.stands) {
            (self.pulls, self.answers) = (Vec::new(), Vec::new());
            self.unread.clear();
            self.machine.closed(LinkNumber(self.link), &LinkError::Closed, self.now);
        }
    }

    /// Sends what is due and so many messages, in pieces of so many bytes.
    fn serve(&mut self, most: usize, tear: usize) {
        let mut bytes = std::mem::take(&mut self.answers).concat();
        for _ in 0..most {
            let Some(message) = self.deliver() else { break };
            bytes.push_str(&message);
        }
        for piece in bytes.as_bytes().chunks(tear) {
            self.unread.extend_from_slice(piece);
            let used = self.machine.read(LinkNumber(self.link), &self.unread, self.now);
            self.unread.drain(..used.bytes.min(self.unread.len()));
            self.collect();
            if !self.stands {
                return;
            }
        }
    }

    /// The next message of the consumer, where one is asked for.
    fn deliver(&mut self) -> Option<String> {
        let consumer = self.consumer.as_mut()?;
        let sequence = *self.stream.range(consumer.next..).next()?;
        let pull = self.pulls.first_mut()?;
        (pull.left, pull.got) = (pull.left - 1, pull.got + 1);
        if pull.left == 0 {
            self.pulls.remove(0);
        }
        (consumer.next, consumer.delivered) = (sequence + 1, consumer.delivered + 1);
        let pending = self.stream.range(sequence + 1..).count();
        let (name, number) = (&consumer.name, consumer.delivered);
        let reply = format!("$JS.ACK.EVENTS.{name}.1.{sequence}.{number}.{sequence}000000000.{pending}");
        let payload = sequence.to_string();
        if std::mem::take(&mut self.lose_next) {
            return Some(String::new());
        }
        Some(format!("MSG {SUBJECT} 2 {reply} {}\r\n{payload}\r\n", payload.len()))
    }

    /// Ends requests whose time is over, and shows that the server lives.
    fn expire_pulls(&mut self) {
        let now = self.now;
        let over: Vec<Pull> = self.pulls.extract_if(.., |pull| now >= pull.ends).collect();
        for pull in over {
            self.answers.push(status(&pull.inbox, "408 Request Timeout"));
        }
        if let (Some(pull), Some(_)) = (self.pulls.first(), &self.consumer) {
            self.answers.push(status(&pull.inbox, "100 Idle Heartbeat"));
        }
    }

    /// Does what the machine wants.
    fn collect(&mut self) {
        loop {
            while let Some(output) = self.machine.outputs().pop_front() {
                self.perform(output);
            }
            let number = LinkNumber(self.link);
            let Some(outgoing) = self.machine.outgoing(number).filter(|bytes| !bytes.is_empty()) else {
                return;
            };
            let text = String::from_utf8(std::mem::take(outgoing)).unwrap();
            self.obey(&text);
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Open(_) => {
                // What was on its way over the last connection is gone with it.
                (self.link, self.stands) = (self.link + 1, true);
                (self.pulls, self.answers) = (Vec::new(), Vec::new());
                self.unread.clear();
                let (info, inbox) = (ServerInfo::default(), "i".to_owned());
                let opened = Opened { number: LinkNumber(self.link), info, inbox };
                self.machine.opened(opened, self.now);
            }
            Output::Close(_) => self.stands = false,
            Output::Hand(item, _) => {
                match item {
                    LaneItem::Stream(FromStream { origin, batch, .. }) => {
                        let created: u32 = origin.epoch.created.parse().unwrap();
                        for message in batch.messages() {
                            let text = std::str::from_utf8(message.payload).unwrap();
                            let sequence: u64 = text.parse().unwrap();
                            assert!(sequence <= origin.last_sequence, "{sequence} in {origin:?}");
                            self.heard.push((created, sequence));
                        }
                    }
                    LaneItem::Fact(Fact::StreamLost { count, .. }) => self.lost += count,
                    LaneItem::Core(_) | LaneItem::News(_) | LaneItem::Fact(_) => {}
                }
                self.machine.handed(Handed::Taken, self.now);
            }
            Output::Learn(_)
            | Output::Fact(_)
            | Output::Up
            | Output::Down(_)
            | Output::Ready(_)
            | Output::Unready(..)
            | Output::Say(_)
            | Output::Save => {}
        }
    }

    /// Takes what the machine sent.
    fn obey(&mut self, text: &str) {
        let mut lines = text.split("\r\n");
        while let Some(line) = lines.next() {
            if let ["PUB", subject, reply, _] = line.split(' ').collect::<Vec<_>>().as_slice() {
                let body = lines.next().unwrap_or_default();
                let body: Value = serde_json::from_str(body).unwrap_or_default();
                self.requested(subject.trim_start_matches("$JS.API."), reply, &body);
            } else if line == "PING" {
                self.answers.push("PONG\r\n".to_owned());
            }
        }
    }

    fn requested(&mut self, subject: &str, reply: &str, body: &Value) {
        let answer = if subject.starts_with("STREAM.INFO") {
            let first = self.stream.first().copied().unwrap_or(self.last + 1);
            json!({ "config": { "subjects": [SUBJECT], "retention": "limits" }, "created": self.created.to_string(),
                "state": { "first_seq": first, "last_seq": self.last } })
        } else if subject.starts_with("STREAM.MSG.GET") {
            let sequence = body["seq"].as_u64().unwrap();
            if self.stream.contains(&sequence) {
                let time = crate::engine::time::Timestamp::EPOCH.after(Duration::from_secs(sequence));
                json!({ "message": { "seq": sequence, "time": time.to_string() } })
            } else {
                json!({ "error": { "code": 404, "err_code": 10_037, "description": "no message" } })
            }
        } else if subject.starts_with("CONSUMER.CREATE") {
            self.consumers += 1;
            let next = body["config"]["opt_start_seq"].as_u64().unwrap();
            let name = format!("C{}", self.consumers);
            self.consumer = Some(Consumer { name: name.clone(), next, delivered: 0 });
            self.pulls.clear();
            json!({ "name": name, "config": {}, "num_pending": self.stream.range(next..).count() })
        } else if subject.starts_with("CONSUMER.INFO") {
            match &self.consumer {
                Some(it) if subject.ends_with(&it.name) => {
                    let pending = self.stream.range(it.next..).count();
                    json!({ "name": it.name, "num_pending": pending, "delivered": { "consumer_seq": it.delivered } })
                }
                _ => {
                    json!({ "error": { "code": 404, "err_code": 10_014, "description": "consumer not found" } })
                }
            }
        } else {
            if subject.starts_with("CONSUMER.MSG.NEXT")
                && self.consumer.as_ref().is_some_and(|it| subject.ends_with(&it.name))
            {
                let span = Duration::from_nanos(body["expires"].as_u64().unwrap());
                let (left, ends) = (body["batch"].as_u64().unwrap(), self.now + span);
                self.pulls.push(Pull { inbox: reply.to_owned(), left, got: 0, ends });
            }
            return;
        };
        let answer = answer.to_string();
        self.answers.push(format!("MSG {reply} 1 {}\r\n{answer}\r\n", answer.len()));
    }

    /// Lets everything come to rest.
    fn settle(&mut self) {
        for _ in 0..50 {
            self.take(Step::Serve(usize::MAX, 1_000));
            self.take(Step::Wait(3));
        }
    }
}

fn status(inbox: &str, words: &str) -> String {
    let block = format!("NATS/1.0 {words}\r\n\r\n");
    format!("HMSG {inbox} 2 {} {}\r\n{block}\r\n", block.len(), block.len())
}

/// A world in which one message was read already.
fn begun() -> World {
    let mut world = World::new();
    world.take(Step::Publish(1));
    world.settle();
    assert_eq!(world.heard, [(0, 1)]);
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn each_message_arrives_once_in_order_or_is_counted_as_lost(steps in prop::collection::vec(step(), 0..60)) {
        let mut world = begun();
        for step in steps {
            world.take(step);
        }
        world.lose_next = false;
        // What left the stream shows by what comes behind it.
        world.take(Step::Publish(1));
        world.settle();
        prop_assert!(world.heard.is_sorted_by(|one, next| one < next), "{:?}", world.heard);
        let unread = world.stream.iter().filter(|sequence| !world.heard.contains(&(0, **sequence)));
        prop_assert_eq!(unread.count(), 0, "still in the stream and never read");
        prop_assert_eq!(world.heard.len() as u64 + world.lost, world.last);
        prop_assert_eq!(world.lost, world.expired);
    }

    #[test]
    fn a_stream_that_is_made_anew_is_read_from_its_beginning(
        before in prop::collection::vec(step(), 0..20),
        after in prop::collection::vec(step(), 0..20),
    ) {
        let mut world = begun();
        for step in before {
            world.take(step);
        }
        world.take(Step::Recreate);
        let (lost, expired) = (world.lost, world.expired);
        world.take(Step::Publish(1));
        world.settle();
        for step in after {
            world.take(step);
        }
        world.lose_next = false;
        world.take(Step::Publish(1));
        world.settle();
        prop_assert!(world.heard.is_sorted_by(|one, next| one < next), "{:?}", world.heard);
        let unread = world.stream.iter().filter(|sequence| !world.heard.contains(&(1, **sequence)));
        prop_assert_eq!(unread.count(), 0, "still in the stream and never read");
        // What the old one lost may have been found after it was gone, or not at all.
        prop_assert!(world.lost - lost >= world.expired - expired, "{} {lost}", world.lost);
        prop_assert!(world.lost <= world.expired);
    }
}
