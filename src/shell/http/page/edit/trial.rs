//! What the edited rules would have done over the window in memory: the episodes of each on its chart.

use std::sync::Arc;
use std::time::Duration;

use maud::{Markup, html};

use crate::engine::config::Config;
use crate::engine::frozen::{FrozenInstant, QueryTerms, Rehearsal, RehearsedEpisode};
use crate::engine::labels::Labels;
use crate::engine::rules::set::{Rule, RuleKind};
use crate::engine::rules::{RuleSet, RuleSettings};
use crate::engine::time::Timestamp;

use crate::shell::http::page::chart::{Chart, Line};
use crate::shell::http::page::look::{Look, Shorter, Surroundings, Window};
use crate::shell::http::page::thresholds::{compared, marks, measure};
use crate::shell::http::page::words;

/// Rules whose past is drawn, those that the edit changes first.
const RULES_MAX: usize = 8;

/// Episodes of a rule that are listed.
const EPISODES_MAX: usize = 20;

/// Points of a chart.
const CHART_STEPS: i64 = 180;

/// The part of `query.timeout`, in tenths, for which the edited rules are walked through the past, those on disk are,
/// and charts are drawn; the rest is for the way.
const TENTHS: [u32; 3] = [4, 2, 2];

/// What is tried.
pub(super) struct Trial {
    /// The configuration in force.
    pub(super) config: Arc<Config>,
    /// The file's groups as they stand in the editor.
    pub(super) edited: RuleSet,
    /// The same as they lie on disk; none where they are refused.
    pub(super) before: Option<RuleSet>,
    /// What pages show beside the engine.
    pub(super) surroundings: Surroundings,
}

impl Trial {
    /// Walks the rules through the past of an instant and shows what they would have done.
    pub(super) fn show(&self, instant: &FrozenInstant, terms: QueryTerms<'_>) -> Markup {
        let walk = |set: &RuleSet, budget: Duration| {
            let patience = Shorter::than(terms.patience, Some(budget));
            let settings = RuleSettings::of(&self.config);
            instant.rehearse(set, settings, (self.surroundings.window, patience.terms(terms.settings)))
        };
        let [edited, before, charts] = TENTHS.map(|tenths| self.config.query.timeout / 10 * tenths);
        // What the edit does not touch does as it did, and is there with what it wrote.
        let tried =
            self.before.as_ref().map_or_else(|| self.edited.clone(), |old| self.edited.touched_since(old));
        let known = self.before.as_ref().map(|set| set.named_as(&tried));
        let rehearsal = walk(&tried, edited);
        let known = known.as_ref().map(|set| (set, walk(set, before)));
        let patience = Shorter::than(terms.patience, Some(charts));
        let look = Look::new(&rehearsal.instant, &self.surroundings, patience.terms(terms.settings));
        self.section((&look, &tried), &rehearsal, known.as_ref().map(|(set, walked)| (*set, walked)))
    }

    fn section(
        &self,
        (look, tried): (&Look<'_>, &RuleSet),
        rehearsal: &Rehearsal,
        before: Option<(&RuleSet, &Rehearsal)>,
    ) -> Markup {
        let is_alerting = |rule: &&Arc<Rule>| matches!(rule.kind, RuleKind::Alerting(_));
        let is_changed =
            |rule: &Arc<Rule>| !before.is_some_and(|(set, _)| set.rules().any(|old| old.is_same_as(rule)));
        let mut rules: Vec<&Arc<Rule>> = tried.rules().filter(is_alerting).collect();
        rules.sort_by_key(|rule| !is_changed(rule));
        let all = rules.len();
        rules.truncate(RULES_MAX);
        html! {
            section aria-labelledby="tried" {
                h2 id="tried" { "What these rules would have done" }
                p.quiet {
                    "From " (words::clock(rehearsal.from)) " to " (words::clock(rehearsal.to)) ", evaluated every "
                    (words::span(rehearsal.every)) " over what is in memory; events between are evaluated at once when they arrive, which is not known any more."
                }
                @if rehearsal.is_cut_short {
                    div.trouble { p { strong { "There was no time to go further than " (words::clock(rehearsal.to)) "." } }
                        p { "The rules read many series; what follows is about the time until then." } }
                }
                @if all == 0 { p.quiet { "No rule that the edit touches raises alerts." } }
                @for rule in rules {
                    @let edit = if is_changed(rule) { Edit::Changed } else { Edit::Same };
                    (one(look, (rule, edit), (rehearsal, before.map(|(_, walked)| walked))))
                }
                @if all > RULES_MAX {
                    p.quiet { "And " (words::count(all - RULES_MAX, "rule")) " that are not shown." }
                }
                @let untouched = self.edited.rules().count() - tried.rules().count();
                @if untouched > 0 {
                    p.quiet { (words::count(untouched, "rule")) " that the edit does not touch would have done as now." }
                }
            }
        }
    }
}

/// Whether a rule is another than on disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edit {
    Changed,
    Same,
}

fn one(
    look: &Look<'_>,
    (rule, edit): (&Rule, Edit),
    (rehearsal, before): (&Rehearsal, Option<&Rehearsal>),
) -> Markup {
    let of_rule = |walked: &Rehearsal| -> Vec<RehearsedEpisode> {
        walked.episodes.iter().filter(|episode| episode.rule_id == rule.id).cloned().collect()
    };
    let episodes = of_rule(rehearsal);
    let failed = rehearsal.failures.iter().find(|(id, _)| *id == rule.id);
    html! {
        div.panel {
            div.card-head {
                h3 { bdi { (words::short(&rule.name)) } }
                @if edit == Edit::Changed { span.state { "changed" } }
            }
            p { (summary(&episodes, rehearsal)) @if let Some(before) = before {
                " As it is on disk: "
                @if before.is_cut_short { "not worked out in time" } @else { (times(&of_rule(before))) } "."
            } }
            @if let Some((_, error)) = failed {
                p.error { "Its last evaluation failed: " (words::long(error)) }
            }
            (chart(look, rule, (rehearsal, &episodes)))
            @if !episodes.is_empty() { (table(rule, &episodes)) }
        }
    }
}

/// How often, in words.
fn times(episodes: &[RehearsedEpisode]) -> String {
    match episodes.len() {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        number => format!("{} times", words::thousands(number as u64)),
    }
}

fn summary(episodes: &[RehearsedEpisode], rehearsal: &Rehearsal) -> String {
    if episodes.is_empty() {
        return "It would not have fired.".to_owned();
    }
    let open = episodes.iter().filter(|episode| episode.ended.is_none()).count();
    let still =
        if open == 0 { "none fires at the end".to_owned() } else { format!("{open} still at the end") };
    let left_out = match rehearsal.episodes_left_out {
        0 => String::new(),
        more => format!(" {} more episodes of this file are not counted here.", words::thousands(more)),
    };
    format!("It would have fired {}, {still}.{left_out}", times(episodes))
}

fn chart(look: &Look<'_>, rule: &Rule, (rehearsal, episodes): (&Rehearsal, &[RehearsedEpisode])) -> Markup {
    let length = rehearsal.to.millis() - rehearsal.from.millis();
    let step_ms = (length / CHART_STEPS).max(1_000);
    let window = Window { from: rehearsal.from, to: rehearsal.to, step_ms };
    let past = match look.past(compared(rule), window) {
        Ok(past) => past,
        Err(reason) => return html! { p.quiet { "Its values are not known: " (words::long(&reason)) } },
    };
    let line = |(labels, line): (Labels, Line)| {
        let label = if labels.is_empty() { "value".to_owned() } else { labels.to_string() };
        Line { label, points: line.points }
    };
    let span = |episode: &RehearsedEpisode| (episode.began, episode.ended.map_or(rehearsal.to, |(at, _)| at));
    let fired: Vec<(Timestamp, Timestamp)> = episodes.iter().map(span).collect();
    Chart {
        from: window.from,
        to: window.to,
        step_ms,
        lines: past.into_iter().map(line).collect(),
        marks: marks(rule),
        episodes: fired,
        measure: measure(rule),
    }
    .large()
}

fn table(rule: &Rule, episodes: &[RehearsedEpisode]) -> Markup {
    let measure = measure(rule);
    html! {
        div.scroll tabindex="0" role="group" aria-label={ "Episodes of " (words::short(&rule.name)) } { table.stack {
            thead { tr { th scope="col" { "Message" } th scope="col" { "Severity" } th scope="col" { "From" }
                th scope="col" { "To" } th.number scope="col" { "Value" } } }
            tbody { @for episode in episodes.iter().take(EPISODES_MAX) {
                tr {
                    td data-label="Message" {
                        (words::long(&episode.message))
                        (words::chips(&episode.labels, &["alertname", "severity"]))
                    }
                    td data-label="Severity" { span.severity.(episode.severity.name()) { (episode.severity.name()) } }
                    td data-label="From" { (words::clock(episode.began)) }
                    td data-label="To" {
                        @match episode.ended {
                            Some((at, reason)) => div {
                                (words::clock(at)) " " span.quiet { (reason.name().replace('_', " ")) }
                            },
                            None => "still fires",
                        }
                    }
                    td.number data-label="Value" { (measure.text(episode.value)) }
                }
            } }
        } }
        @if episodes.len() > EPISODES_MAX {
            p.quiet { "The first " (EPISODES_MAX) "." }
        }
    }
}
