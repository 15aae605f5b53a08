//! Conditions as PromQL that every Prometheus knows.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::metric::bound::spelled;
use crate::engine::promql::Expr;
use crate::engine::promql::ast::{Node, RangeMode};
use crate::engine::promql::storage::{MatchCondition as Equality, Matcher};
use crate::engine::rules::set::{Alerting, Condition, Level, NoData, Override, Rule, Severity};
use crate::engine::yaml::units::duration_text;

/// The query as Prometheus before 3 knows it, and whether exact windows were given up for that.
pub(super) fn plain(expr: &Expr) -> (String, bool) {
    let mut expr = expr.clone();
    let was_anchored = adapt(&mut expr);
    (expr.to_string(), was_anchored)
}

/// Makes every range an extrapolated one, and spells bounds as Prometheus stores them; says whether there was another
/// range.
fn adapt(expr: &mut Expr) -> bool {
    match &mut expr.node {
        Node::Number(_) | Node::String(_) => false,
        Node::Vector(selector) | Node::Matrix { selector, .. } => {
            selector.matchers.iter_mut().for_each(spell);
            std::mem::take(&mut selector.range_mode) != RangeMode::Extrapolated
        }
        Node::Subquery { expr, .. } | Node::Unary { expr, .. } | Node::Paren(expr) => adapt(expr),
        Node::Binary(binary) => {
            let left = adapt(&mut binary.left);
            adapt(&mut binary.right) || left
        }
        Node::Aggregate(aggregate) => {
            let param = aggregate.param.as_mut().is_some_and(adapt);
            adapt(&mut aggregate.expr) || param
        }
        Node::Call { args, .. } => args.iter_mut().filter_map(|arg| adapt(arg).then_some(())).count() > 0,
    }
}

/// Prometheus compares texts.
fn spell(matcher: &mut Matcher) {
    match &mut matcher.condition {
        Equality::Equal(value) | Equality::NotEqual(value) => {
            *value = Arc::from(spelled(&matcher.name, value).as_ref());
        }
        Equality::OneOf(_) | Equality::Match(_) | Equality::NoMatch(_) => {}
    }
}

/// Which series a rule is for.
pub(super) struct SeriesChoice<'a> {
    /// Those of this override alone.
    pub(super) of: Option<&'a Override>,
    /// None of these.
    pub(super) not: &'a [Override],
}

/// An alerting rule at one place.
pub(super) struct Alert<'a> {
    /// The rule.
    pub(super) rule: &'a Rule,
    /// What it has as an alerting one.
    pub(super) alerting: &'a Alerting,
    /// Which series it is for.
    pub(super) place: &'a SeriesChoice<'a>,
    /// The interval of its group.
    pub(super) interval: Duration,
}

impl Alert<'_> {
    /// The condition of a level, and whether exact windows were given up.
    pub(super) fn expression(&self, level: &Level, higher: &[Level]) -> (String, bool) {
        let (query, was_anchored) = plain(&self.rule.expr);
        let query = self.placed(&query);
        let mut condition = match level.condition {
            Condition::Expression => query.clone(),
            Condition::Above { threshold, clear } => {
                self.compared(&query, '>', (threshold, clear), (level, higher))
            }
            Condition::Below { threshold, clear } => {
                self.compared(&query, '<', (threshold, clear), (level, higher))
            }
        };
        let severities: Vec<&str> =
            higher.iter().filter_map(|level| level.severity).map(Severity::name).collect();
        if !severities.is_empty() {
            let severities = severities.join("|");
            let firing = self.firing(&format!(", severity=~\"{severities}\""));
            condition = format!("({condition}) unless {firing}");
        }
        if self.alerting.no_data == NoData::Alert && higher.is_empty() {
            let there = self.alerting.data.as_ref().map_or(query, |data| self.placed(&plain(&data.there).0));
            condition = format!("({condition}) or (count_over_time(({there})[1h:]) unless ({there}))");
        }
        (condition, was_anchored)
    }

    /// Beyond the threshold, or beyond the clear value while it fires.
    fn compared(
        &self,
        query: &str,
        sign: char,
        (threshold, clear): (f64, f64),
        (level, higher): (&Level, &[Level]),
    ) -> String {
        let beyond = format!("({query}) {sign} {threshold}");
        if clear == threshold {
            return beyond;
        }
        let levels = std::iter::once(level).chain(higher).filter_map(|level| level.severity);
        let severities: Vec<&str> = levels.map(Severity::name).collect();
        let firing = match severities.as_slice() {
            [] => self.firing(""),
            [severity] => self.firing(&format!(", severity=\"{severity}\"")),
            // Where a higher one fired, this one held as well; it has ended just now, so that the past is asked.
            several => {
                let firing = self.firing(&format!(", severity=~\"{}\"", several.join("|")));
                format!("{firing} offset {}", duration_text(self.interval))
            }
        };
        format!("({beyond}) or (({query}) {sign} {clear} and {firing})")
    }

    /// `ALERTS` of this rule that fire, matched to the query's series; stands right of a set operator.
    fn firing(&self, more: &str) -> String {
        let mut ignored = vec!["alertname", "alertstate", "severity"];
        for (name, _) in &self.rule.labels {
            if !ignored.contains(&name.as_ref()) {
                ignored.push(name);
            }
        }
        let name = string(&self.rule.name);
        format!("ignoring ({}) ALERTS{{alertname={name}, alertstate=\"firing\"{more}}}", ignored.join(", "))
    }

    /// The query for the series of this place alone.
    fn placed(&self, query: &str) -> String {
        let mut text = query.to_owned();
        if let Some(exception) = self.place.of {
            text = format!("({text}) and {}", matching(exception));
        }
        for exception in self.place.not {
            text = format!("({text}) unless {}", matching(exception));
        }
        text
    }
}

/// A vector that matches the series of an override; stands right of a set operator.
fn matching(exception: &Override) -> String {
    let mut names = Vec::new();
    let mut vector = "vector(1)".to_owned();
    for (name, value) in &exception.wanted {
        names.push(name.as_ref());
        // `$` begins a reference to a group of the pattern.
        let value = string(&spelled(name, value).replace('$', "$$"));
        vector = format!("label_replace({vector}, {}, {value}, \"\", \"\")", string(name));
    }
    format!("on ({}) {vector}", names.join(", "))
}

/// A PromQL string.
fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
