//! The window as its twin, and from it.

use super::{BEFORE_MAX, Buckets, DuplicateWindow, Generation, Reach, TAG_MASK};
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::window::{BucketsTwin, GenerationTwin, ReachesTwin, WindowTwin};
use crate::engine::config::DedupeConfig;
use crate::engine::time::Timestamp;

impl DuplicateWindow {
    /// The window as it is now.
    pub(in crate::engine) fn save(&self) -> WindowTwin {
        WindowTwin {
            entries: self.config.entries as u64,
            age: self.config.age,
            generations: self.generations.iter().map(Generation::twin).collect(),
            oldest_tag: self.oldest_tag,
            buckets: BucketsTwin(self.buckets.all().to_vec()),
            reaches: ReachesTwin(self.reaches.iter().map(|reach| reach.0).collect()),
            reaches_from: self.reaches_from,
            before: self.before.iter().map(Self::save).collect(),
        }
    }

    /// The window that was saved.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine) fn restored(twin: WindowTwin) -> Result<Self, Damage> {
        let entries =
            usize::try_from(twin.entries).map_err(|_| Damage("the duplicate window is too large"))?;
        let config = DedupeConfig { entries, age: twin.age };
        let count = Self::buckets_for(&config);
        let before: Result<Vec<Self>, Damage> =
            twin.before.into_iter().take(BEFORE_MAX).map(Self::restored).collect();
        let tags = twin.generations.iter().map(|generation| generation.tag);
        let are_tags = tags.clone().all(|tag| (1..=TAG_MASK).contains(&tag)) && tags.is_sorted();
        if twin.buckets.0.len() != count || twin.reaches.0.len() != count || !are_tags {
            return Err(Damage("the duplicate window does not fit its size"));
        }
        let mut buckets = Buckets::new(count);
        for (bucket, saved) in buckets.all_mut().iter_mut().zip(&twin.buckets.0) {
            *bucket = *saved;
        }
        let mut window = Self {
            buckets,
            reaches: twin.reaches.0.into_iter().map(Reach).collect(),
            reaches_from: twin.reaches_from,
            generations: twin.generations.iter().map(Generation::of_twin).collect(),
            oldest_tag: twin.oldest_tag,
            before: before?,
            config,
            youngest_until: Timestamp::EPOCH,
            homes: Vec::new(),
            fetched: 0,
        };
        window.note_youngest();
        Ok(window)
    }
}

impl Generation {
    const fn twin(&self) -> GenerationTwin {
        GenerationTwin { tag: self.tag, entries: self.entries as u64, first: self.first, last: self.last }
    }

    const fn of_twin(twin: &GenerationTwin) -> Self {
        Self { tag: twin.tag, entries: twin.entries as usize, first: twin.first, last: twin.last }
    }
}
