//! What may be written at a place of an expression, also while it is half written.

use std::ops::Range;

use super::ast::AggregateOp;
use super::lexer::{Flaw, Token, TokenKind, tokens};

/// What a place of an expression is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExprPlace<'t> {
    /// A metric, a function, an operator.
    Name(Range<usize>),
    /// The name of a label in the braces of a metric.
    LabelName {
        /// What stands there of it.
        word: Range<usize>,
        /// The metric, where it stands before the braces.
        metric: Option<&'t str>,
    },
    /// The value of a label, between its quotes.
    LabelValue {
        /// What stands there of it.
        word: Range<usize>,
        /// The metric, where it stands before the braces.
        metric: Option<&'t str>,
        /// The label.
        label: &'t str,
    },
    /// A label in the parentheses of `by`, `without`, `on` and the like.
    Grouping(Range<usize>),
    /// A duration in square brackets.
    Duration(Range<usize>),
    /// A text, a number, a comment: nothing that anybody knows.
    Free,
}

/// The keywords whose parentheses hold labels.
const GROUPINGS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// The keywords that are no names of metrics.
const KEYWORDS: [&str; 17] = [
    "and",
    "or",
    "unless",
    "atan2",
    "bool",
    "offset",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "inf",
    "nan",
    "start",
    "end",
    "smoothed",
];

/// What an open bracket is of.
#[derive(Clone, Copy)]
enum Open<'t> {
    Braces(Option<&'t str>),
    Brackets,
    Grouping,
    Parens,
}

/// Reads tokens and knows which brackets are open.
#[derive(Default)]
struct Walk<'t> {
    open: Vec<Open<'t>>,
    last: &'t str,
    last_kind: Option<TokenKind>,
}

impl<'t> Walk<'t> {
    fn take(&mut self, token: &Token, text: &'t str) {
        let is_name = self.last_kind == Some(TokenKind::Identifier);
        if token.kind == TokenKind::LeftBrace {
            self.open.push(Open::Braces(is_name.then_some(self.last)));
        } else if token.kind == TokenKind::LeftBracket {
            self.open.push(Open::Brackets);
        } else if token.kind == TokenKind::LeftParen {
            self.open.push(if is_grouping(self.last) { Open::Grouping } else { Open::Parens });
        } else if closes(token.kind) {
            self.open.pop();
        }
        self.last = text.get(token.span.clone()).unwrap_or_default();
        self.last_kind = Some(token.kind);
    }
}

const fn closes(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::RightBrace | TokenKind::RightBracket | TokenKind::RightParen)
}

fn is_grouping(word: &str) -> bool {
    GROUPINGS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// What stands at a byte of an expression.
pub(crate) fn place(text: &str, at: usize) -> ExprPlace<'_> {
    let before = text.get(..at).unwrap_or(text);
    if before.rsplit('\n').next().is_some_and(|line| line.trim_start().starts_with('#')) {
        return ExprPlace::Free;
    }
    let mut cut = tokens(before);
    cut.retain(|token| token.kind != TokenKind::End);
    let mut walk = Walk::default();
    for token in &cut {
        walk.take(token, before);
    }
    at_end(text, at, walk.open.last().copied(), &cut)
}

fn at_end<'t>(text: &'t str, at: usize, open: Option<Open<'t>>, last: &[Token]) -> ExprPlace<'t> {
    let ends_here = last.last().filter(|token| token.span.end == at);
    let kind = ends_here.map(|token| token.kind);
    let in_text = kind == Some(TokenKind::Bad(Flaw::UnclosedString));
    let is_number = matches!(kind, Some(TokenKind::Number | TokenKind::Duration | TokenKind::Bad(_)));
    let start = match ends_here {
        Some(token) if is_number || kind == Some(TokenKind::Identifier) => token.span.start,
        Some(_) | None => at,
    };
    let word = start..word_end(text, at);
    match open {
        Some(Open::Braces(metric)) if in_text => match last {
            [.., label, operator, value] if is_match(operator.kind) => ExprPlace::LabelValue {
                word: value.span.start + 1..value_end(text, value.span.start, at),
                metric,
                label: text.get(label.span.clone()).unwrap_or_default(),
            },
            _ => ExprPlace::Free,
        },
        _ if in_text || kind == Some(TokenKind::String) => ExprPlace::Free,
        Some(Open::Braces(metric)) => match last.last().map(|token| token.kind) {
            Some(TokenKind::LeftBrace | TokenKind::Comma | TokenKind::Identifier) => {
                ExprPlace::LabelName { word, metric }
            }
            _ => ExprPlace::Free,
        },
        Some(Open::Brackets) => ExprPlace::Duration(word),
        Some(Open::Grouping) => ExprPlace::Grouping(word),
        Some(Open::Parens) | None if is_number => ExprPlace::Free,
        Some(Open::Parens) | None => ExprPlace::Name(word),
    }
}

/// A name in an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExprName {
    /// Of a metric.
    Metric(Range<usize>),
    /// Of an alert: what `alertname` must be, without quotes.
    Alert(Range<usize>),
}

/// Every name of a metric in an expression, in order, also while it is half written.
pub(crate) fn metrics(text: &str) -> Vec<&str> {
    let metric = |name| match name {
        ExprName::Metric(span) => text.get(span),
        ExprName::Alert(_) => None,
    };
    names(text).into_iter().filter_map(metric).collect()
}

/// Every name of a metric or an alert in an expression, in order, also while it is half written.
pub(crate) fn names(text: &str) -> Vec<ExprName> {
    let cut = tokens(text);
    let mut walk = Walk::default();
    let mut names = Vec::new();
    for (number, token) in cut.iter().enumerate() {
        let behind = cut.get(number + 1);
        let next = behind.map(|next| next.kind);
        let is_aggregation = next == Some(TokenKind::Identifier)
            && behind.and_then(|next| text.get(next.span.clone())).is_some_and(is_grouping);
        let word = text.get(token.span.clone()).unwrap_or_default();
        if token.kind == TokenKind::Identifier && !(is_aggregation && is_aggregate(word)) {
            match walk.open.last() {
                Some(Open::Parens) | None
                    if next != Some(TokenKind::LeftParen) && !is_keyword(word, next) =>
                {
                    names.push(ExprName::Metric(token.span.clone()));
                }
                Some(Open::Braces(_)) if word == "alertname" && next.is_some_and(is_match) => {
                    let value = cut.get(number + 2).filter(|value| value.kind == TokenKind::String);
                    names
                        .extend(value.map(|value| ExprName::Alert(value.span.start + 1..value.span.end - 1)));
                }
                Some(_) | None => {}
            }
        }
        walk.take(token, text);
    }
    names
}

fn is_aggregate(word: &str) -> bool {
    AggregateOp::ALL.iter().any(|aggregate| aggregate.name().eq_ignore_ascii_case(word))
}

/// Whether a word is one of PromQL's own here; a metric may be called so where braces or a range follow.
fn is_keyword(word: &str, next: Option<TokenKind>) -> bool {
    KEYWORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
        && !matches!(next, Some(TokenKind::LeftBrace | TokenKind::LeftBracket))
}

const fn is_match(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Assign | TokenKind::NotEqual | TokenKind::RegexMatch | TokenKind::RegexNoMatch)
}

/// Where the word around a byte ends.
fn word_end(text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':')).count()
}

/// Where the text that a quote opens ends: before the next such quote of its line, else at the cursor.
fn value_end(text: &str, quote: usize, at: usize) -> usize {
    let mark = text.get(quote..).and_then(|rest| rest.chars().next()).unwrap_or('"');
    let rest = text.get(at..).unwrap_or_default();
    let line = rest.split('\n').next().unwrap_or_default();
    let taken = line.find([',', '}', ')']).unwrap_or(line.len());
    match line.find(mark) {
        Some(close) if close <= taken => at + close,
        _ => at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_metrics_and_alerts_are_found_among_labels_functions_and_words() {
        let text = "sum by (queue) (rate(a_total{b=\"c\"}[5m])) / on (x) d > bool 1 and ALERTS{alertname=\"E\"} or (f";
        let found: Vec<&str> = names(text)
            .into_iter()
            .map(|name| match name {
                ExprName::Metric(span) | ExprName::Alert(span) => &text[span],
            })
            .collect();
        assert_eq!(found, ["a_total", "d", "ALERTS", "E", "f"]);
    }

    #[test]
    fn a_place_of_an_expression_says_what_belongs_there() {
        let label = |metric: Option<&'static str>| ("label", metric.unwrap_or("").to_owned());
        let cases = [
            ("|", ("name", String::new())),
            ("queue_|", ("name", "queue_".to_owned())),
            ("rate(queue_|de", ("name", "queue_de".to_owned())),
            ("sum by (|) (x)", ("grouping", String::new())),
            ("sum by (a, q|) (x)", ("grouping", "q".to_owned())),
            ("x{|}", label(Some("x"))),
            ("x{a=\"1\", |}", label(Some("x"))),
            ("{|}", label(None)),
            ("x{a=\"b|\"}", ("value", "x a b".to_owned())),
            ("x{a=~'b|c'}", ("value", "x a bc".to_owned())),
            ("x{a=|}", ("free", String::new())),
            ("rate(x[|])", ("duration", String::new())),
            ("rate(x[5|])", ("duration", "5".to_owned())),
            ("x > 1|", ("free", String::new())),
            ("label_replace(x, \"a|\")", ("free", String::new())),
            ("# a|", ("free", String::new())),
            ("x) + y|", ("name", "y".to_owned())),
        ];
        for (marked, expected) in cases {
            let at = marked.find('|').unwrap();
            let text = marked.replacen('|', "", 1);
            let found = match place(&text, at) {
                ExprPlace::Name(word) => ("name", text[word].to_owned()),
                ExprPlace::LabelName { metric, .. } => ("label", metric.unwrap_or("").to_owned()),
                ExprPlace::LabelValue { word, metric, label } => {
                    ("value", format!("{} {label} {}", metric.unwrap_or(""), &text[word]))
                }
                ExprPlace::Grouping(word) => ("grouping", text[word].to_owned()),
                ExprPlace::Duration(word) => ("duration", text[word].to_owned()),
                ExprPlace::Free => ("free", String::new()),
            };
            assert_eq!(found, expected, "{marked}");
        }
    }
}
