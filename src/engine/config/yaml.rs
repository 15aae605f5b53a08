//! YAML as a tree in which every node knows the bytes it came from, so that a reader can report everything that is
//! wrong at once instead of stopping at the first type that does not fit.
//!
//! Anchors, aliases and merge keys are resolved by the parser under its budgets; a node that came through an alias
//! points at its definition.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Location, MessageFormatter, Spanned};

use crate::engine::diagnostic::{Diagnostic, Severity, Source};

/// How deep a document may nest.
const DEPTH_MAX: usize = 64;

/// One value of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The bytes it came from; a collection's span may be only its first byte.
    pub span: Range<usize>,
    /// The text of a scalar as it was meant: quotes resolved, numbers as they were written; empty for the others.
    pub text: Arc<str>,
    /// What it is.
    pub value: Value,
}

/// The kinds of value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, `null` or `~`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A number written without quotes.
    Number(f64),
    /// A text.
    Text,
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the document, repeated keys included.
    Map(Vec<Entry>),
}

/// One entry of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// The key's bytes.
    pub span: Range<usize>,
    /// The value.
    pub node: Node,
}

impl Node {
    /// The word for its kind in messages.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Flag(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// The scalar's text; none of `null`, a list or a mapping.
    pub fn scalar(&self) -> Option<&str> {
        match self.value {
            Value::Flag(_) | Value::Number(_) | Value::Text => Some(&self.text),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The entries of a mapping, none of anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The elements of a list, none of anything else.
    pub fn elements(&self) -> &[Self] {
        match &self.value {
            Value::List(elements) => elements,
            _ => &[],
        }
    }

    /// The value of a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The node as JSON.
    pub fn json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Flag(flag) => (*flag).into(),
            Value::Number(number) => self
                .text
                .parse::<i64>()
                .map_or_else(|_| serde_json::Value::from(*number), serde_json::Value::from),
            Value::Text => self.text.as_ref().into(),
            Value::List(elements) => elements.iter().map(Self::json).collect(),
            Value::Map(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), entry.node.json())).collect()
            }
        }
    }
}

/// Reads one document. An empty one is [`Value::Null`].
///
/// # Errors
/// What the YAML parser refuses, as one diagnostic.
pub fn parse(source: &Source) -> Result<Node, Diagnostic> {
    let text: &str = &source.text;
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        with_snippet: false,
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::PassThrough,
        budget: serde_saphyr::budget! { max_depth: DEPTH_MAX },
    };
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        return Ok(Node { span: 0..0, text: Arc::from(""), value: Value::Null });
    }
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(raw) => Ok(build(text, raw)),
        Err(error) => Err(refusal(source, &error)),
    }
}

/// The parser's error as a diagnostic.
fn refusal(source: &Source, error: &serde_saphyr::Error) -> Diagnostic {
    let error = error.without_snippet();
    let message = serde_saphyr::UserMessageFormatter.format_message(error).into_owned();
    let span = error.location().map_or(0..0, |location| span_of(&source.text, location));
    Diagnostic {
        severity: Severity::Error,
        code: "yaml",
        source: source.clone(),
        span,
        message: lower_first(&message),
        advice: None,
    }
}

/// Makes a sentence a fragment.
fn lower_first(message: &str) -> String {
    let mut characters = message.trim_end_matches('.').chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// The bytes of a location, kept inside the text and on character boundaries.
fn span_of(text: &str, location: Location) -> Range<usize> {
    let span = location.span();
    let known = span.byte_offset().zip(span.byte_len());
    let (start, len) =
        known.map_or_else(|| (offset_of(text, location), 0), |(start, len)| (start as usize, len as usize));
    let start = floor(text, start);
    start..floor(text, start.saturating_add(len)).max(start)
}

/// The byte of a location that knows its line and column alone, as those of the scanner's errors do.
fn offset_of(text: &str, location: Location) -> usize {
    let line = usize::try_from(location.line()).unwrap_or(usize::MAX).saturating_sub(1);
    let column = usize::try_from(location.column()).unwrap_or(usize::MAX).saturating_sub(1);
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = text.get(before..).unwrap_or_default();
    let line = rest.lines().next().unwrap_or_default();
    before + line.char_indices().nth(column).map_or(line.len(), |(at, _)| at)
}

/// The character boundary at or before a byte.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A value as the parser hands it over.
enum Raw {
    Null,
    Flag(bool),
    Number(f64),
    Text(String),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<RawKey>, Spanned<Self>)>),
}

/// A key: any scalar, as text.
struct RawKey(String);

/// The tree of a parsed value.
fn build(text: &str, raw: Spanned<Raw>) -> Node {
    let span = span_of(text, raw.defined);
    let written = || Arc::from(text.get(span.clone()).unwrap_or_default());
    let (content, value) = match raw.value {
        Raw::Null => (Arc::from(""), Value::Null),
        Raw::Flag(flag) => (written(), Value::Flag(flag)),
        Raw::Number(number) => (written(), Value::Number(number)),
        Raw::Text(content) => (Arc::from(content), Value::Text),
        Raw::List(elements) => {
            let elements = elements.into_iter().map(|element| build(text, element)).collect();
            (Arc::from(""), Value::List(elements))
        }
        Raw::Map(entries) => {
            let entries = entries.into_iter().map(|(key, value)| Entry {
                span: span_of(text, key.defined),
                key: key.value.0,
                node: build(text, value),
            });
            (Arc::from(""), Value::Map(entries.collect()))
        }
    };
    Node { span, text: content, value }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Raw, E> {
        Ok(Raw::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Number(number as f64))
    }

    fn visit_i128<E>(self, number: i128) -> Result<Raw, E> {
        Ok(Raw::Number(number as f64))
    }

    fn visit_u128<E>(self, number: u128) -> Result<Raw, E> {
        Ok(Raw::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Raw, E> {
        Ok(Raw::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element::<Spanned<Raw>>()? {
            elements.push(element);
        }
        Ok(Raw::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<RawKey>>()? {
            entries.push((key, map.next_value::<Spanned<Raw>>()?));
        }
        Ok(Raw::Map(entries))
    }
}

impl<'de> Deserialize<'de> for RawKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RawKeySeed.deserialize(deserializer)
    }
}

struct RawKeySeed;

impl<'de> DeserializeSeed<'de> for RawKeySeed {
    type Value = RawKey;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawKey, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for RawKeySeed {
    type Value = RawKey;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_str<E>(self, text: &str) -> Result<RawKey, E> {
        Ok(RawKey(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source { name: Arc::from("t.yaml"), text: Arc::from(text) }
    }

    #[test]
    fn every_node_knows_its_bytes_and_numbers_keep_their_text() {
        let text = "name: \"ä b\"\nvalues: [1, 2.50, yes, true, 5s]\n# c\nmap: {a: ~, 1: x}\n";
        let node = parse(&source(text)).unwrap();
        let values = node.get("values").unwrap().elements();
        let written: Vec<(&str, &str)> =
            values.iter().map(|value| (&text[value.span.clone()], value.kind())).collect();
        assert_eq!(
            written,
            [
                ("1", "a number"),
                ("2.50", "a number"),
                ("yes", "text"),
                ("true", "true or false"),
                ("5s", "text")
            ]
        );
        assert_eq!(node.get("name").unwrap().scalar(), Some("ä b"));
        let keys: Vec<&str> = node.entries().iter().map(|entry| &text[entry.span.clone()]).collect();
        assert_eq!(keys, ["name", "values", "map"]);
        assert_eq!(node.get("map").unwrap().get("1").unwrap().scalar(), Some("x"));
        assert_eq!(values[1].text.as_ref(), "2.50");
    }

    #[test]
    fn what_is_no_yaml_is_one_diagnostic_at_its_place() {
        let text = "a: 1\nb: [1, 2\nc: 3\n";
        let found = parse(&source(text)).unwrap_err();
        assert_eq!(found.code, "yaml");
        assert!(found.span.start >= 5, "{found:?}");
    }

    #[test]
    fn repeated_keys_are_kept_for_the_reader_to_refuse() {
        let node = parse(&source("a: 1\na: 2\n")).unwrap();
        assert_eq!(node.entries().len(), 2);
    }

    #[test]
    fn aliases_are_resolved_and_bombs_refused() {
        let node = parse(&source("a: &x {k: 1}\nb: *x\nc: {<<: *x, m: 2}\n")).unwrap();
        assert_eq!(node.get("b").unwrap().get("k").unwrap().scalar(), Some("1"));
        assert_eq!(node.get("c").unwrap().get("k").unwrap().scalar(), Some("1"));
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..12 {
            let previous = format!("*a{}", level - 1);
            let line = format!("a{level}: &a{level} [{}]\n", vec![previous; 10].join(","));
            bomb.push_str(&line);
        }
        assert!(parse(&source(&bomb)).is_err());
        assert!(parse(&source(&"[".repeat(100_000))).is_err());
    }
}
