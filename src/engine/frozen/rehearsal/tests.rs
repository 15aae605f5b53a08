//! The same rules rehearsed say what they said live; others say what they would have said.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::engine::Engine;
use crate::engine::config::{Config, Evaluate, Grid};
use crate::engine::promql::EvalSettings;
use crate::engine::promql::storage::Endless;
use crate::engine::rules::load::for_tests::rule_set;
use crate::engine::wire::{Lane, Message};

const RULES: &str = r"groups:
  - name: g
    rules:
      - record: load:doubled
        expr: 2 * load
      - alert: High
        expr: load:doubled
        above: 20
        clear_below: 10
        for: 10s
        keep_firing_for: 5s
        annotations: {summary: 'at {{ $value }}'}
      - alert: Follows
        expr: ALERTS{alertname='High', alertstate='firing'}
      - alert: Levels
        metric: load
        severities:
          warning: {above: 8}
          critical: {above: 12}
";

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_795_824_000_000).after(Duration::from_secs(seconds))
}

fn config() -> Config {
    let grid = Grid::From(Timestamp::EPOCH);
    Config { grid, evaluate: Evaluate::Interval, ..Config::with_defaults("orders-1") }
}

/// Lives through values of the gauge `load`, each given a second before an instant of the grid; yields what was decided.
fn live(text: &str, values: &[f64]) -> (Engine, Vec<AlertEvent>) {
    let mut engine = Engine::new(&config(), rule_set(text), at(0));
    let mut decided = Vec::new();
    for (number, value) in values.iter().enumerate() {
        let now = at(5 * number as u64 + 4);
        let id = format!("00000000-0000-4000-8000-{:012x}", number + 1);
        let payload = json!({"event_id": id, "timestamp": "2026-11-28T00:00:00Z", "metric_name": "load",
            "metric_type": "gauge", "metric_value": value, "tags": {}})
        .to_string();
        let subject = "events.monitoring.MetricRecorded";
        let message = Message { subject, headers: &[], payload: payload.as_bytes() };
        engine.apply(Lane::Core, &[message], now);
        while engine.next_tick() <= at(5 * number as u64 + 5) {
            let next = engine.next_tick();
            engine.tick(next);
            let events: Vec<AlertEvent> = engine.outbox().cloned().collect();
            for event in &events {
                engine.confirm(event.id, next);
            }
            decided.extend(events);
        }
    }
    (engine, decided)
}

const VALUES: [f64; 24] = [
    1.0, 11.0, 13.0, 13.0, 13.0, 9.0, 9.0, 6.0, 4.0, 4.0, 4.0, 12.0, 12.0, 4.0, 12.0, 12.0, 12.0, 12.0, 14.0,
    5.0, 5.0, 5.0, 12.5, 12.5,
];

fn rehearsed(engine: &mut Engine, text: &str) -> Rehearsal {
    let instant = engine.freeze(at(5 * VALUES.len() as u64));
    let settings = EvalSettings::default();
    let terms = QueryTerms { settings: &settings, patience: &Endless };
    instant.rehearse(&rule_set(text), RuleSettings::of(&config()), (Duration::from_hours(1), terms))
}

/// When an episode begins and ends, of which rule, and how bad it is.
type Told = (String, &'static str, Timestamp, Option<(Timestamp, Reason)>, String);

fn told(rehearsal: &Rehearsal) -> Vec<Told> {
    let one = |episode: &RehearsedEpisode| {
        let (id, severity) = (episode.rule_id.to_string(), episode.severity.name());
        (id, severity, episode.began, episode.ended, episode.message.clone())
    };
    rehearsal.episodes.iter().map(one).collect()
}

#[test]
fn the_same_rules_say_what_they_said_live() {
    let (mut engine, decided) = live(RULES, &VALUES);
    let mut lived = super::Told::default();
    for event in decided {
        lived.take(event);
    }
    assert!(lived.episodes.len() > 8, "{:?}", lived.episodes);
    assert!(lived.episodes.iter().any(|episode| episode.ended.is_none()));
    let rehearsal = rehearsed(&mut engine, RULES);
    assert_eq!((rehearsal.is_cut_short, rehearsal.every), (false, Duration::from_secs(5)));
    assert_eq!(rehearsal.failures, []);
    assert_eq!(rehearsal.episodes, lived.episodes);
}

#[test]
fn edited_rules_say_what_they_would_have_said() {
    let (mut engine, _) = live(RULES, &VALUES);
    // What is recorded is read as the edit records it, not as it is remembered.
    let edited = RULES.replace("2 * load", "10 * load").replace("above: 20", "above: 129");
    let edited = edited.replace("clear_below: 10", "clear_below: 129").replace("for: 10s", "for: 0s");
    let rehearsal = rehearsed(&mut engine, &edited);
    let high: Vec<Told> = told(&rehearsal).into_iter().filter(|(id, ..)| id == "g-high").collect();
    let begins: Vec<(Timestamp, &str)> =
        high.iter().map(|(_, _, began, _, text)| (*began, text.as_str())).collect();
    assert_eq!(begins, [(at(15), "at 130"), (at(95), "at 140")]);
    // The values come a second before their instant, and `keep_firing_for` holds each on for 5 s.
    let ends: Vec<Option<Timestamp>> =
        high.iter().map(|(_, _, _, ended, _)| ended.map(|(at, _)| at)).collect();
    assert_eq!(ends, [Some(at(35)), Some(at(105))]);
}

#[test]
fn a_rule_that_fails_is_named_and_more_steps_than_there_may_be_are_taken_together() {
    let (mut engine, _) = live(RULES, &VALUES);
    let failing = "groups: [{name: g, interval: 50ms, rules: [{alert: Twice, expr: 'load + on () group_left () {__name__=~\"load|load:doubled\"}'}]}]";
    let rehearsal = rehearsed(&mut engine, failing);
    assert_eq!(rehearsal.failures.len(), 1, "{rehearsal:?}");
    assert_eq!(rehearsal.failures[0].0.as_ref(), "g-twice");
    assert_eq!(rehearsal.every, Duration::from_millis(200));
}

/// Ends after so many questions.
struct Short(AtomicU32);

impl Patience for Short {
    fn ended(&self) -> Option<Halt> {
        let left = self.0.load(Ordering::Relaxed).saturating_sub(1);
        self.0.store(left, Ordering::Relaxed);
        (left == 0).then_some(Halt::TimedOut)
    }
}

#[test]
fn what_there_is_no_time_for_is_left_out_and_said() {
    let (mut engine, _) = live(RULES, &VALUES);
    let whole = rehearsed(&mut engine, RULES);
    let instant = engine.freeze(at(5 * VALUES.len() as u64));
    let settings = EvalSettings::default();
    let terms = QueryTerms { settings: &settings, patience: &Short(AtomicU32::new(200)) };
    let rehearsal =
        instant.rehearse(&rule_set(RULES), RuleSettings::of(&config()), (Duration::from_hours(1), terms));
    assert!(rehearsal.is_cut_short && rehearsal.to < whole.to, "{rehearsal:?}");
    assert!(rehearsal.episodes.len() < whole.episodes.len());
    assert_eq!(rehearsal.failures, []);
}
