//! When a group is due: at its interval, and soon after an arrival that moved a series it reads.
//!
//! Intervals lie on a grid that depends on file, name and interval of the group alone, so that groups spread out and
//! a restart changes nothing. The first arrival is answered at once, further ones are gathered for a pause that follows
//! what the answer cost; where nobody measures, it is [`GATHER`].
//!
//! A pause is long enough for answers to take next to nothing of a core, but not longer than [`PAUSE_EASY_MAX`], which an
//! alert may be late by; only where answers took more than their share of a core that way it is longer. Groups whose
//! pauses end at about the same time are answered together, so that they share what an answer costs beside its rules.

mod saved;

use std::time::Duration;

use super::event::fnv1a;
use super::set::Group;
use crate::engine::config::{Evaluate, Grid};
use crate::engine::time::Timestamp;

/// How long arrivals after an answered one are gathered where its cost is not known: replays and tests.
pub(crate) const GATHER: Duration = Duration::from_millis(50);

/// The shortest pause where the cost is known.
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// The longest pause that is only to save work.
const PAUSE_EASY_MAX: Duration = Duration::from_millis(5);

/// The longest pause that is given up for moments of a backlog: that of an answer of about 5 ms of CPU, where a group may
/// take a tenth of a core.
const PAUSE_HASTENED_MAX: Duration = Duration::from_millis(50);

/// How many times longer than an answer its pause is, up to [`PAUSE_EASY_MAX`]: a thousandth of a core.
const PAUSE_EASY_TIMES: u32 = 1_000;

/// Which part of an easy pause may be cut off where others are answered anyway.
const PAUSE_CUT: u32 = 4;

/// How much of a core the answers of a group to arrivals may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ArrivalShare {
    /// How many times longer than an answer its pause is at the least.
    pause_times: u32,
}

impl ArrivalShare {
    /// So many percent of a core.
    pub(crate) fn percent(percent: usize) -> Self {
        let percent = u32::try_from(percent.clamp(1, 100)).unwrap_or(100);
        Self { pause_times: (100 - percent).div_ceil(percent) }
    }

    /// The pause after an answer that took `cost`; zero where nobody measures.
    fn pause_after(self, cost: Duration) -> Duration {
        if cost.is_zero() {
            return GATHER;
        }
        let easy = cost.saturating_mul(PAUSE_EASY_TIMES).clamp(PAUSE_MIN, PAUSE_EASY_MAX);
        easy.max(cost.saturating_mul(self.pause_times))
    }
}

/// When a group is due.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    interval: i64,
    offset: i64,
    next: Timestamp,
    /// Whether it was taken before: what passed until then was nobody's to evaluate.
    begun: bool,
    evaluate: Evaluate,
    arrival: Option<Timestamp>,
    moved_at: Option<Timestamp>,
    answered: Option<Timestamp>,
    pause: Duration,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DueEvaluation {
    /// Every rule, at an instant of the grid.
    Interval {
        /// The instant.
        at: Timestamp,
        /// How many instants before it passed without an evaluation.
        missed: u64,
    },
    /// The rules that an arrival concerns.
    Arrival,
}

impl Schedule {
    pub(super) fn new(group: &Group, default: Evaluate, now: Timestamp) -> Self {
        let interval = i64::try_from(group.interval.as_micros()).unwrap_or(i64::MAX).max(1_000);
        let key = format!("{};{}", group.file, group.name);
        let offset = (fnv1a(key.as_bytes()) % interval.unsigned_abs()).cast_signed();
        let evaluate = group.evaluate.unwrap_or(default);
        let mut schedule = Self {
            interval,
            offset,
            next: now,
            begun: false,
            evaluate,
            arrival: None,
            moved_at: None,
            answered: None,
            pause: GATHER,
        };
        schedule.next = schedule.instant_after(now);
        schedule
    }

    /// The same schedule with its instants where `grid` has them.
    pub(super) fn on(mut self, grid: Grid, now: Timestamp) -> Self {
        if let Grid::From(start) = grid {
            self.offset = start.micros().rem_euclid(self.interval);
            self.next = self.instant_after(now);
        }
        self
    }

    /// Goes on where another schedule of the same group stands, unless its instants are others.
    pub(super) fn take_over(&mut self, former: Self) {
        if former.fits(self) {
            *self = former;
        }
    }

    /// Whether it is the schedule of this group too.
    pub(super) fn fits(&self, other: &Self) -> bool {
        self.interval == other.interval && self.offset == other.offset && self.evaluate == other.evaluate
    }

    pub(super) const fn evaluate(&self) -> Evaluate {
        self.evaluate
    }

    /// Whether an arrival would change nothing: one waits already, or none is answered.
    pub(super) const fn is_waiting(&self) -> bool {
        self.arrival.is_some() || matches!(self.evaluate, Evaluate::Interval)
    }

    /// Takes note of an arrival.
    pub(super) fn arrive(&mut self, now: Timestamp) {
        if self.evaluate == Evaluate::Interval || self.arrival.is_some() {
            return;
        }
        self.moved_at = Some(now);
        let gathered = self.answered.map(|answered| answered.after(self.pause));
        self.arrival = Some(gathered.filter(|end| *end > now).unwrap_or(now));
    }

    /// Takes note of what an answer to an arrival cost; zero where nobody measures.
    pub(super) fn rest_after(&mut self, cost: Duration, share: ArrivalShare) {
        self.pause = share.pause_after(cost);
    }

    /// Lets an arrival that waits be answered now, where others are and most of its pause is over.
    pub(super) fn join(&mut self, now: Timestamp) {
        let is_easy = self.pause <= PAUSE_EASY_MAX;
        if is_easy && self.arrival.is_some_and(|arrival| arrival <= now.after(self.pause / PAUSE_CUT)) {
            self.arrival = Some(now);
        }
    }

    /// Lets an arrival that waits be answered now, whatever is left of its pause, unless answers are dear.
    pub(super) fn hasten(&mut self, now: Timestamp) {
        if self.pause <= PAUSE_HASTENED_MAX && self.arrival.is_some() {
            self.arrival = Some(now);
        }
    }

    /// Whether an arrival is to be answered by now.
    pub(super) fn is_arrival_due(&self, now: Timestamp) -> bool {
        self.arrival.is_some_and(|arrival| arrival <= now)
    }

    /// When something is due next.
    pub(super) fn next(&self) -> Timestamp {
        self.arrival.map_or(self.next, |arrival| arrival.min(self.next))
    }

    /// What is due by now, with the first arrival since the last evaluation; it counts as done.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<(DueEvaluation, Option<Timestamp>)> {
        if now >= self.next {
            let last = self.instant_after(now).micros().saturating_sub(self.interval);
            let passed = last.saturating_sub(self.next.micros()) / self.interval;
            let missed = if self.begun { passed.unsigned_abs() } else { 0 };
            self.begun = true;
            self.next = Timestamp::from_micros(last.saturating_add(self.interval));
            self.arrival = None;
            let due = DueEvaluation::Interval { at: Timestamp::from_micros(last), missed };
            return Some((due, self.moved_at.take()));
        }
        if self.arrival.is_some_and(|arrival| now >= arrival) {
            self.arrival = None;
            self.answered = Some(now);
            return Some((DueEvaluation::Arrival, self.moved_at.take()));
        }
        None
    }

    /// Due now, and nothing is missed.
    pub(super) fn resume(&mut self, now: Timestamp) {
        self.next = Timestamp::from_micros(self.instant_after(now).micros().saturating_sub(self.interval));
        (self.arrival, self.moved_at) = (None, None);
    }

    /// The first instant of the grid after `now`.
    fn instant_after(&self, now: Timestamp) -> Timestamp {
        let since = now.micros().saturating_sub(self.offset).rem_euclid(self.interval);
        Timestamp::from_micros(now.micros().saturating_sub(since).saturating_add(self.interval))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn schedule(evaluate: Evaluate, now: Timestamp) -> Schedule {
        let group = Group {
            file: Arc::from("a.yaml"),
            name: Arc::from("g"),
            interval: Duration::from_secs(5),
            evaluate: Some(evaluate),
            limit: None,
            query_offset: Duration::ZERO,
            rules: Vec::new(),
        };
        Schedule::new(&group, Evaluate::Arrival, now)
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn the_grid_is_the_same_whenever_the_engine_starts() {
        let first = schedule(Evaluate::Interval, at(0)).next();
        let later = schedule(Evaluate::Interval, at(1_000_123)).next();
        assert_eq!((later.micros() - first.micros()) % 5_000_000, 0);
        assert!(later > at(1_000_123) && later <= at(1_005_123));
    }

    #[test]
    fn instants_that_passed_are_missed() {
        let mut schedule = schedule(Evaluate::Interval, at(0));
        schedule.take(schedule.next());
        let first = schedule.next();
        let late = first.after(Duration::from_millis(12_001));
        let due = DueEvaluation::Interval { at: first.after(Duration::from_secs(10)), missed: 2 };
        assert_eq!(schedule.take(late), Some((due, None)));
        assert_eq!(schedule.take(late), None);
        assert_eq!(schedule.next(), first.after(Duration::from_secs(15)));
    }

    #[test]
    fn what_passed_before_the_first_evaluation_is_not_missed() {
        let mut schedule = schedule(Evaluate::Interval, at(0));
        let hour_later = schedule.next().after(Duration::from_hours(1));
        assert_eq!(
            schedule.take(hour_later),
            Some((DueEvaluation::Interval { at: hour_later, missed: 0 }, None))
        );
    }

    #[test]
    fn the_first_arrival_is_answered_at_once_and_the_next_ones_together() {
        let mut schedule = schedule(Evaluate::Arrival, at(0));
        let start = schedule.next().after(Duration::from_millis(100));
        schedule.take(start);
        let after = |millis| start.after(Duration::from_millis(millis));
        schedule.arrive(after(1));
        assert_eq!(schedule.take(after(1)), Some((DueEvaluation::Arrival, Some(after(1)))));
        schedule.arrive(after(10));
        schedule.arrive(after(20));
        assert_eq!(schedule.take(after(20)), None);
        assert_eq!(schedule.next(), after(51));
        assert_eq!(schedule.take(after(51)), Some((DueEvaluation::Arrival, Some(after(10)))));
    }

    #[test]
    fn the_pause_follows_what_an_answer_cost() {
        let mut schedule = schedule(Evaluate::Arrival, at(0));
        let start = schedule.next().after(Duration::from_millis(100));
        schedule.take(start);
        let after = |micros| start.after(Duration::from_micros(micros));
        let (tenth, half) = (ArrivalShare::percent(10), ArrivalShare::percent(50));
        for (cost_micros, share, pause_micros) in [
            (1, tenth, 1_000),
            (3, tenth, 3_000),
            (100, tenth, 5_000),
            (2_000, tenth, 18_000),
            (20_000, tenth, 180_000),
            (20_000, half, 20_000),
            (0, tenth, 50_000),
        ] {
            schedule.answered = None;
            schedule.arrive(after(1_000));
            assert!(schedule.take(after(1_000)).is_some());
            schedule.rest_after(Duration::from_micros(cost_micros), share);
            schedule.arrive(after(1_000));
            assert_eq!(schedule.next(), after(1_000 + pause_micros));
            schedule.take(schedule.next());
        }
    }

    #[test]
    fn an_arrival_joins_others_where_most_of_its_easy_pause_is_over() {
        let mut schedule = schedule(Evaluate::Arrival, at(0));
        let start = schedule.next().after(Duration::from_millis(100));
        schedule.take(start);
        let after = |micros| start.after(Duration::from_micros(micros));
        schedule.arrive(after(0));
        assert!(schedule.take(after(0)).is_some());
        schedule.rest_after(Duration::from_micros(100), ArrivalShare::percent(10));
        schedule.arrive(after(100));
        for (micros, joins) in [(3_700, false), (3_800, true)] {
            schedule.join(after(micros));
            assert_eq!(schedule.is_arrival_due(after(micros)), joins, "after {micros} µs");
        }
        // A pause that is to keep a group within its share is not cut short.
        assert!(schedule.take(after(3_800)).is_some());
        schedule.rest_after(Duration::from_millis(20), ArrivalShare::percent(10));
        schedule.arrive(after(4_000));
        schedule.join(after(3_800 + 179_000));
        assert!(!schedule.is_arrival_due(after(3_800 + 179_000)));
    }

    #[test]
    fn arrivals_mean_nothing_where_the_interval_alone_counts() {
        let mut schedule = schedule(Evaluate::Interval, at(0));
        schedule.arrive(at(0));
        assert_eq!(schedule.take(at(0)), None);
    }
}
