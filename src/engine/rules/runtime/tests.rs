//! Cases from `tests/rules/evaluations.txt`, each a rule file, samples and evaluations, and the events that follow;
//! and the promises of schedule, reload and views.

use proptest::prelude::*;

use super::*;
use crate::engine::metric::MetricType;
use crate::engine::promql::ast::Node;
use crate::engine::promql::storage::{MatchCondition, STALE_BITS, Selection};
use crate::engine::promql::{Sample, SelectedSeries, Storage, Value};
use crate::engine::rules::load::for_tests::rule_set;
use crate::engine::rules::reads::MovedSeries;
use crate::engine::rules::view::{Health, KindView};
use crate::engine::rules::{Evidence, event};
use crate::engine::series::Ordinal;

const CASES: &str = include_str!("../../../../tests/rules/evaluations.txt");

/// Samples by series; every sample was moved by the event whose id is its second.
#[derive(Default)]
pub(super) struct Memory(BTreeMap<Labels, Vec<(i64, f64)>>);

impl Memory {
    /// A sample of a series at a second.
    pub(super) fn set(&mut self, name: &str, labels: &[(&str, &str)], (second, value): (f64, f64)) {
        let labels = Labels::collect(labels.iter().copied()).with("__name__", name);
        self.0.entry(labels).or_default().push(((second * 1e3) as i64, value));
    }
}

impl Storage for Memory {
    fn select(&self, selection: Selection<'_>) -> Vec<SelectedSeries> {
        let inside = |time: i64| (selection.start_ms..=selection.end_ms).contains(&time);
        let matching = self.0.iter().filter(|(labels, _)| matches(selection.matchers, labels));
        matching
            .map(|(labels, samples)| {
                let samples = samples.iter().filter(|(time, _)| inside(*time));
                let samples = samples.map(|(time_ms, value)| Sample {
                    time_ms: *time_ms,
                    value: Value::Float(*value),
                    start_ms: None,
                });
                SelectedSeries::whole(labels.clone(), samples.collect())
            })
            .filter(|series| !series.samples.is_empty())
            .collect()
    }
}

impl RuleStorage for Memory {
    fn append(&mut self, labels: &Labels, time_ms: i64, value: Option<Value>) {
        let value = match value {
            Some(Value::Float(value)) => value,
            Some(Value::Histogram(_)) => f64::NAN,
            None => f64::from_bits(STALE_BITS),
        };
        self.0.entry(labels.clone()).or_default().push((time_ms, value));
    }

    fn metric_type(&self, _sample: &str) -> Option<MetricType> {
        None
    }

    fn evidence(&self, selectors: &[Vec<Matcher>], _labels: &Labels) -> Evidence {
        let series = self.0.iter().filter(|(labels, _)| selectors.iter().any(|one| matches(one, labels)));
        let last = series.filter_map(|(_, samples)| samples.last()).map(|(time, _)| *time / 1_000).max();
        let events = last.into_iter().map(|second| EventId(second as u128)).collect();
        Evidence { events, newest: None }
    }
}

fn matches(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.condition.holds(labels.get(&matcher.name).unwrap_or("")))
}

pub(super) fn at(seconds: f64) -> Timestamp {
    Timestamp::from_millis((seconds * 1e3) as i64)
}

/// `name{label="value"}` as labels.
fn series(text: &str) -> Labels {
    let Node::Vector(selector) = promql::parse(text).unwrap().node else { panic!("{text}") };
    Labels::collect(selector.matchers.into_iter().map(|matcher| {
        let MatchCondition::Equal(value) = matcher.condition else { panic!("{text}") };
        (matcher.name, value)
    }))
}

/// Events since the last call as lines, which are confirmed.
pub(super) fn events(rules: &mut Rules) -> Vec<String> {
    let ids: Vec<EventId> = rules.outbox().map(|event| event.id).collect();
    let events = ids.into_iter().filter_map(|id| rules.confirm(id));
    events
        .map(|event| {
            let labels = event.labels.filtered(|name| name != "alertname");
            let evidence: Vec<String> = event.evidence.iter().map(|id| id.0.to_string()).collect();
            let what = match &event.kind {
                event::AlertEventKind::Triggered { metric_name, current_value, threshold, message } => {
                    format!(
                        "triggered {labels} {metric_name}={current_value} threshold {threshold}: {message}"
                    )
                }
                event::AlertEventKind::Cleared { reason, value } => {
                    let seconds = event.duration().as_secs();
                    format!("cleared {labels} {} {value:?} after {seconds}s", reason.name())
                }
            };
            let severity = event.severity.name();
            format!("> {} {severity} {what} [{}]", event.alert_name, evidence.join(" "))
        })
        .collect()
}

/// The annotations of every alert as lines.
fn texts(rules: &Rules) -> String {
    let rules = rules.groups().into_iter().flat_map(|group| group.rules);
    let alerts = rules.filter_map(|rule| match rule.kind {
        KindView::Alerting { alerts, .. } => Some(alerts),
        KindView::Recording => None,
    });
    let texts = alerts.flatten().flat_map(|alert| alert.annotations);
    let lines: Vec<String> = texts.map(|(name, text)| format!("> {name}: {text}\n")).collect();
    lines.concat()
}

/// Runs a case; its script with the actual events.
fn run(rules_text: &str, script: &str) -> String {
    let mut rules = Rules::new(rule_set(rules_text), RuleSettings::new("test"), at(0.0));
    let mut memory = Memory::default();
    let mut actual = String::new();
    for line in script.lines().filter(|line| !line.starts_with('>')) {
        actual.extend([line, "\n"]);
        let Some((second, step)) = line.split_once(' ') else { continue };
        let now = at(second.parse().unwrap());
        match step.rsplit_once(' ') {
            Some(("reload", change)) => {
                let (from, to) = change.split_once("=>").unwrap();
                let text = rules_text.replace(from, to);
                assert_ne!(text, rules_text, "{line}");
                rules.replace(rule_set(&text), Ordinal::default(), now);
            }
            Some((name, "gone")) => memory.append(&series(name), now.millis(), None),
            Some((name, value)) => {
                memory.append(&series(name), now.millis(), Some(Value::Float(value.parse().unwrap())));
            }
            None if step == "texts" => actual.push_str(&texts(&rules)),
            None if step == "eval" => {
                for group in 0..rules.groups.len() {
                    rules.evaluate_group(group, &mut memory, now);
                }
            }
            None => panic!("{line}"),
        }
        for event in events(&mut rules) {
            actual.extend([event.as_str(), "\n"]);
        }
        for rule in rules.groups().iter().flat_map(|group| group.rules.clone()) {
            if let Health::Err(error) = rule.health {
                actual.extend([format!("> error {}: {error}\n", rule.name)]);
            }
        }
    }
    actual
}

#[test]
fn every_case_yields_the_events_it_says() {
    let mut actual = CASES.split("\n== ").next().unwrap().to_owned();
    for case in CASES.split("\n== ").skip(1) {
        let (name, body) = case.split_once('\n').unwrap();
        let (rules, script) = body.split_once("\n--\n").unwrap();
        actual.extend([format!("\n== {name}\n{rules}\n--\n{}", run(rules, script))]);
    }
    if actual.trim_end() != CASES.trim_end() {
        println!("<<<<\n{actual}>>>>");
        panic!("the events are not those of tests/rules/evaluations.txt");
    }
}

const DEPTH: &str = "
groups:
- {name: g, rules: [{record: total, expr: sum(depth)}, {alert: Deep, expr: total > 5}, {alert: Other, expr: other > 1}]}
- {name: slow, evaluate: interval, rules: [{alert: Slow, expr: depth > 5}]}
";

#[test]
fn an_arrival_evaluates_what_reads_it_and_what_reads_that() {
    let mut rules = Rules::new(rule_set(DEPTH), RuleSettings::new("test"), at(0.0));
    let mut memory = Memory::default();
    let start = at(100.0);
    rules.run_due(&mut memory, start);
    assert_eq!(rules.reads().count(), 4);
    memory.append(&series("depth"), start.millis(), Some(Value::Float(9.0)));
    let moved = MovedSeries { labels: Labels::empty(), readers: Arc::from([0, 3]) };
    rules.moved(&[moved], start);
    assert_eq!(rules.next_due(), Some(start));
    assert_eq!(rules.run_due(&mut memory, start), [0, 1]);
    let event = rules.outbox().next().unwrap();
    assert_eq!((event.alert_name.as_ref(), event.moved_at), ("Deep", Some(start)));
    assert!(rules.next_due().unwrap() > start);
}

#[test]
fn the_recorded_and_the_alert_series_are_written_and_end() {
    let mut rules = Rules::new(rule_set(DEPTH), RuleSettings::new("test"), at(0.0));
    let mut memory = Memory::default();
    for (second, value) in [(10, Some(9.0)), (20, Some(1.0)), (30, None)] {
        memory.append(&series("depth"), second * 1_000, value.map(Value::Float));
        rules.evaluate_group(0, &mut memory, at(second as f64));
    }
    let samples = |name: &str| {
        let of_series = memory.0.get(&series(name)).unwrap();
        of_series.iter().map(|(time, value)| (*time, (!value.is_nan()).then_some(*value))).collect::<Vec<_>>()
    };
    assert_eq!(samples("total"), [(10_000, Some(9.0)), (20_000, Some(1.0)), (30_000, None)]);
    assert_eq!(
        samples("ALERTS{alertname=\"Deep\",alertstate=\"firing\"}"),
        [(10_000, Some(1.0)), (20_000, None)]
    );
    assert_eq!(samples("ALERTS_FOR_STATE{alertname=\"Deep\"}"), [(10_000, Some(10.0)), (20_000, None)]);
}

#[test]
fn prometheus_limits_end_every_alert_of_the_rule() {
    let text = "groups: [{name: g, limit: 1, rules: [{alert: Deep, expr: depth > 5}]}]";
    let settings = RuleSettings { semantics: Semantics::Prometheus, ..RuleSettings::new("test") };
    let mut rules = Rules::new(rule_set(text), settings, at(0.0));
    let mut memory = Memory::default();
    memory.append(&series("depth{q=\"a\"}"), 1_000, Some(Value::Float(9.0)));
    rules.evaluate_group(0, &mut memory, at(1.0));
    assert_eq!(rules.alerts().len(), 1);
    memory.append(&series("depth{q=\"b\"}"), 2_000, Some(Value::Float(9.0)));
    rules.evaluate_group(0, &mut memory, at(2.0));
    assert_eq!(rules.alerts().len(), 0);
    assert_eq!(rules.groups()[0].rules[0].health.last_error(), "exceeded limit of 1 with 2 alerts");
}

#[test]
fn readers_see_state_value_threshold_and_texts() {
    let text = "
groups:
- name: g
  rules:
  - {alert: Deep, expr: depth, above: 5, for: 10s, annotations: {summary: '{{ $labels.q }} holds {{ $value }}'}}
";
    let mut rules = Rules::new(rule_set(text), RuleSettings::new("test"), at(0.0));
    let mut memory = Memory::default();
    memory.append(&series("depth{q=\"a\"}"), 1_000, Some(Value::Float(9.0)));
    rules.evaluate_group(0, &mut memory, at(1.0));
    let alerts = rules.alerts();
    let alert = &alerts[0];
    assert_eq!(alert.labels.to_string(), r#"{alertname="Deep", q="a"}"#);
    assert_eq!((alert.state.name(), alert.value, alert.threshold), ("pending", 9.0, Some(5.0)));
    assert_eq!(alert.annotations[0].1, "a holds 9");
    assert_eq!((alert.active_at, alert.fired_at), (at(1.0), None));
    rules.evaluate_group(0, &mut memory, at(11.0));
    assert_eq!((rules.alerts()[0].state.name(), rules.alerts()[0].fired_at), ("firing", Some(at(11.0))));
}

/// One thing that happens to a rule set.
#[derive(Clone, Debug)]
enum Happening {
    Value(usize, f64),
    Gone(usize),
    Evaluate,
    Reload(usize),
}

/// The same rules in versions that a reload changes in every way.
const VERSIONS: [&str; 4] = [
    "groups: [{name: g, limit: 3, rules: [
        {alert: Own, expr: 'depth > 5', for: 10s, keep_firing_for: 10s, labels: {level: '{{ $value }}'}},
        {alert: Levels, expr: depth, severities: {warning: {above: 3, clear_below: 2}, critical: {above: 7, for: 5s}}},
        {alert: Quiet, expr: depth, below: 1, no_data: alert, for: 5s}]}]",
    "groups: [{name: g, rules: [
        {alert: Own, expr: 'depth > 5', for: 1h, labels: {level: '{{ $value }}'}},
        {alert: Levels, expr: depth, severities: {warning: {above: 4}, critical: {above: 7, for: 5s}}},
        {alert: Quiet, expr: depth, below: 1, no_data: keep}]}]",
    "groups: [{name: g, limit: 1, rules: [{alert: Levels, expr: 'depth * 2', above: 3, keep_firing_for: 20s}]}]",
    "groups: []",
];

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        6 => (0..4_usize, 0..10_i32).prop_map(|(series, value)| Happening::Value(series, f64::from(value))),
        2 => (0..4_usize).prop_map(Happening::Gone),
        8 => Just(Happening::Evaluate),
        1 => (0..4_usize).prop_map(Happening::Reload),
    ];
    prop::collection::vec(one, 1..120)
}

proptest! {
    #[test]
    fn every_alert_alternates_whatever_happens(happenings in happenings()) {
        let mut rules = Rules::new(rule_set(VERSIONS[0]), RuleSettings::new("test"), at(0.0));
        let mut memory = Memory::default();
        let mut open: BTreeMap<(Arc<str>, Labels), Timestamp> = BTreeMap::new();
        let mut ids = BTreeSet::new();
        let names: Vec<Labels> = (0..4).map(|number| series(&format!("depth{{q=\"{number}\"}}"))).collect();
        let last = [Happening::Evaluate, Happening::Reload(3)];
        for (second, happening) in happenings.into_iter().chain(last).enumerate() {
            let now = at(second as f64 * 3.0);
            match happening {
                Happening::Value(series, value) => memory.append(&names[series], now.millis(), Some(Value::Float(value))),
                Happening::Gone(series) => memory.append(&names[series], now.millis(), None),
                Happening::Reload(version) => rules.replace(rule_set(VERSIONS[version]), Ordinal::default(), now),
                Happening::Evaluate => {
                    for group in 0..rules.groups.len() {
                        rules.evaluate_group(group, &mut memory, now);
                    }
                }
            }
            let waiting: Vec<EventId> = rules.outbox().map(|event| event.id).collect();
            for event in waiting.into_iter().filter_map(|id| rules.confirm(id)) {
                prop_assert!(ids.insert(event.id), "an id is used once");
                let key = (event.rule_id.clone(), event.labels.filtered(|name| name != "severity"));
                match event.kind {
                    event::AlertEventKind::Triggered { current_value, threshold, .. } => {
                        prop_assert!(current_value.is_finite() && threshold.is_finite());
                        prop_assert_eq!(open.insert(key, event.started_at), None, "triggered twice");
                    }
                    event::AlertEventKind::Cleared { .. } => {
                        prop_assert_eq!(open.remove(&key), Some(event.started_at), "cleared without a trigger");
                    }
                }
            }
        }
        prop_assert!(open.is_empty(), "a rule that is gone leaves nothing open");
    }
}
