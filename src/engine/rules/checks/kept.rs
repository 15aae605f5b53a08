//! The labels that the result of an expression may have.

use std::collections::BTreeSet;

use crate::engine::catalogue::KnownMetrics;
use crate::engine::labels::METRIC_NAME;
use crate::engine::metric::Part;
use crate::engine::metric::bound::BUCKET_BOUND;
use crate::engine::promql::Expr;
use crate::engine::promql::ast::{
    Aggregate, AggregateOp, Binary, BinaryOp, Cardinality, Grouping, Node, VectorSelector,
};
use crate::engine::promql::functions::ValueType;
use crate::engine::promql::inspect::{literal_name, value_type};

/// The labels a result may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeptLabels {
    /// Any.
    Any,
    /// These alone.
    Only(BTreeSet<String>),
    /// Any but these.
    Except(BTreeSet<String>),
}

impl KeptLabels {
    pub(super) fn may_have(&self, label: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(labels) => labels.contains(label),
            Self::Except(labels) => !labels.contains(label),
        }
    }

    /// Their names, where they are known: those that texts can print.
    pub(super) fn names(&self) -> Option<impl Iterator<Item = &str>> {
        match self {
            Self::Only(labels) => Some(
                labels
                    .iter()
                    .map(String::as_str)
                    .filter(|label| *label != METRIC_NAME && *label != BUCKET_BOUND),
            ),
            Self::Any | Self::Except(_) => None,
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

/// What an expression keeps of the labels of its metrics.
pub(super) fn kept(expr: &Expr, metrics: &KnownMetrics) -> KeptLabels {
    match &expr.node {
        Node::Paren(expr) | Node::Unary { expr, .. } | Node::Subquery { expr, .. } => kept(expr, metrics),
        Node::Vector(selector) | Node::Matrix { selector, .. } => of_metric(selector, metrics),
        Node::Number(_) | Node::String(_) => KeptLabels::Only(BTreeSet::new()),
        Node::Binary(binary) => by_binary(binary, metrics),
        Node::Aggregate(aggregate) => by_aggregate(aggregate, metrics),
        Node::Call { function, args } => match function.name {
            "label_replace" | "label_join" | "absent" | "absent_over_time" | "info" => KeptLabels::Any,
            "vector" | "scalar" | "time" => KeptLabels::Only(BTreeSet::new()),
            "histogram_quantile" | "histogram_fraction" => {
                args.last().map_or(KeptLabels::Any, |arg| kept(arg, metrics)).without(BUCKET_BOUND)
            }
            _ => {
                let series =
                    args.iter().find(|arg| matches!(value_type(arg), ValueType::Vector | ValueType::Matrix));
                series.map_or(KeptLabels::Any, |series| kept(series, metrics))
            }
        },
    }
}

fn of_metric(selector: &VectorSelector, metrics: &KnownMetrics) -> KeptLabels {
    let found = literal_name(selector).and_then(|name| metrics.find(name));
    let Some((metric, part)) = found.map(|found| (found.metric, found.part)) else { return KeptLabels::Any };
    let Some(labels) = &metric.labels else { return KeptLabels::Any };
    let mut labels: BTreeSet<String> = labels.iter().map(ToString::to_string).collect();
    labels.insert(METRIC_NAME.to_owned());
    if part == Some(Part::Bucket) {
        labels.insert(BUCKET_BOUND.to_owned());
    }
    KeptLabels::Only(labels)
}

fn by_aggregate(aggregate: &Aggregate, metrics: &KnownMetrics) -> KeptLabels {
    match aggregate.op {
        AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk | AggregateOp::LimitRatio => {
            kept(&aggregate.expr, metrics)
        }
        AggregateOp::CountValues => KeptLabels::Any,
        AggregateOp::Sum
        | AggregateOp::Avg
        | AggregateOp::Min
        | AggregateOp::Max
        | AggregateOp::Count
        | AggregateOp::Group
        | AggregateOp::Stddev
        | AggregateOp::Stdvar
        | AggregateOp::Quantile => match &aggregate.grouping {
            Grouping::By(labels) => KeptLabels::Only(labels.iter().map(ToString::to_string).collect()),
            Grouping::Without(labels) => labels
                .iter()
                .fold(kept(&aggregate.expr, metrics), |kept, label| kept.without(label))
                .without(METRIC_NAME),
        },
    }
}

fn by_binary(binary: &Binary, metrics: &KnownMetrics) -> KeptLabels {
    let (left, right) = (|| kept(&binary.left, metrics), || kept(&binary.right, metrics));
    match (value_type(&binary.left), value_type(&binary.right)) {
        (ValueType::Scalar, _) => return right(),
        (_, ValueType::Scalar) => return left(),
        _ => {}
    }
    let included = || binary.matching.include.iter().map(AsRef::as_ref);
    match (binary.op, binary.matching.cardinality) {
        (BinaryOp::Or, _) => KeptLabels::Any,
        (BinaryOp::And | BinaryOp::Unless, _) => left(),
        (_, Cardinality::ManyToOne) => left().with(included()),
        (_, Cardinality::OneToMany) => right().with(included()),
        (_, Cardinality::OneToOne) => match &binary.matching.on {
            Grouping::By(labels) => KeptLabels::Only(labels.iter().map(ToString::to_string).collect()),
            Grouping::Without(labels) => labels.iter().fold(left(), |kept, label| kept.without(label)),
        },
    }
}
