//! The keys of a file of YAML with their places, also while the file is half written.
//!
//! The one reader of YAML ([`crate::engine::yaml`]) refuses what is no YAML, and a file is none while somebody types in
//! it. What stands here goes by indentation and brackets alone, never refuses, and knows of every byte what it belongs
//! to. It decides nothing about what a file means.

mod reader;

use std::ops::Range;

use reader::Reader;

/// A key of a mapping or an element of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutlineEntry {
    /// What it stands in; none at the top.
    pub(crate) parent: Option<usize>,
    /// A key's text, quotes taken away; none of an element.
    pub(crate) name: Option<String>,
    /// The bytes of the key, or of the element's dash.
    pub(crate) key: Range<usize>,
    /// The bytes of its scalar without quotes and without the mark of a block; empty where it has none.
    pub(crate) value: Range<usize>,
    /// All of it in its line, from the key on; in brackets up to the comma.
    region: Range<usize>,
    /// Where the colon of a key ends, or the dash.
    after: usize,
    /// The column, in bytes; none in brackets.
    column: Option<usize>,
}

impl OutlineEntry {
    /// Whether it stands in a mapping or list in brackets.
    pub(crate) fn is_in_brackets(&self) -> bool {
        self.column.is_none()
    }

    /// Whether a line behind it may still be its text.
    pub(crate) fn goes_on_in(&self, line: &str) -> bool {
        let indent = line.len() - line.trim_start_matches(' ').len();
        self.column.is_none_or(|column| indent > column)
    }
}

/// A mapping or list in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Brackets {
    owner: Option<usize>,
    span: Range<usize>,
    opening: u8,
}

/// Everything of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// In the order of the file.
    pub(crate) entries: Vec<OutlineEntry>,
    brackets: Vec<Brackets>,
    lines: Vec<Line>,
}

/// A line, and the entry that was open when it began.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    span: Range<usize>,
    open: Option<usize>,
}

/// What a byte of a file belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutlinePlace {
    /// The entry it stands in or below; none at the top.
    pub(crate) entry: Option<usize>,
    /// What it is there.
    pub(crate) part: Part,
    /// The word or scalar around it.
    pub(crate) span: Range<usize>,
}

/// What a byte is to its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// In the entry's own key.
    Key,
    /// In the entry's scalar.
    Value,
    /// Below the entry, where a key or a scalar may begin.
    Inside,
    /// In a comment.
    Comment,
}

impl Outline {
    /// Reads a file.
    pub(crate) fn of(text: &str) -> Self {
        Reader::new(text).outline()
    }

    /// The entry of this number.
    pub(crate) fn entry(&self, number: usize) -> Option<&OutlineEntry> {
        self.entries.get(number)
    }

    /// The last entry that begins before a byte.
    pub(crate) fn last_before(&self, at: usize) -> Option<&OutlineEntry> {
        self.entries.get(..self.entries.partition_point(|entry| entry.key.start < at))?.last()
    }

    /// The entry and all it stands in, the outermost first.
    pub(crate) fn path(&self, entry: Option<usize>) -> Vec<&OutlineEntry> {
        let mut path: Vec<&OutlineEntry> =
            std::iter::successors(entry.and_then(|number| self.entry(number)), |entry| {
                entry.parent.and_then(|number| self.entry(number))
            })
            .collect();
        path.reverse();
        path
    }

    /// What stands directly in an entry, or at the top.
    pub(crate) fn inside(&self, entry: Option<usize>) -> impl Iterator<Item = &OutlineEntry> {
        self.entries.iter().filter(move |inner| inner.parent == entry)
    }

    /// The key of this name directly in an entry, or at the top.
    pub(crate) fn find(&self, entry: Option<usize>, name: &str) -> Option<&OutlineEntry> {
        self.inside(entry).find(|inner| inner.name.as_deref() == Some(name))
    }

    /// What stands at a byte of the text that was read.
    pub(crate) fn place(&self, text: &str, at: usize) -> OutlinePlace {
        let of_brackets = self
            .brackets
            .iter()
            .filter(|brackets| brackets.span.start < at && at <= brackets.span.end)
            .min_by_key(|brackets| brackets.span.len());
        if let Some(brackets) = of_brackets {
            return self.in_brackets(brackets, text, at);
        }
        // A scalar over several lines goes before what its lines look like.
        let scalar =
            self.entries.iter().enumerate().find(|(_, entry)| {
                entry.value.start <= at && at <= entry.value.end && !entry.value.is_empty()
            });
        if let Some((number, entry)) = scalar {
            // An element may go on as a mapping whose first key this is.
            let part = if entry.name.is_none() { Part::Inside } else { Part::Value };
            return OutlinePlace { entry: Some(number), part, span: entry.value.clone() };
        }
        self.in_line(text, at)
    }

    fn in_brackets(&self, brackets: &Brackets, text: &str, at: usize) -> OutlinePlace {
        let entry = self.entries.iter().enumerate().find(|(_, entry)| {
            entry.parent == brackets.owner
                && entry.column.is_none()
                && entry.region.start <= at
                && at <= entry.region.end
        });
        match entry {
            Some((number, entry)) if entry.name.is_none() || at >= entry.after => {
                let span = if entry.value.is_empty() { at..at } else { entry.value.clone() };
                OutlinePlace { entry: Some(number), part: Part::Value, span }
            }
            Some((number, entry)) => {
                OutlinePlace { entry: Some(number), part: Part::Key, span: entry.key.clone() }
            }
            None => OutlinePlace { entry: brackets.owner, part: Part::Inside, span: word(text, at) },
        }
    }

    fn in_line(&self, text: &str, at: usize) -> OutlinePlace {
        let number =
            self.lines.partition_point(|line| line.span.end < at).min(self.lines.len().saturating_sub(1));
        let Some(line) = self.lines.get(number) else {
            return OutlinePlace { entry: None, part: Part::Inside, span: at..at };
        };
        let before = text.get(line.span.start..at).unwrap_or_default();
        if before.trim_start().starts_with('#') || before.contains(" #") {
            return OutlinePlace { entry: line.open, part: Part::Comment, span: at..at };
        }
        let here = self.entries.iter().enumerate().filter(|(_, entry)| {
            entry.column.is_some() && line.span.start <= entry.key.start && entry.key.start < line.span.end
        });
        if let Some((number, entry)) = here.rev().find(|(_, entry)| entry.key.start <= at) {
            if at <= entry.key.end && entry.name.is_some() {
                return OutlinePlace { entry: Some(number), part: Part::Key, span: entry.key.clone() };
            }
            if at >= entry.after && entry.name.is_some() {
                return OutlinePlace { entry: Some(number), part: Part::Value, span: at..at };
            }
            if at >= entry.after {
                return OutlinePlace { entry: Some(number), part: Part::Inside, span: word(text, at) };
            }
        }
        let span = word(text, at);
        let column = span.start.saturating_sub(line.span.start);
        let open = self.open_at(line.open, column, Kind::Key);
        OutlinePlace { entry: open, part: Part::Inside, span }
    }

    /// The innermost open entry that something new at a column stands in.
    fn open_at(&self, open: Option<usize>, column: usize, kind: Kind) -> Option<usize> {
        let mut open = open;
        while let Some(entry) = open.and_then(|number| self.entry(number)) {
            let its = entry.column.unwrap_or(0);
            // A list may begin at the column of its key.
            let goes_on = its < column || its == column && kind == Kind::Element && entry.name.is_some();
            if goes_on {
                return open;
            }
            open = entry.parent;
        }
        None
    }
}

/// What begins at a column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Key,
    Element,
}

/// The word around a byte: letters, digits and what metric names have beside them.
pub(crate) fn word(text: &str, at: usize) -> Range<usize> {
    let of_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'.' | b'-');
    let bytes = text.as_bytes();
    let before = bytes.get(..at).unwrap_or_default().iter().rev().take_while(|byte| of_word(byte)).count();
    let after = bytes.get(at..).unwrap_or_default().iter().take_while(|byte| of_word(byte)).count();
    // A list's dash is no part of a word.
    let start = at - before;
    let dashes = bytes.get(start..at).unwrap_or_default().iter().take_while(|byte| **byte == b'-').count();
    start + dashes..at + after
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys that lead to the cursor `|`, what it is there and the text around it.
    fn at_cursor(marked: &str) -> (String, Part, String) {
        let at = marked.find('|').unwrap();
        let text = marked.replacen('|', "", 1);
        let outline = Outline::of(&text);
        let place = outline.place(&text, at);
        let path = outline.path(place.entry);
        let names: Vec<&str> = path.iter().map(|entry| entry.name.as_deref().unwrap_or("-")).collect();
        (names.join(" "), place.part, text[place.span].to_owned())
    }

    #[test]
    fn a_cursor_knows_its_keys_however_far_the_file_is_written() {
        let rule = "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up\n";
        let cases: &[(&str, &str, Part, &str)] = &[
            ("|", "", Part::Inside, ""),
            ("gr|", "", Part::Inside, "gr"),
            ("groups:\n  - |", "groups -", Part::Inside, ""),
            ("groups:\n  - na|", "groups -", Part::Inside, "na"),
            ("groups:\n- name: g|\n", "groups - name", Part::Value, "g"),
            ("groups:\n- name: g\n  ru|\n", "groups -", Part::Inside, "ru"),
            ("groups:\n- na|me: g\n", "groups - name", Part::Key, "name"),
            ("groups:\n- name: |\n  rules:\n", "groups - name", Part::Value, ""),
            ("a:\n  b: {c: 1, d|}\n", "a b d", Part::Key, "d"),
            ("a:\n  b: {c: 1, |}\n", "a b", Part::Inside, ""),
            ("a:\n  b: {c: x|y, d: 2}\n", "a b c", Part::Value, "xy"),
            ("a: [x, y|]\nb: 1\n", "a -", Part::Value, "y"),
            ("a: \"x: |y\" # z\n", "a", Part::Value, "x: y"),
            ("a: 1 # b|\n", "", Part::Comment, ""),
            ("a: >\n  x\n\n  y|\nb: 1\n", "a", Part::Value, "  x\n\n  y"),
            ("a: x: y|\n", "a", Part::Value, "x: y"),
            ("a:\n- {b: {c: 1\n  }, d: |}\n", "a - d", Part::Value, ""),
        ];
        for (marked, path, part, span) in cases {
            let found = at_cursor(marked);
            assert_eq!(found, ((*path).to_owned(), *part, (*span).to_owned()), "{marked:?}");
        }
        for (line, path) in [("    fo|", "groups - rules -"), ("  |", "groups -"), ("- |", "groups -")] {
            assert_eq!(at_cursor(&format!("{rule}{line}")).0, path, "{line:?}");
        }
    }

    #[test]
    fn deep_brackets_end_nothing() {
        for text in ["[".repeat(100_000), "{a: ".repeat(100_000), format!("a: {}", "[{".repeat(50_000))] {
            let outline = Outline::of(&text);
            assert!(outline.path(outline.place(&text, 150).entry).len() <= 151);
        }
    }

    #[test]
    fn no_text_is_refused_and_every_byte_has_a_place() {
        let text = "a: {b: [1, \"2\n- c: |\n  x\n{[}]:,'\"\n  - - d:\n\t? e\n: f: {g";
        for end in 0..=text.len() {
            let part = &text[..end];
            let outline = Outline::of(part);
            for at in 0..=end {
                let place = outline.place(part, at);
                assert!(part.get(place.span).is_some(), "{part:?} at {at}");
            }
        }
    }
}
