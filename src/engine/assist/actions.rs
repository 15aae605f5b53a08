//! Advice that is an edit.

use std::ops::Range;

use super::format::line_end;
use super::outline::Outline;
use crate::engine::diagnostic::{Diagnostic, Severity};

/// An edit that follows from a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fix {
    /// What it does, for people.
    pub(crate) title: String,
    /// The bytes that go.
    pub(crate) span: Range<usize>,
    /// What comes in their place.
    pub(crate) text: String,
    /// Whether it is what the finding's advice says.
    pub(crate) source: FixSource,
}

/// Where an edit is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FixSource {
    /// The advice of the finding.
    Advice,
    /// Every finding can be switched off in place.
    Disable,
}

/// The edits that mend a finding of a file with this outline, and the one that switches it off where it stands.
pub(crate) fn fixes(found: &Diagnostic, outline: &Outline) -> Vec<Fix> {
    let advised = found.advice.as_deref().and_then(|advice| advised(found, advice, outline));
    advised.into_iter().chain(disabled(found, outline)).collect()
}

fn advised(found: &Diagnostic, advice: &str, outline: &Outline) -> Option<Fix> {
    let fix = |title: String, span, text| Some(Fix { title, span, text, source: FixSource::Advice });
    let here = found.source.text.get(found.span.clone())?;
    let named: Vec<&str> = quoted(advice).collect();
    if advice.starts_with("Did you mean `") || advice.contains(" take `") {
        let instead = (*named.last()?).to_owned();
        let slip = quoted(&found.message)
            .chain(named.iter().copied())
            .find(|word| *word != instead && here.contains(*word))
            .or_else(|| (!here.contains(char::is_whitespace)).then_some(here))?;
        let start = found.span.start + here.find(slip)?;
        return fix(format!("Replace `{slip}` with `{instead}`"), start..start + slip.len(), instead);
    }
    if advice == "Take the quotes away." {
        let bare = here.trim_matches(['"', '\'']);
        return fix("Take the quotes away".to_owned(), found.span.clone(), bare.to_owned());
    }
    if advice.starts_with("Give the unit: `") || advice.starts_with("Add a unit: `") {
        let instead = (*named.first()?).to_owned();
        return fix(format!("Write `{instead}`"), found.span.clone(), instead);
    }
    if advice.starts_with("Add for example `") {
        let line = (*named.first()?).to_owned();
        let (at, text) = beside(&found.source.text, &found.span, (&line, outline))?;
        return fix(format!("Add `{line}`"), at..at, text);
    }
    if advice.starts_with("Compare `") {
        let instead = (*named.first()?).to_owned();
        // The labels that are selected stay.
        let (before, behind) = instead.split_once('(')?;
        let window = behind.get(behind.find('[')?..)?;
        return fix(format!("Write `{instead}`"), found.span.clone(), format!("{before}({here}{window}"));
    }
    if advice == "Take `bool` away." {
        let rest = found.source.text.get(found.span.end..)?;
        let word = rest.trim_start();
        let start = found.span.end + rest.len() - word.len();
        let behind = word.strip_prefix("bool")?;
        let end = start + word.len() - behind.trim_start().len();
        return fix("Take `bool` away".to_owned(), start..end, String::new());
    }
    None
}

/// A comment above the line that switches a warning off there; in a text over several lines it would be part of it, so
/// that it stands above the key.
fn disabled(found: &Diagnostic, outline: &Outline) -> Option<Fix> {
    if found.severity == Severity::Error {
        return None;
    }
    let text = found.source.text.as_ref();
    let line = |at: usize| Some(text.get(..at)?.rfind('\n').map_or(0, |end| end + 1));
    let start = line(found.span.start)?;
    let own = outline
        .last_before(found.span.end)
        .filter(|entry| entry.goes_on_in(text.get(start..).unwrap_or_default()));
    let start = own.map_or(Some(start), |entry| line(entry.key.start))?;
    let rest = text.get(start..)?;
    let indent = rest.get(..rest.len() - rest.trim_start_matches(' ').len())?;
    Some(Fix {
        title: format!("Disable `{}` here", found.code),
        span: start..start,
        text: format!("{indent}# signalbox disable {}: say why{}", found.code, line_end(text)),
        source: FixSource::Disable,
    })
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Where a key is added beside the one whose value stands at `span`, and with what around it: in brackets behind that
/// value, else on a line of its own.
fn beside(text: &str, span: &Range<usize>, (key, outline): (&str, &Outline)) -> Option<(usize, String)> {
    let entry = outline.entry(outline.place(text, span.start).entry?)?;
    if entry.is_in_brackets() {
        return Some((span.end, format!(", {key}")));
    }
    let start = text.get(..span.start)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(start..)?.split_inclusive('\n').next()?;
    let indent = " ".repeat(line.len() - line.trim_start_matches([' ', '-']).len());
    let end = line_end(text);
    let added =
        if line.ends_with('\n') { format!("{indent}{key}{end}") } else { format!("{end}{indent}{key}") };
    Some((start + line.len(), added))
}
