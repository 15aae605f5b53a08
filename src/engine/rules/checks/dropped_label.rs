//! A template that prints a label which the expression aggregates away: it always prints nothing.

use std::collections::BTreeSet;

use super::Subject;
use crate::engine::labels::METRIC_NAME;
use crate::engine::metric::bound::BUCKET_BOUND;
use crate::engine::promql::Expr;
use crate::engine::promql::ast::{AggregateOp, Binary, BinaryOp, Cardinality, Grouping, Node};
use crate::engine::promql::functions::ValueType;
use crate::engine::promql::inspect::value_type;
use crate::engine::rules::set::Kind;
use crate::engine::rules::template::Template;
use crate::engine::yaml::Findings;
use crate::engine::yaml::{Value, name_of};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let Kind::Alerting(alerting) = &subject.rule.kind else { return };
    let kept = kept(&subject.rule.expr);
    let texts = [("labels", &subject.rule.labels), ("annotations", &alerting.annotations)];
    for (key, templates) in texts {
        for (name, template) in templates {
            for label in template.label_names().iter().filter(|label| !kept.may_have(label)) {
                report(subject, findings, (key, name), (template, label));
            }
        }
    }
}

fn report(
    subject: &Subject<'_>,
    findings: &mut Findings<'_>,
    (key, name): (&str, &str),
    (template, label): (&Template, &str),
) {
    let entry = subject.fields.get(key).and_then(|node| match &node.value {
        Value::Mapping(entries) => entries.iter().find(|(known, _)| name_of(known) == name),
        Value::Sequence(_) | Value::Scalar(_) => None,
    });
    // A group's label belongs to all of its rules.
    let Some((_, value)) = entry else { return };
    let place = value
        .scalar()
        .and_then(|scalar| {
            let text = super::Text::new(scalar, &value.span);
            let at = template.text().find(&format!(".{label}"))? + 1;
            Some(text.place(&findings.source.text, &(at..at + label.len())))
        })
        .unwrap_or_else(|| value.span.clone());
    findings
        .warning("dropped-label", &place, format!("the result of the expression has no label `{label}`"))
        .advise(format!("Keep it, as in `by ({label})`, or take it out of the text."));
}

/// The labels a result may have.
enum Kept {
    /// Any.
    Any,
    /// These alone.
    Only(BTreeSet<String>),
    /// Any but these.
    Except(BTreeSet<String>),
}

impl Kept {
    fn may_have(&self, label: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(labels) => labels.contains(label),
            Self::Except(labels) => !labels.contains(label),
        }
    }

    fn without(self, label: &str) -> Self {
        match self {
            Self::Any => Self::Except(BTreeSet::from([label.to_owned()])),
            Self::Only(mut labels) => {
                labels.remove(label);
                Self::Only(labels)
            }
            Self::Except(mut labels) => {
                labels.insert(label.to_owned());
                Self::Except(labels)
            }
        }
    }

    fn with<'a>(self, added: impl IntoIterator<Item = &'a str>) -> Self {
        match self {
            Self::Any => Self::Any,
            Self::Only(mut labels) => {
                labels.extend(added.into_iter().map(str::to_owned));
                Self::Only(labels)
            }
            Self::Except(mut labels) => {
                for label in added {
                    labels.remove(label);
                }
                Self::Except(labels)
            }
        }
    }
}

fn kept(expr: &Expr) -> Kept {
    match &expr.node {
        Node::Paren(expr) | Node::Unary { expr, .. } | Node::Subquery { expr, .. } => kept(expr),
        Node::Vector(_) | Node::Matrix { .. } => Kept::Any,
        Node::Number(_) | Node::String(_) => Kept::Only(BTreeSet::new()),
        Node::Binary(binary) => kept_by_binary(binary),
        Node::Aggregate(aggregate) => match aggregate.op {
            AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk | AggregateOp::LimitRatio => {
                kept(&aggregate.expr)
            }
            AggregateOp::CountValues => Kept::Any,
            _ => match &aggregate.grouping {
                Grouping::By(labels) => Kept::Only(labels.iter().map(ToString::to_string).collect()),
                Grouping::Without(labels) => labels
                    .iter()
                    .fold(kept(&aggregate.expr), |kept, label| kept.without(label))
                    .without(METRIC_NAME),
            },
        },
        Node::Call { function, args } => match function.name {
            "label_replace" | "label_join" | "absent" | "absent_over_time" | "info" => Kept::Any,
            "vector" | "scalar" | "time" => Kept::Only(BTreeSet::new()),
            "histogram_quantile" | "histogram_fraction" => {
                args.last().map_or(Kept::Any, kept).without(BUCKET_BOUND)
            }
            _ => {
                let series =
                    args.iter().find(|arg| matches!(value_type(arg), ValueType::Vector | ValueType::Matrix));
                series.map_or(Kept::Any, kept)
            }
        },
    }
}

fn kept_by_binary(binary: &Binary) -> Kept {
    match (value_type(&binary.left), value_type(&binary.right)) {
        (ValueType::Scalar, _) => return kept(&binary.right),
        (_, ValueType::Scalar) => return kept(&binary.left),
        _ => {}
    }
    let included = || binary.matching.include.iter().map(AsRef::as_ref);
    match (binary.op, binary.matching.cardinality) {
        (BinaryOp::Or, _) => Kept::Any,
        (BinaryOp::And | BinaryOp::Unless, _) => kept(&binary.left),
        (_, Cardinality::ManyToOne) => kept(&binary.left).with(included()),
        (_, Cardinality::OneToMany) => kept(&binary.right).with(included()),
        (_, Cardinality::OneToOne) => match &binary.matching.on {
            Grouping::By(labels) => Kept::Only(labels.iter().map(ToString::to_string).collect()),
            Grouping::Without(labels) => {
                labels.iter().fold(kept(&binary.left), |kept, label| kept.without(label))
            }
        },
    }
}
