//! What Prometheus refuses although its grammar would take it: types, counts of arguments, vector matching.

use std::ops::Range;

use super::ParseError;
use super::ast::{
    Aggregate, Binary, BinaryOp, Cardinality, ComparisonMode, Expr, Grouping, Matching, Node, RangeMode,
    Sign, VectorSelector,
};
use super::functions::{Function, ValueType};
use super::inspect::{unwrapped, value_type, walk};
use super::storage::{MatchCondition, Matcher};
use super::text::Quoted;
use crate::engine::labels::METRIC_NAME;

/// The functions that know what to do with `anchored`; the first three know `smoothed` as well.
const RANGE_MODE_FUNCTIONS: [&str; 5] = ["delta", "increase", "rate", "changes", "resets"];

/// An error without advice.
pub(super) fn error(span: Range<usize>, message: impl Into<String>) -> ParseError {
    ParseError { span, message: message.into(), advice: None }
}

/// An error that says what to do.
pub(super) fn advise(
    span: Range<usize>,
    message: impl Into<String>,
    advice: impl Into<String>,
) -> ParseError {
    ParseError { span, message: message.into(), advice: Some(advice.into()) }
}

fn expect_type(expr: &Expr, wanted: ValueType, place: &str) -> Result<(), ParseError> {
    let found = value_type(expr);
    if found == wanted {
        return Ok(());
    }
    let message = format!("expected type {} in {place}, got {}", wanted.name(), found.name());
    Err(ParseError { span: expr.span.clone(), message, advice: conversion(found, wanted) })
}

fn conversion(found: ValueType, wanted: ValueType) -> Option<String> {
    let advice = match (found, wanted) {
        (ValueType::Vector, ValueType::Matrix) => "Add a range, e.g. [5m].",
        (ValueType::Matrix, ValueType::Vector) => {
            "Take the range away, or wrap it in a function over ranges, e.g. rate() or avg_over_time()."
        }
        (ValueType::Scalar, ValueType::Vector) => "Wrap the number in vector().",
        (ValueType::Vector, ValueType::Scalar) => "Wrap the vector in scalar().",
        (_, ValueType::String) => "Put the text in quotes.",
        _ => return None,
    };
    Some(advice.to_owned())
}

/// A sign in front of `expr`.
pub(super) fn unary(sign: Sign, expr: &Expr) -> Result<(), ParseError> {
    let found = value_type(expr);
    if matches!(found, ValueType::Scalar | ValueType::Vector) {
        return Ok(());
    }
    Err(advise(
        expr.span.clone(),
        format!(
            "unary expression only allowed on expressions of type scalar or instant vector, got \"{}\"",
            found.name()
        ),
        format!("Put the {} in front of the function around the range.", sign.symbol()),
    ))
}

/// The inside of a subquery.
pub(super) fn subquery(expr: &Expr) -> Result<(), ParseError> {
    let found = value_type(expr);
    if found == ValueType::Vector {
        return Ok(());
    }
    Err(error(
        expr.span.clone(),
        format!("subquery is only allowed on instant vector, got {} instead", found.name()),
    ))
}

/// An aggregation.
pub(super) fn aggregate(aggregate: &Aggregate) -> Result<(), ParseError> {
    let swapped = |error: ParseError| match (&aggregate.param, aggregate.op.param()) {
        (Some(param), Some(wanted))
            if value_type(param) == ValueType::Vector && value_type(&aggregate.expr) == wanted =>
        {
            let advice = format!("Write {}({}, instant vector).", aggregate.op.name(), wanted.name());
            ParseError { advice: Some(advice), ..error }
        }
        _ => error,
    };
    expect_type(&aggregate.expr, ValueType::Vector, "aggregation expression").map_err(swapped)?;
    match (&aggregate.param, aggregate.op.param()) {
        (Some(param), Some(wanted)) => expect_type(param, wanted, "aggregation parameter"),
        _ => Ok(()),
    }
}

/// A binary operation.
pub(super) fn binary(binary: &Binary) -> Result<(), ParseError> {
    let op = binary.op;
    let at = || binary.op_span.clone();
    if binary.comparison == ComparisonMode::Bool && !op.is_comparison() {
        return Err(error(at(), "bool modifier can only be used on comparison operators"));
    }
    for side in [&binary.left, &binary.right] {
        let found = value_type(side);
        if !matches!(found, ValueType::Scalar | ValueType::Vector) {
            return Err(advise(
                side.span.clone(),
                "binary expression must contain only scalar and instant vector types",
                if found == ValueType::String {
                    "Text has no value: a metric is named without quotes, or in braces."
                } else {
                    "Wrap a range in a function over ranges, e.g. rate() or avg_over_time()."
                },
            ));
        }
    }
    let vectors = [&binary.left, &binary.right].map(|side| value_type(side) == ValueType::Vector);
    if op.is_comparison() && binary.comparison == ComparisonMode::Filter && vectors == [false, false] {
        return Err(advise(
            at(),
            "comparisons between scalars must use BOOL modifier",
            format!("Write {} bool, or compare a vector.", op.symbol()),
        ));
    }
    if matches!(op, BinaryOp::TrimUpper | BinaryOp::TrimLower) && vectors == [false, false] {
        return Err(advise(
            at(),
            format!("operator \"{}\" not allowed for Scalar operations", op.symbol()),
            "It trims native histograms, which only vectors hold.",
        ));
    }
    if op.is_set() && vectors != [true, true] {
        return Err(advise(
            at(),
            format!("set operator \"{}\" not allowed in binary scalar expression", op.symbol()),
            "Wrap the number in vector().",
        ));
    }
    labels_once(binary)?;
    if vectors == [true, true] { set_matching(binary) } else { no_matching(binary) }
}

/// A label stands in `on` or in the group clause, not in both.
fn labels_once(binary: &Binary) -> Result<(), ParseError> {
    let Matching { on, include, .. } = &binary.matching;
    if let Grouping::By(labels) = on
        && let Some(twice) = labels.iter().find(|label| include.contains(label))
    {
        return Err(advise(
            binary.op_span.clone(),
            format!("label {} must not occur in ON and GROUP clause at once", Quoted(twice)),
            "Labels of on() are part of the result anyway: take it out of the group clause.",
        ));
    }
    Ok(())
}

/// A number has no labels to match.
fn no_matching(binary: &Binary) -> Result<(), ParseError> {
    let at = || binary.op_span.clone();
    let (Grouping::By(labels) | Grouping::Without(labels)) = &binary.matching.on;
    if !labels.is_empty() {
        return Err(error(at(), "vector matching only allowed between instant vectors"));
    }
    if binary.matching.fills() {
        return Err(error(at(), "filling in missing series only allowed between instant vectors"));
    }
    Ok(())
}

/// Set operators match many to many and fill nothing in.
fn set_matching(binary: &Binary) -> Result<(), ParseError> {
    let at = || binary.op_span.clone();
    if binary.op.is_set() && binary.matching.cardinality != Cardinality::OneToOne {
        return Err(error(at(), format!("no grouping allowed for \"{}\" operation", binary.op.symbol())));
    }
    if binary.op.is_set() && binary.matching.fills() {
        return Err(error(at(), "filling in missing series not allowed for set operators"));
    }
    Ok(())
}

/// A call; `name` is where its name stands.
pub(super) fn call(function: &Function, args: &[Expr], name: &Range<usize>) -> Result<(), ParseError> {
    let wrong_count = |quantifier: &str, wanted: usize| {
        let message = format!(
            "expected {quantifier}{wanted} argument(s) in call to {}, got {}",
            Quoted(function.name),
            args.len()
        );
        Err(advise(name.clone(), message, format!("Write {}.", signature(function))))
    };
    if args.len() < function.args_min() {
        let quantifier = if function.args_max() == Some(function.args_min()) { "" } else { "at least " };
        return wrong_count(quantifier, function.args_min());
    }
    if let Some(most) = function.args_max().filter(|most| args.len() > *most) {
        return wrong_count(if most == function.args_min() { "" } else { "at most " }, most);
    }
    let place = format!("call to function {}", Quoted(function.name));
    for (at, arg) in args.iter().enumerate() {
        if let Some(wanted) = function.arg(at) {
            expect_type(arg, wanted, &place).map_err(|error| swapped(function, args, error))?;
        }
        range_mode(function, arg)?;
    }
    if function.name == "info"
        && let Some(labels) = args.get(1)
    {
        info_labels(labels)?;
    }
    Ok(())
}

/// The error of an argument's type, which says how the function is called where its arguments only stand in another order.
fn swapped(function: &Function, args: &[Expr], error: ParseError) -> ParseError {
    let found = args.iter().map(value_type);
    let mut wanted: Vec<ValueType> = (0..args.len()).filter_map(|at| function.arg(at)).collect();
    for found in found {
        match wanted.iter().position(|wanted| *wanted == found) {
            Some(place) => drop(wanted.swap_remove(place)),
            None => return error,
        }
    }
    ParseError { advice: Some(format!("Write {}.", signature(function))), ..error }
}

/// How a function is called, e.g. `round(instant vector, [scalar])`.
fn signature(function: &Function) -> String {
    let names = function.args.iter().enumerate().map(|(at, arg)| {
        if at < function.args_min() { arg.name().to_owned() } else { format!("[{}]", arg.name()) }
    });
    format!("{}({})", function.name, names.collect::<Vec<_>>().join(", "))
}

/// The second argument of `info` names labels, in the form of a selector without a name.
fn info_labels(labels: &Expr) -> Result<(), ParseError> {
    if let Node::Vector(selector) = &labels.node
        && selector.name.is_none()
    {
        return Ok(());
    }
    Err(advise(
        labels.span.clone(),
        "expected label selectors only, got vector selector instead",
        "Write the labels in braces, and a metric name as __name__=\"…\" among them.",
    ))
}

fn range_mode(function: &Function, arg: &Expr) -> Result<(), ParseError> {
    let Node::Matrix { selector, .. } = &unwrapped(arg).node else { return Ok(()) };
    let (word, count) = match selector.range_mode {
        RangeMode::Extrapolated => return Ok(()),
        RangeMode::Anchored => ("anchored", RANGE_MODE_FUNCTIONS.len()),
        RangeMode::Smoothed => ("smoothed", 3),
    };
    let mut safe: Vec<&str> = RANGE_MODE_FUNCTIONS.into_iter().take(count).collect();
    if safe.contains(&function.name) {
        return Ok(());
    }
    safe.sort_unstable();
    Err(error(
        arg.span.clone(),
        format!("{word} modifier can only be used with: {} - not with {}", safe.join(", "), function.name),
    ))
}

/// The name of a selector, given outside its braces or in quotes, must be its only one.
pub(super) fn name_once(selector: &VectorSelector, span: &Range<usize>) -> Result<(), ParseError> {
    let Some(name) = &selector.name else { return Ok(()) };
    let names = selector.matchers.iter().filter(|matcher| matcher.name.as_ref() == METRIC_NAME);
    match names.skip(1).find_map(value_text) {
        None => Ok(()),
        Some(other) => Err(advise(
            span.clone(),
            format!("metric name must not be set twice: {} or {}", Quoted(name), Quoted(other)),
            "Keep one of the names.",
        )),
    }
}

fn value_text(matcher: &Matcher) -> Option<&str> {
    match &matcher.condition {
        MatchCondition::Equal(value) | MatchCondition::NotEqual(value) => Some(value),
        MatchCondition::Match(regex) | MatchCondition::NoMatch(regex) => Some(regex.text()),
        MatchCondition::OneOf(values) => values.first().map(AsRef::as_ref),
    }
}

/// Every selector but the labels of `info` must ask for something, lest it match every series by mistake.
pub(super) fn selectors(expr: &Expr) -> Result<(), ParseError> {
    let mut labels_of_info: Vec<usize> = Vec::new();
    let mut result = Ok(());
    walk(expr, &mut |part| {
        if let Node::Call { function, args } = &part.node
            && function.name == "info"
        {
            labels_of_info.extend(args.get(1).map(|labels| labels.span.start));
        }
        if let Node::Vector(selector) | Node::Matrix { selector, .. } = &part.node
            && result.is_ok()
            && !labels_of_info.contains(&part.span.start)
        {
            result = not_empty(selector, &part.span);
        }
    });
    result
}

fn not_empty(selector: &VectorSelector, span: &Range<usize>) -> Result<(), ParseError> {
    let matches_empty = |matcher: &Matcher| matcher.condition.holds("");
    if selector.name.is_some() || !selector.matchers.iter().all(matches_empty) {
        return Ok(());
    }
    Err(advise(
        span.clone(),
        "vector selector must contain at least one non-empty matcher",
        "Name the metric, or ask for a label that must be there, e.g. {job=~\".+\"}.",
    ))
}
