//! A label that the metric does not have, in a selector or a grouping.

use std::ops::Range;
use std::sync::Arc;

use super::Subject;
use crate::engine::catalogue::KnownMetrics;
use crate::engine::diagnostic::closest;
use crate::engine::labels::METRIC_NAME;
use crate::engine::metric::Part;
use crate::engine::metric::bound::BUCKET_BOUND;
use crate::engine::promql::ast::{Grouping, Node};
use crate::engine::promql::inspect::{literal_name, selectors, walk};
use crate::engine::promql::{Expr, ast::VectorSelector};
use crate::engine::yaml::{Findings, Node as YamlNode, Value, name_of};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let mut found: Vec<(Range<usize>, MissingLabel)> = missing_labels(&subject.rule.expr, subject.metrics)
        .into_iter()
        .map(|missing| (place(subject, &missing.label, &missing.part), missing))
        .collect();
    found.dedup_by(|left, right| left.0 == right.0 && left.1.label == right.1.label);
    for (place, missing) in found {
        let advice = findings.warning("missing-label", &place, missing.to_string());
        match missing.near() {
            Some(near) => advice.advise(format!("Did you mean `{near}`?")),
            None if missing.labels.is_empty() => advice.advise("It has no labels at all."),
            None => advice.advise(format!("Its labels are {}.", missing.labels.join(", "))),
        }
    }
}

/// A label that an expression asks of a metric that does not have it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("`{metric}` has no label `{label}`")]
pub(crate) struct MissingLabel {
    /// The metric, as the expression names it.
    pub(crate) metric: String,
    /// The label.
    pub(crate) label: String,
    /// The labels the metric has.
    pub(crate) labels: Vec<Arc<str>>,
    /// The bytes of the part of the expression that asks for it.
    pub(crate) part: Range<usize>,
}

impl MissingLabel {
    /// The label that was most likely meant.
    pub(crate) fn near(&self) -> Option<&str> {
        closest(&self.label, self.labels.iter().map(AsRef::as_ref))
    }
}

/// Every label in a selector or a grouping that its metric, where one is plain to see, does not have.
pub(crate) fn missing_labels(expr: &Expr, metrics: &KnownMetrics) -> Vec<MissingLabel> {
    let mut found = Vec::new();
    for selection in selectors(expr) {
        let Some(known) = known(metrics, selection.vector) else { continue };
        let missing = selection.vector.matchers.iter().filter(|matcher| !known.has(&matcher.name));
        found.extend(missing.map(|matcher| known.clone().without(&matcher.name, &selection.span)));
    }
    walk(expr, &mut |part| {
        let Node::Aggregate(aggregate) = &part.node else { return };
        let Grouping::By(labels) = &aggregate.grouping else { return };
        let Some(known) = only_metric(metrics, &aggregate.expr) else { return };
        let missing = labels.iter().filter(|label| !known.has(label));
        found.extend(missing.map(|label| known.clone().without(label, &part.span)));
    });
    found
}

/// A metric with its labels.
#[derive(Clone)]
struct Known {
    metric: String,
    labels: Vec<Arc<str>>,
    bucket: bool,
}

impl Known {
    fn has(&self, label: &str) -> bool {
        label == METRIC_NAME
            || (self.bucket && label == BUCKET_BOUND)
            || self.labels.iter().any(|known| known.as_ref() == label)
    }

    fn without(self, label: &str, part: &Range<usize>) -> MissingLabel {
        MissingLabel { metric: self.metric, label: label.to_owned(), labels: self.labels, part: part.clone() }
    }
}

fn known(metrics: &KnownMetrics, selector: &VectorSelector) -> Option<Known> {
    let metric = literal_name(selector)?;
    let found = metrics.find(metric)?;
    let labels = found.metric.labels.clone()?;
    Some(Known { metric: metric.to_owned(), labels, bucket: found.part == Some(Part::Bucket) })
}

/// The metric whose labels an expression has, where that is plain to see.
fn only_metric(metrics: &KnownMetrics, expr: &Expr) -> Option<Known> {
    match &expr.node {
        Node::Vector(selector) | Node::Matrix { selector, .. } => known(metrics, selector),
        Node::Paren(expr) | Node::Unary { expr, .. } | Node::Subquery { expr, .. } => {
            only_metric(metrics, expr)
        }
        Node::Call { function, args } => {
            let relabels = matches!(function.name, "label_replace" | "label_join" | "info" | "absent");
            let [arg] = args.as_slice() else { return None };
            if relabels { None } else { only_metric(metrics, arg) }
        }
        Node::Number(_) | Node::String(_) | Node::Binary(_) | Node::Aggregate(_) => None,
    }
}

/// Where a label stands: under `where` or `by`, or in the expression.
fn place(subject: &Subject<'_>, label: &str, part: &Range<usize>) -> Range<usize> {
    let listed = ["where", "by"].into_iter().filter_map(|key| subject.fields.get(key)).find_map(|node| {
        let names: Vec<&YamlNode> = match &node.value {
            Value::Mapping(entries) => entries.iter().map(|(key, _)| key).collect(),
            Value::Sequence(items) => items.iter().collect(),
            Value::Scalar(_) => Vec::new(),
        };
        names.into_iter().find(|name| name_of(name) == label).map(|name| name.span.clone())
    });
    listed.unwrap_or_else(|| subject.written.word(label, part))
}
