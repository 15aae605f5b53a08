//! Taking over what streams show of alerts: what an earlier run told of them, or the other instance of a pair.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::engine::rules::{AlertEvent, StoredAlerts};
use crate::engine::time::Timestamp;
use crate::engine::wire::EventId;
use crate::engine::{Engine, State};

impl Engine {
    /// Takes over what a stream shows of this instance's alerts, before anything of the outbox was sent; then everything
    /// is evaluated again.
    pub(crate) fn adopt(&mut self, shown: &StoredAlerts, now: Timestamp) {
        self.frozen = None;
        let state = &mut self.state;
        let was_behind = state.now <= shown.decided_at;
        let now = state.advance(now);
        if was_behind {
            state.rules.not_before(now);
        }
        let waited: Vec<EventId> = state.rules.outbox().map(|event| event.id).collect();
        state.rules.adopt(shown, now);
        state.write_annotations(now);
        state.notice_adopted(&waited, now);
        if !shown.latest.is_empty() {
            state.count_yielded(&waited, shown, now);
        }
    }

    /// Forgets whole episodes that wait for longer than `age` and that the other instance of a pair, which publishes what it
    /// decides, did not see. How long they wait is told by the clock that says `now`: what they say of their time is the
    /// stream's, which may be minutes off.
    pub(crate) fn let_go(&mut self, age: Duration, now: Timestamp) {
        self.frozen = None;
        let (state, present) = (&mut self.state, now);
        let now = state.advance(now);
        let waited: Vec<EventId> = state.rules.outbox().map(|event| event.id).collect();
        let before = std::mem::take(&mut state.waiting_since);
        let since = |id: &EventId| before.get(id).copied().unwrap_or(present);
        let waiting: BTreeMap<EventId, Timestamp> = waited.iter().map(|id| (*id, since(id))).collect();
        let is_old = |event: &AlertEvent| waiting.get(&event.id).is_some_and(|at| present.since(*at) >= age);
        state.rules.let_go(&is_old);
        state.waiting_since = waiting;
        state.count_yielded(&waited, &StoredAlerts::default(), now);
    }
}

impl State {
    /// Takes what a stream showed for told to Alertmanagers, by an earlier run or by the other instance of a pair.
    fn notice_adopted(&mut self, waited: &[EventId], now: Timestamp) {
        if !self.notifier.tells() {
            return;
        }
        let waited: BTreeSet<&EventId> = waited.iter().collect();
        self.notifier.notice(self.rules.outbox().filter(|event| !waited.contains(&event.id)));
        self.notifier.go_on(&self.rules.views(), now);
    }

    /// Counts what no longer waits though it is not what the stream holds.
    fn count_yielded(&mut self, waited: &[EventId], shown: &StoredAlerts, now: Timestamp) {
        let waits: BTreeSet<EventId> = self.rules.outbox().map(|event| event.id).collect();
        let is_gone =
            |id: &EventId| !waits.contains(id) && !shown.begun.contains(id) && !shown.ended.contains(id);
        let count = waited.iter().filter(|id| is_gone(id)).count();
        self.account.yielded(&mut self.store, count, now);
    }
}
