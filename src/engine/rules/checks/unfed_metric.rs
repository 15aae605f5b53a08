//! A metric whose events are left to other instances: here it has no data, or not all of it.

use super::Subject;
use crate::engine::catalogue::Feed;
use crate::engine::promql::inspect::{literal_name, selectors};
use crate::engine::wire::EventType;
use crate::engine::yaml::Findings;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let mut told: Vec<&str> = Vec::new();
    for found in &selectors(&subject.rule.expr) {
        let Some(name) = literal_name(found.vector).filter(|name| !told.contains(name)) else { continue };
        let Some(known) = subject.metrics.find(name) else { continue };
        let (message, advice) = match &known.metric.feed {
            Feed::Whole => continue,
            Feed::Partly(off) => (
                format!("`{name}` is not whole here: `lanes` turns {} off", names(off)),
                "Turn a context off as a whole, so that its trackers see all that moves them.",
            ),
            Feed::Nothing(off) => (
                format!("nothing feeds `{name}` here: `lanes` turns {} off", names(off)),
                "Leave the rule to the instance that reads them, or turn them on.",
            ),
        };
        told.push(name);
        let place = subject.written.word(name, &found.span);
        findings.warning("unfed-metric", &place, message).advise(advice);
    }
}

fn names(off: &[EventType]) -> String {
    let names: Vec<&str> = off.iter().map(|event_type| event_type.name()).collect();
    names.join(", ")
}
