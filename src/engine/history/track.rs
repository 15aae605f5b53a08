//! One cell's past as a list of its changes, compressed.
//!
//! A value holds until the next change, so what does not move costs nothing. A change at the very next instant
//! whose step differs little from the step before takes one byte: whole numbers (after scaling by a power of ten
//! where that is exact) are stored as the difference of differences, everything else as the bits that changed.

use std::collections::VecDeque;

/// The place of an instant on the [`super::Axis`]; rises for ever.
pub(super) type Place = u64;

/// Changes a chunk holds at the most; chunks leave whole when the window has passed them.
const CHUNK_CHANGES: u16 = 120;

/// What a chunk costs beside its bytes.
const CHUNK_BYTES: usize = size_of::<Chunk>();

/// The largest power of ten by which a fraction is made whole.
const SCALE_MAX: u8 = 4;

/// Marks a change that is not one byte.
const EXTENDED: u8 = 0x80;
/// In an extended change: the value follows as eight bytes instead of a difference.
const RAW: u8 = 0x40;

/// Whole numbers up to here survive the way through `f64`.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// The changes of one cell, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    chunks: VecDeque<Chunk>,
}

#[derive(Clone, Debug)]
struct Chunk {
    /// The value before the first change.
    base: f64,
    start: Place,
    changes: u16,
    bytes: Vec<u8>,
    state: Codec,
}

/// What the next change is told relative to.
#[derive(Clone, Copy, Debug)]
struct Codec {
    place: Place,
    value: f64,
    /// The value at `scale`, once it was needed.
    whole: Option<i64>,
    step: i64,
    scale: u8,
}

impl Track {
    /// A track of a cell that had the value `base` until now.
    pub(super) fn starting(base: f64) -> Self {
        let mut track = Self::default();
        track.chunks.push_back(Chunk::starting(0, base));
        track
    }

    /// The cell has `value` from the instant at `place` on; places must rise.
    pub(super) fn push(&mut self, place: Place, value: f64) {
        let full = self.chunks.back().is_none_or(|chunk| chunk.changes >= CHUNK_CHANGES);
        if full {
            let base = self.chunks.back().map_or(value, |chunk| chunk.state.value);
            if let Some(last) = self.chunks.back_mut() {
                last.bytes.shrink_to_fit();
            }
            self.chunks.push_back(Chunk::starting(place, base));
        }
        if let Some(chunk) = self.chunks.back_mut() {
            chunk.push(place, value);
        }
    }

    /// Forgets the chunks that end before `place`, and says how many bytes that freed.
    pub(super) fn forget_before(&mut self, place: Place) -> usize {
        let before = self.bytes();
        while self.chunks.len() > 1 && self.chunks.get(1).is_some_and(|next| next.start <= place) {
            self.chunks.pop_front();
        }
        before - self.bytes()
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.chunks.iter().map(|chunk| CHUNK_BYTES + chunk.bytes.capacity()).sum::<usize>()
    }

    /// The value in force at each of `places` (rising).
    pub(super) fn values(&self, places: &[Place], out: &mut Vec<f64>) {
        let Some(first) = places.first() else { return };
        let from = self.chunks.iter().rposition(|chunk| chunk.start <= *first).unwrap_or(0);
        let mut value = self.chunks.get(from).map_or(0.0, |chunk| chunk.base);
        let mut changes = self.chunks.iter().skip(from).flat_map(Chunk::iter).peekable();
        for place in places {
            while let Some((_, changed)) = changes.next_if(|(at, _)| at <= place) {
                value = changed;
            }
            out.push(value);
        }
    }
}

impl Chunk {
    fn starting(start: Place, base: f64) -> Self {
        let state = Codec::starting(start, base);
        Self { base, start, changes: 0, bytes: Vec::new(), state }
    }

    fn push(&mut self, place: Place, value: f64) {
        self.state.encode(place, value, &mut self.bytes);
        self.changes += 1;
    }

    fn iter(&self) -> impl Iterator<Item = (Place, f64)> + '_ {
        let mut state = Codec::starting(self.start, self.base);
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || state.decode(&mut rest))
    }
}

impl Codec {
    const fn starting(place: Place, value: f64) -> Self {
        Self { place, value, whole: None, step: 0, scale: 0 }
    }

    fn encode(&mut self, place: Place, value: f64, out: &mut Vec<u8>) {
        let gap = place.saturating_sub(self.place);
        match self.difference(value) {
            Some((difference, scale))
                if gap == 1 && scale == self.scale && (-64..64).contains(&difference) =>
            {
                out.push(zigzag(difference) as u8);
                self.step += difference;
            }
            Some((difference, scale)) => {
                out.push(EXTENDED | scale);
                varint(gap, out);
                varint(zigzag(difference), out);
                self.step = if scale == self.scale { self.step } else { 0 } + difference;
                self.scale = scale;
            }
            None => {
                out.push(EXTENDED | RAW);
                varint(gap, out);
                out.extend_from_slice(&value.to_bits().to_be_bytes());
                self.step = 0;
            }
        }
        self.place = place;
        self.value = value;
        self.whole = None;
    }

    fn decode(&mut self, rest: &mut &[u8]) -> Option<(Place, f64)> {
        let tag = take(rest)?;
        if tag & EXTENDED == 0 {
            self.place += 1;
            self.move_by(unzigzag(u64::from(tag)));
        } else if tag & RAW == 0 {
            self.place += take_varint(rest)?;
            let scale = tag & 0x3f;
            if scale != self.scale {
                self.step = 0;
                self.scale = scale;
                self.whole = None;
            }
            self.move_by(unzigzag(take_varint(rest)?));
        } else {
            self.place += take_varint(rest)?;
            let (bits, after) = rest.split_first_chunk::<8>()?;
            *rest = after;
            self.value = f64::from_bits(u64::from_be_bytes(*bits));
            self.whole = None;
            self.step = 0;
        }
        Some((self.place, self.value))
    }

    fn move_by(&mut self, difference: i64) {
        self.step += difference;
        let before = self.whole.or_else(|| whole(self.value, self.scale)).unwrap_or(0);
        self.whole = Some(before + self.step);
        self.value = fraction(before + self.step, self.scale);
    }

    /// How far the step from the present value to `value` differs from the step before, where both are whole
    /// numbers at some scale.
    fn difference(&self, value: f64) -> Option<(i64, u8)> {
        (self.scale..=SCALE_MAX).chain(0..self.scale).find_map(|scale| {
            let step = whole(value, scale)? - whole(self.value, scale)?;
            let expected = if scale == self.scale { self.step } else { 0 };
            Some((step - expected, scale))
        })
    }
}

/// `value` times ten to the power of `scale`, where that is whole and leads back to the same bits.
fn whole(value: f64, scale: u8) -> Option<i64> {
    let scaled = (value * POWERS.get(usize::from(scale))?).round();
    let exact = scaled.abs() <= WHOLE_MAX && fraction(scaled as i64, scale).to_bits() == value.to_bits();
    exact.then_some(scaled as i64)
}

fn fraction(whole: i64, scale: u8) -> f64 {
    whole as f64 / POWERS.get(usize::from(scale)).copied().unwrap_or(1.0)
}

const POWERS: [f64; SCALE_MAX as usize + 1] = [1.0, 10.0, 100.0, 1_000.0, 10_000.0];

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take(rest: &mut &[u8]) -> Option<u8> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    Some(*first)
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes_for(values: impl Iterator<Item = f64>) -> f64 {
        let mut track = Track::starting(0.0);
        let mut count = 0;
        for (place, value) in (1..).zip(values) {
            track.push(place, value);
            count += 1;
        }
        track.bytes() as f64 / f64::from(count)
    }

    #[test]
    fn a_steady_counter_takes_less_than_three_bytes_a_sample() {
        assert!(bytes_for((1..=720).map(|at| f64::from(at * 1000 + at % 7))) < 3.0);
    }

    #[test]
    fn a_steady_gauge_with_a_decimal_takes_less_than_three_bytes_a_sample() {
        assert!(bytes_for((1..=720).map(|at| f64::from(200 + at % 5) / 10.0)) < 3.0);
    }

    proptest! {
        #[test]
        fn what_was_pushed_is_read_back_bit_for_bit(
            changes in prop::collection::vec((1_u64..4, prop_oneof![
                any::<f64>(), (0_i32..1000).prop_map(f64::from), (0_i32..1000).prop_map(|tenths| f64::from(tenths) / 10.0),
            ]), 1..400),
        ) {
            let mut track = Track::starting(5.0);
            let (mut place, mut expected, mut places) = (0, Vec::new(), Vec::new());
            for (gap, value) in changes {
                place += gap;
                track.push(place, value);
                places.push(place);
                expected.push(value.to_bits());
            }
            let mut read = Vec::new();
            track.values(&places, &mut read);
            prop_assert_eq!(read.into_iter().map(f64::to_bits).collect::<Vec<_>>(), expected);
        }
    }
}
