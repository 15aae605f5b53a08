//! What is said of rules that are loaded, beside what loading them says.

use super::cost::likely_costly_rules;
use super::required::missing_requirements;
use super::spanning::spanning_rules;
use crate::engine::catalogue::KnownMetrics;
use crate::engine::config::CheckConfig;
use crate::engine::diagnostic::{Diagnostic, Source};
use crate::engine::rules::RuleSet;
use crate::engine::rules::spanning::Spanning;

/// How it is known how many series rules read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Costs {
    /// From what is known of the metrics.
    Estimated,
    /// They are counted elsewhere.
    Counted,
}

/// Judges rules by the configuration.
pub(crate) struct Survey<'a> {
    set: &'a RuleSet,
    check: &'a CheckConfig,
    metrics: &'a KnownMetrics,
    costs: Costs,
    spanning: Spanning<'a>,
}

impl<'a> Survey<'a> {
    /// Of rules that loaded.
    pub(crate) fn of(
        set: &'a RuleSet,
        (check, metrics): (&'a CheckConfig, &'a KnownMetrics),
        costs: Costs,
    ) -> Self {
        Self { set, check, metrics, costs, spanning: Spanning::of(set, metrics) }
    }

    /// What is found of the rules of one file.
    pub(crate) fn findings(&self, source: &Source) -> Vec<Diagnostic> {
        let mut found = missing_requirements(source, self.check);
        if let Some(most) = self.check.series_max.filter(|_| self.costs == Costs::Estimated) {
            found.extend(likely_costly_rules(source, self.set, (most, self.metrics)));
        }
        found.extend(spanning_rules(source, self.set, &self.spanning));
        found
    }
}
