//! By which labels an expression falls apart.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::labels::METRIC_NAME;
use crate::engine::promql::ast::{Aggregate, Binary, Expr, Grouping, Node};
use crate::engine::promql::functions::ValueType;
use crate::engine::promql::inspect::{value_type, walk};

/// Labels by which an expression falls apart: every sample of its result depends on those series alone that have the
/// same values of these labels, and has these values itself. A label that is not there has the value "".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine::rules) enum Partition {
    /// All labels but these.
    AllBut(BTreeSet<Arc<str>>),
    /// These labels; without any the expression is one piece.
    Only(BTreeSet<Arc<str>>),
}

impl Partition {
    /// The labels by which an expression falls apart.
    pub(in crate::engine::rules) fn of(expr: &Expr) -> Self {
        match &expr.node {
            Node::Number(_) | Node::String(_) => Self::everything(),
            Node::Vector(_) | Node::Matrix { .. } => Self::everything().without(METRIC_NAME),
            Node::Subquery { expr, .. } | Node::Unary { expr, .. } | Node::Paren(expr) => Self::of(expr),
            Node::Binary(binary) => Self::of_binary(binary),
            Node::Aggregate(aggregate) => Self::of_aggregate(aggregate),
            Node::Call { function, args } => Self::of_call(function.name, args),
        }
    }

    /// Whether it is a label of these.
    pub(super) fn contains(&self, label: &str) -> bool {
        match self {
            Self::AllBut(others) => !others.contains(label),
            Self::Only(labels) => labels.contains(label),
        }
    }

    /// The same labels but one.
    pub(in crate::engine::rules) fn without(mut self, label: &str) -> Self {
        match &mut self {
            Self::AllBut(others) => {
                others.insert(Arc::from(label));
            }
            Self::Only(labels) => {
                labels.remove(label);
            }
        }
        self
    }

    const fn everything() -> Self {
        Self::AllBut(BTreeSet::new())
    }

    /// No labels: the expression is one piece.
    pub(in crate::engine::rules) const fn one_piece() -> Self {
        Self::Only(BTreeSet::new())
    }

    /// Whether no label keeps parts apart.
    pub(super) fn is_one_piece(&self) -> bool {
        matches!(self, Self::Only(labels) if labels.is_empty())
    }

    /// The labels of both.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::AllBut(left), Self::AllBut(right)) => Self::AllBut(left.union(&right).cloned().collect()),
            (Self::Only(labels), other) | (other, Self::Only(labels)) => {
                Self::Only(labels.into_iter().filter(|label| other.contains(label)).collect())
            }
        }
    }

    fn of_all<'a>(parts: impl IntoIterator<Item = &'a Expr>) -> Self {
        parts.into_iter().map(Self::of).fold(Self::everything(), Self::and)
    }

    fn of_grouping(grouping: &Grouping) -> Self {
        match grouping {
            Grouping::By(names) => Self::Only(names.iter().cloned().collect()),
            Grouping::Without(names) => Self::AllBut(names.iter().cloned().collect()),
        }
        .without(METRIC_NAME)
    }

    fn of_aggregate(aggregate: &Aggregate) -> Self {
        let inner = Self::of(&aggregate.expr).and(Self::of_grouping(&aggregate.grouping));
        let Some(param) = &aggregate.param else { return inner };
        let both = inner.and(Self::of(param));
        // The label of `count_values` is the result's own.
        if let Node::String(label) = &param.node { both.without(label.text()) } else { both }
    }

    fn of_binary(binary: &Binary) -> Self {
        let sides = Self::of_all([&binary.left, &binary.right]);
        let vectors = [&binary.left, &binary.right].map(value_type) == [ValueType::Vector; 2];
        if !vectors {
            return sides;
        }
        let matched = sides.and(Self::of_grouping(&binary.matching.on));
        // Included labels come from the other side.
        binary.matching.include.iter().fold(matched, |labels, label| labels.without(label))
    }

    fn of_call(name: &str, args: &[Expr]) -> Self {
        let parts = Self::of_all(args);
        let without_text = |labels: Self, at: usize| match args.get(at).map(|arg| &arg.node) {
            Some(Node::String(label)) => labels.without(label.text()),
            _ => Self::one_piece(),
        };
        match name {
            // One sample says something of all series.
            "absent" | "absent_over_time" | "info" => Self::one_piece(),
            "scalar" if reads_series(args) => Self::one_piece(),
            "label_replace" | "label_join" => without_text(parts, 1),
            "histogram_quantile" | "histogram_fraction" => parts.without("le"),
            "histogram_quantiles" => without_text(parts.without("le"), 1),
            _ => parts,
        }
    }
}

fn reads_series(args: &[Expr]) -> bool {
    let mut reads = false;
    for arg in args {
        walk(arg, &mut |part| reads |= matches!(part.node, Node::Vector(_) | Node::Matrix { .. }));
    }
    reads
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::promql::parse;

    fn labels(query: &str) -> String {
        let list = |labels: BTreeSet<Arc<str>>| labels.into_iter().collect::<Vec<_>>().join(" ");
        match Partition::of(&parse(query).unwrap()) {
            Partition::AllBut(others) => format!("all but {}", list(others)),
            Partition::Only(labels) => format!("only {}", list(labels)),
        }
    }

    #[test]
    fn an_expression_falls_apart_by_the_labels_that_all_of_it_keeps_apart() {
        for (query, expected) in [
            ("a", "all but __name__"),
            ("rate(a[5m]) > 5", "all but __name__"),
            ("a / b", "all but __name__"),
            ("sum by (queue) (a)", "only queue"),
            ("sum(a)", "only "),
            ("sum without (pod) (a) > 1", "all but __name__ pod"),
            ("sum by (queue, x) (a) / on (queue) group_left (y) b", "only queue"),
            ("a / ignoring (pod) sum without (pod) (a)", "all but __name__ pod"),
            ("a * on (queue) group_left (owner) info", "only queue"),
            ("sum by (queue, le) (rate(a_bucket[5m]))", "only le queue"),
            ("histogram_quantile(0.9, sum by (queue, le) (rate(a_bucket[5m])))", "only queue"),
            ("label_replace(a, \"pod\", \"$1\", \"x\", \"(.*)\")", "all but __name__ pod"),
            ("a > scalar(sum(b))", "only "),
            ("a > scalar(vector(5))", "all but __name__"),
            ("absent(a)", "only "),
            ("topk by (queue) (3, a)", "only queue"),
            ("count_values by (queue) (\"v\", a)", "only queue"),
            ("count_values without (pod) (\"v\", a)", "all but __name__ pod v"),
            ("max_over_time(sum by (queue) (rate(a[1m]))[1h:1m])", "only queue"),
            ("a or sum by (queue) (b)", "only queue"),
            ("a and on (queue) b", "only queue"),
            ("time() - a", "all but __name__"),
        ] {
            assert_eq!(labels(query), expected, "{query}");
        }
    }
}
