//! A text of many pieces that is read again and again while somebody types in one of them.
//!
//! A list below a single key at the top, as the groups of a rule file are, is read element by element, and what stands as
//! it stood is not read again. Where a text is anything else, or a piece alone is no YAML, the whole of it is read as ever:
//! what is said of a text never depends on what was read before.

use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;

use super::parse::{self, ALIASED_MAX, Document, NODES_MAX};
use super::tree::{Node, Notation, Scalar, Value};

/// The pieces of some texts as they were last read.
#[derive(Debug, Default)]
pub(crate) struct KeptPieces {
    /// Those of the last round.
    before: HashMap<Arc<str>, Vec<Piece>>,
    /// Those of the round that is under way.
    now: HashMap<Arc<str>, Vec<Piece>>,
}

/// An element of the list.
#[derive(Debug)]
struct Piece {
    /// Where its text began.
    start: usize,
    /// Where a list begins whose first element it is.
    list: usize,
    node: Node,
    nodes: usize,
    aliased: usize,
}

/// The parts of a text that is read in pieces.
struct Parts<'t> {
    /// The bytes of the key.
    key: Range<usize>,
    /// Where each element begins, and its text.
    elements: Vec<(usize, &'t str)>,
}

impl KeptPieces {
    /// The tree of a text whose only key at the top is `key`; none where it has to be read as a whole.
    pub(super) fn read(&mut self, text: &str, key: &str) -> Option<Node> {
        let parts = parts(text, key)?;
        let mut pieces: Vec<(Arc<str>, Piece)> = Vec::with_capacity(parts.elements.len());
        for (start, part) in &parts.elements {
            let piece = match self.before.get_mut(*part).and_then(Vec::pop) {
                Some(piece) => Some(piece),
                None => Piece::read(*start, part, key),
            };
            let Some(mut piece) = piece else {
                // The others are as they were for the next reading.
                self.keep(pieces);
                return None;
            };
            piece.move_to(*start);
            pieces.push((Arc::from(*part), piece));
        }
        let nodes: usize = pieces.iter().map(|(_, piece)| piece.nodes).sum();
        let aliased: usize = pieces.iter().map(|(_, piece)| piece.aliased).sum();
        let (_, first) = pieces.first()?;
        let list = first.list..text.trim_end().len();
        let elements = pieces.iter().map(|(_, piece)| piece.node.clone()).collect();
        self.keep(pieces);
        let list = Node { span: list, value: Value::Sequence(elements) };
        (nodes <= NODES_MAX && aliased <= ALIASED_MAX).then(|| below(key, parts.key, list))
    }

    fn keep(&mut self, pieces: Vec<(Arc<str>, Piece)>) {
        for (text, piece) in pieces {
            self.now.entry(text).or_default().push(piece);
        }
    }

    /// A round is over: what it did not meet is forgotten.
    pub(crate) fn turn(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }
}

impl Piece {
    /// Reads an element alone, below its key.
    fn read(start: usize, part: &str, key: &str) -> Option<Self> {
        let head = format!("{key}:\n");
        let Document { root, more: None, problems, nodes, aliased } =
            parse::read(&format!("{head}{part}")).ok()?
        else {
            return None;
        };
        let Value::Mapping(mut entries) = root?.value else { return None };
        let Node { span: list, value: Value::Sequence(mut elements) } = entries.pop()?.1 else { return None };
        let node = elements.pop()?;
        let is_alone = problems.is_empty() && entries.is_empty() && elements.is_empty();
        if !is_alone || has_empty_block(&node) {
            return None;
        }
        let mut piece = Self { start: head.len(), list: list.start, node, nodes, aliased };
        piece.move_to(start);
        Some(piece)
    }

    fn move_to(&mut self, start: usize) {
        if self.start != start {
            moved(&mut self.node, self.start, start);
            self.list = self.list - self.start + start;
            self.start = start;
        }
    }
}

/// Whether there is a block without a text in a tree: the parser takes it to stand where the next key does.
fn has_empty_block(node: &Node) -> bool {
    match &node.value {
        Value::Scalar(scalar) => scalar.style == Notation::Block && scalar.text.trim().is_empty(),
        Value::Sequence(elements) => elements.iter().any(has_empty_block),
        Value::Mapping(entries) => {
            entries.iter().any(|(key, value)| has_empty_block(key) || has_empty_block(value))
        }
    }
}

/// Moves a tree whose text began at `from` to where it begins at `to`.
fn moved(node: &mut Node, from: usize, to: usize) {
    node.span = node.span.start - from + to..node.span.end - from + to;
    match &mut node.value {
        Value::Scalar(_) => {}
        Value::Sequence(elements) => elements.iter_mut().for_each(|element| moved(element, from, to)),
        Value::Mapping(entries) => {
            for (key, value) in entries {
                moved(key, from, to);
                moved(value, from, to);
            }
        }
    }
}

/// The mapping of a key to a list.
fn below(key: &str, span: Range<usize>, list: Node) -> Node {
    let whole = span.start..list.span.end;
    let name = Scalar { text: key.to_owned(), style: Notation::Plain };
    let name = Node { span, value: Value::Scalar(name) };
    Node { span: whole, value: Value::Mapping(vec![(name, list)]) }
}

/// A text in parts, where it is nothing but a key at the top and a list in block notation below it.
fn parts<'t>(text: &'t str, key: &str) -> Option<Parts<'t>> {
    let mut found: Option<Range<usize>> = None;
    let mut indent = 0;
    let mut starts: Vec<usize> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let content = line.trim_start_matches(' ');
        let depth = line.len() - content.len();
        let content = content.trim_end();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if found.is_none() {
            let is_key = depth == 0 && content.strip_suffix(':') == Some(key);
            found = Some(is_key.then_some(start..start + key.len())?);
            continue;
        }
        let is_element = content == "-" || content.starts_with("- ");
        if starts.is_empty() {
            indent = depth;
        } else if depth > indent {
            continue;
        }
        if depth != indent || !is_element {
            return None;
        }
        starts.push(start);
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let elements = starts.iter().zip(ends).map(|(start, end)| Some((*start, text.get(*start..end)?)));
    Some(Parts { key: found?, elements: elements.collect::<Option<_>>()? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXTS: [&str; 3] = [
        include_str!("../../../rules/queue.yaml"),
        concat!(
            "# first\n\ngroups:\n# second\n- name: &n a\n  rules:\n  - *n\n  - |\n    - name: x\n\n# third\n",
            "- name: 'b\n    - c'\n  rules: [{a: 1},\n    {b: 2}]\n-\n  <<: {x: y}\n- 5\n\n",
        ),
        "groups:\n  - é: 1\n    k: |+\n      t\n\n  - z: \"a\\\n      b\"\n    l: >-\n      u\n      v\n # end\n",
    ];

    const WORDS: [&str; 16] = [
        "\n",
        " ",
        "x",
        "é",
        "\"",
        "- ",
        "\n- name: q\n",
        "#",
        "}",
        ": ",
        "*n",
        "&n ",
        "\r\n",
        "---\n",
        "\t",
        "'",
    ];

    proptest! {
        #[test]
        fn a_text_read_in_pieces_is_the_text_read_as_a_whole(
            start in 0..TEXTS.len(),
            edits in prop::collection::vec((any::<prop::sample::Index>(), 0..6_usize, 0..WORDS.len()), 1..24),
        ) {
            let mut kept = KeptPieces::default();
            let mut text = TEXTS[start].to_owned();
            for (at, removed, word) in &edits {
                if let Some(root) = kept.read(&text, "groups") {
                    let whole = parse::read(&text);
                    let whole = whole.map(|whole| (whole.root, whole.more, whole.problems));
                    prop_assert_eq!(whole, Ok((Some(root), None, Vec::new())), "{}", text);
                }
                kept.turn();
                let at = text.floor_char_boundary(at.index(text.len() + 1));
                let end = text.floor_char_boundary((at + removed).min(text.len())).max(at);
                text.replace_range(at..end, WORDS[*word]);
            }
        }
    }

    #[test]
    fn texts_of_that_kind_are_read_in_pieces() {
        for text in TEXTS {
            assert!(KeptPieces::default().read(text, "groups").is_some(), "{text}");
        }
        let mut kept = KeptPieces::default();
        kept.read(TEXTS[0], "groups");
        kept.turn();
        kept.read(&format!("# more\n{}", TEXTS[0]), "groups");
        assert!(kept.before.values().all(Vec::is_empty), "one was read again");
    }
}
