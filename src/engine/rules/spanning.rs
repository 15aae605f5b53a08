//! Rules over parts: which rules have in one part another value than over all of them, and the same rules for a
//! Prometheus that scrapes all parts.

mod whole;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::set::{Group, Rule, RuleKind, RuleSet};
use crate::engine::catalogue::{KnownMetrics, Spread};
use crate::engine::metric::MetricType;
use crate::engine::promql::Expr;
use crate::engine::promql::inspect::{literal_name, selectors};
use crate::engine::promql::storage::{MatchCondition, Matcher};

use whole::{Merging, over_parts};

/// What is known of metrics and recorded series over parts.
pub(crate) struct Spanning<'a> {
    metrics: &'a KnownMetrics,
    /// What rules record that read what is spread.
    recorded: BTreeSet<Arc<str>>,
}

impl<'a> Spanning<'a> {
    /// Of these rules.
    pub(crate) fn of(set: &RuleSet, metrics: &'a KnownMetrics) -> Self {
        let mut spanning = Self { metrics, recorded: BTreeSet::new() };
        loop {
            let is_new = |rule: &&Arc<Rule>| {
                matches!(rule.kind, RuleKind::Recording)
                    && !spanning.recorded.contains(&rule.name)
                    && spanning.reads(rule).is_some()
            };
            let found: Vec<Arc<str>> =
                set.rules().filter(is_new).map(|rule| Arc::clone(&rule.name)).collect();
            if found.is_empty() {
                return spanning;
            }
            spanning.recorded.extend(found);
        }
    }

    /// The first metric of a rule whose value in one part is not that of the whole, and how it is spread; a recorded
    /// one is as what it is recorded from.
    pub(crate) fn reads<'r>(&self, rule: &'r Rule) -> Option<(&'r str, Spread)> {
        self.spans(&rule.expr)
    }

    /// The same of an expression.
    pub(crate) fn spans<'e>(&self, expr: &'e Expr) -> Option<(&'e str, Spread)> {
        let mut names = names(expr);
        names.find_map(|name| {
            let spread = if self.recorded.contains(name) { Spread::Summed } else { self.spread(name) };
            spread.spans().then_some((name, spread))
        })
    }

    fn spread(&self, name: &str) -> Spread {
        self.metrics.find(name).map_or(Spread::Whole, |found| found.metric.spread)
    }

    /// The rules that span parts, with the recording rules that they read, each over the series of all parts.
    pub(crate) fn rules_over_parts(&self, set: &RuleSet) -> RuleSet {
        let mut wanted: BTreeSet<Arc<str>> = BTreeSet::new();
        loop {
            let is_wanted = |rule: &&Arc<Rule>| self.is_exported(rule, &wanted);
            let read: BTreeSet<Arc<str>> = set
                .rules()
                .filter(is_wanted)
                .flat_map(|rule| names(&rule.expr).map(Arc::from).collect::<Vec<Arc<str>>>())
                .collect();
            if read.is_subset(&wanted) {
                break;
            }
            wanted.extend(read);
        }
        let groups = set.groups.iter().filter_map(|group| {
            let rules = group.rules.iter().filter(|rule| self.is_exported(rule, &wanted));
            let rules: Vec<Arc<Rule>> = rules.map(|rule| Arc::new(self.over_parts(rule))).collect();
            (!rules.is_empty()).then(|| Arc::new(Group { rules, ..Group::clone(group) }))
        });
        RuleSet { groups: groups.collect() }
    }

    fn is_exported(&self, rule: &Rule, wanted: &BTreeSet<Arc<str>>) -> bool {
        let is_read = matches!(rule.kind, RuleKind::Recording) && wanted.contains(&rule.name);
        is_read || self.reads(rule).is_some()
    }

    fn over_parts(&self, rule: &Rule) -> Rule {
        let mut rule = rule.clone();
        self.merge(&mut rule.expr);
        if let RuleKind::Alerting(alerting) = &mut rule.kind
            && let Some(data) = &mut alerting.data
        {
            self.merge(&mut data.there);
        }
        rule
    }

    /// Makes one of all parts' series of each selector; whether anything had to be changed.
    pub(crate) fn merge(&self, expr: &mut Expr) -> bool {
        over_parts(expr, &|name, matchers| self.merging(name, matchers))
    }

    /// How the series of a metric that all parts show become one; none where they are one already, or are to stay.
    fn merging(&self, name: &str, matchers: &[Matcher]) -> Option<Merging> {
        let is_least = |matcher: &Matcher| {
            matcher.name.as_ref() == "stat"
                && matches!(&matcher.condition, MatchCondition::Equal(value) if value.as_ref() == "min")
        };
        match self.spread(name) {
            Spread::Whole => None,
            // Another part may show it for a while after the parts were parted anew.
            Spread::Apart if self.is_gauge(name) => Some(Merging::Max),
            Spread::Apart | Spread::Summed | Spread::NearlySummed => Some(Merging::Sum),
            Spread::Greatest | Spread::NearlyGreatest => Some(Merging::Max),
            Spread::Ratio | Spread::NearlyRatio if matchers.iter().any(is_least) => Some(Merging::Min),
            Spread::Ratio | Spread::NearlyRatio => Some(Merging::Avg),
        }
    }

    fn is_gauge(&self, name: &str) -> bool {
        let found = self.metrics.find(name);
        found.is_some_and(|found| found.metric.metric_type == MetricType::Gauge)
    }
}

/// The literal metric names of an expression, in reading order.
fn names(expr: &Expr) -> impl Iterator<Item = &str> {
    selectors(expr).into_iter().filter_map(|found| literal_name(found.vector))
}
