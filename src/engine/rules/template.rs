//! Templates of labels and annotations: Go templates with Prometheus' variables and functions.
//!
//! The engine is our own because the texts must read as Go prints them: its types decide what compares, what a missing
//! key is, and how a value prints. An expansion is bounded in steps, bytes and depth (`budget`). `query` reads through
//! whatever the caller evaluates with.

mod budget;
mod builtins;
mod call;
mod compare;
mod error;
mod escape;
mod float;
mod format;
mod functions;
mod host;
mod humanize;
mod instant;
mod lex;
mod number;
mod parse;
mod prometheus;
mod quote;
mod reads;
mod regexp_error;
mod run;
mod syntax;
mod value;

use std::fmt;
use std::sync::Arc;

use crate::engine::labels::Labels;
use crate::engine::time::Timestamp;
use budget::Budget;
use functions::Context;
use reads::Reads;
use run::Run;
use syntax::Tree;
use value::Data;

pub(crate) use budget::{EVALUATION_STEPS_MAX, EXPANSION_STEPS_MAX};
pub(crate) use error::{ExpandError, Problem, SyntaxError};

/// The names of every function, Go's own and Prometheus'.
pub(crate) fn function_names() -> impl Iterator<Item = &'static str> {
    functions::all().map(|function| function.name)
}

/// Bytes one expanded template may have.
pub(crate) const TEXT_BYTES_MAX: usize = 64 << 10;

/// What Prometheus puts in front of every template; places in its errors count it.
const PRELUDE: &str = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}\
                       {{$externalURL := .ExternalURL}}{{$value := .Value}}";

/// The variables that are there outside of definitions.
const VARIABLES: [&str; 5] = ["$", "$labels", "$externalLabels", "$externalURL", "$value"];

/// A template that parsed.
#[derive(Clone)]
pub(crate) struct Template {
    text: Arc<str>,
    compiled: Option<Arc<Compiled>>,
}

/// A text with actions.
struct Compiled {
    tree: Tree,
    reads: Reads,
}

/// What a template sees.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    /// `$labels`.
    pub(crate) labels: &'a Labels,
    /// `$value`.
    pub(crate) value: f64,
    /// `$externalLabels`.
    pub(crate) external_labels: &'a Labels,
    /// `$externalURL`.
    pub(crate) external_url: &'a str,
    /// What the function `externalURL` gives; none where there is none, as in promtool.
    pub(crate) own_url: Option<&'a str>,
    /// `now`.
    pub(crate) now: Timestamp,
}

/// What a query of a template found.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The result, or why there is none.
    pub(crate) samples: Result<Vec<(Labels, f64)>, String>,
    /// The steps it cost.
    pub(crate) steps: u64,
}

/// Answers a query of a template within so many steps.
pub(crate) type Ask<'a> = dyn FnMut(&str, u64) -> Answer + 'a;

/// What became of an expansion.
#[derive(Debug)]
pub(crate) struct Expansion {
    /// The text.
    pub(crate) text: Result<String, ExpandError>,
    /// The steps it took.
    pub(crate) steps: u64,
}

impl Template {
    /// A text that is taken as it stands.
    pub(crate) fn literal(text: &str) -> Self {
        Self { text: Arc::from(text), compiled: None }
    }

    /// Parses a template.
    ///
    /// # Errors
    ///
    /// A text whose actions are no Go template, or name functions or variables that are not there.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        if !text.contains("{{") {
            return Ok(Self::literal(text));
        }
        let tree = parse::parse(text, &VARIABLES).map_err(|refused| Problem::new(text, refused))?;
        let reads = Reads::of(&tree);
        Ok(Self { text: Arc::from(text), compiled: Some(Arc::new(Compiled { tree, reads })) })
    }

    /// The text as it stands in the file.
    pub(crate) const fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Whether it is the same text whatever it is expanded with.
    pub(crate) const fn is_literal(&self) -> bool {
        self.compiled.is_none()
    }

    /// Whether it may read differently for the same labels and value: it asks a query, or the time.
    pub(crate) fn is_volatile(&self) -> bool {
        self.compiled.as_ref().is_some_and(|compiled| compiled.reads.is_volatile)
    }

    /// Whether it prints the value, or decides by it.
    pub(crate) fn reads_value(&self) -> bool {
        self.compiled.as_ref().is_some_and(|compiled| compiled.reads.value)
    }

    /// The labels of the alert it names (`$labels.queue`).
    pub(crate) fn label_names(&self) -> &[Arc<str>] {
        self.compiled.as_ref().map_or(&[], |compiled| &compiled.reads.labels)
    }

    /// Expands it in at most `steps`, of which it takes no more than [`EXPANSION_STEPS_MAX`].
    pub(crate) fn expand(&self, scope: Scope<'_>, ask: &mut Ask<'_>, steps: u64) -> Expansion {
        let Some(compiled) = &self.compiled else {
            return Expansion { text: Ok(self.text.to_string()), steps: 0 };
        };
        let steps = steps.min(EXPANSION_STEPS_MAX);
        let mut budget = Budget::new(steps);
        let context = Context { budget: &mut budget, ask, now: scope.now, external_url: scope.own_url };
        let data = Data {
            labels: scope.labels.clone(),
            external_labels: scope.external_labels.clone(),
            external_url: Arc::from(scope.external_url),
            value: scope.value,
        };
        let text = Run::new(&compiled.tree, context).text(data);
        let text = text.map_err(|failure| ExpandError::new(&self.text, failure));
        Expansion { text, steps: steps - budget.left() }
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

#[cfg(test)]
mod tests;
