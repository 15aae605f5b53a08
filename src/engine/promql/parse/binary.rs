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

/// What messages call a list of labels to group by.
const GROUPING: &str = "grouping opts";

/// The operators that are written in symbols.
const SYMBOLS: [(TokenKind, BinaryOp); 14] = [
    (TokenKind::Plus, BinaryOp::Add),
    (TokenKind::Minus, BinaryOp::Sub),
    (TokenKind::Star, BinaryOp::Mul),
    (TokenKind::Slash, BinaryOp::Div),
    (TokenKind::Percent, BinaryOp::Mod),
    (TokenKind::Caret, BinaryOp::Pow),
    (TokenKind::Equal, BinaryOp::Equal),
    (TokenKind::NotEqual, BinaryOp::NotEqual),
    (TokenKind::Less, BinaryOp::Less),
    (TokenKind::LessOrEqual, BinaryOp::LessOrEqual),
    (TokenKind::Greater, BinaryOp::Greater),
    (TokenKind::GreaterOrEqual, BinaryOp::GreaterOrEqual),
    (TokenKind::TrimUpper, BinaryOp::TrimUpper),
    (TokenKind::TrimLower, BinaryOp::TrimLower),
];

/// The operators that are words.
const WORDS: [BinaryOp; 4] = [BinaryOp::And, BinaryOp::Or, BinaryOp::Unless, BinaryOp::Atan2];

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

    /// The next token where it is an operator.
    pub(super) fn operator(&self) -> Option<BinaryOp> {
        let kind = self.kind();
        if kind == TokenKind::Identifier {
            return WORDS.into_iter().find(|op| self.is_keyword(op.symbol()));
        }
        SYMBOLS.into_iter().find(|(symbol, _)| *symbol == kind).map(|(_, op)| op)
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
        let label = self.word(0).map(|label| format!("Labels stand in parentheses: ({label})."));
        self.expect(TokenKind::LeftParen, GROUPING, "\"(\"").map_err(|error| match &label {
            Some(advice) => error.or_advice(advice),
            None => error,
        })?;
        let mut labels: Vec<Arc<str>> = Vec::new();
        while self.kind() != TokenKind::RightParen {
            labels.push(self.grouping_label()?);
            if self.take_if(TokenKind::Comma).is_none() {
                break;
            }
        }
        self.expect(TokenKind::RightParen, GROUPING, "\",\" or \")\"")?;
        Ok(labels)
    }

    fn grouping_label(&mut self) -> Result<Arc<str>, ParseError> {
        if let Some(name) = self.take_label() {
            return Ok(name.into());
        }
        let token = self.expect(TokenKind::String, GROUPING, "label")?;
        let literal = self.string(&token)?;
        match literal.label_name() {
            Some(name) => Ok(Arc::clone(name)),
            None => Err(error(token.span, format!("invalid label name for grouping: {literal}"))),
        }
    }
}
