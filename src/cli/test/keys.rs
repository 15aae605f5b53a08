//! The keys of a rule test file: promtool's, and signalbox' `events` and `transitions` beside them.

use crate::engine::yaml::keys::{Key, KeyDefault, KeyKind, Zero, key};

/// A duration; zero is the start.
const SPAN: KeyKind = KeyKind::Duration(Zero::Allowed);

/// The top level.
pub(in crate::cli) const FILE: &[Key] = &[
    key(
        "rule_files",
        KeyKind::List(&KeyKind::Text),
        KeyDefault::Nothing,
        "Rule files, relative to this file; `*` and `?` match names.",
    ),
    key(
        "evaluation_interval",
        SPAN,
        KeyDefault::Words("1m"),
        "The time between two evaluations of the rules.",
    ),
    key(
        "group_eval_order",
        KeyKind::List(&KeyKind::Text),
        KeyDefault::Nothing,
        "The order of groups by name; all others follow.",
    ),
    key("fuzzy_compare", KeyKind::Flag, KeyDefault::Words("false"), "Lets numbers differ by the last bit."),
    key("tests", KeyKind::List(&KeyKind::Section(TEST)), KeyDefault::Nothing, "The tests."),
];

/// One test.
const TEST: &[Key] = &[
    key("name", KeyKind::Text, KeyDefault::Nothing, "What it shows."),
    key(
        "interval",
        SPAN,
        KeyDefault::Words("`evaluation_interval`"),
        "The time between two values of a series.",
    ),
    key(
        "start_timestamp",
        KeyKind::Text,
        KeyDefault::Words("0"),
        "The instant of time 0: RFC 3339 or seconds since the epoch.",
    ),
    key(
        "input_series",
        KeyKind::List(&KeyKind::Section(SERIES)),
        KeyDefault::Nothing,
        "Series that rules read.",
    ),
    key(
        "events",
        KeyKind::Anything,
        KeyDefault::Nothing,
        "Events that move series: a list, or the path of a .jsonl file.",
    ),
    key(
        "alert_rule_test",
        KeyKind::List(&KeyKind::Section(ALERT)),
        KeyDefault::Nothing,
        "Alerts that fire at an instant.",
    ),
    key(
        "promql_expr_test",
        KeyKind::List(&KeyKind::Section(EXPR)),
        KeyDefault::Nothing,
        "What expressions yield at an instant.",
    ),
    key(
        "transitions",
        KeyKind::Anything,
        KeyDefault::Nothing,
        "Every alert event, in order; each with a `time` and any of its fields.",
    ),
    key(
        "external_labels",
        KeyKind::Map(&KeyKind::Text),
        KeyDefault::Nothing,
        "`$externalLabels` of templates.",
    ),
    key("external_url", KeyKind::Text, KeyDefault::Nothing, "`externalURL` of templates."),
];

const SERIES: &[Key] = &[
    key("series", KeyKind::Text, KeyDefault::Required, "The series, in PromQL's notation."),
    key(
        "values",
        KeyKind::Text,
        KeyDefault::Required,
        "Its values in the notation of promtool: `1+2x10 _ stale`.",
    ),
];

const ALERT: &[Key] = &[
    key("eval_time", SPAN, KeyDefault::Words("0"), "The instant."),
    key("alertname", KeyKind::Text, KeyDefault::Required, "The alert."),
    key(
        "exp_alerts",
        KeyKind::List(&KeyKind::Section(EXPECTED_ALERT)),
        KeyDefault::Nothing,
        "All that fire, in any order.",
    ),
];

const EXPECTED_ALERT: &[Key] = &[
    key("exp_labels", KeyKind::Map(&KeyKind::Text), KeyDefault::Nothing, "Its labels without `alertname`."),
    key("exp_annotations", KeyKind::Map(&KeyKind::Text), KeyDefault::Nothing, "Its annotations."),
];

const EXPR: &[Key] = &[
    key("expr", KeyKind::Text, KeyDefault::Required, "The expression."),
    key("eval_time", SPAN, KeyDefault::Words("0"), "The instant."),
    key(
        "exp_samples",
        KeyKind::List(&KeyKind::Section(SAMPLE)),
        KeyDefault::Nothing,
        "All samples, in any order.",
    ),
];

const SAMPLE: &[Key] = &[
    key("labels", KeyKind::Text, KeyDefault::Nothing, "The labels in PromQL's notation."),
    key("value", KeyKind::Text, KeyDefault::Words("0"), "The value."),
    key("histogram", KeyKind::Text, KeyDefault::Nothing, "A native histogram in promtool's notation."),
];
