//! What becomes of alerts that a stream shows.

use std::collections::BTreeSet;

use super::tests::{Memory, at, events};
use super::*;
use crate::engine::rules::load::for_tests::rule_set;
use crate::engine::rules::logged::LogRecord;
use crate::engine::rules::reach::Reach;
use crate::engine::rules::reads::MovedSeries;
use crate::engine::rules::set::Severity;
use crate::engine::rules::stored::{StoredAlert, StoredAlerts};
use crate::engine::series::Ordinal;
use crate::engine::wire::EventType;

const PLAIN: &str = "groups: [{name: g, interval: 10s, rules: [{alert: Deep, expr: level, above: 10}]}]";
const COMPARES: &str = "groups: [{name: g, interval: 10s, rules: [{alert: Deep, expr: level > 10}]}]";
const RENAMED: &str =
    "groups: [{name: g, interval: 10s, rules: [{alert: Deep, expr: level, above: 10, labels: {tank: all}}]}]";
const LEVELS: &str = "groups: [{name: g, interval: 10s, rules: [{alert: Deep, expr: level, \
    severities: {warning: {above: 10}, critical: {above: 20}}}]}]";
const NOTHING: &str = "groups: []";

/// What happens, in this order.
#[derive(Clone, Copy)]
enum Happens {
    /// The level is this from now on; the rule is evaluated.
    Level(f64),
    /// There is none; the rule is evaluated so many seconds later.
    Gone(f64),
    /// A stream shows an alert that began at second 1, with these labels beside its name.
    Open(&'static [(&'static str, &'static str)]),
    /// A stream shows that what fires here ended.
    Ended,
}

/// The events that wait in the end.
fn play(rules: &str, happens: &[Happens]) -> Vec<String> {
    let (mut memory, mut now) = (Memory::default(), 10.0);
    let mut rules = Rules::new(rule_set(rules), RuleSettings::new("ours"), at(now));
    for step in happens {
        now += 1.0;
        match step {
            Happens::Level(value) => {
                memory.set("level", &[("tank", "north")], (now, *value));
                rules.evaluate_group(0, &mut memory, at(now));
            }
            Happens::Gone(seconds) => {
                now += seconds;
                memory = Memory::default();
                rules.evaluate_group(0, &mut memory, at(now));
            }
            Happens::Open(labels) => {
                let shown = StoredAlerts { open: vec![open(labels)], ..StoredAlerts::default() };
                rules.adopt(&shown, at(now));
            }
            Happens::Ended => {
                let began = rules.outbox().last().unwrap().clone();
                rules.confirm(began.id);
                let stored = StoredAlert::read(began.to_json().as_bytes()).unwrap();
                let shown =
                    StoredAlerts { ended: BTreeSet::from([stored.end_id()]), ..StoredAlerts::default() };
                rules.adopt(&shown, at(now));
            }
        }
    }
    events(&mut rules)
}

fn open(labels: &[(&str, &str)]) -> StoredAlert {
    let labels = Labels::collect([("alertname", "Deep")].iter().chain(labels).copied());
    let severity = labels.get("severity").and_then(Severity::from_name).unwrap_or(Severity::Warning);
    StoredAlert {
        id: EventId(1),
        source: Arc::from("ours"),
        event_type: EventType::AlertTriggered,
        rule_id: Arc::from("g-deep"),
        alert_name: Arc::from("Deep"),
        severity,
        labels,
        started_at: at(1.0),
        timestamp: at(1.0),
        annotations: Vec::new(),
        reach: Reach::default(),
    }
}

#[test]
fn what_a_stream_shows_open_goes_on_and_ends_here() {
    use Happens::{Ended, Gone, Level, Open};
    const NORTH: &[(&str, &str)] = &[("tank", "north")];
    const WARNING: &[(&str, &str)] = &[("severity", "warning"), ("tank", "north")];
    let cleared = |what: &str| vec![format!("> Deep warning cleared {what}")];
    let cases: &[(&str, &[Happens], Vec<String>)] = &[
        (PLAIN, &[Open(NORTH), Level(20.0)], vec![]),
        (COMPARES, &[Open(NORTH), Level(20.0)], vec![]),
        (PLAIN, &[Open(NORTH), Level(20.0), Level(5.0)], cleared("{tank=\"north\"} recovered Some(5.0) after 12s")),
        (COMPARES, &[Open(NORTH), Level(5.0)], cleared("{tank=\"north\"} recovered Some(5.0) after 11s")),
        // Its series is not there yet, and does not come.
        (PLAIN, &[Open(NORTH), Gone(10.0), Level(20.0)], vec![]),
        (PLAIN, &[Open(NORTH), Gone(40.0)], cleared("{tank=\"north\"} no_data None after 51s")),
        // What was decided here before follows.
        (PLAIN, &[Level(20.0), Open(NORTH)], vec![]),
        (PLAIN, &[Level(20.0), Level(5.0), Open(NORTH)], cleared("{tank=\"north\"} recovered Some(5.0) after 11s")),
        // The rule's own label stands where the series' was.
        (RENAMED, &[Open(&[("tank", "all")]), Level(20.0)], vec![]),
        (NOTHING, &[Open(NORTH)], cleared("{tank=\"north\"} rule_removed None after 10s")),
        (LEVELS, &[Open(WARNING), Level(15.0)], vec![]),
        (
            LEVELS,
            &[Open(WARNING), Level(25.0)],
            vec![
                "> Deep warning cleared {severity=\"warning\", tank=\"north\"} severity_changed Some(25.0) after 11s".to_owned(),
                "> Deep critical triggered {severity=\"critical\", tank=\"north\"} level=25 threshold 20: Deep: level is 25, threshold 20".to_owned(),
            ],
        ),
        (
            LEVELS,
            &[Level(25.0), Open(WARNING)],
            vec![
                "> Deep warning cleared {severity=\"warning\", tank=\"north\"} severity_changed None after 10s".to_owned(),
                "> Deep critical triggered {severity=\"critical\", tank=\"north\"} level=25 threshold 20: Deep: level is 25, threshold 20".to_owned(),
            ],
        ),
        (PLAIN, &[Level(20.0), Ended, Level(5.0)], vec![]),
    ];
    for (place, (rules, happens, expected)) in cases.iter().enumerate() {
        let seen: Vec<String> = play(rules, happens)
            .into_iter()
            .map(|line| line.split(" [").next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(seen, *expected, "case {place}");
    }
}

#[test]
fn an_answer_to_what_arrives_elsewhere_ends_what_was_taken_over_and_is_over() {
    let mut memory = Memory::default();
    let mut rules = Rules::new(rule_set(PLAIN), RuleSettings::new("ours"), at(0.0));
    memory.set("level", &[("tank", "north")], (11.0, 5.0));
    rules.run_due(&mut memory, at(11.0));
    let shown = StoredAlerts { open: vec![open(&[("tank", "north")])], ..StoredAlerts::default() };
    rules.adopt(&shown, at(12.0));
    memory.set("level", &[("tank", "south")], (13.0, 20.0));
    let labels = Labels::collect([("tank", "south")]);
    rules.moved(&[MovedSeries { labels, readers: Arc::from([0]) }], at(13.0));
    rules.run_due(&mut memory, at(13.0));
    let mut said = events(&mut rules);
    said.sort();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with(r#"> Deep warning cleared {tank="north"} recovered Some(5.0)"#), "{said:?}");
    assert!(said[1].starts_with(r#"> Deep warning triggered {tank="south"}"#), "{said:?}");
}

/// A level that crosses its threshold at second 12.
fn deep_at_12() -> Memory {
    let mut memory = Memory::default();
    memory.set("level", &[("tank", "north")], (12.0, 20.0));
    memory
}

/// Rules at second 10, with a stream that is read from its first message on.
fn reading() -> Rules {
    let mut rules = Rules::new(rule_set(PLAIN), RuleSettings::new("ours"), at(10.0));
    rules.read_from(1);
    rules
}

/// Rules that go on with what a log tells, and are evaluated at seconds 12 and 13.
fn recalled(log: &[LogRecord], memory: &mut Memory) -> Rules {
    let mut rules = reading();
    rules.recall(log, at(10.0));
    for second in [12.0, 13.0] {
        rules.evaluate_group(0, memory, at(second));
    }
    rules
}

/// What began at second 12 ends there, and begins behind it under an id of its own.
fn assert_ends_at_its_beginning_and_begins_anew(rules: &Rules) {
    let seen: Vec<_> = rules.outbox().map(|event| (event.event_type(), event.timestamp)).collect();
    let (triggered, cleared) = (EventType::AlertTriggered, EventType::AlertCleared);
    assert_eq!(seen, [(triggered, at(12.0)), (cleared, at(12.0)), (triggered, at(13.0))]);
    let ids: BTreeSet<EventId> = rules.outbox().map(|event| event.id).collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn an_alert_of_a_rule_that_changed_begins_anew_behind_the_beginning_that_a_log_tells() {
    let (mut memory, mut before) = (deep_at_12(), reading());
    before.evaluate_group(0, &mut memory, at(12.0));
    let event = Box::new(before.outbox().next().unwrap().clone());
    let log = [LogRecord::Decided { event, sequence: 0, essence: Some(Arc::from("another")) }];
    assert_ends_at_its_beginning_and_begins_anew(&recalled(&log, &mut memory));
}

#[test]
fn a_rule_that_is_changed_in_a_past_ends_what_begins_later_and_begins_behind_that() {
    let (mut memory, mut before) = (deep_at_12(), reading());
    before.evaluate_group(0, &mut memory, at(12.0));
    let event = Box::new(before.outbox().next().unwrap().clone());
    let essence = before.essence_of(&event.rule_id);
    let mut rules = reading();
    rules.resumed = Resumed::of_past(at(0.0));
    rules.read_from(1);
    rules.recall(&[LogRecord::Decided { event, sequence: 0, essence }], at(10.0));
    let changed = PLAIN.replace("above: 10", "above: 11");
    rules.replace(rule_set(&changed), Ordinal::default(), at(10.0));
    for second in [11.0, 12.0, 13.0] {
        rules.evaluate_group(0, &mut memory, at(second));
    }
    assert_ends_at_its_beginning_and_begins_anew(&rules);
}

#[test]
fn what_the_rules_of_a_start_ended_a_log_does_not_end_again() {
    let mut memory = Memory::default();
    memory.set("level", &[("tank", "north")], (12.0, 20.0));
    let mut rules = Rules::new(rule_set(PLAIN), RuleSettings::new("ours"), at(10.0));
    rules.evaluate_group(0, &mut memory, at(12.0));
    let event = Box::new(rules.outbox().next().unwrap().clone());
    let essence = rules.essence_of(&event.rule_id);
    rules.replace(rule_set(NOTHING), Ordinal::default(), at(13.0));
    rules.recall(&[LogRecord::Decided { event, sequence: 0, essence }], at(13.0));
    let seen: Vec<_> = rules.outbox().map(AlertEvent::event_type).collect();
    assert_eq!(seen, [EventType::AlertTriggered, EventType::AlertCleared]);
}

#[test]
fn an_alert_whose_episode_ended_where_it_began_begins_anew_behind_that() {
    let (mut memory, mut before) = (deep_at_12(), reading());
    before.evaluate_group(0, &mut memory, at(12.0));
    before.replace(rule_set(NOTHING), Ordinal::default(), at(12.0));
    let decided = |event: &AlertEvent| {
        let event = Box::new(event.clone());
        LogRecord::Decided { event, sequence: 0, essence: None }
    };
    let log: Vec<LogRecord> = before.outbox().map(decided).collect();
    assert_ends_at_its_beginning_and_begins_anew(&recalled(&log, &mut memory));
}

#[test]
fn of_an_alert_that_fires_the_episode_counts_that_a_log_tells_to_begin_later() {
    let mut memory = deep_at_12();
    let mut later = reading();
    later.evaluate_group(0, &mut memory, at(22.0));
    let event = Box::new(later.outbox().next().unwrap().clone());
    let essence = later.essence_of(&event.rule_id);
    // Of the end of the episode of second 12 a stream alone told.
    let mut rules = reading();
    rules.evaluate_group(0, &mut memory, at(12.0));
    let told = rules.outbox().next().unwrap().id;
    rules.confirm(told);
    rules.recall(&[LogRecord::Decided { event, sequence: 0, essence }], at(13.0));
    memory.set("level", &[("tank", "north")], (23.0, 5.0));
    rules.evaluate_group(0, &mut memory, at(23.0));
    let seen: Vec<_> = rules.outbox().map(|event| (event.event_type(), event.started_at)).collect();
    assert_eq!(seen, [(EventType::AlertTriggered, at(22.0)), (EventType::AlertCleared, at(22.0))]);
}

#[test]
fn nothing_is_decided_at_an_instant_that_is_behind_what_a_stream_shows() {
    let mut memory = Memory::default();
    memory.set("level", &[("tank", "north")], (12.0, 20.0));
    let mut rules = Rules::new(rule_set(PLAIN), RuleSettings::new("ours"), at(10.0));
    rules.not_before(at(53.0));
    rules.run_due(&mut memory, at(54.0));
    let seen: Vec<_> = rules.outbox().map(|event| event.started_at).collect();
    assert_eq!(seen, [at(53.0)]);
}
