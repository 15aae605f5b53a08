//! Cuts a query text into tokens with their bytes.
//!
//! Keywords stay identifiers: most of them are also valid metric and label names, so only the parser can tell. What
//! is no token becomes [`TokenKind::Bad`], so that an earlier mistake of the grammar is reported first.

use std::ops::Range;

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    /// What it is.
    pub(super) kind: TokenKind,
    /// The bytes in the query text.
    pub(super) span: Range<usize>,
}

/// The kinds of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A name or keyword; colons are part of it outside brackets.
    Identifier,
    /// A number.
    Number,
    /// A duration literal, e.g. `1h30m`.
    Duration,
    /// A string with its quotes.
    String,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    At,
    /// `=`
    Assign,
    /// `=~`
    RegexMatch,
    /// `!~`
    RegexNoMatch,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    TrimUpper,
    TrimLower,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Caret,
    /// The end of the text.
    End,
    /// No token.
    Bad(Flaw),
}

/// Why bytes are no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// A character that PromQL has no use for here.
    Character,
    /// Digits that go on as neither number nor duration.
    Number,
    /// A string without its closing quote.
    UnclosedString,
}

/// Cuts `text` into tokens; the last one is [`TokenKind::End`], or `Bad` where cutting had to stop.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0, brackets: 0 };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next();
        let last = matches!(token.kind, TokenKind::End | TokenKind::Bad(_));
        tokens.push(token);
        if last {
            return tokens;
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Open square brackets: inside them a colon separates range and step.
    brackets: usize,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at.saturating_add(ahead)).copied()
    }

    fn skip_while(&mut self, mut wanted: impl FnMut(u8) -> bool) {
        while self.peek(0).is_some_and(&mut wanted) {
            self.at += 1;
        }
    }

    fn skip_blanks(&mut self) {
        loop {
            self.skip_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
            if self.peek(0) != Some(b'#') {
                return;
            }
            self.skip_while(|byte| byte != b'\n');
        }
    }

    fn next(&mut self) -> Token {
        self.skip_blanks();
        let start = self.at;
        let kind = self.kind();
        Token { kind, span: start..self.at }
    }

    fn kind(&mut self) -> TokenKind {
        let Some(first) = self.peek(0) else { return TokenKind::End };
        let second = self.peek(1);
        if first.is_ascii_digit() || first == b'.' && second.is_some_and(|byte| byte.is_ascii_digit()) {
            return self.number();
        }
        if first.is_ascii_alphabetic() || first == b'_' || first == b':' && self.brackets == 0 {
            let colons = self.brackets == 0;
            self.skip_while(|byte| is_word(byte) || colons && byte == b':');
            return TokenKind::Identifier;
        }
        if matches!(first, b'"' | b'\'' | b'`') {
            return self.string(first);
        }
        let (kind, length) = symbol(first, second);
        if kind == TokenKind::LeftBracket {
            self.brackets = self.brackets.saturating_add(1);
        } else if kind == TokenKind::RightBracket {
            self.brackets = self.brackets.saturating_sub(1);
        }
        let whole = self.text.get(self.at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        self.at += if matches!(kind, TokenKind::Bad(_)) { whole } else { length };
        kind
    }

    fn number(&mut self) -> TokenKind {
        let start = self.at;
        if self.peek(0) == Some(b'0') && matches!(self.peek(1), Some(b'x' | b'X')) {
            self.at += 2;
            self.mantissa(|byte| byte.is_ascii_hexdigit() || byte == b'_', b"pP");
        } else {
            self.mantissa(|byte| byte.is_ascii_digit() || byte == b'_', b"eE");
        }
        if !self.peek(0).is_some_and(is_word) {
            return TokenKind::Number;
        }
        self.at = start;
        self.skip_while(|byte| byte.is_ascii_digit());
        let unit = self.at;
        self.skip_while(is_word);
        let letters = self.text.get(unit..self.at).unwrap_or_default();
        if letters.starts_with(['m', 's', 'h', 'd', 'w', 'y']) {
            TokenKind::Duration
        } else {
            self.skip_while(|byte| is_word(byte) || byte == b'.');
            TokenKind::Bad(Flaw::Number)
        }
    }

    /// Digits, one dot and more digits, and an exponent where one of `exponents` leads to digits.
    fn mantissa(&mut self, digit: impl Fn(u8) -> bool, exponents: &[u8]) {
        self.skip_while(&digit);
        if self.peek(0) == Some(b'.') {
            self.at += 1;
            self.skip_while(&digit);
        }
        if self.peek(0).is_some_and(|byte| exponents.contains(&byte)) {
            let signed = usize::from(matches!(self.peek(1), Some(b'+' | b'-')));
            if self.peek(1 + signed).is_some_and(|byte| byte.is_ascii_digit()) {
                self.at += 1 + signed;
                self.skip_while(|byte| byte.is_ascii_digit() || byte == b'_');
            }
        }
    }

    fn string(&mut self, quote: u8) -> TokenKind {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            self.at += 1;
            match byte {
                _ if byte == quote => return TokenKind::String,
                b'\\' if quote != b'`' && self.peek(0).is_some() => self.at += 1,
                b'\n' if quote != b'`' => break,
                _ => {}
            }
        }
        self.at = self.at.min(self.text.len());
        while !self.text.is_char_boundary(self.at) {
            self.at += 1;
        }
        TokenKind::Bad(Flaw::UnclosedString)
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The operator or bracket that begins with these two bytes, and its length.
fn symbol(first: u8, second: Option<u8>) -> (TokenKind, usize) {
    match (first, second) {
        (b'=', Some(b'=')) => (TokenKind::Equal, 2),
        (b'=', Some(b'~')) => (TokenKind::RegexMatch, 2),
        (b'=', _) => (TokenKind::Assign, 1),
        (b'!', Some(b'=')) => (TokenKind::NotEqual, 2),
        (b'!', Some(b'~')) => (TokenKind::RegexNoMatch, 2),
        (b'<', Some(b'=')) => (TokenKind::LessOrEqual, 2),
        (b'<', Some(b'/')) => (TokenKind::TrimUpper, 2),
        (b'<', _) => (TokenKind::Less, 1),
        (b'>', Some(b'=')) => (TokenKind::GreaterOrEqual, 2),
        (b'>', Some(b'/')) => (TokenKind::TrimLower, 2),
        (b'>', _) => (TokenKind::Greater, 1),
        (b'(', _) => (TokenKind::LeftParen, 1),
        (b')', _) => (TokenKind::RightParen, 1),
        (b'{', _) => (TokenKind::LeftBrace, 1),
        (b'}', _) => (TokenKind::RightBrace, 1),
        (b'[', _) => (TokenKind::LeftBracket, 1),
        (b']', _) => (TokenKind::RightBracket, 1),
        (b',', _) => (TokenKind::Comma, 1),
        (b':', _) => (TokenKind::Colon, 1),
        (b'@', _) => (TokenKind::At, 1),
        (b'+', _) => (TokenKind::Plus, 1),
        (b'-', _) => (TokenKind::Minus, 1),
        (b'*', _) => (TokenKind::Star, 1),
        (b'/', _) => (TokenKind::Slash, 1),
        (b'%', _) => (TokenKind::Percent, 1),
        (b'^', _) => (TokenKind::Caret, 1),
        _ => (TokenKind::Bad(Flaw::Character), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind> {
        tokens(text).into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn a_colon_belongs_to_a_name_outside_brackets_and_separates_inside() {
        use TokenKind::{Colon, Duration, End, Identifier, LeftBracket, LeftParen, RightBracket, RightParen};
        let expected =
            [Identifier, LeftBracket, Duration, Colon, Identifier, LeftParen, RightParen, RightBracket, End];
        assert_eq!(kinds("job:up[5m:step()]"), expected);
    }

    #[test]
    fn digits_are_numbers_or_durations_or_neither() {
        for text in ["0x1F", "1e3", "1_000", ".5", "5.", "0x1p-2", "1e+3", "0755"] {
            assert_eq!(kinds(text), [TokenKind::Number, TokenKind::End], "{text}");
        }
        for text in ["5m", "1h30m", "1y2w", "5ms"] {
            assert_eq!(kinds(text), [TokenKind::Duration, TokenKind::End], "{text}");
        }
        for text in ["5x", "0b11", "1e", "0xg"] {
            assert_eq!(kinds(text), [TokenKind::Bad(Flaw::Number)], "{text}");
        }
    }

    #[test]
    fn every_span_lies_on_character_boundaries() {
        for text in ["ä", "\"ä", "'\\ä", "a ä b", "5ä", "\"\\", "{ä"] {
            for token in tokens(text) {
                assert!(text.get(token.span.clone()).is_some(), "{text}: {token:?}");
            }
        }
    }
}
