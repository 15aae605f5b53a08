//! The changes of a page of cells over some places, packed; never written again.

mod saved;

use super::codec::{ChangePlace, Codec};
use super::column::{CellIndex, CellSet};
use crate::engine::series::Numbers;

/// The changes of the cells of a page that changed at all.
#[derive(Debug)]
pub(super) struct Block {
    /// The place before its first change.
    before: ChangePlace,
    /// The place after its last one.
    pub(super) end: ChangePlace,
    index: CellIndex,
    /// By cell: the value before its first change.
    bases: Numbers,
    /// By cell: where its bytes end.
    ends: Ends,
    bytes: Box<[u8]>,
}

/// Where the bytes of cells end, in as few bytes as do.
#[derive(Debug)]
enum Ends {
    Short(Box<[u16]>),
    Long(Box<[u32]>),
}

impl From<Vec<u32>> for Ends {
    fn from(ends: Vec<u32>) -> Self {
        match ends.iter().map(|end| u16::try_from(*end)).collect::<Result<_, _>>() {
            Ok(short) => Self::Short(short),
            Err(_) => Self::Long(ends.into()),
        }
    }
}

impl Ends {
    fn get(&self, rank: usize) -> Option<usize> {
        match self {
            Self::Short(ends) => ends.get(rank).map(|end| usize::from(*end)),
            Self::Long(ends) => ends.get(rank).map(|end| *end as usize),
        }
    }

    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..).map_while(|rank| self.get(rank))
    }

    /// Bytes that one takes.
    const fn each(&self) -> usize {
        match self {
            Self::Short(_) => size_of::<u16>(),
            Self::Long(_) => size_of::<u32>(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Short(ends) => size_of_val(&**ends),
            Self::Long(ends) => size_of_val(&**ends),
        }
    }
}

/// A block under construction; cells come in rising order.
#[derive(Debug)]
pub(super) struct BlockBuilder {
    before: ChangePlace,
    set: CellSet,
    bases: Vec<f64>,
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl BlockBuilder {
    /// A block of changes after `before`.
    pub(super) fn new(before: ChangePlace) -> Self {
        Self { before, set: CellSet::default(), bases: Vec::new(), ends: Vec::new(), bytes: Vec::new() }
    }

    /// Adds a cell that had the value `base` before these changes.
    pub(super) fn add(&mut self, cell: usize, base: f64, changes: impl Iterator<Item = (ChangePlace, f64)>) {
        let mut codec = Codec::starting(self.before, base);
        for (place, value) in changes {
            codec.encode(place, value, &mut self.bytes);
        }
        self.close(cell, base);
    }

    fn close(&mut self, cell: usize, base: f64) {
        self.set.insert(cell);
        self.bases.push(base);
        self.ends.push(self.bytes.len() as u32);
    }

    /// The block; none where no cell changed.
    pub(super) fn finish(self, end: ChangePlace) -> Option<Block> {
        let Self { before, set, bases, ends, bytes } = self;
        let index = CellIndex::of(set);
        let (bases, ends, bytes) = (bases.into_iter().collect(), ends.into(), bytes.into());
        (!set.is_empty()).then_some(Block { before, end, index, bases, ends, bytes })
    }
}

impl Block {
    /// What a cell was before its first change, and its changes; none where it did not change.
    pub(super) fn changes(&self, cell: usize) -> Option<(f64, Changes<'_>)> {
        let rank = self.index.rank(cell)?;
        let base = self.bases.get(rank)?;
        Some((base, Changes { codec: Codec::starting(self.before, base), rest: self.packed(rank)? }))
    }

    fn packed(&self, rank: usize) -> Option<&[u8]> {
        let start = rank.checked_sub(1).map_or(Some(0), |before| self.ends.get(before))?;
        self.bytes.get(start..self.ends.get(rank)?)
    }

    /// The same without the cells that are not in `shown`; none where nothing is left.
    pub(super) fn only(&self, shown: &CellSet) -> Option<Self> {
        let mut builder = BlockBuilder::new(self.before);
        for (rank, cell) in self.index.set().iter().enumerate().filter(|(_, cell)| shown.contains(*cell)) {
            builder.bytes.extend_from_slice(self.packed(rank).unwrap_or_default());
            builder.close(cell, self.bases.get(rank).unwrap_or_default());
        }
        builder.finish(self.end)
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + 2 * size_of::<usize>() + self.bases.bytes() + self.ends.bytes() + self.bytes.len()
    }

    /// Bytes that one cell takes.
    pub(super) fn cell_bytes(&self, cell: usize) -> usize {
        let Some(rank) = self.index.rank(cell) else { return 0 };
        self.packed(rank).map_or(0, |packed| packed.len() + self.bases.bytes_at(rank) + self.ends.each())
    }
}

/// The changes of one cell in a block, oldest first.
#[derive(Clone, Debug)]
pub(super) struct Changes<'a> {
    codec: Codec,
    rest: &'a [u8],
}

impl Iterator for Changes<'_> {
    type Item = (ChangePlace, f64);

    fn next(&mut self) -> Option<Self::Item> {
        self.codec.decode(&mut self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block(changes: &[(ChangePlace, f64)]) -> Block {
        let mut builder = BlockBuilder::new(0);
        builder.add(7, 0.0, changes.iter().copied());
        builder.finish(i64::MAX).unwrap()
    }

    fn bytes_a_sample(values: impl Iterator<Item = f64>) -> f64 {
        let changes: Vec<(ChangePlace, f64)> = (1..).zip(values).collect();
        block(&changes).cell_bytes(7) as f64 / changes.len() as f64
    }

    #[test]
    fn a_steady_counter_takes_less_than_two_bytes_a_sample() {
        assert!(bytes_a_sample((1..=48).map(|at| f64::from(at * 1000 + at % 7))) < 2.0);
    }

    #[test]
    fn a_steady_gauge_with_a_decimal_takes_less_than_two_bytes_a_sample() {
        assert!(bytes_a_sample((1..=48).map(|at| f64::from(200 + at % 5) / 10.0)) < 2.0);
    }

    proptest! {
        #[test]
        fn what_was_packed_is_read_back_bit_for_bit(
            changes in prop::collection::vec((1_i64..4, prop_oneof![
                any::<f64>(), (0_i32..1000).prop_map(f64::from), (0_i32..1000).prop_map(|tenths| f64::from(tenths) / 10.0),
            ]), 1..400),
        ) {
            let mut place = 0;
            let packed: Vec<(ChangePlace, f64)> = changes.into_iter().map(|(gap, value)| { place += gap; (place, value) }).collect();
            let block = block(&packed);
            let bits = |(place, value): (ChangePlace, f64)| (place, value.to_bits());
            let read: Vec<_> = block.changes(7).unwrap().1.map(bits).collect();
            prop_assert_eq!(read, packed.into_iter().map(bits).collect::<Vec<_>>());
        }
    }
}
