//! Alerts whose past is known from elsewhere than this run: a stream shows them open, or the log holds what was decided
//! of them.
//!
//! An alert that a stream shows open fires, and is kept for a while where its series was not seen yet: metrics fed by
//! core NATS are not there before their next event. An alert that the log tells of is left alone while the stream's
//! messages are read that led to what the log tells, and before the instant it was decided at.

mod saved;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::engine::labels::Labels;
use crate::engine::time::Timestamp;
use crate::engine::wire::EventId;

/// How long an open alert waits for its series to be seen.
const UNSEEN_MAX: Duration = Duration::from_secs(30);

/// What is known of alerts from elsewhere.
#[derive(Clone, Debug, Default)]
pub(super) struct Resumed {
    /// By fingerprint: up to where everything is decided.
    settled: BTreeMap<u64, Settled>,
    /// The sequence that is read.
    reading: u64,
    /// By fingerprint: open alerts whose series were not seen yet.
    unseen: BTreeMap<u64, Unseen>,
    /// By fingerprint: alerts of which the other instance of a pair decided over more of the stream than is applied here.
    ahead: BTreeMap<u64, Ahead>,
    /// Up to which sequence the stream is applied.
    applied: u64,
    era: Era,
    /// When the state was saved that is gone on from.
    saved_at: Timestamp,
    /// What a log told of, until it is known what the streams show.
    logged: BTreeSet<EventId>,
}

/// What the other instance of a pair decided an alert over.
#[derive(Clone, Copy, Debug)]
struct Ahead {
    /// The sequence of the stream up to which it may have been applied.
    through: u64,
    /// How long that is waited for.
    until: Timestamp,
}

/// Which time is lived through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Era {
    /// A past that a state remembers: some alerts may be known to begin later.
    Past,
    /// The present.
    #[default]
    Present,
}

/// Up to where everything is decided of an alert.
#[derive(Clone, Copy, Debug, Default)]
struct Settled {
    /// The sequence of the stream.
    sequence: u64,
    /// The instant.
    at: Timestamp,
}

/// An open alert whose series was not seen yet.
#[derive(Clone, Debug)]
struct Unseen {
    rule_id: Arc<str>,
    /// Under which it is kept.
    identity: Labels,
    /// How long it waits.
    until: Timestamp,
}

/// What an evaluation does with an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// What it always does.
    Usual,
    /// The same; it was kept under another identity until now.
    Moves(Labels),
    /// Nothing.
    Waits,
}

/// Whether the series of an alert is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    There,
    Gone,
}

impl Resumed {
    /// Whether anything is known of alerts of this rule.
    pub(super) fn concerns(&self, rule_id: &str) -> bool {
        self.era == Era::Past
            || !self.settled.is_empty()
            || !self.ahead.is_empty()
            || self.unseen.values().any(|unseen| *unseen.rule_id == *rule_id)
    }

    /// A past is to be lived through since a state was saved.
    pub(super) fn of_past(saved_at: Timestamp) -> Self {
        Self { era: Era::Past, saved_at, ..Self::default() }
    }

    /// When that was.
    pub(super) const fn saved_at(&self) -> Timestamp {
        self.saved_at
    }

    /// A log tells of these events.
    pub(super) fn note_logged(&mut self, events: impl Iterator<Item = EventId>) {
        self.logged.extend(events);
    }

    /// Whether a log told of an event.
    pub(super) fn is_logged(&self, event: EventId) -> bool {
        self.logged.contains(&event)
    }

    /// It is known what the streams show.
    pub(super) fn forget_logged(&mut self) {
        self.logged.clear();
    }

    /// Which time is lived through.
    pub(super) const fn era(&self) -> Era {
        self.era
    }

    /// An alert of a rule fires, as a stream shows, and is kept under this identity.
    pub(super) fn expect(&mut self, rule_id: &Arc<str>, fingerprint: u64, identity: Labels, now: Timestamp) {
        let until = now.after(UNSEEN_MAX);
        self.unseen.insert(fingerprint, Unseen { rule_id: Arc::clone(rule_id), identity, until });
    }

    /// Everything up to this sequence led to what was decided of an alert at this instant.
    pub(super) fn settle(&mut self, fingerprint: u64, (sequence, at): (u64, Timestamp)) {
        let settled = self.settled.entry(fingerprint).or_default();
        *settled = Settled { sequence: sequence.max(settled.sequence), at: at.max(settled.at) };
    }

    /// Forgets the instant up to which everything is decided of an alert, where something is applied that the stream stored
    /// behind all that led there.
    pub(super) fn pass_settled(&mut self, fingerprint: u64) {
        let is_passed = |settled: &Settled| settled.sequence > 0 && self.applied > settled.sequence;
        if self.settled.get(&fingerprint).is_some_and(is_passed) {
            self.settled.remove(&fingerprint);
        }
    }

    /// Whether any of that was decided over a stream.
    pub(super) fn is_over_stream(&self) -> bool {
        self.settled.values().any(|settled| settled.sequence > 0)
    }

    /// The stream is read from this sequence on.
    pub(super) const fn read_from(&mut self, sequence: u64) {
        self.reading = sequence;
    }

    /// The other instance of a pair decided of an alert when it had applied the stream up to this sequence, at the most: it
    /// is left alone until that is applied here, and not for longer than a series is waited for.
    pub(super) fn follow(&mut self, fingerprint: u64, through: u64, now: Timestamp) {
        if through > self.applied {
            self.ahead.insert(fingerprint, Ahead { through, until: now.after(UNSEEN_MAX) });
        }
    }

    /// The stream is applied up to this sequence.
    pub(super) fn applied(&mut self, sequence: u64) {
        self.applied = sequence;
        if !self.ahead.is_empty() {
            self.ahead.retain(|_, ahead| ahead.through > sequence);
        }
    }

    /// The past is over; what was not seen yet has time from now on.
    pub(super) fn live(&mut self, now: Timestamp) {
        self.settled.clear();
        self.ahead.clear();
        self.era = Era::Present;
        for unseen in self.unseen.values_mut() {
            unseen.until = now.after(UNSEEN_MAX);
        }
    }

    /// What an evaluation at `now` does with an alert that is kept, or would be, under `identity`.
    pub(super) fn standing(
        &mut self,
        fingerprint: u64,
        identity: &Labels,
        sight: Sight,
        now: Timestamp,
    ) -> Standing {
        let settled = self.settled.get(&fingerprint);
        if settled.is_some_and(|settled| settled.sequence >= self.reading || now < settled.at) {
            return Standing::Waits;
        }
        match self.ahead.get(&fingerprint) {
            Some(ahead) if now < ahead.until => return Standing::Waits,
            Some(_) => drop(self.ahead.remove(&fingerprint)),
            None => {}
        }
        let Some(unseen) = self.unseen.get(&fingerprint) else { return Standing::Usual };
        if sight == Sight::Gone && now < unseen.until {
            return Standing::Waits;
        }
        match self.unseen.remove(&fingerprint) {
            Some(unseen) if unseen.identity != *identity => Standing::Moves(unseen.identity),
            Some(_) | None => Standing::Usual,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn an_open_alert_waits_for_its_series_and_not_for_ever() {
        let mut resumed = Resumed::default();
        let (kept, seen) = (Labels::collect([("a", "1")]), Labels::collect([("a", "2")]));
        resumed.expect(&Arc::from("r"), 7, kept.clone(), at(0));
        assert!(resumed.concerns("r") && !resumed.concerns("s"));
        assert_eq!(resumed.standing(7, &kept, Sight::Gone, at(29)), Standing::Waits);
        assert_eq!(resumed.standing(8, &kept, Sight::Gone, at(29)), Standing::Usual);
        assert_eq!(resumed.standing(7, &seen, Sight::There, at(29)), Standing::Moves(kept.clone()));
        resumed.expect(&Arc::from("r"), 7, kept.clone(), at(0));
        assert_eq!(resumed.standing(7, &kept, Sight::Gone, at(30)), Standing::Usual);
        assert!(!resumed.concerns("r"));
    }

    #[test]
    fn an_alert_that_the_other_of_a_pair_decided_waits_for_what_it_was_decided_over() {
        let mut resumed = Resumed::default();
        let (labels, there) = (Labels::empty(), Sight::There);
        resumed.applied(4);
        resumed.follow(6, 4, at(0));
        assert!(!resumed.concerns("r"));
        resumed.follow(7, 9, at(0));
        assert_eq!(resumed.standing(7, &labels, there, at(1)), Standing::Waits);
        assert_eq!(resumed.standing(8, &labels, there, at(1)), Standing::Usual);
        resumed.applied(8);
        assert_eq!(resumed.standing(7, &labels, there, at(1)), Standing::Waits);
        resumed.applied(9);
        assert_eq!(resumed.standing(7, &labels, there, at(1)), Standing::Usual);
        // A stream that begins anew does not hold an alert for ever.
        resumed.follow(7, 99, at(1));
        assert_eq!(resumed.standing(7, &labels, there, at(30)), Standing::Waits);
        assert_eq!(resumed.standing(7, &labels, there, at(31)), Standing::Usual);
        assert!(!resumed.concerns("r"));
    }

    #[test]
    fn an_alert_is_left_alone_while_what_led_to_its_decisions_is_read() {
        let mut resumed = Resumed::default();
        let (labels, there) = (Labels::empty(), Sight::There);
        resumed.settle(7, (9, at(0)));
        resumed.settle(7, (5, at(0)));
        assert_eq!(resumed.standing(7, &labels, there, at(0)), Standing::Waits);
        resumed.read_from(9);
        assert_eq!(resumed.standing(7, &labels, there, at(0)), Standing::Waits);
        resumed.read_from(10);
        assert_eq!(resumed.standing(7, &labels, there, at(0)), Standing::Usual);
        resumed.settle(7, (9, at(3)));
        assert_eq!(resumed.standing(7, &labels, there, at(2)), Standing::Waits);
        assert_eq!(resumed.standing(7, &labels, there, at(3)), Standing::Usual);
        resumed.settle(7, (20, at(9)));
        resumed.live(at(0));
        assert_eq!(resumed.standing(7, &labels, there, at(0)), Standing::Usual);
    }
}
