//! Where the bytes of a scalar's text stand in the file, however it is written.

use std::ops::Range;

use super::tree::{Notation, Scalar};

/// Maps byte offsets in a scalar's text to bytes of the file.
#[derive(Clone, Debug)]
pub(super) struct Offsets {
    starts: Vec<usize>,
    end: usize,
}

impl Offsets {
    /// The map for a scalar of `text` that stands at `span`.
    ///
    /// Escapes, folded lines and indentation are stepped over, so that what is not white space is exact.
    pub(super) fn new(text: &str, span: &Range<usize>, scalar: &Scalar) -> Self {
        let source = text.get(span.clone()).unwrap_or("");
        let mut at = match scalar.style {
            Notation::Single | Notation::Double => usize::from(source.starts_with(['"', '\''])),
            Notation::Block if source.starts_with(['|', '>']) => source.find('\n').map_or(0, |end| end + 1),
            Notation::Plain | Notation::Block => 0,
        };
        let mut starts = Vec::with_capacity(scalar.text.len());
        for wanted in scalar.text.chars() {
            let place = find(source, &mut at, wanted, scalar.style);
            starts.extend(std::iter::repeat_n(span.start + place, wanted.len_utf8()));
        }
        Self { starts, end: (span.start + at).min(span.end) }
    }

    /// The bytes of the file for a range of the scalar's text.
    pub(super) fn map(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.starts.get(range.start).copied().unwrap_or(self.end);
        let last = range.end.checked_sub(1).and_then(|last| self.starts.get(last).copied());
        start..last.map_or(start, |last| last + 1).max(start)
    }
}

/// The place of the next character of a scalar in its source; `at` moves behind it.
fn find(source: &str, at: &mut usize, wanted: char, style: Notation) -> usize {
    loop {
        let rest = source.get(*at..).unwrap_or("");
        let Some(found) = rest.chars().next() else { return (*at).min(source.len()) };
        let place = *at;
        if style == Notation::Double && found == '\\' {
            let escaped = rest.chars().nth(1).unwrap_or(' ');
            *at += match escaped {
                'x' => 4,
                'u' => 6,
                'U' => 10,
                other => 1 + other.len_utf8(),
            };
            if matches!(escaped, '\n' | '\r') {
                continue;
            }
            return place;
        }
        if found == wanted {
            let doubled = style == Notation::Single && found == '\'';
            *at += found.len_utf8() + usize::from(doubled);
            return place;
        }
        if wanted.is_whitespace() {
            if found.is_whitespace() {
                *at += found.len_utf8();
            }
            return place;
        }
        if !found.is_whitespace() {
            return place;
        }
        *at += found.len_utf8();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::yaml::parse::read;

    #[test]
    fn places_in_a_scalar_are_found_however_it_is_written() {
        let cases = [
            "expr: sum(foo) > barr\n",
            "expr: \"sum(foo) > barr\"\n",
            "expr: \"sum(\\\"foo\\\") > barr\"\n",
            "expr: 'sum(''foo'') > barr'\n",
            "expr: |\n  sum(foo)\n    > barr\n",
            "expr: >-\n  sum(foo)\n  > barr\n",
            "expr: sum(foo)\n  > barr\n",
            "é: |2\n    sum(foo)\n   > barr\n",
        ];
        for text in cases {
            let root = read(text).unwrap().root.unwrap();
            let node = &root.entries()[0].1;
            let scalar = node.scalar().unwrap();
            let offsets = Offsets::new(text, &node.span, scalar);
            let at = scalar.text.find("barr").unwrap();
            assert_eq!(&text[offsets.map(&(at..at + 4))], "barr", "{text} {scalar:?}");
        }
    }
}
