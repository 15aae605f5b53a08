//! Templates of labels and annotations: Go templates with Prometheus' variables and functions.
//!
//! Rendering is bounded in output, loops and depth. `query` reads through whatever the caller evaluates with: a
//! template that asks for a query is rendered again once the answer is there.

mod functions;
mod humanize;

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use gtmpl_ng::{Context, Limits, Number, Value};

use crate::engine::labels::Labels;
use crate::engine::time::Timestamp;

/// Bytes one rendered template may have.
pub const OUTPUT_BYTES_MAX: usize = 64 << 10;

/// Different queries one template may ask.
pub const QUERIES_MAX: usize = 32;

/// What Prometheus puts in front of every template.
const PRELUDE: &str = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}\
                       {{$externalURL := .ExternalURL}}{{$value := .Value}}";

/// A template that parsed.
#[derive(Clone)]
pub struct Template {
    text: Arc<str>,
    compiled: Option<Arc<Compiled>>,
}

/// A text with actions.
struct Compiled {
    template: gtmpl_ng::Template,
    /// The names that follow `$labels.` and `.Labels.`: a label that is not there is empty in Go, not absent.
    label_names: Vec<String>,
    /// The same for `$externalLabels.`.
    external_names: Vec<String>,
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// The bytes of the template at fault.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
}

/// What a template sees.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// `$labels`.
    pub labels: &'a Labels,
    /// `$value`.
    pub value: f64,
    /// `$externalLabels`.
    pub external_labels: &'a Labels,
    /// `$externalURL`.
    pub external_url: &'a str,
    /// `now`.
    pub now: Timestamp,
}

/// Answers a query of a template.
pub type Ask<'a> = dyn FnMut(&str) -> Result<Vec<(Labels, f64)>, String> + 'a;

impl Template {
    /// A text that is taken as it stands.
    pub fn literal(text: &str) -> Self {
        Self { text: Arc::from(text), compiled: None }
    }

    /// Parses a template.
    ///
    /// # Errors
    ///
    /// A text whose actions are no Go template, or name functions or variables that are not there.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        if !text.contains("{{") {
            return Ok(Self::literal(text));
        }
        let limits = Limits::default()
            .with_iterations(10_000)
            .with_total_iterations(100_000)
            .with_output_bytes(OUTPUT_BYTES_MAX)
            .with_function_output(OUTPUT_BYTES_MAX);
        let mut template = gtmpl_ng::Template::with_limits(limits);
        for (name, function) in functions::TABLE {
            template.add_func(name, *function);
        }
        template
            .parse(format!("{PRELUDE}{}", without_raw_strings(text)))
            .map_err(|error| problem(text, &error))?;
        let label_names =
            names_after(text, &["$labels.", ".Labels.", "index $labels \"", "index .Labels \""]);
        let external_names = names_after(text, &["$externalLabels.", ".ExternalLabels."]);
        let compiled = Compiled { template, label_names, external_names };
        Ok(Self { text: Arc::from(text), compiled: Some(Arc::new(compiled)) })
    }

    /// The text as it stands in the file.
    pub const fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Whether it is the same text whatever it is rendered with.
    pub const fn is_literal(&self) -> bool {
        self.compiled.is_none()
    }

    /// Whether it may render differently for the same labels and value: it asks a query, or the time.
    pub fn is_volatile(&self) -> bool {
        !self.is_literal() && ["query", "now"].iter().any(|name| self.text.contains(name))
    }

    /// The labels it names (`$labels.queue`).
    pub fn label_names(&self) -> &[String] {
        self.compiled.as_ref().map_or(&[], |compiled| &compiled.label_names)
    }

    /// Renders it.
    ///
    /// # Errors
    ///
    /// An action that fails, or a bound that is exceeded.
    pub fn expand(&self, scope: Scope<'_>, ask: &mut Ask<'_>) -> Result<String, String> {
        let Some(compiled) = &self.compiled else { return Ok(self.text.to_string()) };
        let context = Context::from(compiled.context(scope));
        let mut answers = HashMap::new();
        for _ in 0..=QUERIES_MAX {
            let (rendered, state) =
                functions::with_state(answers, scope, || compiled.template.render(&context));
            answers = state.answers;
            let Some(query) = state.asked else {
                return rendered
                    .map(|text| text.replace("<no value>", ""))
                    .map_err(|error| innermost(&error.to_string()));
            };
            let answer = ask(&query)?;
            answers.insert(query, functions::query_result(answer));
        }
        Err(format!("a template may ask {QUERIES_MAX} queries"))
    }
}

impl Compiled {
    fn context(&self, scope: Scope<'_>) -> Value {
        let labels = |labels: &Labels, names: &[String]| {
            let named = names.iter().map(|name| (name.clone(), Value::from("")));
            let there = labels.iter().map(|(name, value)| (name.to_string(), Value::from(value.as_ref())));
            Value::Map(named.chain(there).collect())
        };
        // A struct in Go: a field it does not have is an error.
        Value::Object(HashMap::from([
            ("Labels".to_owned(), labels(scope.labels, &self.label_names)),
            ("ExternalLabels".to_owned(), labels(scope.external_labels, &self.external_names)),
            ("ExternalURL".to_owned(), Value::from(scope.external_url)),
            ("Value".to_owned(), Value::Number(Number::float(scope.value))),
        ]))
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.text)
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.is_literal() == other.is_literal()
    }
}

/// The place and the words of a parse error, without the prelude.
fn problem(text: &str, error: &gtmpl_ng::ParseError) -> Problem {
    let gtmpl_ng::ParseError::WithContext(context, message) = error else {
        return Problem { span: 0..text.len(), message: error.to_string() };
    };
    let line_start: usize =
        text.split_inclusive('\n').take(context.line.saturating_sub(1)).map(str::len).sum();
    let prelude = if context.line <= 1 { PRELUDE.len() } else { 0 };
    let start = (line_start + context.col.saturating_sub(1)).saturating_sub(prelude).min(text.len());
    let end = start.saturating_add(context.len.max(1)).min(text.len().max(start));
    Problem { span: start..end, message: innermost(message) }
}

/// The last line's worth of a nested error: what is wrong, without where.
fn innermost(message: &str) -> String {
    let first = message.lines().next().unwrap_or(message);
    let place = first.strip_prefix("template: ").and_then(|rest| {
        let mut parts = rest.splitn(5, ':');
        parts.nth(3).and(parts.next())
    });
    place.unwrap_or(first).trim().to_owned()
}

/// The template with raw strings (in backquotes) as quoted ones: the engine resolves escapes in raw strings, too.
fn without_raw_strings(text: &str) -> String {
    if !text.contains('`') {
        return text.to_owned();
    }
    let mut rewritten = String::with_capacity(text.len());
    let (mut inside, mut quote, mut previous) = (false, None, ' ');
    let mut escaped = false;
    for character in text.chars() {
        match (quote, character) {
            (Some('`'), '`') => {
                quote = None;
                rewritten.push('"');
            }
            (Some('`'), '"' | '\\') => rewritten.extend(['\\', character]),
            (Some('`'), '\n') => rewritten.push_str("\\n"),
            (None, '`') if inside => {
                quote = Some('`');
                rewritten.push('"');
            }
            _ => {
                rewritten.push(character);
                match (quote, character) {
                    (None, '"' | '\'') if inside => quote = Some(character),
                    (Some(open), _) if open == character && !escaped => quote = None,
                    (None, '{') if previous == '{' => inside = true,
                    (None, '}') if previous == '}' => inside = false,
                    _ => {}
                }
            }
        }
        escaped = character == '\\' && !escaped && quote.is_some_and(|open| open != '`');
        previous = character;
    }
    rewritten
}

/// The identifiers that follow any of `markers`.
fn names_after(text: &str, markers: &[&str]) -> Vec<String> {
    let mut names = Vec::new();
    for marker in markers {
        for (at, _) in text.match_indices(marker) {
            let rest = text.get(at + marker.len()..).unwrap_or("");
            let end = rest.find(|character: char| !character.is_alphanumeric() && character != '_');
            names.push(rest.get(..end.unwrap_or(rest.len())).unwrap_or("").to_owned());
        }
    }
    names.retain(|name| !name.is_empty());
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests;
