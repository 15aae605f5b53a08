//! The machine that publishes alert events, with the broker in the place of its connection: what
//! [`crate::shell::nats::out::alerts`] does with tasks.

use std::rc::Rc;
use std::time::Duration;

use super::broker::{Broker, Request};
use super::random::{self, Random};
use super::time::{self, MILLI, Micros, SECOND};
use crate::shell::context::ShellContext;
use crate::shell::driver::command::{Command, Dispatch};
use crate::shell::nats::out::exchange::{self, Answer, AnswerEnding};
use crate::shell::nats::out::following::PairRole;
use crate::shell::nats::out::lease::{LeaseMachine, LeaseOutput, LeaseTerms};
use crate::shell::nats::out::publishing::Publishing;
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
    There(Request, AnswerEnding),
    /// Its answer arrives then.
    Back(Result<Answer, AnswerFault>),
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

/// Whose a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    Alerts,
    Lease,
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
    lease: Option<LeaseMachine>,
    link: Link,
    open: Vec<Open>,
    role: PairRole,
    random: Random,
}

impl Publisher {
    /// One that is to connect.
    pub(super) fn new(context: ShellContext, seed: u64, now: Micros) -> Self {
        let config = context.config.get();
        let lease = config.pair.is_on().then(|| {
            LeaseMachine::new(LeaseTerms {
                bucket: config.pair.bucket.clone(),
                key: config.pair.name.clone(),
                lease: config.pair.lease,
                holder: format!("{seed:016x}"),
                instance: config.instance.clone(),
                domain: None,
            })
        });
        let mut random = Random::new(seed);
        let link = Link::Away { again_at: now + random.below(5 * MILLI) };
        let publishing = Publishing::new(context, random::draw);
        Self { publishing, lease, link, open: Vec::new(), role: PairRole::Follows, random }
    }

    /// When it has something to do.
    pub(super) fn ready_at(&self, broker: &Broker) -> Option<Micros> {
        let of_link = match self.link {
            Link::Away { again_at } => Some(again_at),
            Link::Up(connection) => broker.readable_at(connection),
        };
        let of_requests = self.open.iter().map(|open| open.at.min(open.given_up_at)).min();
        let of_lease = self.lease.as_ref().and_then(LeaseMachine::deadline).map(time::micros_of);
        let of_machine = self.publishing.machine.deadline().map(time::micros_of);
        [of_link, of_requests, of_machine, of_lease].into_iter().flatten().min()
    }

    /// Takes what the driver asks.
    pub(super) fn take(&mut self, dispatch: Dispatch) {
        self.publishing.take(dispatch, time::now());
    }

    /// Does what is due.
    pub(super) fn work(&mut self, broker: &mut Broker, weather: &mut Weather, now: Micros) {
        self.look_at_link(broker, now);
        self.move_requests(broker, weather, now);
        if self.publishing.machine.deadline().is_some_and(|at| time::micros_of(at) <= now) {
            self.publishing.machine.due(time::at(now));
        }
        if let Some(lease) = &mut self.lease
            && lease.deadline().is_some_and(|at| time::micros_of(at) <= now)
        {
            lease.due(time::at(now));
        }
        self.perform_of_lease(now);
        self.perform(now);
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
    pub(super) const fn leads(&self) -> bool {
        matches!(self.role, PairRole::Leads { .. })
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
        let sent: Vec<_> = sent.collect();
        sent.into_iter().filter(|_| self.random.percent(50)).collect()
    }

    fn look_at_link(&mut self, broker: &mut Broker, now: Micros) {
        match self.link {
            Link::Away { again_at } if again_at <= now => match broker.connect() {
                Some(connection) => {
                    self.link = Link::Up(connection);
                    self.publishing.context.link_is_up(Topic::PublishLink);
                    self.publishing.machine.connected(time::at(now));
                    if let Some(lease) = &mut self.lease {
                        lease.connected("2.11.0", time::at(now));
                    }
                }
                None => self.link = Link::Away { again_at: now + self.random.below(500 * MILLI) },
            },
            Link::Up(connection) if broker.read(connection, now).is_none() => {
                broker.forget(connection);
                self.link = Link::Away { again_at: now + self.random.below(50 * MILLI) };
                self.publishing.context.link_is_down(Topic::PublishLink, "disconnected");
                self.publishing.machine.disconnected();
                if let Some(lease) = &mut self.lease {
                    lease.disconnected();
                }
            }
            Link::Away { .. } | Link::Up(_) => {}
        }
    }

    fn move_requests(&mut self, broker: &mut Broker, weather: &mut Weather, now: Micros) {
        let due = self.open.extract_if(.., |open| open.at <= now || open.given_up_at <= now);
        for mut open in due.collect::<Vec<_>>() {
            if open.given_up_at <= now {
                let silence = AnswerFault::Silent(Duration::from_micros(PATIENCE));
                self.take_answer((open.asker, open.number), Err(silence), now);
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
                    self.take_answer((open.asker, open.number), answer.as_ref().map_err(|it| *it), now);
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

    fn take_answer(
        &mut self,
        (asker, number): (Asker, u64),
        answer: Result<&Answer, AnswerFault>,
        now: Micros,
    ) {
        match (asker, &mut self.lease) {
            (Asker::Lease, Some(lease)) => lease.answered(number, answer.map(Answer::text), time::at(now)),
            (Asker::Lease, None) => {}
            (Asker::Alerts, _) => self.publishing.machine.answered(number, answer, time::at(now)),
        }
    }

    fn send(&mut self, asker: Asker, request: exchange::Request, now: Micros) {
        let exchange::Request { number, subject, headers, payload, ending } = request;
        let way = Way::There(Request { subject, headers, payload: Rc::from(payload.as_ref()) }, ending);
        let at = now + self.random.below(2 * MILLI);
        let patience = match (asker, &self.lease) {
            (Asker::Lease, Some(lease)) => u64::try_from(lease.patience().as_micros()).unwrap_or(PATIENCE),
            (Asker::Lease, None) | (Asker::Alerts, _) => PATIENCE,
        };
        self.open.push(Open { asker, number, at, way, given_up_at: now + patience });
    }

    fn perform_of_lease(&mut self, now: Micros) {
        let Some(lease) = &mut self.lease else { return };
        lease.note(self.publishing.machine.candidacy(), self.publishing.machine.waiting());
        for output in std::mem::take(&mut lease.outputs) {
            match output {
                LeaseOutput::Ask(request) => self.send(Asker::Lease, request, now),
                LeaseOutput::Role(role) => {
                    self.role = role;
                    self.publishing.machine.take_role(role, time::at(now));
                    self.publishing.context.mailbox.command(Command::Pair(role.standing()));
                }
                LeaseOutput::Leader(_) => {}
                LeaseOutput::Heard(other) => self.publishing.machine.hear_of_other(other),
                LeaseOutput::Ready => drop(self.publishing.context.status.clear(Topic::Pair)),
                LeaseOutput::Unready(reason) => drop(self.publishing.context.status.set(Topic::Pair, reason)),
            }
        }
    }

    fn perform(&mut self, now: Micros) {
        while let Some(request) = self.publishing.next_request() {
            self.send(Asker::Alerts, request, now);
        }
    }
}
