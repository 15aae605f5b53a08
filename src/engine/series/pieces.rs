//! Texts of labels that many series of a page have in common, each kept once.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

/// From so many pieces on they are found by their hash; fewer are looked through.
const INDEXED_FROM: usize = 9;

/// Pieces of text by their numbers, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces {
    /// Each after a comma.
    text: String,
    /// By number: where it ends.
    ends: Vec<u32>,
    /// By hash, a power of two long: a number and one, or 0.
    index: Box<[u16]>,
    /// Random, so that nobody can bring pieces that all hash alike.
    hashing: RandomState,
}

impl Pieces {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// A piece after its comma.
    #[inline]
    pub(super) fn get(&self, number: u16) -> &str {
        let number = usize::from(number);
        let start =
            number.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize);
        self.ends.get(number).and_then(|end| self.text.get(start..*end as usize)).unwrap_or("")
    }

    /// The number of a piece, given to it now where it has none; there are at most `u16::MAX`.
    pub(super) fn number(&mut self, piece: &str) -> u16 {
        let hash = self.hashing.hash_one(piece.as_bytes());
        if let Some(known) = self.find(piece, hash) {
            return known;
        }
        let number = self.len() as u16;
        if self.text.capacity() - self.text.len() <= piece.len() {
            // Doubling would leave a third of a full page's text empty.
            self.text.reserve_exact((piece.len() + 1).max(self.text.len() / 8));
        }
        self.text.push(',');
        self.text.push_str(piece);
        make_room(&mut self.ends);
        self.ends.push(self.text.len() as u32);
        if self.len() < INDEXED_FROM {
            return number;
        }
        if self.len() > self.index.len() / 4 * 3 {
            self.build_index();
        } else {
            self.put_in_index(number, hash);
        }
        number
    }

    fn find(&self, piece: &str, hash: u64) -> Option<u16> {
        let is_it = |number: &u16| self.get(*number).get(1..) == Some(piece);
        if self.index.is_empty() {
            return (0..self.len() as u16).find(is_it);
        }
        let mask = self.index.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            let number = self.index.get(place)?.checked_sub(1)?;
            if is_it(&number) {
                return Some(number);
            }
            place = (place + 1) & mask;
        }
    }

    fn put_in_index(&mut self, number: u16, hash: u64) {
        let mask = self.index.len() - 1;
        let mut place = hash as usize & mask;
        while let Some(entry) = self.index.get_mut(place) {
            if *entry == 0 {
                *entry = number + 1;
                return;
            }
            place = (place + 1) & mask;
        }
    }

    fn build_index(&mut self) {
        self.index = vec![0; (self.len() * 4 / 3 + 1).next_power_of_two()].into();
        for number in 0..self.len() as u16 {
            let hash = self.get(number).get(1..).map_or(0, |piece| self.hashing.hash_one(piece.as_bytes()));
            self.put_in_index(number, hash);
        }
    }
}

/// Makes room for one more where there is none: a quarter, as doubling would leave a third empty.
pub(super) fn make_room<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact((list.len() / 4).max(4));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_keeps_its_number_and_text_however_many_follow() {
        let mut pieces = Pieces::default();
        for round in 0..2 {
            for number in 0..3_000_u16 {
                let text = format!("label=\"{number}\"");
                assert_eq!(pieces.number(&text), number, "round {round}");
                assert_eq!(pieces.get(number), format!(",{text}"));
            }
        }
        assert_eq!((pieces.len(), pieces.get(3_000)), (3_000, ""));
    }
}
