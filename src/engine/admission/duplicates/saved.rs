//! The window as its twin, and from it.

use super::{BEFORE_MAX, Buckets, DuplicateWindow, Generation, Reach, TAG_MASK, is_live};
use crate::engine::admission::buckets::{BUCKET, Bucket};
use crate::engine::checkpoint::Part;
use crate::engine::checkpoint::bytes::{Damage, Twin, Writer};
use crate::engine::checkpoint::window::{GenerationTwin, SparseTwin, WindowTwin, taken_places};
use crate::engine::config::{DedupeConfig, IDS_MAX};
use crate::engine::time::Timestamp;

/// The window at one instant, to be written elsewhere.
pub(in crate::engine) struct SavedWindow {
    /// All but its ids, and the windows before it.
    bare: WindowTwin,
    /// Those in which something stands: to find what is taken in them takes longer.
    filled: FilledBuckets,
    before: Vec<Self>,
}

/// Buckets that are not empty.
#[derive(Default)]
struct FilledBuckets {
    /// The number of the first bucket of each run of them, and how many it has.
    runs: Vec<(usize, usize)>,
    /// The buckets of all runs.
    buckets: Vec<Bucket>,
}

impl FilledBuckets {
    /// Those of a table that holds about so many ids.
    fn of(all: &[Bucket], ids: usize) -> Self {
        let mut filled = Self { runs: Vec::new(), buckets: Vec::with_capacity(ids.min(all.len())) };
        let is_empty = |bucket: &Bucket| *bucket == [0; BUCKET];
        let mut number = 0;
        for run in all.chunk_by(|left, right| is_empty(left) == is_empty(right)) {
            if run.first().is_some_and(|first| !is_empty(first)) {
                filled.runs.push((number, run.len()));
                filled.buckets.extend_from_slice(run);
            }
            number += run.len();
        }
        filled
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &Bucket)> {
        self.runs.iter().flat_map(|(first, len)| *first..first + len).zip(&self.buckets)
    }
}

impl SavedWindow {
    fn twin(&self) -> WindowTwin {
        let is_known = |entry| is_live(entry, self.bare.oldest_tag);
        let (taken, ids) = taken_places(self.bare.reaches.0.len(), self.filled.iter(), is_known);
        WindowTwin { taken, ids, before: self.before.iter().map(Self::twin).collect(), ..self.bare.clone() }
    }
}

impl Part for SavedWindow {
    fn append(&self, out: &mut Writer) {
        self.twin().write(out);
    }
}

impl DuplicateWindow {
    /// The window as it is now.
    pub(in crate::engine) fn save(&self) -> SavedWindow {
        let filled = match self.own_len() {
            // Nobody has written to the memory yet, and looking would read all of it.
            0 => FilledBuckets::default(),
            ids => FilledBuckets::of(self.buckets.all(), ids),
        };
        SavedWindow {
            bare: WindowTwin {
                entries: self.config.entries as u64,
                age: self.config.age,
                generations: self.generations.iter().map(Generation::twin).collect(),
                oldest_tag: self.oldest_tag,
                reaches: SparseTwin(self.reaches.iter().map(|reach| reach.0).collect()),
                reaches_from: self.reaches_from,
                ..WindowTwin::default()
            },
            filled,
            before: self.before.iter().map(Self::save).collect(),
        }
    }

    /// The window that was saved.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine) fn restored(twin: WindowTwin) -> Result<Self, Damage> {
        let entries = usize::try_from(twin.entries).ok().filter(|entries| *entries <= IDS_MAX);
        let entries = entries.ok_or(Damage("the duplicate window is too large"))?;
        let config = DedupeConfig { entries, age: twin.age };
        let count = Self::buckets_for(&config);
        let before: Result<Vec<Self>, Damage> =
            twin.before.into_iter().take(BEFORE_MAX).map(Self::restored).collect();
        let tags = twin.generations.iter().map(|generation| generation.tag);
        let are_tags = tags.clone().all(|tag| (1..=TAG_MASK).contains(&tag)) && tags.is_sorted();
        if twin.taken.0.len() != count || twin.reaches.0.len() != count || !are_tags {
            return Err(Damage("the duplicate window does not fit its size"));
        }
        let mut buckets = Buckets::new(count);
        let mut ids = twin.ids.0.into_iter();
        for (bucket, taken) in
            buckets.all_mut().iter_mut().zip(&twin.taken.0).filter(|(_, taken)| **taken != 0)
        {
            let places = (0..).zip(bucket).filter(|(place, _)| taken >> place & 1 == 1);
            for (_, place) in places {
                *place = ids.next().ok_or(Damage("the duplicate window has fewer ids than places"))?;
            }
        }
        if ids.next().is_some() {
            return Err(Damage("the duplicate window has more ids than places"));
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::admission::duplicates::Seen;
    use crate::engine::checkpoint::bytes::{Reader, Twin, Writer};
    use crate::engine::checkpoint::window::DenseWindowTwin;
    use crate::engine::wire::EventId;

    fn window(ids: u128) -> DuplicateWindow {
        let mut window = DuplicateWindow::new(DedupeConfig { entries: 1_000, age: Duration::from_hours(1) });
        for id in 0..ids {
            window.insert(EventId(id), Timestamp::EPOCH);
        }
        window
    }

    fn dense(bucket: &Bucket) -> [u8; 64] {
        bucket.map(u64::to_le_bytes).as_flattened().try_into().unwrap()
    }

    fn bytes(twin: &impl Twin) -> Vec<u8> {
        let mut out = Writer::default();
        twin.write(&mut out);
        out.finish()
    }

    /// Which of many ids a window knows once it was written and read.
    fn known(window: &WindowTwin) -> Vec<Seen> {
        let bytes = bytes(window);
        let read = WindowTwin::read(&mut Reader::new(&bytes)).unwrap();
        let window = DuplicateWindow::restored(read).unwrap();
        (0..6_000).map(|id| window.seen(EventId(id))).collect()
    }

    #[test]
    fn what_was_known_is_known_again_however_full_the_window_is() {
        for ids in [0, 1, 700, 1_000, 5_000] {
            let window = window(ids);
            let before: Vec<Seen> = (0..6_000).map(|id| window.seen(EventId(id))).collect();
            assert_eq!(known(&window.save().twin()), before, "{ids}");
        }
    }

    #[test]
    fn what_is_empty_takes_no_room_and_what_is_taken_eight_bytes_and_a_little() {
        assert!(bytes(&window(0).save().twin()).len() < 40);
        let full = bytes(&window(1_000).save().twin()).len();
        assert!((8_000..8_800).contains(&full), "{full}");
    }

    #[test]
    fn the_form_of_earlier_formats_is_read() {
        let window = window(3_000);
        let now = window.save().twin();
        let dense = DenseWindowTwin {
            entries: now.entries,
            age: now.age,
            generations: now.generations.clone(),
            oldest_tag: now.oldest_tag,
            buckets: window.buckets.all().iter().map(dense).collect(),
            reaches: now.reaches.0.clone(),
            reaches_from: now.reaches_from,
            before: vec![DenseWindowTwin::default()],
        };
        let bytes = bytes(&dense);
        let read = DenseWindowTwin::read(&mut Reader::new(&bytes)).unwrap();
        assert_eq!(known(&WindowTwin { before: Vec::new(), ..read.into() }), known(&now));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let good = || window(100).save().twin();
        let mut lies = [good(), good(), good(), good()];
        lies[0].ids.0.pop();
        lies[1].ids.0.push(1);
        lies[2].taken.0.push(0);
        lies[3].entries = u64::MAX;
        for (number, lie) in lies.into_iter().enumerate() {
            assert!(DuplicateWindow::restored(lie).is_err(), "{number}");
        }
    }
}
