//! What Go's `regexp` says of a pattern that is none.

/// The error of a pattern that was refused, in Go's words; none where they are not known.
pub(super) fn reason(pattern: &str) -> Option<String> {
    let said = |what: &str, part: &str| Some(format!("{what}: `{part}`"));
    let mut rest = pattern;
    let (mut open, mut repetition, mut is_empty) = (0_usize, None, true);
    while let Some(next) = rest.chars().next() {
        let before = rest;
        rest = rest.get(next.len_utf8()..).unwrap_or("");
        let operator = match next {
            '\\' => match escape(rest) {
                Ok(behind) => {
                    rest = behind;
                    None
                }
                Err(error) => return Some(error),
            },
            '[' => match class(rest) {
                Ok(behind) => {
                    rest = behind;
                    None
                }
                Err(error) => return Some(error),
            },
            '(' => {
                open += 1;
                match rest.strip_prefix('?').map_or(Ok(rest), flag_end) {
                    Ok(behind) => rest = behind,
                    Err(length) => {
                        let flags = before.get(..length + 2).unwrap_or(before);
                        return said("invalid or unsupported Perl syntax", flags);
                    }
                }
                (repetition, is_empty) = (None, true);
                continue;
            }
            ')' if open == 0 => return said("unexpected )", pattern),
            ')' => {
                open -= 1;
                None
            }
            '|' => {
                (repetition, is_empty) = (None, true);
                continue;
            }
            '*' | '+' | '?' => Some(1),
            '{' => match counted(rest) {
                Some((length, true)) => Some(length + 1),
                Some((length, false)) => return said("invalid repeat count", before.get(..=length)?),
                None => None,
            },
            _ => None,
        };
        let Some(length) = operator else {
            (repetition, is_empty) = (None, false);
            continue;
        };
        let lazy = usize::from(before.get(length..).is_some_and(|behind| behind.starts_with('?')));
        rest = before.get(length + lazy..).unwrap_or("");
        let operator = before.get(..length + lazy).unwrap_or(before);
        if is_empty {
            return said("missing argument to repetition operator", operator);
        }
        if let Some(last) = repetition {
            return Some(format!("invalid nested repetition operator: `{last}{operator}`"));
        }
        repetition = Some(operator);
    }
    if open > 0 { said("missing closing )", pattern) } else { None }
}

/// What follows an escape.
fn escape(rest: &str) -> Result<&str, String> {
    let Some(escaped) = rest.chars().next() else {
        return Err("trailing backslash at end of expression: ``".to_owned());
    };
    let behind = rest.get(escaped.len_utf8()..).unwrap_or("");
    let known = escaped.is_ascii_punctuation() || "abdfnprstvwxzABDPQSWE0123456789".contains(escaped);
    let is_reference =
        ('1'..='7').contains(&escaped) && !behind.starts_with(|next: char| ('0'..='7').contains(&next));
    if !known || is_reference || matches!(escaped, '8' | '9') {
        return Err(format!("invalid escape sequence: `\\{escaped}`"));
    }
    if escaped == 'Q' {
        let end = behind.find("\\E").map_or(behind.len(), |end| end + 2);
        return Ok(behind.get(end..).unwrap_or(""));
    }
    Ok(behind)
}

/// What follows a class.
fn class(rest: &str) -> Result<&str, String> {
    let range = |part: &str| format!("invalid character class range: `{part}`");
    let unclosed = || format!("missing closing ]: `[{rest}`");
    let mut behind = rest.strip_prefix('^').unwrap_or(rest);
    let mut is_first = true;
    loop {
        let start = behind;
        if !is_first && let Some(end) = behind.strip_prefix(']') {
            return Ok(end);
        }
        is_first = false;
        if let Some(end) = behind.strip_prefix("[:").and_then(|named| named.find(":]")) {
            let (name, after) = behind.split_at(end + 4);
            let known = name.trim_matches(['[', ':', ']', '^']);
            if !CLASSES.contains(&known) {
                return Err(range(name));
            }
            behind = after;
            continue;
        }
        let (low, after) = symbol(behind).ok_or_else(unclosed)?;
        behind = after;
        let high = behind.strip_prefix('-').filter(|high| !high.starts_with(']')).and_then(symbol);
        if let Some((high, after)) = high {
            behind = after;
            if low > high {
                let length = start.len() - behind.len();
                return Err(range(start.get(..length).unwrap_or(start)));
            }
        }
    }
}

/// The names between `[:` and `:]`.
const CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// A character of a class, or that an escape stands for, and what follows.
fn symbol(text: &str) -> Option<(char, &str)> {
    let text = text.strip_prefix('\\').unwrap_or(text);
    let symbol = text.chars().next()?;
    Some((symbol, text.get(symbol.len_utf8()..)?))
}

/// What follows the flags or the name of a group, or how much of them is wrong.
fn flag_end(flags: &str) -> Result<&str, usize> {
    if flags.starts_with("<=") || flags.starts_with("<!") {
        return Err(1);
    }
    if let Some(name) = flags.strip_prefix("P<").or(flags.strip_prefix('<')) {
        return name.find('>').and_then(|end| name.get(end + 1..)).ok_or(flags.len());
    }
    for (at, flag) in flags.char_indices() {
        match flag {
            ':' | ')' => return flags.get(at + usize::from(flag == ':')..).ok_or(at),
            'i' | 'm' | 's' | 'U' | '-' => {}
            _ => return Err(at + flag.len_utf8()),
        }
    }
    Err(flags.len())
}

/// The length of a counted repetition behind its brace, and whether it counts no further than it may.
fn counted(rest: &str) -> Option<(usize, bool)> {
    let end = rest.find('}')?;
    let inside = rest.get(..end)?;
    let (low, high) = inside.split_once(',').unwrap_or((inside, inside));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if low.is_empty() || !is_number(low) || !is_number(high) {
        return None;
    }
    let count = |text: &str| if text.is_empty() { Some(u32::MAX) } else { text.parse::<u32>().ok() };
    let fits = count(low).is_some_and(|low| low <= 1_000)
        && count(high).is_some_and(|high| high == u32::MAX || high <= 1_000)
        && count(low) <= count(high);
    Some((end + 1, fits))
}
