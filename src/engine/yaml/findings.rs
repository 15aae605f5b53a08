//! Collects what is wrong with one file, and reads mappings key by key.

use std::ops::Range;
use std::time::Duration;

use super::notes::{Advice, Text};
use super::parse::{self, BRACES};
use super::pieces::KeptPieces;
use super::tree::{Node, Notation, Scalar, Value, name_of};
use crate::engine::diagnostic::{Diagnostic, Severity, Source, closest};
use crate::engine::duration::{DurationError, parse_duration};

/// Findings that are kept of one file; a person mends some and looks again.
const FINDINGS_MAX: usize = 200;

/// Characters of a message: a text of the file may be as long as the file.
const MESSAGE_CHARS_MAX: usize = 400;

/// What is wrong with one file.
#[derive(Debug)]
pub(crate) struct Findings<'a> {
    /// The file.
    pub(crate) source: &'a Source,
    /// Every finding.
    pub(crate) list: Vec<Diagnostic>,
    /// How many findings there were, those that are not kept included.
    pub(crate) found: usize,
    /// How many of them are not kept.
    left_out: usize,
    /// How many may be kept.
    room: usize,
    refused: bool,
    /// Where each line of the file begins.
    lines: Vec<usize>,
    /// Names to look up once every file is read, with their places.
    pub(crate) later: Vec<(String, Range<usize>)>,
}

impl<'a> Findings<'a> {
    /// Nothing found yet in this file.
    pub(crate) fn new(source: &'a Source) -> Self {
        let behind = source.text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(behind).collect();
        let (list, later) = (Vec::new(), Vec::new());
        Self { source, list, found: 0, left_out: 0, room: FINDINGS_MAX, refused: false, lines, later }
    }

    /// The line of a byte, from 1, and the byte at which it begins. However long the file is, that costs next to nothing.
    pub(crate) fn line(&self, at: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= at);
        (line, line.checked_sub(1).and_then(|before| self.lines.get(before)).copied().unwrap_or(0))
    }

    /// Whether no further finding is kept.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= FINDINGS_MAX - 1
    }

    /// Counts one that there is no room for, and whose words nobody needs then.
    pub(crate) fn leave_out(&mut self) {
        self.found += 1;
        self.left_out += 1;
    }

    /// Says how many are not kept, where there are any: once the file is read.
    pub(crate) fn tell_of_more(&mut self) {
        if self.left_out == 0 {
            return;
        }
        let (count, end) = (self.left_out, self.source.text.trim_end().len());
        let (are, them) = if count == 1 { ("finding is", "it") } else { ("findings are", "them") };
        self.room += 1;
        self.warning("more-findings", &(end..end), format!("{count} more {are} not shown of this file"))
            .advise(format!("Mend some, and look again to see {them}."));
    }

    /// Whether anything refuses the file.
    pub(crate) fn refuse(&self) -> bool {
        self.refused
    }

    /// Notes what refuses the file.
    pub(crate) fn error(
        &mut self,
        code: &'static str,
        span: &Range<usize>,
        message: impl Into<String>,
    ) -> Advice<'_> {
        self.add(Severity::Error, code, span, message.into())
    }

    /// Notes what is worth a look.
    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        span: &Range<usize>,
        message: impl Into<String>,
    ) -> Advice<'_> {
        self.add(Severity::Warning, code, span, message.into())
    }

    fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        span: &Range<usize>,
        message: String,
    ) -> Advice<'_> {
        self.found += 1;
        self.refused |= severity == Severity::Error;
        // The last place is for an error, should the file be refused by one that is not kept.
        let kept = self.list.iter().any(|finding| finding.severity == Severity::Error);
        let room = if kept || severity == Severity::Error { self.room } else { self.room - 1 };
        if self.list.len() >= room {
            self.left_out += 1;
            return Advice(None);
        }
        let (source, span, message) = (self.source.clone(), span.clone(), shortened(message));
        self.list.push(Diagnostic { severity, code, source, span, message, advice: None });
        Advice(self.list.last_mut())
    }

    /// The same as [`Self::document`] where the file's only key is `key`, of which only what changed is read.
    pub(crate) fn document_again(&mut self, key: &str, kept: &mut KeptPieces) -> Option<Node> {
        let text = self.source.text.clone();
        kept.read(&text, key).or_else(|| self.document())
    }

    /// The file as a tree; none of a file without a document or one that is no YAML, which is a finding.
    pub(crate) fn document(&mut self) -> Option<Node> {
        let text = self.source.text.clone();
        let document = match parse::read(&text) {
            Ok(document) => document,
            Err(problem) => {
                let advice = self.error("yaml", &problem.span, problem.message);
                if let Some(words) = problem.advice {
                    advice.advise(words);
                }
                return None;
            }
        };
        for problem in document.problems {
            let advice = self.error("duplicate-key", &problem.span, problem.message);
            advice.advise(problem.advice.unwrap_or_default());
        }
        if let Some(more) = document.more {
            self.warning("more-documents", &more, "only the first document is read, as in Prometheus")
                .advise("Put what follows into a file of its own.");
        }
        document.root
    }

    /// The text of a scalar; anything else is a finding.
    pub(crate) fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let scalar = node.scalar();
        if scalar.is_none() {
            self.error("wrong-type", &node.span, format!("{what} must be text, here is {}", node.kind()));
        }
        scalar.map(|scalar| scalar.text.as_str())
    }

    /// A duration in Prometheus' notation.
    pub(crate) fn duration(&mut self, node: &Node, what: &str) -> Option<Duration> {
        let text = self.text(node, what)?;
        match parse_duration(text) {
            Ok(span) => Some(span),
            Err(error) => {
                let message = format!("{what} {text:?}: {error}");
                let advice = match error {
                    DurationError::TooLong => "Prometheus counts up to about 292 years.".to_owned(),
                    DurationError::Empty | DurationError::Notation => advice_for_duration(text),
                };
                self.error("bad-duration", &node.span, message).advise(advice);
                None
            }
        }
    }

    /// A finite number.
    pub(crate) fn number(&mut self, node: &Node, what: &str) -> Option<f64> {
        let Some(Scalar { text, style: Notation::Plain }) = node.scalar() else {
            let message = format!("{what} must be a number, here is {}", node.kind());
            let advice = self.error("wrong-type", &node.span, message);
            if node.scalar().is_some_and(|scalar| scalar.text.parse::<f64>().is_ok()) {
                advice.advise("Take the quotes away.");
            }
            return None;
        };
        let word = text.trim_start_matches(['+', '-', '.']).to_ascii_lowercase();
        if matches!(word.as_str(), "nan" | "inf" | "infinity") {
            self.error("not-finite", &node.span, format!("{what} must be finite, here is {text}"))
                .advise("No value is ever beyond it: take a number.");
            return None;
        }
        match text.replace('_', "").parse::<f64>() {
            Ok(number) if number.is_finite() => Some(number),
            Ok(_) => {
                self.error("not-finite", &node.span, format!("{what} {text} is too large a number"));
                None
            }
            Err(_) => {
                self.error("wrong-type", &node.span, format!("{what} must be a number, here is {text:?}"))
                    .advise("Write it in the metric's base unit (seconds, bytes, a ratio from 0 to 1).");
                None
            }
        }
    }

    /// Keys and texts of a mapping; null is an empty one.
    pub(crate) fn texts(&mut self, node: &Node, what: &str) -> Vec<(Text, Text)> {
        let mut texts = Vec::new();
        for (key, value) in self.entries(node, what) {
            let empty = Scalar { text: String::new(), style: Notation::Plain };
            let value_scalar = if value.is_null() { Some(&empty) } else { value.scalar() };
            match (key.scalar(), value_scalar) {
                (Some(name), Some(text)) => {
                    texts.push((Text::new(name, &key.span), Text::new(text, &value.span)));
                }
                (None, _) => {
                    self.error("wrong-type", &key.span, format!("a name in {what} must be text"));
                }
                (Some(name), None) => {
                    let message = format!("`{}` in {what} must be text, here is {}", name.text, value.kind());
                    let is_template =
                        self.source.text.get(value.span.clone()).is_some_and(|text| text.starts_with("{{"));
                    let advice = self.error("wrong-type", &value.span, message);
                    if is_template {
                        advice.advise(BRACES);
                    }
                }
            }
        }
        texts
    }

    /// The entries of a mapping; null is an empty one, anything else a finding.
    pub(crate) fn entries<'n>(&mut self, node: &'n Node, what: &str) -> &'n [(Node, Node)] {
        match &node.value {
            Value::Mapping(entries) => entries,
            Value::Scalar(scalar) if scalar.is_null() => &[],
            Value::Scalar(_) | Value::Sequence(_) => {
                let message = format!("{what} must be a mapping, here is {}", node.kind());
                self.error("wrong-type", &node.span, message)
                    .advise("Write names with values, as in `{name: value}`.");
                &[]
            }
        }
    }

    /// The items of a list; null is an empty one, anything else a finding.
    pub(crate) fn items<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.value {
            Value::Sequence(items) => items,
            Value::Scalar(scalar) if scalar.is_null() => &[],
            Value::Scalar(_) | Value::Mapping(_) => {
                self.error(
                    "wrong-type",
                    &node.span,
                    format!("{what} must be a list, here is {}", node.kind()),
                )
                .advise("Each item stands on its own line and begins with `- `.");
                &[]
            }
        }
    }

    /// The known keys of a mapping; unknown ones are findings, with what to write `instead`.
    pub(crate) fn fields_with<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        known: &[&'static str],
        instead: impl Fn(&str) -> Option<&'static str>,
    ) -> Fields<'n> {
        let mut fields = Vec::new();
        for (key, value) in self.entries(node, what) {
            let name = name_of(key);
            if let Some(known) = known.iter().find(|known| **known == name) {
                fields.push((*known, key, value));
            } else if let Some(advice) = instead(name) {
                self.error("unknown-key", &key.span, format!("{what} has no key `{name}`")).advise(advice);
            } else {
                self.unknown_key(key, format!("{what} has no key `{name}`"), known);
            }
        }
        Fields { span: node.span.clone(), fields }
    }

    /// Notes a key that is none, with the one that was likely meant.
    pub(super) fn unknown_key(&mut self, key: &Node, message: String, known: &[&'static str]) {
        let near = closest(name_of(key), known.iter().copied());
        self.error("unknown-key", &key.span, message).advise(match near {
            Some(near) => format!("Did you mean `{near}`?"),
            None => format!("Its keys are {}.", known.join(", ")),
        });
    }
}

/// A message that quotes no more than a person reads of what stands in the file.
fn shortened(message: String) -> String {
    match message.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message,
    }
}

/// What to write instead of a text that is no duration.
fn advice_for_duration(text: &str) -> String {
    let trimmed = text.trim();
    if !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("Give the unit: `{trimmed}s`, `{trimmed}m` …");
    }
    "Write whole numbers with the units y, w, d, h, m, s, ms, as in `5m` or `1h30m`.".to_owned()
}

/// A mapping's values by their known keys.
#[derive(Debug)]
pub(crate) struct Fields<'n> {
    /// The whole mapping.
    pub(crate) span: Range<usize>,
    fields: Vec<(&'static str, &'n Node, &'n Node)>,
}

impl<'n> Fields<'n> {
    /// The value of a key, unless it is null.
    pub(crate) fn get(&self, name: &str) -> Option<&'n Node> {
        self.fields.iter().find(|(known, _, value)| *known == name && !value.is_null()).map(|field| field.2)
    }

    /// The key itself, for findings about its being there.
    pub(crate) fn key(&self, name: &str) -> Option<&'n Node> {
        self.fields.iter().find(|(known, _, value)| *known == name && !value.is_null()).map(|field| field.1)
    }

    /// Keys and values as they stand.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &'n Node)> + '_ {
        self.fields.iter().map(|(name, _, value)| (*name, *value))
    }
}
