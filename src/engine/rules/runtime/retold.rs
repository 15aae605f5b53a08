//! What a run told that could not write its log, and that is decided again from an older state: it is told once.
//!
//! A past that is lived through again yields the turns that were told of it: under other ids, as each is decided when its
//! message was stored and not when it came. They are matched alert by alert, in order; what is left follows.

use std::collections::{BTreeMap, BTreeSet};

use super::Rules;
use super::adopt::Identities;
use crate::engine::rules::event::AlertEvent;
use crate::engine::rules::stored::{StoredAlert, StoredAlerts};
use crate::engine::time::Timestamp;
use crate::engine::wire::{EventId, EventType};

impl Rules {
    /// Lets go what was decided again of what a stream shows told since the state was saved and no log knows, beside what
    /// waited under the same id; yields the alerts that stand as they do there now, or where what waits of them leads.
    pub(super) fn pass_told(
        &mut self,
        (shown, waited): (&StoredAlerts, &BTreeSet<EventId>),
        here: &mut Identities,
        now: Timestamp,
    ) -> BTreeSet<u64> {
        let Some(again) = self.resumed.take_again() else { return BTreeSet::new() };
        let is_known = |told: &StoredAlert| {
            told.timestamp <= again.since || again.logged.contains(&told.id) || waited.contains(&told.id)
        };
        let mut turns: BTreeMap<u64, Vec<&StoredAlert>> = BTreeMap::new();
        for told in shown.told.iter().filter(|told| told.source == self.settings.instance) {
            turns.entry(told.fingerprint()).or_default().push(told);
        }
        for told in turns.values_mut() {
            told.sort_by_key(|told| (told.timestamp, told.event_type == EventType::AlertTriggered));
            // A log may have holes: what comes before what it knows is known.
            let known = told.iter().rposition(|told| is_known(told)).map_or(0, |last| last + 1);
            told.drain(..known);
        }
        // What a log has waiting was told before anything it does not know.
        let waits = |alert: &u64| self.outbox.of(*alert).any(|waiting| again.logged.contains(&waiting.id));
        turns.retain(|alert, told| !told.is_empty() && !waits(alert));
        for told in turns.values() {
            self.pass_turns(told, here, now);
        }
        turns.into_keys().collect()
    }

    /// The same of one alert.
    fn pass_turns(&mut self, told: &[&StoredAlert], here: &mut Identities, now: Timestamp) {
        let Some(last) = told.last() else { return };
        let print = last.fingerprint();
        let waiting: Vec<&AlertEvent> = self.outbox.of(print).collect();
        let again = told_again(&waiting, told);
        let next = waiting.get(again).map(|event| (event.id, event.event_type()));
        let again: Vec<EventId> = waiting.iter().take(again).map(|event| event.id).collect();
        for id in again {
            self.outbox.confirm(id);
        }
        if last.event_type == EventType::AlertTriggered {
            return self.follow_beginning(last, here, now);
        }
        // Its beginning was taken for one that was told.
        if let Some((id, EventType::AlertCleared)) = next {
            self.outbox.confirm(id);
        }
        self.follow_end(last, print, here);
    }
}

/// How many of the events that wait of an alert are those that were told: as many as are alike in turn, and where one is
/// not, what was decided up to the last that was told.
fn told_again(waiting: &[&AlertEvent], told: &[&StoredAlert]) -> usize {
    let is_alike = |(event, told): &(&&AlertEvent, &&StoredAlert)| {
        event.event_type() == told.event_type && event.severity == told.severity
    };
    let alike = waiting.iter().zip(told).take_while(is_alike).count();
    if alike == told.len() {
        return alike;
    }
    let until = told.last().map_or(Timestamp::default(), |last| last.timestamp);
    alike.max(waiting.iter().take_while(|event| event.timestamp <= until).count())
}
