//! Checks of rules that load and yet are likely not what their author meant; each is a warning.
//!
//! One file a check; a check sees the rule, where its parts stand, and what is known of the metrics.

mod dropped_label;
mod implausible_threshold;
mod missing_label;
mod rate_of_gauge;
mod short_wait;
mod short_window;
mod unknown_bound;
mod unknown_metric;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::set::Rule;
use crate::engine::catalogue::KnownMetrics;
use crate::engine::yaml::{Fields, Findings, Text};

pub(crate) use missing_label::missing_labels;
pub(super) use unknown_metric::report as report_unknown_metrics;

/// A rule with what the checks need to know of its place.
pub(super) struct Subject<'a> {
    /// The rule.
    pub(super) rule: &'a Rule,
    /// Its keys in the file.
    pub(super) fields: &'a Fields<'a>,
    /// Where its expression stands.
    pub(super) written: &'a Written,
    /// The interval of its group.
    pub(super) interval: Duration,
    /// What is known of the metrics.
    pub(super) metrics: &'a KnownMetrics,
}

/// Where an expression stands.
pub(super) enum Written {
    /// As PromQL.
    Expression {
        /// The scalar.
        place: Text,
        /// The whole file.
        file: Arc<str>,
    },
    /// As `metric` and `stat`.
    Metric {
        /// The value of `metric`.
        span: Range<usize>,
    },
}

impl Written {
    /// The bytes of the file for bytes of the expression.
    pub(super) fn place(&self, range: &Range<usize>) -> Range<usize> {
        match self {
            Self::Expression { place, file } => place.place(file, range),
            Self::Metric { span } => span.clone(),
        }
    }

    /// The bytes of the file where `word` stands first inside a part of the expression.
    fn word(&self, word: &str, part: &Range<usize>) -> Range<usize> {
        let found = match self {
            Self::Expression { place, .. } => {
                place.content.get(part.clone()).and_then(|text| text.find(word)).map(|at| {
                    let start = part.start + at;
                    start..start + word.len()
                })
            }
            Self::Metric { .. } => None,
        };
        self.place(&found.unwrap_or_else(|| part.clone()))
    }
}

/// Runs every check on one rule.
pub(super) fn run(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    unknown_metric::check(subject, findings);
    rate_of_gauge::check(subject, findings);
    short_wait::check(subject, findings);
    short_window::check(subject, findings);
    missing_label::check(subject, findings);
    dropped_label::check(subject, findings);
    implausible_threshold::check(subject, findings);
    unknown_bound::check(subject, findings);
}
