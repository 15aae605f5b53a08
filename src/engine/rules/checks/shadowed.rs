//! An alert that fires only where another of its name and labels fires too.

use std::collections::BTreeMap;
use std::time::Duration;

use super::bound::{Bound, bound};
use crate::engine::rules::set::{Condition, Rule, RuleKind};

/// When an alert fires, where that is plain to see.
struct When {
    bound: Bound,
    wait: Duration,
    /// Where its rule stands.
    place: String,
}

/// The alerts that were seen, by name and labels.
#[derive(Default)]
pub(in crate::engine::rules) struct Shadows(BTreeMap<String, Vec<When>>);

impl Shadows {
    /// Takes note of a rule, and names the place of an earlier one that fires wherever it does, or that fires only where
    /// it does.
    pub(in crate::engine::rules) fn notice(&mut self, rule: &Rule, place: String) -> Option<String> {
        let (bound, wait) = when(rule)?;
        let seen = self.0.entry(format!("{} {:?}", rule.name, rule.labels)).or_default();
        let fits = |earlier: &&When| {
            let is_narrower = bound.is_inside(&earlier.bound) && wait >= earlier.wait;
            is_narrower || earlier.bound.is_inside(&bound) && earlier.wait >= wait
        };
        let found = seen.iter().find(fits).map(|earlier| earlier.place.clone());
        seen.push(When { bound, wait, place });
        found
    }
}

/// The bound and the wait of an alert with one level and no exceptions.
fn when(rule: &Rule) -> Option<(Bound, Duration)> {
    let RuleKind::Alerting(alerting) = &rule.kind else { return None };
    let ([level], []) = (alerting.policy.levels.as_slice(), alerting.overrides.as_slice()) else {
        return None;
    };
    let value = || rule.query.to_string();
    let bound = match level.condition {
        Condition::Expression => bound(&rule.expr)?,
        Condition::Above { threshold, .. } => {
            Bound { value: value(), low: threshold, high: f64::INFINITY, is_open: true }
        }
        Condition::Below { threshold, .. } => {
            Bound { value: value(), low: f64::NEG_INFINITY, high: threshold, is_open: true }
        }
    };
    Some((bound, level.wait))
}
