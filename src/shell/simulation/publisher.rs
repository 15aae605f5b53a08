//! The machine that publishes alert events, with the broker in the place of its connection: what
//! [`crate::shell::nats::out::alerts`] does with tasks.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::broker::{Broker, Request};
use super::random::{self, Random};
use super::time::{self, MILLI, Micros, SECOND};
use crate::shell::context::ShellContext;
use crate::shell::driver::command::{Command, Dispatch};
use crate::shell::nats::out::exchange::{Answer, Ending, Output};
use crate::shell::nats::out::machine::{AlertMachine, Terms};
use crate::shell::nats::out::words::AnswerFault;
use crate::shell::status::Topic;

/// How long a request may take.
const PATIENCE: Micros = 5 * SECOND;

/// What becomes of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weather {
    /// The next answers that do not come.
    pub(super) lost_answers: u32,
    /// The next answers that come late.
    pub(super) late_answers: u32,
    /// The next requests that never arrive.
    pub(super) lost_requests: u32,
}

/// What a request is at.
#[derive(Debug)]
enum Way {
    /// It arrives then.
    There(Request, Ending),
    /// Its answer arrives then.
    Back(Result<Answer, AnswerFault>),
}

/// A request that is open.
#[derive(Debug)]
struct Open {
    number: u64,
    at: Micros,
    way: Way,
    given_up_at: Micros,
}

/// How the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Away { again_at: Micros },
    Up(u32),
}

/// Publishes.
#[derive(Debug)]
pub(super) struct Publisher {
    machine: AlertMachine,
    context: ShellContext,
    link: Link,
    open: Vec<Open>,
    random: Random,
}

impl Publisher {
    /// One that is to connect.
    pub(super) fn new(context: ShellContext, seed: u64, now: Micros) -> Self {
        let config = context.config.get();
        let terms = Terms {
            settings: Arc::clone(&context.settings),
            source: Arc::from(config.instance.as_str()),
            random: random::draw,
        };
        let machine = AlertMachine::new(terms, config.alerts.delivery);
        let mut random = Random::new(seed);
        let link = Link::Away { again_at: now + random.below(5 * MILLI) };
        Self { machine, context, link, open: Vec::new(), random }
    }

    /// When it has something to do.
    pub(super) fn ready_at(&self, broker: &Broker) -> Option<Micros> {
        let of_link = match self.link {
            Link::Away { again_at } => Some(again_at),
            Link::Up(connection) => broker.readable_at(connection),
        };
        let of_requests = self.open.iter().map(|open| open.at.min(open.given_up_at)).min();
        [of_link, of_requests, self.machine.deadline().map(time::micros_of)].into_iter().flatten().min()
    }

    /// Takes what the driver asks.
    pub(super) fn take(&mut self, dispatch: Dispatch) {
        match dispatch {
            Dispatch::Publish { event, .. } => self.machine.push(*event, time::now()),
            Dispatch::BeginAnew => self.machine.begin_anew(time::now()),
            Dispatch::Acknowledged(_)
            | Dispatch::Withdrawn(_)
            | Dispatch::Copy(_)
            | Dispatch::Mark
            | Dispatch::Saved => {}
        }
    }

    /// Does what is due.
    pub(super) fn work(&mut self, broker: &mut Broker, weather: &mut Weather, now: Micros) {
        self.look_at_link(broker, now);
        self.move_requests(broker, weather, now);
        if self.machine.deadline().is_some_and(|at| time::micros_of(at) <= now) {
            self.machine.due(time::at(now));
        }
        self.perform(now);
    }

    /// The connection it has.
    pub(super) fn connection(&self) -> Option<u32> {
        match self.link {
            Link::Up(connection) => Some(connection),
            Link::Away { .. } => None,
        }
    }

    /// The process is gone: what was on its way to the broker may still arrive.
    pub(super) fn last_words(&mut self) -> Vec<(Request, Ending)> {
        let sent = self.open.drain(..).filter_map(|open| match open.way {
            Way::There(request, ending) => Some((request, ending)),
            Way::Back(_) => None,
        });
        let sent: Vec<_> = sent.collect();
        sent.into_iter().filter(|_| self.random.percent(50)).collect()
    }

    fn look_at_link(&mut self, broker: &mut Broker, now: Micros) {
        match self.link {
            Link::Away { again_at } if again_at <= now => match broker.connect() {
                Some(connection) => {
                    self.link = Link::Up(connection);
                    self.context.link_is_up(Topic::PublishLink);
                    self.machine.connected(time::at(now));
                }
                None => self.link = Link::Away { again_at: now + self.random.below(500 * MILLI) },
            },
            Link::Up(connection) if broker.read(connection, now).is_none() => {
                broker.forget(connection);
                self.link = Link::Away { again_at: now + self.random.below(50 * MILLI) };
                self.context.link_is_down(Topic::PublishLink, "disconnected");
                self.machine.disconnected();
            }
            Link::Away { .. } | Link::Up(_) => {}
        }
    }

    fn move_requests(&mut self, broker: &mut Broker, weather: &mut Weather, now: Micros) {
        let due = self.open.extract_if(.., |open| open.at <= now || open.given_up_at <= now);
        for mut open in due.collect::<Vec<_>>() {
            if open.given_up_at <= now {
                let silence = AnswerFault::Silent(Duration::from_micros(PATIENCE));
                self.machine.answered(open.number, Err(silence), time::at(now));
                continue;
            }
            match open.way {
                Way::There(request, ending) if broker.is_up => {
                    if weather.lost_requests > 0 {
                        weather.lost_requests -= 1;
                        open.at = Micros::MAX;
                        open.way = Way::There(request, ending);
                        self.open.push(open);
                        continue;
                    }
                    let answer = broker.request(&request, ending, now);
                    open.at = self.answer_at(weather, now);
                    open.way = Way::Back(answer);
                    self.open.push(open);
                }
                // It waits in the client's buffer until there is a connection again.
                Way::There(request, ending) => {
                    open.at = now + 100 * MILLI;
                    open.way = Way::There(request, ending);
                    self.open.push(open);
                }
                Way::Back(answer) => {
                    self.machine.answered(open.number, answer.as_ref().map_err(|it| *it), time::at(now));
                }
            }
        }
    }

    fn answer_at(&mut self, weather: &mut Weather, now: Micros) -> Micros {
        if weather.lost_answers > 0 {
            weather.lost_answers -= 1;
            return Micros::MAX;
        }
        if weather.late_answers > 0 {
            weather.late_answers -= 1;
            return now + self.random.below(2 * PATIENCE);
        }
        now + self.random.below(2 * MILLI)
    }

    fn perform(&mut self, now: Micros) {
        while let Some(output) = self.machine.outputs.pop_front() {
            match output {
                Output::Ask(request) => {
                    let way = Way::There(
                        Request {
                            subject: request.subject,
                            headers: request.headers,
                            payload: Rc::from(request.payload.as_ref()),
                        },
                        request.ending,
                    );
                    let at = now + self.random.below(2 * MILLI);
                    self.open.push(Open { number: request.number, at, way, given_up_at: now + PATIENCE });
                }
                Output::Published(event) => self.context.mailbox.command(Command::Confirmed(event.id)),
                Output::Shown(shown) => self.context.mailbox.command(Command::Adopt(shown)),
                Output::Fact(fact) => self.context.fact(fact),
                Output::Ready(topic) => drop(self.context.status.clear(topic)),
                Output::Unready(topic, reason) => drop(self.context.status.set(topic, reason)),
                Output::Concern(_) | Output::Unread | Output::Foreign(_) => {}
            }
        }
    }
}
