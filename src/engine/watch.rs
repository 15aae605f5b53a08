//! Which series the rules read, so that an arrival evaluates their groups at once and costs nothing elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::history::{History, Past};
use super::labels::Labels;
use super::promql::storage::{Matcher, Selection};
use super::promql::{SelectedSeries, Storage};
use super::recent::RecentEvents;
use super::rules::RuleStorage;
use super::series::{FamilyId, Store};
use super::time::Timestamp;
use super::wire::EventId;

/// Events that alert events name as evidence.
const EVIDENCE_MAX: usize = 5;

/// What one rule reads.
#[derive(Clone, Debug)]
pub struct RuleReads {
    /// Its selectors.
    pub selectors: Vec<Vec<Matcher>>,
}

/// The families that rules read, by group.
#[derive(Debug, Default)]
pub struct Watch {
    groups: Vec<RuleReads>,
    /// By group: its families, sorted.
    families_of: Vec<Arc<[FamilyId]>>,
    groups_of: BTreeMap<FamilyId, Vec<usize>>,
    families: BTreeSet<FamilyId>,
    /// How many families the store had when they were last matched.
    known: usize,
}

impl Watch {
    /// Other groups read from now on.
    pub fn replace(&mut self, groups: Vec<RuleReads>) {
        *self = Self { groups, ..Self::default() };
    }

    /// Every family a rule reads.
    pub fn families(&self) -> &BTreeSet<FamilyId> {
        &self.families
    }

    /// Matches the families that came since the last look; says whether there were any.
    pub fn look_again(&mut self, store: &mut Store, history: &History, now: Timestamp) {
        if store.families_len() == self.known {
            return;
        }
        let past = Past { store, history, now };
        self.families_of = self.groups.iter().map(|group| past.families_read(&group.selectors)).collect();
        self.known = store.families_len();
        self.groups_of.clear();
        for (group, families) in self.families_of.iter().enumerate() {
            for family in families.iter() {
                self.groups_of.entry(*family).or_default().push(group);
            }
        }
        let families: BTreeSet<FamilyId> = self.groups_of.keys().copied().collect();
        if families != self.families {
            store.watch(&mut families.iter().copied());
            self.families = families;
        }
    }

    /// The groups that read a family which came since the last look, sorted: its first series moved unwatched.
    pub fn born(&mut self, store: &mut Store, history: &History, now: Timestamp) -> Vec<usize> {
        let known = self.known;
        if store.families_len() == known {
            return Vec::new();
        }
        self.look_again(store, history, now);
        let is_new = |family: &&FamilyId| family.0 as usize >= known;
        let new = self.families.iter().filter(is_new);
        let mut groups: Vec<usize> =
            new.filter_map(|family| self.groups_of.get(family)).flatten().copied().collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// The groups that read a series which moved since the last call, sorted.
    pub fn moved(&self, store: &mut Store) -> Vec<usize> {
        let mut groups = Vec::new();
        for series in store.touched() {
            groups.extend(self.groups_of.get(&store.family_of(series)).into_iter().flatten());
        }
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// Samples what the groups evaluated at `now` read.
    pub fn sample(&self, groups: &[usize], store: &Store, history: &mut History, now: Timestamp) {
        let mut families: BTreeSet<FamilyId> = BTreeSet::new();
        for group in groups {
            families.extend(self.families_of.get(*group).into_iter().flat_map(|families| families.iter()));
        }
        if !families.is_empty() {
            let families: Arc<[FamilyId]> = families.into_iter().collect();
            history.sample_read(store, now, &families);
        }
    }
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
}

impl RuleView<'_> {
    fn past(&self) -> Past<'_> {
        Past { store: self.store, history: self.history, now: self.now }
    }
}

impl Storage for RuleView<'_> {
    fn select(&self, selection: Selection<'_>) -> Vec<SelectedSeries> {
        self.past().select(selection)
    }
}

impl RuleStorage for RuleView<'_> {
    fn append(&mut self, labels: &Labels, time_ms: i64, value: Option<f64>) {
        self.history.written_mut().append(labels, time_ms, value);
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
