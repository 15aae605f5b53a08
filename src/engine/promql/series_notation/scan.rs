//! A cursor over the text of a sequence.

use super::{ParseError, error, text};

/// The text and how far it has been read.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes).min(self.text.len());
    }

    pub(super) fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.skip(rest.len().saturating_sub(rest.trim_start().len()));
    }

    /// Goes to the next item; says where it begins.
    pub(super) fn next_item(&mut self) -> Option<usize> {
        self.skip_blanks();
        (!self.rest().is_empty()).then_some(self.at)
    }

    pub(super) fn at_item_end(&self) -> bool {
        self.rest().chars().next().is_none_or(char::is_whitespace)
    }

    /// Takes `prefix` where it comes next.
    pub(super) fn take(&mut self, prefix: &str) -> bool {
        let found = self.rest().starts_with(prefix);
        if found {
            self.skip(prefix.len());
        }
        found
    }

    /// An error at the next character.
    pub(super) fn wrong(&self, message: &str) -> ParseError {
        let next = self.rest().chars().next().map_or(0, char::len_utf8);
        error(self.at..self.at.saturating_add(next), message)
    }

    /// Takes what `wanted` accepts.
    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let taken =
            rest.find(|symbol| !wanted(symbol)).map_or(rest, |end| rest.get(..end).unwrap_or_default());
        self.skip(taken.len());
        taken
    }

    /// A number of repetitions.
    pub(super) fn count(&mut self) -> Result<usize, ParseError> {
        let digits = self.take_while(|symbol| symbol.is_ascii_digit());
        if digits.is_empty() {
            return Err(self.wrong("expected a number of repetitions"));
        }
        Ok(digits.parse().unwrap_or(usize::MAX))
    }

    /// A sign, where one comes next: 1 or -1.
    fn sign(&mut self) -> f64 {
        if self.take("-") {
            -1.0
        } else {
            self.take("+");
            1.0
        }
    }

    /// A number with or without a sign; never hexadecimal, since `x` repeats.
    pub(super) fn number(&mut self) -> Result<f64, ParseError> {
        let start = self.at;
        let sign = self.sign();
        for (word, value) in [("inf", f64::INFINITY), ("nan", f64::NAN)] {
            if self.rest().get(..word.len()).is_some_and(|next| next.eq_ignore_ascii_case(word)) {
                self.skip(word.len());
                return Ok(sign * value);
            }
        }
        let digits = self.at;
        self.take_while(|symbol| symbol.is_ascii_digit());
        if self.take(".") {
            self.take_while(|symbol| symbol.is_ascii_digit());
        }
        self.exponent();
        let literal = self.text.get(digits..self.at).unwrap_or_default();
        let value = if literal.starts_with(|symbol: char| symbol.is_ascii_digit() || symbol == '.') {
            literal.parse::<f64>().ok()
        } else {
            None
        };
        value.map(|value| sign * value).ok_or_else(|| {
            self.at = start;
            self.wrong("this is no point of a series")
        })
    }

    fn exponent(&mut self) {
        let mut ahead = self.rest().chars();
        if !matches!(ahead.next(), Some('e' | 'E')) {
            return;
        }
        let (signed, first) = match ahead.next() {
            Some('+' | '-') => (1, ahead.next()),
            other => (0, other),
        };
        if first.is_some_and(|symbol| symbol.is_ascii_digit()) {
            self.skip(1 + signed);
            self.take_while(|symbol| symbol.is_ascii_digit());
        }
    }

    /// A duration with or without a sign, in milliseconds; a bare number counts seconds.
    pub(super) fn signed_duration(&mut self) -> Result<i64, ParseError> {
        let start = self.at;
        let sign = self.sign();
        let literal = self.take_while(|symbol| {
            symbol.is_ascii_digit() || matches!(symbol, '.' | 'y' | 'w' | 'd' | 'h' | 'm' | 's')
        });
        let seconds = text::duration_seconds(literal).filter(|_| !literal.is_empty());
        let Some(seconds) = seconds.or_else(|| literal.parse().ok()) else {
            return Err(error(start..self.at, "this is no duration"));
        };
        Ok((sign * seconds * 1e3).round() as i64)
    }

    /// A word of letters and underscores.
    pub(super) fn word(&mut self) -> &'a str {
        self.take_while(|symbol| symbol.is_ascii_lowercase() || symbol == '_')
    }
}
