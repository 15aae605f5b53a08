//! What to write instead of what people bring from other languages, or leave out.

use std::ops::Range;

use super::suggest::nearest;
use super::{Parser, advise, error};
use crate::engine::promql::ParseError;
use crate::engine::promql::ast::AggregateOp;
use crate::engine::promql::lexer::{Token, TokenKind};

impl Parser<'_> {
    /// What to do about a token that cannot stand where an expression goes on or begins.
    pub(super) fn remedy(&self, token: &Token) -> Option<String> {
        let before = self.before(1);
        let is_number = |token: &Token| token.kind == TokenKind::Number;
        let advice = match (token.kind, &before) {
            (TokenKind::End, Some(before)) if before.kind == TokenKind::Percent => {
                "% is the remainder of a division: write 90 percent of a ratio as 0.9."
            }
            (TokenKind::End, _) => "The query stops in the middle: something is missing at its end.",
            (TokenKind::RightParen, _) => "There are more ) than (.",
            (TokenKind::Assign, _) => match self.text.get(token.span.end..) {
                Some(rest) if rest.starts_with('>') => "At least is written >=.",
                Some(rest) if rest.starts_with('<') => "At most is written <=.",
                _ => "To compare, write ==.",
            },
            (TokenKind::Comma, Some(before)) if is_number(before) && is_number(&self.ahead(1)) => {
                "Numbers are written without commas."
            }
            (TokenKind::Identifier, _) => {
                return self.remedy_of_word(self.slice(&token.span), before.as_ref());
            }
            (TokenKind::Number | TokenKind::Duration | TokenKind::String, Some(before))
                if ends_operand(before.kind) =>
            {
                "An operator is missing before it."
            }
            _ => return None,
        };
        Some(advice.to_owned())
    }

    fn remedy_of_word(&self, word: &str, before: Option<&Token>) -> Option<String> {
        let before = before?;
        let last = self.slice(&before.span);
        let is = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
        if is(&["by", "without"]) {
            let near = nearest(last, AggregateOp::ALL.into_iter().map(AggregateOp::name));
            return Some(match near.filter(|_| before.kind == TokenKind::Identifier) {
                Some(near) => format!("Did you mean {near}?"),
                None => format!("Before {word} stands an aggregation, as in sum {word} (label) (…)."),
            });
        }
        if is(&["group", "grouped"]) {
            return Some("Labels to group by stand behind by, as in sum by (label) (…).".to_owned());
        }
        if last.eq_ignore_ascii_case("not") {
            return Some("PromQL has no not: write unless, or compare with !=.".to_owned());
        }
        ends_operand(before.kind).then(|| "An operator is missing before it.".to_owned())
    }

    /// What to write instead of a sign that PromQL does not have.
    pub(super) fn sign(&self, span: &Range<usize>) -> ParseError {
        let sign = self.slice(span);
        let is_doubled = self.text.get(span.end..).is_some_and(|rest| rest.starts_with(sign));
        let message = format!("unexpected character: '{sign}'");
        let advice = match (sign, is_doubled) {
            ("&", _) => "Where both must hold, write and.",
            ("|", true) => "Where either may hold, write or.",
            ("|", false) => "PromQL has no pipes; either of two is written or.",
            ("!", _) => "PromQL has no !: write unless, or compare with !=.",
            (";", _) => "A query is one expression.",
            (".", _) if self.is_in_name(span) => {
                "A dot in a metric's name is an underscore here: queue.depth is queue_depth."
            }
            _ => return error(span.clone(), message),
        };
        advise(span.clone(), message, advice)
    }

    /// Whether a sign stands between two words, without blanks.
    fn is_in_name(&self, span: &Range<usize>) -> bool {
        let is_letter = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphabetic());
        let before = self.text.get(..span.start).and_then(|text| text.chars().next_back());
        let after = self.text.get(span.end..).and_then(|text| text.chars().next());
        is_letter(before) && is_letter(after)
    }

    /// The token so many before the next one.
    fn before(&self, count: usize) -> Option<Token> {
        self.at.checked_sub(count).and_then(|at| self.tokens.get(at)).cloned()
    }
}

/// Whether an operand may end with it.
fn ends_operand(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Identifier
            | TokenKind::Number
            | TokenKind::Duration
            | TokenKind::String
            | TokenKind::RightParen
            | TokenKind::RightBrace
            | TokenKind::RightBracket
    )
}
