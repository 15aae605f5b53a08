//! A window shorter than two intervals: it may hold one sample or none.

use std::time::Duration;

use super::Subject;
use crate::engine::duration::format_duration;
use crate::engine::promql::inspect::{seconds, selectors};
use crate::engine::yaml::Findings;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let least = subject.interval * 2;
    let from_stat = subject.fields.get("window");
    for found in selectors(&subject.rule.expr) {
        let Some(range) = found.range else { continue };
        let span = Duration::try_from_secs_f64(seconds(range, 0.0, 0.0)).unwrap_or(Duration::MAX);
        if span >= least {
            continue;
        }
        let place = from_stat.map_or_else(|| subject.written.place(&range.span), |node| node.span.clone());
        let message = format!(
            "a window of {} is shorter than two intervals of {}",
            format_duration(span),
            format_duration(subject.interval)
        );
        findings
            .warning("short-window", &place, message)
            .advise(format!("Take at least {}.", format_duration(least)));
        if from_stat.is_some() {
            return;
        }
    }
}
