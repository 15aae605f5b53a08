//! The machine that publishes alert events in its process, and of a pair the one that holds the lease: what the driver
//! asks goes in, what the machines say is done. Whoever runs them has the connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::fact::{Fact, PairLed};
use crate::shell::context::ShellContext;
use crate::shell::driver::command::{Command, Dispatch};
use crate::shell::status::{Concern, Noted, Topic};

use super::exchange::{Answer, Output, Request};
use super::following::PairRole;
use super::lease::{LeaseMachine, LeaseOutput, LeaseTerms};
use super::machine::{AlertMachine, Company, Terms};
use super::words::AnswerFault;

/// Whose a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// Who publishes alert events.
    Alerts,
    /// Who holds the lease.
    Lease,
}

/// The machines and the process they work for.
#[derive(Debug)]
pub(crate) struct Publishing {
    machine: AlertMachine,
    /// Who of a pair publishes; none where this instance is no half of one.
    lease: Option<LeaseMachine>,
    context: ShellContext,
}

impl Publishing {
    /// Nothing to publish yet; `random` draws what pauses go by.
    pub(crate) fn new(context: ShellContext, random: fn() -> u64) -> Self {
        let config = context.config.get();
        let terms = Terms {
            settings: Arc::clone(&context.settings),
            source: Arc::from(config.alert_source()),
            random,
            company: if config.pair.is_on() { Company::Pair } else { Company::Alone },
        };
        let lease = config.pair.is_on().then(|| {
            LeaseMachine::new(LeaseTerms {
                bucket: config.pair.bucket.clone(),
                key: config.pair.name.clone(),
                lease: config.pair.lease,
                holder: format!("{:016x}{:016x}", random(), random()),
                instance: config.instance.clone(),
                domain: context.settings.jetstream.domain.clone(),
            })
        });
        Self { machine: AlertMachine::new(terms, config.alerts.delivery), lease, context }
    }

    /// The connection stands, to a server of this version, anew where it stood before.
    pub(crate) fn connected(&mut self, server_version: &str, now: Instant) {
        self.machine.connected(now);
        if let Some(lease) = &mut self.lease {
            lease.connected(server_version, now);
        }
    }

    /// The connection is gone, and with it every answer.
    pub(crate) fn disconnected(&mut self) {
        self.machine.disconnected();
        if let Some(lease) = &mut self.lease {
            lease.disconnected();
        }
    }

    /// Takes the answer to a request.
    pub(crate) fn answered(
        &mut self,
        (asker, number): (Asker, u64),
        answer: Result<&Answer, AnswerFault>,
        now: Instant,
    ) {
        match (asker, &mut self.lease) {
            (Asker::Lease, Some(lease)) => lease.answered(number, answer.map(Answer::text), now),
            (Asker::Lease, None) => {}
            (Asker::Alerts, _) => self.machine.answered(number, answer, now),
        }
    }

    /// How long the answer to a request is waited for.
    pub(crate) fn patience(&self, asker: Asker) -> Duration {
        match (asker, &self.lease) {
            (Asker::Lease, Some(lease)) => lease.patience(),
            (Asker::Lease, None) | (Asker::Alerts, _) => self.context.settings.nats.request_timeout,
        }
    }

    /// When [`Publishing::due`] has something to do next, where nothing comes before.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let of_lease = self.lease.as_ref().and_then(LeaseMachine::deadline);
        [self.machine.deadline(), of_lease].into_iter().flatten().min()
    }

    /// Time went on.
    pub(crate) fn due(&mut self, now: Instant) {
        // Who was overtaken knows it before it looks what it has to send.
        if let Some(lease) = &mut self.lease {
            lease.due(now);
        }
        self.machine.due(now);
    }

    /// The process ends: the lease is let go.
    pub(crate) fn release(&mut self) {
        if let Some(lease) = &mut self.lease {
            lease.release();
        }
    }

    /// Whether this instance of a pair publishes, as far as it knows.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn leads(&self) -> bool {
        self.machine.leads()
    }

    /// Takes what the driver asks.
    pub(crate) fn take(&mut self, dispatch: Dispatch, now: Instant) {
        match dispatch {
            Dispatch::Publish { event, .. } => {
                self.machine.deliver_by(self.context.config.get().alerts.delivery, now);
                self.machine.push(*event, now);
            }
            Dispatch::BeginAnew => self.machine.begin_anew(now),
            Dispatch::Renew => self.machine.renew(now),
            Dispatch::StreamKnown => self.machine.expect_answers(),
            Dispatch::StreamFound => self.machine.stream_found(now),
            // What is logged, copies and Alertmanagers concern others.
            Dispatch::Tell(_)
            | Dispatch::Decided { .. }
            | Dispatch::Acknowledged(_)
            | Dispatch::Withdrawn(_)
            | Dispatch::Copied { .. }
            | Dispatch::Mark { .. }
            | Dispatch::Saved => {}
        }
    }

    /// Does what the machines say, up to what is to be sent next; none where that is all. The role comes before what
    /// waits: who was overtaken sends nothing.
    pub(crate) fn next_request(&mut self, now: Instant) -> Option<(Asker, Request)> {
        if let Some(request) = self.next_of_lease(now) {
            return Some((Asker::Lease, request));
        }
        while let Some(output) = self.machine.outputs.pop_front() {
            if let Some(request) = self.perform(output) {
                return Some((Asker::Alerts, request));
            }
        }
        None
    }

    /// The same of the lease alone.
    pub(crate) fn next_of_lease(&mut self, now: Instant) -> Option<Request> {
        let lease = self.lease.as_mut()?;
        lease.note(self.machine.candidacy(), self.machine.waiting());
        while let Some(output) = lease.outputs.pop_front() {
            match output {
                LeaseOutput::Ask(request) => return Some(request),
                LeaseOutput::Role(role) => {
                    self.machine.take_role(role, now);
                    let standing = role.standing();
                    if self.context.status.note_pair(standing) == Noted::Now {
                        self.context.mailbox.command(Command::Pair(standing));
                        match role {
                            PairRole::Leads { .. } => tracing::info!("this instance of the pair publishes"),
                            PairRole::Follows => tracing::info!("this instance of the pair follows"),
                        }
                    }
                }
                LeaseOutput::Leader(leader) => {
                    let led = if leader.is_some() { PairLed::Yes } else { PairLed::No };
                    if self.context.status.note_leader(leader) == Noted::Now {
                        self.context.fact(Fact::PairLed(led));
                    }
                }
                LeaseOutput::Heard(other) => self.machine.hear_of_other(other),
                LeaseOutput::Ready => drop(self.context.status.clear(Topic::Pair)),
                LeaseOutput::Unready(reason) => drop(self.context.status.set(Topic::Pair, reason)),
            }
        }
        None
    }

    /// Does what the machine that publishes says; what is to be sent comes back.
    fn perform(&self, output: Output) -> Option<Request> {
        match output {
            Output::Ask(request) => return Some(request),
            Output::Published(event) => {
                tracing::info!(
                    kind = event.event_type().name(),
                    alert = %event.alert_name,
                    labels = %event.labels,
                    "alert event published"
                );
                self.context.mailbox.command(Command::Confirmed(event.id));
            }
            Output::Fact(fact) => self.context.fact(fact),
            Output::Ready(topic) => {
                self.context.status.clear(topic);
            }
            Output::Unready(topic, reason) => {
                self.context.status.set(topic, reason);
            }
            Output::Concern(Some(text)) => {
                // The streams are looked at twice a minute; this is said once.
                if self.context.status.note_concern(Concern::AlertStream, text.clone()) == Noted::Now {
                    tracing::warn!(text, "alert events may not outlive their server");
                }
            }
            Output::Concern(None) => self.context.status.resolve_concern(Concern::AlertStream),
            Output::Shown(shown) => {
                tracing::info!(
                    open = shown.open.len(),
                    ended = shown.ended.len(),
                    "read this instance's alerts from the stream"
                );
                self.context.mailbox.command(Command::Adopt(shown));
            }
            Output::LetGo => {
                let age = self.context.config.get().pair.lease * 2;
                self.context.mailbox.command(Command::LetGo { age });
            }
            Output::NothingShown => self.context.mailbox.command(Command::NothingToAdopt),
            Output::Unread => {
                tracing::warn!(
                    "cannot read this instance's alerts from the stream: those an earlier run left open are not known"
                );
                self.context.mailbox.command(Command::NothingToAdopt);
            }
            Output::PassedOver { first, count } => tracing::warn!(
                first,
                count,
                "too many alert events lie in the stream: the oldest are not read, and alerts they left open are not \
                 known; give it max_age, or a limit a subject"
            ),
            Output::Foreign(stored) => tracing::warn!(
                id = %stored.id,
                alert = %stored.alert_name,
                "another process publishes alert events under this instance's name; give each its own (instance)"
            ),
        }
        None
    }
}
