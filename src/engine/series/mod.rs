//! The series store: every metric family, its series and their present values.
//!
//! Values live in cells: a counter or gauge series has one, a histogram one a bucket, then `+Inf`, then the sum.
//! Buckets are kept apart (not cumulative) so that one observation moves two cells.

use std::borrow::Cow;
use std::sync::Arc;

use crate::engine::time::Timestamp;
use crate::engine::wire::payload::MetricType;

/// A family in the store; valid for the store's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FamilyId(pub(crate) u32);

/// A series in the store; of a removed series it stays invalid for ever, also when its slot serves another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// The place of an applied event in the ring of recent events ([`crate::engine::recent`]); wraps.
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

/// How many series there may be (`METRICS.md`, default limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesLimits {
    /// In all.
    pub series: usize,
    /// In one metric.
    pub series_per_metric: usize,
}

/// A name that cannot be registered because a sample or family name of it is taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is taken by the {taken_type:?} {taken_by:?}")]
pub struct Conflict {
    /// The refused name.
    pub name: Arc<str>,
    /// The family that has it.
    pub taken_by: Arc<str>,
    /// That family's type.
    pub taken_type: MetricType,
}

/// A series that left the store, with what readers of the past still need of it.
#[derive(Clone, Debug)]
pub struct Removed {
    /// Its former id.
    pub id: SeriesId,
    /// Its family.
    pub family: FamilyId,
    /// Its labels, metric name not included.
    pub labels: crate::engine::labels::Labels,
    /// Its cells, which other series may use from now on.
    pub cells: std::ops::Range<u32>,
    /// When it left.
    pub at: Timestamp,
}

/// The store.
#[derive(Debug)]
pub struct Store {}

#[expect(
    clippy::todo,
    clippy::missing_errors_doc,
    unused_variables,
    missing_docs,
    clippy::unused_self,
    reason = "signatures only, so far"
)]
impl Store {
    pub fn new(limits: SeriesLimits) -> Self {
        todo!()
    }
    /// Registers a family; the same name and type again is the same family (the first help, unit, buckets hold).
    pub fn register(&mut self, spec: FamilySpec) -> Result<FamilyId, Conflict> {
        todo!()
    }
    /// The family of this name (OpenMetrics family name, no `_total`).
    pub fn find(&self, name: &str) -> Option<FamilyId> {
        todo!()
    }
    pub fn family(&self, id: FamilyId) -> &FamilySpec {
        todo!()
    }
    /// Every family in the order of names.
    pub fn families(&self) -> impl Iterator<Item = FamilyId> + '_ {
        std::iter::empty()
    }
    /// The live series of a family, in any order.
    pub fn series_of(&self, family: FamilyId) -> impl Iterator<Item = SeriesId> + '_ {
        std::iter::empty()
    }
    /// Grows with every birth and removal in the family, so that readers know when to look again.
    pub fn epoch(&self, family: FamilyId) -> u64 {
        todo!()
    }
    /// The series with these labels (any order; names valid and distinct, values not empty), born now if new.
    /// Over a limit it is the family's overflow series for these label names, and that is counted.
    pub fn resolve(&mut self, family: FamilyId, labels: &[(&str, &str)], now: Timestamp) -> SeriesId {
        todo!()
    }
    pub fn is_live(&self, id: SeriesId) -> bool {
        todo!()
    }
    /// Adds to a counter (finite, not negative; a total saturates at `f64::MAX`). All three are no-ops on a dead id.
    pub fn add(&mut self, id: SeriesId, delta: f64, cause: Cause) {
        todo!()
    }
    pub fn set(&mut self, id: SeriesId, value: f64, cause: Cause) {
        todo!()
    }
    pub fn observe(&mut self, id: SeriesId, value: f64, cause: Cause) {
        todo!()
    }
    /// Takes a gauge away (its tracker dropped it).
    pub fn remove(&mut self, id: SeriesId, now: Timestamp) {
        todo!()
    }
    /// Takes away gauges without an event for their family's `stale_after`.
    pub fn expire(&mut self, now: Timestamp) {
        todo!()
    }
    pub fn family_of(&self, id: SeriesId) -> FamilyId {
        todo!()
    }
    pub fn labels(&self, id: SeriesId) -> crate::engine::labels::Labels {
        todo!()
    }
    pub fn born(&self, id: SeriesId) -> Timestamp {
        todo!()
    }
    /// The cells of a series: one; for a histogram its buckets, `+Inf`, then the sum.
    pub fn cells(&self, id: SeriesId) -> std::ops::Range<u32> {
        todo!()
    }
    pub fn cell(&self, cell: u32) -> f64 {
        todo!()
    }
    /// Series in all.
    pub fn len(&self) -> usize {
        todo!()
    }
    /// Marks the families whose touched series [`Store::touched`] reports (what rules read); all others cost nothing.
    pub fn watch(&mut self, families: &mut dyn Iterator<Item = FamilyId>) {
        todo!()
    }
    /// The watched series moved since the last call, each once, with their births and removals.
    pub fn touched(&mut self) -> Vec<SeriesId> {
        todo!()
    }
    /// The series that left since the last call.
    pub fn removed(&mut self) -> Vec<Removed> {
        todo!()
    }
    /// Up to `most` of the last events that moved any of `series`, newest first.
    pub fn evidence(&self, series: &[SeriesId], most: usize) -> Vec<Ordinal> {
        todo!()
    }
    /// One consistent instant of everything, cheap to take (pages are shared, copied when written next).
    pub fn freeze(&mut self) -> Frozen {
        todo!()
    }
}

/// What [`Store::freeze`] took; `Send`, written out off the driver by [`crate::engine::exposition`].
#[derive(Debug)]
pub struct Frozen {}
