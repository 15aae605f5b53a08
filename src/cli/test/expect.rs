//! What a test expects beside what there was; each difference is a text for people.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde_json::Value as Json;

use super::file::{AlertTest, Comparison, ExpectedAlert, ExpectedSample, ExprTest};
use crate::engine::labels::Labels;
use crate::engine::promql::histogram::{FloatHistogram, ResetHint};
use crate::engine::promql::{QueryValue, Value};
use crate::engine::rules::AlertEvent;
use crate::engine::time::Timestamp;
use crate::engine::yaml::units;

/// How far two numbers of a transition may be apart, as a part of the larger.
const TOLERANCE: f64 = 1e-9;

/// What is different about the alerts that fire, if anything.
pub(super) fn alerts(test: &AlertTest, mut got: Vec<ExpectedAlert>) -> Option<String> {
    let mut expected = test.expected.clone();
    expected.sort();
    got.sort();
    if expected == got {
        return None;
    }
    let mut text = format!("alert {} at {}:\n", test.name, units::duration_text(test.time));
    list(&mut text, "expected", expected.iter().map(alert_text));
    list(&mut text, "got", got.iter().map(alert_text));
    Some(text)
}

fn alert_text(alert: &ExpectedAlert) -> String {
    let annotations: BTreeMap<&String, &String> = alert.annotations.iter().collect();
    format!("labels {} annotations {annotations:?}", alert.labels)
}

fn list(text: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let mut is_empty = true;
    for line in lines {
        is_empty = false;
        // Writing to a text does not fail.
        let _ = writeln!(text, "  {title}: {line}");
    }
    if is_empty {
        let _ = writeln!(text, "  {title}: nothing");
    }
}

/// What is different about an expression's result, if anything.
pub(super) fn samples(test: &ExprTest, got: QueryValue, comparison: Comparison) -> Option<String> {
    let heading = format!("{} at {}:\n", test.query.trim(), units::duration_text(test.time));
    let mut got = match got {
        QueryValue::Scalar(value) => vec![(Labels::empty(), Value::Float(value))],
        QueryValue::Vector(samples) => samples,
        QueryValue::String(_) | QueryValue::Matrix(_) => {
            return Some(format!("{heading}  it yields neither samples nor a number\n"));
        }
    };
    let mut expected: Vec<ExpectedSample> = test.expected.clone();
    expected.sort_by(|left, right| left.labels.cmp(&right.labels));
    got.sort_by(|left, right| left.0.cmp(&right.0));
    let is_same = expected.len() == got.len()
        && expected.iter().zip(&got).all(|(expected, (labels, value))| {
            expected.labels == *labels && same_value(&expected.value, value, comparison)
        });
    if is_same {
        return None;
    }
    let mut text = heading;
    list(&mut text, "expected", expected.iter().map(|sample| sample_text(&sample.labels, &sample.value)));
    list(&mut text, "got", got.iter().map(|(labels, value)| sample_text(labels, value)));
    Some(text)
}

fn sample_text(labels: &Labels, value: &Value) -> String {
    match value {
        Value::Float(number) => format!("{labels} {number:?}"),
        Value::Histogram(histogram) => format!("{labels} {}", histogram.notation()),
    }
}

fn same_value(expected: &Value, got: &Value, comparison: Comparison) -> bool {
    match (expected, got) {
        (Value::Float(expected), Value::Float(got)) => {
            let neighbours = || expected.next_up() == *got || expected.next_down() == *got;
            expected == got
                || expected.is_nan() && got.is_nan()
                || comparison == Comparison::Fuzzy && neighbours()
        }
        (Value::Histogram(expected), Value::Histogram(got)) => {
            // A hint counts only where one is written; empty buckets are no difference.
            let hint =
                if expected.reset_hint == ResetHint::Unknown { ResetHint::Unknown } else { got.reset_hint };
            let plain = |histogram: &FloatHistogram| histogram.clone().compacted();
            plain(expected) == plain(got).hinted(hint)
        }
        (Value::Float(_), Value::Histogram(_)) | (Value::Histogram(_), Value::Float(_)) => false,
    }
}

/// What is different about the transitions, if anything; `zero` is the instant their times count from.
pub(super) fn transitions(
    expected: &[serde_json::Map<String, Json>],
    got: &[AlertEvent],
    zero: Timestamp,
) -> Option<String> {
    let mut text = String::new();
    for place in 0..expected.len().max(got.len()) {
        let fault = match (expected.get(place), got.get(place)) {
            (Some(expected), Some(got)) => transition(expected, got, zero),
            (Some(_), None) => Some("there was none".to_owned()),
            (None, _) => Some("it was not expected".to_owned()),
        };
        if let Some(fault) = fault {
            let _ = writeln!(text, "transition {}: {fault}", place + 1);
            if let Some(expected) = expected.get(place) {
                let _ = writeln!(text, "  expected: {}", Json::Object(expected.clone()));
            }
            if let Some(got) = got.get(place) {
                let _ = writeln!(text, "  got: {}", transition_text(got, zero));
            }
        }
    }
    (!text.is_empty()).then_some(text)
}

fn transition_text(event: &AlertEvent, zero: Timestamp) -> String {
    let mut fields = serde_json::Map::new();
    fields.insert("time".to_owned(), units::duration_text(event.timestamp.since(zero)).into());
    fields.extend(event.fields());
    for name in ["event_id", "event_version", "timestamp", "started_at", "fingerprint"] {
        fields.remove(name);
    }
    Json::Object(fields).to_string()
}

fn transition(expected: &serde_json::Map<String, Json>, got: &AlertEvent, zero: Timestamp) -> Option<String> {
    let fields = got.fields();
    for (name, wanted) in expected {
        match name.as_str() {
            "time" => {
                let there = got.timestamp.since(zero);
                // A duration is written in whole milliseconds, an event's time may be finer.
                if time(wanted).map(|wanted| wanted.as_millis()) != Some(there.as_millis()) {
                    return Some(format!("its time is {}", units::duration_text(there)));
                }
            }
            "kind" => {
                if wanted.as_str() != Some(got.event_type().name()) {
                    return Some(format!("it is {}", got.event_type().name()));
                }
            }
            _ => match fields.get(name) {
                Some(there) if is_part(wanted, there) => {}
                Some(there) => return Some(format!("`{name}` is {there}")),
                None => return Some(format!("it has no field `{name}`")),
            },
        }
    }
    None
}

/// A time from 0: a duration, or seconds; none where it is neither, which matches nothing.
fn time(wanted: &Json) -> Option<Duration> {
    match wanted {
        Json::String(text) => units::duration(text),
        Json::Number(number) => number.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

/// Whether everything wanted is there; objects may have more.
fn is_part(wanted: &Json, there: &Json) -> bool {
    match (wanted, there) {
        (Json::Object(wanted), Json::Object(there)) => {
            wanted.iter().all(|(name, wanted)| there.get(name).is_some_and(|there| is_part(wanted, there)))
        }
        (Json::Array(wanted), Json::Array(there)) => {
            wanted.len() == there.len()
                && wanted.iter().zip(there).all(|(wanted, there)| is_part(wanted, there))
        }
        (Json::Number(wanted), Json::Number(there)) => {
            let (wanted, there) = (wanted.as_f64().unwrap_or(f64::NAN), there.as_f64().unwrap_or(f64::NAN));
            (wanted - there).abs() <= TOLERANCE * wanted.abs().max(there.abs())
        }
        // A label `code: 500` is a number in YAML and a text in the event.
        (Json::Number(wanted), Json::String(there)) => *there == wanted.to_string(),
        (Json::Bool(wanted), Json::String(there)) => there == if *wanted { "true" } else { "false" },
        _ => wanted == there,
    }
}
