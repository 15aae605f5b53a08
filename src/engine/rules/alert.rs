//! The alert state machine: one pure step from a state and a reading to the next state and what happened.
//!
//! Every level of a policy has its own clock: how long its condition has held without a gap, and whether it has
//! served its `for` in that time. The highest level that has is shown. A level that is shown holds on until its
//! clear value (hysteresis); one that still waits must stay beyond its threshold. Inactive is absence.

mod saved;

use std::time::Duration;

use super::event::Reason;
use super::set::{Condition, Level, NoData};
use crate::engine::time::Timestamp;

/// What one evaluation saw of one alert.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reading {
    /// The condition of an `expr` with its own comparison holds.
    Holds,
    /// It does not, though there is data.
    Quiet,
    /// A value to compare with the thresholds; not NaN.
    Value(f64),
    /// No data.
    Gone,
}

/// What the step needs to know of the rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    /// The levels, rising.
    pub(crate) levels: &'a [Level],
    /// How long an alert stays after its condition ended.
    pub(crate) keep_firing_for: Duration,
    /// What becomes of an alert without data.
    pub(crate) no_data: NoData,
}

/// The most levels there are: one for each severity.
pub(crate) const LEVELS_MAX: usize = 3;

/// The state of an alert that is pending or firing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AlertState {
    /// Since when the alert is active without a break, as `ALERTS_FOR_STATE` tells.
    pub(crate) active_at: Timestamp,
    /// Pending or firing.
    pub(crate) shown: ShownState,
    held: Clocks,
}

/// What an active alert shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShownState {
    /// No level has served its `for`.
    Pending,
    /// A level has.
    Firing {
        /// Which.
        level: usize,
        /// Since when this level fires: the start of the episode.
        since: Timestamp,
        /// Since when only `keep_firing_for` holds it.
        quiet_since: Option<Timestamp>,
    },
}

/// The clock of every level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Clocks([Option<Held>; LEVELS_MAX]);

impl Clocks {
    fn get(self, level: usize) -> Option<Held> {
        self.0.get(level).copied().flatten()
    }

    /// Since when the first of the levels holds.
    fn since(self) -> Option<Timestamp> {
        self.0.iter().flatten().map(|held| held.since).min()
    }

    /// The highest level that has served its wait.
    fn served(self) -> Option<usize> {
        (0..LEVELS_MAX).rev().find(|level| self.get(*level).is_some_and(|held| held.served))
    }
}

/// How long a level's condition holds without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    since: Timestamp,
    served: bool,
    /// When that began as both instances of a pair count it, while it waits and in the step that ends the wait.
    begun: Option<Timestamp>,
}

impl Held {
    fn begins_to_wait(self, now: Timestamp) -> bool {
        self.since == now && !self.served && self.begun.is_none()
    }
}

/// What a step decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AlertStep {
    /// The state from now on; none is inactive.
    pub(crate) state: Option<AlertState>,
    /// The episode that ended.
    pub(crate) ended: Option<Ended>,
    /// The level whose episode began (after the other ended).
    pub(crate) began: Option<usize>,
}

/// An episode's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// The level that fired.
    pub(crate) level: usize,
    /// When the episode began.
    pub(crate) since: Timestamp,
    /// Why it ended.
    pub(crate) reason: Reason,
}

impl AlertStep {
    const fn still(state: Option<AlertState>) -> Self {
        Self { state, ended: None, began: None }
    }
}

/// Whether any level's condition would begin with this reading; only then is an inactive alert worth a step.
pub(crate) fn begins(levels: &[Level], reading: Reading) -> bool {
    levels.iter().any(|level| holds(*level, reading, Band::Threshold))
}

/// The next state of an alert.
pub(crate) fn step(
    state: Option<AlertState>,
    reading: Reading,
    terms: Terms<'_>,
    now: Timestamp,
) -> AlertStep {
    let firing = state.is_some_and(|state| matches!(state.shown, ShownState::Firing { .. }));
    if reading == Reading::Gone {
        match terms.no_data {
            NoData::Keep => return AlertStep::still(state),
            NoData::Alert if firing => return AlertStep::still(state.map(AlertState::awake)),
            NoData::Alert | NoData::Ok => {}
        }
    }
    let held = hold(state, reading, terms, now);
    let since = held.since();
    match (state, held.served()) {
        (None, None) => AlertStep::still(since.map(|since| AlertState {
            active_at: since,
            shown: ShownState::Pending,
            held,
        })),
        (None, Some(level)) => {
            begin(AlertState { active_at: now, shown: ShownState::Pending, held }, level, now)
        }
        (Some(state), best) => match (state.shown, best) {
            (ShownState::Pending, None) => AlertStep::still(since.map(|_| AlertState { held, ..state })),
            (ShownState::Pending, Some(level)) => begin(AlertState { held, ..state }, level, now),
            (ShownState::Firing { level, since, quiet_since }, best) => {
                let fired = Fired { level, since, quiet_since };
                go_on(AlertState { held, ..state }, fired, best, Moment { reading, terms, now })
            }
        },
    }
}

/// The parts of [`ShownState::Firing`].
#[derive(Clone, Copy)]
struct Fired {
    level: usize,
    since: Timestamp,
    quiet_since: Option<Timestamp>,
}

/// What a step is taken with.
#[derive(Clone, Copy)]
struct Moment<'a> {
    reading: Reading,
    terms: Terms<'a>,
    now: Timestamp,
}

/// A firing alert with its best level, if any.
fn go_on(state: AlertState, fired: Fired, best: Option<usize>, moment: Moment<'_>) -> AlertStep {
    let Fired { level, since, quiet_since } = fired;
    let ended = |reason| Some(Ended { level, since, reason });
    match best {
        Some(best) if best == level => AlertStep::still(Some(AlertState {
            shown: ShownState::Firing { level, since, quiet_since: None },
            ..state
        })),
        Some(best) => AlertStep { ended: ended(Reason::SeverityChanged), ..begin(state, best, moment.now) },
        None => {
            let quiet = quiet_since.unwrap_or(moment.now);
            if moment.now.since(quiet) < moment.terms.keep_firing_for {
                let shown = ShownState::Firing { level, since, quiet_since: Some(quiet) };
                return AlertStep::still(Some(AlertState { shown, ..state }));
            }
            let reason = if moment.reading == Reading::Gone { Reason::NoData } else { Reason::Recovered };
            let state = state.held.since().map(|since| AlertState {
                active_at: since,
                shown: ShownState::Pending,
                ..state
            });
            AlertStep { state, ended: ended(reason), began: None }
        }
    }
}

/// The level begins to fire.
fn begin(state: AlertState, level: usize, now: Timestamp) -> AlertStep {
    let shown = ShownState::Firing { level, since: now, quiet_since: None };
    AlertStep { state: Some(AlertState { shown, ..state }), ended: None, began: Some(level) }
}

/// The clocks of all levels after a reading.
fn hold(state: Option<AlertState>, reading: Reading, terms: Terms<'_>, now: Timestamp) -> Clocks {
    let mut clocks = Clocks::default();
    let top = terms.levels.len().saturating_sub(1);
    for (index, (clock, level)) in clocks.0.iter_mut().zip(terms.levels).enumerate() {
        let before = state.and_then(|state| state.held.get(index));
        let fires = state.is_some_and(|state| state.fires(index));
        let band = if before.is_some_and(|held| held.served) { Band::Clear } else { Band::Threshold };
        let gone = reading == Reading::Gone && terms.no_data == NoData::Alert && index == top;
        if gone || holds(*level, reading, band) {
            let since = before.map_or(now, |held| held.since);
            let served = before.is_some_and(|held| held.served) || fires || now.since(since) >= level.wait;
            let begun = before.filter(|held| !held.served).and_then(|held| held.begun);
            *clock = Some(Held { since, served, begun });
        }
    }
    clocks
}

impl AlertState {
    /// An alert that fires at a level since then; the levels below hold too.
    pub(crate) fn firing(level: usize, since: Timestamp) -> Self {
        let mut held = Clocks::default();
        for clock in held.0.iter_mut().take(level + 1) {
            *clock = Some(Held { since, served: true, begun: None });
        }
        Self { active_at: since, shown: ShownState::Firing { level, since, quiet_since: None }, held }
    }

    /// The level that fires.
    pub(crate) const fn level(self) -> Option<usize> {
        match self.shown {
            ShownState::Firing { level, .. } => Some(level),
            ShownState::Pending => None,
        }
    }

    /// The highest level whose condition holds, served or not.
    pub(crate) fn highest_held(self) -> Option<usize> {
        (0..LEVELS_MAX).rev().find(|level| self.held.get(*level).is_some())
    }

    /// Whether a level waits since `now`, of which nobody said yet when that began.
    pub(crate) fn begins_to_wait(self, now: Timestamp) -> bool {
        self.held.0.iter().flatten().any(|held| held.begins_to_wait(now))
    }

    /// The levels that wait since `now` do so since `begun`, as both instances of a pair count it.
    pub(crate) fn wait_since(&mut self, now: Timestamp, begun: Timestamp) {
        for held in self.held.0.iter_mut().flatten().filter(|held| held.begins_to_wait(now)) {
            held.begun = Some(begun);
        }
    }

    /// Since when a level waited whose wait the last step ended, as both instances of a pair count it.
    pub(crate) fn waited_since(self, level: usize) -> Option<Timestamp> {
        self.held.get(level).filter(|held| held.served).and_then(|held| held.begun)
    }

    fn fires(self, index: usize) -> bool {
        self.level() == Some(index)
    }

    /// The same without a running `keep_firing_for`.
    const fn awake(self) -> Self {
        match self.shown {
            ShownState::Firing { level, since, .. } => {
                Self { shown: ShownState::Firing { level, since, quiet_since: None }, ..self }
            }
            ShownState::Pending => self,
        }
    }
}

/// Which of its two bounds a level is compared with.
#[derive(Clone, Copy)]
enum Band {
    Threshold,
    Clear,
}

/// Whether a level's condition holds.
fn holds(level: Level, reading: Reading, band: Band) -> bool {
    match (level.condition, reading) {
        (Condition::Expression, Reading::Holds) => true,
        (Condition::Above { threshold, clear }, Reading::Value(value)) => match band {
            Band::Threshold => value > threshold,
            Band::Clear => value > clear,
        },
        (Condition::Below { threshold, clear }, Reading::Value(value)) => match band {
            Band::Threshold => value < threshold,
            Band::Clear => value < clear,
        },
        (
            Condition::Expression | Condition::Above { .. } | Condition::Below { .. },
            Reading::Holds | Reading::Quiet | Reading::Value(_) | Reading::Gone,
        ) => false,
    }
}

#[cfg(test)]
mod tests;
