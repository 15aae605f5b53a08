//! What an evaluation sees: samples that are there, and those that were and are not.

use std::collections::BTreeSet;

use super::{Evaluation, RuleError, Seen};
use crate::engine::labels::{Labels, METRIC_NAME};
use crate::engine::promql::ast::Grouping;
use crate::engine::promql::inspect::number;
use crate::engine::rules::alert::{Reading, begins};
use crate::engine::rules::book::KNOWN_MAX;
use crate::engine::rules::kept::Asked;
use crate::engine::rules::set::{Condition, NoData};

impl Evaluation<'_, '_> {
    /// A reading for every label set that begins, has an open alert, or is to be remembered.
    pub(super) fn readings(&mut self) -> Result<Vec<Seen>, RuleError> {
        let samples = self.env.query(Asked::Result, &self.rule.expr)?;
        let mut seen = if self.compares_itself() { self.holding(samples)? } else { self.compared(samples)? };
        self.remember(&seen)?;
        if !self.book.alerts.is_empty() || !self.book.known.is_empty() {
            let there: BTreeSet<Labels> = seen.iter().map(|seen| seen.identity.clone()).collect();
            self.missing(&there, &mut seen);
        }
        Ok(seen)
    }

    /// Whether the expression says by itself what is an alert, without thresholds.
    fn compares_itself(&self) -> bool {
        self.alerting.policy.levels.iter().any(|level| level.condition == Condition::Expression)
    }

    /// Samples of an expression that compares itself: each is an alert.
    fn holding(&mut self, samples: Vec<(Labels, f64)>) -> Result<Vec<Seen>, RuleError> {
        let mut identities = BTreeSet::new();
        let mut seen = Vec::with_capacity(samples.len());
        for (sample, value) in samples {
            let base = self.alert_labels(&sample, value);
            if !identities.insert(base.clone()) {
                return Err(RuleError::SameAlertLabels);
            }
            let identity = base.clone();
            seen.push(Seen { identity, sample, base: Some(base), reading: Reading::Holds, value });
        }
        Ok(seen)
    }

    /// Samples to compare with thresholds; NaN is no data. Where no alert is open and nothing is to be remembered,
    /// those that begin nothing are left out before they cost anything.
    fn compared(&mut self, samples: Vec<(Labels, f64)>) -> Result<Vec<Seen>, RuleError> {
        let named = samples.iter().any(|(labels, _)| labels.get(METRIC_NAME).is_some());
        let only_beginning = self.book.alerts.is_empty() && self.alerting.no_data != NoData::Alert;
        let mut identities = BTreeSet::new();
        let mut seen = Vec::new();
        for (sample, value) in samples {
            let reading = Reading::Value(value);
            let begins = || begins(&self.alerting.policy_for(&sample).levels, reading);
            self.env.counts.nan_values += u64::from(value.is_nan());
            if value.is_nan() || (only_beginning && !begins()) {
                continue;
            }
            let identity = if named { sample.without_name() } else { sample.clone() };
            if named && !identities.insert(identity.clone()) {
                return Err(RuleError::SameAlertLabels);
            }
            seen.push(Seen { identity, sample, base: None, reading, value });
        }
        Ok(seen)
    }

    /// With `no_data: alert`, notes what is there, so that its going is noticed.
    fn remember(&mut self, seen: &[Seen]) -> Result<(), RuleError> {
        if self.alerting.no_data != NoData::Alert {
            return Ok(());
        }
        let mut present: Vec<(Labels, Labels, f64)> =
            seen.iter().map(|seen| (seen.identity.clone(), seen.sample.clone(), seen.value)).collect();
        if let (true, Some(data)) = (self.compares_itself(), &self.alerting.data) {
            for (sample, value) in self.env.query(Asked::There, &data.there)? {
                present.push((self.alert_labels(&sample, value), sample, value));
            }
        }
        for (identity, sample, value) in present {
            if self.book.known.len() < KNOWN_MAX || self.book.known.contains_key(&identity) {
                self.book.known.insert(identity, (sample, value));
            } else {
                self.env.counts.unknown_series += 1;
            }
        }
        Ok(())
    }

    /// Adds readings for open alerts, and for known series, that the result does not hold.
    fn missing(&mut self, there: &BTreeSet<Labels>, all: &mut Vec<Seen>) {
        let absent: Vec<(Labels, Labels, f64)> = self
            .book
            .alerts
            .iter()
            .filter(|(identity, active)| !there.contains(*identity) && self.env.concerns(&active.sample))
            .map(|(identity, active)| (identity.clone(), active.sample.clone(), active.value))
            .collect();
        let forgotten: Vec<(Labels, Labels, f64)> = self
            .book
            .known
            .iter()
            .filter(|(identity, (sample, _))| {
                !there.contains(*identity)
                    && !self.book.alerts.contains_key(*identity)
                    && self.env.concerns(sample)
            })
            .map(|(identity, (sample, value))| (identity.clone(), sample.clone(), *value))
            .collect();
        if absent.is_empty() && forgotten.is_empty() {
            return;
        }
        let own_comparison = self.compares_itself();
        let data = self.alerting.data.as_ref().filter(|_| own_comparison);
        let present = data.map(|data| self.env.query(Asked::There, &data.there).unwrap_or_default());
        for (identity, sample, value) in absent.into_iter().chain(forgotten) {
            let (reading, value) = match &present {
                Some(present) => match present.iter().find(|(labels, _)| agree(labels, &sample)) {
                    Some((_, value)) => (Reading::Quiet, *value),
                    None => (Reading::Gone, value),
                },
                None if own_comparison => (Reading::Quiet, value),
                None => (Reading::Gone, value),
            };
            all.push(Seen { identity, sample, base: None, reading, value });
        }
    }

    /// The value a sample is compared with, where the top of the expression is one comparison.
    pub(super) fn other_side(&mut self, sample: &Labels) -> Option<f64> {
        let side = self.alerting.data.as_ref()?.threshold.as_ref()?;
        if let Some(number) = number(&side.expr) {
            return Some(number);
        }
        let values = self.env.query(Asked::OtherSide, &side.expr).ok()?;
        let matches = |labels: &Labels| match &side.matching.on {
            Grouping::By(names) => names.iter().all(|name| labels.get(name) == sample.get(name)),
            Grouping::Without(names) => {
                let same = |labels: &Labels| {
                    labels.filtered(|name| {
                        name != METRIC_NAME && names.iter().all(|other| other.as_ref() != name)
                    })
                };
                labels.is_empty() || same(labels) == same(sample)
            }
        };
        values.iter().find(|(labels, _)| matches(labels)).map(|(_, value)| *value)
    }
}

/// Whether two label sets, metric names apart, have the same value wherever both have one.
fn agree(left: &Labels, right: &Labels) -> bool {
    left.iter()
        .filter(|(name, _)| name.as_ref() != METRIC_NAME)
        .all(|(name, value)| right.get(name).is_none_or(|other| other == value.as_ref()))
}
