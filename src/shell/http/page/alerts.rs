//! Alerts as cards, worst first; those that wait; those that ended.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use maud::{Markup, html};

use crate::engine::labels::Labels;
use crate::engine::rules::event::{AlertEvent, AlertEventKind, Reason};
use crate::engine::rules::set::{Alerting, Rule, RuleKind};
use crate::engine::rules::view::{AlertView, AlertingState};
use crate::engine::time::Timestamp;

use super::address::{Root, RuleAddress};
use super::chart::{Chart, Line, Mark};
use super::look::{Look, Past};
use super::thresholds::{against, compared, level_of, marks_of, measure};
use super::words;

/// Firing alerts shown as cards.
const CARDS_MAX: usize = 50;

/// Firing alerts shown as cards on the page of their rule.
const RULE_CARDS_MAX: usize = 10;

/// Further alerts, and pending ones, shown as lines.
const LINES_MAX: usize = 100;

/// Ended episodes shown.
const ENDED_MAX: usize = 20;

/// Rules whose alerts have a sparkline.
const SPARKS_MAX: usize = 20;

/// The rules in force by their id.
pub(super) struct Known<'a>(BTreeMap<&'a str, (&'a Arc<Rule>, &'a Alerting)>);

impl<'a> Known<'a> {
    /// Those at this look.
    pub(super) fn of(look: &Look<'a>) -> Self {
        let rules = look.instant.groups().iter().flat_map(|group| &group.definition.rules);
        Self(
            rules
                .filter_map(|rule| match &rule.kind {
                    RuleKind::Recording => None,
                    RuleKind::Alerting(alerting) => Some((rule.id.as_ref(), (rule, alerting.as_ref()))),
                })
                .collect(),
        )
    }

    fn get(&self, id: &str) -> Option<(&'a Arc<Rule>, &'a Alerting)> {
        self.0.get(id).copied()
    }
}

/// Every alert: the section of the overview.
pub(super) fn section(look: &Look<'_>, known: &Known<'_>) -> Markup {
    let mut alerts = look.instant.alerts();
    alerts.sort_by_key(|alert| (Reverse(alert.severity), Reverse(alert.fired_at), &alert.alert_name));
    let (firing, pending): (Vec<_>, Vec<_>) =
        alerts.into_iter().partition(|alert| alert.state == AlertingState::Firing);
    let mut sparks = Sparks::default();
    html! {
        section aria-labelledby="alerts" {
            h2 id="alerts" { "Alerts" }
            @if firing.is_empty() { (nothing_fires(look)) }
            @if !firing.is_empty() {
                div.cards { @for alert in firing.iter().take(CARDS_MAX) {
                    @let rule = known.get(&alert.rule_id);
                    (card(alert, look.now(), rule, &Beside {
                        chart: rule.and_then(|rule| sparks.of(rule, alert, look)),
                        link: rule.map(|_| RuleAddress::alert(&alert.rule_id)),
                    }))
                } }
                (lines(firing.get(CARDS_MAX..).unwrap_or_default(), look.now(), "firing"))
            }
        }
        @if !pending.is_empty() {
            section aria-labelledby="pending" {
                h2 id="pending" { "Pending" }
                p.quiet { "Their condition holds, and they wait for it to hold long enough." }
                ul.waiting {
                    @for alert in pending.iter().take(LINES_MAX) {
                        (waiting(alert, look.now(), known.get(&alert.rule_id)))
                    }
                }
                (more(pending.len(), LINES_MAX, "pending"))
            }
        }
    }
}

fn nothing_fires(look: &Look<'_>) -> Markup {
    let rules: usize = look.instant.groups().iter().map(|group| group.rules.len()).sum();
    html! {
        div.empty {
            @if rules == 0 {
                p { strong { "No rules are loaded, so nothing can fire." } }
                p { "Name files or folders with " code { "--rules" } " or " code { "rules:" }
                    " in the configuration; signalbox reads them again when they change." }
            } @else if look.alerting_rules() == 0 {
                p { strong {
                    @if rules == 1 { "The only rule records" } @else { "All " (words::count(rules, "rule")) " record" }
                    ", so nothing can fire."
                } }
                p { "Add an alert to a file that " code { "--rules" } " or " code { "rules:" } " names; it is read again when it changes." }
            } @else if !look.surroundings.unready.is_empty() {
                p { strong { "Nothing fires of what signalbox sees, and it does not see everything." } }
                p { "What keeps it from that stands above." }
            } @else {
                p { strong { "Nothing fires." } }
                p { (words::count(rules, "rule")) @if rules == 1 { " looks" } @else { " look" } " at what arrives. "
                    a href="rules" { "See their values against their thresholds" } "." }
            }
        }
    }
}

/// The past of the rules that have alerts, each asked for once.
#[derive(Default)]
struct Sparks(BTreeMap<Arc<str>, Past>);

impl Sparks {
    fn of(
        &mut self,
        (rule, alerting): (&Arc<Rule>, &Alerting),
        alert: &AlertView,
        look: &Look<'_>,
    ) -> Option<Chart> {
        let window = look.spark_window();
        if !self.0.contains_key(&rule.id) {
            if self.0.len() >= SPARKS_MAX {
                return None;
            }
            let past = look.shared_past((&rule.query, compared(rule)), window);
            self.0.insert(rule.id.clone(), past);
        }
        let own = |labels: &Labels| {
            let mut pairs = labels.iter().filter(|(name, _)| name.as_ref() != "__name__");
            pairs.all(|(name, value)| alert.labels.get(name) == Some(value))
        };
        let lines = self.0.get(&rule.id)?.iter().filter(|(labels, _)| own(labels)).take(1);
        let now = look.now().millis();
        let lines = lines.map(|(_, line)| line.named("value").then(now, alert.value));
        let mut lines: Vec<Line> = lines.collect();
        if lines.is_empty() {
            lines.push(Line { label: "value".to_owned(), points: vec![(now, alert.value)] });
        }
        let severity = alert.severity;
        let marks = match (marks_of(alerting.policy_for(&alert.labels), severity), alert.threshold) {
            (marks, Some(value)) if marks.is_empty() => {
                vec![Mark::Threshold { value, severity, is_named: false }]
            }
            (marks, _) => marks,
        };
        Some(Chart {
            from: look.beginning(),
            to: look.now(),
            step_ms: window.step_ms,
            lines,
            marks,
            episodes: alert.fired_at.map(|since| (since, look.now())).into_iter().collect(),
            measure: measure(rule),
        })
    }
}

fn text_of<'a>(alert: &'a AlertView, wanted: &str) -> Option<&'a str> {
    let mut texts = alert.annotations.iter();
    texts.find(|(name, text)| name.as_ref() == wanted && !text.is_empty()).map(|(_, text)| text.as_str())
}

/// The heading of an alert: its summary where it has one.
fn heading(alert: &AlertView) -> &str {
    text_of(alert, "summary").unwrap_or(&alert.alert_name)
}

/// The alerts of one rule that fire, for its own page: what they say, which the table of label sets has no room for.
pub(super) fn of_rule(look: &Look<'_>, rule: (&Arc<Rule>, &Alerting), alerts: &[AlertView]) -> Markup {
    let firing = alerts.iter().filter(|alert| alert.state == AlertingState::Firing);
    let mut firing: Vec<&AlertView> = firing.collect();
    firing.sort_by_key(|alert| (Reverse(alert.severity), Reverse(alert.fired_at)));
    html! {
        @if !firing.is_empty() {
            section aria-labelledby="firing" {
                h2 id="firing" { "What fires" }
                div.cards { @for alert in firing.iter().take(RULE_CARDS_MAX) {
                    (card(alert, look.now(), Some(rule), &Beside::default()))
                } }
                @if firing.len() > RULE_CARDS_MAX {
                    p.quiet { "The worst " (RULE_CARDS_MAX) " of " (words::count(firing.len(), "alert"))
                        "; all of them stand below with their values." }
                }
            }
        }
    }
}

/// What a card has beside the alert itself.
#[derive(Default)]
struct Beside {
    /// Its past.
    chart: Option<Chart>,
    /// The page of its rule, where it is not on it.
    link: Option<RuleAddress>,
}

fn card(alert: &AlertView, now: Timestamp, rule: Option<(&Arc<Rule>, &Alerting)>, beside: &Beside) -> Markup {
    let id = format!("alert-{:016x}", alert.fingerprint);
    let since = alert.fired_at.unwrap_or(alert.active_at);
    html! {
        article.card.(alert.severity.name()) id=(id) aria-labelledby={ (id) "-name" } {
            div.card-head {
                span.severity { (alert.severity.name()) }
                h3 id={ (id) "-name" } { bdi { (words::short(heading(alert))) } }
            }
            (reading(alert, rule))
            @if let Some(chart) = &beside.chart { (chart.spark()) }
            p.since {
                "Firing for " (words::span(Duration::from_secs(now.since(since).as_secs())))
                ", since " (words::clock(since))
                @if let Some(quiet) = alert.keep_firing_since {
                    "; the condition ended " (words::ago(quiet, now)) ", and it is kept for a while"
                }
            }
            (words::chips(&alert.labels, &["alertname", "severity"]))
            @if let Some(description) = text_of(alert, "description") {
                p.description { bdi { (words::long(description)) } }
            }
            (links(alert, beside.link.as_ref()))
            (evidence(alert, &id))
        }
    }
}

/// The value and what it is held against.
fn reading(alert: &AlertView, rule: Option<(&Arc<Rule>, &Alerting)>) -> Markup {
    let level = rule.and_then(|(rule, alerting)| Some((rule, level_of(alerting, alert)?)));
    html! {
        @if let Some((rule, level)) = level {
            p.reading {
                strong.number { (measure(rule).text(alert.value)) }
                @for said in against(rule, level, alert) { " " span { (said) } }
            }
        }
    }
}

fn links(alert: &AlertView, rule: Option<&RuleAddress>) -> Markup {
    let runbook = text_of(alert, "runbook_url").or_else(|| text_of(alert, "runbook"));
    // Other schemes may be scripts.
    let runbook = runbook.filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    html! {
        @if rule.is_some() || runbook.is_some() {
            p.links {
                @if let Some(rule) = rule {
                    a href=(rule) { "Rule " bdi { (words::short(&alert.alert_name)) } }
                }
                @if let Some(url) = runbook { " " a href=(url) rel="noreferrer noopener" { "Runbook" } }
            }
        }
    }
}

fn evidence(alert: &AlertView, id: &str) -> Markup {
    html! {
        @if !alert.evidence.is_empty() {
            details id={ (id) "-evidence" } {
                summary { "Evidence: the last events that moved the value" }
                ul.ids { @for event in &alert.evidence { li { code { (event) } } } }
            }
        }
    }
}

/// Alerts that are too many for cards.
fn lines(alerts: &[&AlertView], now: Timestamp, state: &str) -> Markup {
    html! {
        @if !alerts.is_empty() {
            ul.waiting {
                @for alert in alerts.iter().take(LINES_MAX) {
                    li.(alert.severity.name()) {
                        span.severity { (alert.severity.name()) } " "
                        a href={ (RuleAddress::alert(&alert.rule_id)) } { bdi { (words::short(heading(alert))) } }
                        span.quiet { (words::ago(alert.fired_at.unwrap_or(alert.active_at), now)) }
                    }
                }
            }
            (more(alerts.len(), LINES_MAX, state))
        }
    }
}

fn more(all: usize, shown: usize, state: &str) -> Markup {
    html! {
        @if all > shown {
            p.quiet {
                "And " (words::count(all - shown, "more alert")) " " (state) ", of which this page shows none: see "
                a href="api/v1/alerts" { "all of them as JSON" } "."
            }
        }
    }
}

fn waiting(alert: &AlertView, now: Timestamp, rule: Option<(&Arc<Rule>, &Alerting)>) -> Markup {
    let level = rule.and_then(|(rule, alerting)| Some((rule, level_of(alerting, alert)?)));
    let served = now.since(alert.active_at);
    html! {
        li.(alert.severity.name()) {
            span.severity { (alert.severity.name()) } " "
            a href={ (RuleAddress::alert(&alert.rule_id)) } { bdi { (words::short(heading(alert))) } }
            @if let Some((rule, level)) = level {
                " " span.number { (measure(rule).text(alert.value)) } " "
                span.wait {
                    progress max=(level.wait.as_secs_f64().max(0.001)) value=(served.min(level.wait).as_secs_f64())
                        aria-label="how much of the wait is over" {}
                    "fires in " (words::span(Duration::from_secs(level.wait.saturating_sub(served).as_secs())))
                    ", if it lasts " (words::span(level.wait))
                }
            }
            (words::chips(&alert.labels, &["alertname", "severity"]))
        }
    }
}

/// The episodes that ended last.
pub(super) fn ended(look: &Look<'_>, root: Root) -> Markup {
    let all: Vec<&AlertEvent> = look.instant.ended().newest_first().collect();
    html! {
        section aria-labelledby="ended" {
            h2 id="ended" { "Recently ended" }
            @if all.is_empty() { p.quiet { "No alert has ended since the start." } }
            @else { (ended_table(&all, look.now(), root)) }
        }
    }
}

/// Ended episodes as a table.
pub(super) fn ended_table(ended: &[&AlertEvent], now: Timestamp, root: Root) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Ended alerts" {
            table.stack {
                thead { tr { th scope="col" { "Alert" } th scope="col" { "Why it ended" }
                    th scope="col" { "Ended" } th scope="col" { "Fired for" } } }
                tbody { @for event in ended.iter().take(ENDED_MAX) {
                    tr {
                        td data-label="Alert" {
                            span.severity.(event.severity.name()) { (event.severity.name()) } " "
                            a href={ (root) (RuleAddress::alert(&event.rule_id)) } {
                                bdi { (words::short(&event.alert_name)) }
                            }
                            (words::chips(&event.labels, &["alertname", "severity"]))
                        }
                        td data-label="Why it ended" { (why(event)) }
                        td data-label="Ended" { (words::ago(event.timestamp, now)) ", at " (words::clock(event.timestamp)) }
                        td data-label="Fired for" { (words::span(event.duration())) }
                    }
                } }
            }
        }
        @if ended.len() > ENDED_MAX {
            p.quiet { "The last " (ENDED_MAX) " of " (ended.len()) " that are kept." }
        }
    }
}

fn why(event: &AlertEvent) -> &'static str {
    let AlertEventKind::Cleared { reason, .. } = event.kind else { return "" };
    match reason {
        Reason::Recovered => "recovered",
        Reason::SeverityChanged => "another severity took over",
        Reason::NoData => "its series is gone",
        Reason::RuleChanged => "the rule changed",
        Reason::RuleRemoved => "the rule was removed",
    }
}
