//! An index from label sets to the rules that read them, so that an arrival concerns those rules alone.
//!
//! A family is matched against every selector once; a series, by the values of its labels, once in its life.

mod saved;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::engine::history::{History, Sampled};
use crate::engine::labels::{Labels, METRIC_NAME};
use crate::engine::metric::bound::NUMBER_LABELS;
use crate::engine::promql::storage::{MatchCondition, Matcher};
use crate::engine::series::{FamilyId, Removed, SeriesId, Store};
use crate::engine::time::Timestamp;

/// What one rule reads.
#[derive(Clone, Debug)]
pub(crate) struct RuleReads {
    /// Its selectors.
    pub(crate) selectors: Vec<Vec<Matcher>>,
}

/// The rules that read a series, by their reader numbers, rising.
pub(crate) type Readers = Arc<[u32]>;

/// A series that moved, with the rules that read it.
#[derive(Clone, Debug)]
pub(crate) struct MovedSeries {
    /// Its labels, metric name not included.
    pub(crate) labels: Labels,
    /// Who reads it.
    pub(crate) readers: Readers,
}

/// Which rules read which families and series.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    rules: Vec<RuleReads>,
    /// Rules by the metric names their selectors spell out.
    by_name: HashMap<Arc<str>, Vec<u32>>,
    /// Rules with a selector that spells out no name.
    nameless: Vec<u32>,
    /// By rule: its families, rising.
    families_of: Vec<Vec<FamilyId>>,
    selectors_of: HashMap<FamilyId, FamilySelectors>,
    /// By series, once it moved.
    series: HashMap<SeriesId, KnownSeries>,
    /// By family, the series that moved since they were last sampled, each once.
    unsampled: BTreeMap<FamilyId, Vec<SeriesId>>,
    /// Series that left and that nobody was told of yet.
    left: Vec<MovedSeries>,
    /// How many of the touched series [`Watch::is_news`] has looked at.
    looked_at: usize,
    families: BTreeSet<FamilyId>,
    /// How many families the store had when they were last matched.
    known: usize,
}

/// A series of a family that rules read.
#[derive(Debug)]
struct KnownSeries {
    family: FamilyId,
    /// Its labels and who reads it; none where nobody does.
    read: Option<MovedSeries>,
    sampling: Sampling,
}

/// Whether a series moved since it was last sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sampling {
    Due,
    Done,
}

/// The selectors that may match series of one family.
#[derive(Debug, Default)]
struct FamilySelectors {
    all: Vec<FamilySelector>,
    /// By a label and the value that a selector asks for: places in `all`.
    by_value: HashMap<Arc<str>, HashMap<Arc<str>, Vec<usize>>>,
    /// The places of those that ask for no value.
    others: Vec<usize>,
}

/// One selector, as far as a family's series can tell.
#[derive(Debug)]
struct FamilySelector {
    reader: u32,
    /// Its conditions on labels that series have: neither the name nor the bound of a bucket.
    matchers: Vec<Matcher>,
}

impl Watch {
    /// Other rules read from now on.
    pub(crate) fn replace(&mut self, rules: Vec<RuleReads>) {
        let mut by_name: HashMap<Arc<str>, Vec<u32>> = HashMap::new();
        let mut nameless = Vec::new();
        for (reader, rule) in (0_u32..).zip(&rules) {
            let names: BTreeSet<Option<&Arc<str>>> =
                rule.selectors.iter().map(|selector| name_of(selector)).collect();
            for name in names {
                match name {
                    Some(name) => by_name.entry(Arc::clone(name)).or_default().push(reader),
                    None => nameless.push(reader),
                }
            }
        }
        let families_of = vec![Vec::new(); rules.len()];
        // What was not sampled before still is not.
        let unsampled = std::mem::take(&mut self.unsampled);
        *self = Self { rules, by_name, nameless, families_of, unsampled, ..Self::default() };
    }

    /// Every family a rule reads.
    pub(crate) fn families(&self) -> &BTreeSet<FamilyId> {
        &self.families
    }

    /// Whether the store has families that were not matched yet.
    pub(crate) fn is_behind(&self, store: &Store) -> bool {
        store.families_len() != self.known
    }

    /// Matches the families that came since the last look.
    pub(crate) fn look_again(&mut self, store: &mut Store) {
        let before = self.families.len();
        for family in store.families_since(self.known) {
            let selectors = self.selectors(store, family);
            if selectors.all.is_empty() {
                continue;
            }
            for selector in &selectors.all {
                let families = self.families_of.get_mut(selector.reader as usize);
                if let Some(families) = families.filter(|families| families.last() != Some(&family)) {
                    families.push(family);
                }
            }
            self.selectors_of.insert(family, selectors);
            self.families.insert(family);
        }
        if self.families.len() != before || self.known == 0 {
            store.watch(&mut self.families.iter().copied());
        }
        self.known = store.families_len();
    }

    /// The selectors whose conditions on the name a family's samples meet.
    fn selectors(&self, store: &Store, family: FamilyId) -> FamilySelectors {
        let names = sample_names(store, family);
        let spelled = names.iter().filter_map(|name| self.by_name.get(name.as_str())).flatten();
        let readers: BTreeSet<u32> = spelled.chain(&self.nameless).copied().collect();
        let mut found = FamilySelectors::default();
        for reader in readers {
            let rule = self.rules.get(reader as usize);
            for selector in rule.into_iter().flat_map(|rule| &rule.selectors) {
                let on_name = || selector.iter().filter(|matcher| matcher.name.as_ref() == METRIC_NAME);
                if names.iter().any(|name| on_name().all(|matcher| matcher.condition.holds(name))) {
                    found.add(reader, selector);
                }
            }
        }
        found
    }

    /// Takes note that series left.
    pub(crate) fn leave(&mut self, removed: &[Removed]) {
        for gone in removed {
            self.series.remove(&gone.id);
            let readers = self.readers(gone.family, &gone.labels);
            if !readers.is_empty() {
                self.left.push(MovedSeries { labels: gone.labels.clone(), readers });
            }
        }
    }

    /// Whether a series moved, since the last look, that somebody reads who does not wait for an evaluation already.
    pub(crate) fn is_news(&mut self, store: &Store, is_waiting: impl Fn(u32) -> bool) -> bool {
        let touched = store.touched_so_far();
        let looked_at = std::mem::replace(&mut self.looked_at, touched.len());
        let fresh = touched.get(looked_at..).unwrap_or(touched);
        fresh.iter().any(|series| match self.series.get(series) {
            Some(known) => {
                let readers = known.read.iter().flat_map(|read| read.readers.iter());
                readers.copied().any(|reader| !is_waiting(reader))
            }
            None => true,
        })
    }

    /// The series that moved or left since the last call and that rules read.
    pub(crate) fn moved(&mut self, store: &mut Store) -> Vec<MovedSeries> {
        let mut moved = std::mem::take(&mut self.left);
        self.take_touched(store, |known| moved.extend(known.read.clone()));
        moved
    }

    /// Takes note of what moved since the last call and is no arrival.
    pub(crate) fn pass_over(&mut self, store: &mut Store) {
        self.take_touched(store, |_| {});
    }

    fn take_touched(&mut self, store: &mut Store, mut each: impl FnMut(&KnownSeries)) {
        self.looked_at = 0;
        for series in store.touched() {
            // Those that left are known already, with the labels they had.
            if !store.is_live(series) {
                continue;
            }
            let known = match self.series.entry(series) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(vacant) => {
                    let (labels, family) = (store.labels(series), store.family_of(series));
                    let selectors = self.selectors_of.get(&family);
                    let readers = selectors.map_or_else(|| [].into(), |selectors| selectors.readers(&labels));
                    let read = (!readers.is_empty()).then_some(MovedSeries { labels, readers });
                    vacant.insert(KnownSeries { family, read, sampling: Sampling::Done })
                }
            };
            each(known);
            if known.sampling == Sampling::Done {
                known.sampling = Sampling::Due;
                self.unsampled.entry(known.family).or_default().push(series);
            }
        }
    }

    fn readers(&self, family: FamilyId, labels: &Labels) -> Readers {
        self.selectors_of.get(&family).map_or_else(|| Readers::from([]), |known| known.readers(labels))
    }

    /// Samples what the rules evaluated at `now` read.
    pub(crate) fn sample(&mut self, readers: &[usize], store: &Store, history: &mut History, now: Timestamp) {
        let mut families: BTreeSet<FamilyId> = BTreeSet::new();
        for reader in readers {
            families.extend(self.families_of.get(*reader).into_iter().flatten());
        }
        if families.is_empty() {
            return;
        }
        let moved = families.iter().filter_map(|family| self.unsampled.get(family)).flatten().copied();
        let moved: Vec<SeriesId> = moved.collect();
        if history.sample_read(store, now, &families, &moved) == Sampled::Yes {
            self.unsampled.retain(|family, _| !families.contains(family));
            self.sampled(&moved);
        }
    }

    /// Samples what moved since the last evaluation once more, where that one was of this very instant.
    pub(crate) fn sample_again(&self, store: &Store, history: &mut History, now: Timestamp) {
        history.sample_read_again(store, now, |families| {
            let told = families.iter().filter_map(|family| self.unsampled.get(family)).flatten();
            let touched = store.touched_so_far().iter();
            let touched = touched.filter(|series| families.contains(&store.family_of(**series)));
            told.chain(touched).copied().collect()
        });
    }

    /// Takes note that every series was sampled.
    pub(crate) fn all_sampled(&mut self) {
        let moved: Vec<SeriesId> = std::mem::take(&mut self.unsampled).into_values().flatten().collect();
        self.sampled(&moved);
    }

    fn sampled(&mut self, moved: &[SeriesId]) {
        for series in moved {
            if let Some(known) = self.series.get_mut(series) {
                known.sampling = Sampling::Done;
            }
        }
    }
}

impl FamilySelectors {
    fn add(&mut self, reader: u32, selector: &[Matcher]) {
        let matchers: Vec<Matcher> = selector
            .iter()
            .filter(|matcher| !matches!(matcher.name.as_ref(), METRIC_NAME | "le"))
            .cloned()
            .collect();
        let place = self.all.len();
        let wanted = matchers.iter().find_map(|matcher| match &matcher.condition {
            MatchCondition::Equal(value)
                if !value.is_empty() && !NUMBER_LABELS.contains(&matcher.name.as_ref()) =>
            {
                Some((&matcher.name, value))
            }
            MatchCondition::Equal(_)
            | MatchCondition::NotEqual(_)
            | MatchCondition::OneOf(_)
            | MatchCondition::Match(_)
            | MatchCondition::NoMatch(_) => None,
        });
        match wanted {
            Some((name, value)) => {
                let values = self.by_value.entry(Arc::clone(name)).or_default();
                values.entry(Arc::clone(value)).or_default().push(place);
            }
            None => self.others.push(place),
        }
        self.all.push(FamilySelector { reader, matchers });
    }

    /// Who reads a series with these labels.
    fn readers(&self, labels: &Labels) -> Readers {
        let asked = labels.iter().filter_map(|(name, value)| self.by_value.get(name)?.get(value)).flatten();
        let places = asked.chain(&self.others);
        let selectors = places.filter_map(|place| self.all.get(*place));
        let matching = selectors.filter(|selector| {
            let holds = |matcher: &Matcher| matcher.meets(labels.get(&matcher.name).unwrap_or(""));
            selector.matchers.iter().all(holds)
        });
        let readers: BTreeSet<u32> = matching.map(|selector| selector.reader).collect();
        readers.into_iter().collect()
    }
}

/// The metric name a selector spells out.
fn name_of(selector: &[Matcher]) -> Option<&Arc<str>> {
    selector.iter().find_map(|matcher| match &matcher.condition {
        MatchCondition::Equal(name) if matcher.name.as_ref() == METRIC_NAME => Some(name),
        MatchCondition::Equal(_)
        | MatchCondition::NotEqual(_)
        | MatchCondition::OneOf(_)
        | MatchCondition::Match(_)
        | MatchCondition::NoMatch(_) => None,
    })
}

/// The names of a family's samples.
fn sample_names(store: &Store, family: FamilyId) -> Vec<String> {
    let spec = store.family(family);
    spec.metric_type.parts().iter().map(|part| part.sample_name(spec.metric_type, &spec.name)).collect()
}
