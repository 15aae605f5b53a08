//! Go's comparisons of templates: whole numbers with whole ones, floats with floats, never across.

use std::cmp::Ordering;
use std::sync::Arc;

use super::budget::Fault;
use super::format;
use super::value::{BasicKind, Held, Value};

type Result = std::result::Result<Value, Fault>;

/// `eq`: whether the first is any of the others.
pub(super) fn equal(given: &[Value]) -> Result {
    let (first, others) =
        given.split_first().ok_or_else(|| Fault::message("missing argument for comparison"))?;
    let first = first.clone().unboxed();
    if others.is_empty() {
        return Err(Fault::message("missing argument for comparison"));
    }
    for other in others {
        if is_same(&first, &other.clone().unboxed())? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

/// Whether two that neither compare by order nor are nil can be equal at all.
fn comparable(first: &Value, other: &Value) -> std::result::Result<(), Fault> {
    let (first_type, other_type) = (Value::text(first.type_name()), Value::text(other.type_name()));
    if shape(first) != shape(other) {
        let values = [first.clone(), first_type, other_type, other.clone()];
        let shown = format::sprintf("%s: %v, %s: %v", &values);
        return Err(Fault::Message(format!("non-comparable types {shown}")));
    }
    if matches!(other, Value::Labels(_) | Value::Arguments(_) | Value::Samples(_) | Value::Data(_)) {
        let shown = format::sprintf("%s: %v", &[other.clone(), other_type]);
        return Err(Fault::Message(format!("non-comparable type {shown}")));
    }
    Ok(())
}

/// What is the same for values of one of Go's kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Basic,
    Map,
    Slice,
    Structure,
    Pointer,
}

fn shape(value: &Value) -> Shape {
    match value {
        Value::Absent
        | Value::Interface(_)
        | Value::Bool(_)
        | Value::Whole(..)
        | Value::Float(_)
        | Value::Complex(..)
        | Value::Text(..) => Shape::Basic,
        Value::Labels(_) | Value::Arguments(_) => Shape::Map,
        Value::Samples(_) => Shape::Slice,
        Value::SampleStruct(_) | Value::Data(_) | Value::Time(_, Held::Value) => Shape::Structure,
        Value::Sample(_) | Value::Time(_, Held::Pointer) | Value::Location => Shape::Pointer,
    }
}

fn is_nil(value: &Value) -> bool {
    matches!(value, Value::Absent | Value::Sample(None))
}

fn is_same(first: &Value, other: &Value) -> std::result::Result<bool, Fault> {
    match (first.basic_kind(), other.basic_kind()) {
        (Some(BasicKind::Signed | BasicKind::Unsigned), Some(BasicKind::Signed | BasicKind::Unsigned)) => {
            Ok(ordered(first, other) == Some(Ordering::Equal))
        }
        (Some(left), Some(right)) if left == right => Ok(match (first, other) {
            (Value::Bool(left), Value::Bool(right)) => left == right,
            (Value::Complex(real, imaginary), Value::Complex(other_real, other_imaginary)) => {
                real == other_real && imaginary == other_imaginary
            }
            _ => ordered(first, other) == Some(Ordering::Equal),
        }),
        (None, None) if is_nil(first) || is_nil(other) => Ok(is_nil(first) && is_nil(other)),
        (None, None) => {
            comparable(first, other)?;
            Ok(match (first, other) {
                (Value::Location, Value::Location) => true,
                (Value::Sample(Some(left)), Value::Sample(Some(right))) => Arc::ptr_eq(left, right),
                // Two pointers are never the same one.
                (Value::Time(left, Held::Value), Value::Time(right, Held::Value)) => left == right,
                _ => false,
            })
        }
        _ if matches!(first, Value::Absent) || matches!(other, Value::Absent) => Ok(false),
        _ => Err(Fault::message("incompatible types for comparison")),
    }
}

/// `lt`
pub(super) fn less(given: &[Value]) -> Result {
    let [left, right] = given else { return Err(Fault::message("missing argument for comparison")) };
    let (left, right) = (left.clone().unboxed(), right.clone().unboxed());
    let kinds = (left.basic_kind(), right.basic_kind());
    let (Some(left_kind), Some(right_kind)) = kinds else {
        return Err(Fault::message("invalid type for comparison"));
    };
    let are_whole =
        [left_kind, right_kind].iter().all(|kind| matches!(kind, BasicKind::Signed | BasicKind::Unsigned));
    if left_kind != right_kind && !are_whole {
        return Err(Fault::message("incompatible types for comparison"));
    }
    if matches!(left_kind, BasicKind::Bool | BasicKind::Complex) {
        return Err(Fault::message("invalid type for comparison"));
    }
    Ok(Value::Bool(ordered(&left, &right) == Some(Ordering::Less)))
}

/// `le`
pub(super) fn less_or_equal(given: &[Value]) -> Result {
    let is_less = less(given)?;
    if is_less.is_true() { Ok(is_less) } else { equal(given) }
}

fn ordered(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Whole(left, _), Value::Whole(right, _)) => Some(left.cmp(right)),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        (Value::Text(left, _), Value::Text(right, _)) => Some(left.cmp(right)),
        _ => None,
    }
}
