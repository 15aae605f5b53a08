//! What Alertmanagers are told and what APIs show meanwhile: cases from `tests/rules/notifications.txt` and
//! `tests/rules/alert_generator.txt`, through the whole engine.

use super::super::arrival::RunEnding;
use super::super::checkpoint::SavedState;
use super::*;
use crate::engine::config::Grid;
use crate::engine::frozen::QueryTerms;
use crate::engine::promql::storage::Endless;
use crate::engine::promql::{EvalSettings, QueryValue, Value, parse};
use crate::engine::rules::load::for_tests::rule_set;
use crate::engine::rules::view::KindView;
use crate::engine::rules::{AlertEvent, LogRecord};

const NOTIFICATIONS: &str = include_str!("../../../tests/rules/notifications.txt");
const ALERT_GENERATOR: &str = include_str!("../../../tests/rules/alert_generator.txt");

/// A configuration with what a line of a case sets.
fn config(line: &str) -> Config {
    let source = diagnostic::Source { name: "signalbox.yaml".into(), text: line.into() };
    let (config, diagnostics) = Config::parse(&source);
    let config = config.unwrap_or_else(|| panic!("{line}: {diagnostics:?}"));
    Config { grid: Grid::From(at(0)), ..config }.named("test")
}

/// An event that sets the gauge `name{tank="tank"}`.
fn gauge(name: &str, number: usize) -> (String, String) {
    let (name, rest) = name.split_once(' ').unwrap();
    let (tank, value) = rest.split_once('=').unwrap();
    let value = if value == "NaN" { r#""NaN""# } else { value };
    let payload = format!(
        r#"{{"event_id":"00000000-0000-4000-8000-{number:012x}","timestamp":"2025-11-24T16:00:00Z","event_type":"MetricRecorded",
        "metric_name":"{name}","metric_type":"gauge","metric_value":{value},"tags":{{"tank":"{tank}"}}}}"#
    );
    ("events.monitoring.MetricRecorded".to_owned(), payload)
}

/// What is to be told, as lines in seconds since the start.
fn told(engine: &mut Engine, now: Timestamp) -> Vec<String> {
    let second = |time: Timestamp| time.since(at(0)).as_secs_f64();
    let line = |word: Notification| {
        let texts: Vec<&str> = word.annotations.iter().map(|(_, text)| text.as_str()).collect();
        let url = word.generator_url.map(|url| format!(" {url}")).unwrap_or_default();
        let (begin, end) = (second(word.starts_at), second(word.ends_at));
        format!("> {} {} from {begin} to {end}{url} [{}]", second(now), word.labels, texts.join(" "))
    };
    engine.take_notifications().into_iter().map(line).collect()
}

/// What APIs and series show, as lines in seconds since the start.
fn shown(engine: &mut Engine, now: Timestamp) -> Vec<String> {
    let second = |time: Timestamp| time.since(at(0)).as_secs_f64();
    let instant = engine.freeze(now);
    let mut lines = Vec::new();
    for rule in instant.groups().iter().flat_map(|group| &group.rules) {
        let KindView::Alerting { state, alerts, .. } = &rule.kind else { continue };
        let error = Some(rule.health.last_error()).filter(|error| !error.is_empty());
        let error = error.map(|error| format!(": {error}")).unwrap_or_default();
        lines.push(format!("> rule {} {} {}{error}", rule.name, state.name(), rule.health.name()));
        for alert in alerts {
            let texts: Vec<&str> = alert.annotations.iter().map(|(_, text)| text.as_str()).collect();
            let (since, value) = (second(alert.active_at), alert.value);
            let state = alert.state.name();
            lines.push(format!(
                "> {state} since {since} value {value} {} [{}]",
                alert.labels,
                texts.join(" ")
            ));
        }
    }
    let terms = QueryTerms { settings: &EvalSettings::default(), patience: &Endless };
    for name in ["ALERTS", "ALERTS_FOR_STATE"] {
        let found = instant.query_instant(&parse(name).unwrap(), now, terms).unwrap();
        let QueryValue::Vector(samples) = found.value else { panic!("no vector") };
        for (labels, value) in samples {
            let Value::Float(value) = value else { panic!("no number") };
            let value = if name == "ALERTS" { value } else { value - second_of_start() };
            lines.push(format!("> series {labels} {value}"));
        }
    }
    lines
}

/// The start as `ALERTS_FOR_STATE` writes it.
fn second_of_start() -> f64 {
    at(0).millis() as f64 / 1e3
}

/// Lets time pass up to an instant, as a driver does.
fn pass(engine: &mut Engine, until: Timestamp, lines: &mut Vec<String>) {
    while engine.next_tick() <= until {
        let now = engine.next_tick();
        engine.tick(now);
        lines.append(&mut told(engine, now));
    }
}

/// An engine that goes on from a checkpoint and the log since.
fn restored((settings, rules): (&str, &str), checkpoint: &[u8], log: &[LogRecord]) -> Engine {
    let saved = SavedState::read(checkpoint).unwrap();
    let ending = if log.is_empty() { RunEnding::Clean } else { RunEnding::Crash };
    let mut engine = Engine::restore(&config(settings), rule_set(rules), saved, ending).unwrap().0;
    engine.recall(log);
    engine
}

fn decided(event: AlertEvent) -> LogRecord {
    LogRecord::Decided { event: Box::new(event), sequence: 0, essence: None }
}

/// Runs a case; its script with what was told.
fn run(settings: &str, rules: &str, script: &str) -> String {
    let mut engine = Engine::new(&config(settings), rule_set(rules), at(0));
    let (mut actual, mut before) = (Vec::new(), at(0));
    let mut checkpoint = (engine.save(at(0)).to_bytes(), 0);
    for (number, line) in script.lines().filter(|line| !line.starts_with('>')).enumerate() {
        let (second, step) = line.split_once(' ').unwrap();
        let now = at(second.parse().unwrap());
        let mut lines = Vec::new();
        // Between an end and the start after it nobody is there.
        if step != "restart" && step != "start" && step != "lost" {
            pass(&mut engine, now, &mut lines);
            before = now;
        }
        actual.append(&mut lines);
        actual.push(line.to_owned());
        match step.split_once(' ') {
            Some(("set", text)) => {
                let (subject, payload) = gauge(text, number + 1);
                let message = Message { subject: &subject, headers: &[], payload: payload.as_bytes() };
                assert_eq!(engine.apply(Lane::Core, &[message], now), []);
            }
            Some(("reload", change)) => {
                let (from, to) = change.split_once("=>").unwrap();
                assert!(rules.contains(from), "{line}");
                engine.replace_rules(rule_set(&rules.replace(from, to)), now);
            }
            Some(("config", text)) => drop(engine.reconfigure(&config(text), now)),
            _ if step == "saves" => checkpoint = (engine.save(now).to_bytes(), engine.outbox().count()),
            _ if step == "restart" => {
                let bytes = engine.save(before).to_bytes();
                engine = restored((settings, rules), &bytes, &[]);
                engine.go_on(now);
            }
            _ if step == "start" => {
                let since = engine.outbox().skip(checkpoint.1).cloned().map(decided);
                engine = restored((settings, rules), &checkpoint.0, &since.collect::<Vec<_>>());
                engine.go_on(now);
            }
            _ if step == "lost" => {
                // What was decided since is in no log.
                engine = restored((settings, rules), &checkpoint.0, &[]);
                engine.go_on(now);
            }
            _ if step == "shows" => actual.append(&mut shown(&mut engine, now)),
            _ => assert_eq!(step, "passes"),
        }
        actual.append(&mut told(&mut engine, now));
    }
    actual.join("\n")
}

fn hold(cases: &str, file: &str) {
    let mut actual = cases.split("\n== ").next().unwrap().to_owned();
    for case in cases.split("\n== ").skip(1) {
        let (name, body) = case.split_once('\n').unwrap();
        let (settings, body) = body.split_once('\n').unwrap();
        let (rules, script) = body.split_once("\n--\n").unwrap();
        actual.extend([format!("\n== {name}\n{settings}\n{rules}\n--\n{}\n", run(settings, rules, script))]);
    }
    if actual.trim_end() != cases.trim_end() {
        println!("<<<<\n{actual}>>>>");
        panic!("what is told and shown is not what tests/rules/{file} says");
    }
}

#[test]
fn alertmanagers_are_told_what_the_cases_say() {
    hold(NOTIFICATIONS, "notifications.txt");
}

#[test]
fn alerts_begin_wait_and_end_as_the_alert_generator_compliance_says() {
    hold(ALERT_GENERATOR, "alert_generator.txt");
}

#[test]
fn what_ends_with_its_rule_at_a_start_is_told_though_the_state_does_not_know_that_it_was_told() {
    let rules = "groups: [{name: g, rules: [{alert: Deep, expr: level > 10}]}]";
    let mut engine = Engine::new(&config(""), rule_set(rules), at(0));
    let (subject, payload) = gauge("level north=20", 1);
    let message = Message { subject: &subject, headers: &[], payload: payload.as_bytes() };
    engine.apply(Lane::Core, &[message], at(1));
    let checkpoint = engine.save(at(2)).to_bytes();
    let settings = "alertmanager: {urls: 'http://a'}";
    let mut engine = restored((settings, "groups: []"), &checkpoint, &[]);
    engine.go_on(at(3));
    let mut lines = told(&mut engine, at(3));
    pass(&mut engine, at(5), &mut lines);
    assert_eq!(lines, [r#"> 5 {alertname="Deep", tank="north"} from 1 to 2 []"#]);
}
