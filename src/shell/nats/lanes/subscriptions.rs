//! The subscriptions of one connection, of which the server forbids some: it says so once, and only in an error line.

use std::time::{Duration, Instant};

use crate::shell::nats::protocol::Protocol;

/// How often a forbidden subscription is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What was asked for, and what of it is forbidden.
#[derive(Debug)]
pub(super) struct Subscriptions {
    forbidden: Vec<String>,
    said: Vec<String>,
    asked: Instant,
    judged: Judged,
}

/// Whether the server has judged what was asked for last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    NotYet,
    Yes,
}

impl Subscriptions {
    /// Asks for all of them.
    pub(super) fn ask(protocol: &mut Protocol, subjects: &[String], now: Instant) -> Self {
        for (number, subject) in (1..).zip(subjects) {
            protocol.subscribe(subject, number);
        }
        protocol.ping();
        Self { forbidden: Vec::new(), said: Vec::new(), asked: now, judged: Judged::NotYet }
    }

    /// Ends all of them; what was sent before comes before the answer to the ping.
    pub(super) fn end(protocol: &mut Protocol, subjects: &[String]) {
        for (number, _) in (1..).zip(subjects) {
            protocol.unsubscribe(number);
        }
        protocol.ping();
    }

    /// Takes the server's word that one is forbidden.
    pub(super) fn forbid(&mut self, text: &str) {
        self.said.push(text.split('"').nth(1).unwrap_or(text).to_owned());
    }

    /// Everything that was asked for is judged now; yields what is forbidden, where that is news.
    pub(super) fn settle(&mut self) -> Option<&[String]> {
        if self.judged == Judged::Yes {
            return None;
        }
        self.judged = Judged::Yes;
        self.forbidden = std::mem::take(&mut self.said);
        Some(&self.forbidden)
    }

    /// When forbidden ones are asked for again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (!self.forbidden.is_empty()).then(|| self.asked + ASK_AGAIN)
    }

    /// Asks again for what is forbidden, where it is time.
    pub(super) fn due(&mut self, protocol: &mut Protocol, subjects: &[String], now: Instant) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        for (number, subject) in (1..).zip(subjects) {
            if self.forbidden.contains(subject) {
                protocol.subscribe(subject, number);
            }
        }
        protocol.ping();
        self.asked = now;
        self.judged = Judged::NotYet;
    }
}

#[cfg(test)]
mod tests;
