//! The parts of an expression that the moved series are in.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Partition;
use crate::engine::labels::Labels;
use crate::engine::metric::bound::NUMBER_LABELS;
use crate::engine::promql::storage::{MatchCondition, Matcher, Selection};
use crate::engine::promql::{SelectedSeries, Storage};

/// From how many moved series on everything is evaluated.
const MOVED_MAX: usize = 512;

/// How many labels tell parts apart; fewer mean parts that are not concerned are evaluated too.
const LABELS_MAX: usize = 6;

/// What moved of the series that a rule reads since it was last evaluated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::engine::rules) enum Moved {
    /// Nothing.
    #[default]
    Nothing,
    /// These, metric names not included.
    Series(Vec<Labels>),
    /// Too much to name, or not known.
    Everything,
}

impl Moved {
    /// Adds a series.
    pub(in crate::engine::rules) fn add(&mut self, labels: &Labels) {
        match self {
            Self::Nothing => *self = Self::Series(vec![labels.clone()]),
            Self::Series(series) if series.len() >= MOVED_MAX => *self = Self::Everything,
            Self::Series(series) => series.push(labels.clone()),
            Self::Everything => {}
        }
    }
}

/// Conditions on labels that some parts of an expression meet, and no other.
#[derive(Clone, Debug)]
pub(in crate::engine::rules) struct Narrow {
    matchers: Vec<Matcher>,
}

impl Narrow {
    /// The parts that the moved series are in; none where that is all of it, or nobody knows.
    pub(in crate::engine::rules) fn to(partition: &Partition, moved: &[Labels]) -> Option<Self> {
        let names: BTreeSet<&Arc<str>> = moved.iter().flatten().map(|(name, _)| name).collect();
        // A number has several spellings, of which results have one.
        let tells = |name: &&Arc<str>| partition.contains(name) && !NUMBER_LABELS.contains(&name.as_ref());
        let names = names.into_iter().filter(tells).take(LABELS_MAX);
        let matchers: Vec<Matcher> = names.map(|name| matcher(name, moved)).collect();
        (!matchers.is_empty()).then_some(Self { matchers })
    }

    /// Whether a sample with these labels is of one of the parts.
    pub(in crate::engine::rules) fn holds(&self, labels: &Labels) -> bool {
        let value = |name: &str| labels.get(name).unwrap_or("");
        self.matchers.iter().all(|matcher| matcher.condition.holds(value(&matcher.name)))
    }
}

/// The samples that a result has of some parts, which are evaluated alone.
///
/// # Errors
///
/// The error of the whole. A part alone can meet one where the whole has none, as by `vector(1) unless a` for a side of
/// an operator: what is there without a label is in every part, and what takes it out is in its own.
pub(in crate::engine::rules) fn part_of_result<V, E>(
    storage: &dyn Storage,
    narrow: &Narrow,
    evaluate: impl Fn(&dyn Storage) -> Result<Vec<(Labels, V)>, E>,
) -> Result<Vec<(Labels, V)>, E> {
    let narrowed = Narrowed { storage, narrow };
    let mut samples = evaluate(&narrowed).or_else(|_| evaluate(storage))?;
    samples.retain(|(labels, _)| narrow.holds(labels));
    Ok(samples)
}

/// The values that a label has among the moved series.
fn matcher(name: &Arc<str>, moved: &[Labels]) -> Matcher {
    let empty: Arc<str> = Arc::from("");
    let value = |labels: &Labels| labels.shared(name).unwrap_or(&empty).clone();
    let values: BTreeSet<Arc<str>> = moved.iter().map(value).collect();
    let condition = match values.first().filter(|_| values.len() == 1) {
        Some(value) => MatchCondition::Equal(value.clone()),
        None => MatchCondition::OneOf(Arc::new(values)),
    };
    Matcher { name: name.clone(), condition }
}

/// A storage in which only the series of some parts are there.
struct Narrowed<'a> {
    storage: &'a dyn Storage,
    narrow: &'a Narrow,
}

impl Storage for Narrowed<'_> {
    fn select(&self, selection: Selection<'_>) -> Vec<SelectedSeries> {
        let matchers: Vec<Matcher> =
            selection.matchers.iter().chain(&self.narrow.matchers).cloned().collect();
        self.storage.select(Selection { matchers: &matchers, ..selection })
    }
}
