//! Being one of a pair: what the other instance published is read and taken over before anything is sent, and only who
//! holds the lease sends.
//!
//! An event goes out with the last sequence of its subject up to which everything is taken over. Where the other instance
//! published meanwhile the stream refuses it, so that no second event of an alert's turn is ever stored, whatever either
//! of them believes of the lease; then the subjects are read on and the engine decides anew what is left to be said.

use std::time::Instant;

use crate::engine::fact::PairStanding;

use super::exchange::{AlertKind, AnswerEnding};
use super::machine::{AlertMachine, Sent, Work};
use super::tailing::Tailing;

/// Whether this instance publishes, and until when it may without asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PairRole {
    /// The other one does, or nobody.
    Follows,
    /// It does.
    Leads {
        /// When that is over.
        until: Instant,
    },
}

impl PairRole {
    /// What of it is told.
    pub(crate) const fn standing(self) -> PairStanding {
        match self {
            Self::Follows => PairStanding::Follows,
            Self::Leads { .. } => PairStanding::Leads,
        }
    }
}

/// Whether this instance could publish if it held the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Candidacy {
    /// What the stream shows was taken over, so nothing of the past is left to be decided.
    Ready,
    /// It was not yet.
    NotYet,
}

/// What the other instance said of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtherIs {
    /// It published all it decided, a moment ago.
    Idle,
    /// Nothing of the kind.
    Busy,
}

/// Being one of a pair.
#[derive(Debug)]
pub(super) struct Duty {
    role: PairRole,
    pub(super) tailing: Tailing,
    pub(super) candidacy: Candidacy,
    pub(super) other: OtherIs,
    /// A subject whose last message is not the one that was expected.
    pub(super) doubted: Option<AlertKind>,
    /// Times in a row that reading failed.
    pub(super) failures: u32,
    /// The last sequence of the stream when it was looked at last.
    pub(super) last_sequence: u64,
}

impl Duty {
    /// Nothing is read, and the other instance may publish.
    pub(super) const fn new() -> Self {
        Self {
            role: PairRole::Follows,
            tailing: Tailing::Due { at: None },
            candidacy: Candidacy::NotYet,
            other: OtherIs::Busy,
            doubted: None,
            failures: 0,
            last_sequence: 0,
        }
    }

    fn leads(&self, now: Instant) -> bool {
        match self.role {
            PairRole::Follows => false,
            PairRole::Leads { until } => now < until,
        }
    }

    /// Whether this instance is the one to publish, as far as it knows.
    pub(super) const fn follows(&self) -> bool {
        matches!(self.role, PairRole::Follows)
    }

    const fn is_quiet(&self) -> bool {
        matches!(self.tailing, Tailing::Quiet { .. })
    }

    /// When the subjects are looked at again.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        match &self.tailing {
            Tailing::Due { at } => *at,
            Tailing::Quiet { until } => Some(*until),
            Tailing::Asking { .. }
            | Tailing::Consumer { .. }
            | Tailing::Pulling { .. }
            | Tailing::Placing { .. }
            | Tailing::Told => None,
        }
    }

    /// Whether the answer of this number is about the subjects.
    pub(super) const fn is_about(&self, asked: u64) -> bool {
        match &self.tailing {
            Tailing::Asking { number, .. }
            | Tailing::Consumer { number, .. }
            | Tailing::Pulling { number, .. }
            | Tailing::Placing { number, .. } => *number == asked,
            Tailing::Due { .. } | Tailing::Told | Tailing::Quiet { .. } => false,
        }
    }

    /// What was asked for will not be answered any more.
    pub(super) fn break_off(&mut self) {
        if !matches!(self.tailing, Tailing::Told) {
            self.tailing = Tailing::Due { at: None };
        }
    }
}

impl AlertMachine {
    /// Whether this instance could publish if it held the lease.
    pub(crate) fn candidacy(&self) -> Candidacy {
        self.pair.as_ref().map_or(Candidacy::NotYet, |duty| duty.candidacy)
    }

    /// Forgets what was not sent: some of it need not be, and the rest comes again.
    pub(crate) fn renew(&mut self, now: Instant) {
        self.queue.clear();
        if !matches!(self.work, Work::Away) {
            self.work = Work::Idle;
        }
        self.go_on_where_waiting(now);
    }

    /// Whether this instance of a pair publishes, as far as it knows.
    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn leads(&self) -> bool {
        self.pair.as_ref().is_some_and(|duty| !duty.follows())
    }

    /// Events that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// This instance publishes from now on, goes on to, or does not any more.
    pub(crate) fn take_role(&mut self, role: PairRole, now: Instant) {
        let Some(duty) = &mut self.pair else { return };
        let before = std::mem::replace(&mut duty.role, role);
        match (before, role) {
            (PairRole::Follows, PairRole::Leads { .. }) => self.read_on(),
            (PairRole::Leads { .. }, PairRole::Follows) => self.forget_failures(),
            (PairRole::Leads { .. }, PairRole::Leads { .. }) | (PairRole::Follows, PairRole::Follows) => {}
        }
        self.go_on_where_waiting(now);
    }

    /// Hears of the other instance, which publishes.
    pub(crate) fn hear_of_other(&mut self, other: OtherIs) {
        if let Some(duty) = &mut self.pair {
            duty.other = other;
        }
    }

    /// Sends the first event where this instance publishes and knows everything before it.
    pub(super) fn go_on_in_pair(&mut self, kind: AlertKind, now: Instant) {
        self.work = Work::Folding;
        let may_send = self.pair.as_ref().is_some_and(|duty| duty.leads(now) && duty.is_quiet());
        let is_doubtful = self.queue.front().is_some_and(|letter| letter.sent == Sent::Perhaps);
        match self.known_tails().filter(|_| !is_doubtful) {
            Some(tails) if may_send => self.send(AnswerEnding::Answer, Some(*tails.get(kind))),
            None if may_send => self.read_on(),
            Some(_) | None => {}
        }
    }

    /// Whether this message of a subject is one that a pair reads before it goes on.
    pub(super) fn is_unread(&self, kind: AlertKind, sequence: u64) -> bool {
        self.pair.is_some() && self.known_tails().is_none_or(|tails| sequence > *tails.get(kind))
    }

    /// The stream has another message than the one that was expected, or may have the event already: it is read on.
    pub(super) fn doubt(&mut self, kind: AlertKind) {
        self.doubt_first();
        if let Some(duty) = &mut self.pair {
            duty.doubted = Some(kind);
        }
        self.work = Work::Folding;
        self.read_on();
    }

    /// Looks at the subjects where it is time to; not while an event is on its way, which would be found among them.
    pub(super) fn read_on_when_due(&mut self, now: Instant) {
        let is_sending = matches!(self.work, Work::Sending { .. });
        let deadline = self.pair.as_ref().and_then(Duty::deadline);
        if deadline.is_some_and(|at| now >= at) && self.is_up() && !is_sending {
            self.read_on();
        }
    }

    /// The engine took over what was read.
    pub(super) fn taken_over(&mut self, now: Instant) {
        let Some(duty) = &mut self.pair else { return };
        if matches!(duty.tailing, Tailing::Told) {
            duty.candidacy = Candidacy::Ready;
            duty.tailing = Tailing::Due { at: Some(now) };
        }
    }
}
