//! The page of one rule: how it is written, what it sees, and why it does or does not fire.

use std::cmp::Ordering;

use maud::{Markup, html};

use crate::engine::labels::Labels;
use crate::engine::promql::inspect::selectors;
use crate::engine::promql::{Expr, ast::Node};
use crate::engine::rules::event::AlertEvent;
use crate::engine::rules::set::{Alerting, Condition, Level, NoData, RuleKind};
use crate::engine::rules::view::{AlertView, KindView};
use crate::engine::time::Timestamp;

use super::address::{Address, RuleAddress, RuleSort};
use super::alerts::ended_table;
use super::chart::{Chart, Line};
use super::look::{Look, Window};
use super::rules::{InForce, state};
use super::thresholds::{compared, level_text, marks, measure};
use super::unit::Measure;
use super::words;
use super::worst::Worst;

/// Label sets shown.
const SETS_MAX: usize = 200;

/// Points of the chart.
const CHART_STEPS: u32 = 180;

/// Evaluations that are gone through.
const EVALUATIONS: u32 = 12;

/// The page.
pub(super) fn page(look: &Look<'_>, rule: &InForce<'_>) -> Markup {
    let written = &rule.rule.written;
    let error = rule.view.health.last_error();
    let values = look.values(compared(rule.rule));
    html! {
        div.heading {
            h1 { bdi { (words::short(&rule.rule.name)) } }
            (state(rule))
        }
        @if !error.is_empty() {
            div.trouble { p { strong { "The last evaluation failed" } } p { (words::long(error)) } }
        }
        @match &values {
            Ok(values) => (why(rule, values)),
            Err(reason) => p.quiet { "Its values are not known: " (words::long(reason)) },
        }
        (past(look, rule))
        (label_sets(look, rule, values.as_deref().unwrap_or_default()))
        (evaluations(look, rule))
        (reads(look, rule))
        section aria-labelledby="written" {
            h2 id="written" { "As written" }
            p.quiet { bdi { (words::short(&rule.group.file)) } ", line " (words::thousands(written.line as u64)) }
            pre tabindex="0" { (words::long(&written.text)) }
        }
        (facts(look, rule))
        (episodes(look, rule))
    }
}

fn alerting<'a>(rule: &InForce<'a>) -> Option<(&'a Alerting, &'a [AlertView])> {
    match (&rule.rule.kind, &rule.view.kind) {
        (RuleKind::Alerting(alerting), KindView::Alerting { alerts, .. }) => Some((alerting, alerts)),
        (RuleKind::Recording | RuleKind::Alerting(_), KindView::Recording | KindView::Alerting { .. }) => {
            None
        }
    }
}

/// Why it does or does not fire, in a sentence.
fn why(rule: &InForce<'_>, values: &[(Labels, f64)]) -> Markup {
    let Some((alerting, alerts)) = alerting(rule) else {
        return html! { p { "Records " (words::count(values.len(), "series")) " now." } };
    };
    let measure = measure(rule.rule);
    let firing = alerts.iter().filter(|alert| alert.fired_at.is_some()).count();
    let worst = Worst::of(&alerting.policy.levels, &rule.rule.expr);
    let worst = worst.among(values.iter().map(|(_, value)| *value));
    html! {
        p.why {
            @if firing > 0 {
                "It fires for " (words::count(firing, "label set")) "."
            } @else if !alerts.is_empty() {
                "Its condition holds for " (words::count(alerts.len(), "label set"))
                ", not long enough yet to fire."
            } @else if values.is_empty() {
                "It cannot fire: its expression has no data. "
                "See below which of its selectors find no series."
            } @else if let Some(worst) = worst {
                "It does not fire: of " (words::count(values.len(), "label set")) " the worst is at "
                strong { (measure.text(worst)) }
                @if let Some(level) = alerting.policy.levels.first() { ", and it begins " (begins(level, measure)) }
                "."
            } @else {
                "It does not fire."
            }
        }
    }
}

fn begins(level: &Level, measure: Measure) -> String {
    match level.condition {
        Condition::Expression => "where the expression holds".to_owned(),
        Condition::Above { threshold, .. } => format!("above {}", measure.text(threshold)),
        Condition::Below { threshold, .. } => format!("below {}", measure.text(threshold)),
    }
}

/// The window that is kept, with thresholds and episodes.
fn past(look: &Look<'_>, rule: &InForce<'_>) -> Markup {
    let window = Window::before(look.now(), look.surroundings.window, CHART_STEPS);
    let key = format!("rule {}", rule.rule.query);
    let past = look.shared_past((&key, compared(rule.rule)), window);
    let lines = past.iter().map(|(labels, line)| {
        let label = if labels.is_empty() { "value".to_owned() } else { labels.to_string() };
        Line { label, points: line.points.clone() }
    });
    let chart = Chart {
        from: window.from,
        to: window.to,
        step_ms: window.step_ms,
        lines: lines.collect(),
        marks: marks(rule.rule),
        episodes: fired(look, rule),
        measure: measure(rule.rule),
    };
    html! {
        section aria-labelledby="past" {
            h2 id="past" { "The last " (words::span(look.surroundings.window)) }
            div.panel { (chart.large()) }
        }
    }
}

/// When its alerts fired, as far as is known.
fn fired(look: &Look<'_>, rule: &InForce<'_>) -> Vec<(Timestamp, Timestamp)> {
    let Some((_, alerts)) = alerting(rule) else { return Vec::new() };
    let open = alerts.iter().filter_map(|alert| Some((alert.fired_at?, look.now())));
    let ended = ended(look, rule).into_iter().map(|event| (event.started_at, event.timestamp));
    open.chain(ended).take(100).collect()
}

fn ended<'a>(look: &Look<'a>, rule: &InForce<'_>) -> Vec<&'a AlertEvent> {
    look.instant.ended().newest_first().filter(|event| event.rule_id == rule.rule.id).collect()
}

/// Every label set, those that fire first.
fn label_sets(look: &Look<'_>, rule: &InForce<'_>, values: &[(Labels, f64)]) -> Markup {
    let alerts = alerting(rule).map(|(_, alerts)| alerts).unwrap_or_default();
    let mut sets: Vec<LabelSet<'_>> = values.iter().map(|value| LabelSet::of(value, alerts)).collect();
    let gone = alerts.iter().filter(|alert| !sets.iter().any(|set| set.is_of(alert)));
    let gone: Vec<LabelSet<'_>> = gone.map(LabelSet::gone).collect();
    sets.extend(gone);
    let levels = alerting(rule).map(|(alerting, _)| alerting.policy.levels.as_slice()).unwrap_or_default();
    let worst = Worst::of(levels, &rule.rule.expr);
    sets.sort_by(|left, right| left.rank().cmp(&right.rank()).then_with(|| left.beside(right, worst)));
    html! {
        section aria-labelledby="sets" {
            h2 id="sets" { "Label sets" }
            @if sets.is_empty() { p.quiet { "None now." } } @else {
                div.scroll tabindex="0" role="group" aria-label="Label sets" { table.stack {
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

/// One label set of a rule with its value, and its alert where there is one.
struct LabelSet<'a> {
    labels: &'a Labels,
    value: f64,
    alert: Option<&'a AlertView>,
}

impl<'a> LabelSet<'a> {
    fn of((labels, value): &'a (Labels, f64), alerts: &'a [AlertView]) -> Self {
        let mut set = Self { labels, value: *value, alert: None };
        set.alert = alerts.iter().find(|alert| set.covers(alert));
        set
    }

    fn gone(alert: &'a AlertView) -> Self {
        Self { labels: &alert.labels, value: f64::NAN, alert: Some(alert) }
    }

    fn covers(&self, alert: &AlertView) -> bool {
        let mut own = self.labels.iter().filter(|(name, _)| name.as_ref() != "__name__");
        own.all(|(name, value)| alert.labels.get(name) == Some(value))
    }

    fn is_of(&self, alert: &AlertView) -> bool {
        self.alert.is_some_and(|own| own.fingerprint == alert.fingerprint)
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
                td data-label="State" { div { span.state.(state) { (state) } " " (self.progress(look, rule)) } }
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
        let level = self.alert.and_then(|alert| super::thresholds::level_of(alerting, alert));
        html! {
            @match (self.alert, level) {
                (Some(AlertView { fired_at: Some(since), .. }), _) => {
                    span.quiet { (words::ago(*since, look.now())) }
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

/// What the last evaluations at the interval saw, worked out from the past.
fn evaluations(look: &Look<'_>, rule: &InForce<'_>) -> Markup {
    let Some((alerting, _)) = alerting(rule) else { return html! {} };
    let interval = rule.group.interval;
    let window = Window::before(look.now(), interval * EVALUATIONS, EVALUATIONS);
    let key = format!("evaluations {}", rule.rule.query);
    let past = look.shared_past((&key, compared(rule.rule)), window);
    let worst = Worst::of(&alerting.policy.levels, &rule.rule.expr);
    let measure = measure(rule.rule);
    let steps = (0..=i64::from(EVALUATIONS)).rev();
    let instants = steps.map(|step| window.from.millis() + step * window.step_ms);
    html! {
        section aria-labelledby="evaluations" {
            h2 id="evaluations" { "The last evaluations" }
            p.quiet { "What the expression was at each " (words::span(interval))
                ", the newest first; events that arrive between are evaluated at once." }
            div.scroll tabindex="0" role="group" aria-label="The last evaluations" { table.stack {
                thead { tr { th scope="col" { "At" } th.number scope="col" { "Label sets" }
                    th.number scope="col" { "Worst value" } th scope="col" { "So" } } }
                tbody { @for at in instants {
                    @let values: Vec<f64> = values_at(&past, at);
                    @let worst = worst.among(values.iter().copied());
                    tr {
                        td data-label="At" { span { (words::clock(Timestamp::from_millis(at))) } }
                        td.number data-label="Label sets" { (words::thousands(values.len() as u64)) }
                        td.number data-label="Worst value" {
                            (worst.map_or_else(|| "–".to_owned(), |value| measure.text(value)))
                        }
                        td data-label="So" { span { (verdict(&alerting.policy.levels, worst, measure)) } }
                    }
                } }
            } }
        }
    }
}

fn values_at(past: &[(Labels, Line)], at: i64) -> Vec<f64> {
    let points = past.iter().flat_map(|(_, line)| &line.points);
    points.filter(|(point, value)| *point == at && !value.is_nan()).map(|(_, value)| *value).collect()
}

fn verdict(levels: &[Level], worst: Option<f64>, measure: Measure) -> String {
    let Some(worst) = worst else { return "no data, so nothing holds".to_owned() };
    let holds = |level: &&Level| match level.condition {
        Condition::Expression => false,
        Condition::Above { threshold, .. } => worst > threshold,
        Condition::Below { threshold, .. } => worst < threshold,
    };
    if levels.iter().all(|level| level.condition == Condition::Expression) {
        return "the expression itself says whether it holds".to_owned();
    }
    match levels.iter().rev().find(holds) {
        Some(level) => {
            let severity =
                level.severity.map(|severity| format!("{}: ", severity.name())).unwrap_or_default();
            format!("{severity}it holds, {}", begins(level, measure))
        }
        None => "it does not hold".to_owned(),
    }
}

/// What it reads, selector by selector.
fn reads(look: &Look<'_>, rule: &InForce<'_>) -> Markup {
    let found = selectors(&rule.rule.expr);
    html! {
        section aria-labelledby="reads" {
            h2 id="reads" { "What it reads" }
            div.scroll tabindex="0" role="group" aria-label="What it reads" { table.stack {
                thead { tr { th scope="col" { "Selector" } th.number scope="col" { "Series now" } } }
                tbody { @for selector in found.iter().take(20) {
                    @let expr = Expr { span: selector.span.clone(), node: Node::Vector(selector.vector.clone()), twin: None };
                    tr {
                        td data-label="Selector" { code { (words::long(&expr.to_string())) } }
                        td.number data-label="Series now" {
                            @match look.values(&expr) {
                                Ok(values) => (words::thousands(values.len() as u64)),
                                Err(_) => "–",
                            }
                        }
                    }
                } }
            } }
        }
    }
}

fn facts(look: &Look<'_>, rule: &InForce<'_>) -> Markup {
    let at = rule.view.last_evaluation;
    let mut facts: Vec<(&str, String)> = vec![
        ("Group", words::short(&rule.group.name).into_owned()),
        ("Evaluated every", words::span(rule.group.interval)),
        ("Last evaluated", at.map_or_else(|| "not yet".to_owned(), |at| words::ago(at, look.now()))),
        ("That took", Measure::SECONDS.text(rule.view.evaluation_time.as_secs_f64())),
        ("Id", words::short(&rule.rule.id).into_owned()),
    ];
    if let Some((alerting, _)) = alerting(rule) {
        let wait = alerting.policy.levels.first().map(|level| level.wait).unwrap_or_default();
        facts.push(("Waits (for)", words::span(wait)));
        facts.push(("Kept firing for", words::span(alerting.keep_firing_for)));
        let no_data = match alerting.no_data {
            NoData::Ok => "clears",
            NoData::Alert => "fires",
            NoData::Keep => "stays as it is",
        };
        facts.push(("Without data it", no_data.to_owned()));
    }
    html! {
        section aria-labelledby="facts" {
            h2 id="facts" { "How it is evaluated" }
            dl.tiles { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } }
            details id="promql" {
                summary { "The expression as PromQL" }
                pre tabindex="0" { (words::long(&rule.rule.query)) }
            }
        }
    }
}

fn episodes(look: &Look<'_>, rule: &InForce<'_>) -> Markup {
    let sort = RuleSort::of(&rule.rule.kind);
    let root = Address::Rule(RuleAddress { sort, id: String::new() }).root();
    let ended = ended(look, rule);
    html! {
        @if sort == RuleSort::Alert {
            section aria-labelledby="ended" {
                h2 id="ended" { "Recently ended" }
                @if ended.is_empty() { p.quiet { "None of its alerts has ended lately." } }
                @else { (ended_table(&ended, look.now(), root)) }
            }
        }
    }
}
