//! What may be written in a template.

use std::ops::Range;

use super::completion::{Completion, CompletionKind, plain};
use crate::engine::rules::template::function_names;

/// The variables of Prometheus' templates, and the words of Go's.
const WORDS: [(&str, CompletionKind, &str); 14] = [
    ("$labels", CompletionKind::Value, "the labels of the alert"),
    ("$value", CompletionKind::Value, "the value of the expression"),
    ("$externalLabels", CompletionKind::Value, "`external_labels` of the configuration"),
    ("$externalURL", CompletionKind::Value, "`external_url` of the configuration"),
    ("if", CompletionKind::Keyword, ""),
    ("else", CompletionKind::Keyword, ""),
    ("end", CompletionKind::Keyword, ""),
    ("range", CompletionKind::Keyword, ""),
    ("with", CompletionKind::Keyword, ""),
    ("define", CompletionKind::Keyword, ""),
    ("template", CompletionKind::Keyword, ""),
    ("block", CompletionKind::Keyword, ""),
    ("break", CompletionKind::Keyword, ""),
    ("continue", CompletionKind::Keyword, ""),
];

/// What may stand in a template at a byte of the file; the template begins at `start` of it.
pub(super) fn complete(text: &str, (start, at): (usize, usize), labels: &[String]) -> Vec<Completion> {
    let before = text.get(..at.saturating_sub(start)).unwrap_or(text);
    let Some(action) = action(before) else { return Vec::new() };
    let of_word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '$' | '.');
    let length = action.len() - action.trim_end_matches(of_word).len();
    let word = action.get(action.len() - length..).unwrap_or_default();
    if let Some(part) = word.strip_prefix("$labels.").or_else(|| word.strip_prefix(".Labels.")) {
        let span = at - part.len()..at;
        let label = |label: &String| plain(label.clone(), CompletionKind::Label, "label", &span);
        return labels.iter().map(label).collect();
    }
    let span = at - length..at;
    let words = WORDS.iter().map(|(word, kind, detail)| plain((*word).to_owned(), *kind, detail, &span));
    let functions = function_names()
        .map(|name| plain(name.to_owned(), CompletionKind::Function, "template function", &span));
    words.chain(functions).collect()
}

/// What stands in the action that is open at the end of a text.
pub(super) fn action(before: &str) -> Option<&str> {
    let open = before.rfind("{{")?;
    let inside = before.get(open + 2..)?;
    (!inside.contains("}}")).then_some(inside)
}

/// The word of a template at a byte of it, where it stands in an action.
pub(super) fn word_at(text: &str, at: usize) -> Option<Range<usize>> {
    action(text.get(..at)?)?;
    let of_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.');
    let bytes = text.as_bytes();
    let before = bytes.get(..at)?.iter().rev().take_while(|byte| of_word(byte)).count();
    let after = bytes.get(at..)?.iter().take_while(|byte| of_word(byte)).count();
    Some(at - before..at + after).filter(|word| !word.is_empty())
}

/// What a word of a template is.
pub(super) fn about(word: &str) -> Option<String> {
    if let Some(label) = word.strip_prefix("$labels.") {
        return Some(format!("The label `{label}` of the alert."));
    }
    if let Some((_, _, detail)) = WORDS.iter().find(|(known, _, detail)| *known == word && !detail.is_empty())
    {
        return Some(format!("`{word}`: {detail}."));
    }
    function_names().any(|name| name == word).then(|| format!("`{word}`: a function of templates."))
}
