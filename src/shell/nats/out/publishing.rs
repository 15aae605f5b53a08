//! The machine that publishes alert events in its process: what the driver asks goes in, what the machine says is done.
//! Whoever runs it has the connection.

use std::sync::Arc;
use std::time::Instant;

use crate::shell::context::ShellContext;
use crate::shell::driver::command::{Command, Dispatch};
use crate::shell::status::{Concern, Noted};

use super::exchange::{Output, Request};
use super::machine::{AlertMachine, Company, Terms};

/// The machine and the process it works for.
#[derive(Debug)]
pub(crate) struct Publishing {
    /// The machine.
    pub(crate) machine: AlertMachine,
    /// The process.
    pub(crate) context: ShellContext,
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
        Self { machine: AlertMachine::new(terms, config.alerts.delivery), context }
    }

    /// Takes what the driver asks.
    pub(crate) fn take(&mut self, dispatch: Dispatch, now: Instant) {
        match dispatch {
            Dispatch::Publish { event, sequence, .. } => {
                if sequence > 0 {
                    self.machine.expect_answers();
                }
                self.machine.deliver_by(self.context.config.get().alerts.delivery, now);
                self.machine.push(*event, now);
            }
            Dispatch::BeginAnew => self.machine.begin_anew(now),
            Dispatch::Renew => self.machine.renew(now),
            Dispatch::StreamFound => self.machine.stream_found(now),
            // What is logged, and copies, concern others.
            Dispatch::Acknowledged(_)
            | Dispatch::Withdrawn(_)
            | Dispatch::Copy(_)
            | Dispatch::Mark
            | Dispatch::Saved => {}
        }
    }

    /// Does what the machine says, up to what is to be sent next; none where that is all.
    pub(crate) fn next_request(&mut self) -> Option<Request> {
        while let Some(output) = self.machine.outputs.pop_front() {
            if let Some(request) = self.perform(output) {
                return Some(request);
            }
        }
        None
    }

    /// Does what the machine says; what is to be sent comes back.
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
            Output::Unread => tracing::warn!(
                "cannot read this instance's alerts from the stream: those an earlier run left open are not known"
            ),
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
