//! The functions of Go's `text/template`.

use super::budget::Fault;
use super::functions::{Function, Parameter, StopAt, Work};
use super::value::{Sample, Value, WholeType};
use super::{compare, escape, format};

use Parameter::{Any, Raw, Text};

/// By name.
pub(super) const TABLE: &[Function] = &[
    Function {
        name: "and",
        takes: &[Raw],
        more: Some(Raw),
        results: 1,
        work: Work::ShortCircuit(StopAt::False),
    },
    Function {
        name: "or",
        takes: &[Raw],
        more: Some(Raw),
        results: 1,
        work: Work::ShortCircuit(StopAt::True),
    },
    Function::plain("not", &[Raw], |given| Ok(Value::Bool(!given.iter().any(Value::is_true)))),
    Function::plain("len", &[Raw], length),
    Function::plain("index", &[Raw], index).and_more(Raw),
    Function::plain("slice", &[Raw], slice).and_more(Raw),
    Function::plain("call", &[Raw], call).and_more(Raw),
    Function::plain("print", &[], |given| Ok(Value::text(format::sprint(given)))).and_more(Any),
    Function::plain("println", &[], |given| Ok(Value::text(format::sprintln(given)))).and_more(Any),
    Function::plain("printf", &[Text], printf).and_more(Any),
    Function::plain("html", &[], |given| Ok(Value::text(escape::html(&format::spoken(given))))).and_more(Any),
    Function::plain("js", &[], |given| Ok(Value::text(escape::javascript(&format::spoken(given)))))
        .and_more(Any),
    Function::plain("urlquery", &[], |given| Ok(Value::text(escape::query(&format::spoken(given)))))
        .and_more(Any),
    Function::plain("eq", &[Raw], compare::equal).and_more(Raw),
    Function::plain("ne", &[Raw, Raw], |given| compare::equal(given).map(negated)),
    Function::plain("lt", &[Raw, Raw], compare::less),
    Function::plain("le", &[Raw, Raw], compare::less_or_equal),
    Function::plain("gt", &[Raw, Raw], |given| compare::less_or_equal(given).map(negated)),
    Function::plain("ge", &[Raw, Raw], |given| compare::less(given).map(negated)),
];

type Result = std::result::Result<Value, Fault>;

#[expect(clippy::needless_pass_by_value, reason = "it follows a comparison, whose result it takes")]
fn negated(value: Value) -> Value {
    Value::Bool(!value.is_true())
}

fn printf(given: &[Value]) -> Result {
    let (first, rest) = given.split_first().ok_or_else(|| Fault::message("missing format"))?;
    let format = format::plain_text(first).ok_or_else(|| Fault::message("missing format"))?;
    Ok(Value::text(format::sprintf(format, rest)))
}

/// The value without pointers and interfaces.
fn length(given: &[Value]) -> Result {
    let value = given.first().unwrap_or(&Value::Absent);
    if matches!(value, Value::Interface(None) | Value::Sample(None)) {
        return Err(Fault::message("len of nil pointer"));
    }
    let value = value.clone().unboxed();
    let length = match &value {
        Value::Absent => return Err(Fault::message("reflect: call of reflect.Value.Type on zero Value")),
        Value::Text(text, _) => text.len(),
        Value::Labels(labels) => labels.len(),
        Value::Arguments(arguments) => arguments.by_name.len(),
        Value::Samples(samples) => samples.len(),
        Value::Interface(_)
        | Value::Bool(_)
        | Value::Whole(..)
        | Value::Float(_)
        | Value::Complex(..)
        | Value::Sample(_)
        | Value::SampleStruct(_)
        | Value::Data(_)
        | Value::Time(..)
        | Value::Location => {
            let type_name = value.type_name().trim_start_matches('*');
            return Err(Fault::Message(format!("len of type {type_name}")));
        }
    };
    Ok(Value::int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn index(given: &[Value]) -> Result {
    let (first, indexes) = given.split_first().ok_or_else(|| Fault::message("index of untyped nil"))?;
    let mut item = first.clone().unboxed();
    if matches!(item, Value::Absent) {
        return Err(Fault::message("index of untyped nil"));
    }
    for index in indexes {
        item = indexed(&item.unboxed(), &index.clone().unboxed())?;
    }
    Ok(item)
}

fn indexed(item: &Value, index: &Value) -> Result {
    match item {
        Value::Text(text, _) => {
            let at = position(index, text.len())?;
            let byte = text.as_bytes().get(at);
            let byte = byte.ok_or_else(|| Fault::message("reflect: string index out of range"))?;
            Ok(Value::Whole(i64::from(*byte), WholeType::Byte))
        }
        Value::Samples(samples) => {
            let sample = samples.get(position(index, samples.len())?);
            let sample: &std::sync::Arc<Sample> =
                sample.ok_or_else(|| Fault::message("reflect: slice index out of range"))?;
            Ok(Value::Sample(Some(sample.clone())))
        }
        Value::Labels(labels) => Ok(Value::text(labels.shared(key(index)?).cloned().unwrap_or_default())),
        Value::Arguments(arguments) => {
            let value = arguments.by_name.get(key(index)?).cloned();
            Ok(Value::Interface(value.and_then(super::run::boxed)))
        }
        Value::Sample(None) | Value::Interface(None) => Err(Fault::message("index of nil pointer")),
        Value::Absent
        | Value::Interface(Some(_))
        | Value::Bool(_)
        | Value::Whole(..)
        | Value::Float(_)
        | Value::Complex(..)
        | Value::Sample(Some(_))
        | Value::SampleStruct(_)
        | Value::Data(_)
        | Value::Time(..)
        | Value::Location => {
            let type_name = item.type_name().trim_start_matches('*');
            Err(Fault::Message(format!("can't index item of type {type_name}")))
        }
    }
}

/// The key of a map of texts.
fn key(index: &Value) -> std::result::Result<&str, Fault> {
    if let Some(text) = format::plain_text(index) {
        return Ok(text);
    }
    Err(if matches!(index, Value::Absent) {
        Fault::message("value is nil; should be of type string")
    } else {
        Fault::Message(format!("value has type {}; should be string", index.type_name()))
    })
}

fn position(index: &Value, length: usize) -> std::result::Result<usize, Fault> {
    if let Value::Whole(whole, _) = index {
        let at = usize::try_from(*whole).ok().filter(|at| *at <= length);
        return at.ok_or_else(|| Fault::Message(format!("index out of range: {whole}")));
    }
    Err(if matches!(index, Value::Absent) {
        Fault::message("cannot index slice/array with nil")
    } else {
        Fault::Message(format!("cannot index slice/array with type {}", index.type_name()))
    })
}

fn slice(given: &[Value]) -> Result {
    let (first, indexes) = given.split_first().ok_or_else(|| Fault::message("slice of untyped nil"))?;
    let item = first.clone().unboxed();
    if matches!(item, Value::Absent) {
        return Err(Fault::message("slice of untyped nil"));
    }
    if indexes.len() > 3 {
        return Err(Fault::Message(format!("too many slice indexes: {}", indexes.len())));
    }
    if let (Value::Text(..), [_, _, _]) = (&item, indexes) {
        return Err(Fault::message("cannot 3-index slice a string"));
    }
    if let Value::Text(text, kind) = &item {
        let (start, end) = bounds(indexes, text.len())?;
        let bytes = text.as_bytes().get(start..end).unwrap_or_default();
        return Ok(Value::Text(String::from_utf8_lossy(bytes).into(), *kind));
    }
    if let Value::Samples(samples) = &item {
        let (start, end) = bounds(indexes, samples.len())?;
        return Ok(Value::Samples(samples.get(start..end).unwrap_or_default().into()));
    }
    Err(Fault::Message(format!("can't slice item of type {}", item.type_name())))
}

/// Where a slice of something of a length starts and ends.
fn bounds(indexes: &[Value], length: usize) -> std::result::Result<(usize, usize), Fault> {
    let mut bounds = [0, length, length];
    for (bound, index) in bounds.iter_mut().zip(indexes) {
        *bound = position(&index.clone().unboxed(), length)?;
    }
    let [start, end, room] = bounds;
    for (low, high) in [(start, end), (end, room)] {
        if low > high {
            return Err(Fault::Message(format!("invalid slice index: {low} > {high}")));
        }
    }
    Ok((start, end))
}

/// Templates have no values that are functions.
fn call(given: &[Value]) -> Result {
    match given.first().cloned().map(Value::unboxed) {
        None | Some(Value::Absent) => Err(Fault::message("call of nil")),
        Some(value) => Err(Fault::Message(format!("non-function of type {}", value.type_name()))),
    }
}
