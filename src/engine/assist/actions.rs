//! Advice that is an edit.

use std::ops::Range;

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

/// The edits that mend a finding, and the one that switches it off where it stands.
pub(crate) fn fixes(found: &Diagnostic) -> Vec<Fix> {
    let advised = found.advice.as_deref().and_then(|advice| advised(found, advice));
    advised.into_iter().chain(disabled(found)).collect()
}

fn advised(found: &Diagnostic, advice: &str) -> Option<Fix> {
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
        let (at, indent) = line_behind(&found.source.text, found.span.start);
        return fix(format!("Add `{line}`"), at..at, format!("{indent}{line}\n"));
    }
    if advice == "Take `bool` away." {
        // The finding is about what is compared, before or behind which it stands.
        let before = found.source.text.get(..found.span.end)?;
        let start = before.rfind("bool")?;
        let rest = found.source.text.get(start + 4..)?;
        let blanks = rest.len() - rest.trim_start().len();
        return fix("Take `bool` away".to_owned(), start..start + 4 + blanks, String::new());
    }
    None
}

/// A comment above the line that switches a warning off there.
fn disabled(found: &Diagnostic) -> Option<Fix> {
    if found.severity == Severity::Error {
        return None;
    }
    let text = found.source.text.as_ref();
    let line = text.get(..found.span.start)?.rfind('\n').map_or(0, |at| at + 1);
    let rest = text.get(line..)?;
    let indent = rest.get(..rest.len() - rest.trim_start_matches(' ').len())?;
    Some(Fix {
        title: format!("Disable `{}` here", found.code),
        span: line..line,
        text: format!("{indent}# signalbox disable {}: say why\n", found.code),
        source: FixSource::Disable,
    })
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Where the next line begins, and how far the keys of the line around a byte are moved in.
fn line_behind(text: &str, at: usize) -> (usize, String) {
    let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    let line = text.get(start..).unwrap_or_default();
    let length = line.find('\n').map_or(line.len(), |end| end + 1);
    let keys = line.len() - line.trim_start_matches([' ', '-']).len();
    (start + length, " ".repeat(keys))
}
