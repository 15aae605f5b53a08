//! How many series each metric has, and which labels make them so many.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::FrozenInstant;
use crate::engine::series::{FamilySpec, FrozenFamily};

/// Series of one metric whose labels are looked at.
const SERIES_LOOKED_AT: usize = 10_000;

/// A metric with its series.
#[derive(Clone, Debug)]
pub(crate) struct Cardinality<'a> {
    /// What it is declared with.
    pub(crate) spec: &'a FamilySpec,
    /// How many series it has, parked ones included.
    pub(crate) series: usize,
    /// Its labels, that with the most values first.
    pub(crate) labels: Vec<LabelCardinality>,
}

/// A label with its values, as far as they were looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LabelCardinality {
    /// Its name.
    pub(crate) name: String,
    /// How many values it has.
    pub(crate) values: usize,
    /// The value that most series have.
    pub(crate) most: String,
    /// How many those are.
    pub(crate) most_series: usize,
}

impl FrozenInstant {
    /// Every metric with its series, in the order of names; labels are those of the first 10,000 series.
    pub(crate) fn cardinalities(&self) -> impl Iterator<Item = Cardinality<'_>> {
        self.metrics.store().families().iter().map(cardinality)
    }
}

fn cardinality(family: &FrozenFamily) -> Cardinality<'_> {
    let mut counts: BTreeMap<Cow<'_, str>, BTreeMap<Cow<'_, str>, usize>> = BTreeMap::new();
    for (page, row) in family.rows().take(SERIES_LOOKED_AT) {
        for (name, value) in page.pairs(row) {
            *counts.entry(name).or_default().entry(value).or_default() += 1;
        }
    }
    let labels = counts.into_iter().map(|(name, values)| {
        let most = values.iter().max_by_key(|(_, series)| **series);
        LabelCardinality {
            name: name.into_owned(),
            values: values.len(),
            most: most.map(|(value, _)| value.to_string()).unwrap_or_default(),
            most_series: most.map_or(0, |(_, series)| *series),
        }
    });
    let mut labels: Vec<LabelCardinality> = labels.collect();
    labels.sort_by_key(|label| std::cmp::Reverse(label.values));
    Cardinality { spec: family.spec(), series: family.rows().count(), labels }
}
