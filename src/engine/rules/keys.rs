//! The keys of a rule file with what their values are; a test holds them to what the loader knows.

use crate::engine::yaml::keys::{Key, KeyDefault, KeyKind, Zero, key};

const SPAN: KeyKind = KeyKind::Duration(Zero::Allowed);

/// A rule file.
pub(crate) const FILE_KEYS: &[Key] = &[key(
    "groups",
    KeyKind::List(&KeyKind::Section(GROUP)),
    KeyDefault::Nothing,
    "Groups of rules that are evaluated together.",
)];

/// A group.
const GROUP: &[Key] = &[
    key("name", KeyKind::Text, KeyDefault::Required, "Its name, unique in the file."),
    key("interval", SPAN, KeyDefault::Words("5s"), "The time between two evaluations."),
    key(
        "evaluate",
        KeyKind::Word(&["arrival", "interval"]),
        KeyDefault::Words("the configuration's"),
        "Whether events that move what a rule reads evaluate it at once.",
    ),
    key(
        "limit",
        KeyKind::Count(0),
        KeyDefault::Words("0, no limit"),
        "How many alerts or series a rule may have.",
    ),
    key("query_offset", SPAN, KeyDefault::Words("0s"), "How far in the past rules are evaluated."),
    key(
        "labels",
        KeyKind::Map(&KeyKind::Text),
        KeyDefault::Nothing,
        "Labels of every rule that does not set them itself.",
    ),
    key("rules", KeyKind::List(&KeyKind::Section(RULE)), KeyDefault::Nothing, "Its rules, in order."),
];

/// A rule.
const RULE: &[Key] = &[
    key("alert", KeyKind::Text, KeyDefault::Nothing, "The name of the alert."),
    key("record", KeyKind::Text, KeyDefault::Nothing, "The metric a recording rule writes."),
    key("id", KeyKind::Text, KeyDefault::Words("group and alert"), "`alert_rule_id` of its events."),
    key(
        "expr",
        KeyKind::Text,
        KeyDefault::Nothing,
        "PromQL; with its own comparison, or with `above` or `below`.",
    ),
    key("metric", KeyKind::Text, KeyDefault::Nothing, "A metric, instead of `expr`; with `stat`."),
    key(
        "stat",
        KeyKind::Text,
        KeyDefault::Words("last"),
        "last, rate, increase, avg, min, max, sum, count, or p50 to p99.9.",
    ),
    key("window", SPAN, KeyDefault::Nothing, "The time `stat` looks back over."),
    key("where", KeyKind::Map(&KeyKind::Text), KeyDefault::Nothing, "Labels the series must have."),
    key(
        "by",
        KeyKind::List(&KeyKind::Text),
        KeyDefault::Words("each series alone"),
        "The labels series are taken together by.",
    ),
    key("above", KeyKind::Number, KeyDefault::Nothing, "Fires where the value is above."),
    key("below", KeyKind::Number, KeyDefault::Nothing, "Fires where the value is below."),
    key(
        "clear_below",
        KeyKind::Number,
        KeyDefault::Words("`above`"),
        "Clears where the value is at most this.",
    ),
    key(
        "clear_above",
        KeyKind::Number,
        KeyDefault::Words("`below`"),
        "Clears where the value is at least this.",
    ),
    key(
        "severities",
        KeyKind::Section(SEVERITIES),
        KeyDefault::Nothing,
        "Several levels; an alert moves between them.",
    ),
    key("for", SPAN, KeyDefault::Words("0s"), "How long the condition must hold."),
    key(
        "keep_firing_for",
        SPAN,
        KeyDefault::Words("0s"),
        "How long an alert stays after its condition ended.",
    ),
    key(
        "labels",
        KeyKind::Map(&KeyKind::Text),
        KeyDefault::Nothing,
        "Labels of the alert or of the recorded series; templates.",
    ),
    key(
        "annotations",
        KeyKind::Map(&KeyKind::Text),
        KeyDefault::Nothing,
        "Texts for people; `summary` becomes the message; templates.",
    ),
    key(
        "overrides",
        KeyKind::List(&KeyKind::Section(OVERRIDE)),
        KeyDefault::Nothing,
        "Exceptions; the first whose `where` matches holds.",
    ),
    key(
        "no_data",
        KeyKind::Word(&["ok", "alert", "keep"]),
        KeyDefault::Words("ok"),
        "What becomes of an alert when a series that was there is gone.",
    ),
];

const SEVERITIES: &[Key] = &[
    key("info", KeyKind::Section(LEVEL), KeyDefault::Nothing, "The lowest level."),
    key("warning", KeyKind::Section(LEVEL), KeyDefault::Nothing, "The level in between."),
    key("critical", KeyKind::Section(LEVEL), KeyDefault::Nothing, "The highest level."),
];

const LEVEL: &[Key] = &[
    key("above", KeyKind::Number, KeyDefault::Nothing, "Fires where the value is above."),
    key("below", KeyKind::Number, KeyDefault::Nothing, "Fires where the value is below."),
    key(
        "clear_below",
        KeyKind::Number,
        KeyDefault::Words("`above`"),
        "Clears where the value is at most this.",
    ),
    key(
        "clear_above",
        KeyKind::Number,
        KeyDefault::Words("`below`"),
        "Clears where the value is at least this.",
    ),
    key("for", SPAN, KeyDefault::Words("the rule's"), "How long the condition must hold."),
];

const OVERRIDE: &[Key] = &[
    key("where", KeyKind::Map(&KeyKind::Text), KeyDefault::Required, "Labels the series must have."),
    key("above", KeyKind::Number, KeyDefault::Words("the rule's"), "Fires where the value is above."),
    key("below", KeyKind::Number, KeyDefault::Words("the rule's"), "Fires where the value is below."),
    key(
        "clear_below",
        KeyKind::Number,
        KeyDefault::Words("`above`"),
        "Clears where the value is at most this.",
    ),
    key(
        "clear_above",
        KeyKind::Number,
        KeyDefault::Words("`below`"),
        "Clears where the value is at least this.",
    ),
    key("for", SPAN, KeyDefault::Words("the rule's"), "How long the condition must hold."),
    key(
        "severities",
        KeyKind::Section(SEVERITIES),
        KeyDefault::Words("the rule's"),
        "Levels of these series.",
    ),
];

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::sync::Arc;

    use super::*;
    use crate::engine::catalogue::KnownMetrics;
    use crate::engine::diagnostic::{Severity, Source};
    use crate::engine::rules::load::{GROUP_KEYS, INTERVAL_DEFAULT, LoadContext, RULE_KEYS, load};

    /// The documented tables: of a group, a rule, a level and an override.
    fn tables() -> String {
        let mut text = String::new();
        for (title, keys) in [
            ("A group", GROUP),
            ("A rule", RULE),
            ("A level of `severities`", LEVEL),
            ("An override", OVERRIDE),
        ] {
            write!(text, "### {title}\n\n| key | value | default | what it does |\n|---|---|---|---|\n")
                .unwrap();
            for key in keys {
                let (name, default) = (key.name, key.default.shown());
                writeln!(text, "| `{name}` | {} | {default} | {} |", value(key.kind), key.sentence())
                    .unwrap();
            }
            text.push('\n');
        }
        text.trim_end().to_owned()
    }

    fn value(kind: KeyKind) -> String {
        match kind {
            KeyKind::Text => "text".to_owned(),
            KeyKind::Number => "number".to_owned(),
            KeyKind::Count(_) => "whole number".to_owned(),
            KeyKind::Duration(_) => "duration".to_owned(),
            KeyKind::Word(words) => {
                words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
            }
            KeyKind::List(_) => "list".to_owned(),
            KeyKind::OneOrMany(element) => format!("{} or a list", value(*element)),
            KeyKind::Map(element) => format!("name: {}", value(*element)),
            KeyKind::Section(_) => "mapping".to_owned(),
            KeyKind::Secret
            | KeyKind::Flag
            | KeyKind::Size
            | KeyKind::DurationByGlob
            | KeyKind::DurationByName(_)
            | KeyKind::ByName(..)
            | KeyKind::Name(_)
            | KeyKind::Anything => panic!("no words for {kind:?}"),
        }
    }

    #[test]
    fn the_documented_tables_are_those_of_the_keys() {
        let document = include_str!("../../../docs/rules.md");
        let tables = tables();
        assert!(
            document.contains(&tables),
            "docs/rules.md does not hold these tables; put them in:\n\n{tables}\n"
        );
    }

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
