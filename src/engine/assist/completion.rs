//! What may be written at a place.

use std::ops::Range;

use super::meaning::{Meaning, Spot};
use super::outline::{OutlinePlace, Part};
use super::{Document, Knowledge, expression, template};
use crate::engine::rules::load::STATS;
use crate::engine::rules::set::Severity;
use crate::engine::yaml::keys::{Key, KeyDefault, KeyKind};

/// Something that may stand at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Completion {
    /// What people pick.
    pub(crate) label: String,
    /// What it is.
    pub(crate) kind: CompletionKind,
    /// A few words beside it.
    pub(crate) detail: String,
    /// A sentence about it; may be empty.
    pub(crate) about: String,
    /// What is written.
    pub(crate) insert: String,
    /// The bytes of the file it stands in place of.
    pub(crate) span: Range<usize>,
}

/// What a completion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CompletionKind {
    /// A key.
    Key,
    /// A metric.
    Metric,
    /// A function or an aggregation.
    Function,
    /// A word of the language.
    Keyword,
    /// A label.
    Label,
    /// A value.
    Value,
}

/// Durations to pick from; any other may be written.
const DURATIONS: [&str; 7] = ["30s", "1m", "5m", "10m", "15m", "30m", "1h"];

/// Percentiles to pick from, beside the statistics.
const PERCENTILES: [&str; 5] = ["p50", "p90", "p95", "p99", "p99.9"];

/// Everything that may stand at a byte of a file.
pub(crate) fn complete(document: &Document<'_>, at: usize, knowledge: &Knowledge<'_>) -> Vec<Completion> {
    let place = document.outline.place(document.text, at);
    match place.part {
        Part::Comment => Vec::new(),
        Part::Key => {
            let parent =
                place.entry.and_then(|number| document.outline.entry(number)).and_then(|entry| entry.parent);
            let around = OutlinePlace { entry: parent, part: Part::Inside, span: place.span.clone() };
            let spot = Spot::of(document, &around);
            let mut found = in_mapping(document, &around, &spot, knowledge);
            // The colon is there.
            for completion in &mut found {
                completion.insert.truncate(completion.label.len());
            }
            found
        }
        Part::Inside => {
            let spot = Spot::of(document, &place);
            let found = in_mapping(document, &place, &spot, knowledge);
            if found.is_empty() { values(document, at, &place, knowledge) } else { found }
        }
        Part::Value => values(document, at, &place, knowledge),
    }
}

/// The keys that a mapping may still have.
fn in_mapping(
    document: &Document<'_>,
    place: &OutlinePlace,
    spot: &Spot<'_>,
    knowledge: &Knowledge<'_>,
) -> Vec<Completion> {
    let is_free = |name: &str| {
        let there = document.outline.find(place.entry, name);
        there.is_none_or(|there| there.key == place.span)
    };
    if let Some(keys) = spot.keys {
        let free = keys.iter().filter(|key| is_free(key.name));
        return free.map(|key| key_completion(key, &place.span)).collect();
    }
    let named = |names: Vec<String>, kind, detail: &str| -> Vec<Completion> {
        let key = |name: String| Completion {
            insert: format!("{name}: "),
            ..plain(name, kind, detail, &place.span)
        };
        names.into_iter().filter(|name| is_free(name)).map(key).collect()
    };
    match spot.meaning {
        Meaning::Label if spot.key() == Some("where") => {
            let labels = knowledge.labels(document.metrics_of_rule(place.entry));
            named(labels, CompletionKind::Label, "label")
        }
        Meaning::Kind(KeyKind::ByName(names, _) | KeyKind::DurationByName(names)) => {
            let all = (names.all)().into_iter().map(str::to_owned).collect();
            named(all, CompletionKind::Key, names.what)
        }
        Meaning::Kind(KeyKind::Map(_)) if spot.key() == Some("annotations") => {
            let usual = ["summary", "description", "runbook_url"].map(str::to_owned).to_vec();
            named(usual, CompletionKind::Key, "annotation")
        }
        Meaning::Kind(KeyKind::Map(_)) if spot.key() == Some("labels") => {
            named(vec!["severity".to_owned()], CompletionKind::Key, "label")
        }
        Meaning::Expression
        | Meaning::Series
        | Meaning::Metric
        | Meaning::Stat
        | Meaning::Severity
        | Meaning::Alert
        | Meaning::Label
        | Meaning::LabelValue(_)
        | Meaning::Template
        | Meaning::Kind(_)
        | Meaning::Unknown => Vec::new(),
    }
}

fn key_completion(key: &Key, span: &Range<usize>) -> Completion {
    let is_scalar =
        !matches!(key.kind, KeyKind::Section(_) | KeyKind::List(_) | KeyKind::Map(_) | KeyKind::ByName(..));
    let detail = match key.default {
        KeyDefault::Nothing => String::new(),
        KeyDefault::Required => "required".to_owned(),
        KeyDefault::Value(_) | KeyDefault::Words(_) => format!("default: {}", key.default.shown()),
    };
    Completion {
        insert: format!("{}:{}", key.name, if is_scalar { " " } else { "" }),
        about: key.sentence().to_owned(),
        ..plain(key.name.to_owned(), CompletionKind::Key, &detail, span)
    }
}

/// What a scalar may be.
fn values(
    document: &Document<'_>,
    at: usize,
    place: &OutlinePlace,
    knowledge: &Knowledge<'_>,
) -> Vec<Completion> {
    let spot = Spot::of(document, place);
    let span = &place.span;
    let rule = || document.metrics_of_rule(place.entry);
    let words = |words: Vec<String>, kind, detail: &str| -> Vec<Completion> {
        words.into_iter().map(|word| plain(word, kind, detail, span)).collect()
    };
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
    match spot.meaning {
        Meaning::Expression | Meaning::Series => {
            expression::complete(document.slice(span), (span.start, at), knowledge)
        }
        Meaning::Metric => expression::metrics(knowledge, span),
        Meaning::Stat => {
            words(owned(&[&STATS[..], &PERCENTILES[..]].concat()), CompletionKind::Value, "stat")
        }
        Meaning::Severity => {
            words(owned(&Severity::ALL.map(Severity::name)), CompletionKind::Value, "severity")
        }
        Meaning::Alert => words(knowledge.alerts.to_vec(), CompletionKind::Value, "alert"),
        Meaning::Label => words(knowledge.labels(rule()), CompletionKind::Label, "label"),
        Meaning::LabelValue(label) => {
            words(knowledge.values(rule(), label), CompletionKind::Value, "value of the label")
        }
        Meaning::Template => {
            let labels = knowledge.labels(rule());
            template::complete(document.slice(span), (span.start, at), &labels)
        }
        Meaning::Kind(kind) => words(closed(kind), CompletionKind::Value, ""),
        Meaning::Unknown => Vec::new(),
    }
}

/// The words a value of this kind is one of, or usual ones.
fn closed(kind: KeyKind) -> Vec<String> {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    match kind {
        KeyKind::Word(words) => owned(words),
        KeyKind::Flag => owned(&["true", "false"]),
        KeyKind::Duration(_) | KeyKind::DurationByGlob | KeyKind::DurationByName(_) => owned(&DURATIONS),
        KeyKind::Name(names) => owned(&(names.all)()),
        KeyKind::OneOrMany(element) => closed(*element),
        KeyKind::Text
        | KeyKind::Secret
        | KeyKind::Count(_)
        | KeyKind::Number
        | KeyKind::Size
        | KeyKind::List(_)
        | KeyKind::Map(_)
        | KeyKind::ByName(..)
        | KeyKind::Anything
        | KeyKind::Section(_) => Vec::new(),
    }
}

/// A completion that is written as it is shown.
pub(super) fn plain(label: String, kind: CompletionKind, detail: &str, span: &Range<usize>) -> Completion {
    Completion {
        insert: label.clone(),
        label,
        kind,
        detail: detail.to_owned(),
        about: String::new(),
        span: span.clone(),
    }
}
