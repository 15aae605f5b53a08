//! The engine: events in, metrics and alert events out, time as an argument.

pub mod catalogue;
pub mod config;
pub mod dedupe;
pub mod diagnostic;
pub mod exposition;
pub mod fact;
pub mod history;
pub mod labels;
pub mod outbox;
pub mod promql;
pub mod recent;
pub mod rules;
pub mod series;
pub mod time;
pub mod trackers;
pub mod wire;

use config::Config;
use fact::{CatchUp, Fact, Rejected};
use promql::{EvalError, Expr, Outcome};
use rules::RuleSet;
use time::Timestamp;
use wire::{EventId, Lane, Message};

/// The whole of signalbox' decisions. Deterministic: the same calls yield the same bytes.
#[derive(Debug)]
pub struct Engine {}

#[expect(clippy::todo, clippy::unused_self, unused_variables, reason = "signatures only, so far")]
impl Engine {
    /// An engine that has seen no event.
    pub fn new(config: Config, rules: RuleSet, now: Timestamp) -> Self {
        todo!()
    }

    /// Applies a batch of one lane in its order; what is refused is counted and returned.
    pub fn apply(&mut self, lane: Lane, messages: &[Message<'_>], now: Timestamp) -> Vec<Rejected> {
        todo!()
    }

    /// Does what is due by now: timers, groups at their interval, history, expiry.
    pub fn tick(&mut self, now: Timestamp) {
        todo!()
    }

    /// When [`Engine::tick`] has something to do next.
    pub fn next_tick(&self) -> Timestamp {
        todo!()
    }

    /// Takes note of something that happened outside.
    pub fn observe(&mut self, fact: &Fact, now: Timestamp) {
        todo!()
    }

    /// The alert event with this id was acknowledged.
    pub fn confirm(&mut self, id: EventId, now: Timestamp) {
        todo!()
    }

    /// Puts other rules in force.
    pub fn replace_rules(&mut self, rules: RuleSet, now: Timestamp) {
        todo!()
    }

    /// Begins or ends the reading of what was stored before the start.
    pub fn catch_up(&mut self, phase: CatchUp, now: Timestamp) {
        todo!()
    }

    /// Evaluates an expression over the series and their history.
    ///
    /// # Errors
    /// What the evaluation itself refuses.
    pub fn query_instant(&mut self, expr: &Expr, at: Timestamp) -> Result<Outcome, EvalError> {
        todo!()
    }
}
