//! Two engines of a pair over one stream: other clocks, other batches, the same ids.

use super::*;
use crate::engine::rules::load::for_tests::rule_set;

const RULES: &str = "groups: [{name: g, interval: 5s, rules: [
    {alert: Deep, expr: level, above: 10},
    {alert: Sudden, expr: 'sum by (tank) (level)', severities: {warning: {above: 10}, critical: {above: 25}}}]}]";

/// Tanks whose levels go up and down in turn.
const TANKS: u64 = 4;

/// Messages, 100 ms apart.
const MESSAGES: u64 = 200;

/// How far apart messages were stored.
const APART: Duration = Duration::from_millis(100);

/// When a message was stored.
fn stored_at(sequence: u64) -> Timestamp {
    stored_of(sequence, APART)
}

/// The same of messages that far apart.
fn stored_of(sequence: u64, apart: Duration) -> Timestamp {
    at(10).after(apart * u32::try_from(sequence).unwrap())
}

fn level(sequence: u64) -> String {
    let (tank, round) = (sequence % TANKS, sequence / TANKS);
    let value = [1, 20, 30][usize::try_from((round * (tank + 1) + tank) % 3).unwrap()];
    format!(
        r#"{{"event_id":"00000000-0000-0000-0002-{sequence:012x}","timestamp":"2025-11-24T16:00:00Z",
        "metric_name":"level","metric_type":"gauge","metric_value":{value},"tags":{{"tank":"{tank}"}}}}"#
    )
}

fn config_of(text: &str) -> Config {
    let source = diagnostic::Source { name: "signalbox.yaml".into(), text: text.into() };
    Config::parse(&source).0.unwrap().named("test")
}

/// Has an instance read the messages from the first to the last in one batch, behind which nothing waits.
fn receive(engine: &mut Engine, places: (u64, u64), now: Timestamp) {
    receive_of(engine, places, (APART, 0), now);
}

/// The same of messages that were stored that far apart, while so many wait behind them.
fn receive_of(
    engine: &mut Engine,
    (first, last): (u64, u64),
    (apart, pending): (Duration, u64),
    now: Timestamp,
) {
    let payloads: Vec<String> = (first..=last).map(level).collect();
    let message = |payload| Message { subject: "events.monitoring.MetricRecorded", headers: &[], payload };
    let messages: Vec<Message<'_>> = payloads.iter().map(|payload| message(payload.as_bytes())).collect();
    let stored: Vec<Stored> =
        (first..=last).map(|sequence| Stored { sequence, at: stored_of(sequence, apart) }).collect();
    let origin = Origin {
        stream: Arc::from("S"),
        epoch: Epoch::first("a"),
        order: Order::Stream,
        first_sequence: first,
        last_sequence: last,
        pending,
    };
    engine.receive(&StreamBatch { origin: &origin, messages: &messages, stored: &stored }, now);
}

/// What one instance decides: so many messages at a time, each batch so much later than its last message was stored, by a
/// clock that is off.
fn decided(config: &str, sizes: &[u64], (late, off): (Duration, Duration)) -> Vec<AlertEvent> {
    let mut engine = Engine::new(&config_of(config), rule_set(RULES), at(0));
    let mut first = 1;
    for size in sizes.iter().copied().cycle() {
        let last = (first + size - 1).min(MESSAGES);
        let mut now = stored_at(last).after(late).after(off);
        receive(&mut engine, (first, last), now);
        // Up to when the next batch may come.
        let end = stored_at(last + 1).after(off);
        while now < end {
            engine.tick(now);
            now = engine.next_tick().max(now.after(Duration::from_millis(1)));
        }
        if last == MESSAGES {
            return engine.outbox().cloned().collect();
        }
        first = last + 1;
    }
    Vec::new()
}

#[test]
fn what_begins_again_after_a_reload_is_another_episode() {
    let mut engine = Engine::new(&config_of(PAIR), rule_set(RULES), at(0));
    receive(&mut engine, (1, 4), stored_at(4));
    let now = stored_at(5);
    engine.replace_rules(rule_set(&RULES.replace("above: 10}", "above: 9}")), now);
    engine.tick(now.after(Duration::from_millis(1)));
    engine.replace_rules(rule_set("groups: []"), stored_at(6));
    engine.replace_rules(rule_set(RULES), stored_at(7));
    engine.tick(stored_at(8));
    let begun = engine.outbox().filter(|event| event.event_type() == wire::EventType::AlertTriggered);
    let begun: Vec<EventId> = begun.map(|event| event.id).collect();
    let distinct: BTreeSet<&EventId> = begun.iter().collect();
    assert!(begun.len() >= 9, "{}", begun.len());
    assert_eq!(distinct.len(), begun.len());
}

/// The ids of each alert's events, in order.
fn ids(events: &[AlertEvent]) -> Vec<(String, Vec<EventId>)> {
    let mut found: Vec<(String, Vec<EventId>)> = Vec::new();
    for event in events {
        let alert = format!("{} {}", event.rule_id, event.labels.get("tank").unwrap_or_default());
        match found.iter_mut().find(|(known, _)| *known == alert) {
            Some((_, ids)) => ids.push(event.id),
            None => found.push((alert, vec![event.id])),
        }
    }
    found.sort();
    found
}

const PAIR: &str = "lanes: {MetricRecorded: jetstream}\npair: {bucket: pairs}";

#[test]
fn both_of_a_pair_decide_the_same_ids_whatever_their_clocks_and_batches() {
    let (soon, later) = (Duration::from_millis(1), Duration::from_millis(40));
    let one = decided(PAIR, &[1], (soon, Duration::ZERO));
    assert!(one.len() > 200, "{}", one.len());
    for other in [
        decided(PAIR, &[1], (later, Duration::ZERO)),
        decided(PAIR, &[1], (soon, Duration::from_mins(2))),
        decided(PAIR, &[3, 1, 4, 2], (later, Duration::from_secs(77))),
        // It stood still, and reads all of it at once.
        decided(PAIR, &[MESSAGES], (later, Duration::ZERO)),
    ] {
        assert_eq!(ids(&one), ids(&other));
    }
    let all: BTreeSet<EventId> = one.iter().map(|event| event.id).collect();
    assert_eq!(all.len(), one.len());
}

/// What an instance decides that reads a backlog, so many messages at a time, all at one instant of its clock.
fn decided_at_once(size: u64, apart: Duration) -> Vec<String> {
    let mut engine = Engine::new(&config_of(PAIR), rule_set(RULES), at(0));
    let mut now = at(70);
    engine.tick(now);
    for first in (1..=MESSAGES).step_by(usize::try_from(size).unwrap()) {
        let last = (first + size - 1).min(MESSAGES);
        receive_of(&mut engine, (first, last), (apart, MESSAGES - last), now);
    }
    while now < at(80) {
        now = engine.next_tick().max(now.after(Duration::from_millis(1)));
        engine.tick(now);
    }
    engine.outbox().map(AlertEvent::to_json).collect()
}

#[test]
fn a_backlog_is_decided_the_same_in_whatever_batches_it_comes() {
    for apart in [2, 3, 7, 11] {
        let apart = Duration::from_millis(apart);
        let all = decided_at_once(MESSAGES, apart);
        assert!(all.len() > 40, "{apart:?}: {}", all.len());
        for size in [1, 7, 8, 100] {
            let other = decided_at_once(size, apart);
            let differs = all.iter().zip(&other).find(|(one, other)| one != other);
            assert_eq!(differs, None, "batches of {size}, {apart:?} apart");
            assert_eq!(other.len(), all.len(), "batches of {size}, {apart:?} apart");
        }
    }
}

#[test]
fn without_a_pair_an_episode_begins_when_it_is_decided() {
    let late = Duration::from_millis(7);
    let alone = decided("lanes: {MetricRecorded: jetstream}", &[1], (late, Duration::ZERO));
    let is_decided = |event: &&AlertEvent| event.event_type() == wire::EventType::AlertTriggered;
    assert!(alone.iter().filter(is_decided).all(|event| event.started_at == event.timestamp));
}
