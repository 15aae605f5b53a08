//! A row of numbers: four bytes each where they are whole and small, as counts are, twelve where they are not.
//!
//! Where more than half would take twelve, all take eight. What is read is always what was written, bit for bit.

use std::mem::take;

/// From here on a narrow number is a place among the wide ones; below, the number itself.
const WIDE: u32 = u32::MAX - 0xffff;

/// The longest row: every place must fit above [`WIDE`].
pub(in crate::engine) const NUMBERS_MAX: usize = 0x1_0000;

/// Numbers by their place, at most [`NUMBERS_MAX`].
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Numbers {
    /// Empty where `wide` has every number at its own place.
    narrow: Box<[u32]>,
    wide: Vec<f64>,
}

/// A number as a narrow one, where it is one.
#[inline]
fn narrowed(number: f64) -> Option<u32> {
    let narrow = number as u32;
    (narrow < WIDE && f64::from(narrow).to_bits() == number.to_bits()).then_some(narrow)
}

/// A total, at most the largest finite number.
#[inline]
pub(super) fn saturated(total: f64) -> f64 {
    total.clamp(f64::MIN, f64::MAX)
}

impl Numbers {
    /// As many zeros.
    pub(in crate::engine) fn zeros(count: usize) -> Self {
        Self { narrow: vec![0; count.min(NUMBERS_MAX)].into(), wide: Vec::new() }
    }

    /// Whether there are none.
    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many there are.
    pub(in crate::engine) fn len(&self) -> usize {
        if self.narrow.is_empty() { self.wide.len() } else { self.narrow.len() }
    }

    /// The number at a place.
    #[inline]
    pub(in crate::engine) fn get(&self, place: usize) -> Option<f64> {
        match self.narrow.get(place) {
            Some(narrow) if *narrow < WIDE => Some(f64::from(*narrow)),
            Some(narrow) => self.wide.get((*narrow - WIDE) as usize).copied(),
            None if self.narrow.is_empty() => self.wide.get(place).copied(),
            None => None,
        }
    }

    /// All of them.
    pub(in crate::engine) fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.len()).filter_map(|place| self.get(place))
    }

    /// Puts a number at a place that there is.
    #[inline]
    pub(in crate::engine) fn set(&mut self, place: usize, number: f64) {
        match self.narrow.get_mut(place) {
            Some(narrow) if *narrow < WIDE => match narrowed(number) {
                Some(number) => *narrow = number,
                None => self.widen(place, number),
            },
            Some(narrow) => {
                if let Some(known) = self.wide.get_mut((*narrow - WIDE) as usize) {
                    *known = number;
                }
            }
            None => self.set_plain(place, number),
        }
    }

    /// Adds to the number at a place; a sum saturates at the largest finite number.
    #[inline]
    pub(in crate::engine) fn add(&mut self, place: usize, delta: f64) {
        if let Some(narrow) = self.narrow.get_mut(place)
            && *narrow < WIDE - 1
            && delta == 1.0
        {
            *narrow += 1;
        } else if let Some(narrow) = self.narrow.get_mut(place)
            && *narrow < WIDE
            && let Some(sum) = narrowed(f64::from(*narrow) + delta)
        {
            *narrow = sum;
        } else if let Some(number) = self.get(place) {
            self.set(place, saturated(number + delta));
        }
    }

    /// Brings the number at a place to zero and takes back what it took more than a zero does.
    pub(in crate::engine) fn clear(&mut self, place: usize) {
        let Some(narrow) = self.narrow.get_mut(place) else { return self.set_plain(place, 0.0) };
        let Some(freed) = take(narrow).checked_sub(WIDE) else { return };
        let last = (self.wide.len() as u32).wrapping_sub(1);
        self.wide.swap_remove(freed as usize);
        if let Some(moved) = self.narrow.iter_mut().find(|narrow| **narrow == WIDE.wrapping_add(last)) {
            *moved = WIDE + freed;
        }
    }

    fn set_plain(&mut self, place: usize, number: f64) {
        if self.narrow.is_empty()
            && let Some(known) = self.wide.get_mut(place)
        {
            *known = number;
        }
    }

    #[cold]
    fn widen(&mut self, place: usize, number: f64) {
        if self.wide.len() >= self.narrow.len() / 2 {
            self.wide = self.iter().collect();
            self.narrow = Box::default();
            return self.set_plain(place, number);
        }
        if let Some(narrow) = self.narrow.get_mut(place) {
            *narrow = WIDE + self.wide.len() as u32;
            // Rows of a page fill up one by one.
            self.wide.reserve_exact(
                usize::from(self.wide.len() == self.wide.capacity()) * (self.wide.len() / 4).max(2),
            );
            self.wide.push(number);
        }
    }

    /// The places at which `other` has another number, with that.
    pub(in crate::engine) fn changes<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = (usize, f64)> + 'a {
        let alike = self.narrow.iter().zip(&*other.narrow);
        // Equal narrow numbers are equal; places among the wide ones say nothing.
        let suspects = alike.enumerate().filter(|(_, (one, two))| one != two || **one >= WIDE);
        let suspects = suspects.map(|(place, _)| place);
        let compared = self.narrow.len().min(other.narrow.len());
        suspects.chain(compared..self.len().min(other.len())).filter_map(|place| {
            let number = other.get(place)?;
            (self.get(place)?.to_bits() != number.to_bits()).then_some((place, number))
        })
    }

    /// Bytes that the number at a place takes.
    pub(in crate::engine) fn bytes_at(&self, place: usize) -> usize {
        match self.narrow.get(place) {
            Some(narrow) if *narrow < WIDE => size_of::<u32>(),
            Some(_) => size_of::<u32>() + size_of::<f64>(),
            None => size_of::<f64>(),
        }
    }

    /// Bytes held, this structure itself not included.
    pub(in crate::engine) fn bytes(&self) -> usize {
        size_of_val(&*self.narrow) + self.wide.len() * size_of::<f64>()
    }
}

impl FromIterator<f64> for Numbers {
    /// Numbers of a row that is written once; what is beyond [`NUMBERS_MAX`] is left out.
    fn from_iter<I: IntoIterator<Item = f64>>(numbers: I) -> Self {
        let mut all: Vec<f64> = numbers.into_iter().take(NUMBERS_MAX).collect();
        let wide: Vec<f64> = all.iter().copied().filter(|number| narrowed(*number).is_none()).collect();
        if wide.len() > all.len() / 2 {
            all.shrink_to_fit();
            return Self { narrow: Box::default(), wide: all };
        }
        let mut next = WIDE;
        let narrow = all.iter().map(|number| {
            narrowed(*number).unwrap_or_else(|| {
                next += 1;
                next - 1
            })
        });
        let narrow = narrow.collect();
        Self { narrow, wide: wide.into_boxed_slice().into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COUNT: usize = 24;

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![
            (0_u32..5).prop_map(f64::from),
            (0_u32..5).prop_map(|near| f64::from(WIDE - near)),
            Just(-0.0),
            Just(f64::NAN),
            Just(f64::INFINITY),
            any::<f64>(),
        ]
    }

    #[derive(Clone, Debug)]
    enum Act {
        Set(usize, f64),
        Add(usize, f64),
        Clear(usize),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0..COUNT, number()).prop_map(|(place, number)| Act::Set(place, number)),
            (0..COUNT, number()).prop_map(|(place, number)| Act::Add(place, number)),
            (0..COUNT).prop_map(Act::Clear),
        ]
    }

    fn bits(numbers: impl IntoIterator<Item = f64>) -> Vec<u64> {
        numbers.into_iter().map(f64::to_bits).collect()
    }

    proptest! {
        #[test]
        fn a_row_reads_as_plain_numbers_do(acts in prop::collection::vec(act(), 0..120)) {
            let (mut numbers, mut plain) = (Numbers::zeros(COUNT), vec![0.0_f64; COUNT]);
            for act in acts {
                let (before, known) = (numbers.clone(), plain.clone());
                match act {
                    Act::Set(place, number) => (numbers.set(place, number), plain[place] = number),
                    Act::Add(place, delta) => {
                        (numbers.add(place, delta), plain[place] = (plain[place] + delta).clamp(f64::MIN, f64::MAX))
                    }
                    Act::Clear(place) => (numbers.clear(place), plain[place] = 0.0),
                };
                prop_assert_eq!(bits(numbers.iter()), bits(plain.iter().copied()));
                let packed: Numbers = plain.iter().copied().collect();
                prop_assert_eq!(bits(packed.iter()), bits(plain.iter().copied()));
                let changed = |(place, (one, two)): (usize, (&f64, &f64))| {
                    (one.to_bits() != two.to_bits()).then_some((place, two.to_bits()))
                };
                let expected: Vec<_> = known.iter().zip(&plain).enumerate().filter_map(changed).collect();
                for other in [&numbers, &packed] {
                    let found: Vec<_> = before.changes(other).map(|(place, number)| (place, number.to_bits())).collect();
                    prop_assert_eq!(&found, &expected);
                }
            }
        }
    }

    #[test]
    fn counts_take_four_bytes_and_what_has_left_takes_no_more_than_they_do() {
        let mut numbers = Numbers::zeros(COUNT);
        numbers.set(3, 0.5);
        numbers.set(5, 7.0);
        assert_eq!(numbers.bytes(), COUNT * 4 + 8);
        numbers.clear(3);
        assert_eq!(numbers.bytes(), COUNT * 4);
        assert_eq!((numbers.get(3), numbers.get(5)), (Some(0.0), Some(7.0)));
    }
}
