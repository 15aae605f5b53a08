//! Reads a text line by line, and what is in brackets or quotes as far as it goes.

use std::ops::Range;

use super::{Brackets, Kind, Line, Outline, OutlineEntry};

/// Brackets inside brackets that are looked into; what is deeper is text. YAML's reader refuses such a file anyway.
const DEPTH_MAX: usize = 100;

/// A file that is read.
pub(super) struct Reader<'t> {
    /// Brackets that are open.
    depth: usize,
    text: &'t str,
    at: usize,
    open: Option<usize>,
    outline: Outline,
}

impl<'t> Reader<'t> {
    /// Nothing of the text is read yet.
    pub(super) fn new(text: &'t str) -> Self {
        Self { depth: 0, text, at: 0, open: None, outline: Outline::default() }
    }

    /// Reads all of it.
    pub(super) fn outline(mut self) -> Outline {
        self.read();
        self.outline
    }

    fn read(&mut self) {
        while self.at <= self.text.len() {
            let end = self.line_end(self.at);
            let start = self.at;
            self.outline.lines.push(Line { span: start..end, open: self.open });
            self.at = end + 1;
            self.line(start, end);
        }
    }

    fn line_end(&self, from: usize) -> usize {
        self.text.get(from..).and_then(|rest| rest.find('\n')).map_or(self.text.len(), |length| from + length)
    }

    fn slice(&self, span: Range<usize>) -> &str {
        self.text.get(span).unwrap_or_default()
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn skip_blanks(&self, from: usize, end: usize) -> usize {
        let blanks =
            self.slice(from..end).bytes().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
        from + blanks
    }

    /// A line outside of brackets and of scalars that began before.
    fn line(&mut self, start: usize, end: usize) {
        let mut at = self.skip_blanks(start, end);
        loop {
            let is_dash = self.byte(at) == Some(b'-') && (at + 1 >= end || self.byte(at + 1) == Some(b' '));
            if !is_dash {
                break;
            }
            let column = at - start;
            let parent = self.outline.open_at(self.open, column, Kind::Element);
            self.push(OutlineEntry {
                parent,
                name: None,
                key: at..at + 1,
                value: at + 1..at + 1,
                region: at..end,
                after: (at + 2).min(end),
                column: Some(column),
            });
            at = self.skip_blanks(at + 1, end);
        }
        if at >= end || self.byte(at) == Some(b'#') {
            return;
        }
        match self.key_end(at, end) {
            Some(colon) => self.key(at, colon, (start, end)),
            None if self.open_element_is_of(start) => self.value(at, end),
            None => {}
        }
    }

    /// Whether what is open is an element whose dash stands in the line that begins here.
    fn open_element_is_of(&self, start: usize) -> bool {
        let open = self.open.and_then(|number| self.outline.entry(number));
        open.is_some_and(|entry| entry.name.is_none() && entry.key.start >= start)
    }

    fn key(&mut self, at: usize, colon: usize, (start, end): (usize, usize)) {
        let column = at - start;
        let parent = self.outline.open_at(self.open, column, Kind::Key);
        let name = self.slice(at..colon).trim_matches(['"', '\'']).to_owned();
        self.push(OutlineEntry {
            parent,
            name: Some(name),
            key: at..colon,
            value: colon + 1..colon + 1,
            region: at..end,
            after: (colon + 2).min(end.max(colon + 1)),
            column: Some(column),
        });
        let value = self.skip_blanks(colon + 1, end);
        if value < end {
            self.value(value, end);
        }
    }

    fn push(&mut self, entry: OutlineEntry) {
        self.open = Some(self.outline.entries.len());
        self.outline.entries.push(entry);
    }

    /// Where the key that begins here ends: at a colon with a blank or the end of the line behind it.
    fn key_end(&self, at: usize, end: usize) -> Option<usize> {
        let first = self.byte(at)?;
        if matches!(first, b'{' | b'[' | b'|' | b'>' | b'&' | b'*' | b'!') {
            return None;
        }
        if matches!(first, b'"' | b'\'') {
            let close = self.quote_end(at, end)?;
            return (self.byte(close) == Some(b':')).then_some(close);
        }
        let line = self.slice(at..end);
        let colon = line.char_indices().find(|(place, letter)| {
            *letter == ':' && line.as_bytes().get(place + 1).is_none_or(|next| matches!(next, b' ' | b'\r'))
        })?;
        let comment = line.find(" #").unwrap_or(line.len());
        (colon.0 < comment).then_some(at + colon.0)
    }

    /// Just behind the quote that closes the one here.
    fn quote_end(&self, at: usize, end: usize) -> Option<usize> {
        let quote = self.byte(at)?;
        let mut place = at + 1;
        while place < end {
            match self.byte(place)? {
                b'\\' if quote == b'"' => place += 2,
                byte if byte == quote && quote == b'\'' && self.byte(place + 1) == Some(quote) => place += 2,
                byte if byte == quote => return Some(place + 1),
                _ => place += 1,
            }
        }
        None
    }

    /// The value of what is open, which begins here in a line that ends there.
    fn value(&mut self, at: usize, end: usize) {
        match self.byte(at) {
            Some(b'{' | b'[') => {
                let owner = self.open;
                let close = self.brackets(at, owner);
                self.open = owner;
                self.go_on_behind(close);
            }
            Some(b'|' | b'>') => self.block(end),
            Some(b'"' | b'\'') => {
                let limit = self.text.len();
                let close = self.quote_end(at, limit).unwrap_or(end);
                let inner = at + 1..close.saturating_sub(1).max(at + 1);
                self.set_value(inner);
                self.go_on_behind(close);
            }
            _ => {
                let line = self.slice(at..end);
                let length = line.find(" #").unwrap_or(line.len());
                let length = line.get(..length).map_or(0, |text| text.trim_end().len());
                self.set_value(at..at + length);
            }
        }
    }

    fn set_value(&mut self, value: Range<usize>) {
        if let Some(entry) = self.open.and_then(|open| self.outline.entries.get_mut(open)) {
            entry.value = value;
        }
    }

    /// Notes the lines that end before a byte, and reads on behind its line.
    fn go_on_behind(&mut self, place: usize) {
        while self.at <= place && self.at <= self.text.len() {
            let end = self.line_end(self.at);
            self.outline.lines.push(Line { span: self.at..end, open: self.open });
            self.at = end + 1;
        }
    }

    /// The lines of a block scalar: all that are deeper than what it belongs to.
    fn block(&mut self, end: usize) {
        let column =
            self.open.and_then(|open| self.outline.entry(open)).and_then(|entry| entry.column).unwrap_or(0);
        let start = (end + 1).min(self.text.len());
        let (mut at, mut last) = (start, start);
        while at < self.text.len() {
            let line_end = self.line_end(at);
            let begin = self.skip_blanks(at, line_end);
            if begin < line_end {
                if begin - at <= column {
                    break;
                }
                last = line_end;
            }
            at = line_end + 1;
        }
        self.set_value(start..last);
        if last > start {
            self.go_on_behind(last);
        }
    }

    /// Reads brackets up to behind the one that closes them.
    fn brackets(&mut self, at: usize, owner: Option<usize>) -> usize {
        let opening = self.byte(at).unwrap_or(b'{');
        self.depth += 1;
        let place = self.outline.brackets.len();
        self.outline.brackets.push(Brackets { owner, span: at..at, opening });
        let mut at = at + 1;
        let close = loop {
            at = self.skip_between(at);
            match self.byte(at) {
                None => break self.text.len(),
                Some(b'}' | b']') => break at,
                Some(_) => at = self.element(at, owner, opening),
            }
        };
        if let Some(brackets) = self.outline.brackets.get_mut(place) {
            brackets.span.end = close;
        }
        self.depth -= 1;
        (close + 1).min(self.text.len())
    }

    /// Behind blanks, commas and comments.
    fn skip_between(&self, from: usize) -> usize {
        let mut at = from;
        loop {
            match self.byte(at) {
                Some(b' ' | b'\t' | b'\r' | b'\n' | b',') => at += 1,
                Some(b'#') => at = self.line_end(at),
                _ => return at,
            }
        }
    }

    /// A key with its value, or an element, up to the comma or bracket behind it.
    fn element(&mut self, at: usize, owner: Option<usize>, opening: u8) -> usize {
        let number = self.outline.entries.len();
        let entry = |name, key: Range<usize>, after| OutlineEntry {
            parent: owner,
            name,
            value: after..after,
            region: at..after,
            after,
            key,
            column: None,
        };
        if opening == b'[' {
            self.outline.entries.push(entry(None, at..at, at));
            return self.bracketed_value(at, number);
        }
        let (stop, colon) = self.bracketed_key(at);
        let name = self.slice(at..stop).trim_matches(['"', '\'', ' ']).to_owned();
        self.outline.entries.push(entry(Some(name), at..stop, colon.map_or(stop + 1, |colon| colon + 1)));
        let Some(colon) = colon else {
            self.end_region(number, stop);
            return stop;
        };
        let value = self.skip_spaces(colon + 1);
        self.bracketed_value(value, number)
    }

    fn skip_spaces(&self, from: usize) -> usize {
        let mut at = from;
        while matches!(self.byte(at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            at += 1;
        }
        at
    }

    /// Where a key in brackets ends, and its colon.
    fn bracketed_key(&self, at: usize) -> (usize, Option<usize>) {
        let start = match self.byte(at) {
            Some(b'"' | b'\'') => self.quote_end(at, self.text.len()).unwrap_or(at + 1),
            _ => at,
        };
        let mut place = start;
        loop {
            match self.byte(place) {
                Some(b':') if self.byte(place + 1).is_none_or(|next| b" \n\r,}]\"'".contains(&next)) => {
                    return (place, Some(place));
                }
                None | Some(b',' | b'}' | b']' | b'\n') => return (place.max(at + 1), None),
                Some(_) => place += 1,
            }
        }
    }

    fn end_region(&mut self, number: usize, end: usize) {
        if let Some(entry) = self.outline.entries.get_mut(number) {
            entry.region.end = end;
        }
    }

    fn bracketed_value(&mut self, at: usize, number: usize) -> usize {
        let (value, end) = match self.byte(at) {
            Some(b'{' | b'[') if self.depth < DEPTH_MAX => (at..at, self.brackets(at, Some(number))),
            Some(b'"' | b'\'') => {
                let close = self.quote_end(at, self.text.len()).unwrap_or(self.line_end(at));
                (at + 1..close.saturating_sub(1).max(at + 1), close)
            }
            _ => {
                let rest = self.slice(at..self.text.len());
                let length = rest.find([',', '}', ']', '\n']).unwrap_or(rest.len());
                let length = rest.get(..length).map_or(0, |text| text.trim_end().len());
                (at..at + length, at + length)
            }
        };
        if let Some(entry) = self.outline.entries.get_mut(number) {
            entry.value = value;
        }
        let end = end.max(at);
        self.end_region(number, end);
        // What is no comma or bracket behind a value is passed over.
        let mut next = end;
        while !matches!(self.byte(next), None | Some(b',' | b'}' | b']' | b'\n')) {
            next += 1;
        }
        next
    }
}
