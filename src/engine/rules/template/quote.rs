//! Go's quoted texts and characters: reading and writing them.

use std::fmt::Write;

/// What a quoted text is written with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// Whatever can be printed stays.
    #[default]
    Printable,
    /// Only ASCII stays.
    Ascii,
}

/// The text that a quoted one (`"…"` or `` `…` ``) stands for. Bytes that are no UTF-8 (`"\xff"`) become U+FFFD.
pub(super) fn unquoted(written: &str) -> Option<String> {
    if let Some(raw) = written.strip_prefix('`') {
        return Some(raw.strip_suffix('`')?.replace('\r', ""));
    }
    let mut rest = written.strip_prefix('"')?.strip_suffix('"')?;
    let mut bytes = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let (unit, after) = unit(rest, '"')?;
        match unit {
            Unit::Character(character) => {
                bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Unit::Byte(byte) => bytes.push(byte),
        }
        rest = after;
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Why a character constant is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadCharacter {
    Syntax,
    /// More than one character.
    Malformed,
}

/// The number of a character constant (`'x'`).
pub(super) fn character(written: &str) -> Result<i64, BadCharacter> {
    let rest = written.strip_prefix('\'').ok_or(BadCharacter::Syntax)?;
    let (unit, tail) = unit(rest, '\'').ok_or(BadCharacter::Syntax)?;
    if tail != "'" {
        return Err(BadCharacter::Malformed);
    }
    Ok(match unit {
        Unit::Character(character) => i64::from(u32::from(character)),
        Unit::Byte(byte) => i64::from(byte),
    })
}

enum Unit {
    Character(char),
    Byte(u8),
}

/// The first character of `text` or what its escape stands for, and what follows.
fn unit(text: &str, quote: char) -> Option<(Unit, &str)> {
    let mut rest = text.chars();
    let first = rest.next()?;
    if first != '\\' {
        return (first != quote).then_some((Unit::Character(first), rest.as_str()));
    }
    let escape = rest.next()?;
    let plain = match escape {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '\\' => '\\',
        '\'' | '"' if escape == quote => quote,
        'x' => return digits(rest.as_str(), 2, 16).and_then(byte),
        'u' => return digits(rest.as_str(), 4, 16).and_then(scalar),
        'U' => return digits(rest.as_str(), 8, 16).and_then(scalar),
        '0'..='7' => return digits(text.get(1..)?, 3, 8).and_then(byte),
        _ => return None,
    };
    Some((Unit::Character(plain), rest.as_str()))
}

fn digits(text: &str, count: usize, radix: u32) -> Option<(u32, &str)> {
    let written = text.get(..count)?;
    let all = written.chars().all(|digit| digit.is_digit(radix));
    let value = all.then(|| u32::from_str_radix(written, radix).ok()).flatten()?;
    Some((value, text.get(count..)?))
}

fn byte((value, rest): (u32, &str)) -> Option<(Unit, &str)> {
    Some((Unit::Byte(u8::try_from(value).ok()?), rest))
}

fn scalar((value, rest): (u32, &str)) -> Option<(Unit, &str)> {
    Some((Unit::Character(char::from_u32(value)?), rest))
}

/// A text in double quotes, as Go's `%q`.
pub(super) fn quoted(text: &str) -> String {
    quoted_in(text, Alphabet::Printable)
}

/// The same in an alphabet.
pub(super) fn quoted_in(text: &str, alphabet: Alphabet) -> String {
    let mut written = String::with_capacity(text.len() + 2);
    written.push('"');
    text.chars().for_each(|character| push(&mut written, character, '"', alphabet));
    written.push('"');
    written
}

/// A character in single quotes.
pub(super) fn quoted_character(character: char, alphabet: Alphabet) -> String {
    let mut written = String::from('\'');
    push(&mut written, character, '\'', alphabet);
    written.push('\'');
    written
}

fn push(written: &mut String, character: char, quote: char, alphabet: Alphabet) {
    if character == quote || character == '\\' {
        written.extend(['\\', character]);
        return;
    }
    let stays = match alphabet {
        Alphabet::Printable => is_printable(character),
        Alphabet::Ascii => (' '..='~').contains(&character),
    };
    if stays {
        written.push(character);
        return;
    }
    let escaped = match character {
        '\u{7}' => "\\a",
        '\u{8}' => "\\b",
        '\u{c}' => "\\f",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\u{b}' => "\\v",
        _ => {
            let number = u32::from(character);
            // Writing to a string does not fail.
            let _ = match number {
                0..=0x1f | 0x7f => write!(written, "\\x{number:02x}"),
                0..=0xffff => write!(written, "\\u{number:04x}"),
                _ => write!(written, "\\U{number:08x}"),
            };
            return;
        }
    };
    written.push_str(escaped);
}

/// Whether Go takes a character for one that can be printed: no space but the ASCII one is.
pub(super) fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return (' '..='~').contains(&character);
    }
    // Behind another character a combining mark is escaped by neither.
    let mut pair = String::from('a');
    pair.push(character);
    !character.is_whitespace() && !character.is_control() && pair.escape_debug().count() == 2
}

/// Whether a text can stand in backquotes as it is.
pub(super) fn fits_backquotes(text: &str) -> bool {
    !text.chars().any(|character| {
        character == '`'
            || character == '\u{feff}'
            || character == '\u{7f}'
            || (character < ' ' && character != '\t')
    })
}
