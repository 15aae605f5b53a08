//! RE2's syntax in the syntax of the `regex` crate.
//!
//! The two mostly agree. Where they do not, the pattern is rewritten: perl classes and word boundaries are ASCII,
//! braces that count nothing and brackets inside a class are themselves, `\Q…\E` quotes and octal escapes count. What
//! the crate would take and RE2 does not is refused.

use std::iter::Peekable;
use std::str::Chars;

use super::PatternError;

/// How often a counted repetition may repeat.
const REPEATS_MAX: u32 = 1_000;

/// The names `[:name:]` may have.
const CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// `pattern` as the `regex` crate has to read it.
pub(super) fn translated(pattern: &str) -> Result<String, PatternError> {
    let out = String::with_capacity(pattern.len());
    let mut translation =
        Translation { symbols: pattern.chars().peekable(), out, open: 0, last: Last::Nothing };
    while let Some(symbol) = translation.symbols.next() {
        translation.take(symbol)?;
    }
    Ok(translation.out)
}

struct Translation<'a> {
    symbols: Peekable<Chars<'a>>,
    out: String,
    /// How many groups are open.
    open: usize,
    last: Last,
}

/// What was read last, as far as a repetition cares.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    Operand,
    Repetition,
}

/// Where in a pattern something stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PatternPlace {
    Outside,
    Class,
}

fn refuse<T>(reason: &str) -> Result<T, PatternError> {
    Err(PatternError { reason: reason.to_owned() })
}

impl Translation<'_> {
    fn take(&mut self, symbol: char) -> Result<(), PatternError> {
        let mut last = Last::Operand;
        match symbol {
            '\\' => self.escape(PatternPlace::Outside)?,
            '[' => self.class()?,
            '*' | '+' | '?' => {
                self.repetition(symbol.encode_utf8(&mut [0; 4]))?;
                last = Last::Repetition;
            }
            '{' => match self.counted()? {
                Some(counted) => {
                    self.repetition(&counted)?;
                    last = Last::Repetition;
                }
                None => self.out.push_str("\\{"),
            },
            '(' if self.has_foreign_flag() => return refuse("unknown flag of a group"),
            '(' => {
                self.open += 1;
                self.out.push(symbol);
                // The question mark belongs to the group.
                self.out.extend(self.symbols.next_if_eq(&'?'));
                last = Last::Nothing;
            }
            ')' => {
                // A stray one would close the group that anchors the pattern.
                let Some(open) = self.open.checked_sub(1) else { return refuse("unopened group") };
                self.open = open;
                self.out.push(symbol);
            }
            '|' => {
                self.out.push(symbol);
                last = Last::Nothing;
            }
            _ => self.out.push(symbol),
        }
        self.last = last;
        Ok(())
    }

    /// Writes a repetition, lazy where a question mark follows.
    fn repetition(&mut self, operator: &str) -> Result<(), PatternError> {
        if self.last == Last::Repetition {
            return refuse("a repetition of a repetition: put the inner one in a group");
        }
        self.out.push_str(operator);
        self.out.extend(self.symbols.next_if_eq(&'?'));
        Ok(())
    }

    /// Reads what follows an opening brace where it makes it a repetition: `n}`, `n,}` or `n,m}`.
    fn counted(&mut self) -> Result<Option<String>, PatternError> {
        let mut ahead = self.symbols.clone();
        let mut counted = String::from("{");
        loop {
            match ahead.next() {
                Some(digit @ '0'..='9') => counted.push(digit),
                Some(',') if counted.len() > 1 && !counted.contains(',') => counted.push(','),
                Some('}') if counted.len() > 1 => break,
                _ => return Ok(None),
            }
        }
        let counts = counted.trim_start_matches('{').split(',').filter(|count| !count.is_empty());
        for count in counts {
            if count.parse::<u32>().is_ok_and(|count| count <= REPEATS_MAX) {
                continue;
            }
            return refuse("a repetition of more than 1000 times");
        }
        self.symbols = ahead;
        counted.push('}');
        Ok(Some(counted))
    }

    /// Whether a group sets a flag that RE2 does not know, so that it would change its meaning unnoticed.
    fn has_foreign_flag(&self) -> bool {
        let mut ahead = self.symbols.clone();
        ahead.next_if_eq(&'?').is_some()
            && !matches!(ahead.peek(), Some('P' | '<'))
            && ahead
                .take_while(|symbol| symbol.is_ascii_alphabetic() || *symbol == '-')
                .any(|flag| !matches!(flag, 'i' | 'm' | 's' | 'U' | '-'))
    }

    /// Rewrites what follows a backslash.
    fn escape(&mut self, place: PatternPlace) -> Result<(), PatternError> {
        let Some(symbol) = self.symbols.next() else { return refuse("a backslash at its end") };
        let rewritten = match (symbol, place) {
            ('d', PatternPlace::Outside) => "[0-9]",
            ('d', PatternPlace::Class) => "0-9",
            ('D', PatternPlace::Outside) => "[^0-9]",
            ('D', PatternPlace::Class) => r"\x00-\x2f\x3a-\x{10ffff}",
            ('s', PatternPlace::Outside) => r"[\t\n\x0c\r ]",
            ('s', PatternPlace::Class) => r"\t\n\x0c\r ",
            ('S', PatternPlace::Outside) => r"[^\t\n\x0c\r ]",
            ('S', PatternPlace::Class) => r"\x00-\x08\x0b\x0e-\x1f\x21-\x{10ffff}",
            ('w', PatternPlace::Outside) => "[0-9A-Za-z_]",
            ('w', PatternPlace::Class) => "0-9A-Za-z_",
            ('W', PatternPlace::Outside) => "[^0-9A-Za-z_]",
            ('W', PatternPlace::Class) => r"\x00-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x{10ffff}",
            ('b', PatternPlace::Outside) => r"(?-u:\b)",
            ('B', PatternPlace::Outside) => r"(?-u:\B)",
            ('<', _) => "<",
            ('>', _) => ">",
            ('Q', _) => {
                self.quote();
                return Ok(());
            }
            ('0'..='7', _) => {
                self.octal(symbol);
                return Ok(());
            }
            ('p' | 'P', _) => {
                self.property(symbol);
                return Ok(());
            }
            ('u' | 'U', _) => return refuse("unknown escape"),
            _ => {
                self.out.extend(['\\', symbol]);
                return Ok(());
            }
        };
        self.out.push_str(rewritten);
        Ok(())
    }

    /// `\Q…\E`: everything between stands for itself.
    fn quote(&mut self) {
        let mut quoted = String::new();
        while let Some(symbol) = self.symbols.next() {
            if symbol == '\\' && self.symbols.next_if_eq(&'E').is_some() {
                break;
            }
            quoted.push(symbol);
        }
        self.out.push_str(&regex::escape(&quoted));
    }

    /// An octal escape; a lone digit but 0 would be a back reference, which the compiler refuses.
    fn octal(&mut self, first: char) {
        let mut code = first.to_digit(8).unwrap_or(0);
        let mut digits = 1;
        while let Some(digit) = self.symbols.peek().and_then(|next| next.to_digit(8)).filter(|_| digits < 3) {
            code = code * 8 + digit;
            digits += 1;
            self.symbols.next();
        }
        if digits == 1 && first != '0' {
            self.out.extend(['\\', first]);
        } else {
            self.out.extend(["\\x{", &format!("{code:x}"), "}"]);
        }
    }

    /// A Unicode class; a caret inside its braces negates it.
    fn property(&mut self, letter: char) {
        let mut ahead = self.symbols.clone();
        let negated = ahead.next() == Some('{') && ahead.next() == Some('^');
        self.out.push('\\');
        self.out.push(match (letter, negated) {
            ('p', true) => 'P',
            (_, true) => 'p',
            _ => letter,
        });
        if negated {
            self.symbols.nth(1);
            self.out.push('{');
        }
        // What stands in braces is a name, no repetition.
        if !negated && self.symbols.peek() != Some(&'{') {
            return;
        }
        for symbol in self.symbols.by_ref() {
            self.out.push(symbol);
            if symbol == '}' {
                break;
            }
        }
    }

    /// Rewrites a bracketed class, its opening bracket read already.
    fn class(&mut self) -> Result<(), PatternError> {
        self.out.push('[');
        self.out.extend(self.symbols.next_if_eq(&'^'));
        if self.symbols.next_if_eq(&']').is_some() {
            self.out.push_str("\\]");
        }
        while let Some(symbol) = self.symbols.next() {
            match symbol {
                ']' => {
                    self.out.push(']');
                    return Ok(());
                }
                '\\' => self.escape(PatternPlace::Class)?,
                '[' if self.symbols.peek() == Some(&':') => self.named_class()?,
                // What would be set operations and nested classes are plain characters in RE2.
                '[' | '&' | '~' => self.out.extend(['\\', symbol]),
                '-' if self.symbols.peek() == Some(&'-') => {
                    self.symbols.next();
                    self.out.push_str("-\\-");
                }
                _ => self.out.push(symbol),
            }
        }
        Ok(())
    }

    /// `[:name:]` inside a class, its opening bracket read already.
    fn named_class(&mut self) -> Result<(), PatternError> {
        let mut ahead = self.symbols.clone();
        let name: String = ahead.by_ref().take_while(|symbol| *symbol != ']').collect();
        let Some(inside) = name.strip_prefix(':').and_then(|name| name.strip_suffix(':')) else {
            self.out.push_str("\\[");
            return Ok(());
        };
        if !CLASSES.contains(&inside.strip_prefix('^').unwrap_or(inside)) {
            return refuse("unknown class of characters");
        }
        self.out.extend(["[", &name, "]"]);
        self.symbols = ahead;
        Ok(())
    }
}
