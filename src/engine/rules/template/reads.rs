//! What a template reads, found without running it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::syntax::{Arm, Command, Fields, Node, Operand, OperandKind, Pipe, Tree};

/// What a template reads.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// The labels of the alert that it names, sorted.
    pub(super) labels: Vec<Arc<str>>,
    /// Whether it reads the value.
    pub(super) value: bool,
    /// Whether it asks a query or the time.
    pub(super) is_volatile: bool,
}

impl Reads {
    pub(super) fn of(tree: &Tree) -> Self {
        let mut finder =
            Finder { labels: BTreeSet::new(), value: false, is_volatile: false, dollar: Dot::Alert };
        finder.nodes(&tree.body, Dot::Alert);
        finder.dollar = Dot::Other;
        for body in tree.defined.values() {
            finder.nodes(body, Dot::Other);
        }
        Self {
            labels: finder.labels.into_iter().collect(),
            value: finder.value,
            is_volatile: finder.is_volatile,
        }
    }
}

/// What the dot is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dot {
    Alert,
    Other,
}

struct Finder {
    labels: BTreeSet<Arc<str>>,
    value: bool,
    is_volatile: bool,
    /// What `$` is.
    dollar: Dot,
}

impl Finder {
    fn nodes(&mut self, nodes: &[Node], dot: Dot) {
        for node in nodes {
            match node {
                Node::Text(_) | Node::Break | Node::Continue => {}
                Node::Action(pipe) => self.pipe(pipe, dot),
                Node::If(branches) => {
                    self.arms(&branches.arms, dot, dot);
                    self.nodes(branches.otherwise.as_deref().unwrap_or_default(), dot);
                }
                Node::With(branches) => {
                    self.arms(&branches.arms, dot, Dot::Other);
                    self.nodes(branches.otherwise.as_deref().unwrap_or_default(), dot);
                }
                Node::Range(range) => {
                    self.pipe(&range.pipe, dot);
                    self.nodes(&range.body, Dot::Other);
                    self.nodes(range.otherwise.as_deref().unwrap_or_default(), dot);
                }
                Node::Call(call) => {
                    if let Some(pipe) = &call.pipe {
                        self.pipe(pipe, dot);
                    }
                }
            }
        }
    }

    fn arms(&mut self, arms: &[Arm], dot: Dot, inside: Dot) {
        for Arm { pipe, body } in arms {
            self.pipe(pipe, dot);
            self.nodes(body, inside);
        }
    }

    fn pipe(&mut self, pipe: &Pipe, dot: Dot) {
        for command in &pipe.commands {
            self.command(command, dot);
        }
    }

    fn command(&mut self, command: &Command, dot: Dot) {
        if let (OperandKind::Function(function), [of, index, ..]) =
            (&command.first.kind, command.rest.as_slice())
            && function.name == "index"
            && is_labels(of, dot)
            && let OperandKind::Text { text, .. } = &index.kind
        {
            self.labels.insert(text.clone());
        }
        for word in [&command.first].into_iter().chain(&command.rest) {
            self.word(word, dot);
        }
    }

    fn word(&mut self, word: &Operand, dot: Dot) {
        match &word.kind {
            OperandKind::Field(fields) if dot == Dot::Alert => {
                self.label(&fields.iter().map(AsRef::as_ref).collect::<Vec<&str>>());
            }
            OperandKind::Variable { name, fields } => {
                let names: Vec<&str> = fields.iter().map(AsRef::as_ref).collect();
                match name.as_ref() {
                    "$value" => self.value = true,
                    "$labels" => self.label(&[&["Labels"], names.as_slice()].concat()),
                    "$" if self.dollar == Dot::Alert => self.label(&names),
                    _ => {}
                }
            }
            OperandKind::Function(function) => {
                self.is_volatile |= matches!(function.name, "query" | "now");
            }
            OperandKind::Chain { of, .. } => self.word(of, dot),
            OperandKind::Pipe(pipe) => self.pipe(pipe, dot),
            OperandKind::Field(_)
            | OperandKind::Dot
            | OperandKind::Nil
            | OperandKind::Bool(_)
            | OperandKind::Number(_)
            | OperandKind::Text { .. } => {}
        }
    }

    fn label(&mut self, path: &[&str]) {
        self.value |= path.first() == Some(&"Value");
        if let ["Labels", label, ..] = path {
            self.labels.insert(Arc::from(*label));
        }
    }
}

/// Whether a word is the labels of the alert.
fn is_labels(word: &Operand, dot: Dot) -> bool {
    let is_them = |fields: &Fields| fields.through.is_empty() && fields.last.as_ref() == "Labels";
    match &word.kind {
        OperandKind::Variable { name, fields } => name.as_ref() == "$labels" && fields.is_empty(),
        OperandKind::Field(fields) => dot == Dot::Alert && is_them(fields),
        OperandKind::Chain { .. }
        | OperandKind::Function(_)
        | OperandKind::Pipe(_)
        | OperandKind::Dot
        | OperandKind::Nil
        | OperandKind::Bool(_)
        | OperandKind::Number(_)
        | OperandKind::Text { .. } => false,
    }
}
