//! What Alertmanagers are told: cases from `tests/rules/notifications.txt`, through the whole engine.

use super::super::arrival::Ending;
use super::super::checkpoint::SavedState;
use super::*;
use crate::engine::config::Grid;

const CASES: &str = include_str!("../../../tests/rules/notifications.txt");

fn rule_set(text: &str) -> RuleSet {
    let source = diagnostic::Source { name: "rules.yaml".into(), text: text.into() };
    let metrics = catalogue::KnownMetrics::default();
    let context = LoadContext { interval: INTERVAL_DEFAULT, metrics: &metrics, previous: None };
    let loaded = rules::load::load(&[source], &context);
    assert!(loaded.is_good(), "{text}: {:?}", loaded.diagnostics);
    loaded.set
}

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

/// Lets time pass up to an instant, as a driver does.
fn pass(engine: &mut Engine, until: Timestamp, lines: &mut Vec<String>) {
    while engine.next_tick() <= until {
        let now = engine.next_tick();
        engine.tick(now);
        lines.append(&mut told(engine, now));
    }
}

/// Runs a case; its script with what was told.
fn run(settings: &str, rules: &str, script: &str) -> String {
    let mut engine = Engine::new(&config(settings), rule_set(rules), at(0));
    let (mut actual, mut before) = (Vec::new(), at(0));
    for (number, line) in script.lines().filter(|line| !line.starts_with('>')).enumerate() {
        let (second, step) = line.split_once(' ').unwrap();
        let now = at(second.parse().unwrap());
        let mut lines = Vec::new();
        // A restart takes the time since the step before it.
        if step != "restart" {
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
            _ if step == "restart" => {
                let saved = SavedState::read(&engine.save(before).to_bytes()).unwrap();
                let set = rule_set(rules);
                engine = Engine::restore(&config(settings), set, saved, Ending::Clean).unwrap().0;
                engine.go_on(now);
            }
            _ => assert_eq!(step, "passes"),
        }
        actual.append(&mut told(&mut engine, now));
    }
    actual.join("\n")
}

#[test]
fn alertmanagers_are_told_what_the_cases_say() {
    let mut actual = CASES.split("\n== ").next().unwrap().to_owned();
    for case in CASES.split("\n== ").skip(1) {
        let (name, body) = case.split_once('\n').unwrap();
        let (settings, body) = body.split_once('\n').unwrap();
        let (rules, script) = body.split_once("\n--\n").unwrap();
        actual.extend([format!("\n== {name}\n{settings}\n{rules}\n--\n{}\n", run(settings, rules, script))]);
    }
    if actual.trim_end() != CASES.trim_end() {
        println!("<<<<\n{actual}>>>>");
        panic!("what is told is not what tests/rules/notifications.txt says");
    }
}
