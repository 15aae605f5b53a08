//! Warnings and infos of an evaluation, each once, in Prometheus' words.

use std::sync::Arc;

use hashbrown::HashMap;

use super::super::histogram::Monotonicity;
use super::text::{instant, number, quoted, two_digits};

/// The kind of work that brought histograms together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::engine::promql) enum Merge {
    Addition,
    Subtraction,
    Aggregation,
}

impl Merge {
    const fn name(self) -> &'static str {
        match self {
            Self::Addition => "addition",
            Self::Subtraction => "subtraction",
            Self::Aggregation => "aggregation",
        }
    }
}

/// One finding; metric names are empty where they are not known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::engine::promql) enum Note {
    // Warnings.
    InvalidQuantile(u64),
    InvalidRatio { ratio: u64, capped: u64 },
    BadBucketLabel { metric: Arc<str>, label: Arc<str> },
    MixedFloatsHistograms(Arc<str>),
    MixedInAggregation,
    MixedClassicNative(Arc<str>),
    NotCounter(Arc<str>),
    NotGauge(Arc<str>),
    MixedExponentialCustom(Arc<str>),
    IncompatibleLayouts(&'static str),
    SortInRangeQuery,
    ResetsCollide(Merge),
    StartsOverlap(Arc<str>),
    // Infos.
    PossibleNonCounter(Arc<str>),
    PossibleNonCounterType { metric: Arc<str>, kind: Arc<str> },
    ForcedMonotonicity(Arc<str>),
    IncompatibleTypes { left: &'static str, operator: &'static str, right: &'static str },
    IgnoredInAggregation(&'static str),
    IgnoredInMixedRange(Arc<str>),
    QuantileIsNan(Arc<str>),
    QuantileTooHigh(Arc<str>),
    FractionLeavesNan(Arc<str>),
    BoundsReconciled(Merge),
}

impl Note {
    fn is_warning(&self) -> bool {
        match self {
            Self::InvalidQuantile(_)
            | Self::InvalidRatio { .. }
            | Self::BadBucketLabel { .. }
            | Self::MixedFloatsHistograms(_)
            | Self::MixedInAggregation
            | Self::MixedClassicNative(_)
            | Self::NotCounter(_)
            | Self::NotGauge(_)
            | Self::MixedExponentialCustom(_)
            | Self::IncompatibleLayouts(_)
            | Self::SortInRangeQuery
            | Self::ResetsCollide(_)
            | Self::StartsOverlap(_) => true,
            Self::PossibleNonCounter(_)
            | Self::PossibleNonCounterType { .. }
            | Self::ForcedMonotonicity(_)
            | Self::IncompatibleTypes { .. }
            | Self::IgnoredInAggregation(_)
            | Self::IgnoredInMixedRange(_)
            | Self::QuantileIsNan(_)
            | Self::QuantileTooHigh(_)
            | Self::FractionLeavesNan(_)
            | Self::BoundsReconciled(_) => false,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::InvalidQuantile(quantile) => {
                format!("quantile value should be between 0 and 1, got {}", number(f64::from_bits(*quantile)))
            }
            Self::InvalidRatio { ratio, capped } => {
                let [ratio, capped] = [ratio, capped].map(|bits| number(f64::from_bits(*bits)));
                format!("ratio value should be between -1 and 1, got {ratio}, capping to {capped}")
            }
            Self::BadBucketLabel { metric, label } => known(
                &format!("bucket label \"le\" is missing or has a malformed value of {}", quoted(label)),
                metric,
            ),
            Self::MixedFloatsHistograms(metric) => {
                named("encountered a mix of histograms and floats", metric)
            }
            Self::MixedInAggregation => {
                "encountered a mix of histograms and floats for aggregation".to_owned()
            }
            Self::MixedClassicNative(metric) => {
                known("vector contains a mix of classic and native histograms", metric)
            }
            Self::NotCounter(metric) => about("this native histogram metric is not a counter", metric),
            Self::NotGauge(metric) => about("this native histogram metric is not a gauge", metric),
            Self::MixedExponentialCustom(metric) => named(MIXED_EXPONENTIAL_CUSTOM, metric),
            Self::IncompatibleLayouts(operator) => {
                format!("incompatible bucket layout encountered for binary operator {operator}")
            }
            Self::SortInRangeQuery => {
                "sort is ineffective for range queries since results are always ordered by labels".to_owned()
            }
            Self::ResetsCollide(merge) => {
                format!("conflicting counter resets during histogram {}", merge.name())
            }
            Self::StartsOverlap(metric) => named("start timestamp overlaps with the previous sample", metric),
            Self::PossibleNonCounter(metric) => about(POSSIBLE_NON_COUNTER, metric),
            Self::PossibleNonCounterType { metric, kind } => {
                about(&format!("{POSSIBLE_NON_COUNTER_TYPE}, got {}", quoted(kind)), metric)
            }
            Self::ForcedMonotonicity(metric) => known(FORCED_MONOTONICITY, metric),
            Self::IncompatibleTypes { left, operator, right } => format!(
                "incompatible sample types encountered for binary operator {}: {left} {operator} {right}",
                quoted(operator)
            ),
            Self::IgnoredInAggregation(aggregation) => {
                format!("ignored histogram in {aggregation} aggregation")
            }
            Self::IgnoredInMixedRange(metric) => {
                named("ignored histograms in a range containing both floats and histograms", metric)
            }
            Self::QuantileIsNan(metric) => known(QUANTILE_IS_NAN, metric),
            Self::QuantileTooHigh(metric) => known(QUANTILE_TOO_HIGH, metric),
            Self::FractionLeavesNan(metric) => known(FRACTION_LEAVES_NAN, metric),
            Self::BoundsReconciled(merge) => {
                format!("mismatched custom buckets were reconciled during {}", merge.name())
            }
        }
    }
}

const MIXED_EXPONENTIAL_CUSTOM: &str =
    "vector contains a mix of histograms with exponential and custom buckets schemas";
const POSSIBLE_NON_COUNTER: &str =
    "metric might not be a counter, name does not end in _total/_sum/_count/_bucket";
const POSSIBLE_NON_COUNTER_TYPE: &str =
    "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\"";
const FORCED_MONOTONICITY: &str = "input to histogram_quantile needed to be fixed for monotonicity (see \
     https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
const QUANTILE_IS_NAN: &str = "input to histogram_quantile has NaN observations, result is NaN";
const QUANTILE_TOO_HIGH: &str = "input to histogram_quantile has NaN observations, result is skewed higher";
const FRACTION_LEAVES_NAN: &str =
    "input to histogram_fraction has NaN observations, which are excluded from all fractions";

fn about(text: &str, metric: &str) -> String {
    format!("{text}: {}", quoted(metric))
}

fn named(text: &str, metric: &str) -> String {
    format!("{text} for metric name {}", quoted(metric))
}

/// The text with the metric's name where that is known.
fn known(text: &str, metric: &str) -> String {
    if metric.is_empty() { text.to_owned() } else { named(text, metric) }
}

/// How often and how badly classic histograms had to be mended.
#[derive(Clone, Copy, Debug)]
struct Mending {
    times: (i64, i64),
    found: Monotonicity,
    samples: usize,
}

/// The findings of one evaluation so far.
#[derive(Debug, Default)]
pub(in crate::engine::promql) struct Annotations {
    notes: Vec<(Note, usize, Option<Mending>)>,
    known: HashMap<Note, usize, foldhash::fast::FixedState>,
}

impl Annotations {
    /// Adds a finding at a byte of the query; the same finding elsewhere adds nothing.
    pub(in crate::engine::promql) fn add(&mut self, note: Note, position: usize) {
        if self.notes.last().is_some_and(|(last, _, _)| *last == note) || self.known.contains_key(&note) {
            return;
        }
        self.known.insert(note.clone(), self.notes.len());
        self.notes.push((note, position, None));
    }

    /// Adds that a classic histogram's counts had to be mended.
    pub(in crate::engine::promql) fn add_mending(
        &mut self,
        metric: Arc<str>,
        position: usize,
        time_ms: i64,
        found: Monotonicity,
    ) {
        let note = Note::ForcedMonotonicity(metric);
        self.add(note.clone(), position);
        let known = self.known.get(&note).and_then(|at| self.notes.get_mut(*at));
        let Some((_, _, mending)) = known else { return };
        match mending {
            None => *mending = Some(Mending { times: (time_ms, time_ms), found, samples: 1 }),
            Some(mending) => {
                mending.times = (mending.times.0.min(time_ms), mending.times.1.max(time_ms));
                let bounds =
                    (found.bounds.0.min(mending.found.bounds.0), found.bounds.1.max(mending.found.bounds.1));
                let difference = found.difference.max(mending.found.difference);
                mending.found = Monotonicity { bounds, difference };
                mending.samples = mending.samples.saturating_add(1);
            }
        }
    }

    /// The warnings and the infos as text, in the order they came up.
    pub(in crate::engine::promql) fn finish(self) -> (Vec<String>, Vec<String>) {
        let (mut warnings, mut infos) = (Vec::new(), Vec::new());
        for (note, position, mending) in self.notes {
            let details = mending.map(details).unwrap_or_default();
            // Positions are given as if the query were one line; the text itself is not known here.
            let place = format!("(1:{})", position.saturating_add(1));
            if note.is_warning() {
                warnings.push(format!("PromQL warning: {}{details} {place}", note.text()));
            } else {
                infos.push(format!("PromQL info: {}{details} {place}", note.text()));
            }
        }
        (warnings, infos)
    }
}

fn details(mending: Mending) -> String {
    format!(
        ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
        number(mending.found.bounds.0),
        number(mending.found.bounds.1),
        two_digits(mending.found.difference),
        mending.samples,
        instant(mending.times.0),
        instant(mending.times.1)
    )
}
