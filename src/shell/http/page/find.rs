//! Finding rules among many: what is asked in the address of the page, and which rules are meant.

use maud::{Markup, html};

use crate::engine::rules::set::RuleKind;
use crate::engine::rules::view::AlertingState;
use crate::shell::http::form::Form;

use super::rules::InForce;
use super::words;

/// Characters of what is looked for that are read.
const TEXT_CHARS_MAX: usize = 200;

/// Rules below which nobody has to look for one.
pub(super) const FEW: usize = 10;

/// Which rules are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RulesAsk {
    /// Words that all stand somewhere in the rule.
    pub(super) text: String,
    /// How they are.
    pub(super) condition: RuleCondition,
}

/// How a rule is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RuleCondition {
    /// However it is.
    #[default]
    Any,
    /// It fires.
    Firing,
    /// It waits.
    Pending,
    /// It does neither.
    Inactive,
    /// It records.
    Recording,
    /// Its last evaluation failed.
    Failing,
}

impl RuleCondition {
    /// All of them, with the word of the address and the words of the form.
    const ALL: [(Self, &'static str, &'static str); 6] = [
        (Self::Any, "", "any state"),
        (Self::Firing, "firing", "firing"),
        (Self::Pending, "pending", "pending"),
        (Self::Inactive, "inactive", "inactive"),
        (Self::Recording, "recording", "recording"),
        (Self::Failing, "failing", "with an error"),
    ];

    fn of(word: &str) -> Self {
        let known = Self::ALL.into_iter().find(|(_, known, _)| *known == word);
        known.map_or(Self::Any, |(condition, ..)| condition)
    }

    fn is_of(self, rule: &InForce<'_>) -> bool {
        let is_alerting = matches!(rule.rule.kind, RuleKind::Alerting(_));
        let is_at = |state| is_alerting && rule.state() == state;
        match self {
            Self::Any => true,
            Self::Firing => is_at(AlertingState::Firing),
            Self::Pending => is_at(AlertingState::Pending),
            Self::Inactive => is_at(AlertingState::Inactive),
            Self::Recording => !is_alerting,
            Self::Failing => !rule.view.health.last_error().is_empty(),
        }
    }
}

impl RulesAsk {
    /// What the query string of an address asks.
    pub(super) fn of(form: &Form) -> Self {
        let text = form.get("find").unwrap_or_default().trim();
        Self {
            text: text.chars().take(TEXT_CHARS_MAX).collect(),
            condition: RuleCondition::of(form.get("state").unwrap_or_default()),
        }
    }

    /// Whether it asks for fewer than all.
    pub(super) fn is_narrow(&self) -> bool {
        *self != Self::default()
    }

    /// Whether a rule is meant: each word stands in its name, id, expression, labels, group or file, in any case.
    pub(super) fn means(&self, rule: &InForce<'_>) -> bool {
        self.condition.is_of(rule) && (self.text.is_empty() || self.stands_in(rule))
    }

    fn stands_in(&self, rule: &InForce<'_>) -> bool {
        let labels = rule.rule.labels.iter().map(|(name, value)| format!("{name}={}", value.text()));
        let labels = labels.collect::<Vec<_>>().join("\n");
        let (of, group) = (rule.rule, rule.group);
        let places: [&str; 6] = [&of.name, &of.id, &of.query, &group.name, &group.file, &labels];
        let places = places.map(str::to_lowercase);
        let stands = |word: &str| places.iter().any(|place| place.contains(word));
        self.text.to_lowercase().split_whitespace().all(stands)
    }

    /// The form that asks, and how many of all the rules are meant.
    pub(super) fn form(&self, meant: usize, all: usize) -> Markup {
        html! {
            form.find id="find" method="get" action="rules" role="search" {
                label.unseen for="find-text" { "Words of a rule" }
                input id="find-text" type="search" name="find" value=(self.text) maxlength=(TEXT_CHARS_MAX)
                    placeholder="Name, metric, label, group, file" autocomplete="off" autocapitalize="off"
                    spellcheck="false";
                label.unseen for="find-state" { "State" }
                select id="find-state" name="state" {
                    @for (condition, word, shown) in RuleCondition::ALL {
                        option value=(word) selected[condition == self.condition] { (shown) }
                    }
                }
                button.second type="submit" { "Find" }
                @if self.is_narrow() {
                    span.quiet { (words::thousands(meant as u64)) " of " (words::count(all, "rule")) }
                    a href="rules" { "Show all" }
                }
            }
        }
    }

    /// What is said where no rule is meant.
    pub(super) fn nothing(all: usize) -> Markup {
        html! {
            div.empty {
                p { strong { "None of the " (words::count(all, "rule")) " is meant by this." } }
                p { "Every word must stand in the rule's name, id, expression, labels, group or file. "
                    a href="rules" { "Show all" } "." }
            }
        }
    }
}
