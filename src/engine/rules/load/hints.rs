//! What to write instead of keys that other tools have, or that stand in the wrong place.

use crate::engine::diagnostic::closest;

/// The shortest words whose slips are recognised.
const SLIP_LENGTH_MIN: usize = 5;

const THRESHOLD: &str = "Write `above:` or `below:` with the number.";
const ANNOTATION: &str = "Write it under `annotations`.";
const OF_GROUP: &str = "It belongs to the group.";
const OF_RULE: &str = "It belongs to a rule.";
const OF_VMALERT: &str = "It is vmalert's own, and Prometheus refuses it too: take it away.";

/// Instead of a key of a rule file.
pub(super) fn of_file(key: &str) -> Option<&'static str> {
    Some(match key {
        "alert" | "record" | "expr" | "metric" | "rules" => {
            "Rules stand in a group: `groups: [{name: queue, rules: [...]}]`."
        }
        "name" | "interval" => "A group stands in the list `groups`.",
        "apiVersion" | "kind" | "metadata" | "spec" => {
            "This is a Kubernetes resource: what stands under its `spec` is the rule file."
        }
        _ => return None,
    })
}

/// What to write instead of keys of a rule, a level or an override.
const INSTEAD_IN_RULE: &[(&[&str], &str)] = &[
    (&["threshold", "value", "limit_value", "operator", "op"], THRESHOLD),
    (
        &["condition", "if", "when"],
        "Write `expr:` with the whole comparison, or `metric:` with `above:` or `below:`.",
    ),
    (&["keep_firing", "keep_firing_after", "hold"], "Write `keep_firing_for:` with the duration."),
    (&["gt", "gte", "greater_than", "over", "upper"], "Write `above:` with the number."),
    (&["lt", "lte", "less_than", "under", "lower"], "Write `below:` with the number."),
    (
        &["clear", "resolve", "recover", "recovery_threshold"],
        "Write `clear_below:` beside `above:`, or `clear_above:` beside `below:`.",
    ),
    (&["query", "promql", "expression"], "Write `expr:` with the query."),
    (&["name"], "`alert: Name` raises alerts, `record: name` stores the result."),
    (&["severity", "priority"], "Write it under `labels`, or its levels under `severities`."),
    (&["summary", "description", "message", "runbook", "runbook_url", "dashboard"], ANNOTATION),
    (&["duration", "pending", "pending_for", "wait"], "`for:` says how long it must hold."),
    (&["group_by", "groupby"], "Write `by:` with the labels."),
    (&["filter", "filters", "match", "matchers", "selector"], "Write `where:` with labels and values."),
    (&["range", "period"], "Write `window:` with the duration."),
    (&["function", "agg", "aggregation"], "Write `stat:` with one of its words."),
    (&["nodata", "on_no_data", "missing"], "Write `no_data: ok`, `alert` or `keep`."),
    (&["interval", "limit", "query_offset", "evaluate", "every"], OF_GROUP),
    (&["debug", "update_entries_limit"], OF_VMALERT),
];

/// Instead of a key of a rule, a level or an override, or of what is nearly one and is near to no key of a rule.
pub(super) fn of_rule(key: &str) -> Option<&'static str> {
    let instead = |word: &str| {
        INSTEAD_IN_RULE.iter().find(|(words, _)| words.contains(&word)).map(|(_, advice)| *advice)
    };
    let slipped = || {
        let is_own = closest(key, super::rule::KEYS).is_some();
        let words = INSTEAD_IN_RULE.iter().flat_map(|(words, _)| words.iter().copied());
        // Short words are near to anything.
        let words = words.filter(|word| word.len() >= SLIP_LENGTH_MIN);
        (!is_own).then(|| closest(key, words)).flatten()
    };
    instead(key).or_else(|| instead(slipped()?))
}

/// Instead of a key of a group.
pub(super) fn of_group(key: &str) -> Option<&'static str> {
    Some(match key {
        "every" | "evaluation_interval" | "eval_interval" => "Write `interval:` with the duration.",
        "alerts" | "alerting_rules" | "recording_rules" => "Write `rules:` with the list.",
        "eval_delay" => "Write `query_offset:` with the duration.",
        "concurrency" | "params" | "headers" | "notifier_headers" | "eval_offset" | "type" => OF_VMALERT,
        "partial_response_strategy" => "It is Thanos' own: here nothing is partial. Take it away.",
        "source_tenants" | "align_evaluation_time_on_interval" => "It is Mimir's own: take it away.",
        "alert" | "record" | "expr" | "metric" | "for" | "keep_firing_for" | "annotations" | "above"
        | "below" | "severities" | "where" | "by" | "stat" | "window" | "no_data" | "overrides" => OF_RULE,
        _ => return None,
    })
}
