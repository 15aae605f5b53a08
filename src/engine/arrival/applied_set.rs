//! Which messages of a consumer with acknowledgements were applied: such a consumer delivers one again until its
//! acknowledgement arrives, in an order of its own.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

/// Ranges that are kept at a time; past that the lowest are forgotten, and what they held is known by its `event_id`.
const RANGES_MAX: usize = 262_144;

/// Sequences of one life of a stream: all up to one of them, and ranges above it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AppliedSet {
    through: u64,
    /// Ascending, with gaps between them.
    ranges: VecDeque<RangeInclusive<u64>>,
}

impl AppliedSet {
    /// All up to this sequence, and these ranges; none where they are not ascending.
    pub(in crate::engine) fn of(
        through: u64,
        ranges: impl IntoIterator<Item = RangeInclusive<u64>>,
    ) -> Option<Self> {
        let mut set = Self { through, ranges: VecDeque::new() };
        for range in ranges {
            let after = set.ranges.back().map_or(through, |last| *last.end());
            if *range.start() <= after || range.is_empty() {
                return None;
            }
            set.ranges.push_back(range);
        }
        Some(set)
    }

    /// The sequence up to which all are in it.
    pub(in crate::engine) const fn through(&self) -> u64 {
        self.through
    }

    /// What is in it above that.
    pub(in crate::engine) fn ranges(&self) -> impl ExactSizeIterator<Item = &RangeInclusive<u64>> {
        self.ranges.iter()
    }

    /// Whether a sequence is in it.
    pub(crate) fn contains(&self, sequence: u64) -> bool {
        let place = self.ranges.partition_point(|range| *range.end() < sequence);
        sequence <= self.through || self.ranges.get(place).is_some_and(|range| range.contains(&sequence))
    }

    /// Takes in a sequence.
    pub(crate) fn insert(&mut self, sequence: u64) {
        if self.contains(sequence) {
            return;
        }
        let place = self.ranges.partition_point(|range| *range.end() < sequence);
        let before = place.checked_sub(1).and_then(|before| self.ranges.get(before).cloned());
        let after = self.ranges.get(place).cloned();
        let joins_before =
            before.as_ref().is_some_and(|before| before.end().checked_add(1) == Some(sequence));
        let joins_after = after.as_ref().is_some_and(|after| sequence.checked_add(1) == Some(*after.start()));
        let start = before.filter(|_| joins_before).map_or(sequence, |before| *before.start());
        let end = after.filter(|_| joins_after).map_or(sequence, |after| *after.end());
        if joins_after {
            self.ranges.remove(place);
        }
        match self.ranges.get_mut(place.wrapping_sub(1)).filter(|_| joins_before) {
            Some(range) => *range = start..=end,
            None => self.ranges.insert(place, start..=end),
        }
        if self.ranges.len() > RANGES_MAX {
            self.ranges.pop_front();
        }
    }

    /// Takes in all up to this sequence.
    pub(crate) fn insert_through(&mut self, sequence: u64) {
        self.through = self.through.max(sequence);
        while let Some(first) = self.ranges.front().filter(|first| *first.start() <= self.through) {
            let end = *first.end();
            if end > self.through {
                // What is left of it is in it all the same.
                self.through = end;
            }
            self.ranges.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// It holds what a plain set holds, and its ranges stay apart.
        #[test]
        fn it_is_a_set(steps in prop::collection::vec((0_u64..40, 0_u8..8), 0..120)) {
            let mut set = AppliedSet::default();
            let mut plain: BTreeSet<u64> = BTreeSet::from([0]);
            for (sequence, step) in steps {
                if step == 0 {
                    set.insert_through(sequence);
                    plain.extend(0..=sequence);
                } else {
                    set.insert(sequence);
                    plain.insert(sequence);
                }
            }
            for sequence in 0..=41 {
                prop_assert_eq!(set.contains(sequence), plain.contains(&sequence), "{}: {:?}", sequence, set);
            }
            let again = AppliedSet::of(set.through(), set.ranges().cloned());
            prop_assert_eq!(again.as_ref(), Some(&set));
            let ends: Vec<_> = set.ranges().map(|range| *range.end()).collect();
            for (range, before) in set.ranges().skip(1).zip(ends) {
                prop_assert!(*range.start() > before + 1);
            }
        }
    }

    #[test]
    fn what_contradicts_itself_is_none() {
        assert_eq!(AppliedSet::of(5, [5..=7]), None);
        assert_eq!(AppliedSet::of(0, [3..=4, 4..=9]), None);
        assert_eq!(AppliedSet::of(0, [RangeInclusive::new(4, 3)]), None);
    }
}
