//! The label sets of a rule with their values and alerts.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use maud::{Markup, html};

use crate::engine::labels::Labels;
use crate::engine::rules::view::AlertView;

use super::look::Look;
use super::rule::alerting;
use super::rules::InForce;
use super::thresholds::{level_of, level_text, measure};
use super::words;
use super::worst::Worst;

/// Label sets shown.
const SETS_MAX: usize = 200;

/// Every label set, those that fire first.
pub(super) fn section(look: &Look<'_>, rule: &InForce<'_>, values: &[(Labels, f64)]) -> Markup {
    let alerts = alerting(rule).map(|(_, alerts)| alerts).unwrap_or_default();
    let mut finder = Finder { alerts, by_names: BTreeMap::new() };
    let mut sets: Vec<LabelSet<'_>> = values
        .iter()
        .map(|(labels, value)| LabelSet { labels, value: *value, alert: finder.alert_of(labels) })
        .collect();
    let known = sets.iter().filter_map(|set| set.alert).map(|alert| alert.fingerprint);
    let known: BTreeSet<u64> = known.collect();
    let gone = alerts.iter().filter(|alert| !known.contains(&alert.fingerprint));
    sets.extend(gone.map(LabelSet::gone));
    let levels = alerting(rule).map(|(alerting, _)| alerting.policy.levels.as_slice()).unwrap_or_default();
    let worst = Worst::of(levels, &rule.rule.expr);
    sets.sort_by(|left, right| left.rank().cmp(&right.rank()).then_with(|| left.beside(right, worst)));
    html! {
        section aria-labelledby="sets" {
            h2 id="sets" { "Label sets" }
            @if sets.is_empty() { p.quiet { "None now." } } @else {
                div.scroll tabindex="0" role="group" aria-label="Label sets" { table.stack.sets {
                    thead { tr { th scope="col" { "Labels" } th scope="col" { "State" }
                        th.number scope="col" { "Value" } th scope="col" { "Threshold" } } }
                    tbody { @for set in sets.iter().take(SETS_MAX) { (set.row(look, rule)) } }
                } }
                @if sets.len() > SETS_MAX {
                    p.quiet { "The worst " (SETS_MAX) " of " (words::thousands(sets.len() as u64)) "." }
                }
            }
        }
    }
}

/// Finds the alert of a label set, whose labels are among the alert's.
struct Finder<'a> {
    alerts: &'a [AlertView],
    /// By the names of the label set: by those labels, the alert.
    by_names: BTreeMap<Vec<String>, BTreeMap<Labels, &'a AlertView>>,
}

impl<'a> Finder<'a> {
    fn alert_of(&mut self, labels: &Labels) -> Option<&'a AlertView> {
        let labels = labels.without_name();
        let names: Vec<String> = labels.iter().map(|(name, _)| name.to_string()).collect();
        let alerts = self.alerts;
        let by_labels = self.by_names.entry(names).or_insert_with_key(|names| {
            let is_one = |name: &str| names.iter().any(|known| known == name);
            alerts.iter().map(|alert| (alert.labels.filtered(is_one), alert)).collect()
        });
        by_labels.get(&labels).copied()
    }
}

/// One label set of a rule with its value, and its alert where there is one.
struct LabelSet<'a> {
    labels: &'a Labels,
    value: f64,
    alert: Option<&'a AlertView>,
}

impl<'a> LabelSet<'a> {
    fn gone(alert: &'a AlertView) -> Self {
        Self { labels: &alert.labels, value: f64::NAN, alert: Some(alert) }
    }

    /// Firing, then pending, then the others.
    fn rank(&self) -> u8 {
        match self.alert {
            Some(alert) if alert.fired_at.is_some() => 0,
            Some(_) => 1,
            None => 2,
        }
    }

    fn beside(&self, other: &Self, worst: Worst) -> Ordering {
        let rising = self.value.total_cmp(&other.value);
        match worst {
            Worst::Highest => rising.reverse(),
            Worst::Lowest => rising,
        }
    }

    fn row(&self, look: &Look<'_>, rule: &InForce<'_>) -> Markup {
        let measure = measure(rule.rule);
        let state = self.alert.map_or("inactive", |alert| alert.state.name());
        html! {
            tr {
                td data-label="Labels" {
                    @if self.labels.is_empty() { span.quiet { "no labels" } }
                    (words::chips(self.labels, &["alertname", "__name__"]))
                }
                td data-label="State" { div { span.state.(state) { (state) } " "
                    @if let Some(alert) = self.alert { span.severity.(alert.severity.name()) { (alert.severity.name()) } " " }
                    (self.progress(look, rule)) } }
                td.number data-label="Value" {
                    @if self.value.is_nan() { span.quiet { "no data" } } @else { (measure.text(self.value)) }
                }
                td data-label="Threshold" { div {
                    @if let Some((alerting, _)) = alerting(rule) {
                        @for level in &alerting.policy_for(self.labels).levels {
                            div { (level_text(level, measure)) }
                        }
                    }
                } }
            }
        }
    }

    /// How long it fires, or how much of its wait is over.
    fn progress(&self, look: &Look<'_>, rule: &InForce<'_>) -> Markup {
        let Some((alerting, _)) = alerting(rule) else { return html! {} };
        let level = self.alert.and_then(|alert| level_of(alerting, alert));
        html! {
            @match (self.alert, level) {
                (Some(AlertView { fired_at: Some(since), .. }), _) => {
                    span.quiet { "for " (words::span(Duration::from_secs(look.now().since(*since).as_secs()))) }
                },
                (Some(alert), Some(level)) => {
                    @let served = look.now().since(alert.active_at).min(level.wait);
                    span.wait {
                        progress max=(level.wait.as_secs_f64().max(0.001)) value=(served.as_secs_f64())
                            aria-label="how much of the wait is over" {}
                        (words::span(served)) " of " (words::span(level.wait))
                    }
                },
                _ => {},
            }
        }
    }
}
