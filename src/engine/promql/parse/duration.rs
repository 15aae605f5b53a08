//! Durations in brackets and after `offset`, with their arithmetic.

use std::ops::Range;

use super::Parser;
use crate::engine::promql::ParseError;
use crate::engine::promql::ast::{BinaryOp, DurationExpr, DurationNode, Sign};
use crate::engine::promql::check::{advise, error};
use crate::engine::promql::inspect::{UNARY_PRECEDENCE, is_constant, seconds};
use crate::engine::promql::lexer::TokenKind;

/// The longest duration in seconds: what fits a count of nanoseconds in 64 bits, as in Prometheus.
pub(super) const SECONDS_MAX: f64 = 9_223_372_036.0;

/// How many tokens one duration may take, and thereby how high its tree grows.
const TOKENS_MAX: usize = 256;

impl Parser<'_> {
    /// A range or a step: a duration that must not be zero or negative where it is known already.
    pub(super) fn positive_duration(&mut self, place: &str) -> Result<DurationExpr, ParseError> {
        self.duration_start = self.at;
        let duration = self.duration(0, place)?;
        if is_constant(&duration) && seconds(&duration, 0.0, 0.0) <= 0.0 {
            return Err(error(duration.span, "duration must be greater than 0"));
        }
        in_bounds(duration)
    }

    /// What follows `offset`: arithmetic only in parentheses, since an operator would be the query's.
    pub(super) fn offset_duration(&mut self) -> Result<DurationExpr, ParseError> {
        let place = "offset";
        self.duration_start = self.at;
        let Some((sign, token)) = self.take_sign() else {
            return in_bounds(self.duration_operand(place)?);
        };
        let operand = self.duration_operand(place)?;
        in_bounds(signed(sign, token.span.start, operand))
    }

    fn duration(&mut self, tightness: u8, place: &str) -> Result<DurationExpr, ParseError> {
        self.deeper(|parser| {
            let mut left = parser.signed_duration(place)?;
            while let Some(op) = parser.duration_operator().filter(|op| op.precedence() >= tightness) {
                let at = parser.take().span;
                if parser.at.saturating_sub(parser.duration_start) > TOKENS_MAX {
                    return Err(super::too_high(at, TOKENS_MAX));
                }
                let right = parser.duration(op.precedence() + u8::from(op != BinaryOp::Pow), place)?;
                left = operation(op, &at, left, right)?;
            }
            Ok(left)
        })
    }

    fn duration_operator(&self) -> Option<BinaryOp> {
        self.operator().filter(|op| {
            matches!(
                op,
                BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod | BinaryOp::Pow
            )
        })
    }

    fn signed_duration(&mut self, place: &str) -> Result<DurationExpr, ParseError> {
        let Some((sign, token)) = self.take_sign() else { return self.duration_operand(place) };
        let operand = self.duration(UNARY_PRECEDENCE + 1, place)?;
        Ok(signed(sign, token.span.start, operand))
    }

    fn duration_operand(&mut self, place: &str) -> Result<DurationExpr, ParseError> {
        if matches!(self.kind(), TokenKind::Number | TokenKind::Duration) {
            let (seconds, span) = self.literal()?;
            Ok(DurationExpr { span, node: DurationNode::Seconds(seconds) })
        } else if let Some(open) = self.take_if(TokenKind::LeftParen) {
            let inner = self.duration(0, place)?;
            let close = self.close(&open, place)?;
            Ok(DurationExpr { span: open.span.start..close.span.end, node: inner.node })
        } else if self.kind() == TokenKind::Identifier && self.ahead(1).kind == TokenKind::LeftParen {
            self.duration_function(place)
        } else {
            Err(self.unexpected(place, "number, duration, step(), range(), min_of() or max_of()"))
        }
    }

    fn duration_function(&mut self, place: &str) -> Result<DurationExpr, ParseError> {
        let name = self.word(0).unwrap_or_default().to_ascii_lowercase();
        if !["step", "range", "min_of", "max_of", "min", "max"].contains(&name.as_str()) {
            return Err(self.unexpected(place, "number, duration, step(), range(), min_of() or max_of()"));
        }
        let start = self.take().span.start;
        let open = self.take();
        let node = match name.as_str() {
            "step" => DurationNode::Step,
            "range" => DurationNode::Range,
            _ => {
                let left = Box::new(self.duration(0, place)?);
                self.expect(TokenKind::Comma, place, "\",\"")?;
                let right = Box::new(self.duration(0, place)?);
                if name.starts_with("min") {
                    DurationNode::Min(left, right)
                } else {
                    DurationNode::Max(left, right)
                }
            }
        };
        let close = self.close(&open, place)?;
        Ok(DurationExpr { span: start..close.span.end, node })
    }
}

fn signed(sign: Sign, start: usize, operand: DurationExpr) -> DurationExpr {
    DurationExpr { span: start..operand.span.end, node: DurationNode::Unary(sign, Box::new(operand)) }
}

fn operation(
    op: BinaryOp,
    at: &Range<usize>,
    left: DurationExpr,
    right: DurationExpr,
) -> Result<DurationExpr, ParseError> {
    let zero = is_constant(&right) && seconds(&right, 0.0, 0.0) == 0.0;
    if zero && op == BinaryOp::Div {
        return Err(error(at.start..right.span.end, "division by zero"));
    }
    if zero && op == BinaryOp::Mod {
        return Err(error(at.start..right.span.end, "modulo by zero"));
    }
    let span = left.span.start..right.span.end;
    Ok(DurationExpr { span, node: DurationNode::Binary(op, Box::new(left), Box::new(right)) })
}

fn in_bounds(duration: DurationExpr) -> Result<DurationExpr, ParseError> {
    // Not the negated comparison: NaN is out of bounds.
    let inside = seconds(&duration, 0.0, 0.0).abs() <= SECONDS_MAX;
    if is_constant(&duration) && !inside {
        return Err(advise(duration.span, "duration out of range", "The longest one is 292 years."));
    }
    Ok(duration)
}
