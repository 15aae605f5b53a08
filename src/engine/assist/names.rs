//! Names that rules give: where they are given, and where they are used.

use std::ops::Range;

use super::Document;
use super::meaning::{Meaning, Spot};
use super::outline::{Outline, OutlineEntry, OutlinePlace, Part};
use crate::engine::promql::place::{ExprName, names};

/// A name that a rule gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// What it names.
    pub(crate) kind: NameKind,
    /// The name.
    pub(crate) text: String,
    /// Its bytes in the file.
    pub(crate) span: Range<usize>,
}

/// What a name names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameKind {
    /// An alert.
    Alert,
    /// A recorded metric.
    Recorded,
    /// The id of a rule.
    Id,
}

/// Every name that the rules of a file give, in order.
pub(crate) fn declared(text: &str, outline: &Outline) -> Vec<Name> {
    let of_rule = |entry: &&OutlineEntry| {
        let path = outline.path(entry.parent);
        let above: Vec<Option<&str>> = path.iter().map(|entry| entry.name.as_deref()).collect();
        above == [Some("groups"), None, Some("rules"), None]
    };
    let named = outline
        .entries
        .iter()
        .filter(|entry| !entry.value.is_empty())
        .filter(|entry| matches!(entry.name.as_deref(), Some("alert" | "record" | "id")));
    named
        .filter(of_rule)
        .filter_map(|entry| {
            let kind = match entry.name.as_deref()? {
                "alert" => NameKind::Alert,
                "record" => NameKind::Recorded,
                _ => NameKind::Id,
            };
            let text = text.get(entry.value.clone())?.to_owned();
            Some(Name { kind, text, span: entry.value.clone() })
        })
        .collect()
}

/// The name of an alert, of a metric or of a rule that stands at a byte of a file.
pub(crate) fn name_at(document: &Document<'_>, at: usize) -> Option<Name> {
    let here = uses_where(document, |_| true);
    here.into_iter().find(|name| name.span.start <= at && at <= name.span.end)
}

/// Where a file has a name: where it is given and where it is used.
pub(crate) fn uses(document: &Document<'_>, wanted: &Name) -> Vec<Range<usize>> {
    let found = uses_where(document, |name| name.kind == wanted.kind && name.text == wanted.text);
    found.into_iter().map(|name| name.span).collect()
}

fn uses_where(document: &Document<'_>, is_wanted: impl Fn(&Name) -> bool) -> Vec<Name> {
    let mut found = declared(document.text, document.outline);
    for (number, entry) in document.outline.entries.iter().enumerate() {
        if entry.value.is_empty() {
            continue;
        }
        let place = OutlinePlace { entry: Some(number), part: Part::Value, span: entry.value.clone() };
        let text = document.slice(&entry.value);
        let whole = |kind| Name { kind, text: text.to_owned(), span: entry.value.clone() };
        match Spot::of(document, &place).meaning {
            Meaning::Alert => found.push(whole(NameKind::Alert)),
            Meaning::Metric => found.push(whole(NameKind::Recorded)),
            Meaning::Expression | Meaning::Series => found.extend(of_expression(text, entry.value.start)),
            Meaning::Stat
            | Meaning::Severity
            | Meaning::Label
            | Meaning::LabelValue(_)
            | Meaning::Template
            | Meaning::Kind(_)
            | Meaning::Unknown => {}
        }
        if matches!(entry.name.as_deref(), Some("alert_rule_id")) {
            found.push(whole(NameKind::Id));
        }
    }
    found.retain(is_wanted);
    found
}

fn of_expression(text: &str, start: usize) -> impl Iterator<Item = Name> + '_ {
    names(text).into_iter().filter_map(move |name| {
        let (kind, span) = match name {
            ExprName::Metric(span) => (NameKind::Recorded, span),
            ExprName::Alert(span) => (NameKind::Alert, span),
        };
        let text = text.get(span.clone())?.to_owned();
        Some(Name { kind, text, span: span.start + start..span.end + start })
    })
}

/// Whether a text is the same without quotes wherever it stands in YAML, in brackets too, and in quotes of PromQL.
pub(crate) fn is_plain_word(text: &str) -> bool {
    let is_sign = |sign: char| "\"'\\,[]{}#".contains(sign) || sign.is_control();
    let begins_well =
        !text.starts_with(|first: char| "-?:&*!|>%@`~".contains(first) || first.is_whitespace());
    let ends_well = !text.ends_with(|last: char| last == ':' || last.is_whitespace());
    let is_null = matches!(text, "" | "null" | "Null" | "NULL");
    begins_well && ends_well && !is_null && !text.contains(is_sign) && !text.contains(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::diagnostic::Source;
    use crate::engine::yaml::Findings;

    #[test]
    fn a_plain_word_is_what_yaml_reads_without_quotes() {
        for word in ["Deep", "größe 𝄞", "a-b", "a:b", "5", "true", "x ~ y"] {
            assert!(is_plain_word(word), "{word}");
            let source = Source { name: "t".into(), text: format!("[{{alert: {word}, x: y}}]").into() };
            let root = Findings::new(&source).document().unwrap();
            assert_eq!(root.elements()[0].get("alert").and_then(|node| node.text()), Some(word));
        }
        for text in
            ["", "null", "~", "a: b", "a:", "- a", "*a", "&a", "!a", "a #b", "a, b", "[a", "a\\", " a", "a\n"]
        {
            assert!(!is_plain_word(text), "{text}");
        }
    }
}
