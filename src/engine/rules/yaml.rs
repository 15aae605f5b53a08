//! YAML as a tree in which every node knows its bytes, for files whose every mistake is to be shown at its place.
//!
//! Anchors, aliases and merge keys work as in Go's YAML library, which Prometheus reads its files with; how much
//! they may multiply is bounded. Only the first document is read, as Prometheus does.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

/// Nodes a file may have, those that aliases repeat included.
pub const NODES_MAX: usize = 200_000;

/// How deep a file may nest.
pub const DEPTH_MAX: usize = 64;

/// A node with the bytes it covers.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The bytes of the text; of an alias those of the alias.
    pub span: Range<usize>,
    /// What it is.
    pub value: Value,
}

/// The kinds of node.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A scalar.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values in the order of the file, each key once.
    Mapping(Vec<(Node, Node)>),
}

/// A scalar.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// Its text, escapes resolved.
    pub text: String,
    /// How it is written.
    pub style: Notation,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// Without quotes: its text decides what it is.
    Plain,
    /// In single quotes: text.
    Single,
    /// In double quotes: text.
    Double,
    /// A block (`|` or `>`): text.
    Block,
}

/// What is wrong with a text as YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The bytes at fault.
    pub span: Range<usize>,
    /// What is wrong, as a lower-case fragment.
    pub message: String,
    /// What to do, as a sentence.
    pub advice: Option<&'static str>,
}

/// A file as a tree.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The first document's root; none in an empty file.
    pub root: Option<Node>,
    /// Where a second document starts, if there is one.
    pub more: Option<Range<usize>>,
    /// What is wrong though the tree could be built: keys that stand twice.
    pub problems: Vec<Problem>,
}

impl Node {
    /// The scalar, unless it is null.
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) if !scalar.is_null() => Some(scalar),
            Value::Scalar(_) | Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }

    /// Whether it is `null`, `~` or nothing at all.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.is_null())
    }

    /// A word for what it is, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar(scalar) if scalar.is_null() => "nothing",
            Value::Scalar(scalar)
                if scalar.style == Notation::Plain && scalar.text.parse::<f64>().is_ok() =>
            {
                "a number"
            }
            Value::Scalar(_) => "text",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }

    fn size(&self) -> usize {
        1 + match &self.value {
            Value::Scalar(_) => 0,
            Value::Sequence(items) => items.iter().map(Self::size).sum(),
            Value::Mapping(entries) => entries.iter().map(|(key, value)| key.size() + value.size()).sum(),
        }
    }
}

impl Scalar {
    /// Whether it stands for nothing.
    pub fn is_null(&self) -> bool {
        self.style == Notation::Plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

/// Reads the first document of a text.
///
/// # Errors
///
/// A text that is no YAML, or exceeds [`NODES_MAX`] or [`DEPTH_MAX`].
pub fn read(text: &str) -> Result<Document, Problem> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let parser = Parser::new_from_str_with_options(text, options);
    let mut builder = Builder { text, parser, anchors: BTreeMap::new(), nodes: 0, problems: Vec::new() };
    let mut document = Document::default();
    while let Some((event, span)) = builder.next()? {
        match event {
            Event::StreamEnd => break,
            Event::DocumentStart(..) if document.root.is_some() => {
                document.more = Some(builder.bytes(&span));
                break;
            }
            Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) | Event::Alias(_) => {
                document.root = Some(builder.node(event, &span, 0)?);
            }
            _ => {}
        }
    }
    document.problems = builder.problems;
    Ok(document)
}

/// Builds nodes from parser events.
struct Builder<'a> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    problems: Vec<Problem>,
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Problem> {
        self.parser.next().transpose().map_err(|error| self.scan_problem(&error))
    }

    fn scan_problem(&self, error: &ScanError) -> Problem {
        let at = error.marker().byte_offset().unwrap_or(0).min(self.text.len());
        let line = self.text.get(..at).and_then(|before| before.rsplit('\n').next()).unwrap_or("");
        let tab = line.contains('\t') || self.text.get(at..).is_some_and(|rest| rest.starts_with('\t'));
        let advice = if tab {
            "YAML indents with spaces: replace the tab."
        } else {
            "Check the indentation, the colons and the quotes here and on the line before."
        };
        Problem {
            span: at..at + 1,
            message: format!("not valid YAML: {}", error.info()),
            advice: Some(advice),
        }
    }

    fn bytes(&self, span: &Span) -> Range<usize> {
        let start = span.start.byte_offset().unwrap_or(0).min(self.text.len());
        let end = span.end.byte_offset().unwrap_or(start).clamp(start, self.text.len());
        let covered = self.text.get(start..end).unwrap_or("");
        start..start + covered.trim_end().len()
    }

    fn node(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<Node, Problem> {
        let bytes = self.bytes(span);
        self.count(1, &bytes)?;
        if depth > DEPTH_MAX {
            let message = format!("nested deeper than {DEPTH_MAX} levels");
            return Err(Problem { span: bytes, message, advice: None });
        }
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let style = notation(style, tag.as_deref(), &bytes)?;
                let value = Value::Scalar(Scalar { text: text.into_owned(), style });
                (Node { span: bytes, value }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                let mut items = Vec::new();
                let end = loop {
                    let (event, span) = self.inside(&bytes)?;
                    if matches!(event, Event::SequenceEnd) {
                        break self.bytes(&span).end;
                    }
                    items.push(self.node(event, &span, depth + 1)?);
                };
                (Node { span: self.covering(bytes.start, end), value: Value::Sequence(items) }, anchor)
            }
            Event::MappingStart(_, anchor, _) => {
                let (entries, end) = self.entries(&bytes, depth)?;
                (Node { span: self.covering(bytes.start, end), value: Value::Mapping(entries) }, anchor)
            }
            Event::Alias(anchor) => return self.alias(anchor, bytes),
            _ => {
                return Err(Problem { span: bytes, message: "not valid YAML here".to_owned(), advice: None });
            }
        };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn entries(&mut self, bytes: &Range<usize>, depth: usize) -> Result<(Vec<(Node, Node)>, usize), Problem> {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        let mut merged: Vec<(Node, Node)> = Vec::new();
        let mut known: BTreeSet<String> = BTreeSet::new();
        let end = loop {
            let (event, span) = self.inside(bytes)?;
            if matches!(event, Event::MappingEnd) {
                break self.bytes(&span).end;
            }
            let key = self.node(event, &span, depth + 1)?;
            let (event, span) = self.inside(bytes)?;
            let value = self.node(event, &span, depth + 1)?;
            if key.scalar().is_some_and(|scalar| scalar.text == "<<" && scalar.style == Notation::Plain) {
                merge(value, &mut merged)?;
            } else if !known.insert(identity(&key)) {
                self.problems.push(Problem {
                    message: format!("the key `{}` stands twice in one mapping", name_of(&key)),
                    span: key.span,
                    advice: Some("Keep one of the two."),
                });
            } else {
                entries.push((key, value));
            }
        };
        for (key, value) in merged {
            if known.insert(identity(&key)) {
                entries.push((key, value));
            }
        }
        Ok((entries, end))
    }

    fn alias(&mut self, anchor: usize, bytes: Range<usize>) -> Result<Node, Problem> {
        let Some(node) = self.anchors.get(&anchor) else {
            let message = "this alias stands inside its own anchor".to_owned();
            return Err(Problem { span: bytes, message, advice: None });
        };
        let (size, value) = (node.size(), node.value.clone());
        self.count(size, &bytes)?;
        Ok(Node { span: bytes, value })
    }

    fn inside(&mut self, bytes: &Range<usize>) -> Result<(Event<'a>, Span), Problem> {
        self.next()?.ok_or_else(|| Problem {
            span: bytes.clone(),
            message: "the file ends inside this".to_owned(),
            advice: None,
        })
    }

    fn count(&mut self, nodes: usize, bytes: &Range<usize>) -> Result<(), Problem> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= NODES_MAX {
            return Ok(());
        }
        let message = format!("more than {NODES_MAX} nodes, those that aliases repeat included");
        Err(Problem { span: bytes.clone(), message, advice: Some("Split the file.") })
    }

    fn covering(&self, start: usize, end: usize) -> Range<usize> {
        let covered = self.text.get(start..end.max(start)).unwrap_or("");
        start..start + covered.trim_end().len()
    }
}

/// Adds what a merge key brings.
fn merge(value: Node, merged: &mut Vec<(Node, Node)>) -> Result<(), Problem> {
    match value.value {
        Value::Mapping(entries) => merged.extend(entries),
        Value::Sequence(items) if items.iter().all(|item| matches!(item.value, Value::Mapping(_))) => {
            for item in items {
                merge(item, merged)?;
            }
        }
        Value::Sequence(_) | Value::Scalar(_) => {
            let message = "a merge key takes a mapping, or a list of mappings".to_owned();
            return Err(Problem { span: value.span, message, advice: None });
        }
    }
    Ok(())
}

/// How a scalar is written; `!!str` makes it text, binary data has no meaning here, other tags say nothing, as in Go.
fn notation(style: ScalarStyle, tag: Option<&Tag>, bytes: &Range<usize>) -> Result<Notation, Problem> {
    let tag = tag.map(ToString::to_string).unwrap_or_default();
    let written = match style {
        ScalarStyle::Plain => Notation::Plain,
        ScalarStyle::SingleQuoted => Notation::Single,
        ScalarStyle::DoubleQuoted => Notation::Double,
        ScalarStyle::Literal | ScalarStyle::Folded => Notation::Block,
    };
    match tag.trim_start_matches("tag:yaml.org,2002:").trim_start_matches('!') {
        "str" if written == Notation::Plain => Ok(Notation::Single),
        "binary" => Err(Problem {
            span: bytes.clone(),
            message: "binary data means nothing here".to_owned(),
            advice: Some("Take the tag away."),
        }),
        _ => Ok(written),
    }
}

/// What makes a key the same as another one: its text, however it is written.
fn identity(key: &Node) -> String {
    match &key.value {
        Value::Scalar(scalar) => scalar.text.clone(),
        Value::Sequence(_) | Value::Mapping(_) => format!("{:?}", key.value),
    }
}

/// A key as a message names it.
pub fn name_of(key: &Node) -> &str {
    key.scalar().map_or("?", |scalar| scalar.text.as_str())
}

/// Maps byte offsets in a scalar's text to bytes of the file.
#[derive(Clone, Debug)]
pub struct Offsets {
    starts: Vec<usize>,
    end: usize,
}

impl Offsets {
    /// The map for a scalar of `text` that stands at `span`.
    ///
    /// Escapes, folded lines and indentation are stepped over, so that what is not white space is exact.
    pub fn new(text: &str, span: &Range<usize>, scalar: &Scalar) -> Self {
        let source = text.get(span.clone()).unwrap_or("");
        let mut at = match scalar.style {
            Notation::Single | Notation::Double => usize::from(source.starts_with(['"', '\''])),
            Notation::Block if source.starts_with(['|', '>']) => source.find('\n').map_or(0, |end| end + 1),
            Notation::Plain | Notation::Block => 0,
        };
        let mut starts = Vec::with_capacity(scalar.text.len());
        for wanted in scalar.text.chars() {
            let place = find(source, &mut at, wanted, scalar.style);
            starts.extend(std::iter::repeat_n(span.start + place, wanted.len_utf8()));
        }
        Self { starts, end: (span.start + at).min(span.end) }
    }

    /// The bytes of the file for a range of the scalar's text.
    pub fn map(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.starts.get(range.start).copied().unwrap_or(self.end);
        let last = range.end.checked_sub(1).and_then(|last| self.starts.get(last).copied());
        start..last.map_or(start, |last| last + 1).max(start)
    }
}

/// The place of the next character of a scalar in its source; `at` moves behind it.
fn find(source: &str, at: &mut usize, wanted: char, style: Notation) -> usize {
    loop {
        let rest = source.get(*at..).unwrap_or("");
        let Some(found) = rest.chars().next() else { return (*at).min(source.len()) };
        let place = *at;
        if style == Notation::Double && found == '\\' {
            let escaped = rest.chars().nth(1).unwrap_or(' ');
            *at += match escaped {
                'x' => 4,
                'u' => 6,
                'U' => 10,
                other => 1 + other.len_utf8(),
            };
            if matches!(escaped, '\n' | '\r') {
                continue;
            }
            return place;
        }
        if found == wanted {
            let doubled = style == Notation::Single && found == '\'';
            *at += found.len_utf8() + usize::from(doubled);
            return place;
        }
        if wanted.is_whitespace() {
            if found.is_whitespace() {
                *at += found.len_utf8();
            }
            return place;
        }
        if !found.is_whitespace() {
            return place;
        }
        *at += found.len_utf8();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'a>(node: &'a Node, key: &str) -> &'a Node {
        let Value::Mapping(entries) = &node.value else { panic!("{node:?}") };
        &entries.iter().find(|(name, _)| name_of(name) == key).unwrap().1
    }

    fn root(text: &str) -> Node {
        read(text).unwrap().root.unwrap()
    }

    #[test]
    fn every_node_knows_its_bytes() {
        let text = "a: 1\nlist:\n  - \"x y\"\n  - {k: v}\n";
        let root = root(text);
        assert_eq!(&text[entry(&root, "a").span.clone()], "1");
        assert_eq!(&text[entry(&root, "list").span.clone()], "- \"x y\"\n  - {k: v}");
        let Value::Sequence(items) = &entry(&root, "list").value else { panic!() };
        assert_eq!(&text[items[0].span.clone()], "\"x y\"");
        assert_eq!(&text[items[1].span.clone()], "{k: v}");
    }

    #[test]
    fn places_in_a_scalar_are_found_however_it_is_written() {
        let cases = [
            "expr: sum(foo) > barr\n",
            "expr: \"sum(foo) > barr\"\n",
            "expr: \"sum(\\\"foo\\\") > barr\"\n",
            "expr: 'sum(''foo'') > barr'\n",
            "expr: |\n  sum(foo)\n    > barr\n",
            "expr: >-\n  sum(foo)\n  > barr\n",
            "expr: sum(foo)\n  > barr\n",
            "é: |2\n    sum(foo)\n   > barr\n",
        ];
        for text in cases {
            let root = root(text);
            let Value::Mapping(entries) = &root.value else { panic!() };
            let node = &entries[0].1;
            let scalar = node.scalar().unwrap();
            let offsets = Offsets::new(text, &node.span, scalar);
            let at = scalar.text.find("barr").unwrap();
            assert_eq!(&text[offsets.map(&(at..at + 4))], "barr", "{text} {scalar:?}");
        }
    }

    #[test]
    fn merge_keys_fill_in_what_is_missing() {
        let root = root("base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\n");
        let used = entry(&root, "use");
        assert_eq!(entry(used, "x").scalar().unwrap().text, "1");
        assert_eq!(entry(used, "y").scalar().unwrap().text, "3");
    }

    #[test]
    fn bombs_cycles_and_depth_are_refused() {
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..12 {
            let previous = vec![format!("*a{}", level - 1); 10].join(",");
            bomb.extend([format!("a{level}: &a{level} [{previous}]\n")]);
        }
        assert!(read(&bomb).unwrap_err().message.contains("nodes"));
        assert!(read("a: &a [*a]\n").is_err());
        let deep = "[".repeat(100_000);
        assert!(read(&deep).is_err());
    }

    #[test]
    fn a_key_that_stands_twice_is_a_problem_at_its_second_place() {
        let document = read("a: 1\na: 2\n").unwrap();
        assert_eq!(document.problems[0].span, 5..6);
    }

    #[test]
    fn a_second_document_is_noticed_and_not_read() {
        let document = read("a: 1\n---\nb: 2\n").unwrap();
        assert!(document.more.is_some());
        assert!(read("").unwrap().root.is_none());
        assert!(read("{\"groups\": []}").unwrap().root.is_some());
    }
}
