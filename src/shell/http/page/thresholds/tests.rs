//! Values against thresholds, in words.

use super::*;
use crate::engine::rules::load::for_tests::rule_set;

/// The first rule of a group with this one rule.
fn rule(fields: &str) -> std::sync::Arc<Rule> {
    let set = rule_set(&format!("groups: [{{name: g, rules: [{{{fields}}}]}}]"));
    std::sync::Arc::clone(&set.groups[0].rules[0])
}

fn levels(rule: &Rule) -> Vec<String> {
    let RuleKind::Alerting(alerting) = &rule.kind else { return Vec::new() };
    alerting.policy.levels.iter().map(|level| level_text(level, measure(rule))).collect()
}

#[test]
fn each_level_says_when_it_begins_and_ends() {
    let cases = [
        ("alert: A, expr: load, above: 5", "above 5"),
        ("alert: A, expr: load, above: 5, clear_below: 3", "above 5, clears at 3 or less"),
        ("alert: A, expr: load, below: 5", "below 5"),
        ("alert: A, expr: load, below: 5, clear_above: 7", "below 5, clears at 7 or more"),
        ("alert: A, expr: wait_seconds, above: 90", "above 1 min 30 s"),
        ("alert: A, expr: cache_hit_ratio, below: 0.25", "below 25 %"),
        ("alert: A, expr: load > 5", "where the expression holds"),
        ("record: 'a:b', expr: load", ""),
    ];
    for (fields, expected) in cases {
        let seen = levels(&rule(fields)).join("; ");
        assert!(seen.ends_with(expected), "{fields}: {seen}");
    }
}

#[test]
fn a_chart_shows_where_alerts_begin_and_where_they_end_elsewhere() {
    let threshold = |value, severity, is_named| Mark::Threshold { value, severity, is_named };
    let cases = [
        ("alert: A, expr: load, above: 5", vec![threshold(5.0, Severity::Warning, false)]),
        (
            "alert: A, expr: load, above: 5, labels: {severity: critical}",
            vec![threshold(5.0, Severity::Critical, false)],
        ),
        (
            "alert: A, expr: load, above: 5, labels: {severity: page}",
            vec![threshold(5.0, Severity::Warning, false)],
        ),
        (
            "alert: A, expr: load, severities: {info: {above: 5}, critical: {above: 9}}",
            vec![threshold(5.0, Severity::Info, true), threshold(9.0, Severity::Critical, true)],
        ),
        (
            "alert: A, expr: load, above: 5, clear_below: 3",
            vec![threshold(5.0, Severity::Warning, false), Mark::Clear(3.0)],
        ),
        ("alert: A, expr: load > 5", Vec::new()),
        ("record: 'a:b', expr: load", Vec::new()),
    ];
    for (fields, expected) in cases {
        assert_eq!(marks(&rule(fields)), expected, "{fields}");
    }
}

#[test]
fn what_has_values_whether_it_holds_or_not_is_shown() {
    let shown = |fields: &str| compared(&rule(fields)).to_string();
    assert_eq!(shown("alert: A, expr: load, above: 5"), "load");
    assert_eq!(shown("record: 'a:b', expr: load > 5"), "load > 5");
}
