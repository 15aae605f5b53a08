//! The outbox: alert events that are decided and not yet known to the broker, in order.
//!
//! It is bounded without ever breaking the alternation of an alert: where it is full an AlertTriggered is refused
//! together with the AlertCleared that would follow it, and the AlertCleared of an accepted one is always taken.

mod saved;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::engine::rules::AlertEvent;
use crate::engine::rules::ended::EndedAlerts;
use crate::engine::rules::event::AlertEventKind;
use crate::engine::rules::reach::Reach;
use crate::engine::time::Timestamp;
use crate::engine::wire::EventId;

pub(super) use saved::{event_of, event_twin, severity_of, severity_twin};

/// Alert events that wait for their acknowledgement.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    pending: VecDeque<AlertEvent>,
    triggers_max: usize,
    refused_episodes: BTreeSet<(u64, Timestamp)>,
    refused: u64,
    /// How much of the stream is applied.
    reach: Reach,
    /// The episodes that ended last, whether their events found room or not.
    pub(super) ended: EndedAlerts,
}

impl Outbox {
    /// An empty outbox in which at most `triggers_max` events wait when another AlertTriggered is taken.
    pub(crate) fn new(triggers_max: usize) -> Self {
        let (pending, refused_episodes) = (VecDeque::new(), BTreeSet::new());
        let (reach, ended) = (Reach::default(), EndedAlerts::default());
        Self { pending, triggers_max, refused_episodes, refused: 0, reach, ended }
    }

    /// So much of the stream is applied when the next events are decided.
    pub(crate) const fn applying(&mut self, reach: Reach) {
        self.reach = reach;
    }

    /// What waits, of which it is not known, was decided when the stream was applied up to this sequence, at the most.
    pub(crate) fn reached(&mut self, at_most: u64) {
        for event in &mut self.pending {
            event.reach = Reach::exactly(at_most);
        }
    }

    /// Takes an event, unless there is no room for its episode.
    pub(crate) fn push(&mut self, event: AlertEvent) {
        self.ended.notice(&event);
        let episode = (event.fingerprint, event.started_at);
        let refuse = match event.kind {
            AlertEventKind::Triggered { .. } => {
                let full = self.pending.len() >= self.triggers_max;
                if full {
                    self.refused_episodes.insert(episode);
                }
                full
            }
            AlertEventKind::Cleared { .. } => self.refused_episodes.remove(&episode),
        };
        if refuse {
            self.refused = self.refused.saturating_add(1);
        } else {
            self.pending.push_back(AlertEvent { reach: self.reach, ..event });
        }
    }

    /// What waits, in the order of decisions.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &AlertEvent> {
        self.pending.iter()
    }

    /// What waits of an alert, in the order of decisions.
    pub(crate) fn of(&self, fingerprint: u64) -> impl Iterator<Item = &AlertEvent> {
        self.pending.iter().filter(move |event| event.fingerprint == fingerprint)
    }

    /// The ends that wait, and those of the episodes that ended last.
    pub(super) fn ends(&self) -> impl Iterator<Item = EventId> {
        let is_end = |event: &&AlertEvent| matches!(event.kind, AlertEventKind::Cleared { .. });
        self.pending.iter().filter(is_end).chain(self.ended.oldest_first()).map(|event| event.id)
    }

    /// Takes events that a log tells of after all others, however much room there is.
    pub(crate) fn recall(&mut self, events: Vec<AlertEvent>) {
        let waiting: BTreeSet<EventId> = self.pending.iter().map(|event| event.id).collect();
        self.pending.extend(events.into_iter().filter(|event| !waiting.contains(&event.id)));
        self.put_in_turn();
    }

    /// Puts what waits of each alert in the order of its episodes: an end that took the place of another stands behind
    /// what it comes before in a log.
    fn put_in_turn(&mut self) {
        let places: Vec<u64> = self.pending.iter().map(|event| event.fingerprint).collect();
        let mut turns: BTreeMap<u64, Vec<AlertEvent>> = BTreeMap::new();
        for event in self.pending.drain(..) {
            turns.entry(event.fingerprint).or_default().push(event);
        }
        for events in turns.values_mut() {
            let is_end = |event: &AlertEvent| matches!(event.kind, AlertEventKind::Cleared { .. });
            // The last one first, to be taken from the end.
            events.sort_by_key(|event| Reverse((event.started_at, is_end(event))));
        }
        self.pending = places.iter().filter_map(|alert| turns.get_mut(alert)?.pop()).collect();
    }

    /// Puts another event in the place of one that was not sent.
    pub(crate) fn replace(&mut self, id: EventId, event: AlertEvent) {
        if let Some(place) = self.pending.iter_mut().find(|event| event.id == id) {
            *place = AlertEvent { reach: place.reach, ..event };
        }
    }

    /// Puts an event before one that was not sent.
    pub(crate) fn insert_before(&mut self, id: EventId, event: AlertEvent) {
        let place = self.pending.iter().position(|event| event.id == id).unwrap_or(self.pending.len());
        let reach = self.pending.get(place).map_or(self.reach, |next| next.reach);
        self.pending.insert(place, AlertEvent { reach, ..event });
    }

    /// Forgets an event that the broker has; the event, where it was waiting.
    pub(crate) fn confirm(&mut self, id: EventId) -> Option<AlertEvent> {
        let place = self.pending.iter().position(|event| event.id == id)?;
        self.pending.remove(place)
    }

    /// Forgets events that the broker has, and what waits of the same alerts before them: an earlier run said otherwise
    /// there, and went on.
    pub(super) fn confirm_through(&mut self, stored: &BTreeSet<EventId>) {
        let mut passed = BTreeSet::new();
        let mut left = VecDeque::with_capacity(self.pending.len());
        for event in self.pending.drain(..).rev() {
            if stored.contains(&event.id) {
                passed.insert(event.fingerprint);
            } else if !passed.contains(&event.fingerprint) {
                left.push_front(event);
            }
        }
        self.pending = left;
    }

    /// How many events were refused for want of room.
    pub(crate) const fn refused(&self) -> u64 {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::rules::event::Reason;

    fn event(id: u128, episode: i64, kind: AlertEventKind) -> AlertEvent {
        let started_at = Timestamp::from_millis(episode);
        AlertEvent { started_at, ..AlertEvent::sample(EventId(id), kind) }
    }

    fn triggered(id: u128, episode: i64) -> AlertEvent {
        let (metric_name, message) = (Arc::from("m"), String::new());
        event(
            id,
            episode,
            AlertEventKind::Triggered { metric_name, current_value: 0.0, threshold: 0.0, message },
        )
    }

    fn cleared(id: u128, episode: i64) -> AlertEvent {
        event(id, episode, AlertEventKind::Cleared { reason: Reason::Recovered, value: None })
    }

    fn waiting(outbox: &Outbox) -> Vec<u128> {
        outbox.iter().map(|event| event.id.0).collect()
    }

    #[test]
    fn events_leave_in_order_when_they_are_confirmed() {
        let mut outbox = Outbox::new(10);
        outbox.push(triggered(1, 1));
        outbox.push(cleared(2, 1));
        assert_eq!(waiting(&outbox), [1, 2]);
        assert!(outbox.confirm(EventId(1)).is_some());
        assert!(outbox.confirm(EventId(1)).is_none());
        assert_eq!(waiting(&outbox), [2]);
    }

    #[test]
    fn what_a_log_tells_of_an_alert_waits_in_the_order_of_its_episodes() {
        let other = AlertEvent { fingerprint: 7, ..triggered(9, 4) };
        let mut outbox = Outbox::new(10);
        outbox.push(triggered(3, 5));
        outbox.push(other);
        outbox.recall(vec![cleared(2, 1), triggered(3, 5), cleared(4, 5)]);
        assert_eq!(waiting(&outbox), [2, 9, 3, 4]);
    }

    #[test]
    fn what_waits_before_an_event_that_is_stored_was_passed_over() {
        let other = |id| AlertEvent { fingerprint: 8, ..triggered(id, 4) };
        let mut outbox = Outbox::new(10);
        for event in [triggered(1, 1), other(9), cleared(2, 1), triggered(3, 5), cleared(4, 5)] {
            outbox.push(event);
        }
        outbox.confirm_through(&BTreeSet::from([EventId(3)]));
        assert_eq!(waiting(&outbox), [9, 4]);
    }

    #[test]
    fn a_full_outbox_refuses_whole_episodes_and_ends_the_accepted_ones() {
        let mut outbox = Outbox::new(1);
        outbox.push(triggered(1, 1));
        outbox.push(triggered(2, 2));
        outbox.push(cleared(3, 1));
        outbox.push(cleared(4, 2));
        assert_eq!(waiting(&outbox), [1, 3]);
        assert_eq!(outbox.refused(), 2);
    }
}
