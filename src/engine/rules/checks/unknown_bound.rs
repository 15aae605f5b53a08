//! A bucket that the histogram does not have: its selection is empty for ever.

use super::Subject;
use crate::engine::metric::Part;
use crate::engine::metric::bound::{BUCKET_BOUND, bound_text, is_same_value};
use crate::engine::promql::inspect::{literal_name, selectors};
use crate::engine::promql::storage::MatchCondition;
use crate::engine::yaml::Findings;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for found in selectors(&subject.rule.expr) {
        let Some(name) = literal_name(found.vector) else { continue };
        let Some(known) = subject.metrics.find(name).filter(|known| known.part == Some(Part::Bucket)) else {
            continue;
        };
        let Some(buckets) = &known.metric.buckets else { continue };
        let bounds: Vec<String> = buckets.iter().copied().chain([f64::INFINITY]).map(bound_text).collect();
        for matcher in found.vector.matchers.iter().filter(|matcher| &*matcher.name == BUCKET_BOUND) {
            let MatchCondition::Equal(wanted) = &matcher.condition else { continue };
            if bounds.iter().any(|bound| is_same_value(BUCKET_BOUND, bound, wanted)) {
                continue;
            }
            let place = subject.written.word(wanted, &found.span);
            findings
                .warning("unknown-bound", &place, format!("`{name}` has no bucket with le=\"{wanted}\""))
                .advise(format!("Its bounds are {}.", bounds.join(", ")));
        }
    }
}
