//! Cases from `tests/rules/broken.txt` (what operators see of a bad file) and `tests/rules/compiled.txt` (what
//! `metric` and `stat` become), and what loads do to ids and to files that were good before.

use super::*;
use crate::engine::catalogue::KnownMetric;
use crate::engine::diagnostic::{self, Style};
use crate::engine::metric::MetricType;

const BROKEN: &str = include_str!("../../../../tests/rules/broken.txt");
const COMPILED: &str = include_str!("../../../../tests/rules/compiled.txt");

/// A few metrics of the catalogue.
fn metrics() -> KnownMetrics {
    let mut known = KnownMetrics::default();
    let metrics = [
        ("up", MetricType::Gauge, "job instance", ""),
        ("queue_depth", MetricType::Gauge, "queue priority", ""),
        ("queue_jobs_failed_total", MetricType::Counter, "queue job_type error_type", ""),
        ("queue_jobs_completed_total", MetricType::Counter, "queue job_type", ""),
        ("cache_accesses_total", MetricType::Counter, "level result", ""),
        ("db_query_duration_seconds", MetricType::Histogram, "query_type table", "seconds"),
        ("processing_file_progress_ratio", MetricType::Gauge, "quantile", "ratio"),
    ];
    for (name, metric_type, labels, unit) in metrics {
        let labels = Some(labels.split(' ').map(Arc::from).collect());
        let buckets = (metric_type == MetricType::Histogram).then(|| Arc::from([0.1, 0.5, 1.0, 1e6]));
        let closed = match name {
            "cache_accesses_total" => vec![(Arc::from("result"), vec![Arc::from("hit"), Arc::from("miss")])],
            _ => Vec::new(),
        };
        known.add(
            name,
            KnownMetric {
                labels,
                closed,
                unit: Arc::from(unit),
                buckets,
                ..KnownMetric::of_type(metric_type)
            },
        );
    }
    known
}

fn source(name: &str, text: &str) -> Source {
    Source { name: Arc::from(name), text: Arc::from(text) }
}

fn loaded(files: &[(&str, &str)], previous: Option<&RuleSet>) -> Loaded {
    let sources: Vec<Source> = files.iter().map(|(name, text)| source(name, text)).collect();
    let metrics = metrics();
    load(&sources, &LoadContext { interval: INTERVAL_DEFAULT, metrics: &metrics, previous })
}

fn rendered(text: &str) -> String {
    diagnostic::render(&loaded(&[("rules.yaml", text)], None).diagnostics, Style::Plain)
}

#[test]
fn every_broken_file_reads_as_the_cases_say() {
    let mut actual = BROKEN.split("\n== ").next().unwrap().to_owned();
    for case in BROKEN.split("\n== ").skip(1) {
        let (name, body) = case.split_once('\n').unwrap();
        let text = body.split_once("\n--\n").map_or(body, |(text, _)| text).trim_end();
        let findings = rendered(&format!("{text}\n"));
        actual.extend([format!("\n== {name}\n{text}\n--\n{findings}")]);
    }
    if actual.trim_end() != BROKEN.trim_end() {
        println!("<<<<\n{actual}>>>>");
        panic!("the findings are not those of tests/rules/broken.txt");
    }
}

#[test]
fn metric_and_stat_become_the_promql_of_the_table() {
    for line in COMPILED.lines().filter(|line| line.contains(" => ")) {
        let (yaml, expected) = line.split_once(" => ").unwrap();
        let text = format!("groups: [{{name: g, rules: [{{alert: A, above: 1, {yaml}}}]}}]\n");
        let loaded = loaded(&[("a.yaml", &text)], None);
        let actual = match loaded.set.rules().next() {
            Some(rule) => rule.query.to_string(),
            None => format!("error: {}", loaded.diagnostics[0].message),
        };
        assert_eq!(actual, expected, "{yaml}");
    }
}

fn ids(set: &RuleSet) -> Vec<&str> {
    set.rules().map(|rule| rule.id.as_ref()).collect()
}

const TWO: &str =
    "groups:\n- {name: My Group, rules: [{alert: TooMany, expr: up}, {alert: TooMany, expr: up}]}\n";

#[test]
fn default_ids_are_slugs_and_repeats_are_numbered_over_all_files() {
    let other = "groups:\n- {name: my group, rules: [{alert: TooMany, expr: up, id: my-group-toomany}]}\n";
    let loaded = loaded(&[("a.yaml", TWO), ("b.yaml", other)], None);
    assert_eq!(ids(&loaded.set), ["my-group-toomany-2", "my-group-toomany-3", "my-group-toomany"]);
}

#[test]
fn an_explicit_id_given_twice_refuses_the_second_file() {
    let text = "groups: [{name: g, rules: [{alert: A, expr: up, id: x}]}]";
    let loaded = loaded(&[("a.yaml", text), ("b.yaml", text)], None);
    assert_eq!(loaded.files[1], (Arc::from("b.yaml"), FileOutcome::Refused));
    assert_eq!(loaded.files[0].1, FileOutcome::Loaded { rules: 1 });
}

#[test]
fn a_file_that_turns_bad_keeps_its_last_good_groups() {
    let before = loaded(&[("a.yaml", TWO)], None).set;
    let good = "groups: [{name: my group, rules: [{alert: TooMany, expr: up}]}]";
    let loaded = loaded(&[("a.yaml", "groups: 3"), ("b.yaml", good)], Some(&before));
    assert_eq!(loaded.files[0].1, FileOutcome::Kept);
    assert_eq!(ids(&loaded.set), ["my-group-toomany", "my-group-toomany-2", "my-group-toomany-3"]);
    assert!(!loaded.is_good());
}

#[test]
fn the_essence_changes_with_what_makes_a_rule_another_one() {
    let essence = |rule: &str| {
        let text = format!("groups: [{{name: g, rules: [{{alert: A, {rule}}}]}}]");
        loaded(&[("a.yaml", &text)], None).set.rules().next().unwrap().essence.clone()
    };
    let base = essence("expr: up, above: 1");
    let same = [
        "expr: ' up ', above: 1",
        "expr: up, above: 1, for: 5m",
        "expr: up, above: 1, keep_firing_for: 5m, no_data: alert, annotations: {summary: x}",
    ];
    let other = [
        "expr: down, above: 1",
        "expr: up, above: 2",
        "expr: up, above: 1, clear_below: 0.5",
        "expr: up, above: 1, labels: {severity: info}",
        "expr: up, above: 1, overrides: [{where: {a: b}, above: 3}]",
    ];
    for rule in same {
        assert_eq!(essence(rule), base, "{rule}");
    }
    for rule in other {
        assert_ne!(essence(rule), base, "{rule}");
    }
}

#[test]
fn overrides_and_severities_make_the_policies_they_say() {
    let text = "
groups:
- name: g
  rules:
  - alert: A
    metric: queue_depth
    for: 2m
    severities:
      critical: {above: 20, for: 0s}
      warning: {above: 10, clear_below: 8}
    overrides:
    - {where: {queue: bulk}, severities: {warning: {above: 100}}}
    - {where: {queue: slow}, for: 5m}
  - alert: B
    expr: queue_depth
    above: 10
    overrides: [{where: {queue: bulk}, clear_below: 5, for: 1m}]
";
    let loaded = loaded(&[("a.yaml", text)], None);
    let levels: Vec<String> = loaded
        .set
        .rules()
        .filter_map(|rule| match &rule.kind {
            RuleKind::Alerting(alerting) => Some(alerting),
            RuleKind::Recording => None,
        })
        .flat_map(|alerting| {
            [&alerting.policy].into_iter().chain(alerting.overrides.iter().map(|exception| &exception.policy))
        })
        .map(|policy| {
            let levels = policy.levels.iter().map(|level| {
                let severity = level.severity.map_or("-", |severity| severity.name());
                format!("{severity} {:?} {:?}", level.condition, level.wait)
            });
            levels.collect::<Vec<_>>().join("; ")
        })
        .collect();
    assert_eq!(
        levels,
        [
            "warning Above { threshold: 10.0, clear: 8.0 } 120s; critical Above { threshold: 20.0, clear: 20.0 } 0ns",
            "warning Above { threshold: 100.0, clear: 100.0 } 120s",
            "warning Above { threshold: 10.0, clear: 8.0 } 300s; critical Above { threshold: 20.0, clear: 20.0 } 0ns",
            "- Above { threshold: 10.0, clear: 10.0 } 0ns",
            "- Above { threshold: 10.0, clear: 5.0 } 60s",
        ],
        "{:?}",
        loaded.diagnostics
    );
}

#[test]
fn what_prometheus_takes_loads_without_a_word() {
    let text = r#"{"groups": [{"name": "json", "interval": "30s", "limit": 10, "query_offset": "1m",
        "labels": {"team": "a"}, "rules": [
        {"record": "job:up:sum", "expr": "sum by (job) (up)", "labels": {"x": "{{ not a template }}", "n": 1}},
        {"alert": "Down", "expr": "job:up:sum == 0", "for": "1h30m", "keep_firing_for": "5m",
         "labels": {"severity": "page"}, "annotations": {"summary": "{{ $labels.job }} is down: {{ $value }}"}}]}]}"#;
    let loaded = loaded(&[("a.json.yaml", text)], None);
    assert_eq!(loaded.diagnostics, []);
    let group = &loaded.set.groups[0];
    assert_eq!(
        (group.interval.as_secs(), group.limit.map(usize::from), group.query_offset.as_secs()),
        (30, Some(10), 60)
    );
    assert_eq!(group.rules[0].labels.len(), 3);
    for empty in ["", "# nothing\n", "groups:\n", "---\n", "groups: []\n", "\u{feff}groups: []\n"] {
        assert_eq!(rendered(empty), "", "{empty:?}");
    }
}

#[test]
fn the_metric_of_an_alert_is_the_one_that_is_named_first() {
    let text = "
groups:
- name: g
  rules:
  - {alert: A, metric: db_query_duration_seconds, stat: avg, window: 5m, above: 1}
  - {alert: B, expr: sum(queue_depth) / sum(queue_jobs_completed_total) > 1}
  - {alert: C, expr: vector(1)}
";
    let set = loaded(&[("a.yaml", text)], None).set;
    let metric = |rule: &Arc<Rule>| match &rule.kind {
        RuleKind::Alerting(alerting) => alerting.metric.to_string(),
        RuleKind::Recording => String::new(),
    };
    let metrics: Vec<String> = set.rules().map(metric).collect();
    assert_eq!(metrics, ["db_query_duration_seconds", "queue_depth", ""]);
}

#[test]
fn a_large_bad_file_is_refused_with_its_first_200_findings() {
    let mut text = "groups:\n- name: g\n  rules:\n".to_owned();
    for key in 0..20_000 {
        text.extend([format!("  - {{alert: Same, expr: unknown_{key}, keyy{key}: 1}}\n")]);
    }
    text.push_str("  - {alert: Same, expr: up >}\n");
    let refused = loaded(&[("a.yaml", &text)], None);
    assert_eq!(refused.files[0].1, FileOutcome::Refused);
    let told = refused.diagnostics.iter().find(|found| found.code == "more-findings").unwrap();
    assert_eq!(refused.diagnostics.len(), 201);
    assert!(told.message.ends_with("more findings are not shown of this file"), "{}", told.message);
    let rules: String = (0..1_000).map(|_| "  - {record: a, expr: nothing}\n").collect();
    let text = format!("groups:\n- name: g\n  rules:\n{rules}");
    let warned = loaded(&[("a.yaml", &text)], None).diagnostics;
    let (last, shown) = warned.split_last().unwrap();
    assert_eq!(shown.len(), 199);
    assert_eq!(last.message, "1800 more findings are not shown of this file");
}

#[test]
fn no_text_makes_a_load_panic() {
    let good = "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up > 1\n    for: 5m\n    labels: {a: '{{ $value }}'}\n";
    for cut in 0..good.len() {
        rendered(&good[..cut]);
        for junk in ["\u{0}", "{", "[", "*a", "&a", "!!x ", "\t", "'", "\"", "|", "- ", ": ", "é", "{{"] {
            rendered(&format!("{}{junk}{}", &good[..cut], &good[cut..]));
        }
    }
}
