//! From a text to the tree.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::tree::{Node, Notation, Scalar, Value, name_of};

/// What to do where a text begins with an action of a template.
pub(super) const BRACES: &str = "Put the whole text in quotes: YAML takes `{{` for a mapping.";

/// Nodes that stand in a file.
pub(crate) const NODES_MAX: usize = 1_000_000;

/// Nodes that aliases repeat, all together.
pub(crate) const ALIASED_MAX: usize = 200_000;

/// How deep a file may nest.
pub(crate) const DEPTH_MAX: usize = 64;

/// What is wrong with a text as YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The bytes at fault.
    pub(crate) span: Range<usize>,
    /// What is wrong, as a lower-case fragment.
    pub(crate) message: String,
    /// What to do, as a sentence.
    pub(crate) advice: Option<&'static str>,
}

/// A file as a tree.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Document {
    /// The first document's root; none in an empty file.
    pub(crate) root: Option<Node>,
    /// Where a second document starts, if there is one.
    pub(crate) more: Option<Range<usize>>,
    /// What is wrong though the tree could be built: keys that stand twice.
    pub(crate) problems: Vec<Problem>,
    /// How many nodes stand in it.
    pub(crate) nodes: usize,
    /// How many more aliases repeat.
    pub(crate) aliased: usize,
}

/// Reads the first document of a text.
///
/// # Errors
///
/// A text that is no YAML, or exceeds [`NODES_MAX`], [`ALIASED_MAX`] or [`DEPTH_MAX`].
pub(crate) fn read(text: &str) -> Result<Document, Problem> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let parser = Parser::new_from_str_with_options(text, options);
    let mut builder =
        Builder { text, parser, anchors: BTreeMap::new(), nodes: 0, aliased: 0, problems: Vec::new() };
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
            Event::StreamStart
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::UnresolvedAlias(_)
            | Event::Comment(..)
            | Event::SequenceEnd
            | Event::MappingEnd
            | _ => {}
        }
    }
    (document.nodes, document.aliased) = (builder.nodes, builder.aliased);
    document.problems = builder.problems;
    Ok(document)
}

/// Builds nodes from parser events.
struct Builder<'a> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    aliased: usize,
    problems: Vec<Problem>,
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Problem> {
        self.parser.next().transpose().map_err(|error| self.scan_problem(&error))
    }

    fn scan_problem(&self, error: &ScanError) -> Problem {
        let at = self.boundary(error.marker().byte_offset().unwrap_or(0));
        let line = self.text.get(..at).and_then(|before| before.rsplit('\n').next()).unwrap_or("");
        let tab = line.contains('\t') || self.text.get(at..).is_some_and(|rest| rest.starts_with('\t'));
        let advice = if tab {
            "YAML indents with spaces: replace the tab."
        } else {
            self.unquoted(at)
                .unwrap_or("Check the indentation, the colons and the quotes here and on the line before.")
        };
        Problem {
            span: at..at + self.text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8),
            message: format!("not valid YAML: {}", error.info()),
            advice: Some(advice),
        }
    }

    /// What to do where the value on the line of `at`, or on the one before, is a text that YAML takes for something else.
    fn unquoted(&self, at: usize) -> Option<&'static str> {
        let end = self.text.get(at..)?.find('\n').map_or(self.text.len(), |newline| at + newline);
        let lines = self.text.get(..end)?.rsplit('\n').take(2);
        lines.filter_map(|line| line.split_once(": ")).find_map(|(_, value)| {
            let value = value.trim();
            let inside = value.strip_prefix('{')?;
            let is_selector = inside
                .find('=')
                .is_some_and(|sign| !inside.get(..sign).is_some_and(|name| name.contains(':')));
            if inside.starts_with('{') {
                Some(BRACES)
            } else if is_selector {
                Some("Put the expression in quotes: in YAML `{` begins a mapping.")
            } else {
                None
            }
        })
    }

    /// The character boundary at or before a byte, inside the text.
    fn boundary(&self, at: usize) -> usize {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    fn bytes(&self, span: &Span) -> Range<usize> {
        let start = self.boundary(span.start.byte_offset().unwrap_or(0));
        let end = self.boundary(span.end.byte_offset().unwrap_or(start)).max(start);
        let covered = self.text.get(start..end).unwrap_or("");
        start..start + covered.trim_end().len()
    }

    fn node(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<Node, Problem> {
        let bytes = self.bytes(span);
        self.count_node(&bytes)?;
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
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::UnresolvedAlias(_)
            | Event::Comment(..)
            | Event::SequenceEnd
            | Event::MappingEnd
            | _ => {
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
        self.count_aliased(size, &bytes)?;
        Ok(Node { span: bytes, value })
    }

    fn inside(&mut self, bytes: &Range<usize>) -> Result<(Event<'a>, Span), Problem> {
        self.next()?.ok_or_else(|| Problem {
            span: bytes.clone(),
            message: "the file ends inside this".to_owned(),
            advice: None,
        })
    }

    fn count_node(&mut self, bytes: &Range<usize>) -> Result<(), Problem> {
        self.nodes += 1;
        if self.nodes <= NODES_MAX {
            return Ok(());
        }
        let message = format!("more than {NODES_MAX} nodes");
        Err(Problem { span: bytes.clone(), message, advice: Some("Split the file.") })
    }

    fn count_aliased(&mut self, nodes: usize, bytes: &Range<usize>) -> Result<(), Problem> {
        self.aliased = self.aliased.saturating_add(nodes);
        if self.aliased <= ALIASED_MAX {
            return Ok(());
        }
        let message = format!("aliases repeat more than {ALIASED_MAX} nodes");
        Err(Problem {
            span: bytes.clone(),
            message,
            advice: Some("Write out what differs, or split the file."),
        })
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
