//! A metric that neither the catalogue nor the configuration nor a recording rule has.

use std::sync::Arc;

use super::{Subject, Written};
use crate::engine::catalogue::KnownMetrics;
use crate::engine::diagnostic::closest;
use crate::engine::promql::inspect::{literal_name, selectors};
use crate::engine::yaml::{Findings, Node};

/// Notes every name nothing is known of; [`report`] tells them once all recording rules are known.
pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    if let Written::Metric { span } = subject.written {
        let name = subject.fields.get("metric").and_then(Node::scalar).map(|scalar| scalar.text.trim());
        let unknown =
            name.filter(|name| subject.metrics.checks(name) && subject.metrics.meant(name).is_none());
        findings.later.extend(unknown.map(|name| (name.to_owned(), span.clone())));
        return;
    }
    for found in selectors(&subject.rule.expr) {
        let Some(name) = literal_name(found.vector) else { continue };
        if !subject.metrics.checks(name) {
            continue;
        }
        let place = subject.written.word(name, &found.span);
        match subject.metrics.find(name).map(|found| found.part) {
            None => findings.later.push((name.to_owned(), place)),
            Some(None) => findings
                .warning(
                    "unknown-metric",
                    &place,
                    format!("`{name}` is a histogram and has no sample of this name"),
                )
                .advise(format!("Its samples are `{name}_bucket`, `{name}_sum` and `{name}_count`.")),
            Some(Some(_)) => {}
        }
    }
}

/// Tells of the names that no recording rule has either.
pub(in crate::engine::rules) fn report(
    findings: &mut Findings<'_>,
    metrics: &KnownMetrics,
    recorded: &[Arc<str>],
) {
    for (name, place) in std::mem::take(&mut findings.later) {
        if findings.is_full() || recorded.iter().any(|known| known.as_ref() == name) {
            continue;
        }
        let near = metrics
            .closest(&name)
            .or_else(|| closest(&name, recorded.iter().map(AsRef::as_ref)).map(str::to_owned));
        let advice = findings.warning("unknown-metric", &place, format!("unknown metric `{name}`"));
        let words = near.map_or_else(
            || "Events may still bring it (MetricRecorded); declare it in the configuration.".to_owned(),
            |near| format!("Did you mean `{near}`?"),
        );
        advice.advise(words);
    }
}
