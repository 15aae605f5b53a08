//! Cuts a template into tokens, as Go's `text/template/parse` does.

use std::ops::Range;

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// Not a token; nothing follows it.
    Wrong(Wrong),
    Bool,
    /// A character that means nothing here but maybe a comma.
    Other,
    Character,
    Complex,
    Assign,
    Declare,
    End,
    Field,
    Identifier,
    LeftDelimiter,
    LeftParenthesis,
    Number,
    Bar,
    RawText,
    RightDelimiter,
    RightParenthesis,
    Space,
    QuotedText,
    Text,
    Variable,
    Keyword(Keyword),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    Block,
    Break,
    Continue,
    Define,
    Dot,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

/// What is no token, in Go's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Wrong {
    /// An action without its end.
    #[error("unclosed action")]
    UnclosedAction,
    /// A comment without its end.
    #[error("unclosed comment")]
    UnclosedComment,
    /// A comment that its action does not end with.
    #[error("comment ends before closing delimiter")]
    CommentEndsEarly,
    /// A parenthesis that is not closed.
    #[error("unclosed left paren")]
    UnclosedParenthesis,
    /// A closing parenthesis too many.
    #[error("unexpected right paren")]
    UnopenedParenthesis,
    /// A colon without an equals sign.
    #[error("expected :=")]
    LoneColon,
    /// A character that no word may go on with.
    #[error("bad character U+{code:04X} '{0}'", code = u32::from(*.0))]
    BadCharacter(char),
    /// A character that no token begins with.
    #[error("unrecognized character in action: U+{code:04X} '{0}'", code = u32::from(*.0))]
    UnknownCharacter(char),
    /// A number that is none.
    #[error("bad number syntax")]
    BadNumber,
    /// A quoted text without its end.
    #[error("unterminated quoted string")]
    UnclosedQuote,
    /// A raw text without its end.
    #[error("unterminated raw quoted string")]
    UnclosedRawQuote,
    /// A character constant without its end.
    #[error("unterminated character constant")]
    UnclosedCharacter,
}

/// The tokens of a template; the last one is `End` or `Wrong`.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0, start: 0, parentheses: 0, tokens: Vec::new() };
    if let Err(wrong) = lexer.run() {
        lexer.emit(TokenKind::Wrong(wrong));
    }
    lexer.tokens
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    /// Where the token begins that is being read.
    start: usize,
    parentheses: usize,
    tokens: Vec<Token>,
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";
const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

impl<'t> Lexer<'t> {
    fn run(&mut self) -> Result<(), Wrong> {
        while let Some(found) = self.rest().find(LEFT) {
            let delimiter = self.at + found;
            let trims = trims_left(self.text.get(delimiter + LEFT.len()..).unwrap_or(""));
            let mut text = self.text.get(self.at..delimiter).unwrap_or("");
            if trims {
                text = text.trim_end_matches(SPACES);
            }
            self.at += text.len();
            if !text.is_empty() {
                self.emit(TokenKind::Text);
            }
            self.start = delimiter;
            self.at = delimiter + LEFT.len();
            let marker = if trims { 2 } else { 0 };
            if self.text.get(self.at + marker..).is_some_and(|rest| rest.starts_with("/*")) {
                self.at += marker;
                self.comment()?;
            } else {
                self.emit(TokenKind::LeftDelimiter);
                self.at += marker;
                self.start = self.at;
                self.parentheses = 0;
                self.action()?;
            }
        }
        self.at = self.text.len();
        if self.at > self.start {
            self.emit(TokenKind::Text);
        }
        self.emit(TokenKind::End);
        Ok(())
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn emit(&mut self, kind: TokenKind) {
        self.tokens.push(Token { kind, span: self.start..self.at });
        self.start = self.at;
    }

    /// Whether a closing delimiter follows, and how many bytes of it are a trim marker.
    fn closing(&self) -> Option<usize> {
        let rest = self.rest();
        if trims_right(rest) && rest.get(2..).is_some_and(|rest| rest.starts_with(RIGHT)) {
            Some(2)
        } else {
            rest.starts_with(RIGHT).then_some(0)
        }
    }

    fn comment(&mut self) -> Result<(), Wrong> {
        self.at += "/*".len();
        self.at += self.rest().find("*/").ok_or(Wrong::UnclosedComment)? + "*/".len();
        let marker = self.closing().ok_or(Wrong::CommentEndsEarly)?;
        self.at += marker + RIGHT.len();
        self.skip_trimmed(marker);
        Ok(())
    }

    fn skip_trimmed(&mut self, marker: usize) {
        if marker > 0 {
            self.at = self.text.len() - self.rest().trim_start_matches(SPACES).len();
        }
        self.start = self.at;
    }

    fn action(&mut self) -> Result<(), Wrong> {
        loop {
            if let Some(marker) = self.closing() {
                if self.parentheses > 0 {
                    return Err(Wrong::UnclosedParenthesis);
                }
                self.at += marker;
                self.start = self.at;
                self.at += RIGHT.len();
                self.emit(TokenKind::RightDelimiter);
                self.skip_trimmed(marker);
                return Ok(());
            }
            self.word()?;
        }
    }

    fn word(&mut self) -> Result<(), Wrong> {
        let next = self.next().ok_or(Wrong::UnclosedAction)?;
        match next {
            _ if SPACES.contains(&next) => self.spaces(),
            '=' => self.emit(TokenKind::Assign),
            ':' => {
                if self.next() != Some('=') {
                    return Err(Wrong::LoneColon);
                }
                self.emit(TokenKind::Declare);
            }
            '|' => self.emit(TokenKind::Bar),
            '"' => self.quoted('"', Wrong::UnclosedQuote, TokenKind::QuotedText)?,
            '\'' => self.quoted('\'', Wrong::UnclosedCharacter, TokenKind::Character)?,
            '`' => {
                self.at += self.rest().find('`').ok_or(Wrong::UnclosedRawQuote)? + 1;
                self.emit(TokenKind::RawText);
            }
            '$' => self.name(TokenKind::Variable)?,
            '.' if !self.peek().is_some_and(|next| next.is_ascii_digit()) => self.name(TokenKind::Field)?,
            '.' | '+' | '-' | '0'..='9' => {
                self.at = self.start;
                self.number()?;
            }
            _ if is_word(next) => self.identifier()?,
            '(' => {
                self.emit(TokenKind::LeftParenthesis);
                self.parentheses += 1;
            }
            ')' => {
                self.emit(TokenKind::RightParenthesis);
                self.parentheses = self.parentheses.checked_sub(1).ok_or(Wrong::UnopenedParenthesis)?;
            }
            ' '..='~' => self.emit(TokenKind::Other),
            _ => return Err(Wrong::UnknownCharacter(next)),
        }
        Ok(())
    }

    /// A run of spaces, of which a closing delimiter with a trim marker needs the last.
    fn spaces(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches(SPACES).len();
        let last = self.at - 1;
        let closes =
            self.text.get(last..).is_some_and(|rest| trims_right(rest) && rest.get(2..4) == Some(RIGHT));
        if closes {
            self.at = last;
        }
        if self.at > self.start {
            self.emit(TokenKind::Space);
        }
    }

    fn quoted(&mut self, quote: char, unclosed: Wrong, kind: TokenKind) -> Result<(), Wrong> {
        loop {
            match self.next() {
                Some('\\') => {
                    self.next().filter(|next| *next != '\n').ok_or(unclosed)?;
                }
                None | Some('\n') => return Err(unclosed),
                Some(next) if next == quote => break,
                Some(_) => {}
            }
        }
        self.emit(kind);
        Ok(())
    }

    /// What follows a `$` or a `.`.
    fn name(&mut self, kind: TokenKind) -> Result<(), Wrong> {
        if self.is_terminated() {
            let lone = if kind == TokenKind::Field { TokenKind::Keyword(Keyword::Dot) } else { kind };
            self.emit(lone);
            return Ok(());
        }
        self.skip_word();
        self.terminated()?;
        self.emit(kind);
        Ok(())
    }

    fn identifier(&mut self) -> Result<(), Wrong> {
        self.skip_word();
        self.terminated()?;
        let kind = match self.text.get(self.start..self.at).unwrap_or("") {
            "block" => TokenKind::Keyword(Keyword::Block),
            "break" => TokenKind::Keyword(Keyword::Break),
            "continue" => TokenKind::Keyword(Keyword::Continue),
            "define" => TokenKind::Keyword(Keyword::Define),
            "else" => TokenKind::Keyword(Keyword::Else),
            "end" => TokenKind::Keyword(Keyword::End),
            "if" => TokenKind::Keyword(Keyword::If),
            "nil" => TokenKind::Keyword(Keyword::Nil),
            "range" => TokenKind::Keyword(Keyword::Range),
            "template" => TokenKind::Keyword(Keyword::Template),
            "with" => TokenKind::Keyword(Keyword::With),
            "true" | "false" => TokenKind::Bool,
            _ => TokenKind::Identifier,
        };
        self.emit(kind);
        Ok(())
    }

    fn skip_word(&mut self) {
        let rest = self.rest();
        self.at += rest.find(|next| !is_word(next)).unwrap_or(rest.len());
    }

    fn terminated(&self) -> Result<(), Wrong> {
        if self.is_terminated() { Ok(()) } else { Err(Wrong::BadCharacter(self.peek().unwrap_or(' '))) }
    }

    /// Whether a name may end here.
    fn is_terminated(&self) -> bool {
        let ends = |next: char| SPACES.contains(&next) || ".,|:)(".contains(next);
        self.peek().is_none_or(ends) || self.rest().starts_with(RIGHT)
    }

    fn number(&mut self) -> Result<(), Wrong> {
        self.simple_number()?;
        if matches!(self.peek(), Some('+' | '-')) {
            // The pair of a complex number: no spaces, ends in `i`.
            self.simple_number()?;
            let number = self.text.get(self.start..self.at).unwrap_or("");
            if !number.ends_with('i') {
                return Err(Wrong::BadNumber);
            }
            self.emit(TokenKind::Complex);
        } else {
            self.emit(TokenKind::Number);
        }
        Ok(())
    }

    fn simple_number(&mut self) -> Result<(), Wrong> {
        self.accept("+-");
        let digits = match (self.accept("0"), self.peek()) {
            (true, Some('x' | 'X')) => "0123456789abcdefABCDEF_",
            (true, Some('o' | 'O')) => "01234567_",
            (true, Some('b' | 'B')) => "01_",
            (true | false, _) => "0123456789_",
        };
        let (is_decimal, is_hexadecimal) = (digits.len() == 11, digits.len() == 23);
        if !is_decimal {
            self.next();
        }
        self.accept_run(digits);
        if self.accept(".") {
            self.accept_run(digits);
        }
        if (is_decimal && self.accept("eE")) || (is_hexadecimal && self.accept("pP")) {
            self.accept("+-");
            self.accept_run("0123456789_");
        }
        self.accept("i");
        if self.peek().is_some_and(is_word) {
            self.next();
            return Err(Wrong::BadNumber);
        }
        Ok(())
    }

    fn accept(&mut self, valid: &str) -> bool {
        let accepted = self.peek().is_some_and(|next| valid.contains(next));
        if accepted {
            self.next();
        }
        accepted
    }

    fn accept_run(&mut self, valid: &str) {
        while self.accept(valid) {}
    }
}

/// Whether what follows an opening delimiter trims the text before it.
fn trims_left(rest: &str) -> bool {
    let mut characters = rest.chars();
    characters.next() == Some('-') && characters.next().is_some_and(|next| SPACES.contains(&next))
}

/// Whether a trim marker stands here.
fn trims_right(rest: &str) -> bool {
    let mut characters = rest.chars();
    characters.next().is_some_and(|next| SPACES.contains(&next)) && characters.next() == Some('-')
}

/// Whether a character is part of a name.
pub(super) fn is_word(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}
