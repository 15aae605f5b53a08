//! Reads thresholds, severities and overrides of a rule.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::hints;
use crate::engine::duration::parse_duration;
use crate::engine::rules::set::{Condition, Level, Override, Policy, Severity};
use crate::engine::yaml::{Fields, Findings};
use crate::engine::yaml::{Node, Value, name_of};

/// The keys of a threshold.
const THRESHOLD_KEYS: [&str; 4] = ["above", "below", "clear_below", "clear_above"];

/// What stands in the file for all and for some series; empty where that was found wrong.
#[derive(Default)]
pub(super) struct Policies {
    pub(super) policy: Policy,
    pub(super) overrides: Vec<Override>,
}

/// What the expression of the rule brings along.
pub(super) struct Expression {
    /// Where its own comparison stands, if it has one.
    pub(super) own_comparison: Option<Range<usize>>,
    /// Whether it is compiled from `metric`.
    pub(super) from_metric: bool,
}

/// Reads them all; none where something is wrong.
pub(super) fn read(
    fields: &Fields<'_>,
    expression: &Expression,
    findings: &mut Findings<'_>,
) -> Option<Policies> {
    let before = findings.found;
    let wait = wait(fields, findings).unwrap_or_default();
    let base = Base { wait, condition: condition(fields, None, findings) };
    let severities = fields.get("severities");
    if let (Some(key), Some(_)) = (threshold_key(fields), severities) {
        let message = "a rule has either one threshold or `severities`";
        findings.error("threshold-and-severities", &key.span, message).advise("Move it into its level.");
    }
    let policy = policy(fields, base, findings);
    refuse_second_comparison(fields, expression, findings);
    if policy.is_none() && expression.from_metric && findings.found == before {
        findings
            .error("missing-threshold", &fields.span, "a rule over a `metric` needs a threshold")
            .advise("Add `above:`, `below:` or `severities:`.");
    }
    let has_thresholds = policy.is_some();
    let policy = policy
        .unwrap_or(Policy { levels: vec![Level { severity: None, condition: Condition::Expression, wait }] });
    let base = Override { wanted: Vec::new(), policy };
    let rule = Overridden {
        policy: &base.policy,
        has_thresholds,
        wait: wait_of(fields),
        own_waits: own_waits(fields),
    };
    let overrides = overrides(fields, &rule, findings);
    (findings.found == before).then_some(Policies { policy: base.policy, overrides })
}

/// What a level takes where it does not say.
#[derive(Clone, Copy)]
struct Base {
    wait: Duration,
    condition: Option<Condition>,
}

/// The policy that stands in a mapping: `severities`, or one threshold; none where there is neither.
fn policy(fields: &Fields<'_>, base: Base, findings: &mut Findings<'_>) -> Option<Policy> {
    let Some(node) = fields.get("severities") else {
        return base
            .condition
            .map(|condition| Policy { levels: vec![Level { severity: None, condition, wait: base.wait }] });
    };
    let before = findings.found;
    let mut levels = Vec::new();
    for (key, value) in findings.entries(node, "`severities`") {
        match Severity::from_name(name_of(key)) {
            Some(severity) => levels.extend(level(severity, key, value, base.wait, findings)),
            None => findings
                .error("unknown-severity", &key.span, format!("no such severity: `{}`", name_of(key)))
                .advise(Severity::near(name_of(key)).map_or_else(
                    || "The severities are info, warning and critical.".to_owned(),
                    |near| format!("Did you mean `{near}`?"),
                )),
        }
    }
    levels.sort_by_key(|level| level.severity);
    if levels.is_empty() && findings.found == before {
        findings.error("missing-threshold", &node.span, "`severities` needs a level");
    }
    (!levels.is_empty()).then_some(Policy { levels })
}

fn level(
    severity: Severity,
    key: &Node,
    node: &Node,
    default_wait: Duration,
    findings: &mut Findings<'_>,
) -> Option<Level> {
    let known = ["above", "below", "clear_below", "clear_above", "for"];
    let fields = findings.fields_with(node, "a level", &known, hints::of_rule);
    let wait = wait(&fields, findings).unwrap_or(default_wait);
    if threshold_key(&fields).is_none() {
        let message = format!("the level `{}` needs a threshold", severity.name());
        findings
            .error("missing-threshold", &key.span, message)
            .advise("Write `above:` or `below:` with a number.");
    }
    let condition = condition(&fields, None, findings)?;
    Some(Level { severity: Some(severity), condition, wait })
}

fn wait(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Option<Duration> {
    fields.get("for").and_then(|node| findings.duration(node, "`for`"))
}

fn threshold_key<'n>(fields: &Fields<'n>) -> Option<&'n Node> {
    THRESHOLD_KEYS.iter().find_map(|name| fields.key(name))
}

/// The threshold that stands in a mapping; a lone clear value goes with the threshold of `base`.
fn condition(fields: &Fields<'_>, base: Option<Condition>, findings: &mut Findings<'_>) -> Option<Condition> {
    let mut number = |name: &'static str| {
        fields.get(name).map(|node| (findings.number(node, &format!("`{name}`")), node.span.clone()))
    };
    let (above, below) = (number("above"), number("below"));
    let (clear_below, clear_above) = (number("clear_below"), number("clear_above"));
    if let (Some(_), Some((_, span))) = (&above, &below) {
        findings
            .error("above-and-below", span, "a threshold is either `above` or `below`")
            .advise("Write two rules, one for each side.");
        return None;
    }
    let lone_clear = above.is_none() && below.is_none();
    let above = above.map(|(value, _)| value).or(match base {
        Some(Condition::Above { threshold, .. }) if lone_clear => Some(Some(threshold)),
        _ => None,
    });
    let below = below.map(|(value, _)| value).or(match base {
        Some(Condition::Below { threshold, .. }) if lone_clear => Some(Some(threshold)),
        _ => None,
    });
    if let Some((_, span)) = clear_below.as_ref().filter(|_| above.is_none()) {
        let message = "`clear_below` goes with `above`";
        findings.error("clear-side", span, message).advise(match below {
            Some(_) => "With `below` write `clear_above`.",
            None => "Add `above:`, the value beyond which it fires.",
        });
        return None;
    }
    if let Some((_, span)) = clear_above.as_ref().filter(|_| below.is_none()) {
        let message = "`clear_above` goes with `below`";
        findings.error("clear-side", span, message).advise(match above {
            Some(_) => "With `above` write `clear_below`.",
            None => "Add `below:`, the value beyond which it fires.",
        });
        return None;
    }
    match (above, below) {
        (Some(threshold), _) => {
            let threshold = threshold?;
            let (clear, span) = clear_below.map_or((Some(threshold), 0..0), |(value, span)| (value, span));
            let clear = clear?;
            if clear > threshold {
                let message = format!("clears at {clear}, above its threshold {threshold}");
                findings.error("clear-side", &span, message).advise("`clear_below` must not exceed `above`.");
                return None;
            }
            Some(Condition::Above { threshold, clear })
        }
        (None, Some(threshold)) => {
            let threshold = threshold?;
            let (clear, span) = clear_above.map_or((Some(threshold), 0..0), |(value, span)| (value, span));
            let clear = clear?;
            if clear < threshold {
                let message = format!("clears at {clear}, below its threshold {threshold}");
                findings
                    .error("clear-side", &span, message)
                    .advise("`clear_above` must not be under `below`.");
                return None;
            }
            Some(Condition::Below { threshold, clear })
        }
        (None, None) => None,
    }
}

fn refuse_second_comparison(fields: &Fields<'_>, expression: &Expression, findings: &mut Findings<'_>) {
    let Some(span) = &expression.own_comparison else { return };
    let key = threshold_key(fields).or_else(|| fields.key("severities"));
    if let Some(key) = key {
        let message = format!("`expr` compares already, and there is `{}` too", name_of(key));
        findings
            .error("two-comparisons", span, message)
            .advise("Take the comparison out of `expr`, or the threshold away.");
    }
}

fn overrides(fields: &Fields<'_>, rule: &Overridden<'_>, findings: &mut Findings<'_>) -> Vec<Override> {
    let Some(node) = fields.get("overrides") else { return Vec::new() };
    let items = findings.items(node, "`overrides`");
    items.iter().filter_map(|node| one_override(node, rule, findings)).collect()
}

/// What overrides start from.
struct Overridden<'a> {
    policy: &'a Policy,
    /// Whether the rule has thresholds at all.
    has_thresholds: bool,
    /// The rule's `for`.
    wait: Duration,
    /// The levels with a `for` of their own, which no override's `for` replaces.
    own_waits: Vec<Severity>,
}

fn wait_of(fields: &Fields<'_>) -> Duration {
    let scalar = fields.get("for").and_then(Node::scalar);
    scalar.and_then(|scalar| parse_duration(&scalar.text).ok()).unwrap_or_default()
}

fn own_waits(fields: &Fields<'_>) -> Vec<Severity> {
    let entries = |node: &Node| match &node.value {
        Value::Mapping(entries) => entries.clone(),
        Value::Scalar(_) | Value::Sequence(_) => Vec::new(),
    };
    let levels = fields.get("severities").map(entries).unwrap_or_default();
    let waits =
        levels.iter().filter(|(_, level)| entries(level).iter().any(|(key, _)| name_of(key) == "for"));
    waits.filter_map(|(name, _)| Severity::from_name(name_of(name))).collect()
}

fn one_override(node: &Node, rule: &Overridden<'_>, findings: &mut Findings<'_>) -> Option<Override> {
    let known = ["where", "above", "below", "clear_below", "clear_above", "for", "severities"];
    let fields = findings.fields_with(node, "an override", &known, hints::of_rule);
    let Some(wanted) = fields.get("where") else {
        findings
            .error("missing-key", &fields.span, "an override needs `where`")
            .advise("Name the labels it is for, as in `where: {queue: bulk}`.");
        return None;
    };
    let wanted = findings.texts(wanted, "`where`");
    let own_wait = wait(&fields, findings);
    let single = match rule.policy.levels.as_slice() {
        [level] if level.severity.is_none() => Some(*level),
        _ => None,
    };
    let key = threshold_key(&fields).or_else(|| fields.key("severities"));
    if let Some(key) = key.filter(|_| !rule.has_thresholds) {
        let message = format!("`expr` compares itself, so no override can set `{}`", name_of(key));
        findings
            .error("two-comparisons", &key.span, message)
            .advise("Take the comparison out of `expr` and write `above:` or `below:`.");
        return None;
    }
    if let (Some(key), None) = (threshold_key(&fields), single) {
        let message = "this rule has `severities`, so its overrides set `severities` too";
        findings.error("threshold-and-severities", &key.span, message);
        return None;
    }
    let inherited = single.map_or(rule.wait, |level| level.wait);
    let condition = condition(&fields, single.map(|level| level.condition), findings);
    let replacing = Base { wait: own_wait.unwrap_or(inherited), condition };
    let policy = policy(&fields, replacing, findings).unwrap_or_else(|| Policy {
        levels: rule
            .policy
            .levels
            .iter()
            .map(|level| {
                let own = level.severity.is_some_and(|severity| rule.own_waits.contains(&severity));
                Level { wait: own_wait.filter(|_| !own).unwrap_or(level.wait), ..*level }
            })
            .collect(),
    });
    let wanted = wanted.iter().map(|(name, value)| (shared(&name.content), shared(&value.content))).collect();
    Some(Override { wanted, policy })
}

fn shared(text: &str) -> Arc<str> {
    Arc::from(text)
}
