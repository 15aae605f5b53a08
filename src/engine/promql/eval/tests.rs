//! What queries yield, over small storages written in the series notation.

use super::super::storage::{Extent, Matcher, Selection};
use super::super::{parse, series_notation};
use super::*;
use crate::engine::labels::Labels;

/// Series one minute apart from the epoch on.
struct Minutes(Vec<SelectedSeries>);

impl Minutes {
    fn new(lines: &[&str]) -> Self {
        Self(lines.iter().map(|line| series(line)).collect())
    }
}

fn series(line: &str) -> SelectedSeries {
    let series_notation::Line::Points(labels, points) = series_notation::line(line).unwrap() else {
        panic!("{line} has no points")
    };
    let samples = (0..)
        .step_by(60_000)
        .zip(points)
        .filter_map(|(time_ms, point)| point.map(|value| Sample { time_ms, start_ms: None, value }));
    SelectedSeries::whole(labels, samples.collect())
}

impl Storage for Minutes {
    fn select(&self, selection: Selection<'_>) -> Vec<SelectedSeries> {
        let matching = self
            .0
            .iter()
            .filter(|series| selection.matchers.iter().all(|matcher| matches(matcher, &series.labels)));
        matching
            .filter_map(|series| {
                let mut samples: Vec<Sample> = series
                    .samples
                    .iter()
                    .filter(|sample| (selection.start_ms..=selection.end_ms).contains(&sample.time_ms))
                    .cloned()
                    .collect();
                if selection.extent == Extent::Last {
                    samples = samples.split_off(samples.len().saturating_sub(1));
                }
                (!samples.is_empty()).then(|| SelectedSeries::whole(series.labels.clone(), samples))
            })
            .collect()
    }
}

fn matches(matcher: &Matcher, labels: &Labels) -> bool {
    let value = labels.get(&matcher.name).unwrap_or("");
    matcher.condition.holds(value)
}

fn shown(value: &QueryValue) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::Float(value) => number(*value),
        Value::Histogram(histogram) => histogram.to_string(),
    };
    match value {
        QueryValue::Scalar(value) => vec![number(*value)],
        QueryValue::String(text) => vec![text.clone()],
        QueryValue::Vector(vector) => {
            vector.iter().map(|(labels, value)| format!("{labels} {}", text(value))).collect()
        }
        QueryValue::Matrix(series) => series
            .iter()
            .map(|series| {
                let samples: Vec<String> = series
                    .samples
                    .iter()
                    .map(|sample| format!("{}@{}", text(&sample.value), sample.time_ms / 1_000))
                    .collect();
                format!("{} {}", series.labels, samples.join(" "))
            })
            .collect(),
    }
}

fn at(lines: &[&str], query: &str, minute: i64) -> Result<Vec<String>, String> {
    let expr = parse(query).unwrap();
    let outcome = instant(&expr, &Minutes::new(lines), minute * 60_000, &EvalSettings::default());
    outcome.map(|outcome| shown(&outcome.value)).map_err(|error| error.message)
}

fn over(lines: &[&str], query: &str, minutes: i64) -> Result<Vec<String>, String> {
    let expr = parse(query).unwrap();
    let outcome = range(
        &expr,
        &Minutes::new(lines),
        QueryTimes { start_ms: 0, end_ms: minutes * 60_000, step_ms: 60_000 },
        &EvalSettings::default(),
    );
    outcome.map(|outcome| shown(&outcome.value)).map_err(|error| error.message)
}

#[test]
fn a_sample_as_old_as_the_lookback_is_out() {
    assert_eq!(at(&["up 1"], "up", 4).unwrap(), ["up 1"]);
    assert_eq!(at(&["up 1"], "up", 5).unwrap(), Vec::<String>::new());
    assert_eq!(at(&["up 1 2"], "count_over_time(up[1m])", 1).unwrap(), ["{} 1"]);
}

#[test]
fn a_stale_marker_ends_a_series_at_once() {
    assert_eq!(over(&["up 1 stale _ 4"], "up", 4).unwrap(), ["up 1@0 4@180 4@240"]);
}

#[test]
fn aggregations_group_by_the_labels_they_name() {
    let lines = ["a{job=\"x\",i=\"1\"} 1", "a{job=\"x\",i=\"2\"} 2", "a{job=\"y\"} 4"];
    assert_eq!(at(&lines, "sum by (job) (a)", 0).unwrap(), ["{job=\"x\"} 3", "{job=\"y\"} 4"]);
    assert_eq!(at(&lines, "count without (i, job) (a)", 0).unwrap(), ["{} 3"]);
    assert_eq!(at(&lines, "topk(2, a)", 0).unwrap(), ["a{job=\"y\"} 4", "a{i=\"2\", job=\"x\"} 2"]);
}

#[test]
fn two_series_that_differ_in_their_names_alone_do_not_become_one() {
    let error = at(&["a 1", "b 2"], "abs({__name__=~\"a|b\"})", 0).unwrap_err();
    assert_eq!(error, "vector cannot contain metrics with the same labelset");
    assert_eq!(
        over(&["a 1 _ _ _ _ _ _", "b _ _ _ _ _ _ 2"], "abs({__name__=~\"a|b\"})", 6).unwrap().len(),
        1
    );
}

#[test]
fn the_absent_needs_no_names_to_tell_series_apart() {
    let lines = ["a 1", "b 2"];
    let selector = "absent_over_time({__name__=~\"a|b\"}[2m])";
    assert_eq!(at(&lines, selector, 0).unwrap(), Vec::<String>::new());
    assert_eq!(at(&lines, selector, 4).unwrap(), ["{} 1"]);
}

#[test]
fn matches_that_are_not_one_to_one_must_be_grouped() {
    let lines = ["many{i=\"1\"} 1", "many{i=\"2\"} 2", "one 3"];
    let error = at(&lines, "many * ignoring (i) one", 0).unwrap_err();
    let words = "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)";
    assert_eq!(error, words);
    let error = at(&lines, "one * ignoring (i) many", 0).unwrap_err();
    assert!(
        error.starts_with("found duplicate series for the match group {} on the right hand-side"),
        "{error}"
    );
    assert_eq!(at(&lines, "many * ignoring (i) group_left one", 0).unwrap(), ["{i=\"1\"} 3", "{i=\"2\"} 6"]);
}

#[test]
fn a_counter_that_starts_anew_keeps_growing() {
    assert_eq!(at(&["c_total 0 60 0 60 120"], "increase(c_total[5m])", 4).unwrap(), ["{} 180"]);
}

#[test]
fn the_steps_of_a_subquery_are_multiples_of_its_step() {
    let lines = ["a 0+1x9"];
    assert_eq!(at(&lines, "a[3m:2m]", 9).unwrap(), ["a 8@480"]);
    assert_eq!(at(&lines, "max_over_time(a[3m:1m] offset 1m)", 9).unwrap(), ["{} 8"]);
}

#[test]
fn an_expression_that_at_fixes_is_the_same_at_every_step() {
    assert_eq!(over(&["a 0+1x9"], "sum(a @ 120) + 1", 2).unwrap(), ["{} 3@0 3@60 3@120"]);
}

#[test]
fn a_query_that_would_hold_too_many_samples_fails() {
    let settings = EvalSettings { samples_max: 3, ..EvalSettings::default() };
    let storage = Minutes::new(&["a{i=\"1\"} 1", "a{i=\"2\"} 1", "a{i=\"3\"} 1", "a{i=\"4\"} 1"]);
    let message = "query processing would load too many samples into memory in query execution";
    let error = instant(&parse("a").unwrap(), &storage, 0, &settings).unwrap_err();
    assert_eq!(error.message, message);
    let error = range(
        &parse("1").unwrap(),
        &storage,
        QueryTimes { start_ms: 0, end_ms: i64::MAX, step_ms: 1 },
        &settings,
    )
    .unwrap_err();
    assert_eq!(error.message, message);
}

#[test]
fn warnings_are_given_once_and_say_where() {
    let storage = Minutes::new(&["a{i=\"1\"} 0+1x9", "a{i=\"2\"} 0+1x9"]);
    let outcome =
        instant(&parse("sum(rate(a[5m]))").unwrap(), &storage, 300_000, &EvalSettings::default()).unwrap();
    let info = "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"a\" (1:10)";
    assert_eq!(outcome.infos, [info]);
}

#[test]
fn the_highest_tree_a_parser_lets_through_is_evaluated() {
    let query = vec!["1"; 250].join(" + ");
    assert_eq!(at(&[], &query, 0).unwrap(), ["250"]);
    let query = format!("{}a{}", "abs(".repeat(90), ")".repeat(90));
    assert_eq!(at(&["a -1"], &query, 0).unwrap(), ["{} 1"]);
}

#[test]
fn times_at_the_ends_of_what_can_be_counted_do_no_harm() {
    let expr = parse("rate(a[5m] offset -1y) + on() a @ 9e15 or hour() or max_over_time(a[1y:1d])").unwrap();
    for at_ms in [i64::MIN, i64::MAX, 0] {
        let storage = Minutes::new(&["a 1 2 3"]);
        assert!(instant(&expr, &storage, at_ms, &EvalSettings::default()).is_ok());
    }
}

#[test]
fn windows_within_windows_are_bounded() {
    let expr = parse("max_over_time(max_over_time(vector(1)[100m:1s])[100m:1s])").unwrap();
    let settings = EvalSettings { samples_max: 40_000, ..EvalSettings::default() };
    let error = instant(&expr, &Minutes::new(&[]), 0, &settings).unwrap_err().message;
    assert_eq!(error, "query processing would read too many samples in query execution");
    assert!(instant(&expr, &Minutes::new(&[]), 0, &EvalSettings::default()).is_ok());
}
