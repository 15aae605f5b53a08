//! The window as its twin, and from it.

use super::{BEFORE_MAX, Buckets, DuplicateWindow, Generation, Reach, TAG_MASK};
use crate::engine::admission::buckets::Bucket;
use crate::engine::checkpoint::Part;
use crate::engine::checkpoint::bytes::{Damage, Twin, Writer};
use crate::engine::checkpoint::window::{GenerationTwin, SparseTwin, WindowTwin, WordsTwin, taken_where};
use crate::engine::config::{DedupeConfig, IDS_MAX};
use crate::engine::time::Timestamp;

/// The window at one instant, to be written elsewhere.
pub(in crate::engine) struct SavedWindow {
    /// All but its ids, and the windows before it.
    bare: WindowTwin,
    places: SavedPlaces,
    before: Vec<Self>,
}

/// What stands in the places of a window.
enum SavedPlaces {
    /// What is taken.
    Found(SparseTwin, WordsTwin),
    /// All of them: to find what is taken among them takes longer than to copy them.
    Copied(Vec<Bucket>),
}

/// Buckets for an id from which on the ids are found at once: most buckets are empty, and copies would take memory.
const SPARSE_BUCKETS: usize = 4;

impl SavedPlaces {
    fn of(window: &DuplicateWindow) -> Self {
        match window.own_len() {
            // Looking for them would read memory that nobody has written to yet.
            0 => Self::Found(SparseTwin::default(), WordsTwin::default()),
            ids if ids.saturating_mul(SPARSE_BUCKETS) < window.buckets.len() => {
                let (taken, ids) = taken_places(window.buckets.all(), ids, window.oldest_tag);
                Self::Found(taken, ids)
            }
            _ => Self::Copied(window.buckets.all().to_vec()),
        }
    }
}

impl SavedWindow {
    fn twin(&self) -> WindowTwin {
        let (taken, ids) = match &self.places {
            SavedPlaces::Found(taken, ids) => (taken.clone(), ids.clone()),
            SavedPlaces::Copied(buckets) => {
                let ids = self.bare.generations.iter().map(|generation| generation.entries as usize).sum();
                taken_places(buckets, ids, self.bare.oldest_tag)
            }
        };
        WindowTwin { taken, ids, before: self.before.iter().map(Self::twin).collect(), ..self.bare.clone() }
    }
}

impl Part for SavedWindow {
    fn append(&self, out: &mut Writer) {
        self.twin().write(out);
    }
}

/// Which places of the buckets have a tag that is known, and what stands there, which is about so much.
fn taken_places(buckets: &[Bucket], about: usize, oldest_tag: u64) -> (SparseTwin, WordsTwin) {
    taken_where(buckets, about, |entry| entry & TAG_MASK >= oldest_tag)
}

impl DuplicateWindow {
    /// The window as it is now.
    pub(in crate::engine) fn save(&self) -> SavedWindow {
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
            places: SavedPlaces::of(self),
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
        if entries > IDS_MAX {
            return Err(Damage("the duplicate window is too large"));
        }
        let count = Self::buckets_for(&config);
        let before: Result<Vec<Self>, Damage> =
            twin.before.into_iter().take(BEFORE_MAX).map(Self::restored).collect();
        let tags = twin.generations.iter().map(|generation| generation.tag);
        let are_tags = tags.clone().all(|tag| (1..=TAG_MASK).contains(&tag)) && tags.is_sorted();
        let fits = twin.taken.0.is_empty() || twin.taken.0.len() == count;
        if !fits || twin.reaches.0.len() != count || !are_tags {
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
    use crate::engine::checkpoint::window::{BucketsTwin, BytesTwin, DenseWindowTwin};
    use crate::engine::wire::EventId;

    fn window(ids: u128) -> DuplicateWindow {
        let mut window = DuplicateWindow::new(DedupeConfig { entries: 1_000, age: Duration::from_hours(1) });
        for id in 0..ids {
            window.insert(EventId(id), Timestamp::EPOCH);
        }
        window
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
            buckets: BucketsTwin(window.buckets.all().to_vec()),
            reaches: BytesTwin(now.reaches.0.clone()),
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
