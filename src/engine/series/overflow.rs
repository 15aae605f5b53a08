//! What exceeds a limit: folded into one series for each set of label names, counted, and named.
//!
//! A family has at most [`OVERFLOW_SERIES_MAX`] overflow series; label sets with yet other names are applied to a
//! last one, `{overflow="__overflow__"}`, so that a flood of label names is bounded as one of values is. Overflow
//! series come on top of both limits. A series without labels never overflows: there is one a family.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::store::Marks;
use super::{FamilyId, SeriesId, Store};

/// The value of every label of an overflow series.
pub(super) const OVERFLOW: &str = "__overflow__";

/// Overflow series of one family, the last one not included.
pub(super) const OVERFLOW_SERIES_MAX: usize = 16;

/// Rows looked at to find the label that makes a family overflow.
const ROWS_LOOKED_AT: usize = 4_096;

/// What a family's overflow series took since it was last asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Overflow {
    /// The family.
    pub(crate) family: FamilyId,
    /// How many values were applied to its overflow series.
    pub(crate) count: u64,
    /// The label with the most distinct values, by a sample of its series; empty where there are no labels.
    pub(crate) label: Arc<str>,
}

/// What was applied to overflow series, by family.
#[derive(Debug, Default)]
pub(super) struct Overflows {
    counts: BTreeMap<FamilyId, u64>,
    labels: BTreeMap<FamilyId, Arc<str>>,
}

impl Overflows {
    /// Counts one value.
    pub(super) fn count(&mut self, family: FamilyId) {
        *self.counts.entry(family).or_default() += 1;
    }
}

/// The same label names with every value [`OVERFLOW`].
pub(super) fn labels_for<'a>(labels: &[(&'a str, &str)]) -> Vec<(&'a str, &'a str)> {
    labels.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| (*name, OVERFLOW)).collect()
}

/// The labels of the series for all other label names.
pub(super) fn last_labels<'a>() -> Vec<(&'a str, &'a str)> {
    vec![("overflow", OVERFLOW)]
}

impl Store {
    /// Whether a series stands for what exceeds a limit.
    pub(in crate::engine) fn is_overflow(&self, series: SeriesId) -> bool {
        self.slot(series).is_some_and(|slot| slot.marks.has(Marks::OVERFLOW))
    }

    /// The families whose overflow series took something since the last call. The label is found once a family.
    pub(crate) fn overflowed(&mut self) -> Vec<Overflow> {
        let counts = std::mem::take(&mut self.overflows.counts);
        let mut overflowed = Vec::with_capacity(counts.len());
        for (family, count) in counts {
            let label = match self.overflows.labels.get(&family) {
                Some(label) => Arc::clone(label),
                None => self.most_varied_label(family),
            };
            self.overflows.labels.insert(family, Arc::clone(&label));
            overflowed.push(Overflow { family, count, label });
        }
        overflowed
    }

    fn most_varied_label(&self, family: FamilyId) -> Arc<str> {
        let Some(family) = self.families.get(family.0 as usize) else { return Arc::from("") };
        let state = FixedState::with_seed(0);
        let step = (family.live / ROWS_LOOKED_AT).max(1);
        let mut values: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for (page, row) in family.rows().step_by(step) {
            for (name, value) in page.pairs(row) {
                match values.get_mut(name.as_ref()) {
                    Some(known) => known.insert(state.hash_one(value.as_bytes())),
                    None => {
                        values.entry(name.into_owned()).or_default().insert(state.hash_one(value.as_bytes()))
                    }
                };
            }
        }
        let most = values.iter().max_by_key(|(_, values)| values.len());
        most.map_or_else(|| Arc::from(""), |(name, _)| Arc::from(name.as_str()))
    }
}
