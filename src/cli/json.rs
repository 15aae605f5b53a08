//! JSON as the same tree as YAML, so that findings in dashboards point at their place too.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::engine::diagnostic::{Diagnostic, Severity, Source};
use crate::engine::yaml::{Node, Notation, Scalar, Value};

/// How deep a document may nest.
const DEPTH_MAX: usize = 64;

/// Reads a JSON document.
///
/// # Errors
/// What makes it no JSON, as one diagnostic at its place.
pub(super) fn parse(source: &Source) -> Result<Node, Diagnostic> {
    let text: &str = &source.text;
    let refusal = |at: usize, message: String| Diagnostic {
        severity: Severity::Error,
        code: "json",
        source: source.clone(),
        span: at..at,
        message,
        advice: None,
    };
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| {
        let before: usize =
            text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let mut at = (before + error.column().saturating_sub(1)).min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let words = error.to_string();
        let words = words.split(" at line ").next().unwrap_or_default();
        refusal(at, format!("this is no JSON: {words}"))
    })?;
    build(text, raw, 0).ok_or_else(|| refusal(0, format!("nested deeper than {DEPTH_MAX}")))
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Object<'a>(#[serde(borrow)] BTreeMap<Cow<'a, str>, &'a RawValue>);

fn build(text: &str, raw: &RawValue, depth: usize) -> Option<Node> {
    if depth > DEPTH_MAX {
        return None;
    }
    let written = raw.get();
    // The raw value is a part of the text, so the difference of the addresses is its place.
    let start = (written.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    let span = start..start + written.len();
    let text_of = |text: String, style| Value::Scalar(Scalar { text, style });
    let value = match written.as_bytes().first() {
        Some(b'{') => {
            let Object(object) = serde_json::from_str(written).ok()?;
            let mut entries = Vec::with_capacity(object.len());
            for (key, raw) in object {
                let node = build(text, raw, depth + 1)?;
                let name = text_of(key.into_owned(), Notation::Double);
                entries.push((Node { span: node.span.clone(), value: name }, node));
            }
            entries.sort_by_key(|(_, node)| node.span.start);
            Value::Mapping(entries)
        }
        Some(b'[') => {
            let list: Vec<&RawValue> = serde_json::from_str(written).ok()?;
            let elements: Option<Vec<Node>> =
                list.into_iter().map(|raw| build(text, raw, depth + 1)).collect();
            Value::Sequence(elements?)
        }
        Some(b'"') => text_of(serde_json::from_str::<String>(written).unwrap_or_default(), Notation::Double),
        Some(_) | None => text_of(written.to_owned(), Notation::Plain),
    };
    Some(Node { span, value })
}

/// For each byte of a JSON string's decoded text the byte of the source it came from, and the end.
pub(super) fn places(written: &str, start: usize) -> Vec<usize> {
    let mut places = Vec::new();
    let inner = written.get(1..written.len().saturating_sub(1)).unwrap_or_default();
    let mut rest = inner.char_indices().peekable();
    while let Some((at, character)) = rest.next() {
        let place = start + 1 + at;
        if character != '\\' {
            places.extend(std::iter::repeat_n(place, character.len_utf8()));
            continue;
        }
        let mut decoded = 1;
        if let Some((_, 'u')) = rest.next() {
            let mut unit = 0;
            for _ in 0..4 {
                let digit = rest.next().and_then(|(_, digit)| digit.to_digit(16)).unwrap_or(0);
                unit = unit * 16 + digit;
            }
            // Each half of a surrogate pair stands for two of the four bytes it becomes.
            decoded = match unit {
                0xD800..=0xDFFF => 2,
                unit => char::from_u32(unit).map_or(1, char::len_utf8),
            };
        }
        places.extend(std::iter::repeat_n(place, decoded));
    }
    places.push(start + 1 + inner.len());
    places
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_decoded_text_knows_where_each_byte_stood() {
        let text = r#"{"a": {"expr": "x \"é\" \u00e9\ud83d\ude00!"}, "b": [1, null, true]}"#;
        let source = Source { name: Arc::from("d.json"), text: Arc::from(text) };
        let node = parse(&source).unwrap();
        let expr = node.get("a").unwrap().get("expr").unwrap();
        assert_eq!(expr.text(), Some("x \"é\" é😀!"));
        let places = places(&text[expr.span.clone()], expr.span.start);
        assert_eq!(places.len(), expr.text().unwrap().len() + 1);
        let bang = expr.text().unwrap().find('!').unwrap();
        assert_eq!(&text[places[bang]..=places[bang]], "!");
    }

    #[test]
    fn what_is_no_json_is_one_diagnostic_at_its_place() {
        let text = "{\n  \"a\": 1,\n  b\n}";
        let source = Source { name: Arc::from("d.json"), text: Arc::from(text) };
        let found = parse(&source).unwrap_err();
        assert_eq!(&text[found.span.start..=found.span.start], "b");
    }
}
