//! The labels of one series of a result, with the metric name possibly on its way out.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::super::NameRemoval;
use super::super::ast::Grouping;
use crate::engine::labels::{Label, Labels, METRIC_NAME};

/// The label of a metric's type, part of its identity as its name is.
pub(in crate::engine::promql) const TYPE: &str = "__type__";
const UNIT: &str = "__unit__";

/// Whether a label goes where the metric name goes.
pub(in crate::engine::promql) fn is_metadata(name: &str) -> bool {
    name == METRIC_NAME || name == TYPE || name == UNIT
}

/// Whether a series still has its metric name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine::promql) enum NameState {
    /// It has.
    #[default]
    Kept,
    /// It has not, although the labels still hold it.
    Gone,
    /// It has until the query ends.
    GoesLast,
}

/// The labels of one series of a result.
#[derive(Clone, Debug, Default)]
pub(in crate::engine::promql) struct Row {
    labels: Labels,
    pub(in crate::engine::promql) name: NameState,
}

impl Row {
    /// A series with all of its labels.
    pub(in crate::engine::promql) fn new(labels: Labels) -> Self {
        Self { labels, name: NameState::Kept }
    }

    /// The labels it has.
    pub(in crate::engine::promql) fn iter(&self) -> impl Iterator<Item = &Label> + Clone {
        let gone = self.name == NameState::Gone;
        self.labels.iter().filter(move |(name, _)| !gone || !is_metadata(name))
    }

    /// The value of a label it has.
    pub(in crate::engine::promql) fn shared(&self, name: &str) -> Option<&Arc<str>> {
        if self.name == NameState::Gone && is_metadata(name) { None } else { self.labels.shared(name) }
    }

    /// The value the labels hold, whether it counts or not.
    pub(in crate::engine::promql) fn raw(&self, name: &str) -> Option<&str> {
        self.labels.get(name)
    }

    /// Whether the metric's type or unit is among the labels.
    pub(in crate::engine::promql) fn has_type_or_unit(&self) -> bool {
        self.labels.shared(TYPE).is_some() || self.labels.shared(UNIT).is_some()
    }

    /// The value of a label, empty where it has none.
    pub(in crate::engine::promql) fn get(&self, name: &str) -> &str {
        self.shared(name).map_or("", AsRef::as_ref)
    }

    /// The metric name for messages, empty where it has none.
    pub(in crate::engine::promql) fn metric(&self) -> Arc<str> {
        self.shared(METRIC_NAME).cloned().unwrap_or_default()
    }

    /// The labels it has, as a set of their own.
    pub(in crate::engine::promql) fn to_labels(&self) -> Labels {
        if self.name == NameState::Gone {
            self.labels.filtered(|name| !is_metadata(name))
        } else {
            self.labels.clone()
        }
    }

    /// The labels it ends with.
    pub(in crate::engine::promql) fn into_labels(self) -> Labels {
        match self.name {
            NameState::Kept => self.labels,
            NameState::Gone | NameState::GoesLast => self.labels.filtered(|name| !is_metadata(name)),
        }
    }

    /// Takes the metric name away, now or at the end.
    pub(in crate::engine::promql) fn drop_name(&mut self, removal: NameRemoval) {
        self.name = match removal {
            NameRemoval::Immediate => NameState::Gone,
            NameRemoval::Delayed => NameState::GoesLast,
        };
    }

    /// Lets a name go last where it does in a series that was aggregated into this one.
    pub(in crate::engine::promql) fn inherit_name_state(&mut self, source: &Self) {
        if source.name == NameState::GoesLast {
            self.name = NameState::GoesLast;
        }
    }

    /// Whether the labels are the same.
    pub(in crate::engine::promql) fn same_labels(&self, other: &Self) -> bool {
        self.name == other.name && self.labels == other.labels || self.iter().eq(other.iter())
    }

    /// A hash of the labels it has.
    pub(in crate::engine::promql) fn hash(&self) -> u64 {
        hash_labels(self.iter())
    }

    /// The labels a grouping keeps, without the metric name where it names what goes.
    pub(in crate::engine::promql) fn grouped<'a>(
        &'a self,
        grouping: &'a Grouping,
    ) -> impl Iterator<Item = &'a Label> + Clone {
        self.iter().filter(move |(name, _)| keeps(grouping, name))
    }
}

/// Whether a grouping keeps a label.
fn keeps(grouping: &Grouping, label: &str) -> bool {
    match grouping {
        Grouping::By(names) => names.iter().any(|name| name.as_ref() == label),
        Grouping::Without(names) => label != METRIC_NAME && !names.iter().any(|name| name.as_ref() == label),
    }
}

/// A hash of labels, the same in every run.
pub(in crate::engine::promql) fn hash_labels<'a>(labels: impl Iterator<Item = &'a Label>) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    for (name, value) in labels {
        name.hash(&mut hasher);
        value.hash(&mut hasher);
    }
    hasher.finish()
}

/// Gives equal keys equal numbers, in order of appearance; keys are compared, not only their hashes.
#[derive(Debug, Default)]
pub(in crate::engine::promql) struct Numbering {
    table: hashbrown::HashTable<(u64, usize)>,
    count: usize,
}

impl Numbering {
    /// The number of a key with `hash`; `is_same` says whether it equals the first key with a number.
    pub(in crate::engine::promql) fn number(
        &mut self,
        hash: u64,
        is_same: impl Fn(usize) -> bool,
    ) -> (usize, Novelty) {
        let found = self.table.find(hash, |(known, number)| *known == hash && is_same(*number));
        if let Some((_, number)) = found {
            return (*number, Novelty::Known);
        }
        let number = self.count;
        self.count += 1;
        self.table.insert_unique(hash, (hash, number), |(hash, _)| *hash);
        (number, Novelty::New)
    }

    /// How many different keys there were.
    pub(in crate::engine::promql) fn len(&self) -> usize {
        self.count
    }
}

/// Whether a key was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::promql) enum Novelty {
    New,
    Known,
}
