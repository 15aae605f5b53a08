//! What is wrong with something a person wrote: where it stands, what it is, and what to do.

use std::ops::Range;
use std::sync::Arc;

/// How much a diagnostic weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth a look; never refuses a load.
    Warning,
    /// Refuses the load of what holds it.
    Error,
}

/// A text a person wrote, with the name they know it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The path as it was given.
    pub name: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it weighs.
    pub severity: Severity,
    /// A short stable word for the kind of finding, e.g. `unknown-metric`; documented in `docs/diagnostics.md`.
    pub code: &'static str,
    /// The text it is about.
    pub source: Source,
    /// The bytes of `source.text` it points at.
    pub span: Range<usize>,
    /// What is wrong, as a lower-case fragment.
    pub message: String,
    /// What to do about it, as a sentence.
    pub advice: Option<String>,
}
