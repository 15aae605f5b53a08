//! Checks of rules that load and yet are likely not what their author meant; each is a warning.
//!
//! One file a check; a check sees the rule, where its parts stand, and what is known of the metrics.

mod always_fires;
mod bare_counter;
mod bound;
mod cost;
mod disable;
mod dropped_label;
mod idle_override;
mod implausible_threshold;
mod kept;
mod missing_label;
mod never_true;
mod opposed_sides;
mod overwritten_label;
mod quantile;
mod rate_of_gauge;
mod required;
mod shadowed;
mod short_wait;
mod short_window;
mod spanning;
mod survey;
mod unfed_metric;
mod unknown_bound;
mod unknown_metric;
mod unknown_value;
mod unmatched_sides;
mod value_in_label;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::set::{Rule, RuleSet};
use crate::engine::catalogue::KnownMetrics;
use crate::engine::diagnostic::Source;
use crate::engine::promql::ast::VectorSelector;
use crate::engine::promql::inspect::{literal_name, selectors};
use crate::engine::yaml::{Fields, Findings, Text, Value, name_of};

pub(crate) use cost::costly_rules;
pub(super) use disable::apply as disable;
pub(crate) use disable::not_disabled;
pub(crate) use missing_label::missing_labels;
pub(super) use shadowed::Shadows;
pub(crate) use survey::{Costs, Survey};
pub(super) use unknown_metric::report as report_unknown_metrics;

/// A rule with what the checks need to know of its place.
pub(super) struct Subject<'a> {
    /// The rule.
    pub(super) rule: &'a Rule,
    /// Its keys in the file.
    pub(super) fields: &'a Fields<'a>,
    /// Where its expression stands.
    pub(super) written: &'a Written,
    /// The interval of its group.
    pub(super) interval: Duration,
    /// What is known of the metrics.
    pub(super) metrics: &'a KnownMetrics,
}

/// Where an expression stands.
pub(super) enum Written {
    /// As PromQL.
    Expression {
        /// The scalar.
        place: Text,
        /// The whole file.
        file: Arc<str>,
    },
    /// As `metric` and `stat`.
    Metric {
        /// The value of `metric`.
        span: Range<usize>,
    },
}

impl Written {
    /// The bytes of the file for bytes of the expression.
    pub(super) fn place(&self, range: &Range<usize>) -> Range<usize> {
        match self {
            Self::Expression { place, file } => place.place(file, range),
            Self::Metric { span } => span.clone(),
        }
    }

    /// The bytes of the file where `word` stands first inside a part of the expression.
    fn word(&self, word: &str, part: &Range<usize>) -> Range<usize> {
        let found = match self {
            Self::Expression { place, .. } => {
                place.content.get(part.clone()).and_then(|text| text.find(word)).map(|at| {
                    let start = part.start + at;
                    start..start + word.len()
                })
            }
            Self::Metric { .. } => None,
        };
        self.place(&found.unwrap_or_else(|| part.clone()))
    }
}

/// Runs every check on one rule.
pub(super) fn run(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    unknown_metric::check(subject, findings);
    unfed_metric::check(subject, findings);
    rate_of_gauge::check(subject, findings);
    short_wait::check(subject, findings);
    short_window::check(subject, findings);
    missing_label::check(subject, findings);
    dropped_label::check(subject, findings);
    implausible_threshold::check(subject, findings);
    unknown_bound::check(subject, findings);
    always_fires::check(subject, findings);
    idle_override::check(subject, findings);
    overwritten_label::check(subject, findings);
    quantile::check(subject, findings);
    unknown_value::check(subject, findings);
    unmatched_sides::check(subject, findings);
    opposed_sides::check(subject, findings);
    never_true::check(subject, findings);
    bare_counter::check(subject, findings);
    value_in_label::check(subject, findings);
}

impl Subject<'_> {
    /// Where the value of an entry stands in the mapping under a key.
    fn value_place(&self, key: &str, entry: &str) -> Option<Range<usize>> {
        let Value::Mapping(entries) = &self.fields.get(key)?.value else { return None };
        entries.iter().find(|(known, _)| name_of(known) == entry).map(|(_, value)| value.span.clone())
    }
}

/// The rules of a file that loaded.
fn rules_of<'a>(source: &Source, set: &'a RuleSet) -> impl Iterator<Item = &'a Rule> {
    let groups = set.groups.iter().filter(|group| group.file == source.name);
    groups.flat_map(|group| &group.rules).map(AsRef::as_ref)
}

/// Whether a metric of the expression has a label for sure.
fn metrics_have(subject: &Subject<'_>, label: &str) -> bool {
    let has = |name: &str| {
        let labels = subject.metrics.find(name).and_then(|found| found.metric.labels.as_ref());
        labels.is_some_and(|labels| labels.iter().any(|known| known.as_ref() == label))
    };
    selectors(&subject.rule.expr).iter().any(|found| literal_name(found.vector).is_some_and(has))
}

/// How a rule keeps a label of its metric.
fn how_to_keep(subject: &Subject<'_>, label: &str) -> String {
    match subject.written {
        Written::Metric { .. } => format!("Add `{label}` to `by`"),
        Written::Expression { .. } => format!("Keep it, as in `by ({label})`"),
    }
}

/// The values that a label of a selector's metric may have, where they are known for good.
fn closed_of<'a>(subject: &'a Subject<'_>, selector: &VectorSelector, label: &str) -> Option<&'a [Arc<str>]> {
    let found = subject.metrics.find(literal_name(selector)?)?;
    let mut closed = found.metric.closed.iter();
    closed.find(|(known, _)| known.as_ref() == label).map(|(_, values)| values.as_slice())
}

/// The same of the expression's only metric.
fn closed<'a>(subject: &'a Subject<'_>, label: &str) -> Option<&'a [Arc<str>]> {
    match selectors(&subject.rule.expr).as_slice() {
        [found] => closed_of(subject, found.vector, label),
        _ => None,
    }
}
