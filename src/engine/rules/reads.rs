//! Which series the rules read, so that an arrival evaluates their groups at once and costs nothing elsewhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::engine::history::{History, Occasion, Past};
use crate::engine::labels::{Labels, METRIC_NAME};
use crate::engine::promql::storage::{Condition, Endless, Matcher, Selection};
use crate::engine::promql::{SelectedSeries, Storage, Value};
use crate::engine::rules::RuleStorage;
use crate::engine::series::recent::RecentEvents;
use crate::engine::series::{FamilyId, Store};
use crate::engine::time::Timestamp;
use crate::engine::wire::EventId;

/// Events that alert events name as evidence.
const EVIDENCE_MAX: usize = 5;

/// What one rule reads.
#[derive(Clone, Debug)]
pub struct RuleReads {
    /// Its selectors.
    pub selectors: Vec<Vec<Matcher>>,
}

/// The families that rules read, by rule (its *reader* number).
#[derive(Debug, Default)]
pub struct Watch {
    rules: Vec<RuleReads>,
    /// Rules by the metric names their selectors spell out.
    by_name: HashMap<Arc<str>, Vec<usize>>,
    /// Rules with a selector that spells out no name.
    nameless: Vec<usize>,
    /// By rule: its families, rising.
    families_of: Vec<Vec<FamilyId>>,
    readers_of: HashMap<FamilyId, Vec<usize>>,
    families: BTreeSet<FamilyId>,
    /// How many families the store had when they were last matched.
    known: usize,
}

impl Watch {
    /// Other rules read from now on.
    pub fn replace(&mut self, rules: Vec<RuleReads>) {
        let mut by_name: HashMap<Arc<str>, Vec<usize>> = HashMap::new();
        let mut nameless = Vec::new();
        for (reader, rule) in rules.iter().enumerate() {
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
        *self = Self { rules, by_name, nameless, families_of, ..Self::default() };
    }

    /// Every family a rule reads.
    pub fn families(&self) -> &BTreeSet<FamilyId> {
        &self.families
    }

    /// Whether the store has families that were not matched yet.
    pub fn is_behind(&self, store: &Store) -> bool {
        store.families_len() != self.known
    }

    /// Matches the families that came since the last look.
    pub fn look_again(&mut self, store: &mut Store) {
        let before = self.families.len();
        for family in store.families_since(self.known) {
            for reader in self.readers(store, family) {
                if let Some(families) = self.families_of.get_mut(reader) {
                    families.push(family);
                }
                self.readers_of.entry(family).or_default().push(reader);
                self.families.insert(family);
            }
        }
        if self.families.len() != before || self.known == 0 {
            store.watch(&mut self.families.iter().copied());
        }
        self.known = store.families_len();
    }

    /// The rules that read a family, rising.
    fn readers(&self, store: &Store, family: FamilyId) -> Vec<usize> {
        let names = sample_names(store, family);
        let spelled = names.iter().filter_map(|name| self.by_name.get(name.as_str())).flatten().copied();
        let matched = self.nameless.iter().copied().filter(|reader| {
            let selectors = self.rules.get(*reader).map_or(&[][..], |rule| &rule.selectors);
            selectors.iter().filter(|selector| name_of(selector).is_none()).any(|selector| {
                let on_name = || selector.iter().filter(|matcher| matcher.name.as_ref() == METRIC_NAME);
                names.iter().any(|name| on_name().all(|matcher| matcher.condition.holds(name)))
            })
        });
        let readers: BTreeSet<usize> = spelled.chain(matched).collect();
        readers.into_iter().collect()
    }

    /// The rules that read a series which moved since the last call, rising.
    pub fn moved(&self, store: &mut Store) -> Vec<usize> {
        let mut readers = Vec::new();
        for series in store.touched() {
            readers.extend(self.readers_of.get(&store.family_of(series)).into_iter().flatten());
        }
        readers.sort_unstable();
        readers.dedup();
        readers
    }

    /// Samples what the rules evaluated at `now` read.
    pub fn sample(&self, readers: &[usize], store: &Store, history: &mut History, now: Timestamp) {
        let mut families: BTreeSet<FamilyId> = BTreeSet::new();
        for reader in readers {
            families.extend(self.families_of.get(*reader).into_iter().flatten());
        }
        if !families.is_empty() {
            let families: Arc<[FamilyId]> = families.into_iter().collect();
            history.sample_read(store, now, &families);
        }
    }
}

/// The metric name a selector spells out.
fn name_of(selector: &[Matcher]) -> Option<&Arc<str>> {
    selector.iter().find_map(|matcher| match &matcher.condition {
        Condition::Equal(name) if matcher.name.as_ref() == METRIC_NAME => Some(name),
        _ => None,
    })
}

/// The names of a family's samples.
fn sample_names(store: &Store, family: FamilyId) -> Vec<String> {
    let spec = store.family(family);
    spec.metric_type.parts().iter().map(|part| part.sample_name(spec.metric_type, &spec.name)).collect()
}

/// What rules read and write while they are evaluated at one instant.
#[derive(Debug)]
pub struct RuleView<'a> {
    /// The present values.
    pub store: &'a Store,
    /// The events that moved them.
    pub recent: &'a RecentEvents,
    /// The past ones, and what rules write.
    pub history: &'a mut History,
    /// The instant.
    pub now: Timestamp,
    /// Why rules are evaluated.
    pub occasion: Occasion,
}

impl RuleView<'_> {
    fn past(&self) -> Past<'_, Store> {
        Past { store: self.store, timeline: self.history.timeline(), now: self.now, patience: &Endless }
    }
}

impl Storage for RuleView<'_> {
    fn select(&self, selection: Selection<'_>) -> Vec<SelectedSeries> {
        self.past().select(selection)
    }
}

impl RuleStorage for RuleView<'_> {
    fn evaluating(&mut self, occasion: Occasion) {
        self.occasion = occasion;
    }

    fn append(&mut self, labels: &Labels, time_ms: i64, value: Option<Value>) {
        self.history.written_mut().append(labels, time_ms, value, self.occasion);
    }

    fn evidence(&self, selectors: &[Vec<Matcher>], labels: &Labels) -> Vec<EventId> {
        let agrees = |series: &Labels| {
            series
                .without_name()
                .iter()
                .all(|(name, value)| labels.get(name).is_none_or(|known| known == value.as_ref()))
        };
        let past = self.past();
        let mut series: Vec<_> =
            selectors.iter().flat_map(|selector| past.series(selector, agrees)).collect();
        series.sort_unstable();
        series.dedup();
        let ordinals = self.store.evidence(&series, EVIDENCE_MAX);
        ordinals.into_iter().filter_map(|ordinal| self.recent.get(ordinal)).map(|event| event.id).collect()
    }
}
