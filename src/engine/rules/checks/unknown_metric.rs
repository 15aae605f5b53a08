//! A metric that neither the catalogue nor the configuration nor a recording rule has, or that by its name some rule
//! should record.

use std::ops::Range;
use std::sync::Arc;

use super::{Subject, Written};
use crate::engine::catalogue::KnownMetrics;
use crate::engine::diagnostic::closest;
use crate::engine::promql::inspect::{literal_name, selectors};
use crate::engine::yaml::{Findings, Node};

/// What stands in the names of what rules record; events bring none of it.
const RECORDED: char = ':';

/// Notes every name nothing is known of; [`report`] tells them once all recording rules are known.
pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    if let Written::Metric { span } = subject.written {
        let name = subject.fields.get("metric").and_then(Node::scalar).map(|scalar| scalar.text.trim());
        let metrics = subject.metrics;
        let is_unknown =
            |name: &&str| metrics.checks(name) && metrics.meant(name).is_none() && !metrics.mentions(name);
        let unknown = name.filter(is_unknown);
        findings.later.extend(unknown.map(|name| (name.to_owned(), span.clone())));
        return;
    }
    for found in selectors(&subject.rule.expr) {
        let Some(name) = literal_name(found.vector) else { continue };
        let is_recorded = name.contains(RECORDED) && !subject.metrics.is_empty();
        if !subject.metrics.checks(name) && !is_recorded || subject.metrics.mentions(name) {
            continue;
        }
        let place = subject.written.word(name, &found.span);
        match subject.metrics.find(name).map(|found| found.part) {
            None => {
                let unknown = dashed(subject, &place).unwrap_or_else(|| (name.to_owned(), place));
                if !findings.later.contains(&unknown) {
                    findings.later.push(unknown);
                }
            }
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

/// The whole of `queue-depth`, which PromQL takes for a subtraction, where the metric `queue_depth` is known.
fn dashed(subject: &Subject<'_>, part: &Range<usize>) -> Option<(String, Range<usize>)> {
    let Written::Expression { file, .. } = subject.written else { return None };
    let is_other = |symbol: char| !symbol.is_ascii_alphanumeric() && !matches!(symbol, '_' | '-');
    let start = file.get(..part.start)?.rfind(is_other).map_or(0, |at| at + 1);
    let rest = file.get(part.end..)?;
    let place = start..part.end + rest.find(is_other).unwrap_or(rest.len());
    let name = file.get(place.clone()).filter(|name| name.contains('-'))?;
    subject.metrics.find(&name.replace('-', "_")).is_some().then(|| (name.to_owned(), place))
}

/// Tells of the names that no recording rule has either.
pub(in crate::engine::rules) fn report(
    findings: &mut Findings<'_>,
    metrics: &KnownMetrics,
    recorded: &[Arc<str>],
) {
    for (name, place) in std::mem::take(&mut findings.later) {
        if recorded.iter().any(|known| known.as_ref() == name) {
            continue;
        }
        if findings.is_full() {
            findings.leave_out();
            continue;
        }
        let is_recorded = name.contains(RECORDED);
        let near_event = if is_recorded { None } else { metrics.closest(&name) };
        let near =
            near_event.or_else(|| closest(&name, recorded.iter().map(AsRef::as_ref)).map(str::to_owned));
        let advice = if is_recorded {
            findings.warning("unrecorded-metric", &place, format!("no rule records `{name}`"))
        } else if name.contains('-') {
            let message = format!("unknown metrics: `{name}` is a subtraction");
            findings.warning("unknown-metric", &place, message)
        } else {
            findings.warning("unknown-metric", &place, format!("unknown metric `{name}`"))
        };
        let words = match (near, is_recorded) {
            (Some(near), _) => format!("Did you mean `{near}`?"),
            (None, true) => "Name the rule file that records it too, or record it.".to_owned(),
            (None, false) => {
                "Events may still bring it (MetricRecorded); declare it with its `type` in the configuration."
                    .to_owned()
            }
        };
        advice.advise(words);
    }
}
