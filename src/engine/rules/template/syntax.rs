//! The tree of a template, and how Go prints its parts in errors.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::functions::Function;
use super::quote::quoted;

/// A template with everything it defines.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// What stands outside of definitions.
    pub(super) body: Vec<Node>,
    /// `define` and `block` by name.
    pub(super) defined: BTreeMap<Arc<str>, Vec<Node>>,
}

/// A piece of a template.
#[derive(Debug)]
pub(super) enum Node {
    Text(Arc<str>),
    Action(Pipe),
    If(Branches),
    With(Branches),
    Range(Loop),
    Call(TemplateCall),
    Break,
    Continue,
}

/// `if` or `with`; a chain of `else if` is one of these, however long.
#[derive(Debug)]
pub(super) struct Branches {
    pub(super) arms: Vec<Arm>,
    pub(super) otherwise: Option<Vec<Node>>,
}

/// A condition with what it leads to.
#[derive(Debug)]
pub(super) struct Arm {
    pub(super) pipe: Pipe,
    pub(super) body: Vec<Node>,
}

/// `range`.
#[derive(Debug)]
pub(super) struct Loop {
    pub(super) pipe: Pipe,
    pub(super) body: Vec<Node>,
    pub(super) otherwise: Option<Vec<Node>>,
}

/// `template`.
#[derive(Debug)]
pub(super) struct TemplateCall {
    pub(super) at: usize,
    pub(super) name: Arc<str>,
    pub(super) pipe: Option<Pipe>,
}

/// Commands of which each is given what the one before it makes.
#[derive(Debug)]
pub(super) struct Pipe {
    /// Its first byte in the text.
    pub(super) at: usize,
    pub(super) binding: Binding,
    /// The variables that hold its value.
    pub(super) variables: Vec<Arc<str>>,
    pub(super) commands: Vec<Command>,
}

/// What a pipe does to its variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    Declare,
    Assign,
}

/// A value, or a function with what it is given.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) at: usize,
    pub(super) first: Operand,
    pub(super) rest: Vec<Operand>,
}

/// One word of a command.
#[derive(Debug)]
pub(super) struct Operand {
    pub(super) at: usize,
    pub(super) kind: OperandKind,
}

#[derive(Debug)]
pub(super) enum OperandKind {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    Text {
        /// As it is written.
        written: Arc<str>,
        text: Arc<str>,
    },
    /// `.A.B`
    Field(Fields),
    /// `$x.A.B`
    Variable {
        name: Arc<str>,
        fields: Vec<Arc<str>>,
    },
    Function(&'static Function),
    /// `(…).A.B`
    Chain {
        of: Box<Operand>,
        fields: Fields,
    },
    Pipe(Box<Pipe>),
}

/// Names behind dots: at least one.
#[derive(Debug)]
pub(super) struct Fields {
    /// All but the last.
    pub(super) through: Vec<Arc<str>>,
    pub(super) last: Arc<str>,
}

impl Fields {
    pub(super) fn one(name: Arc<str>) -> Self {
        Self { through: Vec::new(), last: name }
    }

    pub(super) fn push(&mut self, name: Arc<str>) {
        self.through.push(std::mem::replace(&mut self.last, name));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<str>> {
        self.through.iter().chain([&self.last])
    }
}

/// A number as it is written, and what it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Number {
    pub(super) written: Arc<str>,
    pub(super) is: Constant,
}

/// What a number is where nothing says which type it should have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Constant {
    Int(i64),
    /// Beyond an `int`.
    TooLarge(u64),
    Float(f64),
    Complex(f64, f64),
}

impl Constant {
    /// Where a whole number is wanted.
    pub(super) fn whole(self) -> Option<i64> {
        match self {
            Self::Int(whole) => Some(whole),
            Self::TooLarge(_) => None,
            Self::Float(value) => (value as i64 as f64 == value).then_some(value as i64),
            Self::Complex(real, imaginary) => {
                (imaginary == 0.0).then_some(())?;
                Self::Float(real).whole()
            }
        }
    }
}

/// What is looked at, for errors.
#[derive(Clone, Copy, Debug)]
pub(super) enum FaultPlace<'t> {
    Nowhere,
    Pipe(&'t Pipe),
    Command(&'t Command),
    Operand(&'t Operand),
    Call(&'t TemplateCall),
}

impl FaultPlace<'_> {
    /// The byte of the text it stands at.
    pub(super) fn at(&self) -> usize {
        match self {
            Self::Nowhere => 0,
            Self::Pipe(pipe) => pipe.at,
            Self::Command(command) => command.at,
            Self::Operand(operand) => operand.at,
            Self::Call(call) => call.at,
        }
    }
}

impl fmt::Display for FaultPlace<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => Ok(()),
            Self::Pipe(pipe) => pipe.fmt(out),
            Self::Command(command) => command.fmt(out),
            Self::Operand(operand) => operand.fmt(out),
            Self::Call(call) => call.fmt(out),
        }
    }
}

impl fmt::Display for Pipe {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, variable) in self.variables.iter().enumerate() {
            write!(out, "{}{variable}", if index > 0 { ", " } else { "" })?;
        }
        if !self.variables.is_empty() {
            out.write_str(" := ")?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            write!(out, "{}{command}", if index > 0 { " | " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in [&self.first].into_iter().chain(&self.rest).enumerate() {
            let space = if index > 0 { " " } else { "" };
            if matches!(word.kind, OperandKind::Pipe(_)) {
                write!(out, "{space}({word})")?;
            } else {
                write!(out, "{space}{word}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            OperandKind::Dot => out.write_str("."),
            OperandKind::Nil => out.write_str("nil"),
            OperandKind::Bool(value) => value.fmt(out),
            OperandKind::Number(number) => out.write_str(&number.written),
            OperandKind::Text { written, .. } => out.write_str(written),
            OperandKind::Field(fields) => fields.fmt(out),
            OperandKind::Variable { name, fields } => {
                out.write_str(name)?;
                fields.iter().try_for_each(|field| write!(out, ".{field}"))
            }
            OperandKind::Function(function) => out.write_str(function.name),
            OperandKind::Chain { of, fields } if matches!(of.kind, OperandKind::Pipe(_)) => {
                write!(out, "({of}){fields}")
            }
            OperandKind::Chain { of, fields } => write!(out, "{of}{fields}"),
            OperandKind::Pipe(pipe) => pipe.fmt(out),
        }
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|field| write!(out, ".{field}"))
    }
}

impl fmt::Display for TemplateCall {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{{{{template {}", quoted(&self.name))?;
        if let Some(pipe) = &self.pipe {
            write!(out, " {pipe}")?;
        }
        out.write_str("}}")
    }
}
