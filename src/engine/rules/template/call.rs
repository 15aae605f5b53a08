//! Calls functions and methods and reads fields, with Go's rules for what may be given to what.

use std::sync::Arc;

use super::budget::Fault;
use super::functions::{Function, Parameter, StopAt, Work};
use super::instant;
use super::run::{Run, boxed, constant, refuse_arguments};
use super::syntax::{FaultPlace, Fields, Operand, OperandKind};
use super::value::{Data, Held, Sample, Value, WholeType};

/// What a function is given: the words behind it, and what came through the pipe.
pub(super) struct Given<'t> {
    pub(super) rest: &'t [Operand],
    pub(super) last: Option<Value>,
}

impl Given<'_> {
    const fn nothing() -> Self {
        Self { rest: &[], last: None }
    }
}

type Result<T> = std::result::Result<T, Fault>;

/// The steps that a call costs beside the bytes it handles: what formats a number takes about as long.
const CALL_STEPS: u64 = 10;

impl<'t> Run<'t, '_> {
    /// A field, a variable or a chain.
    pub(super) fn reference(&mut self, word: &'t Operand, dot: &Value, given: Given<'t>) -> Result<Value> {
        self.place = FaultPlace::Operand(word);
        match &word.kind {
            OperandKind::Field(fields) => self.fields(word, dot.clone(), fields.iter(), (dot, given)),
            OperandKind::Variable { name, fields } => {
                let value = self.variable(name)?;
                if fields.is_empty() {
                    refuse_arguments(word, given.rest, given.last.as_ref())?;
                    return Ok(value);
                }
                self.fields(word, value, fields.iter(), (dot, given))
            }
            OperandKind::Chain { of, fields } => self.chain((word, of), fields, dot, given),
            OperandKind::Dot
            | OperandKind::Nil
            | OperandKind::Bool(_)
            | OperandKind::Number(_)
            | OperandKind::Text { .. }
            | OperandKind::Function(_)
            | OperandKind::Pipe(_) => constant(word, dot),
        }
    }

    fn chain(
        &mut self,
        (word, of): (&'t Operand, &'t Operand),
        fields: &'t Fields,
        dot: &Value,
        given: Given<'t>,
    ) -> Result<Value> {
        if matches!(of.kind, OperandKind::Nil) {
            return Err(Fault::Message(format!("indirection through explicit nil in {word}")));
        }
        let value = self.argument(Parameter::Raw, of, dot)?;
        self.fields(word, value, fields.iter(), (dot, given))
    }

    /// Follows names; the last one may be a method that is given something.
    fn fields(
        &mut self,
        word: &'t Operand,
        mut value: Value,
        names: impl Iterator<Item = &'t Arc<str>>,
        (dot, given): (&Value, Given<'t>),
    ) -> Result<Value> {
        let mut names = names.peekable();
        let mut given = Some(given);
        while let Some(name) = names.next() {
            let given = match names.peek() {
                Some(_) => Given::nothing(),
                None => given.take().unwrap_or(Given::nothing()),
            };
            value = self.field(value, (name, word), dot, &given)?;
        }
        Ok(value)
    }

    fn field(
        &mut self,
        receiver: Value,
        (name, word): (&'t Arc<str>, &'t Operand),
        dot: &Value,
        given: &Given<'t>,
    ) -> Result<Value> {
        self.context.budget.steps(1)?;
        let type_name = receiver.type_name();
        if matches!(receiver, Value::Absent) {
            return Ok(Value::Absent);
        }
        if matches!(receiver, Value::Interface(None)) {
            return Err(Fault::Message(format!("nil pointer evaluating {type_name}.{name}")));
        }
        let receiver = receiver.unboxed();
        if let Some(method) = instant::method(&receiver, name) {
            let arguments = self.arguments(method, (dot, given))?;
            let arguments = [vec![receiver], arguments].concat();
            return self.run_function(method, FaultPlace::Operand(word), &arguments);
        }
        let has_arguments = !given.rest.is_empty() || given.last.is_some();
        let found = match &receiver {
            Value::Data(data) => data_field(data, name).map(Found::Field),
            Value::Sample(Some(sample)) | Value::SampleStruct(sample) => {
                sample_field(sample, name).map(Found::Field)
            }
            Value::Sample(None) if matches!(name.as_ref(), "Labels" | "Value") => {
                return Err(Fault::Message(format!("nil pointer evaluating {type_name}.{name}")));
            }
            Value::Labels(labels) => {
                Some(Found::Key(Value::text(labels.shared(name).cloned().unwrap_or_default())))
            }
            Value::Arguments(arguments) => {
                let value = arguments.by_name.get(name.as_ref()).cloned().and_then(boxed);
                Some(Found::Key(Value::Interface(value)))
            }
            Value::Sample(None)
            | Value::Absent
            | Value::Interface(_)
            | Value::Bool(_)
            | Value::Whole(..)
            | Value::Float(_)
            | Value::Complex(..)
            | Value::Text(..)
            | Value::Samples(_)
            | Value::Time(..)
            | Value::Location => None,
        };
        match found {
            Some(Found::Field(_)) if has_arguments => {
                Err(Fault::Message(format!("{name} has arguments but cannot be invoked as function")))
            }
            Some(Found::Key(_)) if has_arguments => {
                Err(Fault::Message(format!("{name} is not a method but has arguments")))
            }
            Some(Found::Field(value) | Found::Key(value)) => Ok(value),
            None => Err(Fault::Message(format!("can't evaluate field {name} in type {type_name}"))),
        }
    }

    /// Calls a function; `place` is where an error of it is.
    pub(super) fn function(
        &mut self,
        function: &'static Function,
        place: FaultPlace<'t>,
        (dot, given): (&Value, Given<'t>),
    ) -> Result<Value> {
        if let Work::ShortCircuit(stop) = function.work {
            count(function, &given)?;
            return self.short_circuit(stop, dot, given);
        }
        let arguments = self.arguments(function, (dot, &given))?;
        self.run_function(function, place, &arguments)
    }

    fn run_function(
        &mut self,
        function: &'static Function,
        place: FaultPlace<'t>,
        arguments: &[Value],
    ) -> Result<Value> {
        let given: usize = arguments.iter().map(size).sum();
        self.context.budget.steps(CALL_STEPS)?;
        self.context.budget.bytes(given)?;
        let result = match function.work {
            Work::Plain(work) => work(arguments),
            Work::Context(work) => work(&mut self.context, arguments),
            Work::ShortCircuit(_) => Ok(Value::Absent),
        };
        match result {
            Ok(value) => {
                let made = size(&value);
                if made > super::TEXT_BYTES_MAX {
                    return Err(Fault::TooLong);
                }
                self.context.budget.bytes(made)?;
                Ok(value)
            }
            Err(Fault::Message(message)) => {
                self.place = place;
                Err(Fault::Message(format!("error calling {}: {message}", function.name)))
            }
            Err(fault) => Err(fault),
        }
    }

    /// `and` and `or`, which look at no more than they need.
    fn short_circuit(&mut self, stop: StopAt, dot: &Value, given: Given<'t>) -> Result<Value> {
        let mut value = Value::Absent;
        for word in given.rest {
            value = self.argument(Parameter::Raw, word, dot)?.unboxed();
            if value.is_true() == (stop == StopAt::True) {
                return Ok(value);
            }
        }
        Ok(given.last.unwrap_or(value))
    }

    fn arguments(&mut self, function: &Function, (dot, given): (&Value, &Given<'t>)) -> Result<Vec<Value>> {
        count(function, given)?;
        if function.results > 1 {
            let (name, results) = (function.name, function.results);
            let message = format!("can't call method/function \"{name}\" with {results} results");
            return Err(Fault::Message(message));
        }
        let parameter = |index: usize| function.takes.get(index).copied().or(function.more);
        let mut values = Vec::with_capacity(given.rest.len() + 1);
        for (index, word) in given.rest.iter().enumerate() {
            let Some(parameter) = parameter(index) else { break };
            values.push(self.argument(parameter, word, dot)?);
        }
        if let (Some(last), Some(parameter)) = (&given.last, parameter(given.rest.len())) {
            values.push(fitting(last.clone(), parameter)?);
        }
        Ok(values)
    }

    /// A word as an argument of a type.
    fn argument(&mut self, parameter: Parameter, word: &'t Operand, dot: &Value) -> Result<Value> {
        self.place = FaultPlace::Operand(word);
        self.context.budget.steps(1)?;
        let value = match &word.kind {
            OperandKind::Dot => dot.clone(),
            OperandKind::Nil if parameter.takes_nil() => return Ok(parameter.nil()),
            OperandKind::Nil => {
                return Err(Fault::Message(format!("cannot assign nil to {}", parameter.type_name())));
            }
            OperandKind::Field(_) | OperandKind::Variable { .. } | OperandKind::Chain { .. } => {
                self.reference(word, dot, Given::nothing())?
            }
            OperandKind::Pipe(pipe) => self.pipe(pipe, dot)?,
            OperandKind::Function(function) => {
                self.function(function, FaultPlace::Operand(word), (dot, Given::nothing()))?
            }
            OperandKind::Bool(_) | OperandKind::Number(_) | OperandKind::Text { .. } => {
                return literal(parameter, word, dot);
            }
        };
        fitting(value, parameter)
    }
}

/// A constant as an argument of a type.
fn literal(parameter: Parameter, word: &Operand, dot: &Value) -> Result<Value> {
    let wanted = match (parameter, &word.kind) {
        (Parameter::Any | Parameter::Raw, _) => return constant(word, dot),
        (Parameter::Text, OperandKind::Text { text, .. }) => return Ok(Value::text(text.clone())),
        (Parameter::Text, _) => "string",
        (Parameter::Int | Parameter::Duration, OperandKind::Number(number)) => {
            let kind = if parameter == Parameter::Int { WholeType::Int } else { WholeType::Duration };
            match number.is.whole() {
                Some(whole) => return Ok(Value::Whole(whole, kind)),
                None => "integer",
            }
        }
        (Parameter::Int | Parameter::Duration, _) => "integer",
        (Parameter::Samples | Parameter::Sample | Parameter::Time, _) => {
            let type_name = parameter.type_name();
            return Err(Fault::Message(format!("can't handle {word} for arg of type {type_name}")));
        }
    };
    Err(Fault::Message(format!("expected {wanted}; found {word}")))
}

/// Whether a function takes as many arguments as there are.
fn count(function: &Function, given: &Given<'_>) -> Result<()> {
    let count = given.rest.len() + usize::from(given.last.is_some());
    let wanted = function.takes.len();
    let name = function.name;
    match function.more {
        None if count != wanted => {
            Err(Fault::Message(format!("wrong number of args for {name}: want {wanted} got {count}")))
        }
        Some(_) if count < wanted => {
            let words = given.rest.len();
            let message = format!("wrong number of args for {name}: want at least {wanted} got {words}");
            Err(Fault::Message(message))
        }
        None | Some(_) => Ok(()),
    }
}

/// A field of a structure, or what a map has under a key.
enum Found {
    Field(Value),
    Key(Value),
}

fn data_field(data: &Data, name: &str) -> Option<Value> {
    match name {
        "Labels" => Some(Value::Labels(data.labels.clone())),
        "ExternalLabels" => Some(Value::Labels(data.external_labels.clone())),
        "ExternalURL" => Some(Value::text(data.external_url.clone())),
        "Value" => Some(Value::Float(data.value)),
        _ => None,
    }
}

fn sample_field(sample: &Sample, name: &str) -> Option<Value> {
    match name {
        "Labels" => Some(Value::Labels(sample.labels.clone())),
        "Value" => Some(Value::Float(sample.value)),
        _ => None,
    }
}

/// A value where a type is wanted.
fn fitting(value: Value, parameter: Parameter) -> Result<Value> {
    let value = match (value, parameter) {
        (value, Parameter::Raw) => return Ok(value),
        (value, Parameter::Any) => return Ok(value.unboxed()),
        (Value::Absent, _) if parameter.takes_nil() => return Ok(parameter.nil()),
        (Value::Absent, _) => {
            return Err(Fault::Message(format!("invalid value; expected {}", parameter.type_name())));
        }
        (Value::Interface(Some(inner)), _) => *inner,
        (value, _) => value,
    };
    match (parameter, &value) {
        (Parameter::Text, value) if super::format::plain_text(value).is_some() => Ok(value.clone()),
        (Parameter::Samples, Value::Samples(_))
        | (Parameter::Sample, Value::Sample(_))
        | (Parameter::Int, Value::Whole(_, WholeType::Int))
        | (Parameter::Duration, Value::Whole(_, WholeType::Duration))
        | (Parameter::Time, Value::Time(_, Held::Pointer | Held::Value)) => Ok(value),
        _ => {
            let (wanted, got) = (parameter.type_name(), value.type_name());
            Err(Fault::Message(format!("wrong type for value; expected {wanted}; got {got}")))
        }
    }
}

/// About how many bytes a value has that are handled with it.
fn size(value: &Value) -> usize {
    match value {
        Value::Text(text, _) => text.len(),
        Value::Samples(samples) => samples.len() * 16,
        Value::Arguments(arguments) => arguments.by_name.len() * 64,
        Value::Labels(labels) => labels.len() * 32,
        Value::Interface(Some(inner)) => size(inner),
        Value::Absent
        | Value::Interface(None)
        | Value::Bool(_)
        | Value::Whole(..)
        | Value::Float(_)
        | Value::Complex(..)
        | Value::Sample(_)
        | Value::SampleStruct(_)
        | Value::Data(_)
        | Value::Time(..)
        | Value::Location => 0,
    }
}
