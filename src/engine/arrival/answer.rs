//! What an arrival has evaluated, and when.

use std::time::Duration;

use super::Standing;
use crate::engine::State;
use crate::engine::history::Occasion;
use crate::engine::rules::Beginnings;
use crate::engine::rules::reads::EvaluationView;
use crate::engine::time::Timestamp;

impl State {
    /// Tells the rules which series moved, and evaluates the groups that may be evaluated at once. Where all who read
    /// what moved wait for an evaluation already, it is told them then.
    pub(in crate::engine) fn arrived(&mut self, now: Timestamp) {
        if !self.catch_up.rules_speak() || !self.store.is_touched() {
            return;
        }
        let is_due = self.rules.next_due().is_some_and(|due| due <= now);
        if !is_due && !self.watch.is_news(&self.store, |reader| self.rules.is_waiting(reader)) {
            return;
        }
        self.tell_moved(now);
        if self.rules.next_due().is_some_and(|due| due <= now) {
            self.evaluate(now);
        }
    }

    /// Has what waits evaluated now, though groups rest, where that costs little: what comes next was stored later. Where
    /// episodes begin as they are decided, no two evaluations are at one instant: one of an alert that begins twice in a
    /// batch would have the id of the other.
    pub(in crate::engine) fn answer(&mut self, present: Timestamp) {
        let now = match self.rules.beginnings() {
            Beginnings::AsStored => self.advance(present),
            Beginnings::AsDecided => self.advance(present.max(self.now.after(Duration::from_micros(1)))),
        };
        self.tell_moved(now);
        self.rules.hasten(now);
        if self.rules.next_due().is_some_and(|due| due <= now) {
            self.evaluate(now);
        }
    }

    /// Tells the rules which of the series they read moved or left.
    pub(in crate::engine) fn tell_moved(&mut self, now: Timestamp) {
        self.retire();
        let moved = self.watch.moved(&mut self.store);
        self.rules.moved(&moved, now);
    }

    /// Hands the series that left to those who still need to know of them.
    pub(in crate::engine) fn retire(&mut self) {
        let removed = self.store.removed();
        self.watch.leave(&removed);
        self.history.retire(removed);
    }

    pub(in crate::engine) fn evaluate(&mut self, now: Timestamp) {
        let begun = self.rules.worked();
        self.tell_moved(now);
        self.catalogue.refresh(&mut self.store, now);
        self.retire();
        self.watch.look_again(&mut self.store);
        let occasion = Occasion::default();
        let waited = self.rules.outbox().len();
        let mut view = EvaluationView {
            store: &self.store,
            recent: &self.recent,
            history: &mut self.history,
            now,
            occasion,
        };
        let evaluated = self.rules.run_due(&mut view, now);
        self.watch.sample(&evaluated, &self.store, &mut self.history, now);
        for (group, counts) in self.rules.take_counts() {
            self.account.rule_group(&mut self.store, &group, &counts, now);
            self.notifier.evaluated(&group, &counts, now);
        }
        if self.catch_up.standing() != Standing::Present {
            self.notifier.notice(self.rules.outbox().skip(waited));
        } else if self.notifier.is_due() {
            self.notifier.collect(&self.rules.views(), now);
        }
        // What an evaluation itself moved is no arrival.
        self.watch.pass_over(&mut self.store);
        self.rules.rest(begun);
    }
}
