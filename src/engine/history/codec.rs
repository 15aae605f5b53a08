//! The changes of one cell as bytes.
//!
//! A value holds until the next change, so what does not move costs nothing. A change at the very next place whose
//! step differs little from the step before takes one byte: whole numbers (after scaling by a power of ten where that
//! is exact) are stored as the difference of differences, everything else as its eight bytes.

/// Where a change stands: the place of an instant of the grid, or a time in milliseconds; rises from one to the next.
pub(super) type ChangePlace = i64;

/// The largest power of ten by which a fraction is made whole.
const SCALE_MAX: u8 = 4;

/// Marks a change that is not one byte.
const EXTENDED: u8 = 0x80;
/// In an extended change: the value follows as eight bytes instead of a difference.
const RAW: u8 = 0x40;

/// Whole numbers up to here survive the way through `f64`.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// What the next change is told relative to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Codec {
    place: ChangePlace,
    value: f64,
    /// The value at `scale`, once it was needed.
    whole: Option<i64>,
    step: i64,
    scale: u8,
}

impl Codec {
    /// Before the first change: the value was `value` at `place`.
    pub(super) const fn starting(place: ChangePlace, value: f64) -> Self {
        Self { place, value, whole: None, step: 0, scale: 0 }
    }

    /// Appends the change to `value` at `place`, which is later than the one before.
    pub(super) fn encode(&mut self, place: ChangePlace, value: f64, out: &mut Vec<u8>) {
        let gap = place.saturating_sub(self.place).cast_unsigned();
        match self.difference(value) {
            Some((difference, scale))
                if gap == 1 && scale == self.scale && (-64..64).contains(&difference) =>
            {
                out.push(zigzag(difference) as u8);
                self.step = self.step.wrapping_add(difference);
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

    /// Takes the next change off `rest`.
    pub(super) fn decode(&mut self, rest: &mut &[u8]) -> Option<(ChangePlace, f64)> {
        let tag = take(rest)?;
        if tag & EXTENDED == 0 {
            self.place = self.place.saturating_add(1);
            self.move_by(unzigzag(u64::from(tag)));
        } else if tag & RAW == 0 {
            self.place = self.place.saturating_add(take_varint(rest)?.cast_signed());
            let scale = tag & 0x3f;
            if scale != self.scale {
                self.step = 0;
                self.scale = scale;
                self.whole = None;
            }
            self.move_by(unzigzag(take_varint(rest)?));
        } else {
            self.place = self.place.saturating_add(take_varint(rest)?.cast_signed());
            let (bits, after) = rest.split_first_chunk::<8>()?;
            *rest = after;
            self.value = f64::from_bits(u64::from_be_bytes(*bits));
            self.whole = None;
            self.step = 0;
        }
        Some((self.place, self.value))
    }

    fn move_by(&mut self, difference: i64) {
        self.step = self.step.wrapping_add(difference);
        let before = self.whole.or_else(|| whole(self.value, self.scale)).unwrap_or(0);
        let after = before.wrapping_add(self.step);
        self.whole = Some(after);
        self.value = fraction(after, self.scale);
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
