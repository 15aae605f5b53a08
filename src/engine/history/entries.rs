//! The label sets of a family's samples, worked out once for all who read them while no series is born or leaves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use crate::engine::labels::{Labels, METRIC_NAME};
use crate::engine::metric::Part;
use crate::engine::metric::bound::{BUCKET_BOUND, bound_text, spelled};
use crate::engine::promql::storage::{Condition, Matcher};
use crate::engine::series::{FamilyId, SeriesSource, pairs};
use crate::engine::time::Timestamp;

/// Families whose labels are kept at a time.
const FAMILIES_MAX: usize = 4_096;

/// From how many entries on a label's values are indexed.
const INDEXED_FROM: usize = 64;

/// One sample series of the store: a series, and the bucket where it is one of those.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) slot: u32,
    /// The first cell of the series.
    pub(super) cell: u32,
    pub(super) born: Timestamp,
    pub(super) bucket: usize,
    pub(super) labels: Labels,
}

/// The sample series of one family.
#[derive(Debug, Default)]
pub(super) struct Entries {
    all: Vec<Entry>,
    /// By label name, once it was asked for: by value the entries that have it.
    by_label: Mutex<HashMap<Arc<str>, Arc<Values>>>,
}

type Values = HashMap<Arc<str>, Vec<u32>>;

/// Entries of families, rebuilt when series were born or left; live and frozen readers share it.
#[derive(Debug, Default)]
pub(super) struct LabelCache(Mutex<HashMap<(FamilyId, Part), Cached>>);

/// The entries of one family, and the store's epoch of it that they are of.
type Cached = (u64, Arc<Entries>);

impl LabelCache {
    /// The entries of a family as `store` has them.
    pub(super) fn entries<S: SeriesSource>(&self, store: &S, family: FamilyId, part: Part) -> Arc<Entries> {
        let epoch = store.family_epoch(family);
        let known =
            locked(&self.0).get(&(family, part)).map(|(epoch, entries)| (*epoch, Arc::clone(entries)));
        match known {
            Some((known, entries)) if known == epoch => return entries,
            // A frozen instant from before; the newer one stays.
            Some((known, _)) if known > epoch => return Arc::new(Entries::of(store, family, part)),
            _ => {}
        }
        // Built without the lock: whoever applies events must not wait for a reader.
        let entries = Arc::new(Entries::of(store, family, part));
        let mut cache = locked(&self.0);
        if cache.len() >= FAMILIES_MAX {
            cache.clear();
        }
        cache.insert((family, part), (epoch, Arc::clone(&entries)));
        entries
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Entries {
    fn of<S: SeriesSource>(store: &S, family: FamilyId, part: Part) -> Self {
        let spec = store.family_spec(family);
        let name: Arc<str> = part.sample_name(spec.metric_type, &spec.name).into();
        let bounds: Vec<Arc<str>> = match part {
            Part::Bucket => bounds(&spec.buckets).map(Arc::from).collect(),
            Part::Value | Part::Sum | Part::Count | Part::Created => Vec::new(),
        };
        let (metric_name, le): (Arc<str>, Arc<str>) = (Arc::from(METRIC_NAME), Arc::from(BUCKET_BOUND));
        let mut words = Words::default();
        let mut all = Vec::new();
        for (row, text) in store.rows(family) {
            let own: Vec<(Arc<str>, Arc<str>)> =
                pairs(text).map(|(name, value)| (words.shared(&name), words.shared(&value))).collect();
            let named = || own.iter().cloned().chain([(Arc::clone(&metric_name), Arc::clone(&name))]);
            let mut add = |bucket, labels| {
                let slot = row.slot().unwrap_or(u32::MAX);
                all.push(Entry { slot, cell: row.cell, born: row.born, bucket, labels });
            };
            if part == Part::Bucket {
                for (bucket, bound) in bounds.iter().enumerate() {
                    let le = (Arc::clone(&le), Arc::clone(bound));
                    add(bucket, Labels::collect(named().chain([le])));
                }
            } else {
                add(0, Labels::collect(named()));
            }
        }
        Self { all, by_label: Mutex::default() }
    }

    /// The entries that match, in their order.
    pub(super) fn matching<'a>(&'a self, matchers: &'a [Matcher]) -> Vec<&'a Entry> {
        let holds = |entry: &&Entry| matches(matchers, &entry.labels);
        let wanted = matchers.iter().find_map(|matcher| match &matcher.condition {
            Condition::Equal(value) if matcher.name.as_ref() != METRIC_NAME && !value.is_empty() => {
                Some((&matcher.name, value))
            }
            _ => None,
        });
        match wanted {
            Some((name, value)) if self.all.len() >= INDEXED_FROM => {
                let index = self.by_label(name);
                let places = index.get(spelled(name, value).as_ref()).map_or(&[][..], Vec::as_slice);
                places.iter().filter_map(|place| self.all.get(*place as usize)).filter(holds).collect()
            }
            _ => self.all.iter().filter(holds).collect(),
        }
    }

    fn by_label(&self, name: &Arc<str>) -> Arc<Values> {
        let known = locked(&self.by_label).get(name).map(Arc::clone);
        known.unwrap_or_else(|| {
            let mut values = Values::new();
            for (place, entry) in self.all.iter().enumerate() {
                if let Some(value) = entry.labels.shared(name) {
                    values.entry(Arc::clone(value)).or_default().push(place as u32);
                }
            }
            let values = Arc::new(values);
            locked(&self.by_label).insert(Arc::clone(name), Arc::clone(&values));
            values
        })
    }
}

/// Names and values that many label sets share.
#[derive(Default)]
struct Words(HashMap<Arc<str>, ()>);

impl Words {
    fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some((known, ())) = self.0.get_key_value(text) {
            return Arc::clone(known);
        }
        let shared: Arc<str> = Arc::from(text);
        self.0.insert(Arc::clone(&shared), ());
        shared
    }
}

/// The `le` values of a histogram's buckets, `+Inf` last.
pub(super) fn bounds(buckets: &[f64]) -> impl Iterator<Item = String> + '_ {
    buckets.iter().copied().chain([f64::INFINITY]).map(bound_text)
}

/// Whether all conditions hold of a label set.
pub(super) fn matches(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.meets(labels.get(&matcher.name).unwrap_or("")))
}
