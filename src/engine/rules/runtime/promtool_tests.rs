//! Alerts as Prometheus' own promtool (2.42) has them: `tests/rules/promtool_alerts.json` holds rules, random series
//! and what promtool said fires at each minute, with labels and annotations.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::tests::{Memory, at};
use super::*;
use crate::engine::promql::Value;
use crate::engine::promql::series_notation::{Line, line};
use crate::engine::rules::load::for_tests::rule_set;
use crate::engine::rules::view::AlertingState;

const CASES: &str = include_str!("../../../../tests/rules/promtool_alerts.json");

#[derive(Deserialize)]
struct Cases {
    rules: String,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    series: BTreeMap<String, String>,
    firing: BTreeMap<String, Vec<(Texts, Texts)>>,
}

type Texts = BTreeMap<String, String>;

/// The series over time, a point a minute; an omitted point is none.
fn memory(case: &Case) -> Memory {
    let mut memory = Memory::default();
    for (series, values) in &case.series {
        let Line::Points(labels, points) = line(&format!("{series} {values}")).unwrap() else {
            panic!("{series}")
        };
        for (minute, point) in (0_i64..).zip(points) {
            if let Some(Value::Float(value)) = point {
                memory.append(&labels, minute * 60_000, Some(Value::Float(value)));
            }
        }
    }
    memory
}

fn firing(rules: &Rules) -> Vec<(Texts, Texts)> {
    let firing = rules.alerts().into_iter().filter(|alert| alert.state == AlertingState::Firing);
    let mut firing: Vec<(Texts, Texts)> = firing
        .map(|alert| {
            let labels = alert.labels.iter().map(|(name, value)| (name.to_string(), value.to_string()));
            let annotations = alert.annotations.into_iter().map(|(name, text)| (name.to_string(), text));
            (labels.collect(), annotations.collect())
        })
        .collect();
    firing.sort();
    firing
}

#[test]
fn alerts_fire_when_and_as_promtool_says() {
    let cases: Cases = serde_json::from_str(CASES).unwrap();
    for (number, case) in cases.tests.iter().enumerate() {
        let settings = RuleSettings { semantics: Semantics::Prometheus, ..RuleSettings::new("test") };
        let mut rules = Rules::new(rule_set(&cases.rules), settings, at(0.0));
        let mut memory = memory(case);
        for minute in 0..25 {
            rules.evaluate_group(0, &mut memory, at(f64::from(minute) * 60.0));
            let mut expected = case.firing.get(&minute.to_string()).cloned().unwrap_or_default();
            expected.sort();
            assert_eq!(firing(&rules), expected, "test {number}, minute {minute}");
        }
    }
}
