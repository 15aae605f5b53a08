//! Randomness that a seed fixes.

use std::cell::RefCell;

/// A sequence of numbers that its seed fixes (`SplitMix64`).
#[derive(Clone, Debug)]
pub(in crate::shell) struct Random(u64);

impl Random {
    /// The sequence of this seed.
    pub(in crate::shell) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(in crate::shell) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where that is 0.
    pub(in crate::shell) const fn below(&mut self, end: u64) -> u64 {
        let drawn = self.next();
        if end == 0 { 0 } else { drawn % end }
    }

    /// A number from `first` up to and without `end`.
    pub(in crate::shell) const fn between(&mut self, first: u64, end: u64) -> u64 {
        first + self.below(end.saturating_sub(first))
    }

    /// True so many times in a hundred.
    pub(in crate::shell) const fn percent(&mut self, times: u64) -> bool {
        self.below(100) < times
    }

    /// One of these.
    pub(in crate::shell) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let place = self.below(from.len() as u64);
        from.get(place as usize).copied()
    }
}

thread_local! {
    /// What the machines draw, which take a plain function.
    static DRAWN: RefCell<Random> = const { RefCell::new(Random::new(0)) };
}

/// Begins what the machines of this thread draw.
pub(super) fn begin(seed: u64) {
    DRAWN.with_borrow_mut(|drawn| *drawn = Random::new(seed));
}

/// A number for a machine.
pub(super) fn draw() -> u64 {
    DRAWN.with_borrow_mut(Random::next)
}
