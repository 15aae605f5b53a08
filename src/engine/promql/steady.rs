//! What an expression can be worked out ahead over: a storage whose selections stand still until series are born or
//! leave, and which knows the two ends of a window without walking it.

use std::ops::Range;

use super::storage::Matcher;
use crate::engine::labels::Labels;

/// One series of a selection, as the storage finds it again.
#[derive(Clone, Debug)]
pub(crate) struct SteadySeries {
    /// Its labels, metric name included.
    pub(crate) labels: Labels,
    /// The places whose values add up to its samples.
    pub(crate) places: Range<u32>,
    /// When it was born, in milliseconds since the Unix epoch.
    pub(crate) born_ms: i64,
}

/// What a selection depends on: it stands while this is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SelectionStamp {
    /// The family, by its number.
    pub(crate) family: u32,
    /// Its births and removals.
    pub(crate) births: u64,
    /// How many families there are.
    pub(crate) families: usize,
    /// How many names rules have written series under, and under which no series is left.
    pub(crate) written: u64,
}

/// The series of one selector.
#[derive(Clone, Debug)]
pub(crate) struct SteadySelection {
    /// What it depends on.
    pub(crate) stamp: SelectionStamp,
    /// The series in the order in which the storage selects them.
    pub(crate) series: Vec<SteadySeries>,
    /// Whether the series only ever grow.
    pub(crate) growth: GrowthKind,
}

/// Whether what a selection selects may fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrowthKind {
    /// It never does: a window is told by its two ends.
    OnlyGrows,
    /// It may.
    MayFall,
}

/// The samples with which windows over a selection begin.
#[derive(Clone, Debug, Default)]
pub(crate) struct WindowStarts {
    /// Which instant they are of, as the storage numbers them; none where there is none.
    pub(crate) instant: Option<(i64, Option<i64>)>,
    /// Whether the values are those of that instant for ever.
    pub(crate) settled: bool,
    /// When it is, in milliseconds since the Unix epoch.
    pub(crate) time_ms: i64,
    /// By series, its value there.
    pub(crate) values: Vec<f64>,
}

/// A window that ends at the present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WindowSpan {
    /// The first instant that is looked at.
    pub(crate) start_ms: i64,
    /// The instant since which growth counts: the last sample at or before it, else the first after it, begins.
    pub(crate) since_ms: i64,
}

/// A storage whose selections can be kept.
pub(crate) trait SteadyStorage {
    /// The present instant, in milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64;

    /// The series that match; none where a selection of these conditions cannot be kept.
    fn steady(&self, matchers: &[Matcher]) -> Option<SteadySelection>;

    /// Whether a selection stands as it was found.
    fn stands(&self, stamp: &SelectionStamp) -> bool;

    /// The value of a series at the present.
    fn present(&self, series: &SteadySeries) -> f64;

    /// Brings the samples with which windows begin up to date; none where two ends do not tell all of a window.
    fn begin_windows(
        &self,
        selection: &SteadySelection,
        span: WindowSpan,
        starts: &mut WindowStarts,
    ) -> Option<()>;

    /// How many instants from `from_ms` to the one before the present sampled a selection.
    fn sampled_since(&self, selection: &SteadySelection, from_ms: i64) -> usize;
}
