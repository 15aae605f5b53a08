//! The machine that publishes alert events, with the broker in the place of its connection: what
//! [`crate::shell::nats::out::alerts`] does with tasks.

use std::rc::Rc;

use super::broker::{Broker, LateRequest, Request};
use super::random::{self, Random};
use super::time::{self, MILLI, Micros, SECOND};
use crate::shell::context::ShellContext;
use crate::shell::driver::command::Dispatch;
use crate::shell::nats::out::exchange::{self, Answer, AnswerEnding};
use crate::shell::nats::out::publishing::{Asker, Publishing};
use crate::shell::nats::out::words::AnswerFault;
use crate::shell::status::Topic;

/// How late an answer or a request may come.
const LATE_MAX: Micros = 10 * SECOND;

/// What the broker says it is.
const SERVER_VERSION: &str = "2.11.0";

/// Questions to the API that may stay without an answer in one life: after one more nobody is taken to answer at all, and
/// events go out by their ids alone.
const UNHEARD_MAX: u32 = 3;

/// What becomes of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weather {
    /// The next answers that do not come.
    pub(super) lost_answers: u32,
    /// The next answers that come late.
    pub(super) late_answers: u32,
    /// The next requests that never arrive.
    pub(super) lost_requests: u32,
    /// The next requests that arrive so late that nobody waits for their answer any more, or not at all.
    pub(super) late_requests: u32,
}

/// What a request is at.
#[derive(Debug)]
enum Way {
    /// It arrives then.
    There(Request, AnswerEnding),
    /// Its answer arrives then.
    Back(Result<Answer, AnswerFault>),
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It arrives, and its answer comes then.
    Answered { at: Micros },
    /// It arrives, and its answer is lost.
    Unanswered,
    /// It arrives then, when nobody waits for its answer any more or soon.
    Late { at: Micros },
    /// It never arrives.
    Lost,
}

/// A request that is open.
#[derive(Debug)]
struct Open {
    asker: Asker,
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
    publishing: Publishing,
    context: ShellContext,
    link: Link,
    open: Vec<Open>,
    /// What is under way to the broker though nobody waits for it any more, and when it arrives.
    late: Vec<LateRequest>,
    /// Questions to the API whose answers did not come in time.
    unheard: u32,
    random: Random,
}

impl Publisher {
    /// One that is to connect.
    pub(super) fn new(context: ShellContext, seed: u64, now: Micros) -> Self {
        let mut random = Random::new(seed);
        let link = Link::Away { again_at: now + random.below(5 * MILLI) };
        let publishing = Publishing::new(context.clone(), random::draw);
        Self { publishing, context, link, open: Vec::new(), late: Vec::new(), unheard: 0, random }
    }

    /// When it has something to do.
    pub(super) fn ready_at(&self, broker: &Broker) -> Option<Micros> {
        let of_link = match self.link {
            Link::Away { again_at } => Some(again_at),
            Link::Up(connection) => broker.readable_at(connection),
        };
        let of_requests = self.open.iter().map(|open| open.at.min(open.given_up_at)).min();
        let of_late = self.late.iter().map(|(at, ..)| *at).min();
        let of_machines = self.publishing.deadline().map(time::micros_of);
        [of_link, of_requests, of_late, of_machines].into_iter().flatten().min()
    }

    /// Takes what the driver asks.
    pub(super) fn take(&mut self, dispatch: Dispatch) {
        self.publishing.take(dispatch, time::now());
    }

    /// Does what is due.
    pub(super) fn work(&mut self, broker: &mut Broker, weather: &mut Weather, now: Micros) {
        self.look_at_link(broker, now);
        drop(broker.take_late(&mut self.late, now));
        self.move_requests(broker, weather, now);
        if self.publishing.deadline().is_some_and(|at| time::micros_of(at) <= now) {
            self.publishing.due(time::at(now));
        }
        self.perform(now);
    }

    /// The process ends in order: it lets the lease go.
    pub(super) fn release(&mut self, now: Micros) {
        self.publishing.release();
        while let Some(request) = self.publishing.next_of_lease(time::at(now)) {
            self.send(Asker::Lease, request, now);
        }
    }

    /// What is on its way to the broker, which may take its time; no answer comes to it.
    pub(super) fn strand(&mut self) -> Vec<(Request, AnswerEnding)> {
        let mut stranded = Vec::new();
        for open in &mut self.open {
            if let Way::There(request, ending) = &open.way {
                stranded.push((request.clone(), *ending));
                open.at = Micros::MAX;
                open.way = Way::Back(Err(AnswerFault::Closed));
            }
        }
        stranded
    }

    /// Whether it publishes, as far as it knows.
    pub(super) fn leads(&self) -> bool {
        self.publishing.leads()
    }

    /// The connection it has.
    pub(super) fn connection(&self) -> Option<u32> {
        match self.link {
            Link::Up(connection) => Some(connection),
            Link::Away { .. } => None,
        }
    }

    /// The process is gone: what was on its way to the broker may still arrive.
    pub(super) fn last_words(&mut self) -> Vec<(Request, AnswerEnding)> {
        let sent = self.open.drain(..).filter_map(|open| match open.way {
            Way::There(request, ending) => Some((request, ending)),
            Way::Back(_) => None,
        });
        let late = self.late.drain(..).map(|(_, request, ending)| (request, ending));
        let sent: Vec<_> = sent.chain(late).collect();
        sent.into_iter().filter(|_| self.random.percent(50)).collect()
    }

    fn look_at_link(&mut self, broker: &mut Broker, now: Micros) {
        match self.link {
            Link::Away { again_at } if again_at <= now => match broker.connect() {
                Some(connection) => {
                    self.link = Link::Up(connection);
                    self.context.link_is_up(Topic::PublishLink);
                    self.publishing.connected(SERVER_VERSION, time::at(now));
                }
                None => self.link = Link::Away { again_at: now + self.random.below(500 * MILLI) },
            },
            Link::Up(connection) if broker.read(connection, now).is_none() => {
                broker.forget(connection);
                self.link = Link::Away { again_at: now + self.random.below(50 * MILLI) };
                self.context.link_is_down(Topic::PublishLink, "disconnected");
                self.publishing.disconnected();
            }
            Link::Away { .. } | Link::Up(_) => {}
        }
    }

    fn move_requests(&mut self, broker: &mut Broker, weather: &mut Weather, now: Micros) {
        let due = self.open.extract_if(.., |open| open.at <= now || open.given_up_at <= now);
        for mut open in due.collect::<Vec<_>>() {
            if open.given_up_at <= now {
                let silence = AnswerFault::Silent(self.publishing.patience(open.asker));
                self.publishing.answered((open.asker, open.number), Err(silence), time::at(now));
                continue;
            }
            match open.way {
                Way::There(request, ending) if broker.is_up => {
                    let fate = self.fate(&request, weather, now);
                    (open.at, open.way) = match fate {
                        Fate::Answered { at } => (at, Way::Back(broker.request(&request, ending, now))),
                        Fate::Unanswered => {
                            drop(broker.request(&request, ending, now));
                            (Micros::MAX, Way::Back(Err(AnswerFault::Closed)))
                        }
                        Fate::Late { at } => {
                            self.late.push((at, request, ending));
                            (Micros::MAX, Way::Back(Err(AnswerFault::Closed)))
                        }
                        Fate::Lost => (Micros::MAX, Way::Back(Err(AnswerFault::Closed))),
                    };
                    self.open.push(open);
                }
                // It waits in the client's buffer until there is a connection again.
                Way::There(request, ending) => {
                    open.at = now + 100 * MILLI;
                    open.way = Way::There(request, ending);
                    self.open.push(open);
                }
                Way::Back(answer) => {
                    let answer = answer.as_ref().map_err(|it| *it);
                    self.publishing.answered((open.asker, open.number), answer, time::at(now));
                }
            }
        }
    }

    /// What becomes of a request that is to arrive now.
    fn fate(&mut self, request: &Request, weather: &mut Weather, now: Micros) -> Fate {
        let is_question = request.subject.starts_with("$JS.API.");
        let taken = |left: &mut u32| std::mem::replace(left, left.saturating_sub(1)) > 0;
        let fate = if is_question && self.unheard >= UNHEARD_MAX {
            None
        } else if taken(&mut weather.lost_requests) {
            Some(Fate::Lost)
        } else if taken(&mut weather.late_requests) {
            Some(Fate::Late { at: now + self.random.below(LATE_MAX) })
        } else if taken(&mut weather.lost_answers) {
            Some(Fate::Unanswered)
        } else if taken(&mut weather.late_answers) {
            Some(Fate::Answered { at: now + self.random.below(LATE_MAX) })
        } else {
            None
        };
        if is_question && fate.is_some() {
            self.unheard += 1;
        }
        fate.unwrap_or_else(|| Fate::Answered { at: now + self.random.below(2 * MILLI) })
    }

    fn send(&mut self, asker: Asker, request: exchange::Request, now: Micros) {
        let exchange::Request { number, subject, headers, payload, ending } = request;
        let way = Way::There(Request { subject, headers, payload: Rc::from(payload.as_ref()) }, ending);
        let at = now + self.random.below(2 * MILLI);
        let patience = u64::try_from(self.publishing.patience(asker).as_micros()).unwrap_or(Micros::MAX);
        self.open.push(Open { asker, number, at, way, given_up_at: now + patience });
    }

    fn perform(&mut self, now: Micros) {
        while let Some((asker, request)) = self.publishing.next_request(time::at(now)) {
            self.send(asker, request, now);
        }
    }
}
