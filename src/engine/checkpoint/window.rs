//! The duplicate window.

use std::time::Duration;

use super::bytes::{Damage, Reader, Twin, Writer, twin};
use crate::engine::time::Timestamp;

twin! {
    /// The duplicate window.
    struct WindowTwin {
        /// How many ids it was made for.
        entries: u64,
        age: Duration,
        generations: Vec<GenerationTwin>,
        oldest_tag: u64,
        /// By bucket: a bit for each place that is taken.
        taken: SparseTwin,
        /// What stands in these places, in their order.
        ids: WordsTwin,
        /// By bucket: how far from it what belongs there may stand.
        reaches: SparseTwin,
        /// The tag from which on the younger half of every reach holds.
        reaches_from: u64,
        /// The windows before its size was changed.
        before: Vec<WindowTwin>,
    }
}

twin! {
    /// The duplicate window as formats 1 and 2 have it: with every place, taken or not.
    struct DenseWindowTwin {
        entries: u64,
        age: Duration,
        generations: Vec<GenerationTwin>,
        oldest_tag: u64,
        /// Eight entries of eight bytes each.
        buckets: Vec<[u8; 64]>,
        reaches: Vec<u8>,
        reaches_from: u64,
        before: Vec<DenseWindowTwin>,
    }
}

impl From<DenseWindowTwin> for WindowTwin {
    fn from(dense: DenseWindowTwin) -> Self {
        let DenseWindowTwin { entries, age, generations, oldest_tag, reaches_from, .. } = dense;
        let entry = |bytes: &[u8; 64], place| {
            bytes.as_chunks().0.get(place).map_or(0, |entry| u64::from_le_bytes(*entry))
        };
        let bucket = |bytes: &[u8; 64]| std::array::from_fn(|place| entry(bytes, place));
        let buckets: Vec<[u64; 8]> = dense.buckets.iter().map(bucket).collect();
        let (taken, ids) = taken_places(buckets.len(), buckets.iter().enumerate(), |entry| entry != 0);
        let before = dense.before.into_iter().map(Self::from).collect();
        let reaches = SparseTwin(dense.reaches);
        Self { entries, age, generations, oldest_tag, taken, ids, reaches, reaches_from, before }
    }
}

/// Which places are taken, of so many buckets, and what stands there; `buckets` has those that are not empty, in their
/// order.
pub(in crate::engine) fn taken_places<'a>(
    count: usize,
    buckets: impl Iterator<Item = (usize, &'a [u64; 8])>,
    is_taken: impl Fn(u64) -> bool,
) -> (SparseTwin, WordsTwin) {
    let (mut taken, mut ids) = (vec![0; count], Vec::new());
    for (number, bucket) in buckets {
        // Without a branch for each place: whether it is taken is as random as the ids.
        let (mut bits, mut found, mut kept) = (0_u8, 0_usize, [0; 8]);
        for (place, entry) in bucket.iter().enumerate() {
            let is_taken = is_taken(*entry);
            bits |= u8::from(is_taken) << place;
            if let Some(next) = kept.get_mut(found % 8) {
                *next = *entry;
            }
            found += usize::from(is_taken);
        }
        if let Some(place) = taken.get_mut(number) {
            *place = bits;
            let len = ids.len() + found;
            ids.extend_from_slice(&kept);
            ids.truncate(len);
        }
    }
    (SparseTwin(taken), WordsTwin(ids))
}

twin! {
    /// Ids that came in one stretch of time.
    struct GenerationTwin {
        tag: u64,
        entries: u64,
        first: Timestamp,
        last: Timestamp,
    }
}

/// Bytes most of which are zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::engine) struct SparseTwin(pub(in crate::engine) Vec<u8>);

/// More than the buckets of the largest window: a length that lies does not cost memory.
const SPARSE_MAX: usize = 32 << 20;

impl Twin for SparseTwin {
    fn write(&self, out: &mut Writer) {
        out.len(self.0.len());
        out.len(self.0.iter().filter(|byte| **byte != 0).count());
        let mut next = 0;
        for (place, byte) in self.0.iter().enumerate().filter(|(_, byte)| **byte != 0) {
            out.len(place - next);
            byte.write(out);
            next = place + 1;
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        let len = usize::try_from(u64::read(from)?).unwrap_or(usize::MAX);
        if len > SPARSE_MAX {
            return Err(Damage("bytes are more than a window has"));
        }
        let mut bytes = vec![0; len];
        let mut next = 0_usize;
        for _ in 0..from.len()? {
            let place = usize::try_from(u64::read(from)?).unwrap_or(usize::MAX).saturating_add(next);
            *bytes.get_mut(place).ok_or(Damage("a byte is behind the last one"))? = u8::read(from)?;
            next = place + 1;
        }
        Ok(Self(bytes))
    }
}

/// Words as they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::engine) struct WordsTwin(pub(in crate::engine) Vec<u64>);

impl Twin for WordsTwin {
    fn write(&self, out: &mut Writer) {
        out.len(self.0.len());
        for word in &self.0 {
            out.raw(&word.to_le_bytes());
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        let len = from.len()?;
        let (words, _) = from.raw(len.saturating_mul(8))?.as_chunks::<8>();
        Ok(Self(words.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect()))
    }
}
