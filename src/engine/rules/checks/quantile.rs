//! A quantile that no sample can give: outside 0 to 1, or of buckets whose `le` is aggregated away.

use std::ops::Range;

use super::Subject;
use super::kept::kept;
use crate::engine::metric::bound::BUCKET_BOUND;
use crate::engine::promql::Expr;
use crate::engine::promql::ast::{AggregateOp, Node};
use crate::engine::promql::inspect::{literal_name, number, selectors, walk};
use crate::engine::yaml::Findings;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let mut outside = Vec::new();
    let mut without_bounds = Vec::new();
    walk(&subject.rule.expr, &mut |part| {
        let quantile = match &part.node {
            Node::Call { function, args } => match function.name {
                "histogram_quantile" => {
                    without_bounds.extend(
                        args.get(1).filter(|arg| loses_bounds(subject, arg)).map(|arg| arg.span.clone()),
                    );
                    args.first()
                }
                "quantile_over_time" => args.first(),
                _ => None,
            },
            Node::Aggregate(aggregate) if aggregate.op == AggregateOp::Quantile => aggregate.param.as_ref(),
            Node::Aggregate(_)
            | Node::Number(_)
            | Node::String(_)
            | Node::Vector(_)
            | Node::Matrix { .. }
            | Node::Subquery { .. }
            | Node::Unary { .. }
            | Node::Binary(_)
            | Node::Paren(_) => None,
        };
        let value = quantile.and_then(|quantile| Some((quantile.span.clone(), number(quantile)?)));
        outside.extend(value.filter(|(_, value)| !(0.0..=1.0).contains(value)));
    });
    for (span, value) in outside {
        report_outside(findings, &subject.written.place(&span), value);
    }
    for span in without_bounds {
        findings
            .warning(
                "quantile",
                &subject.written.place(&span),
                "the buckets lose their `le` here, so there is no quantile",
            )
            .advise("Keep it: `sum by (le, …)`.");
    }
}

fn report_outside(findings: &mut Findings<'_>, place: &Range<usize>, value: f64) {
    let advice = findings.warning("quantile", place, format!("a quantile goes from 0 to 1, here is {value}"));
    if value > 1.0 && value <= 100.0 {
        advice.advise(format!("The {value}th percentile is {}.", value / 100.0));
    } else {
        advice.advise("Write for example 0.95.");
    }
}

/// Whether classic buckets are given without their bounds.
fn loses_bounds(subject: &Subject<'_>, arg: &Expr) -> bool {
    let are_buckets = selectors(arg)
        .iter()
        .all(|found| literal_name(found.vector).is_some_and(|name| name.ends_with("_bucket")));
    are_buckets && !kept(arg, subject.metrics).may_have(BUCKET_BOUND)
}
