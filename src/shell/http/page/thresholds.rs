//! Values against thresholds, in words.

use crate::engine::promql::inspect::comparison;
use crate::engine::rules::set::{Alerting, Condition, Level, Policy, Rule, RuleKind, Severity};
use crate::engine::rules::view::AlertView;

use super::chart::Mark;
use super::unit::Measure;

/// What a rule measures, in the unit that its thresholds fit.
pub(super) fn measure(rule: &Rule) -> Measure {
    let measure = Measure::of(compared(rule));
    match &rule.kind {
        RuleKind::Recording => measure,
        RuleKind::Alerting(alerting) => {
            let policies =
                std::iter::once(&alerting.policy).chain(alerting.overrides.iter().map(|other| &other.policy));
            let levels = policies.flat_map(|policy| &policy.levels);
            measure.fitting(levels.filter_map(|level| level.condition.threshold()))
        }
    }
}

/// What of a rule has values whether it holds or not.
pub(super) fn compared(rule: &Rule) -> &crate::engine::promql::Expr {
    match &rule.kind {
        RuleKind::Recording => &rule.expr,
        RuleKind::Alerting(alerting) => alerting.data.as_ref().map_or(&rule.expr, |data| &data.there),
    }
}

/// The level that an alert is at.
pub(super) fn level_of<'a>(alerting: &'a Alerting, alert: &AlertView) -> Option<&'a Level> {
    let levels = &alerting.policy_for(&alert.labels).levels;
    levels.iter().find(|level| level.severity == Some(alert.severity)).or_else(|| levels.first())
}

/// When a level begins and ends, as a rule says: `warning above 25 %, clears at 20 % or less`.
pub(super) fn level_text(level: &Level, measure: Measure) -> String {
    let severity = level.severity.map(Severity::name).map(|name| format!("{name} ")).unwrap_or_default();
    let (word, threshold, clear, side) = match level.condition {
        Condition::Expression => return format!("{severity}where the expression holds"),
        Condition::Above { threshold, clear } => ("above", threshold, clear, "less"),
        Condition::Below { threshold, clear } => ("below", threshold, clear, "more"),
    };
    let begin = format!("{severity}{word} {}", measure.text(threshold));
    if threshold == clear { begin } else { format!("{begin}, clears at {} or {side}", measure.text(clear)) }
}

/// A value against the level an alert fires at: `fired above 25 % · clears at 20 % or less`.
pub(super) fn against(rule: &Rule, level: &Level, alert: &AlertView) -> Vec<String> {
    let measure = measure(rule);
    let fired = if alert.fired_at.is_some() { "fired" } else { "fires" };
    let (word, threshold, clear, side, is_between) = match level.condition {
        Condition::Expression => return against_expression(rule, alert),
        Condition::Above { threshold, clear } => {
            ("above", threshold, clear, "less", alert.value > clear && alert.value <= threshold)
        }
        Condition::Below { threshold, clear } => {
            ("below", threshold, clear, "more", alert.value < clear && alert.value >= threshold)
        }
    };
    let clears = format!("clears at {} or {side}", measure.text(clear));
    let mut said = vec![format!("{fired} {word} {}", measure.text(threshold)), clears];
    if is_between && alert.fired_at.is_some() {
        said.push("between the two now, so it still fires".to_owned());
    }
    said
}

fn against_expression(rule: &Rule, alert: &AlertView) -> Vec<String> {
    match (comparison(&rule.expr), alert.threshold) {
        (Some(binary), Some(threshold)) => {
            let threshold = measure(rule).text(threshold);
            vec![format!("fires while it is {} {threshold}", binary.op.symbol())]
        }
        (Some(_) | None, _) => vec!["fires while the expression has a value".to_owned()],
    }
}

/// The levels of a rule as marks of a chart, but for what its exceptions say.
pub(super) fn marks(rule: &Rule) -> Vec<Mark> {
    match &rule.kind {
        RuleKind::Recording => Vec::new(),
        RuleKind::Alerting(alerting) => {
            let label = rule.labels.iter().find(|(name, _)| name.as_ref() == "severity");
            let severity = label.and_then(|(_, text)| Severity::from_name(text.text()));
            marks_of(&alerting.policy, severity.unwrap_or(Severity::Warning))
        }
    }
}

/// The levels of a policy as marks of a chart; `own` is how bad a level is that does not say so.
pub(super) fn marks_of(policy: &Policy, own: Severity) -> Vec<Mark> {
    let mut marks = Vec::new();
    for level in &policy.levels {
        let (threshold, clear) = match level.condition {
            Condition::Expression => continue,
            Condition::Above { threshold, clear } | Condition::Below { threshold, clear } => {
                (threshold, clear)
            }
        };
        marks.push(Mark::Threshold {
            value: threshold,
            severity: level.severity.unwrap_or(own),
            is_named: level.severity.is_some(),
        });
        if clear != threshold {
            marks.push(Mark::Clear(clear));
        }
    }
    marks
}

#[cfg(test)]
mod tests;
