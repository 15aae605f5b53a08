//! Changing inputs.

use crate::shell::simulation::random::Random;

/// Bytes that tend to matter.
const BYTES: [u8; 14] = [0, 1, 7, b' ', b'"', b'\'', b'\n', b'\r', b'\\', b'{', b'}', 0x7f, 0x80, 0xff];

/// Numbers that tend to matter, as text.
const NUMBERS: [&str; 10] =
    ["0", "-1", "1e999", "-1e-999", "9007199254740993", "18446744073709551615", "NaN", "1e308", "0x7f", "1h"];

/// Makes inputs from those of a corpus.
pub(super) struct Mutator<'a> {
    random: Random,
    corpus: &'a [Vec<u8>],
    words: &'a [&'a str],
}

impl<'a> Mutator<'a> {
    pub(super) const fn new(random: Random, corpus: &'a [Vec<u8>], words: &'a [&'a str]) -> Self {
        Self { random, corpus, words }
    }

    /// The next input, of so many bytes at the most.
    pub(super) fn next(&mut self, bytes_max: usize) -> Vec<u8> {
        let mut input = self.pick();
        for _ in 0..=self.random.below(6) {
            self.change(&mut input);
        }
        input.truncate(bytes_max);
        input
    }

    fn pick(&mut self) -> Vec<u8> {
        let place = self.random.below(self.corpus.len() as u64);
        self.corpus[place as usize].clone()
    }

    fn place(&mut self, input: &[u8]) -> usize {
        self.random.below(input.len() as u64 + 1) as usize
    }

    /// A range of at most so many bytes.
    fn range(&mut self, input: &[u8], most: u64) -> std::ops::Range<usize> {
        let start = self.place(input);
        let end = (start + self.random.below(most) as usize).min(input.len());
        start..end
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        match self.random.below(10) {
            0 => {
                let (place, bit) = (self.place(input), self.random.below(8));
                if let Some(byte) = input.get_mut(place) {
                    *byte ^= 1 << bit;
                }
            }
            1 => {
                let place = self.place(input);
                let drawn = self.random.pick(&BYTES).unwrap();
                if let Some(byte) = input.get_mut(place) {
                    *byte = drawn;
                }
            }
            2 => drop(input.drain(self.range(input, 20))),
            3 => drop(input.drain(self.range(input, 400))),
            4 => {
                let range = self.range(input, 60);
                let again = input[range].repeat(1 + self.random.below(40) as usize);
                self.insert(input, &again);
            }
            5 | 6 => {
                let word = self.random.pick(self.words).unwrap_or(" ");
                self.insert(input, word.as_bytes());
            }
            7 => {
                let number = self.random.pick(&NUMBERS).unwrap();
                self.put_number(input, number);
            }
            8 => {
                let other = self.pick();
                let range = self.range(&other, 200);
                self.insert(input, &other[range]);
            }
            _ => {
                let drawn = self.random.next().to_le_bytes();
                let count = self.random.below(8) as usize;
                self.insert(input, &drawn[..count]);
            }
        }
    }

    fn insert(&mut self, input: &mut Vec<u8>, bytes: &[u8]) {
        let place = self.place(input);
        input.splice(place..place, bytes.iter().copied());
    }

    /// Puts a number in the place of one that is there, behind some place.
    fn put_number(&mut self, input: &mut Vec<u8>, number: &str) {
        let from = self.place(input);
        let Some(start) = input[from..].iter().position(u8::is_ascii_digit).map(|at| from + at) else {
            return self.insert(input, number.as_bytes());
        };
        let length = input[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        input.splice(start..start + length, number.bytes());
    }
}
