//! Why a text is no template, and why a template has no text: in Go's words, with the place.

use std::ops::Range;
use std::sync::Arc;

use super::budget::Fault;
use super::functions;
use super::lex::Wrong;
use super::quote::quoted;
use super::run::Failure;
use super::{PRELUDE, VARIABLES};
use crate::engine::diagnostic::closest;

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub(crate) struct Problem {
    /// The bytes of the template at fault.
    pub(crate) span: Range<usize>,
    /// What is wrong.
    pub(crate) error: SyntaxError,
}

/// What is wrong with a template, in Go's words where it has some.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(not(test), expect(clippy::missing_docs_in_private_items, reason = "each says it in its words"))]
pub(crate) enum SyntaxError {
    #[error("{0}")]
    NoToken(Wrong),
    #[error("bad number syntax: {0}")]
    BadNumber(String),
    #[error("illegal number syntax: {0}")]
    IllegalNumber(String),
    #[error("integer overflow: {0}")]
    IntegerOverflow(String),
    #[error("malformed character constant: {0}")]
    MalformedCharacter(String),
    #[error("invalid syntax")]
    InvalidSyntax,
    #[error("unexpected {0}")]
    Unexpected(String),
    #[error("unexpected EOF")]
    UnclosedBlock,
    #[error("expected end; found {{{{else}}}}")]
    SecondElse,
    #[error("missing value for {0}")]
    MissingValue(&'static str),
    #[error("empty command")]
    EmptyCommand,
    #[error("non executable command in pipeline stage {0}")]
    NotExecutable(usize),
    #[error("too many declarations in {0}")]
    TooManyVariables(&'static str),
    #[error("range can only initialize variables")]
    RangeInitialisesVariables,
    #[error("unexpected . after term {0}")]
    FieldOfConstant(String),
    #[error("function {} not defined", quoted(.0))]
    UnknownFunction(String),
    #[error("undefined variable {}", quoted(.0))]
    UndefinedVariable(String),
    #[error("{{{{{0}}}}} outside {{{{range}}}}")]
    OutsideRange(String),
    #[error("template: multiple definition of template {0}")]
    DefinedTwice(String),
    /// Another action begins before this one is closed.
    #[error("unclosed action")]
    UnclosedAction,
    #[error("blocks and parentheses nest deeper than {}", super::parse::NESTING_MAX)]
    TooDeep,
}

impl Problem {
    pub(super) fn new(text: &str, (error, span): (SyntaxError, Range<usize>)) -> Self {
        // The words of a text that an action runs on into are no functions.
        let is_word = matches!(error, SyntaxError::UnknownFunction(_));
        match unclosed(text, span.start) {
            Some((open, Until::AnotherAction)) => Self { span: open, error: SyntaxError::UnclosedAction },
            Some((open, Until::End)) if is_word => Self { span: open, error: SyntaxError::UnclosedAction },
            Some((_, Until::End)) | None => Self { span, error },
        }
    }

    /// What to do about it, as a sentence.
    pub(crate) fn advice(&self) -> Option<String> {
        match &self.error {
            SyntaxError::UnclosedAction | SyntaxError::NoToken(Wrong::UnclosedAction) => {
                Some("Its `}}` is missing.".to_owned())
            }
            SyntaxError::UnknownFunction(name) if VARIABLES.contains(&format!("${name}").as_str()) => {
                Some(format!("A variable has a dollar: `${name}`."))
            }
            SyntaxError::UnknownFunction(name) => Some(functions::near(name).map_or_else(
                || "Text stands outside of `{{ }}`, or in quotes.".to_owned(),
                |near| format!("Did you mean `{near}`?"),
            )),
            SyntaxError::UndefinedVariable(name) => {
                closest(name, VARIABLES.into_iter().skip(1)).map(|near| format!("Did you mean `{near}`?"))
            }
            SyntaxError::UnclosedBlock => Some("Its `{{ end }}` is missing.".to_owned()),
            SyntaxError::Unexpected(what) if what.starts_with("\"}\" ") => {
                Some("An action ends with `}}`.".to_owned())
            }
            SyntaxError::Unexpected(what)
                if ["\"=\" ", "\">\" ", "\"<\" ", "\"!\" "].iter().any(|sign| what.starts_with(sign)) =>
            {
                Some(
                    "Compare with `eq`, `ne`, `gt` or `lt`, as in `{{ if eq $labels.queue \"bulk\" }}`."
                        .to_owned(),
                )
            }
            SyntaxError::Unexpected(what) if what.as_str() == "{{end}}" => {
                Some("No `if`, `with`, `range` or `define` is open here.".to_owned())
            }
            SyntaxError::TooDeep => Some("Take it apart with `{{ define }}` or `else if`.".to_owned()),
            SyntaxError::NoToken(_)
            | SyntaxError::BadNumber(_)
            | SyntaxError::IllegalNumber(_)
            | SyntaxError::IntegerOverflow(_)
            | SyntaxError::MalformedCharacter(_)
            | SyntaxError::InvalidSyntax
            | SyntaxError::Unexpected(_)
            | SyntaxError::SecondElse
            | SyntaxError::MissingValue(_)
            | SyntaxError::EmptyCommand
            | SyntaxError::NotExecutable(_)
            | SyntaxError::TooManyVariables(_)
            | SyntaxError::RangeInitialisesVariables
            | SyntaxError::FieldOfConstant(_)
            | SyntaxError::OutsideRange(_)
            | SyntaxError::DefinedTwice(_) => None,
        }
    }
}

/// How far an action goes that nothing closes.
#[derive(Clone, Copy)]
enum Until {
    /// To where another one opens.
    AnotherAction,
    /// To the end of the text.
    End,
}

/// The opening delimiter of the action that holds `at`, where nothing closes it.
fn unclosed(text: &str, at: usize) -> Option<(Range<usize>, Until)> {
    let open = text.get(..at).and_then(|before| before.rfind("{{"))?;
    let inside = text.get(open + 2..)?;
    let mut quote = None;
    let mut characters = inside.char_indices();
    while let Some((at, character)) = characters.next() {
        match (quote, character) {
            (Some('"' | '\''), '\\') => {
                characters.next();
            }
            (Some(open), _) if open == character => quote = None,
            (None, '"' | '`') => quote = Some(character),
            (None, '}') if inside.get(at..).is_some_and(|rest| rest.starts_with("}}")) => return None,
            (None, '{') if inside.get(at..).is_some_and(|rest| rest.starts_with("{{")) => {
                return Some((open..open + 2, Until::AnotherAction));
            }
            (Some(_) | None, _) => {}
        }
    }
    quote.is_none().then_some((open..open + 2, Until::End))
}

/// Why a template has no text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct ExpandError {
    /// What fails, in Go's words where it has some.
    reason: String,
    /// The defined template that ran, where it was not the whole.
    template: Option<Arc<str>>,
    /// As Go counts them: lines from 1, bytes from 0, Prometheus' prelude counted.
    line: usize,
    column: usize,
    /// The part of the template.
    part: String,
    /// Whether its steps were spent.
    is_cut: bool,
}

impl ExpandError {
    pub(super) fn new(text: &str, failure: Failure) -> Self {
        let before = text.get(..failure.at).unwrap_or(text);
        let (line, column) = match before.rfind('\n') {
            None => (1, before.len() + PRELUDE.len()),
            Some(newline) => (1 + before.matches('\n').count(), before.len() - newline - 1),
        };
        let is_cut = failure.fault == Fault::TooManySteps;
        let reason = match failure.fault {
            Fault::Message(message) => message,
            Fault::TooManySteps => "the steps of an expansion are spent".to_owned(),
            Fault::TooLong => format!("the text is longer than {} bytes", super::TEXT_BYTES_MAX),
            Fault::TooDeep => "templates call each other too deep".to_owned(),
        };
        Self { reason, template: failure.template, line, column, part: failure.part, is_cut }
    }

    /// Whether it failed because its steps were spent.
    pub(crate) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// What Prometheus says in place of the text, for an alert of this name.
    pub(crate) fn in_prometheus(&self, alert: &str) -> String {
        let name = format!("__alert_{alert}");
        let Self { reason, line, column, part, .. } = self;
        let running = quoted(self.template.as_deref().unwrap_or(&name));
        format!(
            "<error expanding template: error executing template {name}: template: {name}:{line}:{column}: \
             executing {running} at <{part}>: {reason}>"
        )
    }
}
