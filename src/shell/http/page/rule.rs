//! The page of one rule: how it is written, what it sees, and why it does or does not fire.

use std::cmp::Ordering;
use std::slice;
use std::time::Duration;

use maud::{Markup, html};

use crate::engine::labels::Labels;
use crate::engine::promql::inspect::selectors;
use crate::engine::promql::{Expr, ast::Node};
use crate::engine::rules::alert::{self, Reading};
use crate::engine::rules::event::AlertEvent;
use crate::engine::rules::set::{Alerting, Condition, Level, NoData, RuleKind};
use crate::engine::rules::view::{AlertView, KindView};
use crate::engine::time::Timestamp;

use super::address::{Address, Root, RuleAddress, RuleSort, edit_address};
use super::alerts::{self, ended_table};
use super::chart::{Chart, Line};
use super::label_sets;
use super::look::{Editing, Look, Past, Window};
use super::rules::{InForce, state};
use super::thresholds::{compared, marks, measure};
use super::unit::Measure;
use super::words;
use super::worst::Worst;

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
        @if let Some((alerting, alerts)) = alerting(rule) {
            (alerts::of_rule(look, (rule.rule, alerting), alerts))
        }
        (past(look, rule))
        (label_sets::section(look, rule, values.as_deref().unwrap_or_default()))
        (evaluations(look, rule))
        (reads(look, rule))
        section aria-labelledby="written" {
            h2 id="written" { "As written" }
            p.quiet {
                bdi { (words::short(&rule.group.file)) } ", line " (words::thousands(written.line as u64))
                @if look.surroundings.editing == Editing::On {
                    " · " a href={ (rule_root(rule)) (edit_address(&rule.group.file, Some(written.line))) } { "Edit" }
                }
            }
            pre tabindex="0" { (words::long(&written.text)) }
        }
        (facts(look, rule))
        (episodes(look, rule))
    }
}

/// What only an alerting rule has: how it is defined, and its alerts.
pub(super) fn alerting<'a>(rule: &InForce<'a>) -> Option<(&'a Alerting, &'a [AlertView])> {
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
        return html! { p { "Records " (words::thousands(values.len() as u64)) " series now." } };
    };
    let measure = measure(rule.rule);
    let firing = alerts.iter().filter(|alert| alert.fired_at.is_some()).count();
    let worst = Worst::of(&alerting.policy.levels, &rule.rule.expr);
    let is_plain = |labels: &Labels| std::ptr::eq(alerting.policy_for(labels), &raw const alerting.policy);
    let plain: Vec<f64> =
        values.iter().filter(|(labels, _)| is_plain(labels)).map(|(_, value)| *value).collect();
    let exceptions = values.len() - plain.len();
    let worst = worst.among(plain.iter().copied());
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
                "It does not fire: of " (words::count(plain.len(), "label set")) " the worst is at "
                strong { (measure.text(worst)) }
                @if let Some(level) = alerting.policy.levels.first() { ", and it begins " (begins(level, measure)) }
                "."
                @if exceptions > 0 {
                    " " (words::count(exceptions, "label set")) " with thresholds of "
                    @if exceptions == 1 { "its own does" } @else { "their own do" } " not reach them."
                }
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
    let (window, past) = longest_past(look, rule);
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
    let chart = chart.trimmed();
    html! {
        section aria-labelledby="past" {
            h2 id="past" { "The last " (words::span(chart.length())) }
            div.panel { (chart.large()) }
        }
    }
}

/// Shorter spans, for a past that has only begun: few steps of a long one would draw nothing of it.
const SHORT_SPANS: [Duration; 4] =
    [Duration::from_mins(2), Duration::from_mins(5), Duration::from_mins(15), Duration::from_mins(30)];

/// The past as far as it is kept, or as far as there is one.
fn longest_past(look: &Look<'_>, rule: &InForce<'_>) -> (Window, Past) {
    let at = |length: Duration| {
        let window = Window::before(look.now(), length, CHART_STEPS);
        let key = format!("{length:?} of {}", rule.rule.query);
        (length, window, look.shared_past((&key, compared(rule.rule)), window))
    };
    let whole = at(look.surroundings.window);
    let firsts = whole.2.iter().filter_map(|(_, line)| line.points.first());
    let Some(first) = firsts.map(|(at, _)| Timestamp::from_millis(*at)).min() else {
        return (whole.1, whole.2);
    };
    let reaches =
        look.now().since(first).saturating_add(Duration::from_millis(whole.1.step_ms.unsigned_abs()));
    let shorter = SHORT_SPANS.into_iter().find(|span| *span >= reaches && *span < whole.0);
    let (_, window, past) = shorter.map_or(whole, at);
    (window, past)
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

/// What the last evaluations at the interval saw, worked out from the past; those that saw the same in one line.
fn evaluations(look: &Look<'_>, rule: &InForce<'_>) -> Markup {
    let Some((alerting, _)) = alerting(rule) else { return html! {} };
    let interval = rule.group.interval;
    let window = Window::before(look.now(), interval * EVALUATIONS, EVALUATIONS);
    let key = format!("evaluations {}", rule.rule.query);
    let past = look.shared_past((&key, compared(rule.rule)), window);
    let worst = Worst::of(&alerting.policy.levels, &rule.rule.expr);
    let measure = measure(rule.rule);
    let evaluated = (0..=i64::from(EVALUATIONS)).rev().map(|step| {
        let at = window.from.millis() + step * window.step_ms;
        let values = values_at(&past, at);
        let held = held(alerting, &values, worst);
        let value =
            held.map(|(_, value)| value).or_else(|| worst.among(values.iter().map(|(_, value)| *value)));
        let verdict = match (value, held) {
            (None, _) => "no data, so nothing holds".to_owned(),
            (Some(_), Some((level, _))) => holds_text(level, measure),
            (Some(_), None) if is_by_expression(alerting) => {
                "the expression itself says whether it holds".to_owned()
            }
            (Some(_), None) => "it does not hold".to_owned(),
        };
        let value = value.map_or_else(|| "–".to_owned(), |value| measure.text(value));
        Evaluated { at: Timestamp::from_millis(at), label_sets: values.len(), value, verdict }
    });
    let evaluated: Vec<Evaluated> = evaluated.collect();
    html! {
        section aria-labelledby="evaluations" {
            h2 id="evaluations" { "The last evaluations" }
            p.quiet { "What the expression was at each " (words::span(interval))
                ", the newest first; events that arrive between are evaluated at once." }
            div.scroll tabindex="0" role="group" aria-label="The last evaluations" { table.tight {
                thead { tr { th scope="col" { "At" } th.number.wide scope="col" { "Label sets" }
                    th.number scope="col" { "Worst value" } th scope="col" { "So" } } }
                tbody { @for same in evaluated.chunk_by(Evaluated::saw_the_same) { (Evaluated::row(same)) } }
            } }
        }
    }
}

/// What one evaluation saw.
struct Evaluated {
    at: Timestamp,
    label_sets: usize,
    value: String,
    verdict: String,
}

impl Evaluated {
    fn saw_the_same(&self, other: &Self) -> bool {
        (self.label_sets, &self.value, &self.verdict) == (other.label_sets, &other.value, &other.verdict)
    }

    /// A line for those that saw the same.
    fn row(same: &[Self]) -> Markup {
        let (Some(newest), Some(oldest)) = (same.first(), same.last()) else { return html! {} };
        html! {
            tr {
                td {
                    (words::clock(newest.at))
                    @if same.len() > 1 { " back to " (words::clock(oldest.at)) }
                }
                td.number.wide { (words::thousands(newest.label_sets as u64)) }
                td.number { (newest.value) }
                td { (newest.verdict) }
            }
        }
    }
}

fn values_at(past: &[(Labels, Line)], at: i64) -> Vec<(&Labels, f64)> {
    let lines = past.iter().flat_map(|(labels, line)| line.points.iter().map(move |point| (labels, point)));
    let there = lines.filter(|(_, (point, value))| *point == at && !value.is_nan());
    there.map(|(labels, (_, value))| (labels, *value)).collect()
}

/// The highest level that held for any label set, each by its own thresholds, and the worst value at it.
fn held<'a>(alerting: &'a Alerting, values: &[(&Labels, f64)], worst: Worst) -> Option<(&'a Level, f64)> {
    let at = |(labels, value): &(&Labels, f64)| {
        let levels = alerting.policy_for(labels).levels.iter();
        levels
            .rev()
            .find(|level| alert::begins(slice::from_ref(level), Reading::Value(*value)))
            .map(|level| (level, *value))
    };
    values.iter().filter_map(at).reduce(|left, right| {
        let is_worse = worst.among([left.1, right.1].into_iter()) == Some(right.1);
        match right.0.severity.cmp(&left.0.severity) {
            Ordering::Greater => right,
            Ordering::Equal if is_worse => right,
            Ordering::Equal | Ordering::Less => left,
        }
    })
}

fn is_by_expression(alerting: &Alerting) -> bool {
    alerting.policy.levels.iter().all(|level| level.condition == Condition::Expression)
}

fn holds_text(level: &Level, measure: Measure) -> String {
    let severity = level.severity.map(|severity| format!("{}: ", severity.name())).unwrap_or_default();
    format!("{severity}it holds, {}", begins(level, measure))
}

/// What it reads, selector by selector; one that stands several times once.
fn reads(look: &Look<'_>, rule: &InForce<'_>) -> Markup {
    let mut found: Vec<(String, Expr)> = Vec::new();
    for selector in selectors(&rule.rule.expr) {
        let node = Node::Vector(selector.vector.clone());
        let expr = Expr { span: selector.span, node, twin: None };
        let text = expr.to_string();
        if !found.iter().any(|(known, _)| *known == text) {
            found.push((text, expr));
        }
    }
    html! {
        section aria-labelledby="reads" {
            h2 id="reads" { "What it reads" }
            div.scroll tabindex="0" role="group" aria-label="What it reads" { table.stack {
                thead { tr { th scope="col" { "Selector" } th.number scope="col" { "Series now" } } }
                tbody { @for (text, expr) in found.iter().take(20) {
                    tr {
                        td data-label="Selector" { code { (words::long(text)) } }
                        td.number data-label="Series now" {
                            @match look.values(expr) {
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
    let on_arrival = rule.view.keeping.text();
    let mut facts: Vec<(&str, String)> = vec![
        ("Group", words::short(&rule.group.name).into_owned()),
        ("Evaluated every", words::span(rule.group.interval)),
        ("Last evaluated", at.map_or_else(|| "not yet".to_owned(), |at| words::ago(at, look.now()))),
        ("That took", Measure::SECONDS.text(rule.view.evaluation_time.as_secs_f64())),
        ("Id", words::short(&rule.rule.id).into_owned()),
    ];
    let full = look.own_values("signalbox_rule_full_evaluations_total");
    let own_group = |labels: &Labels| labels.get("group").is_some_and(|name| *name == *rule.group.name);
    if let Some((_, count)) = full.iter().find(|(labels, _)| own_group(labels)) {
        facts.push(("Evaluated in full in its group", words::count(*count as usize, "time")));
    }
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
    facts.push(("On arrival of an event", on_arrival.to_owned()));
    html! {
        section aria-labelledby="facts" {
            h2 id="facts" { "How it is evaluated" }
            dl.pairs { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } }
            details id="promql" {
                summary { "The expression as PromQL" }
                pre tabindex="0" { (words::long(&rule.rule.query)) }
            }
        }
    }
}

/// How the rule's page reaches the root.
fn rule_root(rule: &InForce<'_>) -> Root {
    let sort = RuleSort::of(&rule.rule.kind);
    Address::Rule(RuleAddress { sort, id: String::new() }).root()
}

fn episodes(look: &Look<'_>, rule: &InForce<'_>) -> Markup {
    let sort = RuleSort::of(&rule.rule.kind);
    let root = rule_root(rule);
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
