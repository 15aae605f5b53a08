//! The label sets of a family's samples, worked out once for all who read them while no series is born or leaves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use crate::engine::labels::{Labels, METRIC_NAME};
use crate::engine::metric::Part;
use crate::engine::metric::bound::{BUCKET_BOUND, bound_text, spelled};
use crate::engine::promql::storage::{MatchCondition, Matcher};
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
        let fewest = if self.all.len() < INDEXED_FROM {
            None
        } else {
            matchers.iter().filter_map(|matcher| self.places(matcher)).min_by_key(Vec::len)
        };
        match fewest {
            Some(places) => {
                places.iter().filter_map(|place| self.all.get(*place as usize)).filter(holds).collect()
            }
            None => self.all.iter().filter(holds).collect(),
        }
    }

    /// The places of the entries that have a value a matcher asks for, rising; none where it asks for no value.
    fn places(&self, matcher: &Matcher) -> Option<Vec<u32>> {
        if matcher.name.as_ref() == METRIC_NAME {
            return None;
        }
        let values: Vec<&Arc<str>> = match &matcher.condition {
            MatchCondition::Equal(value) => vec![value],
            MatchCondition::OneOf(values) => values.iter().collect(),
            MatchCondition::NotEqual(_) | MatchCondition::Match(_) | MatchCondition::NoMatch(_) => {
                return None;
            }
        };
        // Who lacks the label has no place in the index.
        if values.iter().any(|value| value.is_empty()) {
            return None;
        }
        let index = self.by_label(&matcher.name);
        let mut places: Vec<u32> = values
            .iter()
            .filter_map(|value| index.get(spelled(&matcher.name, value).as_ref()))
            .flatten()
            .copied()
            .collect();
        if values.len() > 1 {
            places.sort_unstable();
        }
        Some(places)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::series::{FamilySpec, SeriesLimits, Store};

    #[test]
    fn the_index_finds_what_a_walk_finds() {
        let mut store = Store::new(SeriesLimits { series: 1_000, series_per_metric: 1_000 });
        let family = store.register(FamilySpec { name: Arc::from("m"), ..FamilySpec::default() }).unwrap();
        for number in 0..200 {
            let (shard, pod) = (format!("{}", number % 20), format!("{number}"));
            let pod = if number % 7 == 0 { "" } else { pod.as_str() };
            store.resolve(family, &[("shard", &shard), ("pod", pod)], Timestamp::EPOCH);
        }
        let entries = Entries::of(&store, family, Part::Value);
        let matcher = |name: &str, values: &[&str]| {
            let condition = match values {
                [value] => MatchCondition::Equal(Arc::from(*value)),
                _ => MatchCondition::OneOf(Arc::new(values.iter().map(|value| Arc::from(*value)).collect())),
            };
            Matcher { name: Arc::from(name), condition }
        };
        let everywhere: Vec<String> = (0..200).map(|number| number.to_string()).collect();
        let everywhere: Vec<&str> = everywhere.iter().map(String::as_str).collect();
        for (matchers, count) in [
            (vec![matcher("shard", &["3"])], 10),
            (vec![matcher("shard", &["3", "17", "none"])], 20),
            (vec![matcher("pod", &["", "1", "7"])], 21),
            (vec![matcher("pod", &everywhere), matcher("shard", &["3"])], 9),
            (vec![matcher("shard", &["3"]), matcher("pod", &["23", "24"])], 1),
        ] {
            let walked: Vec<&Labels> = entries
                .all
                .iter()
                .map(|entry| &entry.labels)
                .filter(|labels| matches(&matchers, labels))
                .collect();
            let found: Vec<&Labels> =
                entries.matching(&matchers).into_iter().map(|entry| &entry.labels).collect();
            assert_eq!(found, walked);
            assert_eq!(found.len(), count, "{matchers:?}");
        }
    }
}
