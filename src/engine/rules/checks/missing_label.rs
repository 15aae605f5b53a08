//! A label that the metric does not have, in a selector or a grouping.

use std::ops::Range;
use std::sync::Arc;

use super::Subject;
use crate::engine::diagnostic::closest;
use crate::engine::labels::METRIC_NAME;
use crate::engine::metric::Part;
use crate::engine::promql::ast::{Grouping, Node};
use crate::engine::promql::inspect::{literal_name, selectors, walk};
use crate::engine::promql::{Expr, ast::VectorSelector};
use crate::engine::yaml::{Findings, Node as YamlNode, Value, name_of};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let mut found: Vec<(Range<usize>, String, Known)> = Vec::new();
    for selection in selectors(&subject.rule.expr) {
        let Some(known) = known(subject, selection.selector) else { continue };
        for matcher in &selection.selector.matchers {
            if !known.has(&matcher.name) {
                found.push((
                    place(subject, &matcher.name, &selection.span),
                    matcher.name.to_string(),
                    known.clone(),
                ));
            }
        }
    }
    walk(&subject.rule.expr, &mut |part| {
        let Node::Aggregate(aggregate) = &part.node else { return };
        let Grouping::By(labels) = &aggregate.grouping else { return };
        let Some(known) = only_metric(subject, &aggregate.expr) else { return };
        for label in labels.iter().filter(|label| !known.has(label)) {
            found.push((place(subject, label, &part.span), label.to_string(), known.clone()));
        }
    });
    found.dedup_by(|left, right| left.0 == right.0 && left.1 == right.1);
    for (place, label, known) in found {
        let message = format!("`{}` has no label `{label}`", known.metric);
        let advice = findings.warning("missing-label", &place, message);
        match closest(&label, known.labels.iter().map(AsRef::as_ref)) {
            Some(near) => advice.advise(format!("Did you mean `{near}`?")),
            None if known.labels.is_empty() => advice.advise("It has no labels at all."),
            None => advice.advise(format!("Its labels are {}.", known.labels.join(", "))),
        }
    }
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
            || (self.bucket && label == "le")
            || self.labels.iter().any(|known| known.as_ref() == label)
    }
}

fn known(subject: &Subject<'_>, selector: &VectorSelector) -> Option<Known> {
    let metric = literal_name(selector)?;
    let found = subject.metrics.find(metric)?;
    let labels = found.metric.labels.clone()?;
    Some(Known { metric: metric.to_owned(), labels, bucket: found.part == Some(Part::Bucket) })
}

/// The metric whose labels an expression has, where that is plain to see.
fn only_metric(subject: &Subject<'_>, expr: &Expr) -> Option<Known> {
    match &expr.node {
        Node::Vector(selector) | Node::Matrix { selector, .. } => known(subject, selector),
        Node::Paren(expr) | Node::Unary { expr, .. } | Node::Subquery { expr, .. } => {
            only_metric(subject, expr)
        }
        Node::Call { function, args } => {
            let relabels = matches!(function.name, "label_replace" | "label_join" | "info" | "absent");
            let [arg] = args.as_slice() else { return None };
            if relabels { None } else { only_metric(subject, arg) }
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
