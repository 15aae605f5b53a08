//! What an instance told that could not write a log, and that its next start decides again.

use super::super::super::rules::{StoredAlert, StoredAlerts};
use super::*;

/// What a stream shows that holds these events.
fn shown_of(events: &[AlertEvent]) -> StoredAlerts {
    let mut shown = StoredAlerts::default();
    for event in events {
        let stored = StoredAlert::read(event.to_json().as_bytes()).unwrap();
        let stored = StoredAlert { reach: event.reach, ..stored };
        shown.decided_at = shown.decided_at.max(stored.timestamp);
        shown.told.push(stored.clone());
        if stored.event_type == wire::EventType::AlertCleared {
            shown.ended.insert(stored.id);
            shown.open.retain(|open| open.end_id() != stored.id);
        } else {
            shown.begun.insert(stored.id);
            shown.open.push(stored);
        }
    }
    shown
}

/// What an instance alone tells that was saved behind message 40 and killed behind `killed`, without a log, and of which the
/// stream holds all it told but the last `lost`.
fn told_over_a_kill_without_a_log(killed: u64, lost: usize) -> Vec<AlertEvent> {
    let config = config_of(ALONE);
    let mut engine = Engine::new(&config, rule_set(RULES), at(0));
    live_through(&mut engine, (1, 40), (Order::Stream, 0));
    let before: Vec<AlertEvent> = engine.outbox().cloned().collect();
    for event in &before {
        engine.confirm(event.id, stored_at(41));
    }
    let saved = engine.save(stored_at(41)).to_bytes();
    live_through(&mut engine, (41, killed), (Order::Stream, 0));
    let mut told: Vec<AlertEvent> = engine.outbox().cloned().collect();
    let lost = told.split_off(told.len().saturating_sub(lost));
    // What is decided of one message is there whole or not at all.
    told.retain(|event| lost.first().is_none_or(|lost| lost.reach != event.reach));
    let saved = SavedState::read(&saved).unwrap();
    let (mut engine, _) = Engine::restore(&config, rule_set(RULES), saved, RunEnding::Crash).unwrap();
    engine.recall(&[]);
    let all: Vec<AlertEvent> = before.iter().chain(&told).cloned().collect();
    engine.recall_stored(&shown_of(&all).told);
    let now = stored_at(130).after(SOON);
    engine.await_stream("S", now);
    let epoch = Epoch::first("a");
    engine.hear(&StreamNews::Found { stream: Arc::from("S"), epoch, last_sequence: 130, pending: 90 }, now);
    receive_of(&mut engine, (41, 130), (APART, IN_ORDER), now);
    assert_eq!(engine.standing(), Standing::Present);
    engine.adopt(&shown_of(&all), now.after(Duration::from_millis(1)));
    live_through(&mut engine, (131, MESSAGES), (Order::Stream, 0));
    told.extend(engine.outbox().cloned());
    told
}

#[test]
fn what_was_told_without_a_log_is_not_told_again() {
    let mut engine = Engine::new(&config_of(ALONE), rule_set(RULES), at(0));
    live_through(&mut engine, (1, 40), (Order::Stream, 0));
    let before = engine.outbox().count();
    live_through(&mut engine, (41, MESSAGES), (Order::Stream, 0));
    let in_time: Vec<AlertEvent> = engine.outbox().skip(before).cloned().collect();
    for killed in [41, 60, 100] {
        for lost in [0, 1, 5, 1_000] {
            let told = told_over_a_kill_without_a_log(killed, lost);
            assert_same_turns(&told, &in_time, &(killed, lost));
            let mut open = BTreeMap::new();
            for event in &told {
                // An end is that of the beginning before it.
                let begun = open.insert(event.fingerprint, (event.event_type(), event.started_at));
                if event.event_type() == wire::EventType::AlertCleared && begun.is_some() {
                    let expected = Some((wire::EventType::AlertTriggered, event.started_at));
                    assert_eq!(begun, expected, "{killed}, {lost}");
                }
            }
        }
    }
}
