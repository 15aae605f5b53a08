//! Two engines of a pair over one stream: other clocks, other batches, the same ids.

mod retold;

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::super::checkpoint::SavedState;
use super::super::rules::LogRecord;
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
    level_of(sequence, tank, value)
}

fn level_of(sequence: u64, tank: u64, value: u64) -> String {
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
    receive_of(engine, places, (APART, IN_ORDER), now);
}

/// How messages come, and how many wait behind them.
type Coming = (Order, u64);

/// In the stream's order, and none waits.
const IN_ORDER: Coming = (Order::Stream, 0);

/// The same of messages that were stored that far apart and come like this.
fn receive_of(
    engine: &mut Engine,
    (first, last): (u64, u64),
    (apart, coming): (Duration, Coming),
    now: Timestamp,
) {
    let payloads: Vec<String> = (first..=last).map(level).collect();
    let stored: Vec<Stored> =
        (first..=last).map(|sequence| Stored { sequence, at: stored_of(sequence, apart) }).collect();
    receive_stored(engine, (&payloads, &stored), coming, now);
}

/// Has an instance read these messages in one batch, as they come.
fn receive_stored(
    engine: &mut Engine,
    (payloads, stored): (&[String], &[Stored]),
    (order, pending): Coming,
    now: Timestamp,
) {
    let message = |payload| Message { subject: "events.monitoring.MetricRecorded", headers: &[], payload };
    let messages: Vec<Message<'_>> = payloads.iter().map(|payload| message(payload.as_bytes())).collect();
    let origin = Origin {
        stream: Arc::from("S"),
        epoch: Epoch::first("a"),
        order,
        first_sequence: stored.first().map_or(0, |stored| stored.sequence),
        last_sequence: stored.last().map_or(0, |stored| stored.sequence),
        pending,
    };
    engine.receive(&StreamBatch { origin: &origin, messages: &messages, stored }, now);
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
        // Up to when the next batch may come, and until all that waits is evaluated.
        let end = if last == MESSAGES { now.after(APART) } else { stored_at(last + 1).after(off) };
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
        let of_limit = event.labels.get("rule").unwrap_or_default();
        let alert = format!("{} {}{of_limit}", event.rule_id, event.labels.get("tank").unwrap_or_default());
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
        receive_of(&mut engine, (first, last), (apart, (Order::Stream, MESSAGES - last)), now);
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

/// One instance without another.
const ALONE: &str = "lanes: {MetricRecorded: jetstream}";

/// What was said of each alert, in order, without when.
fn turns(events: &[AlertEvent]) -> BTreeMap<String, Vec<String>> {
    let mut turns: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in events {
        let said: serde_json::Value = serde_json::from_str(&event.to_json()).unwrap();
        let of = format!("{} {}", event.rule_id, event.labels.get("tank").unwrap_or_default());
        let value = if said["value"].is_null() { &said["current_value"] } else { &said["value"] };
        let turn = format!("{} {} {value}", said["event_type"], event.severity.name());
        turns.entry(of).or_default().push(turn);
    }
    turns
}

/// Looks that the same was said of each alert, and of no other.
fn assert_same_turns(told: &[AlertEvent], expected: &[AlertEvent], of: &dyn Debug) {
    let (told, expected) = (turns(told), turns(expected));
    for alert in expected.keys().chain(told.keys()) {
        assert_eq!(told.get(alert), expected.get(alert), "{alert}, {of:?}");
    }
}

#[test]
fn one_alone_tells_each_turn_of_what_it_reads_at_once() {
    let in_time = decided(ALONE, &[1], (Duration::from_millis(1), Duration::ZERO));
    assert!(in_time.len() > 200, "{}", in_time.len());
    let late = (Duration::from_secs(2), Duration::ZERO);
    for sizes in [&[MESSAGES][..], &[70], &[3, 1, 4, 40]] {
        let at_once = decided(ALONE, sizes, late);
        assert_same_turns(&at_once, &in_time, &sizes);
        let ids: BTreeSet<EventId> = at_once.iter().map(|event| event.id).collect();
        assert_eq!(ids.len(), at_once.len(), "{sizes:?}");
    }
}

#[test]
fn without_a_pair_an_episode_begins_when_it_is_decided() {
    let late = Duration::from_millis(7);
    let alone = decided(ALONE, &[1], (late, Duration::ZERO));
    let is_decided = |event: &&AlertEvent| event.event_type() == wire::EventType::AlertTriggered;
    assert!(alone.iter().filter(is_decided).all(|event| event.started_at == event.timestamp));
}

/// What time and recording rules lead to: a wait, a wait for a worse level, a recorded metric, one that is recorded from
/// another one, and the alert about a limit.
const BY_TIME: &str = "groups:
  - {name: g, interval: 1s, rules: [
    {alert: Waits, expr: level, above: 10, for: 2s},
    {alert: Worse, expr: level, severities: {warning: {above: 10}, critical: {above: 10, for: 3s}}},
    {record: 'tank:level', expr: 'max by (tank) (level)'},
    {alert: Recorded, expr: 'tank:level', above: 10},
    {record: 'all:level', expr: 'max(tank:level)'},
    {alert: Twice, expr: 'all:level', above: 10}]}
  - {name: limited, interval: 1s, limit: 1, rules: [{alert: Limited, expr: level, above: 10}]}";

/// Levels of two tanks that rise, stay and fall: milliseconds, tank, level.
const STAYS: [(u64, u64, u64); 8] = [
    (2_003, 0, 20),
    (2_700, 1, 30),
    (3_111, 0, 25),
    (9_001, 0, 1),
    (9_402, 1, 1),
    (15_003, 1, 20),
    (15_204, 0, 20),
    (25_000, 0, 1),
];

/// What an instance decides of those levels, each of which comes so much later than it was stored, by a clock that is off.
fn decided_by_time((late, off): (Duration, Duration)) -> Vec<AlertEvent> {
    let mut engine = Engine::new(&config_of(PAIR), rule_set(BY_TIME), at(0));
    let mut now = at(0).after(off);
    for (sequence, (millis, tank, value)) in (1..).zip(STAYS) {
        let stored = at(0).after(Duration::from_millis(millis));
        while now < stored.after(late).after(off) {
            engine.tick(now);
            now = engine.next_tick().max(now.after(Duration::from_millis(1)));
            now = now.min(stored.after(late).after(off));
        }
        let payload = level_of(sequence, tank, value);
        receive_stored(&mut engine, (&[payload], &[Stored { sequence, at: stored }]), IN_ORDER, now);
    }
    // For what a limit refused others make room, at the instant of an evaluation.
    engine.outbox().filter(|event| event.alert_name.as_ref() != "Limited").cloned().collect()
}

#[test]
fn what_a_wait_or_a_recording_rule_led_to_has_the_same_ids_in_both() {
    let millis = Duration::from_millis;
    let one = decided_by_time((millis(1), Duration::ZERO));
    for (late, off) in [(millis(3), Duration::ZERO), (millis(130), millis(500)), (millis(1), millis(125_250))]
    {
        assert_eq!(ids(&one), ids(&decided_by_time((late, off))), "{late:?} late, off by {off:?}");
    }
    let begun = |name: &str, severity: &str| {
        let events = one.iter().filter(|event| {
            let is_begun = event.event_type() == wire::EventType::AlertTriggered;
            *event.alert_name == *name && is_begun && event.severity.name() == severity
        });
        let mut begun: Vec<u128> = events.map(|event| event.started_at.since(at(0)).as_millis()).collect();
        begun.sort_unstable();
        begun
    };
    assert_eq!(begun("Waits", "warning"), [4_003, 4_700, 17_003, 17_204]);
    assert_eq!(begun("Worse", "critical"), [5_003, 5_700, 18_003, 18_204]);
    assert_eq!(begun("Recorded", "warning"), [2_003, 2_700, 15_003, 15_204]);
    assert_eq!(begun("Twice", "warning"), [2_003, 15_003]);
    assert_eq!(begun("SignalboxRuleLimit", "warning"), [2_700, 15_204]);
    let all: BTreeSet<EventId> = one.iter().map(|event| event.id).collect();
    assert_eq!(all.len(), one.len());
}

/// Has an instance live through messages as they are stored, by a clock that is so many seconds ahead.
fn live_through(engine: &mut Engine, (first, last): (u64, u64), (order, ahead): (Order, i64)) {
    for sequence in first..=last {
        let mut now = by_clock(stored_at(sequence).after(SOON), ahead);
        receive_of(engine, (sequence, sequence), (APART, (order, 0)), now);
        while now < by_clock(stored_at(sequence + 1), ahead) {
            engine.tick(now);
            now = engine.next_tick().max(now.after(Duration::from_millis(1)));
        }
    }
}

/// How soon after it was stored a message comes.
const SOON: Duration = Duration::from_millis(1);

/// What a clock says that is so many seconds ahead.
fn by_clock(at: Timestamp, ahead: i64) -> Timestamp {
    Timestamp::from_micros(at.micros() + ahead * 1_000_000)
}

/// How an instance reads a stream, over whose kill it is.
#[derive(Debug)]
struct OverKill {
    config: &'static str,
    order: Order,
    /// How many messages it reads at a time after the kill, and from which one on.
    size: u64,
    from: u64,
    /// How many seconds its clock is ahead.
    ahead: i64,
    /// How often it dies again before it has read anything, each time with a checkpoint of what the log told and without a log.
    again: usize,
}

/// What an instance decides that was saved behind message 40, killed behind message 60, and is there again behind message
/// 130.
fn decided_over_a_kill(kill: &OverKill) -> Vec<AlertEvent> {
    let OverKill { order, size, ahead, .. } = *kill;
    let config = config_of(kill.config);
    let mut engine = Engine::new(&config, rule_set(RULES), by_clock(at(0), ahead));
    live_through(&mut engine, (1, 40), (order, ahead));
    let saved = engine.save(by_clock(stored_at(41), ahead)).to_bytes();
    let mut log = Vec::new();
    for sequence in 41..=60 {
        let known = engine.outbox().count();
        live_through(&mut engine, (sequence, sequence), (order, ahead));
        let decided = engine.outbox().skip(known).cloned();
        log.extend(decided.map(|event| {
            let essence = engine.essence_of(&event.rule_id);
            LogRecord::Decided { event: Box::new(event), sequence, essence }
        }));
    }
    let saved = SavedState::read(&saved).unwrap();
    let (mut engine, _) = Engine::restore(&config, rule_set(RULES), saved, RunEnding::Crash).unwrap();
    engine.recall(&log);
    for _ in 0..kill.again {
        let saved = SavedState::read(&engine.save(by_clock(stored_at(41), ahead)).to_bytes()).unwrap();
        engine = Engine::restore(&config, rule_set(RULES), saved, RunEnding::Crash).unwrap().0;
    }
    let now = by_clock(stored_at(130).after(SOON), ahead);
    engine.await_stream("S", now);
    let epoch = Epoch::first("a");
    let (last_sequence, pending) = (130, 131 - kill.from);
    engine.hear(&StreamNews::Found { stream: Arc::from("S"), epoch, last_sequence, pending }, now);
    for first in (kill.from..=130).step_by(usize::try_from(size).unwrap()) {
        let last = (first + size - 1).min(130);
        receive_of(&mut engine, (first, last), (APART, (order, 130 - last)), now);
    }
    engine.hear(&StreamNews::Drained, now);
    assert_eq!(engine.standing(), Standing::Present);
    live_through(&mut engine, (131, MESSAGES), (order, ahead));
    engine.outbox().cloned().collect()
}

#[test]
fn what_was_stored_while_an_instance_was_away_is_decided_to_the_last_turn() {
    let one = decided(PAIR, &[1], (SOON, Duration::ZERO));
    for ahead in [0, 150, -150] {
        for size in [1, 7, 90] {
            let kill = OverKill { config: PAIR, order: Order::Stream, size, from: 41, ahead, again: 0 };
            assert_eq!(ids(&one), ids(&decided_over_a_kill(&kill)), "{kill:?}");
        }
    }
}

#[test]
fn what_a_work_queue_delivers_again_is_decided_to_the_last_turn() {
    let one = decided(ALONE, &[1], (SOON, Duration::ZERO));
    for (order, from) in [(Order::Stream, 41), (Order::Consumer, 41), (Order::Consumer, 21)] {
        for size in [1, 7, 50, 200] {
            let kill = OverKill { config: ALONE, order, size, from, ahead: 0, again: 0 };
            assert_same_turns(&decided_over_a_kill(&kill), &one, &kill);
        }
    }
}

#[test]
fn what_a_log_told_is_not_decided_again_where_a_checkpoint_came_before_its_messages() {
    for config in [ALONE, PAIR] {
        let one = decided(config, &[1], (SOON, Duration::ZERO));
        for again in [1, 2] {
            let kill = OverKill { config, order: Order::Stream, size: 7, from: 41, ahead: 0, again };
            let other = decided_over_a_kill(&kill);
            assert_same_turns(&other, &one, &kill);
            let ids: BTreeSet<EventId> = other.iter().map(|event| event.id).collect();
            assert_eq!(ids.len(), other.len(), "{kill:?}");
        }
    }
}

#[test]
fn what_the_other_did_not_see_is_let_go_once_it_waited_by_the_own_clock() {
    let age = Duration::from_secs(10);
    for ahead in [0, 110, -110] {
        let mut engine = Engine::new(&config_of(PAIR), rule_set(RULES), by_clock(at(0), ahead));
        live_through(&mut engine, (1, 30), (Order::Stream, ahead));
        let waiting = |engine: &Engine| engine.outbox().count();
        let (all, now) = (waiting(&engine), by_clock(stored_at(31), ahead));
        assert!(all > 20, "{all}");
        engine.let_go(age, now);
        engine.let_go(age, now.after(Duration::from_millis(9_900)));
        assert_eq!(waiting(&engine), all, "clock {ahead} s ahead");
        engine.let_go(age, now.after(age));
        // What is open stays, and is told of by its beginning.
        let rest: Vec<&AlertEvent> = engine.outbox().collect();
        assert!(rest.len() < all / 2, "{} of {all}, clock {ahead} s ahead", rest.len());
        let ended = rest.iter().filter(|event| event.event_type() == wire::EventType::AlertCleared);
        assert_eq!(ended.count(), 0, "clock {ahead} s ahead");
    }
}
