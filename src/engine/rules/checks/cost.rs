//! A rule that reads more series than it may: each evaluation walks all of them.

use super::{disable, rules_of};
use crate::engine::catalogue::KnownMetrics;
use crate::engine::diagnostic::{Diagnostic, Source};
use crate::engine::metric::Part;
use crate::engine::metric::bound::BUCKET_BOUND;
use crate::engine::promql::storage::{MatchCondition, Matcher};
use crate::engine::rules::set::{Rule, RuleSet};
use crate::engine::yaml::Findings;

/// The rules of a file that loaded which read more than `most` series; `count` says how many meet all conditions.
pub(crate) fn costly_rules(
    source: &Source,
    set: &RuleSet,
    most: usize,
    count: &mut dyn FnMut(&[Matcher]) -> usize,
) -> Vec<Diagnostic> {
    found(source, set, &mut |rule| {
        let read: usize = rule.selectors.iter().map(|conditions| count(conditions)).sum();
        (read > most).then(|| format!("an evaluation reads {read} series, {most} are allowed"))
    })
}

/// The rules of a file that loaded which may read more than `most` series by what is known of metrics alone: the values
/// of closed labels, the buckets of histograms; any other label counts as one value.
pub(crate) fn likely_costly_rules(
    source: &Source,
    set: &RuleSet,
    (most, metrics): (usize, &KnownMetrics),
) -> Vec<Diagnostic> {
    found(source, set, &mut |rule| {
        let read: Vec<Estimate> =
            rule.selectors.iter().map(|conditions| Estimate::of(conditions, metrics)).collect();
        let series = read.iter().fold(0_usize, |sum, one| sum.saturating_add(one.series));
        let open = if read.iter().any(|one| one.labels == Labels::Open) {
            " for each value of its other labels"
        } else {
            ""
        };
        (series > most).then(|| format!("an evaluation may read {series} series{open}, {most} are allowed"))
    })
}

/// How many series a selector may find.
struct Estimate {
    series: usize,
    labels: Labels,
}

/// Whether there are labels whose values nobody knows.
#[derive(PartialEq, Eq)]
enum Labels {
    Known,
    Open,
}

impl Estimate {
    fn of(conditions: &[Matcher], metrics: &KnownMetrics) -> Self {
        let known = conditions.iter().find_map(Matcher::metric_name).and_then(|name| metrics.find(name));
        let Some(found) = known else { return Self { series: 1, labels: Labels::Open } };
        let is_fixed = |label: &str| {
            let mut on = conditions.iter().filter(|matcher| matcher.name.as_ref() == label);
            on.any(|matcher| matches!(matcher.condition, MatchCondition::Equal(_)))
        };
        let meets = |label: &str, value: &str| {
            let mut on = conditions.iter().filter(|matcher| matcher.name.as_ref() == label);
            on.all(|matcher| matcher.meets(value))
        };
        let buckets = match (found.part, &found.metric.buckets) {
            (Some(Part::Bucket), Some(bounds)) if !is_fixed(BUCKET_BOUND) => bounds.len() + 1,
            (Some(_) | None, Some(_) | None) => 1,
        };
        let closed = &found.metric.closed;
        let values =
            closed.iter().map(|(label, values)| values.iter().filter(|value| meets(label, value)).count());
        let series = values.fold(buckets, usize::saturating_mul);
        let is_open = found.metric.labels.as_ref().is_none_or(|labels| {
            let is_closed = |label: &str| closed.iter().any(|(known, _)| known.as_ref() == label);
            labels.iter().any(|label| !is_closed(label) && !is_fixed(label))
        });
        Self { series, labels: if is_open { Labels::Open } else { Labels::Known } }
    }
}

/// A warning at each rule of a file of which something is said.
fn found(source: &Source, set: &RuleSet, said: &mut dyn FnMut(&Rule) -> Option<String>) -> Vec<Diagnostic> {
    let mut findings = Findings::new(source);
    for rule in rules_of(source, set) {
        if let Some(message) = said(rule) {
            findings
                .warning("costly-rule", &rule.written.name, message)
                .advise("Select fewer with labels, or record the sum once and read that.");
        }
    }
    disable::apply_quietly(&mut findings);
    findings.list
}
