//! A text with its place, and advice for what was just found.

use std::ops::Range;

use super::offsets::Offsets;
use super::tree::{Notation, Scalar};
use crate::engine::diagnostic::Diagnostic;

/// Adds advice to the finding just made.
#[derive(Debug)]
pub(crate) struct Advice<'a>(pub(super) Option<&'a mut Diagnostic>);

impl Advice<'_> {
    /// Says what to do.
    pub(crate) fn advise(self, advice: impl Into<String>) {
        if let Some(finding) = self.0 {
            finding.advice = Some(advice.into());
        }
    }
}

/// A text with its place.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    /// The text, escapes resolved.
    pub(crate) content: String,
    /// The bytes of the file it stands at, quotes included.
    pub(crate) span: Range<usize>,
    style: Notation,
}

impl Text {
    /// The text of a scalar that stands at `span`.
    pub(crate) fn new(scalar: &Scalar, span: &Range<usize>) -> Self {
        Self { content: scalar.text.clone(), span: span.clone(), style: scalar.style }
    }

    /// The same text where all before it grew or shrank.
    pub(crate) fn moved(self, move_by: impl Fn(&Range<usize>) -> Range<usize>) -> Self {
        Self { span: move_by(&self.span), ..self }
    }

    /// Where bytes of the text stand in the file.
    pub(crate) fn place(&self, file: &str, range: &Range<usize>) -> Range<usize> {
        let scalar = Scalar { text: self.content.clone(), style: self.style };
        let place = Offsets::new(file, &self.span, &scalar).map(range);
        if place.is_empty() && self.span.contains(&place.start) {
            place.start..place.start + 1
        } else {
            place
        }
    }
}
