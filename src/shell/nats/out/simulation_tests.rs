//! The machine that publishes over a stream that is made up: whatever becomes of requests, answers and the connection,
//! each event is stored once, in the order of decisions, and confirmed only when it is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::engine::config::AlertDelivery;
use crate::engine::rules::AlertEvent;
use crate::engine::rules::event::{AlertEventKind, Reason};
use crate::engine::wire::EventId;
use crate::shell::settings::Settings;

use super::exchange::{Answer, Output, Request};
use super::machine::{AlertMachine, Company, Terms};
use super::words::AnswerFault;

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// An event is decided.
    Decide,
    /// The oldest open request is answered.
    Answer,
    /// It does not reach the server.
    LoseRequest,
    /// It does, and its answer gets lost.
    LoseAnswer,
    /// Another instance publishes on the same subject.
    Other,
    /// The connection breaks and comes back.
    Reconnect,
    /// So many hundred milliseconds go by.
    Wait(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Decide),
        12 => Just(Step::Answer),
        1 => Just(Step::LoseRequest),
        2 => Just(Step::LoseAnswer),
        2 => Just(Step::Other),
        1 => Just(Step::Reconnect),
        4 => (1_u32..20).prop_map(Step::Wait),
    ]
}

/// A stored message: its subject and what it says.
struct Message {
    subject: String,
    id: u128,
    payload: Vec<u8>,
}

struct World {
    machine: AlertMachine,
    now: Instant,
    open: VecDeque<Request>,
    stream: Vec<Message>,
    decided: Vec<u128>,
    published: Vec<u128>,
    others: u128,
}

/// An event with this id; every third is a clearing.
fn event(id: u128, source: &str) -> AlertEvent {
    let kind = if id.is_multiple_of(3) {
        AlertEventKind::Cleared { reason: Reason::Recovered, value: None }
    } else {
        let (current_value, threshold) = (1.0, 0.0);
        let (metric_name, message) = (Arc::from("m"), String::new());
        AlertEventKind::Triggered { metric_name, current_value, threshold, message }
    };
    AlertEvent { source: Arc::from(source), ..AlertEvent::sample(EventId(id), kind) }
}

impl World {
    fn new() -> Self {
        let terms = Terms {
            settings: Arc::default(),
            source: Arc::from("ours"),
            random: || 0,
            company: Company::Alone,
        };
        let mut machine = AlertMachine::new(terms, AlertDelivery::JetStream);
        let now = Instant::now();
        machine.connected(now);
        let (open, stream) = (VecDeque::new(), Vec::new());
        let (decided, published) = (Vec::new(), Vec::new());
        Self { machine, now, open, stream, decided, published, others: 1 << 100 }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Decide => {
                let id = self.decided.len() as u128 + 1;
                self.decided.push(id);
                self.machine.push(event(id, "ours"), self.now);
            }
            Step::Answer => {
                if let Some(request) = self.open.pop_front() {
                    let answer = self.serve(&request);
                    let answer = Answer::Text(answer.to_string().into());
                    self.machine.answered(request.number, Ok(&answer), self.now);
                }
            }
            Step::LoseRequest => self.lose(),
            Step::LoseAnswer => {
                if let Some(request) = self.open.front().cloned() {
                    drop(self.serve(&request));
                }
                self.lose();
            }
            Step::Other => {
                self.others += 1;
                let other = event(self.others, "theirs");
                let subject = Settings::default().subjects.of(other.event_type());
                self.stream.push(Message { subject, id: self.others, payload: other.to_json().into() });
            }
            Step::Reconnect => {
                self.machine.disconnected();
                self.open.clear();
                self.collect();
                self.machine.connected(self.now);
            }
            Step::Wait(tenths) => {
                for _ in 0..tenths {
                    self.now += Duration::from_millis(100);
                    self.machine.due(self.now);
                    self.collect();
                }
            }
        }
        self.collect();
    }

    /// Nobody answers the oldest open request. Whether messages can be read is not in doubt here: what only reads is
    /// answered after all.
    fn lose(&mut self) {
        let Some(request) = self.open.pop_front() else { return };
        if request.headers.is_empty() {
            self.open.push_front(request);
            return self.take(Step::Answer);
        }
        let silent = AnswerFault::Silent(Duration::from_secs(5));
        self.machine.answered(request.number, Err(silent), self.now);
    }

    fn collect(&mut self) {
        while let Some(output) = self.machine.outputs.pop_front() {
            match output {
                Output::Ask(request) => self.open.push_back(request),
                Output::Published(event) => {
                    let id = event.id.0;
                    assert!(self.stream.iter().any(|it| it.id == id), "{id} is confirmed and not stored");
                    self.published.push(id);
                }
                Output::Foreign(stored) => panic!("{stored:?} is taken for one of ours"),
                Output::Fact(_)
                | Output::Ready(_)
                | Output::Unready(..)
                | Output::Concern(_)
                | Output::Shown(_)
                | Output::NothingShown
                | Output::Unread
                | Output::PassedOver { .. }
                | Output::LetGo => {}
            }
        }
    }

    /// What the server does with a request, and says of it.
    fn serve(&mut self, request: &Request) -> Value {
        let body: Value = serde_json::from_slice(&request.payload).unwrap_or_default();
        let what = request.subject.trim_start_matches("$JS.API.");
        if what.starts_with("STREAM.NAMES") {
            return json!({ "streams": ["S"] });
        }
        if what.starts_with("STREAM.INFO") {
            return json!({ "config": { "retention": "limits", "storage": "file" }, "created": "a" });
        }
        if what.starts_with("CONSUMER.CREATE") {
            return json!({ "name": "C", "num_pending": 0 });
        }
        if what.starts_with("STREAM.MSG.GET") {
            let mut stored = (1_u64..).zip(&self.stream);
            let found = match (body["last_by_subj"].as_str(), body["next_by_subj"].as_str()) {
                (Some(subject), _) => stored.filter(|(_, it)| it.subject == subject).last(),
                (None, subject) => {
                    let from = body["seq"].as_u64().unwrap();
                    stored.find(|(number, it)| *number >= from && Some(it.subject.as_str()) == subject)
                }
            };
            let none =
                json!({ "error": { "code": 404, "err_code": 10_037, "description": "no message found" } });
            return found.map_or(none, |(sequence, it)| {
                let data = STANDARD.encode(&it.payload);
                json!({ "message": { "seq": sequence, "data": data, "time": "x" } })
            });
        }
        self.store(request)
    }

    fn store(&mut self, request: &Request) -> Value {
        let subject = request.subject.clone();
        let header = |name: &str| request.headers.iter().find(|(it, _)| *it == name).map(|(_, value)| value);
        let last = (1_u64..).zip(&self.stream).filter(|(_, it)| it.subject == subject).last();
        let last = last.map_or(0, |(sequence, _)| sequence);
        let expected = header("Nats-Expected-Last-Subject-Sequence").map(|text| text.parse::<u64>().unwrap());
        if expected.is_some_and(|expected| expected != last) {
            return json!({ "error": { "code": 400, "err_code": 10_071, "description": "wrong last sequence" } });
        }
        let id = header("Nats-Msg-Id").unwrap().parse::<EventId>().unwrap().0;
        // Only what goes out without a place is left to the stream's memory of ids.
        let known = (1_u64..).zip(&self.stream).find(|(_, it)| it.id == id && expected.is_none());
        if let Some((sequence, _)) = known {
            return json!({ "stream": "S", "seq": sequence, "duplicate": true });
        }
        self.stream.push(Message { subject, id, payload: request.payload.to_vec() });
        json!({ "stream": "S", "seq": self.stream.len() })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_event_is_stored_once_in_order_and_confirmed_when_it_is(steps in prop::collection::vec(step(), 0..120)) {
        let mut world = World::new();
        world.collect();
        for step in steps {
            world.take(step);
        }
        for _ in 0..250 {
            world.take(Step::Answer);
            world.take(Step::Wait(3));
        }
        let ours: Vec<u128> = world.stream.iter().map(|it| it.id).filter(|id| *id < 1 << 100).collect();
        prop_assert_eq!(&ours, &world.decided);
        prop_assert_eq!(&world.published, &world.decided);
    }
}
