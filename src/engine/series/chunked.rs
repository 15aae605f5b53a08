//! A list that grows by chunks: what is in it is never moved, so that no larger copy of it is ever made and none is left.

/// Entries of a chunk; a power of two.
const CHUNK: usize = 4_096;

/// A list in chunks.
#[derive(Debug)]
pub(super) struct Chunked<T>(Vec<Vec<T>>);

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Chunked<T> {
    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * CHUNK + last.len())
    }

    /// The entry at a place.
    #[inline]
    pub(super) fn get(&self, place: usize) -> Option<&T> {
        self.0.get(place / CHUNK)?.get(place % CHUNK)
    }

    /// The entry at a place, to write.
    #[inline]
    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.0.get_mut(place / CHUNK)?.get_mut(place % CHUNK)
    }

    /// Every entry in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }

    /// Adds an entry behind the others.
    pub(super) fn push(&mut self, entry: T) {
        if self.0.last().is_none_or(|last| last.len() == CHUNK) {
            // The first one begins small, as most stores are.
            self.0.push(Vec::with_capacity(if self.0.is_empty() { 0 } else { CHUNK }));
        }
        if let Some(last) = self.0.last_mut() {
            last.push(entry);
        }
    }
}

impl<T> FromIterator<T> for Chunked<T> {
    fn from_iter<I: IntoIterator<Item = T>>(entries: I) -> Self {
        let mut list = Self::default();
        entries.into_iter().for_each(|entry| list.push(entry));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_stay_where_they_were_put() {
        let mut list: Chunked<usize> = (0..3 * CHUNK + 5).collect();
        assert_eq!((list.len(), list.get(list.len())), (3 * CHUNK + 5, None));
        list.get_mut(CHUNK).into_iter().for_each(|entry| *entry = 7);
        assert_eq!(
            [CHUNK - 1, CHUNK, 3 * CHUNK].map(|place| list.get(place).copied()),
            [CHUNK - 1, 7, 3 * CHUNK].map(Some)
        );
        assert_eq!(list.iter().count(), list.len());
    }
}
