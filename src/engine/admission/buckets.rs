//! The table of the duplicate window: buckets of eight entries, each a cache line of its own.
//!
//! An allocator promises 16 bytes of alignment, by which most buckets would lie across two lines and a look would wait
//! twice. So the table begins at the first whole line of what it was given, and memory that nobody wrote to stays with
//! the system.

/// Entries in a bucket.
pub(super) const BUCKET: usize = 8;

/// Bytes of a cache line, and of a bucket.
const LINE_BYTES: usize = 64;

/// The entries of one cache line.
pub(super) type Bucket = [u64; BUCKET];

/// The buckets.
#[derive(Debug)]
pub(super) struct Buckets {
    /// The buckets, with the entries before the first line and behind the last.
    entries: Vec<u64>,
    start: usize,
    count: usize,
}

impl Buckets {
    /// As many buckets of zeros.
    pub(super) fn new(count: usize) -> Self {
        let entries = vec![0; count.saturating_add(usize::from(count > 0)).saturating_mul(BUCKET)];
        let start = entries.as_ptr().align_offset(LINE_BYTES).min(BUCKET);
        Self { entries, start, count }
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// All of them.
    #[inline]
    pub(super) fn all(&self) -> &[Bucket] {
        let all = self.entries.get(self.start..).unwrap_or_default().as_chunks().0;
        all.get(..self.count).unwrap_or_default()
    }

    /// All of them, to write.
    #[inline]
    pub(super) fn all_mut(&mut self) -> &mut [Bucket] {
        let all = self.entries.get_mut(self.start..).unwrap_or_default().as_chunks_mut().0;
        all.get_mut(..self.count).unwrap_or_default()
    }

    /// One of them.
    #[inline]
    pub(super) fn get(&self, place: usize) -> Option<&Bucket> {
        self.all().get(place)
    }

    /// One of them, to write.
    #[inline]
    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut Bucket> {
        self.all_mut().get_mut(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_is_a_whole_line() {
        for count in [0, 1, 7, 1_000, 400_000] {
            let buckets = Buckets::new(count);
            assert_eq!(buckets.all().len(), count);
            for bucket in buckets.all() {
                assert_eq!(bucket.as_ptr().align_offset(LINE_BYTES), 0);
            }
        }
    }
}
