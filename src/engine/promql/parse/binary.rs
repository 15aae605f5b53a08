//! Binary operators and how they match vectors.

use std::sync::Arc;

use super::{Parsed, Parser, grown};
use crate::engine::promql::ParseError;
use crate::engine::promql::ast::{
    Binary, BinaryOp, Cardinality, ComparisonMode, Grouping, Matching, Node, Sign,
};
use crate::engine::promql::check::{self, error};
use crate::engine::promql::lexer::TokenKind;
use crate::engine::promql::text;

impl Parser<'_> {
    /// Whatever operators follow `left` and bind at least as tightly as `tightness`.
    pub(super) fn operations(&mut self, mut left: Parsed, tightness: u8) -> Result<Parsed, ParseError> {
        while let Some(op) = self.operator().filter(|op| op.precedence() >= tightness) {
            let op_span = self.take().span;
            let comparison = match self.take_keyword("bool") {
                Some(_) => ComparisonMode::Bool,
                None => ComparisonMode::Filter,
            };
            let matching = self.matching()?;
            // `^` groups from the right, all others from the left.
            let right = self.expression(op.precedence() + u8::from(op != BinaryOp::Pow))?;
            let span = left.expr.span.start..right.expr.span.end;
            let height = left.height.max(right.height);
            let binary = Binary { op, op_span, left: left.expr, right: right.expr, comparison, matching };
            check::binary(&binary)?;
            left = grown(span, Node::Binary(Box::new(binary)), height)?;
        }
        Ok(left)
    }

    fn operator(&self) -> Option<BinaryOp> {
        Some(match self.kind() {
            TokenKind::Plus => BinaryOp::Add,
            TokenKind::Minus => BinaryOp::Sub,
            TokenKind::Star => BinaryOp::Mul,
            TokenKind::Slash => BinaryOp::Div,
            TokenKind::Percent => BinaryOp::Mod,
            TokenKind::Caret => BinaryOp::Pow,
            TokenKind::Equal => BinaryOp::Equal,
            TokenKind::NotEqual => BinaryOp::NotEqual,
            TokenKind::Less => BinaryOp::Less,
            TokenKind::LessOrEqual => BinaryOp::LessOrEqual,
            TokenKind::Greater => BinaryOp::Greater,
            TokenKind::GreaterOrEqual => BinaryOp::GreaterOrEqual,
            TokenKind::TrimUpper => BinaryOp::TrimUpper,
            TokenKind::TrimLower => BinaryOp::TrimLower,
            TokenKind::Identifier => {
                let words = [BinaryOp::And, BinaryOp::Or, BinaryOp::Unless, BinaryOp::Atan2];
                return words.into_iter().find(|op| self.is_keyword(op.symbol()));
            }
            _ => return None,
        })
    }

    fn matching(&mut self) -> Result<Matching, ParseError> {
        let mut matching = Matching::default();
        let on = if self.take_keyword("on").is_some() {
            Some(Grouping::By(self.grouping()?))
        } else if self.take_keyword("ignoring").is_some() {
            Some(Grouping::Without(self.grouping()?))
        } else {
            None
        };
        if let Some(on) = on {
            matching.on = on;
            matching.cardinality = if self.take_keyword("group_left").is_some() {
                Cardinality::ManyToOne
            } else if self.take_keyword("group_right").is_some() {
                Cardinality::OneToMany
            } else {
                Cardinality::OneToOne
            };
            if matching.cardinality != Cardinality::OneToOne && self.kind() == TokenKind::LeftParen {
                matching.include = self.grouping()?;
            }
        } else if self.is_keyword("group_left") || self.is_keyword("group_right") {
            return Err(self
                .unexpected("vector matching", "")
                .or_advice("Say first which labels match, with on (…) or ignoring (…)."));
        }
        self.fills(&mut matching)?;
        Ok(matching)
    }

    /// `fill`, `fill_left` and `fill_right`, which are metric names where no parenthesis follows.
    fn fills(&mut self, matching: &mut Matching) -> Result<(), ParseError> {
        while self.ahead(1).kind == TokenKind::LeftParen {
            let (left, right) = match self.word(0).map(str::to_ascii_lowercase).as_deref() {
                Some("fill") => (true, true),
                Some("fill_left") => (true, false),
                Some("fill_right") => (false, true),
                _ => return Ok(()),
            };
            let span = self.take().span;
            if left && matching.fill_left.is_some() || right && matching.fill_right.is_some() {
                return Err(error(span, "the value that fills in for a side may be set only once"));
            }
            let value = self.fill_value()?;
            matching.fill_left = if left { Some(value) } else { matching.fill_left };
            matching.fill_right = if right { Some(value) } else { matching.fill_right };
        }
        Ok(())
    }

    fn fill_value(&mut self) -> Result<f64, ParseError> {
        let open = self.expect(TokenKind::LeftParen, "fill modifier", "\"(\"")?;
        let sign = self.take_sign().map_or(Sign::Plus, |(sign, _)| sign);
        let value = match (self.kind(), self.word(0).and_then(text::number)) {
            (TokenKind::Number | TokenKind::Duration, _) => self.literal()?.0,
            (_, Some(value)) => {
                self.take();
                value
            }
            _ => return Err(self.unexpected("fill modifier", "number")),
        };
        self.close(&open, "fill modifier")?;
        Ok(if sign == Sign::Minus { -value } else { value })
    }

    /// A list of label names in parentheses, bare or quoted.
    pub(super) fn grouping(&mut self) -> Result<Vec<Arc<str>>, ParseError> {
        const PLACE: &str = "grouping opts";
        self.expect(TokenKind::LeftParen, PLACE, "\"(\"")?;
        let mut labels: Vec<Arc<str>> = Vec::new();
        loop {
            match self.kind() {
                TokenKind::RightParen => break,
                TokenKind::Identifier if self.word(0).is_some_and(|word| !word.contains(':')) => {
                    let span = self.take().span;
                    labels.push(self.slice(&span).into());
                }
                TokenKind::String => {
                    let token = self.take();
                    let literal = self.string(&token)?;
                    let Some(name) = literal.label_name() else {
                        return Err(error(token.span, format!("invalid label name for grouping: {literal}")));
                    };
                    labels.push(Arc::clone(name));
                }
                _ => return Err(self.unexpected(PLACE, "label")),
            }
            if self.take_if(TokenKind::Comma).is_none() {
                break;
            }
        }
        self.expect(TokenKind::RightParen, PLACE, "\",\" or \")\"")?;
        Ok(labels)
    }
}
