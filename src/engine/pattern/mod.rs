//! Regular expressions as Prometheus understands them: RE2's syntax, anchored at both ends, dot matches newline.
//!
//! RE2 and the `regex` crate mostly agree; where they do not, the pattern is rewritten before it is compiled: perl
//! classes and word boundaries are ASCII, braces that count nothing and brackets inside a class are themselves,
//! `\Q…\E` quotes and octal escapes count. Matching takes linear time whatever the pattern, and the compiled size is
//! bounded.

use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder};

/// The most bytes a compiled pattern may take.
const COMPILED_BYTES_MAX: usize = 4 << 20;

/// How deep groups may nest.
const NESTING_MAX: u32 = 100;

const PREFIX: &str = "^(?s:";
const SUFFIX: &str = ")$";

/// Why a text is no regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid regular expression: {reason}")]
pub struct PatternError {
    /// What is wrong, as a lower-case fragment.
    pub reason: String,
}

/// Compiles `pattern` so that it matches whole values.
///
/// # Errors
/// Where the pattern is not in RE2's syntax, or too large once compiled.
pub fn anchored(pattern: &str) -> Result<Regex, PatternError> {
    RegexBuilder::new(&format!("{PREFIX}{}{SUFFIX}", translate(pattern)?))
        .size_limit(COMPILED_BYTES_MAX)
        .nest_limit(NESTING_MAX)
        .build()
        .map_err(|error| PatternError { reason: reason(&error) })
}

/// The pattern a regular expression of [`anchored`] was made from.
pub fn source(compiled: &Regex) -> &str {
    let whole = compiled.as_str();
    whole.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX)).unwrap_or(whole)
}

fn reason(error: &regex::Error) -> String {
    if let regex::Error::CompiledTooBig(_) = error {
        return "it grows too large when compiled".to_owned();
    }
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

type Symbols<'a> = Peekable<Chars<'a>>;

/// Where in a pattern something stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    Class,
}

fn translate(pattern: &str) -> Result<String, PatternError> {
    let mut symbols = pattern.chars().peekable();
    let mut out = String::with_capacity(pattern.len());
    let mut open = 0_usize;
    while let Some(symbol) = symbols.next() {
        match symbol {
            '\\' => escape(&mut symbols, Place::Outside, &mut out),
            '[' => class(&mut symbols, &mut out),
            '{' if !counts(symbols.clone()) => out.push_str("\\{"),
            '(' if is_rewritten_boundary(symbols.clone()) => {
                out.push('(');
                out.extend(symbols.by_ref().take(REWRITTEN_BOUNDARY));
            }
            '(' if has_foreign_flag(symbols.clone()) => {
                return Err(PatternError { reason: "unknown flag of a group".to_owned() });
            }
            '(' => {
                open += 1;
                out.push(symbol);
            }
            ')' => {
                // A stray one would close the group that anchors the pattern.
                open = open
                    .checked_sub(1)
                    .ok_or_else(|| PatternError { reason: "unopened group".to_owned() })?;
                out.push(symbol);
            }
            _ => out.push(symbol),
        }
    }
    Ok(out)
}

/// Whether what follows an opening brace makes it a repetition: `n}`, `n,}` or `n,m}`.
fn counts(mut symbols: Symbols<'_>) -> bool {
    let mut digits = 0;
    let mut commas = 0;
    loop {
        match symbols.next() {
            Some('0'..='9') => digits += 1,
            Some(',') if digits > 0 && commas == 0 => commas += 1,
            Some('}') => return digits > 0,
            _ => return false,
        }
    }
}

/// The length of `?-u:\b)`.
const REWRITTEN_BOUNDARY: usize = 7;

/// Whether a group is what [`escape`] makes of a word boundary, so that a translated pattern stays as it is.
fn is_rewritten_boundary(symbols: Symbols<'_>) -> bool {
    matches!(symbols.take(REWRITTEN_BOUNDARY).collect::<String>().as_str(), r"?-u:\b)" | r"?-u:\B)")
}

/// Whether a group sets a flag that RE2 does not know, so that it would change its meaning unnoticed.
fn has_foreign_flag(mut symbols: Symbols<'_>) -> bool {
    symbols.next_if_eq(&'?').is_some()
        && symbols
            .take_while(|symbol| symbol.is_ascii_alphabetic() || *symbol == '-')
            .any(|flag| matches!(flag, 'x' | 'R'))
}

/// Rewrites what follows a backslash.
fn escape(symbols: &mut Symbols<'_>, place: Place, out: &mut String) {
    let Some(symbol) = symbols.next() else {
        out.push('\\');
        return;
    };
    let rewritten = match (symbol, place) {
        ('d', Place::Outside) => "[0-9]",
        ('d', Place::Class) => "0-9",
        ('D', Place::Outside) => "[^0-9]",
        ('D', Place::Class) => r"\x00-\x2f\x3a-\x{10ffff}",
        ('s', Place::Outside) => r"[\t\n\x0c\r ]",
        ('s', Place::Class) => r"\t\n\x0c\r ",
        ('S', Place::Outside) => r"[^\t\n\x0c\r ]",
        ('S', Place::Class) => r"\x00-\x08\x0b\x0e-\x1f\x21-\x{10ffff}",
        ('w', Place::Outside) => "[0-9A-Za-z_]",
        ('w', Place::Class) => "0-9A-Za-z_",
        ('W', Place::Outside) => "[^0-9A-Za-z_]",
        ('W', Place::Class) => r"\x00-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x{10ffff}",
        ('b', Place::Outside) => r"(?-u:\b)",
        ('B', Place::Outside) => r"(?-u:\B)",
        ('<', _) => "<",
        ('>', _) => ">",
        ('Q', _) => return quote(symbols, out),
        ('0'..='7', _) => return octal(symbol, symbols, out),
        ('p' | 'P', _) => return property(symbol, symbols, out),
        _ => {
            out.push('\\');
            out.push(symbol);
            return;
        }
    };
    out.push_str(rewritten);
}

/// `\Q…\E`: everything between stands for itself.
fn quote(symbols: &mut Symbols<'_>, out: &mut String) {
    let mut quoted = String::new();
    while let Some(symbol) = symbols.next() {
        if symbol == '\\' && symbols.next_if_eq(&'E').is_some() {
            break;
        }
        quoted.push(symbol);
    }
    out.push_str(&regex::escape(&quoted));
}

/// An octal escape; a lone digit but 0 would be a back reference, which the compiler refuses.
fn octal(first: char, symbols: &mut Symbols<'_>, out: &mut String) {
    let mut code = first.to_digit(8).unwrap_or(0);
    let mut digits = 1;
    while let Some(digit) = symbols.peek().and_then(|next| next.to_digit(8)).filter(|_| digits < 3) {
        code = code * 8 + digit;
        digits += 1;
        symbols.next();
    }
    if digits == 1 && first != '0' {
        out.push('\\');
        out.push(first);
    } else {
        out.extend(["\\x{", &format!("{code:x}"), "}"]);
    }
}

/// A Unicode class; a caret inside its braces negates it.
fn property(letter: char, symbols: &mut Symbols<'_>, out: &mut String) {
    let mut ahead = symbols.clone();
    let negated = ahead.next() == Some('{') && ahead.next() == Some('^');
    out.push('\\');
    out.push(match (letter, negated) {
        ('p', true) => 'P',
        (_, true) => 'p',
        _ => letter,
    });
    if negated {
        symbols.nth(1);
        out.push('{');
    }
}

/// Rewrites a bracketed class, its opening bracket read already.
fn class(symbols: &mut Symbols<'_>, out: &mut String) {
    out.push('[');
    if symbols.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    if symbols.next_if_eq(&']').is_some() {
        out.push_str("\\]");
    }
    while let Some(symbol) = symbols.next() {
        match symbol {
            ']' => {
                out.push(']');
                return;
            }
            '\\' => escape(symbols, Place::Class, out),
            '[' if symbols.peek() == Some(&':') => named_class(symbols, out),
            // What would be set operations and nested classes are plain characters in RE2.
            '[' | '&' | '~' => {
                out.push('\\');
                out.push(symbol);
            }
            '-' if symbols.peek() == Some(&'-') => {
                symbols.next();
                out.push_str("-\\-");
            }
            _ => out.push(symbol),
        }
    }
}

/// `[:name:]` inside a class, its opening bracket read already.
fn named_class(symbols: &mut Symbols<'_>, out: &mut String) {
    let mut ahead = symbols.clone();
    let name: String = ahead.by_ref().take_while(|symbol| *symbol != ']').collect();
    if name.len() > 1 && name.ends_with(':') {
        out.extend(["[", &name, "]"]);
        *symbols = ahead;
    } else {
        out.push_str("\\[");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, value: &str) -> bool {
        anchored(pattern).unwrap().is_match(value)
    }

    #[test]
    fn a_pattern_matches_the_whole_value_and_dot_matches_a_newline() {
        assert!(matches("a|b", "b") && !matches("a|b", "ab"));
        assert!(matches("a.c", "a\nc") && matches(".*", ""));
        assert!(matches("(?i:PRO).*", "production"));
    }

    #[test]
    fn what_re2_reads_otherwise_is_read_as_re2_does() {
        assert!(!matches(r"\d", "٣") && matches(r"[\d_]+", "3_"));
        assert!(!matches(r"\w", "é") && matches(r"\W", "é") && matches(r"[\W]", "é"));
        assert!(matches("a{", "a{") && matches("{a}", "{a}") && matches("a{2}", "aa"));
        assert!(matches("[[a]+", "[a") && matches("[a&&b]+", "&ab") && matches("[]a]", "]"));
        assert!(matches("[[:alpha:]]+", "ab") && matches("[a-]+", "a-"));
        assert!(matches(r"\Qa.b\E", "a.b") && !matches(r"\Qa.b\E", "axb"));
        assert!(matches(r"\101\0", "A\0") && matches(r"\<a\>", "<a>"));
        assert!(matches(r"\p{^Lu}", "a") && matches(r"\pL", "é"));
        assert!(matches(r"\bfoo\b.*", "foo bar"));
    }

    #[test]
    fn broken_and_huge_patterns_are_refused() {
        for pattern in ["(", "a)(b", "[", "*a", r"\1", "(?x) a", r"\", "((a{1000}){1000}){1000}", "(?=a)"] {
            assert!(anchored(pattern).is_err(), "{pattern}");
        }
        assert!(anchored(&"(".repeat(10_000)).is_err());
    }

    #[test]
    fn the_source_compiles_to_the_same_again() {
        for pattern in ["a|b", r"[\D]\d\b", r"a{x\Q[\E"] {
            let once = anchored(pattern).unwrap();
            assert_eq!(anchored(source(&once)).unwrap().as_str(), once.as_str());
        }
        assert_eq!(source(&anchored("a.*|b").unwrap()), "a.*|b");
    }
}
