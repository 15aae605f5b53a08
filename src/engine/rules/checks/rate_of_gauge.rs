//! A rate of a gauge: every fall of the value counts as a restart of a counter.

use super::Subject;
use crate::engine::metric::MetricType;
use crate::engine::promql::ast::Node;
use crate::engine::promql::inspect::{literal_name, walk};
use crate::engine::yaml::Findings;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let mut found = Vec::new();
    walk(&subject.rule.expr, &mut |part| {
        let Node::Call { function, args } = &part.node else { return };
        let Some(Node::Matrix { selector, .. }) = args.first().map(|arg| &arg.node) else { return };
        let instead = match function.name {
            "rate" | "irate" => "deriv",
            "increase" => "delta",
            _ => return,
        };
        let name = literal_name(selector).unwrap_or("");
        let known = subject.metrics.find(name).map(|found| found.metric.metric_type);
        if known == Some(MetricType::Gauge) {
            found.push((part.span.clone(), function.name, name.to_owned(), instead));
        }
    });
    for (span, function, name, instead) in found {
        let place = subject.written.place(&span);
        findings
            .warning("rate-of-gauge", &place, format!("`{function}` of the gauge `{name}`"))
            .advise(format!("`{function}` is for counters: for a gauge take `{instead}`."));
    }
}
