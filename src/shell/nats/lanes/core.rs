//! The core lane: one subscription a type, read as fast as it comes, every loss counted.
//!
//! Where the engine is behind, reading waits for it for a while and TCP holds the server back; the server in turn
//! slows its publishers. It would cut a client that stays behind, so after that while messages are dropped here,
//! counted one by one, until there is room again.

use std::time::{Duration, Instant};

use crate::engine::fact::{DropReason, Fact};
use crate::engine::wire::{EventType, Subjects};
use crate::shell::driver::mailbox::{Item, Slot};
use crate::shell::status::Topic;

use super::batch::Batch;
use super::pace::Pace;
use crate::shell::context::ShellContext;
use crate::shell::nats::frames::Frame;
use crate::shell::nats::link::{Link, LinkError};
use crate::shell::nats::servers::Servers;

/// How often a forbidden subscription is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// The core lane.
#[derive(Debug)]
pub(crate) struct CoreLane {
    context: ShellContext,
    servers: Servers,
    subjects: Vec<String>,
    batch: Batch,
    overfull: bool,
    forbidden: Forbidden,
}

/// Subscriptions the server forbids; it says so once, and only in an error line.
#[derive(Debug, Default)]
struct Forbidden {
    known: Vec<String>,
    said: Vec<String>,
    asked: Option<Instant>,
    judged: Judged,
}

/// Whether the server has judged what was asked for last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Judged {
    #[default]
    NotYet,
    Yes,
}

impl CoreLane {
    /// The lane of these types.
    pub(crate) fn new(context: ShellContext, servers: Servers, types: &[EventType]) -> Self {
        Self {
            context,
            servers,
            subjects: types.iter().map(|event_type| Subjects::default().of(*event_type)).collect(),
            batch: Batch::default(),
            overfull: false,
            forbidden: Forbidden::default(),
        }
    }

    /// Reads until the process stops.
    pub(crate) fn run(mut self) {
        let mut cut_by: Option<String> = None;
        while !self.context.stop.is_stopping() {
            match self.servers.open(&self.context.settings.nats) {
                Ok(mut link) => {
                    // The same server again: it did not restart, it closed on us, with whatever it held for us.
                    if cut_by.take().is_some_and(|server| server == link.info.server_id) {
                        tracing::warn!("the server cut the connection of the core lane: events may be lost");
                        self.context.fact(Fact::Dropped { reason: DropReason::ServerCut, count: 1 });
                    }
                    let Err(error) = self.session(&mut link) else { return };
                    self.flush();
                    if link.info.leaving {
                        self.servers.pass_over();
                    } else {
                        cut_by = Some(link.info.server_id.clone());
                    }
                    self.context.link_is_down(Topic::CoreLink, error.to_string());
                }
                Err(error) => self.context.link_is_down(Topic::CoreLink, error.to_string()),
            }
            self.context.stop.wait(self.servers.pause());
        }
    }

    /// Reads one connection until it breaks; fine where the process stops.
    fn session(&mut self, link: &mut Link) -> Result<(), LinkError> {
        self.forbidden = Forbidden { asked: Some(Instant::now()), ..Forbidden::default() };
        for (index, subject) in self.subjects.iter().enumerate() {
            link.subscribe(subject, index as u64 + 1);
        }
        link.ping();
        let mut pace = Pace::new(self.context.settings.flow.coalesce_max, Instant::now());
        while !self.context.stop.is_stopping() {
            let bytes = link.read()?;
            let messages = self.take(link)?;
            self.flush();
            if link.info.leaving {
                return Err(LinkError::Refused("it is about to leave (lame duck mode)".to_owned()));
            }
            self.ask_again(link);
            let pause = pace.after(messages, bytes, Instant::now());
            if !pause.is_zero() {
                self.context.stop.wait(pause);
            }
        }
        self.flush();
        Ok(())
    }

    /// Takes every whole frame out of the link and says how many messages there were.
    fn take(&mut self, link: &mut Link) -> Result<usize, LinkError> {
        let mut messages = 0;
        loop {
            match link.next()? {
                Some(Frame::Message(delivery)) => {
                    messages += 1;
                    self.batch.push(&delivery);
                    let flow = &self.context.settings.flow;
                    if self.batch.len() >= flow.batch_messages_max
                        || self.batch.bytes() >= flow.batch_bytes_max
                    {
                        self.flush();
                    }
                }
                Some(Frame::Error(text)) => self.hear_error(&String::from_utf8_lossy(text))?,
                Some(Frame::Pong) => self.settle(),
                Some(Frame::Ping | Frame::Ok | Frame::Info(_)) => {}
                None => return Ok(messages),
            }
        }
    }

    /// Hands the batch over, or drops and counts it.
    fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut self.batch);
        let count = batch.len() as u64;
        let patience = if self.overfull { Duration::ZERO } else { self.context.settings.flow.full_wait_max };
        let dropped = self.context.mailbox.push(Slot::Core, Item::Core(batch), patience).is_err();
        if dropped && !self.context.stop.is_stopping() {
            if !self.overfull {
                tracing::warn!("the engine is behind: core-NATS events are dropped, counted");
            }
            self.context.fact(Fact::Dropped { reason: DropReason::SlowConsumer, count });
        }
        self.overfull = dropped;
    }

    fn hear_error(&mut self, text: &str) -> Result<(), LinkError> {
        let lower = text.to_lowercase();
        if lower.starts_with("permissions violation for subscription") {
            let subject = text.split('"').nth(1).unwrap_or(text);
            self.forbidden.said.push(subject.to_owned());
            return Ok(());
        }
        if lower.starts_with("slow consumer") {
            tracing::warn!("the server says slow consumer: core-NATS events were lost");
            self.context.fact(Fact::Dropped { reason: DropReason::ServerCut, count: 1 });
        }
        Err(LinkError::Refused(text.to_owned()))
    }

    /// Every subscription that was asked for before this `PONG` has been judged.
    fn settle(&mut self) {
        if self.forbidden.judged == Judged::Yes {
            return;
        }
        self.forbidden.judged = Judged::Yes;
        self.context.link_is_up(Topic::CoreLink);
        self.forbidden.known = std::mem::take(&mut self.forbidden.said);
        if self.forbidden.known.is_empty() {
            self.context.status.clear(Topic::Subscriptions);
        } else {
            let reason = format!(
                "the server forbids subscribing to {}; allow it to this user",
                self.forbidden.known.join(", ")
            );
            self.context.status.set(Topic::Subscriptions, reason);
        }
    }

    fn ask_again(&mut self, link: &mut Link) {
        let due = self.forbidden.asked.is_some_and(|asked| asked.elapsed() >= ASK_AGAIN);
        if !due || self.forbidden.known.is_empty() {
            return;
        }
        for (index, subject) in self.subjects.iter().enumerate() {
            if self.forbidden.known.contains(subject) {
                link.subscribe(subject, index as u64 + 1);
            }
        }
        link.ping();
        self.forbidden.asked = Some(Instant::now());
        self.forbidden.judged = Judged::NotYet;
    }
}
