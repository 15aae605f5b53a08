//! What Prometheus says where a text ends too early, or closes what is not open: its lexer finds that at the very place,
//! before its grammar could say what is missing. People are shown the opening side instead, which is where to look.

use super::super::ParseError;
use super::super::lexer::{TokenKind, tokens};

/// The byte and the words by which Prometheus refuses such a text; none where its grammar speaks.
pub(in crate::engine::promql) fn cut_short(error: &ParseError, text: &str) -> Option<(usize, &'static str)> {
    match error.message.as_str() {
        "unexpected right parenthesis ')'" => {
            return Some((error.span.end, "unexpected right parenthesis ')'"));
        }
        "unexpected \"]\"" => return Some((error.span.start, "unexpected right bracket ']'")),
        "unexpected \"}\"" => return Some((error.span.start, "unexpected character: '}'")),
        message if message.starts_with("unexpected end of input") || message.starts_with("unclosed left") => {
        }
        _ => return None,
    }
    let tokens = tokens(text);
    let count = |kind| tokens.iter().filter(|token| token.kind == kind).count();
    let open = |left, right| count(left).saturating_sub(count(right));
    let braces = open(TokenKind::LeftBrace, TokenKind::RightBrace);
    let parentheses = open(TokenKind::LeftParen, TokenKind::RightParen);
    let brackets = open(TokenKind::LeftBracket, TokenKind::RightBracket);
    let words = match (braces, parentheses, brackets) {
        (0, 0, 0) => return None,
        (0, 0, _) => "unclosed left bracket",
        (0, _, _) => "unclosed left parenthesis",
        (_, _, _) => "unexpected end of input inside braces",
    };
    Some((text.len(), words))
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    #[test]
    fn a_text_that_ends_too_early_is_refused_at_its_end_in_prometheus_words() {
        let cases = [
            ("sum(", "1:5: parse error: unclosed left parenthesis"),
            ("rate(x[5m]", "1:11: parse error: unclosed left parenthesis"),
            ("sum by (a", "1:10: parse error: unclosed left parenthesis"),
            ("label_replace(a,\"b\"", "1:20: parse error: unclosed left parenthesis"),
            ("(a", "1:3: parse error: unclosed left parenthesis"),
            ("a\n+ sum(", "2:7: parse error: unclosed left parenthesis"),
            ("{a=\"b\"", "1:7: parse error: unexpected end of input inside braces"),
            ("a{b=", "1:5: parse error: unexpected end of input inside braces"),
            ("up[5m", "1:6: parse error: unclosed left bracket"),
            ("a[5m:", "1:6: parse error: unclosed left bracket"),
            ("1 +", "1:4: parse error: unexpected end of input"),
            (")", "1:2: parse error: unexpected right parenthesis ')'"),
            ("sum(x))", "1:8: parse error: unexpected right parenthesis ')'"),
            ("a{b=\"c\"}}", "1:9: parse error: unexpected character: '}'"),
            ("up[5m]]", "1:7: parse error: unexpected right bracket ']'"),
        ];
        for (text, words) in cases {
            assert_eq!(parse(text).unwrap_err().placed(text), words, "{text}");
        }
    }
}
