//! Places as the protocol counts them (lines from 0, columns in UTF-16 units unless both sides agree on bytes) and as
//! we do (bytes).

use std::ops::Range;
use std::sync::Arc;

use lsp_types::{Position, PositionEncodingKind};

/// How columns are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    /// In bytes.
    Utf8,
    /// In UTF-16 units, as every client can.
    Utf16,
}

impl Columns {
    /// The best of what a client offers.
    pub(super) fn agreed(offered: Option<&[PositionEncodingKind]>) -> Self {
        let can = offered.is_some_and(|kinds| kinds.contains(&PositionEncodingKind::UTF8));
        if can { Self::Utf8 } else { Self::Utf16 }
    }

    /// Its name in the protocol.
    pub(super) fn kind(self) -> PositionEncodingKind {
        match self {
            Self::Utf8 => PositionEncodingKind::UTF8,
            Self::Utf16 => PositionEncodingKind::UTF16,
        }
    }

    fn width(self, letter: char) -> usize {
        match self {
            Self::Utf8 => letter.len_utf8(),
            Self::Utf16 => letter.len_utf16(),
        }
    }
}

/// A text, and where its lines begin.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    text: Arc<str>,
    starts: Vec<usize>,
}

impl Lines {
    /// Looks for the lines of a text.
    pub(super) fn of(text: Arc<str>) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// The text.
    pub(super) fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The byte of a position; one behind the end of a line is the line's end.
    pub(super) fn byte(&self, columns: Columns, position: Position) -> usize {
        let Some(start) = self.starts.get(position.line as usize).copied() else { return self.text.len() };
        let line = self.text.get(start..).unwrap_or_default().split('\n').next().unwrap_or_default();
        let mut left = position.character as usize;
        for (at, letter) in line.char_indices() {
            if left < columns.width(letter) {
                return start + at;
            }
            left -= columns.width(letter);
        }
        start + line.len()
    }

    /// The position of a byte.
    pub(super) fn position(&self, columns: Columns, at: usize) -> Position {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= at).saturating_sub(1);
        let start = self.starts.get(line).copied().unwrap_or(0);
        let before = self.text.get(start..at).unwrap_or_default();
        let column: usize = before.chars().map(|letter| columns.width(letter)).sum();
        Position::new(line as u32, column as u32)
    }

    /// The range of some bytes.
    pub(super) fn range(&self, columns: Columns, span: &Range<usize>) -> lsp_types::Range {
        lsp_types::Range::new(self.position(columns, span.start), self.position(columns, span.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_and_a_byte_are_each_others() {
        let text = "a\né𝄞b\n";
        let lines = Lines::of(Arc::from(text));
        for (columns, place, byte) in [
            (Columns::Utf16, (1, 0), 2),
            (Columns::Utf16, (1, 1), 4),
            (Columns::Utf16, (1, 3), 8),
            (Columns::Utf8, (1, 6), 8),
            (Columns::Utf16, (2, 0), 10),
        ] {
            let position = Position::new(place.0, place.1);
            assert_eq!(lines.byte(columns, position), byte, "{columns:?} {place:?}");
            assert_eq!(lines.position(columns, byte), position, "{columns:?} {place:?}");
        }
        assert_eq!(lines.byte(Columns::Utf16, Position::new(0, 99)), 1);
        assert_eq!(lines.byte(Columns::Utf16, Position::new(9, 0)), text.len());
    }
}
