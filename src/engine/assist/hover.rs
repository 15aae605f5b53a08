//! What stands at a place.

use std::fmt::Write as _;
use std::ops::Range;

use super::meaning::{Meaning, Spot, declared_key};
use super::outline::{Part, word};
use super::{Document, Knowledge, expression, template};
use crate::engine::promql::ast::AggregateOp;
use crate::engine::promql::functions;
use crate::engine::yaml::keys::{Effect, Key, KeyDefault};

/// What is known of something in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hover {
    /// In Markdown.
    pub(crate) text: String,
    /// The bytes it is about.
    pub(crate) span: Range<usize>,
    /// The metric it is about, so that its present value can be asked for.
    pub(crate) metric: Option<String>,
}

/// What stands at a byte of a file; none where nothing is known of it.
pub(crate) fn hover(document: &Document<'_>, at: usize, knowledge: &Knowledge<'_>) -> Option<Hover> {
    let place = document.outline.place(document.text, at);
    match place.part {
        Part::Comment => None,
        Part::Key => {
            let key = declared_key(document, place.entry?)?;
            Some(Hover { text: about_key(&key), span: place.span, metric: None })
        }
        Part::Inside | Part::Value => {
            let spot = Spot::of(document, &place);
            let here = word(document.text, at);
            match spot.meaning {
                Meaning::Expression | Meaning::Series => of_expression(document, here, knowledge),
                Meaning::Metric => of_metric(document.slice(&place.span), place.span.clone(), knowledge),
                Meaning::Stat => knowledge.query.map(|query| Hover {
                    text: format!("As PromQL:\n```promql\n{query}\n```"),
                    span: place.span.clone(),
                    metric: None,
                }),
                Meaning::Template => {
                    let start = place.span.start;
                    let found = template::word_at(document.slice(&place.span), at.checked_sub(start)?)?;
                    let span = found.start + start..found.end + start;
                    let text = template::about(document.slice(&span))?;
                    Some(Hover { text, span, metric: None })
                }
                Meaning::Severity
                | Meaning::Alert
                | Meaning::Label
                | Meaning::LabelValue(_)
                | Meaning::Kind(_)
                | Meaning::Unknown => None,
            }
        }
    }
}

fn of_expression(document: &Document<'_>, span: Range<usize>, knowledge: &Knowledge<'_>) -> Option<Hover> {
    let name = document.slice(&span);
    let called = document.text.get(span.end..).is_some_and(|rest| rest.trim_start().starts_with('('));
    let about = functions::find(name).filter(|_| called).map(expression::signature).or_else(|| {
        let aggregate = AggregateOp::ALL.into_iter().find(|aggregate| aggregate.name() == name)?;
        Some(expression::aggregation(aggregate))
    });
    match about {
        Some(signature) => Some(Hover { text: format!("```promql\n{signature}\n```"), span, metric: None }),
        None => of_metric(name, span, knowledge),
    }
}

fn of_metric(name: &str, span: Range<usize>, knowledge: &Knowledge<'_>) -> Option<Hover> {
    if knowledge.recorded.iter().any(|recorded| recorded == name) {
        let text = format!("`{name}`: recorded by a rule.");
        return Some(Hover { text, span, metric: Some(name.to_owned()) });
    }
    let (exposed, found) = knowledge.metric(name)?;
    let mut text = format!("`{exposed}` · {}", found.metric.metric_type.name());
    // Writing to a string cannot fail.
    if !found.metric.unit.is_empty() {
        let _ = write!(text, " in {}", found.metric.unit);
    }
    if let Some((help, event)) = knowledge.help(&exposed) {
        let _ = write!(text, "\n\n{help}");
        if let Some(event) = event {
            let _ = write!(text, "\n\nFrom events of type `{event}`.");
        }
    }
    match found.metric.labels.as_deref() {
        Some([]) => text.push_str("\n\nIt has no labels."),
        Some(labels) => {
            let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
            let _ = write!(text, "\n\nLabels: {}.", labels.join(", "));
        }
        None => {}
    }
    let metric = found.part.is_some().then_some(exposed);
    Some(Hover { text, span, metric })
}

fn about_key(key: &Key) -> String {
    let mut text = format!("`{}`: {}", key.name, key.sentence());
    // Writing to a string cannot fail.
    match key.default {
        KeyDefault::Nothing => {}
        KeyDefault::Required => text.push_str("\n\nRequired."),
        KeyDefault::Value(shown) => drop(write!(text, "\n\nDefault: `{shown}`.")),
        KeyDefault::Words(shown) => drop(write!(text, "\n\nDefault: {shown}.")),
    }
    if key.effect == Effect::Restart {
        text.push_str("\n\nA change needs a restart.");
    }
    text
}
