//! Selectors and what follows them: ranges, subqueries, `offset`, `@`, `anchored`, `smoothed`.

use std::ops::Range;
use std::sync::Arc;

use super::{Parsed, Parser, grown};
use crate::engine::labels::METRIC_NAME;
use crate::engine::promql::ParseError;
use crate::engine::promql::ast::{At, Node, RangeMode, Shift, Sign, VectorSelector};
use crate::engine::promql::check::{self, advise, error};
use crate::engine::promql::lexer::{Token, TokenKind};
use crate::engine::promql::storage::{MatchCondition, Matcher};
use crate::engine::promql::text;

const SHIFTABLE: &str = "an instant vector selector or range vector selector or a subquery";

/// What stands between braces.
const MATCHER: &str = "A matcher is a label, one of = != =~ !~, and a value in quotes.";

impl Parser<'_> {
    /// `name`, `name{…}` or `{…}`.
    pub(super) fn selector(&mut self) -> Result<Parsed, ParseError> {
        let mut span = self.span();
        let mut selector = VectorSelector {
            name: None,
            matchers: Vec::new(),
            shift: Shift::default(),
            range_mode: RangeMode::default(),
        };
        if let Some(name) = self.word(0) {
            self.take();
            set_name(&mut selector, name);
        }
        if self.kind() == TokenKind::LeftBrace {
            let open = self.take();
            span.end = self.matchers(&mut selector, &open)?;
        }
        check::name_once(&selector, &span)?;
        grown(span, Node::Vector(selector), 0)
    }

    /// Reads matchers up to the closing brace; says where that ends.
    fn matchers(&mut self, selector: &mut VectorSelector, open: &Token) -> Result<usize, ParseError> {
        loop {
            if let Some(close) = self.take_if(TokenKind::RightBrace) {
                return Ok(close.span.end);
            }
            if self.kind() == TokenKind::End {
                return Err(advise(
                    open.span.clone(),
                    "unexpected end of input inside braces",
                    "The query ends before this { is closed: add the missing }.",
                ));
            }
            if let Some(name) = self.take_label() {
                selector.matchers.push(self.matcher(name)?);
            } else {
                let token = self
                    .expect(TokenKind::String, "label matching", "identifier or \"}\"")
                    .map_err(|error| error.or_advice(MATCHER))?;
                self.quoted(selector, &token)?;
            }
            if self.take_if(TokenKind::Comma).is_none()
                && !matches!(self.kind(), TokenKind::RightBrace | TokenKind::End)
            {
                let is_label = matches!(self.kind(), TokenKind::Identifier | TokenKind::String);
                let advice =
                    if is_label { "A comma is missing before it." } else { "A } is missing before it." };
                return Err(self.unexpected("label matching", "\",\" or \"}\"").or_advice(advice));
            }
        }
    }

    /// What begins with a name in quotes: the metric's, or the matcher of a label.
    fn quoted(&mut self, selector: &mut VectorSelector, token: &Token) -> Result<(), ParseError> {
        let name = Arc::clone(self.string(token)?.text());
        let is_metric = matches!(self.kind(), TokenKind::Comma | TokenKind::RightBrace);
        if name.is_empty() {
            let named = if is_metric { "metric" } else { "label" };
            return Err(error(token.span.clone(), format!("a {named} name must not be empty")));
        }
        if is_metric {
            set_name(selector, &name);
            return check::name_once(selector, &token.span);
        }
        selector.matchers.push(self.matcher(&name)?);
        Ok(())
    }

    /// The operator and value of the matcher for the label `name`.
    fn matcher(&mut self, name: &str) -> Result<Matcher, ParseError> {
        let operator = self.ahead(0);
        if !matches!(
            operator.kind,
            TokenKind::Assign | TokenKind::NotEqual | TokenKind::RegexMatch | TokenKind::RegexNoMatch
        ) {
            return Err(self.unexpected("label matching", "label matching operator").or_advice(MATCHER));
        }
        self.take();
        if self.kind() != TokenKind::String {
            return Err(self
                .unexpected("label matching", "string")
                .or_advice("The value of a label stands in quotes."));
        }
        let token = self.take();
        let value = Arc::clone(self.string(&token)?.text());
        let mut regex = || {
            self.patterns.anchored(&value).map_err(|wrong| {
                advise(
                    token.span.clone(),
                    wrong.to_string(),
                    "Patterns follow RE2's syntax and match the whole value.",
                )
            })
        };
        let condition = if operator.kind == TokenKind::RegexMatch {
            MatchCondition::Match(regex()?)
        } else if operator.kind == TokenKind::RegexNoMatch {
            MatchCondition::NoMatch(regex()?)
        } else if operator.kind == TokenKind::NotEqual {
            MatchCondition::NotEqual(value)
        } else {
            MatchCondition::Equal(value)
        };
        Ok(Matcher { name: name.into(), condition })
    }

    /// Whatever modifiers follow an operand.
    pub(super) fn modifiers(&mut self, mut parsed: Parsed) -> Result<Parsed, ParseError> {
        loop {
            if self.kind() == TokenKind::LeftBracket {
                parsed = self.range_or_subquery(parsed)?;
            } else if self.is_keyword("offset") {
                self.offset(&mut parsed)?;
            } else if self.kind() == TokenKind::At {
                self.at(&mut parsed)?;
            } else if self.is_keyword("anchored") {
                self.range_mode(&mut parsed, RangeMode::Anchored)?;
            } else if self.is_keyword("smoothed") {
                self.range_mode(&mut parsed, RangeMode::Smoothed)?;
            } else {
                return Ok(parsed);
            }
        }
    }

    fn range_or_subquery(&mut self, parsed: Parsed) -> Result<Parsed, ParseError> {
        let open = self.take();
        let range = self.positive_duration("subquery or range selector")?;
        let start = parsed.expr.span.start;
        if self.take_if(TokenKind::Colon).is_some() {
            let step = if self.kind() == TokenKind::RightBracket {
                None
            } else {
                Some(self.positive_duration("subquery selector")?)
            };
            let close = self.close_bracket(&open, "\"]\"")?;
            check::subquery(&parsed.expr)?;
            let node = Node::Subquery { expr: Box::new(parsed.expr), range, step, shift: Shift::default() };
            return grown(start..close.span.end, node, parsed.height);
        }
        let close = self.close_bracket(&open, "\":\" or \"]\"")?;
        let brackets = open.span.start..close.span.end;
        let Node::Vector(selector) = parsed.expr.node else {
            return Err(advise(
                brackets,
                "ranges only allowed for vector selectors",
                "For the range of an expression's results write a subquery, e.g. [5m:1m].",
            ));
        };
        let misplaced = match &selector.shift {
            Shift { offset: Some(_), .. } => Some("no offset modifiers allowed before range"),
            Shift { at: Some(_), .. } => Some("no @ modifiers allowed before range"),
            _ if selector.range_mode != RangeMode::Extrapolated => {
                Some("no anchored or smoothed modifiers allowed before range")
            }
            _ => None,
        };
        match misplaced {
            Some(message) => Err(advise(brackets, message, "Put the modifier behind the range.")),
            None => grown(start..close.span.end, Node::Matrix { selector, range }, 0),
        }
    }

    fn close_bracket(&mut self, open: &Token, wanted: &str) -> Result<Token, ParseError> {
        if self.kind() == TokenKind::End {
            return Err(advise(
                open.span.clone(),
                "unclosed left bracket",
                "The query ends before it is closed: add the missing ].",
            ));
        }
        self.expect(TokenKind::RightBracket, "subquery or range selector", wanted)
    }

    fn offset(&mut self, parsed: &mut Parsed) -> Result<(), ParseError> {
        let keyword = self.take().span;
        let offset = self.offset_duration()?;
        let end = self.end_of_last();
        let shift = shift(parsed, &keyword, "offset modifier")?;
        if shift.offset.replace(offset).is_some() {
            return Err(error(keyword, "offset may not be set multiple times per selector"));
        }
        parsed.expr.span.end = end;
        Ok(())
    }

    fn at(&mut self, parsed: &mut Parsed) -> Result<(), ParseError> {
        let sign = self.take().span;
        let at = self.instant()?;
        let end = self.end_of_last();
        let shift = shift(parsed, &sign, "@ modifier")?;
        if shift.at.replace(at).is_some() {
            return Err(error(sign, "@ <timestamp> may not be set multiple times per selector"));
        }
        parsed.expr.span.end = end;
        Ok(())
    }

    /// What follows `@`.
    fn instant(&mut self) -> Result<At, ParseError> {
        for (keyword, at) in [("start", At::Start), ("end", At::End)] {
            if self.take_keyword(keyword).is_some() {
                let open = self.expect(TokenKind::LeftParen, "@", "\"(\"")?;
                self.close(&open, "@")?;
                return Ok(at);
            }
        }
        let start = self.span().start;
        let sign = self.take_sign().map_or(Sign::Plus, |(sign, _)| sign);
        let (seconds, end) = match (self.kind(), self.word(0).and_then(text::number)) {
            (TokenKind::Number | TokenKind::Duration, _) => {
                let (seconds, span) = self.literal()?;
                (seconds, span.end)
            }
            (_, Some(seconds)) => (seconds, self.take().span.end),
            _ => {
                return Err(self
                    .unexpected("@", "timestamp")
                    .or_advice("Write seconds since the Unix epoch, start() or end()."));
            }
        };
        let millis = (if sign == Sign::Minus { -seconds } else { seconds } * 1e3).round();
        // The bounds themselves are no exact floats; what is at least as far is out.
        if millis.abs() < i64::MAX as f64 {
            Ok(At::Time(millis as i64))
        } else {
            Err(error(start..end, format!("timestamp out of bounds for @ modifier: {}", millis / 1e3)))
        }
    }

    fn range_mode(&mut self, parsed: &mut Parsed, mode: RangeMode) -> Result<(), ParseError> {
        let keyword = self.take().span;
        let (Node::Vector(selector) | Node::Matrix { selector, .. }) = &mut parsed.expr.node else {
            let word = self.slice(&keyword);
            return Err(error(keyword, format!("{word} modifier must be preceded by a selector")));
        };
        if !matches!(selector.range_mode, RangeMode::Extrapolated) && selector.range_mode != mode {
            return Err(error(keyword, "anchored and smoothed modifiers cannot be used together"));
        }
        selector.range_mode = mode;
        parsed.expr.span.end = keyword.end;
        Ok(())
    }
}

/// Where the modifier called `what` goes, where it may stand behind `parsed`.
fn shift<'e>(
    parsed: &'e mut Parsed,
    keyword: &Range<usize>,
    what: &str,
) -> Result<&'e mut Shift, ParseError> {
    let (Node::Vector(VectorSelector { shift, .. })
    | Node::Matrix { selector: VectorSelector { shift, .. }, .. }
    | Node::Subquery { shift, .. }) = &mut parsed.expr.node
    else {
        return Err(advise(
            keyword.clone(),
            format!("{what} must be preceded by {SHIFTABLE}"),
            "Put it directly behind the selector, inside the parentheses.",
        ));
    };
    Ok(shift)
}

fn set_name(selector: &mut VectorSelector, name: &str) {
    let name: Arc<str> = name.into();
    let matcher = Matcher { name: METRIC_NAME.into(), condition: MatchCondition::Equal(Arc::clone(&name)) };
    let first = selector.name.is_none();
    if first {
        selector.name = Some(name);
        selector.matchers.insert(0, matcher);
    } else {
        selector.matchers.push(matcher);
    }
}
