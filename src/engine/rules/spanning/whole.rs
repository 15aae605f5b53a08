//! An expression over the series of all parts: what one instance would show as one series is made one first.

use std::sync::Arc;

use crate::engine::promql::Expr;
use crate::engine::promql::ast::{Aggregate, AggregateOp, Grouping, Node, RangeMode, Shift, VectorSelector};
use crate::engine::promql::inspect::literal_name;
use crate::engine::promql::storage::Matcher;

/// The labels by which the series of parts differ: what scraping adds, by target and in Kubernetes.
const PART_LABELS: [&str; 2] = ["instance", "pod"];

/// How the values of all parts become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merging {
    /// They are added up.
    Sum,
    /// The greatest holds.
    Max,
    /// The least holds.
    Min,
    /// Their average, which is not that of what they count.
    Avg,
}

impl Merging {
    const fn op(self) -> AggregateOp {
        match self {
            Self::Sum => AggregateOp::Sum,
            Self::Max => AggregateOp::Max,
            Self::Min => AggregateOp::Min,
            Self::Avg => AggregateOp::Avg,
        }
    }

    /// Whether a function over a range may be applied to each part's series before they become one.
    fn goes_after(self, function: &str) -> bool {
        match self {
            Self::Sum => {
                let linear = ["rate", "irate", "increase", "delta", "idelta", "deriv", "predict_linear"];
                linear.contains(&function) || ["sum_over_time", "avg_over_time"].contains(&function)
            }
            Self::Max => function == "max_over_time",
            Self::Min => function == "min_over_time",
            Self::Avg => function == "avg_over_time",
        }
    }
}

/// How the series become one that meet these conditions.
type MergingOf<'a> = dyn Fn(&str, &[Matcher]) -> Option<Merging> + 'a;

/// Rewrites an expression so that each selector is over all parts; whether anything had to be changed.
pub(super) fn over_parts(expr: &mut Expr, merging: &MergingOf<'_>) -> bool {
    rewrite(expr, merging, None)
}

/// What stands around an expression, where it is an aggregation.
type Around<'a> = Option<(AggregateOp, &'a Grouping)>;

fn rewrite(expr: &mut Expr, merging: &MergingOf<'_>, around: Around<'_>) -> bool {
    match &mut expr.node {
        Node::Number(_) | Node::String(_) | Node::Matrix { .. } => false,
        Node::Vector(selector) => match of(selector, merging) {
            Some(how) if !is_merged(around, how) => merge(expr, how),
            Some(_) | None => false,
        },
        Node::Paren(inner) => rewrite(inner, merging, around),
        Node::Unary { expr: inner, .. } | Node::Subquery { expr: inner, .. } => rewrite(inner, merging, None),
        Node::Binary(binary) => {
            let left = rewrite(&mut binary.left, merging, None);
            rewrite(&mut binary.right, merging, None) || left
        }
        Node::Aggregate(aggregate) => {
            let Aggregate { op, expr: inner, param, grouping } = aggregate.as_mut();
            let in_param = param.as_mut().is_some_and(|param| rewrite(param, merging, None));
            rewrite(inner, merging, Some((*op, &*grouping))) || in_param
        }
        // What is nowhere is in no part.
        Node::Call { function, .. } if function.name.starts_with("absent") => false,
        Node::Call { function, args } => {
            let ranged = args.iter().find_map(|arg| range_of(arg, merging));
            match ranged {
                Some(how) if how.goes_after(function.name) => !is_merged(around, how) && merge(expr, how),
                Some(how) => args.iter_mut().filter_map(|arg| subquery(arg, how).then_some(())).count() > 0,
                None => {
                    args.iter_mut().filter_map(|arg| rewrite(arg, merging, None).then_some(())).count() > 0
                }
            }
        }
    }
}

fn of(selector: &VectorSelector, merging: &MergingOf<'_>) -> Option<Merging> {
    merging(literal_name(selector)?, &selector.matchers)
}

/// How the series of a range become one.
fn range_of(arg: &Expr, merging: &MergingOf<'_>) -> Option<Merging> {
    match &arg.node {
        Node::Matrix { selector, .. } => of(selector, merging),
        Node::Paren(inner) => range_of(inner, merging),
        Node::Number(_)
        | Node::String(_)
        | Node::Vector(_)
        | Node::Subquery { .. }
        | Node::Unary { .. }
        | Node::Binary(_)
        | Node::Aggregate(_)
        | Node::Call { .. } => None,
    }
}

/// Whether the aggregation around makes one of all parts' series as it is.
fn is_merged(around: Around<'_>, how: Merging) -> bool {
    around.is_some_and(|(op, grouping)| {
        let stands = |label: &&str, labels: &[Arc<str>]| labels.iter().any(|known| known.as_ref() == *label);
        let is_over_parts = match grouping {
            Grouping::By(labels) => !PART_LABELS.iter().any(|label| stands(label, labels)),
            Grouping::Without(labels) => PART_LABELS.iter().all(|label| stands(label, labels)),
        };
        op == how.op() && is_over_parts
    })
}

/// Puts the aggregation that makes one of all parts' series around an expression.
fn merge(expr: &mut Expr, how: Merging) -> bool {
    let nothing = Expr { span: expr.span.clone(), node: Node::Number(0.0), twin: None };
    let inner = std::mem::replace(expr, nothing);
    let grouping = Grouping::Without(PART_LABELS.map(Arc::from).into());
    expr.node = Node::Aggregate(Box::new(Aggregate { op: how.op(), expr: inner, param: None, grouping }));
    true
}

/// Makes a range over one series of the range over all parts'; whether it was one.
fn subquery(arg: &mut Expr, how: Merging) -> bool {
    if let Node::Paren(inner) = &mut arg.node {
        return subquery(inner, how);
    }
    let Node::Matrix { selector, range } = &arg.node else { return false };
    let (span, range) = (arg.span.clone(), range.clone());
    let selector = VectorSelector { range_mode: RangeMode::default(), ..selector.clone() };
    let mut inner = Expr { span, node: Node::Vector(selector), twin: None };
    merge(&mut inner, how);
    arg.node = Node::Subquery { expr: Box::new(inner), range, step: None, shift: Shift::default() };
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::promql::parse;

    #[test]
    fn every_selector_is_made_one_over_all_parts_once() {
        let merging = |name: &str, _: &[Matcher]| match name {
            "depth" | "c_total" | "h_bucket" => Some(Merging::Sum),
            "age" => Some(Merging::Max),
            _ => None,
        };
        let cases = [
            ("depth > 5", "sum without (instance, pod) (depth) > 5"),
            ("sum by (queue) (depth)", "sum by (queue) (depth)"),
            ("sum by (queue, pod) (depth)", "sum by (queue, pod) (sum without (instance, pod) (depth))"),
            ("sum without (queue) (depth)", "sum without (queue) (sum without (instance, pod) (depth))"),
            ("max by (queue) (depth)", "max by (queue) (sum without (instance, pod) (depth))"),
            ("max by (queue) (age)", "max by (queue) (age)"),
            ("count(depth > 0)", "count(sum without (instance, pod) (depth) > 0)"),
            ("rate(c_total[5m])", "sum without (instance, pod) (rate(c_total[5m]))"),
            ("sum by (q) (rate(c_total[5m]))", "sum by (q) (rate(c_total[5m]))"),
            ("max_over_time(age[5m])", "max without (instance, pod) (max_over_time(age[5m]))"),
            (
                "max_over_time(depth{a=\"b\"}[5m] offset 1m)",
                "max_over_time(sum without (instance, pod) (depth{a=\"b\"} offset 1m)[5m:])",
            ),
            (
                "histogram_quantile(0.9, rate(h_bucket[5m]))",
                "histogram_quantile(0.9, sum without (instance, pod) (rate(h_bucket[5m])))",
            ),
            ("absent(depth)", "absent(depth)"),
            ("other / depth", "other / sum without (instance, pod) (depth)"),
        ];
        for (text, expected) in cases {
            let mut expr = parse(text).unwrap();
            assert_eq!(over_parts(&mut expr, &merging), text != expected, "{text}");
            assert_eq!(expr.to_string(), parse(expected).unwrap().to_string(), "{text}");
            assert!(!over_parts(&mut expr, &merging), "{expected} is over all parts already");
        }
    }
}
