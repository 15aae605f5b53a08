//! What rules say of a panel's values: colours from a threshold on, and a sentence.

use serde_json::{Value, json};

use crate::engine::rules::RuleSet;
use crate::engine::rules::set::{Alerting, Condition, Level, Rule, RuleKind, Severity};

/// What good is drawn in.
const GOOD: &str = "green";

/// A threshold of a rule.
struct Threshold {
    condition: Condition,
    severity: Severity,
}

/// The colour of what a severity calls for.
const fn colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "blue",
        Severity::Warning => "orange",
        Severity::Critical => "red",
    }
}

/// The alerting rule of this id.
pub(super) fn find<'a>(rules: &'a RuleSet, id: &str) -> Option<(&'a Rule, &'a Alerting)> {
    rules.rules().find_map(|rule| match &rule.kind {
        RuleKind::Alerting(alerting) if *rule.id == *id => Some((rule.as_ref(), alerting.as_ref())),
        RuleKind::Alerting(_) | RuleKind::Recording => None,
    })
}

fn severity(rule: &Rule, level: &Level) -> Severity {
    let labelled = rule.labels.iter().find(|(name, _)| &**name == "severity");
    let labelled = labelled.and_then(|(_, text)| Severity::from_name(text.text()));
    level.severity.or(labelled).unwrap_or(Severity::Warning)
}

fn thresholds(rules: &[(&Rule, &Alerting)]) -> Vec<Threshold> {
    let levels = rules.iter().flat_map(|(rule, alerting)| {
        let of = |level: &Level| Threshold { condition: level.condition, severity: severity(rule, level) };
        alerting.policy.levels.iter().map(of)
    });
    levels.filter(|threshold| threshold.condition.threshold().is_some()).collect()
}

/// The steps of a panel's colours.
pub(super) fn steps(rules: &[(&Rule, &Alerting)]) -> Vec<Value> {
    let mut rising = Vec::new();
    let mut falling = Vec::new();
    for Threshold { condition, severity } in thresholds(rules) {
        match condition {
            Condition::Above { threshold, .. } => rising.push((threshold, colour(severity))),
            Condition::Below { threshold, .. } => falling.push((threshold, colour(severity))),
            Condition::Expression => {}
        }
    }
    rising.sort_by(|left, right| left.0.total_cmp(&right.0));
    falling.sort_by(|left, right| left.0.total_cmp(&right.0));
    // Below a threshold is what its severity calls for, from it on the next better.
    let base = falling.first().map_or(GOOD, |(_, colour)| colour);
    let better = falling.iter().skip(1).map(|(_, colour)| *colour).chain([GOOD]);
    let of_falling = falling.iter().zip(better).map(|((value, _), colour)| (*value, colour));
    let rest = of_falling.chain(rising.iter().copied());
    let step = |(value, colour)| json!({"color": colour, "value": value});
    std::iter::once(json!({"color": base, "value": null})).chain(rest.map(step)).collect()
}

/// What a rule says of the values, for people.
pub(super) fn sentence((rule, alerting): (&Rule, &Alerting), unit: &str) -> String {
    let number = |value: f64| match unit {
        "percentunit" => format!("{} %", (value * 1e4).round() / 1e2),
        "s" => format!("{value} s"),
        _ => value.to_string(),
    };
    let level = |level: &Level| {
        let word = severity(rule, level).name();
        match level.condition {
            Condition::Above { threshold, clear } => {
                format!("{word} above {}, clears at {} or less", number(threshold), number(clear))
            }
            Condition::Below { threshold, clear } => {
                format!("{word} below {}, clears at {} or more", number(threshold), number(clear))
            }
            Condition::Expression => word.to_owned(),
        }
    };
    let levels: Vec<String> = alerting.policy.levels.iter().map(level).collect();
    format!("Alert {}: {}.", rule.name, levels.join("; "))
}
