//! From text to a checked syntax tree.
//!
//! One function a rule of Prometheus' grammar, operators by their precedence. Mistakes carry the bytes at fault, what
//! is wrong in Prometheus' words where it has some, and what to do. The size of a query and the height of its tree
//! are bounded, so that no text can exhaust the stack, here or in what walks the tree later.

mod binary;
mod call;
mod cut_short;
mod duration;
mod remedy;
mod selector;
mod suggest;

use std::ops::Range;

use super::ParseError;
use super::ast::{Expr, Literal, Node, Sign, VectorSelector};
use super::check::{self, advise, error};
use super::inspect::UNARY_PRECEDENCE;
use super::lexer::{self, Flaw, Token, TokenKind};
use super::storage::MatchCondition;
use super::text;
use crate::engine::labels::Labels;
use crate::engine::pattern::PatternBudget;

pub(super) use cut_short::cut_short;

/// The longest query text, in bytes.
pub(crate) const QUERY_BYTES_MAX: usize = 256 * 1024;

/// The highest tree: a chain of `a + b + c …` grows by one with each operator.
pub const HEIGHT_MAX: usize = 256;

/// How deep parentheses, calls and signs may nest.
pub const NESTING_MAX: usize = 100;

/// Words that no metric may be called outside braces.
const RESERVED: [&str; 6] = ["atan2", "bool", "group_left", "group_right", "ignoring", "on"];

/// Reads one PromQL expression.
///
/// # Errors
/// The first mistake in reading order: what Prometheus refuses to parse, and what exceeds [`QUERY_BYTES_MAX`],
/// [`HEIGHT_MAX`] or [`NESTING_MAX`].
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    if text.len() > QUERY_BYTES_MAX {
        return Err(advise(
            0..0,
            format!("the query has {} bytes, {QUERY_BYTES_MAX} are allowed", text.len()),
            "Split it into recording rules.",
        ));
    }
    let mut parser = Parser::new(text);
    if parser.kind() == TokenKind::End {
        return Err(error(0..text.len(), "no expression found in input"));
    }
    let parsed = parser.expression(0)?;
    if parser.kind() != TokenKind::End {
        return Err(parser.unexpected("", ""));
    }
    check::selectors(&parsed.expr)?;
    Ok(parsed.expr)
}

/// Reads a label set, written as a selector whose matchers all say `=`.
pub(super) fn label_set(text: &str) -> Result<Labels, ParseError> {
    let text = text.get(..QUERY_BYTES_MAX).unwrap_or(text);
    let mut parser = Parser::new(text);
    if !matches!(parser.kind(), TokenKind::Identifier | TokenKind::LeftBrace) {
        return Err(parser.unexpected("label set", "identifier or \"{\""));
    }
    let selector = parser.selector()?;
    if parser.kind() != TokenKind::End {
        return Err(parser.unexpected("label set", ""));
    }
    let Node::Vector(VectorSelector { matchers, .. }) = selector.expr.node else {
        return Err(error(selector.expr.span, "this is no label set"));
    };
    let pairs = matchers.into_iter().map(|matcher| match matcher.condition {
        MatchCondition::Equal(value) => Some((matcher.name, value)),
        MatchCondition::NotEqual(_)
        | MatchCondition::OneOf(_)
        | MatchCondition::Match(_)
        | MatchCondition::NoMatch(_) => None,
    });
    match pairs.collect::<Option<Vec<_>>>() {
        Some(pairs) => Ok(Labels::collect(pairs)),
        None => Err(error(selector.expr.span, "a label set has only = between names and values")),
    }
}

/// An expression and the height of its tree.
struct Parsed {
    expr: Expr,
    height: usize,
}

struct Parser<'a> {
    text: &'a str,
    /// Ends with [`TokenKind::End`] or [`TokenKind::Bad`]; never empty.
    tokens: Vec<Token>,
    at: usize,
    /// How deep the recursion is.
    depth: usize,
    /// The first token of the duration being read.
    duration_start: usize,
    patterns: PatternBudget,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        let patterns = PatternBudget::default();
        Self { text, tokens: lexer::tokens(text), at: 0, depth: 0, duration_start: 0, patterns }
    }

    fn ahead(&self, count: usize) -> Token {
        let last = self.tokens.len().saturating_sub(1);
        let end = self.text.len();
        let token = self.tokens.get(self.at.saturating_add(count).min(last));
        token.cloned().unwrap_or(Token { kind: TokenKind::End, span: end..end })
    }

    fn kind(&self) -> TokenKind {
        self.ahead(0).kind
    }

    fn span(&self) -> Range<usize> {
        self.ahead(0).span
    }

    /// Takes the next token; the last one stays.
    fn take(&mut self) -> Token {
        let token = self.ahead(0);
        if !matches!(token.kind, TokenKind::End | TokenKind::Bad(_)) {
            self.at += 1;
        }
        token
    }

    fn take_if(&mut self, kind: TokenKind) -> Option<Token> {
        (self.kind() == kind).then(|| self.take())
    }

    fn slice(&self, span: &Range<usize>) -> &'a str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// The text of the token `count` ahead, where it is a name or keyword.
    fn word(&self, count: usize) -> Option<&'a str> {
        let token = self.ahead(count);
        (token.kind == TokenKind::Identifier).then(|| self.slice(&token.span))
    }

    /// Takes the next token where it can name a label: a name without colons.
    fn take_label(&mut self) -> Option<&'a str> {
        let name = self.word(0).filter(|word| !word.contains(':'))?;
        self.take();
        Some(name)
    }

    fn is_keyword(&self, keyword: &str) -> bool {
        self.word(0).is_some_and(|word| word.eq_ignore_ascii_case(keyword))
    }

    fn take_keyword(&mut self, keyword: &str) -> Option<Token> {
        self.is_keyword(keyword).then(|| self.take())
    }

    /// Takes the next token where it is a sign.
    fn take_sign(&mut self) -> Option<(Sign, Token)> {
        let signs = [(TokenKind::Plus, Sign::Plus), (TokenKind::Minus, Sign::Minus)];
        signs.into_iter().find_map(|(kind, sign)| self.take_if(kind).map(|token| (sign, token)))
    }

    fn expect(&mut self, kind: TokenKind, place: &str, wanted: &str) -> Result<Token, ParseError> {
        self.take_if(kind).ok_or_else(|| self.unexpected(place, wanted))
    }

    /// Takes the parenthesis that closes the one at `open`.
    fn close(&mut self, open: &Token, place: &str) -> Result<Token, ParseError> {
        if self.kind() == TokenKind::End {
            return Err(advise(
                open.span.clone(),
                "unclosed left parenthesis",
                "The query ends before it is closed: add the missing ).",
            ));
        }
        self.expect(TokenKind::RightParen, place, "\",\" or \")\"")
            .map_err(|error| error.or_advice("An operator, a comma or a ) is missing here."))
    }

    /// The next token does not belong here; `place` and `wanted` may be empty.
    fn unexpected(&self, place: &str, wanted: &str) -> ParseError {
        let token = self.ahead(0);
        if let TokenKind::Bad(flaw) = token.kind {
            return self.flaw(flaw, token.span);
        }
        let found = self.shown(&token);
        let is_grouped = self.is_keyword("by") || self.is_keyword("without");
        let is_known = place.is_empty() || token.kind == TokenKind::End || is_grouped;
        let advice = if is_known { self.remedy(&token) } else { None };
        let place = if place.is_empty() { String::new() } else { format!(" in {place}") };
        let wanted = if wanted.is_empty() { String::new() } else { format!(", expected {wanted}") };
        let message = format!("unexpected {found}{place}{wanted}");
        ParseError { span: token.span, message, advice }
    }

    /// How messages name a token.
    fn shown(&self, token: &Token) -> String {
        let slice = self.slice(&token.span);
        if token.kind == TokenKind::End {
            "end of input".to_owned()
        } else if token.kind == TokenKind::Identifier {
            format!("identifier \"{slice}\"")
        } else if token.kind == TokenKind::Number {
            format!("number \"{slice}\"")
        } else if token.kind == TokenKind::Duration {
            format!("duration \"{slice}\"")
        } else if token.kind == TokenKind::String {
            format!("string {slice}")
        } else if token.kind == TokenKind::RightParen {
            "right parenthesis ')'".to_owned()
        } else {
            format!("\"{slice}\"")
        }
    }

    fn flaw(&self, flaw: Flaw, span: Range<usize>) -> ParseError {
        let slice = self.slice(&span);
        match flaw {
            Flaw::UnclosedString => advise(
                span.start..span.start.saturating_add(1).min(span.end),
                "unterminated quoted string",
                "Close it with the quote it begins with, on the same line unless that is a backtick.",
            ),
            Flaw::Number => advise(
                span,
                format!("bad number or duration syntax: \"{slice}\""),
                "Durations are whole numbers with ms, s, m, h, d, w or y, e.g. 1h30m.",
            ),
            Flaw::Character if slice.is_ascii() => self.sign(&span),
            Flaw::Character => advise(
                span,
                format!("unexpected character: '{slice}'"),
                "A name with such characters stands in quotes inside braces, e.g. {\"größe\"}.",
            ),
        }
    }

    /// Where the token before the next one ends.
    fn end_of_last(&self) -> usize {
        let before = self.at.checked_sub(1).and_then(|before| self.tokens.get(before));
        before.map_or(0, |token| token.span.end)
    }

    /// One level deeper in the recursion.
    fn deeper<T>(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        if self.depth >= NESTING_MAX {
            return Err(too_high(self.span(), NESTING_MAX));
        }
        self.depth += 1;
        let result = inside(self);
        self.depth -= 1;
        result
    }

    /// An expression of operators that bind at least as tightly as `tightness`.
    fn expression(&mut self, tightness: u8) -> Result<Parsed, ParseError> {
        self.deeper(|parser| {
            let first = parser.signed()?;
            parser.operations(first, tightness)
        })
    }

    /// An operand with the signs in front of it.
    fn signed(&mut self) -> Result<Parsed, ParseError> {
        let Some((sign, token)) = self.take_sign() else {
            let primary = self.primary()?;
            return self.modifiers(primary);
        };
        // Only `^` binds tighter than a sign.
        let operand = self.expression(UNARY_PRECEDENCE + 1)?;
        let span = token.span.start..operand.expr.span.end;
        if let Node::Number(value) = operand.expr.node {
            let value = if sign == Sign::Minus { -value } else { value };
            return grown(span, Node::Number(value), 0);
        }
        check::unary(sign, &operand.expr)?;
        grown(span, Node::Unary { sign, expr: Box::new(operand.expr) }, operand.height)
    }

    fn primary(&mut self) -> Result<Parsed, ParseError> {
        if matches!(self.kind(), TokenKind::Number | TokenKind::Duration) {
            let (value, span) = self.literal()?;
            grown(span, Node::Number(value), 0)
        } else if let Some(token) = self.take_if(TokenKind::String) {
            let value = self.string(&token)?;
            grown(token.span, Node::String(value), 0)
        } else if let Some(open) = self.take_if(TokenKind::LeftParen) {
            let inner = self.expression(0)?;
            let close = self.close(&open, "parentheses")?;
            let span = open.span.start..close.span.end;
            grown(span, Node::Paren(Box::new(inner.expr)), inner.height)
        } else if self.kind() == TokenKind::LeftBrace {
            self.selector()
        } else if self.kind() == TokenKind::Identifier {
            self.named()
        } else {
            Err(self.unexpected("", ""))
        }
    }

    /// What begins with a name: a call, an aggregation, a number in words, or a selector.
    fn named(&mut self) -> Result<Parsed, ParseError> {
        let word = self.word(0).unwrap_or_default();
        if let Some(op) = self.aggregation_ahead() {
            return self.aggregation(op);
        }
        if self.ahead(1).kind == TokenKind::LeftParen {
            return self.call();
        }
        if let Some(value) = text::number(word) {
            let span = self.take().span;
            return grown(span, Node::Number(value), 0);
        }
        if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word)) {
            return Err(self
                .unexpected("", "")
                .or_advice(&format!("A metric of that name is written {{__name__=\"{word}\"}}.")));
        }
        self.selector()
    }

    /// A number or duration, with its value in seconds for a duration.
    fn literal(&mut self) -> Result<(f64, Range<usize>), ParseError> {
        let token = self.take();
        let slice = self.slice(&token.span);
        if token.kind == TokenKind::Number {
            return match text::number(slice) {
                Some(value) => Ok((value, token.span)),
                None => Err(error(token.span, format!("error parsing number: \"{slice}\""))),
            };
        }
        match text::duration_seconds(slice) {
            Some(value) if value <= duration::SECONDS_MAX => Ok((value, token.span)),
            Some(_) => Err(error(token.span, "duration out of range")),
            None => Err(advise(
                token.span,
                format!("not a valid duration string: \"{slice}\""),
                "Whole numbers with y, w, d, h, m, s, ms, each at most once and in this order.",
            )),
        }
    }

    fn string(&self, token: &Token) -> Result<Literal, ParseError> {
        text::unquote(self.slice(&token.span)).map_err(|bad| {
            let at = token.span.start.saturating_add(bad.at);
            advise(
                at..at.saturating_add(1),
                "invalid escape in quoted string",
                "Write a backslash as \\\\, or put the text between backticks, where nothing is escaped.",
            )
        })
    }
}

/// Makes a node whose tallest part has the height `inner`.
fn grown(span: Range<usize>, node: Node, inner: usize) -> Result<Parsed, ParseError> {
    let height = inner.saturating_add(1);
    if height > HEIGHT_MAX {
        return Err(too_high(span, HEIGHT_MAX));
    }
    Ok(Parsed { expr: Expr { span, node, twin: None }, height })
}

fn too_high(span: Range<usize>, levels: usize) -> ParseError {
    advise(
        span,
        format!("the expression is nested deeper than {levels} levels"),
        "Split it into recording rules.",
    )
}

impl ParseError {
    /// The same error, with this advice where it has none.
    fn or_advice(mut self, advice: &str) -> Self {
        self.advice.get_or_insert_with(|| advice.to_owned());
        self
    }
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
