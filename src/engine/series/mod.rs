//! The series store: every metric family, its series and their present values.
//!
//! Values live in cells: a counter or gauge series has one, a histogram one a bucket, then `+Inf`, then the sum.
//! Buckets are kept apart (not cumulative) so that one observation moves two cells.
//!
//! A series is found by its label text, rendered once at its birth, and from then on by its [`SeriesId`]: moving it
//! is a look at its slot, its cell and two rings. What a scrape needs (rows with their labels, cells, exemplars) stands
//! in pages that [`Store::freeze`] shares and that are copied when they are next written.
//!
//! A series takes a slot of 28 bytes, five to eight in the index, a row of 16 with two more for each label, four for each
//! whole number (`numbers`) and what its page has of label text for it alone (`pieces`). `benches/memory.rs` measures
//! that with the history's part, `benches/exposition.rs` what moves, freezes and scrapes cost.

mod cells;
mod chunked;
mod exemplars;
mod family;
mod frozen;
mod index;
pub(in crate::engine) mod known;
mod label_text;
mod lifetime;
mod names;
mod numbers;
mod overflow;
pub(in crate::engine) mod page;
mod pieces;
pub(in crate::engine) mod print;
pub mod recent;
mod redeclare;
mod rows;
mod saved;
mod source;
mod store;
mod touch;
mod values;

use std::borrow::Cow;
use std::sync::Arc;

use crate::engine::config::LimitsConfig;
use crate::engine::metric::MetricType;
use crate::engine::time::Timestamp;

pub(in crate::engine) use cells::PAGE_CELLS;
pub(crate) use exemplars::Exemplar;
pub(crate) use frozen::{Frozen, FrozenFamily};
pub(crate) use label_text::{
    is_legacy_label, is_legacy_metric, pairs, push_escaped, underscored_label, underscored_metric,
};
pub(in crate::engine) use numbers::Numbers;
pub(crate) use redeclare::{Labelling, Redeclared};
pub(in crate::engine) use rows::{Row, RowText, Rows};
pub(in crate::engine) use source::SeriesSource;
pub use store::Store;

/// A family in the store; valid for the store's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FamilyId(pub(crate) u32);

/// A series in the store; of a removed series it stays invalid for ever, also when its slot serves another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesId {
    /// Its place in the store.
    pub(crate) slot: u32,
    /// How many series had the place before.
    pub(crate) generation: u32,
}

/// The place of an applied event in the ring of recent events ([`crate::engine::series::recent`]); wraps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ordinal(pub u32);

/// What moved a series: when, and which event.
#[derive(Clone, Copy, Debug)]
pub struct Cause {
    /// The engine's `now`.
    pub now: Timestamp,
    /// The event, for exemplars and evidence; none for what time itself moves.
    pub event: Option<Ordinal>,
}

/// What a family is declared with.
#[derive(Clone, Debug, PartialEq)]
pub struct FamilySpec {
    /// The name without a counter's `_total` (the OpenMetrics family name).
    pub name: Arc<str>,
    /// Counter, gauge or histogram.
    pub metric_type: MetricType,
    /// The HELP text, unescaped.
    pub help: Cow<'static, str>,
    /// The OpenMetrics unit: the name's last word where it is one (`seconds`, `bytes`, `ratio`, `chars`).
    pub unit: Option<Arc<str>>,
    /// Upper bounds of a histogram's buckets, rising, finite, without `+Inf`; empty for the other types.
    pub buckets: Arc<[f64]>,
    /// Whether readers can have a series whose source is gone, and after how long without an event.
    pub stale_after: Option<std::time::Duration>,
}

impl Default for FamilySpec {
    /// A gauge without a name.
    fn default() -> Self {
        Self {
            name: Arc::from(""),
            metric_type: MetricType::Gauge,
            help: "".into(),
            unit: None,
            buckets: Arc::from([]),
            stale_after: None,
        }
    }
}

impl FamilySpec {
    /// The name under which the metric is exposed: a counter's with `_total`.
    pub(crate) fn exposed_name(&self) -> Cow<'_, str> {
        self.metric_type.exposed_name(&self.name)
    }

    /// How many cells each series of the family has: a histogram its buckets, `+Inf`, then the sum.
    pub(in crate::engine) fn cells(&self) -> u32 {
        match self.metric_type {
            MetricType::Counter | MetricType::Gauge => 1,
            MetricType::Histogram => self.buckets.len() as u32 + 2,
        }
    }
}

/// How many series there may be (`METRICS.md`, default limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesLimits {
    /// In all.
    pub series: usize,
    /// In one metric.
    pub series_per_metric: usize,
}

impl From<&LimitsConfig> for SeriesLimits {
    fn from(limits: &LimitsConfig) -> Self {
        Self { series: limits.series, series_per_metric: limits.series_per_metric }
    }
}

/// Why a name cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// A sample or family name of it is taken.
    #[error("{name:?} is taken by the {taken_type:?} {taken_by:?}")]
    Taken {
        /// The refused name.
        name: Arc<str>,
        /// The family that has it.
        taken_by: Arc<str>,
        /// That family's type.
        taken_type: MetricType,
    },
    /// It begins as the names of the sidecar's own metrics do.
    #[error("{name:?} begins with {prefix:?}, which is reserved")]
    Reserved {
        /// The refused name.
        name: Arc<str>,
        /// How reserved names begin.
        prefix: Arc<str>,
    },
    /// There are as many families as the limit of series allows.
    #[error("{name:?} would be one more than {limit} metrics")]
    Exhausted {
        /// The refused name.
        name: Arc<str>,
        /// How many families there may be.
        limit: usize,
    },
    /// It is empty.
    #[error("a metric name is empty")]
    Empty,
}

/// A series that left the store, with what readers of the past still need of it.
#[derive(Clone, Debug)]
pub(crate) struct Removed {
    /// Its former id.
    pub(crate) id: SeriesId,
    /// Its family.
    pub(crate) family: FamilyId,
    /// Its labels, metric name not included.
    pub(crate) labels: crate::engine::labels::Labels,
    /// Its cells, which other series may use from now on.
    pub(crate) cells: std::ops::Range<u32>,
    /// When it was born.
    pub(crate) born: Timestamp,
    /// When it left.
    pub(crate) at: Timestamp,
}

#[cfg(test)]
mod tests;
