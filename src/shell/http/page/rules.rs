//! Rules with their worst value against their thresholds.

use std::sync::Arc;

use maud::{Markup, html};

use crate::engine::labels::Labels;
use crate::engine::rules::set::{Rule, RuleKind, Severity};
use crate::engine::rules::view::{AlertingState, GroupView, KindView, RuleView};

use super::address::{RuleAddress, RuleSort, edit_address};
use super::chart::{Chart, Line};
use super::find::{FEW, RulesAsk};
use super::look::{Editing, Look};
use super::thresholds::{compared, level_text, marks, measure};
use super::words;
use super::worst::Worst;

/// Rules shown on the overview.
const OVERVIEW_MAX: usize = 30;

/// Rules shown on the page of all rules, and those whose value is worked out for it.
const RULES_MAX: usize = 1_000;
const VALUES_MAX: usize = 200;

/// A rule in force: its group, what readers see of it, what it was loaded as.
#[derive(Clone, Copy)]
pub(super) struct InForce<'a> {
    /// The group.
    pub(super) group: &'a GroupView,
    /// What readers see.
    pub(super) view: &'a RuleView,
    /// What it was loaded as.
    pub(super) rule: &'a Arc<Rule>,
}

impl InForce<'_> {
    /// Its worst state.
    pub(super) fn state(&self) -> AlertingState {
        match &self.view.kind {
            KindView::Recording => AlertingState::Inactive,
            KindView::Alerting { state, .. } => *state,
        }
    }

    /// The worst severity that it fires at.
    pub(super) fn severity(&self) -> Option<Severity> {
        let KindView::Alerting { alerts, .. } = &self.view.kind else { return None };
        alerts.iter().filter(|alert| alert.fired_at.is_some()).map(|alert| alert.severity).max()
    }

    /// Its page.
    pub(super) fn address(&self) -> RuleAddress {
        RuleAddress { sort: RuleSort::of(&self.rule.kind), id: self.rule.id.to_string() }
    }
}

/// Every rule in the order of files.
pub(super) fn in_force<'a>(look: &Look<'a>) -> impl Iterator<Item = InForce<'a>> {
    look.instant.groups().iter().flat_map(|group| {
        let rules = group.rules.iter().zip(&group.definition.rules);
        rules.map(move |(view, rule)| InForce { group, view, rule })
    })
}

/// The alerting rules at a glance: the section of the overview.
pub(super) fn section(look: &Look<'_>) -> Markup {
    let is_alerting = |rule: &InForce<'_>| matches!(rule.rule.kind, RuleKind::Alerting(_));
    let mut rules: Vec<InForce<'_>> = in_force(look).filter(is_alerting).collect();
    rules.sort_by_key(|rule| std::cmp::Reverse((rule.state(), rule.severity())));
    let all = rules.len();
    rules.truncate(OVERVIEW_MAX);
    html! {
        @if all > 0 {
            section aria-labelledby="rules" {
                h2 id="rules" { "Rules" }
                (table(look, &rules, Spark::Yes))
                @if all > OVERVIEW_MAX {
                    p { a href="rules" { "All " (words::count(all, "alerting rule")) } }
                }
            }
        }
    }
}

/// The page of all rules.
pub(super) fn page(look: &Look<'_>, ask: &RulesAsk) -> Markup {
    let mut shown: Vec<InForce<'_>> = in_force(look).filter(|rule| ask.means(rule)).collect();
    let meant = shown.len();
    shown.truncate(RULES_MAX);
    let groups = shown.chunk_by(|left, right| std::ptr::eq(left.group, right.group));
    let all: usize = look.instant.groups().iter().map(|group| group.rules.len()).sum();
    html! {
        h1 { "Rules" }
        @if look.surroundings.editing == Editing::On {
            p { a href="edit" { "Edit rule files" } }
        }
        @if all == 0 {
            div.empty {
                p { strong { "No rules are loaded." } }
                p { "Name files or folders with " code { "--rules" } " or " code { "rules:" }
                    " in the configuration." }
            }
        }
        @if all > 0 { p { (in_words(look)) } }
        @if all > FEW || ask.is_narrow() { (ask.form(meant, all)) }
        @if all > 0 && meant == 0 { (RulesAsk::nothing(all)) }
        @for rules in groups { (group_section(look, rules)) }
        @if meant > RULES_MAX {
            p.quiet { "The first " (words::thousands(RULES_MAX as u64)) " of " (words::count(meant, "rule")) "; "
                a href="api/v1/rules" { "all of them as JSON" } "." }
        }
    }
}

/// How many rules there are of each state.
fn in_words(look: &Look<'_>) -> String {
    let states = || in_force(look).filter(|rule| matches!(rule.rule.kind, RuleKind::Alerting(_)));
    let of = |wanted: AlertingState| states().filter(|rule| rule.state() == wanted).count() as u64;
    let [firing, pending, inactive] =
        [AlertingState::Firing, AlertingState::Pending, AlertingState::Inactive].map(of);
    let records = in_force(look).count() as u64 - firing - pending - inactive;
    let said = [(firing, "firing"), (pending, "pending"), (inactive, "inactive"), (records, "recording")];
    let said = said.into_iter().filter(|(count, _)| *count > 0);
    said.map(|(count, word)| format!("{} {word}", words::thousands(count))).collect::<Vec<_>>().join(" · ")
}

fn group_section(look: &Look<'_>, rules: &[InForce<'_>]) -> Markup {
    let Some(InForce { group, .. }) = rules.first() else { return html! {} };
    html! {
        section {
            h2 { bdi { (words::short(&group.name)) } }
            p.quiet {
                bdi { (words::short(&group.file)) } ", every " (words::span(group.interval))
                @if let Some(at) = group.last_evaluation { ", last evaluated " (words::ago(at, look.now())) }
                @if look.surroundings.editing == Editing::On {
                    " · " a href=(edit_address(&group.file, None)) { "Edit" }
                }
            }
            (table(look, rules, Spark::No))
        }
    }
}

/// Whether rows have a sparkline.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spark {
    Yes,
    No,
}

fn table(look: &Look<'_>, rules: &[InForce<'_>], spark: Spark) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Rules" {
            table.stack.rules {
                thead { tr {
                    th scope="col" { "Rule" } th scope="col" { "State" }
                    th.number scope="col" { "Worst value" } th scope="col" { "Threshold" }
                    @if spark == Spark::Yes { th scope="col" { "Last " (look.spark_length()) } }
                } }
                tbody { @for (place, rule) in rules.iter().enumerate() {
                    (row(look, rule, if place < VALUES_MAX { spark } else { Spark::No }))
                } }
            }
        }
    }
}

fn row(look: &Look<'_>, rule: &InForce<'_>, spark: Spark) -> Markup {
    let measure = measure(rule.rule);
    let error = rule.view.health.last_error();
    html! {
        tr.(rule.state().name()) {
            td data-label="Rule" {
                a href={ (rule.address()) } { bdi { (words::short(&rule.rule.name)) } }
                @if !error.is_empty() { p.error { (words::long(error)) } }
            }
            td data-label="State" { div { (state(rule)) } }
            td.number data-label="Worst value" {
                @match worst(look, rule.rule) {
                    Ok(Some(value)) => { span.worst { (measure.text(value)) } },
                    Ok(None) => { span.quiet { "no data" } },
                    Err(reason) => { span.quiet title=(reason) { "–" } },
                }
            }
            td data-label="Threshold" {
                @if let RuleKind::Alerting(alerting) = &rule.rule.kind {
                    @for level in &alerting.policy.levels { div { (level_text(level, measure)) } }
                    @if !alerting.overrides.is_empty() {
                        div.quiet { "and " (words::count(alerting.overrides.len(), "exception")) }
                    }
                }
            }
            @if spark == Spark::Yes { td.spark-cell data-label={ "Last " (look.spark_length()) } { (spark_of(look, rule.rule)) } }
        }
    }
}

/// The state of a rule as a word.
pub(super) fn state(rule: &InForce<'_>) -> Markup {
    let word = match (&rule.rule.kind, rule.state()) {
        (RuleKind::Recording, _) => "records",
        (RuleKind::Alerting(_), state) => state.name(),
    };
    let alerts = match &rule.view.kind {
        KindView::Recording => 0,
        KindView::Alerting { alerts, state, .. } => {
            alerts.iter().filter(|alert| alert.state == *state).count()
        }
    };
    html! {
        span.state.(word) { (word) }
        @if let Some(severity) = rule.severity() {
            " " span.severity.(severity.name()) { (severity.name()) }
        }
        @if alerts > 1 { span.quiet { " × " (words::thousands(alerts as u64)) } }
    }
}

/// The worst value of a rule now; none without data.
fn worst(look: &Look<'_>, rule: &Rule) -> Result<Option<f64>, String> {
    let levels = match &rule.kind {
        RuleKind::Recording => &[][..],
        RuleKind::Alerting(alerting) => &alerting.policy.levels,
    };
    let values = look.values(compared(rule))?;
    let worst = Worst::of(levels, &rule.expr);
    Ok(worst.among(values.into_iter().map(|(_, value)| value)))
}

/// The past of a rule's label sets, small.
fn spark_of(look: &Look<'_>, rule: &Rule) -> Markup {
    let window = look.spark_window();
    let past = look.shared_past((&rule.query, compared(rule)), window);
    let lines = past.iter().map(|(labels, line): &(Labels, Line)| Line {
        label: labels.without_name().to_string(),
        points: line.points.clone(),
    });
    let chart = Chart {
        from: look.beginning(),
        to: window.to,
        step_ms: window.step_ms,
        lines: lines.take(super::chart::LINES_MAX).collect(),
        marks: marks(rule),
        episodes: Vec::new(),
        measure: measure(rule),
    };
    chart.tiny()
}
