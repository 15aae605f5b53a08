//! The label sets of a family's samples, worked out once for all who read them. A birth or removal has those of its page
//! of series worked out anew, and no others.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use crate::engine::labels::{Labels, METRIC_NAME};
use crate::engine::metric::Part;
use crate::engine::metric::bound::{BUCKET_BOUND, bound_text, spelled};
use crate::engine::promql::storage::{MatchCondition, Matcher};
use crate::engine::series::{FamilyId, Rows, SeriesSource};
use crate::engine::time::Timestamp;

/// Families whose labels are kept at a time.
const FAMILIES_MAX: usize = 4_096;

/// From how many entries on a label's values are indexed.
const INDEXED_FROM: usize = 64;

/// One sample series of the store: a series, and the bucket where it is one of those.
#[derive(Debug)]
pub(super) struct SampleEntry {
    pub(super) slot: u32,
    /// The first cell of the series.
    pub(super) cell: u32,
    pub(super) born: Timestamp,
    pub(super) bucket: usize,
    pub(super) labels: Labels,
}

/// The sample series of one family, by pages of its series.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pages: Vec<Arc<EntryPage>>,
}

/// The sample series of one page of a family's series.
#[derive(Debug, Default)]
struct EntryPage {
    /// The page's epoch.
    epoch: u64,
    all: Vec<SampleEntry>,
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
            Some((known, newer)) if known > epoch => {
                return Arc::new(Entries::of(store, (family, part), &newer));
            }
            _ => {}
        }
        // Built without the lock: whoever applies events must not wait for a reader.
        let before = known.map(|(_, entries)| entries).unwrap_or_default();
        let entries = Arc::new(Entries::of(store, (family, part), &before));
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
    /// Those of a family's part; what `known` has of the same pages is taken from there.
    fn of<S: SeriesSource>(store: &S, (family, part): (FamilyId, Part), known: &Self) -> Self {
        let spec = store.family_spec(family);
        let naming = Naming {
            part,
            name: part.sample_name(spec.metric_type, &spec.name).into(),
            bounds: match part {
                Part::Bucket => bounds(&spec.buckets).map(Arc::from).collect(),
                Part::Value | Part::Sum | Part::Count | Part::Created => Vec::new(),
            },
            metric_name: Arc::from(METRIC_NAME),
            le: Arc::from(BUCKET_BOUND),
        };
        let pages = store.row_pages(family).enumerate().map(|(place, rows)| {
            let known = known.pages.get(place).filter(|known| known.epoch == rows.epoch());
            known.map_or_else(|| Arc::new(EntryPage::of(rows, &naming)), Arc::clone)
        });
        Self { pages: pages.collect() }
    }

    /// The entries that match, in their order.
    pub(super) fn matching<'a>(&'a self, matchers: &'a [Matcher]) -> Vec<&'a SampleEntry> {
        let wanted: Vec<Wanted<'_>> = matchers.iter().filter_map(Wanted::of).collect();
        let mut found = Vec::new();
        for page in &self.pages {
            page.add_matching(matchers, &wanted, &mut found);
        }
        found
    }
}

/// What the labels of a part's samples have beside those of their series.
struct Naming {
    part: Part,
    name: Arc<str>,
    bounds: Vec<Arc<str>>,
    metric_name: Arc<str>,
    le: Arc<str>,
}

/// A label with the values that a matcher asks for.
struct Wanted<'a> {
    name: &'a Arc<str>,
    values: Vec<Cow<'a, str>>,
}

impl<'a> Wanted<'a> {
    /// None where a matcher asks for no value, or for none at all: who lacks the label has no place in an index.
    fn of(matcher: &'a Matcher) -> Option<Self> {
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
        if values.iter().any(|value| value.is_empty()) {
            return None;
        }
        let values = values.into_iter().map(|value| spelled(&matcher.name, value)).collect();
        Some(Self { name: &matcher.name, values })
    }
}

impl EntryPage {
    fn of(rows: &Rows, naming: &Naming) -> Self {
        let mut words = Words::default();
        let mut all = Vec::new();
        for row in rows.iter() {
            let own: Vec<(Arc<str>, Arc<str>)> =
                rows.pairs(row).map(|(name, value)| (words.shared(&name), words.shared(&value))).collect();
            let name = (Arc::clone(&naming.metric_name), Arc::clone(&naming.name));
            let named = || own.iter().cloned().chain([name.clone()]);
            let mut add = |bucket, labels| {
                let slot = row.slot().unwrap_or(u32::MAX);
                all.push(SampleEntry { slot, cell: row.cell, born: rows.born(row), bucket, labels });
            };
            if naming.part == Part::Bucket {
                for (bucket, bound) in naming.bounds.iter().enumerate() {
                    let le = (Arc::clone(&naming.le), Arc::clone(bound));
                    add(bucket, Labels::collect(named().chain([le])));
                }
            } else {
                add(0, Labels::collect(named()));
            }
        }
        Self { epoch: rows.epoch(), all, by_label: Mutex::default() }
    }

    fn add_matching<'a>(
        &'a self,
        matchers: &[Matcher],
        wanted: &[Wanted<'_>],
        found: &mut Vec<&'a SampleEntry>,
    ) {
        let holds = |entry: &&SampleEntry| matches(matchers, &entry.labels);
        let fewest = if self.all.len() < INDEXED_FROM {
            None
        } else {
            wanted.iter().map(|wanted| self.places(wanted)).min_by_key(Vec::len)
        };
        match fewest {
            Some(places) => {
                let entries = places.iter().filter_map(|place| self.all.get(*place as usize));
                found.extend(entries.filter(holds));
            }
            None => found.extend(self.all.iter().filter(holds)),
        }
    }

    /// The places of the entries that have a wanted value, rising.
    fn places(&self, wanted: &Wanted<'_>) -> Vec<u32> {
        let index = self.by_label(wanted.name);
        let mut places: Vec<u32> =
            wanted.values.iter().filter_map(|value| index.get(value.as_ref())).flatten().copied().collect();
        if wanted.values.len() > 1 {
            places.sort_unstable();
        }
        places
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
        let mut store = Store::new(SeriesLimits { series: 2_000, series_per_metric: 2_000 });
        let family = store.register(FamilySpec { name: Arc::from("m"), ..FamilySpec::default() }).unwrap();
        for number in 0..1_200 {
            let (shard, pod) = (format!("{}", number % 20), format!("{number}"));
            let pod = if number % 7 == 0 { "" } else { pod.as_str() };
            store.resolve(family, &[("shard", &shard), ("pod", pod)], Timestamp::EPOCH);
        }
        let entries = Entries::of(&store, (family, Part::Value), &Entries::default());
        let matcher = |name: &str, values: &[&str]| {
            let condition = match values {
                [value] => MatchCondition::Equal(Arc::from(*value)),
                _ => MatchCondition::OneOf(Arc::new(values.iter().map(|value| Arc::from(*value)).collect())),
            };
            Matcher { name: Arc::from(name), condition }
        };
        let everywhere: Vec<String> = (0..1_200).map(|number| number.to_string()).collect();
        let everywhere: Vec<&str> = everywhere.iter().map(String::as_str).collect();
        for (matchers, count) in [
            (vec![matcher("shard", &["3"])], 52),
            (vec![matcher("shard", &["3", "17", "none"])], 104),
            (vec![matcher("pod", &["", "1", "8"])], 22),
            (vec![matcher("pod", &everywhere), matcher("shard", &["3"])], 51),
            (vec![matcher("shard", &["3"]), matcher("pod", &["23", "24"])], 1),
        ] {
            let all = entries.pages.iter().flat_map(|page| &page.all);
            let walked: Vec<&Labels> =
                all.map(|entry| &entry.labels).filter(|labels| matches(&matchers, labels)).collect();
            let found: Vec<&Labels> =
                entries.matching(&matchers).into_iter().map(|entry| &entry.labels).collect();
            assert_eq!(found, walked);
            assert_eq!(found.len(), count, "{matchers:?}");
        }
    }

    #[test]
    fn a_birth_leaves_what_is_known_of_other_pages() {
        let mut store = Store::new(SeriesLimits { series: 2_000, series_per_metric: 2_000 });
        let family = store.register(FamilySpec { name: Arc::from("m"), ..FamilySpec::default() }).unwrap();
        let born = |store: &mut Store, number: usize| {
            store.resolve(family, &[("pod", &number.to_string())], Timestamp::EPOCH)
        };
        let series: Vec<_> = (0..1_300).map(|number| born(&mut store, number)).collect();
        let cache = LabelCache::default();
        let before = cache.entries(&store, family, Part::Value);
        born(&mut store, 1_300);
        store.remove(series[700], Timestamp::EPOCH);
        let after = cache.entries(&store, family, Part::Value);
        let same: Vec<bool> =
            before.pages.iter().zip(&after.pages).map(|(before, after)| Arc::ptr_eq(before, after)).collect();
        assert_eq!(same, [true, false, false]);
        assert_eq!(after.matching(&[]).len(), 1_300);
    }
}
