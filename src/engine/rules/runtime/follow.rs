//! What the other instance of a pair published: alerts here go on as the stream shows them, so that whoever publishes next
//! repeats and skips nothing.
//!
//! What waits of an alert alternates and begins with the opposite of what its subject shows. An event of the other
//! instance takes the place of what was decided here over less of the stream, and of the next event of its kind; what is
//! left follows the episode that is open now, and where nothing is left the alert stands here as it does there.

use std::collections::BTreeMap;

use super::adopt::{Identities, episode_of};
use super::{Beginnings, Rules};
use crate::engine::rules::alert::AlertState;
use crate::engine::rules::book::Episode;
use crate::engine::rules::evaluate::LIMIT_ALERT;
use crate::engine::rules::event::{AlertEvent, AlertEventKind, Reason, fingerprint};
use crate::engine::rules::reach::Reach;
use crate::engine::rules::stored::StoredAlert;
use crate::engine::time::Timestamp;
use crate::engine::wire::{EventId, EventType};

/// Alerts of which whole episodes are let go at a time.
const LET_GO_MAX: usize = 100;

impl Rules {
    /// So much of the stream is applied, for what is decided from here on.
    pub(crate) fn applying(&mut self, reach: Reach) {
        self.outbox.applying(reach);
        self.resumed.applied(reach.at_least);
    }

    /// The state that was gone on from was saved when the stream was applied up to this sequence.
    pub(crate) fn restored_at(&mut self, sequence: u64) {
        self.outbox.reached(sequence);
        self.applying(Reach::exactly(sequence));
    }

    /// Takes over one event that is new here, in the order of the stream, and leaves its alert alone for as long as it was
    /// decided over more of the stream than is applied here.
    pub(super) fn follow_event(&mut self, event: &StoredAlert, here: &mut Identities, now: Timestamp) {
        self.take_event(event, here, now);
        self.resumed.follow(event.fingerprint(), event.reach.at_most, now);
    }

    /// Takes over one event, in the order of the stream.
    pub(super) fn take_event(&mut self, event: &StoredAlert, here: &mut Identities, now: Timestamp) {
        let print = event.fingerprint();
        self.let_covered_go(event, print);
        if event.event_type == EventType::AlertCleared {
            self.follow_end(event, print, here);
        } else {
            self.follow_beginning(event, here, now);
        }
        if !self.is_sound(event, here) {
            self.stand_as_shown(event, here, now);
        }
    }

    /// Whether what waits of the event's alert leads from what the stream shows to what is here: a state and a log that were
    /// torn apart may tell of turns that do not belong together.
    fn is_sound(&self, event: &StoredAlert, here: &Identities) -> bool {
        if *event.rule_id == *LIMIT_ALERT.1 {
            return true;
        }
        let print = event.fingerprint();
        let mut open = (event.event_type != EventType::AlertCleared).then_some(event.started_at);
        let mut before = event.timestamp;
        for waiting in self.outbox.of(print) {
            let is_end = waiting.event_type() == EventType::AlertCleared;
            // It would be told again. The clocks of a pair may differ.
            let begins_before =
                !is_end && waiting.timestamp < before && self.settings.beginnings == Beginnings::AsDecided;
            if open != is_end.then_some(waiting.started_at) || begins_before {
                return false;
            }
            open = (!is_end).then_some(waiting.started_at);
            before = waiting.timestamp;
        }
        let mut rules = self.groups.iter().flat_map(|group| &group.rules);
        let fires = rules.find(|rule| rule.rule.id == event.rule_id).and_then(|rule| {
            let active = rule.book.alerts.get(here.get(&print)?)?;
            active.episode.as_ref().map(|episode| episode.started_at)
        });
        fires == open
    }

    /// Has an alert stand here as the stream shows it; what waits of it is decided anew.
    fn stand_as_shown(&mut self, event: &StoredAlert, here: &mut Identities, now: Timestamp) {
        let print = event.fingerprint();
        let ids: Vec<EventId> = self.outbox.of(print).map(|waiting| waiting.id).collect();
        for id in ids {
            self.outbox.confirm(id);
        }
        if event.event_type == EventType::AlertCleared {
            self.forget_alert(event, print, here);
        } else {
            self.fire_since(event, here, now);
        }
    }

    /// What waits and is older than this event, or is what it says, need not be sent.
    fn let_covered_go(&mut self, event: &StoredAlert, print: u64) {
        let waiting: Vec<&AlertEvent> = self.outbox.of(print).collect();
        let itself = waiting.iter().position(|waiting| waiting.id == event.id);
        let covered = itself.map_or_else(
            || {
                let end = event.end_id();
                let is_older =
                    |waiting: &&&AlertEvent| waiting.id != end && waiting.reach.is_before(event.reach);
                let older = waiting.iter().take_while(is_older).count();
                let says_the_same = |next: &AlertEvent| {
                    next.event_type() == event.event_type
                        && (event.event_type == EventType::AlertCleared || next.labels == event.labels)
                };
                let mut next = waiting.iter().skip(older);
                match (next.next(), next.next()) {
                    (Some(first), _) if says_the_same(first) => older + 1,
                    // Its beginning was said before, of an episode that was forgotten here and decided again.
                    (Some(_), Some(second))
                        if says_the_same(second) && !event.reach.is_before(second.reach) =>
                    {
                        older + 2
                    }
                    (Some(_) | None, _) => older,
                }
            },
            |place| place + 1,
        );
        let ids: Vec<EventId> = waiting.iter().take(covered).map(|waiting| waiting.id).collect();
        for id in ids {
            self.outbox.confirm(id);
        }
    }

    /// An episode is open in the stream: what waits follows it, else the alert fires since then.
    fn follow_beginning(&mut self, event: &StoredAlert, here: &mut Identities, now: Timestamp) {
        let episode = episode_of(event);
        let Some(next) = self.outbox.of(event.fingerprint()).next().cloned() else {
            return self.fire_since(event, here, now);
        };
        match next.kind {
            AlertEventKind::Cleared { reason, value } if next.id != event.end_id() => {
                let ended = Episode { evidence: next.evidence.clone(), ..episode };
                let end = self.sender(event, next.timestamp, |sender| sender.cleared(&ended, reason, value));
                self.outbox.replace(next.id, end);
            }
            AlertEventKind::Cleared { .. } => {}
            // Another severity: the one that is open ends first.
            AlertEventKind::Triggered { .. } => {
                let reason = Reason::SeverityChanged;
                let end = self.sender(event, next.timestamp, |sender| sender.cleared(&episode, reason, None));
                self.outbox.insert_before(next.id, end);
            }
        }
    }

    fn fire_since(&mut self, event: &StoredAlert, here: &mut Identities, now: Timestamp) {
        let print = event.fingerprint();
        if let Some((level, active)) = self.firing_here(event, here.get(&print)) {
            active.episode = Some(episode_of(event));
            active.state = AlertState::firing(level, event.started_at);
            return;
        }
        self.forget_alert(event, print, here);
        self.fire(event, here, now);
    }

    /// An episode ended in the stream: where nothing waits the alert is over here too.
    fn follow_end(&mut self, event: &StoredAlert, print: u64, here: &mut Identities) {
        if self.outbox.of(print).next().is_none() {
            self.forget_alert(event, print, here);
        }
    }

    /// Nothing fires here under this fingerprint any more.
    fn forget_alert(&mut self, event: &StoredAlert, print: u64, here: &mut Identities) {
        let identity = here.get(&print);
        let is_limit = *event.rule_id == *LIMIT_ALERT.1;
        let mut is_gone = false;
        for rule in self.groups.iter_mut().flat_map(|group| &mut group.rules) {
            if is_limit {
                rule.book.over_limit.take_if(|episode| fingerprint(&event.rule_id, &episode.labels) == print);
            } else if let Some(identity) = identity.filter(|_| rule.rule.id == event.rule_id) {
                let fires = rule.book.alerts.get(identity).is_some_and(|active| active.episode.is_some());
                is_gone |= fires && rule.book.alerts.remove(identity).is_some();
            }
        }
        if is_gone {
            here.remove(&print);
        }
    }

    /// Forgets what waits in pairs of an alert and is old: the other instance, which publishes all it decides, did not see it
    /// so.
    pub(crate) fn let_go(&mut self, is_old: &dyn Fn(&AlertEvent) -> bool) {
        let mut waiting: BTreeMap<u64, Vec<&AlertEvent>> = BTreeMap::new();
        for event in self.outbox.iter() {
            waiting.entry(event.fingerprint).or_default().push(event);
        }
        let has_old = |events: &Vec<&AlertEvent>| events.get(1).is_some_and(|second| is_old(second));
        let old = waiting.into_iter().filter(|(_, events)| has_old(events)).take(LET_GO_MAX);
        let old: Vec<Vec<AlertEvent>> =
            old.map(|(_, events)| events.into_iter().cloned().collect()).collect();
        if old.is_empty() {
            return;
        }
        let here = self.identities();
        for events in &old {
            let pairs = events.chunks_exact(2).take_while(|pair| pair.iter().all(is_old));
            let gone = pairs.count() * 2;
            for event in events.iter().take(gone) {
                self.outbox.confirm(event.id);
            }
            // It was open before, under another beginning than what is left knows.
            if let Some(first) = events.first().filter(|it| it.event_type() == EventType::AlertCleared) {
                self.follow_again(&StoredAlert::of(first), &here);
            }
        }
        self.views = None;
        for group in &mut self.groups {
            group.view = None;
        }
    }

    /// Has an alert, or what waits of it, go on under the episode that this event would have ended.
    fn follow_again(&mut self, end: &StoredAlert, here: &Identities) {
        let (episode, print) = (episode_of(end), end.fingerprint());
        let next = self.outbox.of(print).next().cloned();
        match next {
            Some(next) => {
                if let AlertEventKind::Cleared { reason, value } = next.kind {
                    let ended = Episode { evidence: next.evidence.clone(), ..episode };
                    let event =
                        self.sender(end, next.timestamp, |sender| sender.cleared(&ended, reason, value));
                    self.outbox.replace(next.id, event);
                }
            }
            None => {
                if let Some((level, active)) = self.firing_here(end, here.get(&print)) {
                    active.episode = Some(episode);
                    active.state = AlertState::firing(level, end.started_at);
                }
            }
        }
    }
}
