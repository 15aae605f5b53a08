//! The keys of a rule file with what their values are; a test holds them to what the loader knows.

use crate::engine::config::keys::{Key, Kind, Zero, key};

const SPAN: Kind = Kind::Duration(Zero::Allowed);

/// A rule file.
pub(super) const FILE: &[Key] =
    &[key("groups", Kind::List(&Kind::Section(GROUP)), "", "Groups of rules that are evaluated together.")];

/// A group.
const GROUP: &[Key] = &[
    key("name", Kind::Text, "required", "Its name, unique in the file."),
    key("interval", SPAN, "5s", "The time between two evaluations."),
    key(
        "evaluate",
        Kind::Word(&["arrival", "interval"]),
        "the configuration's",
        "Whether events that move what a rule reads evaluate it at once.",
    ),
    key("limit", Kind::Count(0), "0, no limit", "How many alerts or series a rule may have."),
    key("query_offset", SPAN, "0s", "How far in the past rules are evaluated."),
    key("labels", Kind::Map(&Kind::Text), "", "Labels of every rule that does not set them itself."),
    key("rules", Kind::List(&Kind::Section(RULE)), "", "Its rules, in order."),
];

/// A rule.
const RULE: &[Key] = &[
    key("alert", Kind::Text, "", "The name of the alert."),
    key("record", Kind::Text, "", "The metric a recording rule writes."),
    key("id", Kind::Text, "group and alert", "`alert_rule_id` of its events."),
    key("expr", Kind::Text, "", "PromQL; with its own comparison, or with `above` or `below`."),
    key("metric", Kind::Text, "", "A metric, instead of `expr`; with `stat`."),
    key("stat", Kind::Text, "last", "last, rate, increase, avg, min, max, sum, count, or p50 to p99.9."),
    key("window", SPAN, "", "The time `stat` looks back over."),
    key("where", Kind::Map(&Kind::Text), "", "Labels the series must have."),
    key("by", Kind::OneOrMany(&Kind::Text), "each series alone", "The labels series are taken together by."),
    key("above", Kind::Number, "", "Fires where the value is above."),
    key("below", Kind::Number, "", "Fires where the value is below."),
    key("clear_below", Kind::Number, "`above`", "Clears where the value is at most this."),
    key("clear_above", Kind::Number, "`below`", "Clears where the value is at least this."),
    key("severities", Kind::Section(SEVERITIES), "", "Several levels; an alert moves between them."),
    key("for", SPAN, "0s", "How long the condition must hold."),
    key("keep_firing_for", SPAN, "0s", "How long an alert stays after its condition ended."),
    key("labels", Kind::Map(&Kind::Text), "", "Labels of the alert or of the recorded series; templates."),
    key(
        "annotations",
        Kind::Map(&Kind::Text),
        "",
        "Texts for people; `summary` becomes the message; templates.",
    ),
    key(
        "overrides",
        Kind::List(&Kind::Section(OVERRIDE)),
        "",
        "Exceptions; the first whose `where` matches holds.",
    ),
    key(
        "no_data",
        Kind::Word(&["ok", "alert", "keep"]),
        "ok",
        "What becomes of an alert when a series that was there is gone.",
    ),
];

const SEVERITIES: &[Key] = &[
    key("info", Kind::Section(LEVEL), "", "The lowest level."),
    key("warning", Kind::Section(LEVEL), "", "The level in between."),
    key("critical", Kind::Section(LEVEL), "", "The highest level."),
];

const LEVEL: &[Key] = &[
    key("above", Kind::Number, "", "Fires where the value is above."),
    key("below", Kind::Number, "", "Fires where the value is below."),
    key("clear_below", Kind::Number, "`above`", "Clears where the value is at most this."),
    key("clear_above", Kind::Number, "`below`", "Clears where the value is at least this."),
    key("for", SPAN, "the rule's", "How long the condition must hold."),
];

const OVERRIDE: &[Key] = &[
    key("where", Kind::Map(&Kind::Text), "required", "Labels the series must have."),
    key("above", Kind::Number, "the rule's", "Fires where the value is above."),
    key("below", Kind::Number, "the rule's", "Fires where the value is below."),
    key("clear_below", Kind::Number, "`above`", "Clears where the value is at most this."),
    key("clear_above", Kind::Number, "`below`", "Clears where the value is at least this."),
    key("for", SPAN, "the rule's", "How long the condition must hold."),
    key("severities", Kind::Section(SEVERITIES), "the rule's", "Levels of these series."),
];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::catalogue::KnownMetrics;
    use crate::engine::diagnostic::{Severity, Source};
    use crate::engine::rules::load::{GROUP_KEYS, INTERVAL_DEFAULT, LoadContext, RULE_KEYS, load};

    #[test]
    fn the_schema_has_the_keys_the_loader_knows() {
        let sorted = |keys: Vec<&'static str>| {
            let mut keys = keys;
            keys.sort_unstable();
            keys
        };
        let names = |keys: &'static [Key]| sorted(keys.iter().map(|key| key.name).collect());
        assert_eq!(names(GROUP), sorted(GROUP_KEYS.to_vec()));
        assert_eq!(names(RULE), sorted(RULE_KEYS.to_vec()));
    }

    #[test]
    fn the_inner_keys_of_the_schema_load() {
        let text = r"groups:
  - name: g
    rules:
      - alert: A
        expr: a
        severities:
          info: {above: 1, clear_below: 0, for: 5s}
          warning: {above: 2}
          critical: {above: 3}
        overrides:
          - where: {q: x}
            severities: {info: {above: 7}}
      - alert: B
        expr: a
        below: 5
        overrides: [{where: {q: x}, below: 1, clear_above: 2, for: 5s}]
";
        let source = Source { name: Arc::from("r.yaml"), text: Arc::from(text) };
        let metrics = KnownMetrics::default();
        let context = LoadContext { interval: INTERVAL_DEFAULT, metrics: &metrics, previous: None };
        let loaded = load(&[source], &context);
        let errors = loaded.diagnostics.iter().filter(|found| found.severity == Severity::Error);
        assert_eq!(errors.count(), 0, "{:?}", loaded.diagnostics);
    }
}
