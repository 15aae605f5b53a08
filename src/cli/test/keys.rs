//! The keys of a rule test file: promtool's, and signalbox' `events` and `transitions` beside them.

use crate::engine::config::keys::{Key, Kind, Zero, key};

/// A duration; zero is the start.
const SPAN: Kind = Kind::Duration(Zero::Allowed);

/// The top level.
pub(super) const FILE: &[Key] = &[
    key(
        "rule_files",
        Kind::List(&Kind::Text),
        "",
        "Rule files, relative to this file; `*` and `?` match names.",
    ),
    key("evaluation_interval", SPAN, "1m", "The time between two evaluations of the rules."),
    key("group_eval_order", Kind::List(&Kind::Text), "", "The order of groups by name; all others follow."),
    key("fuzzy_compare", Kind::Flag, "false", "Lets numbers differ by the last bit."),
    key("tests", Kind::List(&Kind::Section(TEST)), "", "The tests."),
];

/// One test.
const TEST: &[Key] = &[
    key("name", Kind::Text, "", "What it shows."),
    key("interval", SPAN, "`evaluation_interval`", "The time between two values of a series."),
    key("start_timestamp", Kind::Text, "0", "The instant of time 0: RFC 3339 or seconds since the epoch."),
    key("input_series", Kind::List(&Kind::Section(SERIES)), "", "Series that rules read."),
    key("events", Kind::Anything, "", "Events that move series: a list, or the path of a .jsonl file."),
    key("alert_rule_test", Kind::List(&Kind::Section(ALERT)), "", "Alerts that fire at an instant."),
    key("promql_expr_test", Kind::List(&Kind::Section(EXPR)), "", "What expressions yield at an instant."),
    key(
        "transitions",
        Kind::Anything,
        "",
        "Every alert event, in order; each with a `time` and any of its fields.",
    ),
    key("external_labels", Kind::Map(&Kind::Text), "", "`$externalLabels` of templates."),
    key("external_url", Kind::Text, "", "`externalURL` of templates."),
];

const SERIES: &[Key] = &[
    key("series", Kind::Text, "required", "The series, in PromQL's notation."),
    key("values", Kind::Text, "required", "Its values in the notation of promtool: `1+2x10 _ stale`."),
];

const ALERT: &[Key] = &[
    key("eval_time", SPAN, "0", "The instant."),
    key("alertname", Kind::Text, "required", "The alert."),
    key("exp_alerts", Kind::List(&Kind::Section(EXPECTED_ALERT)), "", "All that fire, in any order."),
];

const EXPECTED_ALERT: &[Key] = &[
    key("exp_labels", Kind::Map(&Kind::Text), "", "Its labels without `alertname`."),
    key("exp_annotations", Kind::Map(&Kind::Text), "", "Its annotations."),
];

const EXPR: &[Key] = &[
    key("expr", Kind::Text, "required", "The expression."),
    key("eval_time", SPAN, "0", "The instant."),
    key("exp_samples", Kind::List(&Kind::Section(SAMPLE)), "", "All samples, in any order."),
];

const SAMPLE: &[Key] = &[
    key("labels", Kind::Text, "", "The labels in PromQL's notation."),
    key("value", Kind::Text, "0", "The value."),
    key("histogram", Kind::Text, "", "A native histogram in promtool's notation."),
];
