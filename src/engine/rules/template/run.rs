//! Runs a template, as Go's `text/template` does, within a budget of steps and bytes.

use std::sync::Arc;

use super::budget::{Budget, Fault};
use super::format;
use super::functions::Context;
use super::syntax::{
    Arm, Binding, Branches, Command, Constant, FaultPlace, Loop, Node, Number, OperandKind, Pipe,
    TemplateCall, Tree,
};
use super::value::{Data, Value};

/// How deep templates, blocks and parentheses may stand in each other while they run.
const DEPTH_MAX: usize = 200;

/// A failure and what was looked at.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) fault: Fault,
    /// The byte of the template it is at.
    pub(super) at: usize,
    /// The part of the template, as Go prints it.
    pub(super) part: String,
    /// The name of the template that runs, where it is not the whole.
    pub(super) template: Option<Arc<str>>,
}

/// What comes after a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// The running of a template.
pub(super) struct Run<'t, 'a> {
    tree: &'t Tree,
    pub(super) context: Context<'a>,
    variables: Vec<(Arc<str>, Value)>,
    /// What is looked at.
    pub(super) place: FaultPlace<'t>,
    /// The defined template that runs.
    template: Option<Arc<str>>,
    depth: usize,
    out: String,
}

impl<'t, 'a> Run<'t, 'a> {
    pub(super) fn new(tree: &'t Tree, context: Context<'a>) -> Self {
        Self {
            tree,
            context,
            variables: Vec::new(),
            place: FaultPlace::Nowhere,
            template: None,
            depth: 0,
            out: String::new(),
        }
    }

    /// The text it makes of an alert.
    pub(super) fn text(&mut self, data: Data) -> Result<String, Failure> {
        let data = Arc::new(data);
        let values = [
            Value::Data(data.clone()),
            Value::Labels(data.labels.clone()),
            Value::Labels(data.external_labels.clone()),
            Value::text(data.external_url.clone()),
            Value::Float(data.value),
        ];
        self.variables = super::VARIABLES.into_iter().map(Arc::from).zip(values).collect();
        let tree = self.tree;
        self.list(&tree.body, &Value::Data(data)).map_err(|fault| Failure {
            fault,
            at: self.place.at(),
            part: self.place.to_string(),
            template: self.template.clone(),
        })?;
        Ok(std::mem::take(&mut self.out))
    }

    fn budget(&mut self) -> &mut Budget {
        self.context.budget
    }

    fn list(&mut self, nodes: &'t [Node], dot: &Value) -> Result<Flow, Fault> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Fault::TooDeep);
        }
        let mut flow = Flow::Next;
        for node in nodes {
            flow = self.node(node, dot)?;
            if flow != Flow::Next {
                break;
            }
        }
        self.depth -= 1;
        Ok(flow)
    }

    fn node(&mut self, node: &'t Node, dot: &Value) -> Result<Flow, Fault> {
        self.budget().steps(1)?;
        match node {
            Node::Text(text) => self.write(text)?,
            Node::Action(pipe) => {
                let value = self.pipe(pipe, dot)?;
                if pipe.variables.is_empty() {
                    let text = format::printed(&value);
                    self.write(&text)?;
                }
            }
            Node::If(branches) => return self.branches(branches, dot, Dot::Stays),
            Node::With(branches) => return self.branches(branches, dot, Dot::Becomes),
            Node::Range(range) => return self.range(range, dot),
            Node::Call(call) => self.call(call, dot)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn write(&mut self, text: &str) -> Result<(), Fault> {
        self.budget().bytes(text.len())?;
        self.out.push_str(text);
        if self.out.len() > super::TEXT_BYTES_MAX { Err(Fault::TooLong) } else { Ok(()) }
    }

    fn branches(&mut self, branches: &'t Branches, dot: &Value, becomes: Dot) -> Result<Flow, Fault> {
        let known = self.variables.len();
        let mut flow = None;
        for Arm { pipe, body } in &branches.arms {
            self.budget().steps(1)?;
            let value = self.pipe(pipe, dot)?;
            if value.is_true() {
                let dot = if becomes == Dot::Becomes { &value } else { dot };
                flow = Some(self.list(body, dot)?);
                break;
            }
        }
        let flow = match (flow, &branches.otherwise) {
            (Some(flow), _) => flow,
            (None, Some(otherwise)) => self.list(otherwise, dot)?,
            (None, None) => Flow::Next,
        };
        self.variables.truncate(known);
        Ok(flow)
    }

    fn range(&mut self, range: &'t Loop, dot: &Value) -> Result<Flow, Fault> {
        let known = self.variables.len();
        let over = self.pipe(&range.pipe, dot)?;
        let elements = elements(&over, range)?;
        let mut is_empty = true;
        for (index, element) in elements {
            is_empty = false;
            self.budget().steps(1)?;
            if self.turn(range, index, &element)? == Flow::Break {
                break;
            }
        }
        let flow = match &range.otherwise {
            Some(otherwise) if is_empty => self.list(otherwise, dot)?,
            Some(_) | None => Flow::Next,
        };
        self.variables.truncate(known);
        Ok(flow)
    }

    /// One turn of a `range`.
    fn turn(&mut self, range: &'t Loop, index: Value, element: &Value) -> Result<Flow, Fault> {
        let known = self.variables.len();
        let values = match range.pipe.variables.len() {
            0 => Vec::new(),
            1 => vec![element.clone()],
            _ => vec![index, element.clone()],
        };
        match range.pipe.binding {
            Binding::Assign => {
                for (name, value) in range.pipe.variables.iter().zip(values) {
                    self.assign(name, value)?;
                }
            }
            Binding::Declare => {
                let first = known.saturating_sub(values.len());
                for ((_, variable), value) in self.variables.iter_mut().skip(first).zip(values) {
                    *variable = value;
                }
            }
        }
        let flow = self.list(&range.body, element)?;
        self.variables.truncate(known);
        Ok(flow)
    }

    fn call(&mut self, call: &'t TemplateCall, dot: &Value) -> Result<(), Fault> {
        self.place = FaultPlace::Call(call);
        let tree = self.tree;
        let Some((name, body)) = tree.defined.get_key_value(&call.name) else {
            let name = super::quote::quoted(&call.name);
            return Err(Fault::Message(format!("template {name} not defined")));
        };
        let dot = match &call.pipe {
            Some(pipe) => self.pipe(pipe, dot)?,
            None => Value::Absent,
        };
        let inner = vec![(Arc::from("$"), dot.clone())];
        let outer = std::mem::replace(&mut self.variables, inner);
        let template = self.template.replace(name.clone());
        self.list(body, &dot)?;
        (self.variables, self.template) = (outer, template);
        Ok(())
    }

    /// The value of a pipe, which its variables then hold.
    pub(super) fn pipe(&mut self, pipe: &'t Pipe, dot: &Value) -> Result<Value, Fault> {
        self.place = FaultPlace::Pipe(pipe);
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Fault::TooDeep);
        }
        let mut value = None;
        for command in &pipe.commands {
            self.budget().steps(1)?;
            value = Some(self.command(command, dot, value)?.unboxed());
        }
        self.depth -= 1;
        let value = value.unwrap_or(Value::Absent);
        for name in &pipe.variables {
            match pipe.binding {
                Binding::Declare => self.variables.push((name.clone(), value.clone())),
                Binding::Assign => self.assign(name, value.clone())?,
            }
        }
        Ok(value)
    }

    fn assign(&mut self, name: &Arc<str>, value: Value) -> Result<(), Fault> {
        match self.variables.iter_mut().rev().find(|(known, _)| known == name) {
            Some((_, held)) => {
                *held = value;
                Ok(())
            }
            None => Err(Fault::Message(format!("undefined variable: {name}"))),
        }
    }

    pub(super) fn variable(&self, name: &str) -> Result<Value, Fault> {
        let held = self.variables.iter().rev().find(|(known, _)| known.as_ref() == name);
        held.map(|(_, value)| value.clone())
            .ok_or_else(|| Fault::Message(format!("undefined variable: {name}")))
    }

    fn command(&mut self, command: &'t Command, dot: &Value, last: Option<Value>) -> Result<Value, Fault> {
        let (word, rest) = (&command.first, command.rest.as_slice());
        match &word.kind {
            OperandKind::Field(_) | OperandKind::Chain { .. } | OperandKind::Variable { .. } => {
                return self.reference(word, dot, super::call::Given { rest, last });
            }
            OperandKind::Function(function) => {
                self.place = FaultPlace::Operand(word);
                let place = FaultPlace::Command(command);
                return self.function(function, place, (dot, super::call::Given { rest, last }));
            }
            OperandKind::Pipe(pipe) => {
                refuse_arguments(word, rest, last.as_ref())?;
                return self.pipe(pipe, dot);
            }
            OperandKind::Bool(_)
            | OperandKind::Dot
            | OperandKind::Nil
            | OperandKind::Number(_)
            | OperandKind::Text { .. } => {}
        }
        self.place = FaultPlace::Operand(word);
        refuse_arguments(word, rest, last.as_ref())?;
        constant(word, dot)
    }
}

pub(super) fn refuse_arguments(
    word: &super::syntax::Operand,
    rest: &[super::syntax::Operand],
    last: Option<&Value>,
) -> Result<(), Fault> {
    if rest.is_empty() && last.is_none() {
        return Ok(());
    }
    Err(Fault::Message(format!("can't give argument to non-function {word}")))
}

/// A word that is a value by itself.
pub(super) fn constant(word: &super::syntax::Operand, dot: &Value) -> Result<Value, Fault> {
    match &word.kind {
        OperandKind::Bool(value) => Ok(Value::Bool(*value)),
        OperandKind::Dot => Ok(dot.clone()),
        OperandKind::Number(number) => ideal(number),
        OperandKind::Text { text, .. } => Ok(Value::text(text.clone())),
        OperandKind::Nil => Err(Fault::Message("nil is not a command".to_owned())),
        OperandKind::Field(_)
        | OperandKind::Variable { .. }
        | OperandKind::Function(_)
        | OperandKind::Chain { .. }
        | OperandKind::Pipe(_) => Err(Fault::Message(format!("can't evaluate command \"{word}\""))),
    }
}

/// What a `range` goes over, each with its index or key.
fn elements(over: &Value, range: &Loop) -> Result<Box<dyn Iterator<Item = (Value, Value)>>, Fault> {
    let whole = |index: usize| Value::int(i64::try_from(index).unwrap_or(i64::MAX));
    Ok(match over {
        Value::Absent => Box::new(std::iter::empty()),
        Value::Samples(samples) => {
            let samples: Vec<_> = samples.iter().cloned().enumerate().collect();
            Box::new(
                samples.into_iter().map(move |(index, sample)| (whole(index), Value::Sample(Some(sample)))),
            )
        }
        Value::Labels(labels) => {
            let labels: Vec<_> = labels.iter().cloned().collect();
            Box::new(labels.into_iter().map(|(name, value)| (Value::text(name), Value::text(value))))
        }
        Value::Arguments(arguments) => {
            let entries = arguments.by_name.clone().into_iter();
            Box::new(entries.map(|(name, value)| (Value::text(name), Value::Interface(boxed(value)))))
        }
        // Prometheus 3 is built by a Go that has it.
        Value::Whole(..) if range.pipe.variables.len() > 1 => {
            let shown = format::printed(over);
            let message = format!("can't use {shown} to iterate over more than one variable");
            return Err(Fault::Message(message));
        }
        Value::Whole(count, kind) => {
            let kind = *kind;
            Box::new((0..(*count).max(0)).map(move |n| (Value::Whole(n, kind), Value::Whole(n, kind))))
        }
        Value::Interface(_)
        | Value::Bool(_)
        | Value::Float(_)
        | Value::Complex(..)
        | Value::Text(..)
        | Value::Sample(_)
        | Value::SampleStruct(_)
        | Value::Data(_)
        | Value::Time(..)
        | Value::Location => {
            let message = format!("range can't iterate over {}", format::printed(over));
            return Err(Fault::Message(message));
        }
    })
}

/// What the dot is inside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dot {
    Stays,
    Becomes,
}

/// What an interface that holds a value holds.
pub(super) fn boxed(value: Value) -> Option<Box<Value>> {
    let value = value.unboxed();
    (!matches!(value, Value::Absent)).then(|| Box::new(value))
}

/// A number where nothing says which type it should have.
fn ideal(number: &Number) -> Result<Value, Fault> {
    match number.is {
        Constant::Int(whole) => Ok(Value::int(whole)),
        Constant::Float(value) => Ok(Value::Float(value)),
        Constant::Complex(real, imaginary) => Ok(Value::Complex(real, imaginary)),
        Constant::TooLarge(_) => Err(Fault::Message(format!("{} overflows int", number.written))),
    }
}
