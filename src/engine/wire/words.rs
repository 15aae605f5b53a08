//! Short fixed texts as vectors of bytes, so that a text is compared with a guess at once and without a call.

use wide::u8x16;

/// Bytes that are compared together.
const TOGETHER: usize = 16;

/// A text of at most sixteen bytes a chunk.
#[derive(Debug)]
pub(super) struct Guess<const CHUNKS: usize> {
    bytes: [[u8; TOGETHER]; CHUNKS],
    /// All ones for what comes after the text.
    after: [[u8; TOGETHER]; CHUNKS],
    length: usize,
}

impl<const CHUNKS: usize> Guess<CHUNKS> {
    /// Prepares to look for `parts`, one after the other, which must fit.
    #[expect(
        clippy::indexing_slicing,
        reason = "it runs when the program is built, which stops where parts do not fit"
    )]
    pub(super) const fn new(parts: [&str; 3]) -> Self {
        let mut guess = Self { bytes: [[0; TOGETHER]; CHUNKS], after: [[0xff; TOGETHER]; CHUNKS], length: 0 };
        let mut parts = parts.as_slice();
        while let [part, other_parts @ ..] = parts {
            let mut text = part.as_bytes();
            while let [byte, rest @ ..] = text {
                let (chunk, place) = (guess.length / TOGETHER, guess.length % TOGETHER);
                guess.bytes[chunk][place] = *byte;
                guess.after[chunk][place] = 0;
                guess.length += 1;
                text = rest;
            }
            parts = other_parts;
        }
        guess
    }

    /// How many bytes it takes where `text` begins with it.
    #[inline]
    pub(super) fn at_start(&self, text: &[u8]) -> Option<usize> {
        let Some(text) = text.get(..CHUNKS * TOGETHER) else { return self.at_end(text) };
        let chunks = text.as_chunks().0;
        let (mut same, mut place) = (u8x16::splat(0xff), 0);
        // Iterators over three slices at once are calls where they are not inlined, and this is a handful of instructions.
        while let (Some(chunk), Some(expected), Some(after)) =
            (chunks.get(place), self.bytes.get(place), self.after.get(place))
        {
            let [chunk, expected, after] = [chunk, expected, after].map(|bytes| u8x16::new(*bytes));
            same &= chunk.simd_eq(expected) | after;
            place += 1;
        }
        (same.to_bitmask() == 0xffff).then_some(self.length)
    }

    /// The same for a text that is shorter than the chunks.
    fn at_end(&self, text: &[u8]) -> Option<usize> {
        let expected = self.bytes.as_flattened().get(..self.length)?;
        text.starts_with(expected).then_some(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_at_the_start_alone() {
        let guess = Guess::<2>::new(["\"", "event_id", "\":"]);
        let cases = [
            ("\"event_id\":                      ", Some(11)),
            ("\"event_ie\":                      ", None),
            ("\"event_id\" :                     ", None),
            ("\"event_id\":      ", Some(11)),
            ("\"event_id\":", Some(11)),
            ("\"event_ie\":      ", None),
            ("\"event_idx\":     ", None),
            ("\"event_id\" :     ", None),
            ("event_id\":       ", None),
            ("\"event_id\"", None),
            ("", None),
        ];
        for (text, length) in cases {
            assert_eq!(guess.at_start(text.as_bytes()), length, "{text}");
        }
    }
}
