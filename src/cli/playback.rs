//! Plays recorded events to the engine in their own time: `now` is the event's timestamp, never going back, and
//! whatever is due in between happens in between. The same recording yields the same decisions, byte for byte.

use std::collections::BTreeMap;
use std::time::Duration;

use super::recording::Recorded;
use crate::engine::Engine;
use crate::engine::config::Config;
use crate::engine::fact::Rejected;
use crate::engine::frozen::QueryTerms;
use crate::engine::promql::storage::Endless;
use crate::engine::promql::{self, EvalError, Expr};
use crate::engine::rules::{AlertEvent, RuleSet};
use crate::engine::time::Timestamp;
use crate::engine::wire::{EventType, Lane, Message, Subjects};

/// A silence longer than this is not lived through tick by tick: most likely a timestamp is wrong.
const SILENCE_MAX: Duration = Duration::from_hours(24 * 60);
/// How much of the end of such a silence is lived through.
const SILENCE_END: Duration = Duration::from_hours(2);
/// Events that arrive within this time of another are evaluated together at the end of it.
const SETTLE: Duration = Duration::from_millis(50);

/// The engine, and the instant it has reached.
pub(super) struct Playback {
    engine: Engine,
    now: Timestamp,
    lanes: BTreeMap<EventType, Lane>,
    decided: Vec<AlertEvent>,
    counts: Counts,
}

/// What went in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Events that were read.
    pub(super) read: u64,
    /// Refused ones by reason.
    pub(super) rejected: BTreeMap<&'static str, u64>,
    /// Long silences that were cut short.
    pub(super) silences: u64,
}

impl Playback {
    /// An engine that begins at `start`.
    pub(super) fn new(config: &Config, rules: RuleSet, start: Timestamp) -> Self {
        let lanes = config.wire().lanes;
        let engine = Engine::new(config, rules, start);
        Self { engine, now: start, lanes, decided: Vec::new(), counts: Counts::default() }
    }

    /// The instant it has reached.
    pub(super) const fn now(&self) -> Timestamp {
        self.now
    }

    /// What went in so far.
    pub(super) const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How many events counted as duplicates.
    pub(super) fn duplicates(&mut self) -> f64 {
        // What was counted for whole batches is in the store from here on.
        self.engine.freeze(self.now);
        let store = self.engine.store();
        let series = store.find("signalbox_events_duplicate").into_iter().flat_map(|id| store.series_of(id));
        series.flat_map(|id| store.cells(id)).map(|cell| store.cell(cell)).sum()
    }

    /// The engine, to ask it something.
    pub(super) const fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// Evaluates an expression at an instant that is not after the one it has reached.
    ///
    /// # Errors
    /// What the evaluation itself refuses.
    pub(super) fn query(&mut self, expr: &Expr, at: Timestamp) -> Result<promql::EvalOutcome, EvalError> {
        let terms = QueryTerms { settings: &promql::EvalSettings::default(), patience: &Endless };
        self.engine.freeze(self.now).query_instant(expr, at, terms)
    }

    /// The transitions decided since the last call, in order.
    pub(super) fn take_decided(&mut self) -> Vec<AlertEvent> {
        std::mem::take(&mut self.decided)
    }

    /// Lives until `to`: everything due by then happens at its own instant.
    pub(super) fn advance(&mut self, to: Timestamp) {
        if to.since(self.now) > SILENCE_MAX {
            self.counts.silences += 1;
            self.now = to.before(SILENCE_END);
        }
        while self.engine.next_tick() <= to {
            let due = self.engine.next_tick().max(self.now);
            self.engine.tick(due);
            self.now = due;
            self.collect();
            if self.engine.next_tick() <= due {
                break;
            }
        }
        self.now = self.now.max(to);
    }

    /// Lives until what arrived last is evaluated.
    pub(super) fn settle(&mut self) {
        self.advance(self.now.after(SETTLE));
    }

    /// Applies one event at its own time, or at the present where that is behind or unknown. What `lanes` turns off is
    /// passed over, as nothing is subscribed to it.
    pub(super) fn apply(&mut self, recorded: &Recorded) -> Vec<Rejected> {
        if recorded.event_type.is_some_and(|event_type| !self.lanes.contains_key(&event_type)) {
            return Vec::new();
        }
        if let Some(time) = recorded.time {
            self.advance(time);
        }
        let subjects = Subjects::default();
        let subject = recorded.event_type.map(|event_type| subjects.of(event_type));
        let lane = recorded.event_type.and_then(|event_type| self.lanes.get(&event_type).copied());
        let message = Message {
            // Where a recording has no subjects none can name the type where the event does not.
            subject: recorded.subject.as_deref().or(subject.as_deref()).unwrap_or("events."),
            headers: &recorded.headers,
            payload: &recorded.payload,
        };
        let rejected = self.engine.apply(lane.unwrap_or(Lane::Core), &[message], self.now);
        self.counts.read += 1;
        for refused in &rejected {
            *self.counts.rejected.entry(refused.refusal.reason.name()).or_default() += 1;
        }
        self.collect();
        rejected
    }

    /// Takes what was decided as if it had been published and acknowledged at once.
    fn collect(&mut self) {
        let pending: Vec<AlertEvent> = self.engine.outbox().cloned().collect();
        for event in pending {
            self.engine.confirm(event.id, self.now);
            self.decided.push(event);
        }
    }
}
