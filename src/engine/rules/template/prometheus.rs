//! The functions that Prometheus adds to Go's templates.

use std::sync::Arc;

use super::budget::Fault;
use super::functions::{Context, Function, Parameter};
use super::number::{self, BadFloat};
use super::quote::quoted;
use super::value::{Arguments, Held, Sample, TextType, Value, WholeType};
use super::{TEXT_BYTES_MAX, escape, float, host, humanize, instant, regexp_error};
use crate::engine::duration::{DurationError, parse_duration};
use crate::engine::pattern::Pattern;

use Parameter::{Any, Samples, Text};

type Result<T> = std::result::Result<T, Fault>;

/// By name.
pub(super) const TABLE: &[Function] = &[
    Function::in_context("query", &[Text], query),
    Function::plain("first", &[Samples], first),
    Function::plain("label", &[Text, Parameter::Sample], |given| label(sample(given)?, text(given, 0)?)),
    Function::plain("value", &[Parameter::Sample], |given| Ok(Value::Float(sample(given)?.value))),
    Function::plain("strvalue", &[Parameter::Sample], |given| label(sample(given)?, "__value__")),
    Function::plain("args", &[], args).and_more(Any),
    Function::plain("sortByLabel", &[Text, Samples], sort_by_label),
    Function::in_context("reReplaceAll", &[Text, Text, Text], replace_all),
    Function::in_context("match", &[Text, Text], matches),
    Function::plain("title", &[Text], |given| Ok(Value::text(title(text(given, 0)?)))),
    Function::plain("toUpper", &[Text], |given| Ok(Value::text(upper(text(given, 0)?)))),
    Function::plain("toLower", &[Text], |given| Ok(Value::text(lower(text(given, 0)?)))),
    Function::plain("stripPort", &[Text], |given| Ok(Value::text(host::without_port(text(given, 0)?)))),
    Function::plain("stripDomain", &[Text], |given| Ok(Value::text(host::without_domain(text(given, 0)?)))),
    Function::plain("safeHtml", &[Text], |given| Ok(Value::Text(Arc::from(text(given, 0)?), TextType::Html))),
    Function::plain("humanize", &[Any], |given| {
        number(given).map(|value| Value::text(humanize::humanize(value)))
    }),
    Function::plain("humanize1024", &[Any], |given| {
        number(given).map(|value| Value::text(humanize::humanize1024(value)))
    }),
    Function::plain("humanizeDuration", &[Any], |given| {
        number(given).map(|value| Value::text(humanize::duration(value)))
    }),
    Function::plain("humanizePercentage", &[Any], |given| {
        number(given).map(|value| Value::text(humanize::percentage(value)))
    }),
    Function::plain("humanizeTimestamp", &[Any], humanize_timestamp),
    Function::plain("toTime", &[Any], |given| to_time(number(given)?)),
    Function::plain("toDuration", &[Any], |given| to_duration(number(given)?)),
    Function::plain("parseDuration", &[Text], parse),
    Function::in_context("now", &[], |context, _| Ok(Value::Float(context.now.seconds()))),
    Function::in_context("externalURL", &[], |context, _| external_url(context).map(Value::text)),
    Function::in_context("pathPrefix", &[], |context, _| {
        external_url(context).map(|url| Value::text(host::path(url)))
    }),
    Function::plain("graphLink", &[Text], |given| Ok(link(text(given, 0)?, 0))),
    Function::plain("tableLink", &[Text], |given| Ok(link(text(given, 0)?, 1))),
    Function::plain("urlQueryEscape", &[Text], |given| Ok(Value::text(escape::query(text(given, 0)?)))),
];

/// What Go says where a pointer is followed that is nil.
const NIL_POINTER: &str = "runtime error: invalid memory address or nil pointer dereference";

fn text(given: &[Value], at: usize) -> Result<&str> {
    let text = given.get(at).and_then(super::format::plain_text);
    text.map(AsRef::as_ref).ok_or_else(|| Fault::message("expected string"))
}

/// The sample that is the last argument.
fn sample(given: &[Value]) -> Result<&Sample> {
    match given.last() {
        Some(Value::Sample(Some(sample))) => Ok(sample),
        _ => Err(Fault::message(NIL_POINTER)),
    }
}

/// The query's result that is the last argument.
fn samples(given: &[Value]) -> &[Arc<Sample>] {
    match given.last() {
        Some(Value::Samples(samples)) => samples,
        _ => &[],
    }
}

/// A number, or a text that is one.
fn number(given: &[Value]) -> Result<f64> {
    match given.last() {
        Some(Value::Float(value)) => Ok(*value),
        Some(Value::Whole(whole, WholeType::Int | WholeType::Int64)) => Ok(*whole as f64),
        Some(Value::Whole(nanos, WholeType::Duration)) => Ok(instant::in_units(*nanos, 1_000_000_000)),
        Some(Value::Text(text, TextType::Plain)) => number::parse_float(text).map_err(|bad| {
            let reason = match bad {
                BadFloat::Syntax => "invalid syntax",
                BadFloat::Range => "value out of range",
            };
            Fault::Message(format!("strconv.ParseFloat: parsing {}: {reason}", quoted(text)))
        }),
        other => {
            let type_name = other.unwrap_or(&Value::Absent).type_name();
            Err(Fault::Message(format!("can't convert {type_name} to float")))
        }
    }
}

/// The steps a query costs beside what it reads.
const QUERY_STEPS: u64 = 100;

fn query(context: &mut Context<'_>, given: &[Value]) -> Result<Value> {
    context.budget.steps(QUERY_STEPS)?;
    let answer = (context.ask)(text(given, 0)?, context.budget.left());
    context.budget.steps(answer.steps)?;
    let samples = answer.samples.map_err(Fault::Message)?;
    let samples = samples.into_iter().map(|(labels, value)| Arc::new(Sample { labels, value }));
    Ok(Value::Samples(samples.collect()))
}

fn first(given: &[Value]) -> Result<Value> {
    let first = samples(given).first().cloned();
    let sample = first.ok_or_else(|| Fault::message("first() called on vector with no elements"))?;
    Ok(Value::Sample(Some(sample)))
}

#[expect(clippy::unnecessary_wraps, reason = "it stands in a table of what may fail")]
fn label(sample: &Sample, name: &str) -> Result<Value> {
    Ok(Value::text(sample.labels.shared(name).cloned().unwrap_or_default()))
}

/// How deep one result of `args` may stand in another.
const ARGUMENTS_DEPTH_MAX: usize = 50;

fn args(given: &[Value]) -> Result<Value> {
    let depth = given.iter().map(Value::depth).max().unwrap_or(0) + 1;
    if depth > ARGUMENTS_DEPTH_MAX {
        return Err(Fault::TooDeep);
    }
    let named =
        given.iter().enumerate().map(|(index, value)| (Arc::from(format!("arg{index}")), value.clone()));
    Ok(Value::Arguments(Arc::new(Arguments { by_name: named.collect(), depth })))
}

fn sort_by_label(given: &[Value]) -> Result<Value> {
    let name = text(given, 0)?;
    let mut sorted = samples(given).to_vec();
    sorted
        .sort_by(|left, right| left.labels.get(name).unwrap_or("").cmp(right.labels.get(name).unwrap_or("")));
    Ok(Value::Samples(sorted.into()))
}

/// The steps that compiling a regular expression costs, and each byte of it.
const PATTERN_STEPS: u64 = 2_000;
const PATTERN_BYTE_STEPS: u64 = 100;

/// A compiled pattern; what it costs to match `text` is paid.
fn compiled(context: &mut Context<'_>, pattern: &str, text: &str) -> Result<Pattern> {
    let length = |text: &str| u64::try_from(text.len()).unwrap_or(u64::MAX);
    let steps = length(pattern).saturating_mul(PATTERN_BYTE_STEPS).saturating_add(length(text));
    context.budget.steps(steps.saturating_add(PATTERN_STEPS))?;
    let compiled = Pattern::searching(pattern);
    compiled.map_err(|error| {
        let reason = regexp_error::reason(pattern).unwrap_or(error.reason);
        Fault::Message(format!("error parsing regexp: {reason}"))
    })
}

fn replace_all(context: &mut Context<'_>, given: &[Value]) -> Result<Value> {
    let (pattern, replacement, text) = (text(given, 0)?, text(given, 1)?, text(given, 2)?);
    let compiled = compiled(context, pattern, text).map_err(|fault| match fault {
        Fault::Message(message) => Fault::Message(format!("regexp: Compile(`{pattern}`): {message}")),
        Fault::TooManySteps | Fault::TooLong | Fault::TooDeep => fault,
    })?;
    let replaced = compiled.replaced_all(text, replacement, TEXT_BYTES_MAX);
    replaced.map(Value::text).ok_or(Fault::TooLong)
}

fn matches(context: &mut Context<'_>, given: &[Value]) -> Result<Value> {
    let (pattern, text) = (text(given, 0)?, text(given, 1)?);
    Ok(Value::Bool(compiled(context, pattern, text)?.is_match(text)))
}

/// Go's `strings.Title`.
fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut inside = false;
    for character in text.chars() {
        titled.push(if inside { character } else { title_case(character) });
        inside = character.is_alphanumeric()
            || character == '_'
            || !(character.is_ascii() || character.is_whitespace());
    }
    titled
}

/// One character to one, as Go's `unicode.ToTitle`.
fn title_case(character: char) -> char {
    match character {
        'Ǆ' | 'ǆ' => 'ǅ',
        'Ǉ' | 'ǉ' => 'ǈ',
        'Ǌ' | 'ǌ' => 'ǋ',
        'Ǳ' | 'ǳ' => 'ǲ',
        'ǅ' | 'ǈ' | 'ǋ' | 'ǲ' => character,
        _ => single(character.to_uppercase(), character),
    }
}

fn upper(text: &str) -> String {
    text.chars().map(|character| single(character.to_uppercase(), character)).collect()
}

fn lower(text: &str) -> String {
    // Go maps this one to one, too.
    let lowered =
        |character| if character == 'İ' { 'i' } else { single(char::to_lowercase(character), character) };
    text.chars().map(lowered).collect()
}

/// Go maps a character to one character: what would become several stays.
fn single(mut mapped: impl Iterator<Item = char>, character: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => character,
    }
}

fn humanize_timestamp(given: &[Value]) -> Result<Value> {
    let seconds = number(given)?;
    if !seconds.is_finite() {
        return Ok(Value::text(float::plain(seconds)));
    }
    let at = instant::from_seconds(seconds).map_err(Fault::Message)?;
    Ok(Value::text(instant::text(at)))
}

fn to_time(seconds: f64) -> Result<Value> {
    instant::from_seconds(seconds).map(|at| Value::Time(at, Held::Pointer)).map_err(Fault::Message)
}

fn to_duration(seconds: f64) -> Result<Value> {
    if !seconds.is_finite() {
        return Err(Fault::message("value is NaN or Inf"));
    }
    let nanos = seconds * 1e9;
    if nanos > i64::MAX as f64 || nanos < i64::MIN as f64 {
        let value = float::plain(seconds);
        return Err(Fault::Message(format!(
            "{value} cannot be represented as a nanoseconds duration since it overflows int64"
        )));
    }
    Ok(Value::Whole(nanos as i64, WholeType::Duration))
}

fn parse(given: &[Value]) -> Result<Value> {
    let text = text(given, 0)?;
    let span = parse_duration(text).map_err(|error| {
        Fault::Message(match error {
            DurationError::Empty => "empty duration string".to_owned(),
            DurationError::Notation => format!("not a valid duration string: {}", quoted(text)),
            DurationError::TooLong => "duration out of range".to_owned(),
        })
    })?;
    Ok(Value::Float(span.as_secs_f64()))
}

fn external_url<'a>(context: &Context<'a>) -> Result<&'a str> {
    context.external_url.ok_or_else(|| Fault::message(NIL_POINTER))
}

fn link(expression: &str, tab: u8) -> Value {
    Value::text(format!("/graph?g0.expr={}&g0.tab={tab}", escape::query(expression)))
}
