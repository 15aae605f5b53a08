//! Short fixed texts as machine words, so that bytes are compared with a guess at once and without a call.

/// A text of at most eight bytes a word.
pub(super) struct Guess<const WORDS: usize> {
    bytes: [[u8; 8]; WORDS],
    /// Which bits of each word count.
    masks: [u64; WORDS],
    length: usize,
}

impl<const WORDS: usize> Guess<WORDS> {
    /// Prepares to look for `parts`, one after the other, which must fit.
    #[expect(
        clippy::indexing_slicing,
        reason = "it runs when the program is built, which stops where parts do not fit"
    )]
    pub(super) const fn new(parts: [&str; 3]) -> Self {
        let mut guess = Self { bytes: [[0; 8]; WORDS], masks: [0; WORDS], length: 0 };
        let mut parts = parts.as_slice();
        while let [part, other_parts @ ..] = parts {
            let mut text = part.as_bytes();
            while let [byte, rest @ ..] = text {
                let (word, place) = (guess.length / 8, guess.length % 8);
                guess.bytes[word][place] = *byte;
                guess.masks[word] |= 0xff << (place * 8);
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
        let Some(text) = text.get(..WORDS * 8) else { return self.at_end(text) };
        let words = text.as_chunks::<8>().0;
        let (mut differ, mut place) = (0, 0);
        // Iterators over three slices at once are calls where they are not inlined, and this is a handful of instructions.
        while let (Some(word), Some(expected), Some(mask)) =
            (words.get(place), self.bytes.get(place), self.masks.get(place))
        {
            differ |= (u64::from_le_bytes(*word) ^ u64::from_le_bytes(*expected)) & mask;
            place += 1;
        }
        (differ == 0).then_some(self.length)
    }

    /// The same for a text that is shorter than the words.
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
