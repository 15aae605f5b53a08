//! The functions of Prometheus' templates.
//!
//! The template engine takes bare functions, so what they need of the rendering (answers to queries, the instant)
//! lies in a thread-local for as long as it runs.

use std::cell::RefCell;
use std::collections::HashMap;

use gtmpl_ng::{Func, FuncError, Number, NumberKind, Value};
use regex::RegexBuilder;

use super::{OUTPUT_BYTES_MAX, Scope, humanize};
use crate::engine::duration::parse_duration;
use crate::engine::labels::Labels;

type Result<T> = std::result::Result<T, FuncError>;

/// Every function by name.
pub(super) const TABLE: &[(&str, Func)] = &[
    ("query", query),
    ("first", first),
    ("label", label),
    ("value", value),
    ("strvalue", strvalue),
    ("args", args),
    ("sortByLabel", sort_by_label),
    ("reReplaceAll", replace_all),
    ("match", matches),
    ("title", title),
    ("toUpper", |given| text(given).map(|text| text.to_uppercase().into())),
    ("toLower", |given| text(given).map(|text| text.to_lowercase().into())),
    ("stripPort", strip_port),
    ("stripDomain", strip_domain),
    ("safeHtml", |given| text(given).map(Value::from)),
    ("humanize", |given| number(given).map(|value| humanize::humanize(value).into())),
    ("humanize1024", |given| number(given).map(|value| humanize::humanize1024(value).into())),
    ("humanizeDuration", |given| number(given).map(|value| humanize::duration(value).into())),
    ("humanizePercentage", |given| number(given).map(|value| humanize::percentage(value).into())),
    ("humanizeTimestamp", |given| number(given).map(|value| humanize::timestamp(value).into())),
    ("toTime", |given| number(given).map(|value| humanize::timestamp(value).into())),
    ("toDuration", |given| number(given).map(|value| humanize::go_duration(value).into())),
    ("parseDuration", parse),
    ("now", |_| Ok(float(STATE.with_borrow(|state| state.now)))),
    ("pathPrefix", |_| Ok(path_prefix().into())),
    ("externalURL", |_| Ok(STATE.with_borrow(|state| state.external_url.clone()).into())),
    ("graphLink", |given| {
        text(given).map(|text| format!("/graph?g0.expr={}&g0.tab=0", escape(&text)).into())
    }),
    ("tableLink", |given| {
        text(given).map(|text| format!("/graph?g0.expr={}&g0.tab=1", escape(&text)).into())
    }),
    ("urlQueryEscape", |given| text(given).map(|text| escape(&text).into())),
    ("tmpl", |_| Err(failure("tmpl is for console templates"))),
];

/// What the functions need of one rendering.
#[derive(Default)]
pub(super) struct State {
    /// The answers so far, by query.
    pub(super) answers: HashMap<String, Value>,
    /// The query without an answer that stopped the rendering.
    pub(super) asked: Option<String>,
    now: f64,
    external_url: String,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Runs `render` with these answers; what it asked comes back with them.
pub(super) fn with_state<T>(
    answers: HashMap<String, Value>,
    scope: Scope<'_>,
    render: impl FnOnce() -> T,
) -> (T, State) {
    let external_url = scope.external_url.to_owned();
    let state = State { answers, asked: None, now: scope.now.seconds(), external_url };
    STATE.set(state);
    let rendered = render();
    (rendered, STATE.take())
}

/// A query's result as templates see it.
pub(super) fn query_result(samples: Vec<(Labels, f64)>) -> Value {
    let sample = |(labels, value): (Labels, f64)| {
        let labels = labels.iter().map(|(name, value)| (name.to_string(), Value::from(value.as_ref())));
        Value::Object(HashMap::from([
            ("Labels".to_owned(), Value::Map(labels.collect())),
            ("Value".to_owned(), float(value)),
        ]))
    };
    Value::Array(samples.into_iter().map(sample).collect())
}

fn failure(message: impl Into<String>) -> FuncError {
    FuncError::Generic(message.into())
}

fn float(value: f64) -> Value {
    Value::Number(Number::float(value))
}

/// The last argument, which a pipeline gives.
fn last(given: &[Value]) -> Result<&Value> {
    given.last().ok_or_else(|| failure("an argument is missing"))
}

fn argument(given: &[Value], at: usize) -> Result<&Value> {
    given.get(at).ok_or_else(|| failure("an argument is missing"))
}

fn text(given: &[Value]) -> Result<String> {
    Ok(plain(last(given)?))
}

fn plain(value: &Value) -> String {
    match value {
        Value::NoValue | Value::Nil => String::new(),
        other => other.to_string(),
    }
}

fn number(given: &[Value]) -> Result<f64> {
    match last(given)? {
        Value::Number(number) => Ok(match number.kind() {
            NumberKind::Unsigned(whole) => whole as f64,
            NumberKind::Signed(whole) => whole as f64,
            NumberKind::Float(value) => value,
        }),
        Value::String(text) => text.parse().map_err(|_| failure(format!("{text:?} is not a number"))),
        other => Err(failure(format!("can't convert {other} to a number"))),
    }
}

fn query(given: &[Value]) -> Result<Value> {
    let query = text(given)?;
    STATE.with_borrow_mut(|state| {
        if let Some(answer) = state.answers.get(&query) {
            return Ok(answer.clone());
        }
        state.asked = Some(query);
        Err(failure("the query is not answered yet"))
    })
}

fn samples(value: &Value) -> Result<&[Value]> {
    match value {
        Value::Array(samples) => Ok(samples),
        _ => Err(failure("expected the result of a query")),
    }
}

fn first(given: &[Value]) -> Result<Value> {
    let first = samples(last(given)?)?.first().cloned();
    first.ok_or_else(|| failure("first() called on vector with no elements"))
}

fn field<'a>(sample: &'a Value, name: &str) -> Result<&'a Value> {
    match sample {
        Value::Object(fields) => fields.get(name).ok_or_else(|| failure("expected a sample of a query")),
        _ => Err(failure("expected a sample of a query")),
    }
}

fn label_of(sample: &Value, name: &str) -> Result<String> {
    match field(sample, "Labels")? {
        Value::Map(labels) => Ok(labels.get(name).map(plain).unwrap_or_default()),
        _ => Err(failure("expected a sample of a query")),
    }
}

fn label(given: &[Value]) -> Result<Value> {
    label_of(argument(given, 1)?, &plain(argument(given, 0)?)).map(Value::from)
}

fn value(given: &[Value]) -> Result<Value> {
    field(last(given)?, "Value").cloned()
}

fn strvalue(given: &[Value]) -> Result<Value> {
    label_of(last(given)?, "__value__").map(Value::from)
}

#[expect(clippy::unnecessary_wraps, reason = "template functions may fail")]
fn args(given: &[Value]) -> Result<Value> {
    let named = given.iter().enumerate().map(|(index, value)| (format!("arg{index}"), value.clone()));
    Ok(Value::Map(named.collect()))
}

fn sort_by_label(given: &[Value]) -> Result<Value> {
    let name = plain(argument(given, 0)?);
    let mut sorted = samples(argument(given, 1)?)?.to_vec();
    sorted.sort_by_cached_key(|sample| label_of(sample, &name).unwrap_or_default());
    Ok(Value::Array(sorted))
}

fn expression(pattern: &str) -> Result<regex::Regex> {
    RegexBuilder::new(pattern).size_limit(1 << 20).build().map_err(|error| failure(error.to_string()))
}

fn replace_all(given: &[Value]) -> Result<Value> {
    let (pattern, replacement) = (plain(argument(given, 0)?), plain(argument(given, 1)?));
    let text = plain(argument(given, 2)?);
    let pattern = expression(&pattern)?;
    let count = pattern.find_iter(&text).count();
    let bound = count.saturating_mul(replacement.len() + text.len());
    if count > 1 && bound > OUTPUT_BYTES_MAX * 16 {
        return Err(failure("the replacement would be too long"));
    }
    Ok(pattern.replace_all(&text, replacement.as_str()).into_owned().into())
}

fn matches(given: &[Value]) -> Result<Value> {
    let (pattern, text) = (plain(argument(given, 0)?), plain(argument(given, 1)?));
    Ok(expression(&pattern)?.is_match(&text).into())
}

fn title(given: &[Value]) -> Result<Value> {
    let mut titled = String::new();
    let mut inside = false;
    for character in text(given)?.chars() {
        if inside {
            titled.push(character);
        } else {
            titled.extend(character.to_uppercase());
        }
        inside = character.is_alphanumeric() || character == '_';
    }
    Ok(titled.into())
}

fn strip_port(given: &[Value]) -> Result<Value> {
    let text = text(given)?;
    let host = match text.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
        Some((host, _)) => Some(host),
        None => text.rsplit_once(':').map(|(host, _)| host).filter(|host| !host.contains(':')),
    };
    Ok(host.unwrap_or(&text).into())
}

fn strip_domain(given: &[Value]) -> Result<Value> {
    let text = text(given)?;
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, Some(port)),
        _ => (text.as_str(), None),
    };
    if host.parse::<std::net::IpAddr>().is_ok() || text.parse::<std::net::IpAddr>().is_ok() {
        return Ok(text.into());
    }
    let short = host.split('.').next().unwrap_or(host);
    Ok(port.map_or_else(|| short.to_owned(), |port| format!("{short}:{port}")).into())
}

fn parse(given: &[Value]) -> Result<Value> {
    let text = text(given)?;
    let span = parse_duration(&text).map_err(|error| failure(error.to_string()))?;
    Ok(float(span.as_secs_f64()))
}

fn path_prefix() -> String {
    let url = STATE.with_borrow(|state| state.external_url.clone());
    let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("").trim_end_matches('/').to_owned()
}

/// A text as a query parameter, as Go's `url.QueryEscape`.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            b' ' => escaped.push('+'),
            _ => escaped.extend([format!("%{byte:02X}")]),
        }
    }
    escaped
}
