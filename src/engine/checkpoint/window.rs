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
        buckets: BucketsTwin,
        /// By bucket: how far from it what belongs there may stand.
        reaches: ReachesTwin,
        /// The tag from which on the younger half of every reach holds.
        reaches_from: u64,
        /// The windows before its size was changed.
        before: Vec<WindowTwin>,
    }
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

/// The places of the window, as they stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::engine) struct BucketsTwin(pub(in crate::engine) Vec<[u64; 8]>);

impl Twin for BucketsTwin {
    fn write(&self, out: &mut Writer) {
        out.len(self.0.len());
        for entry in self.0.iter().flatten() {
            out.raw(&entry.to_le_bytes());
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        let len = from.len()?;
        let (chunks, _) = from.raw(len.saturating_mul(64))?.as_chunks::<8>();
        let entries: Vec<u64> = chunks.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        let (buckets, _) = entries.as_chunks::<8>();
        Ok(Self(buckets.to_vec()))
    }
}

/// Single bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::engine) struct ReachesTwin(pub(in crate::engine) Vec<u8>);

impl Twin for ReachesTwin {
    fn write(&self, out: &mut Writer) {
        out.bytes(&self.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        from.bytes().map(|bytes| Self(bytes.to_vec()))
    }
}
