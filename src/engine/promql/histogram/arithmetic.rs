//! Sums, differences and multiples of histograms, compensated for rounding.
//!
//! Two exponential histograms are brought to the coarser schema and the wider zero bucket of both; two histograms with
//! custom buckets to the bounds they share. An exponential histogram and one with custom buckets have no sum.

use std::sync::Arc;

use super::super::eval::Kahan;
use super::{Bucket, CUSTOM_SCHEMA, FloatHistogram, ResetHint};

/// Why two histograms have no sum: one has exponential, the other custom buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("histograms with exponential and custom buckets do not add up")]
pub(in crate::engine::promql) struct Incompatible;

/// Whether a histogram is added or taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::promql) enum Operation {
    Add,
    Subtract,
}

/// What happened while two histograms were brought together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine::promql) struct Reconciled {
    /// One was a reset, the other was not.
    pub(in crate::engine::promql) resets_collide: bool,
    /// Their custom buckets had different bounds.
    pub(in crate::engine::promql) bounds_differ: bool,
}

/// A bucket of a running sum.
type Cell = (i32, Kahan);

/// A running sum of histograms that keeps what each addition would round away.
#[derive(Clone, Debug)]
pub(in crate::engine::promql) struct HistogramSum {
    schema: i32,
    count: Kahan,
    sum: Kahan,
    zero_threshold: f64,
    zero_count: Kahan,
    positive: Vec<Cell>,
    negative: Vec<Cell>,
    custom_values: Arc<[f64]>,
    reset_hint: ResetHint,
}

impl HistogramSum {
    /// A sum of one histogram.
    pub(in crate::engine::promql) fn new(first: &FloatHistogram) -> Self {
        Self {
            schema: first.schema,
            count: Kahan::new(first.count),
            sum: Kahan::new(first.sum),
            zero_threshold: first.zero_threshold,
            zero_count: Kahan::new(first.zero_count),
            positive: cells(&first.positive),
            negative: cells(&first.negative),
            custom_values: Arc::clone(&first.custom_values),
            reset_hint: first.reset_hint,
        }
    }

    /// Adds or takes away `other`.
    pub(in crate::engine::promql) fn apply(
        &mut self,
        operation: Operation,
        other: &FloatHistogram,
    ) -> Result<Reconciled, Incompatible> {
        let custom = self.schema == CUSTOM_SCHEMA;
        if custom != other.has_custom_buckets() {
            return Err(Incompatible);
        }
        let mut reconciled = Reconciled { resets_collide: self.join_hints(other), bounds_differ: false };
        let mut other = Self::new(other);
        if operation == Operation::Subtract {
            other.scale(-1.0);
        }
        if custom {
            reconciled.bounds_differ = self.share_bounds(&mut other);
        } else {
            self.share_zero_bucket(&mut other);
            let schema = self.schema.min(other.schema);
            self.reduce_to(schema);
            other.reduce_to(schema);
            self.zero_count.merge(other.zero_count);
        }
        self.count.merge(other.count);
        self.sum.merge(other.sum);
        self.positive = merged(&self.positive, &other.positive);
        self.negative = merged(&self.negative, &other.negative);
        Ok(reconciled)
    }

    /// Multiplies everything by `factor`.
    pub(in crate::engine::promql) fn scale(&mut self, factor: f64) {
        self.each(|value| value.scale(factor));
    }

    /// Divides everything by `divisor`.
    pub(in crate::engine::promql) fn divide(&mut self, divisor: f64) {
        self.each(|value| value.divide(divisor));
    }

    fn each(&mut self, change: impl Fn(&mut Kahan)) {
        for value in [&mut self.count, &mut self.sum, &mut self.zero_count] {
            change(value);
        }
        for (_, value) in self.positive.iter_mut().chain(&mut self.negative) {
            change(value);
        }
    }

    /// Whether any part of the sum has left the range of floats.
    pub(in crate::engine::promql) fn overflows(&self) -> bool {
        let buckets = self.positive.iter().chain(&self.negative).map(|(_, value)| value);
        [&self.count, &self.sum, &self.zero_count].into_iter().chain(buckets).any(|value| value.is_infinite())
    }

    /// The sum, with empty buckets as they came about.
    pub(in crate::engine::promql) fn finish(self) -> FloatHistogram {
        FloatHistogram {
            schema: self.schema,
            count: self.count.total(),
            sum: self.sum.total(),
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count.total(),
            positive: totals(&self.positive),
            negative: totals(&self.negative),
            custom_values: self.custom_values,
            reset_hint: self.reset_hint,
        }
    }

    /// Takes the hint both agree on; says whether they contradict each other.
    fn join_hints(&mut self, other: &FloatHistogram) -> bool {
        let (mine, theirs) = (self.reset_hint, other.reset_hint);
        if mine == theirs || mine == ResetHint::Gauge {
            return false;
        }
        if theirs == ResetHint::Gauge {
            self.reset_hint = ResetHint::Gauge;
            return false;
        }
        self.reset_hint = ResetHint::Unknown;
        mine != ResetHint::Unknown && theirs != ResetHint::Unknown
    }

    /// Maps both to the bounds they share; says whether their bounds differed.
    fn share_bounds(&mut self, other: &mut Self) -> bool {
        if self.custom_values == other.custom_values {
            return false;
        }
        let shared = shared_bounds(&self.custom_values, &other.custom_values);
        for histogram in [self, other] {
            histogram.positive =
                mapped(&histogram.positive, |index| target_bucket(&histogram.custom_values, &shared, index));
            histogram.positive.retain(|(_, value)| !value.is_zero());
            histogram.custom_values = Arc::clone(&shared);
        }
        true
    }

    /// Widens both zero buckets until they are the same and end at a bucket boundary of both.
    fn share_zero_bucket(&mut self, other: &mut Self) {
        // Each round moves a threshold to a bucket's bound beyond it, so the buckets bound the rounds.
        let rounds =
            self.positive.len() + self.negative.len() + other.positive.len() + other.negative.len() + 2;
        for _ in 0..rounds {
            if self.zero_threshold < other.zero_threshold {
                self.widen_zero_bucket(other.zero_threshold);
            } else if other.zero_threshold < self.zero_threshold {
                other.widen_zero_bucket(self.zero_threshold);
            } else {
                return;
            }
        }
    }

    /// Takes every bucket below `threshold` into the zero bucket; a populated bucket it cuts is taken in whole.
    fn widen_zero_bucket(&mut self, threshold: f64) {
        let mut threshold = threshold;
        loop {
            let cut = self.positive.iter().chain(&self.negative).find_map(|(index, value)| {
                let upper = super::bounds::exponential(*index, self.schema);
                let lower = super::bounds::exponential(index.saturating_sub(1), self.schema);
                (lower < threshold && upper > threshold && !value.is_zero()).then_some(upper)
            });
            match cut {
                Some(upper) => threshold = upper,
                None => break,
            }
        }
        let schema = self.schema;
        let mut zero_count = self.zero_count;
        for side in [&mut self.positive, &mut self.negative] {
            side.retain(|(index, value)| {
                let inside = super::bounds::exponential(index.saturating_sub(1), schema) < threshold;
                if inside {
                    zero_count.merge(*value);
                }
                !inside
            });
        }
        self.zero_count = zero_count;
        self.zero_threshold = threshold;
    }

    /// Merges buckets until the schema is `schema`; nothing happens where it is not coarser.
    fn reduce_to(&mut self, schema: i32) {
        if schema >= self.schema {
            return;
        }
        let shift = self.schema.saturating_sub(schema).unsigned_abs().min(31);
        let target = |index: i32| (index.saturating_sub(1) >> shift).saturating_add(1);
        self.positive = mapped(&self.positive, target);
        self.negative = mapped(&self.negative, target);
        self.schema = schema;
    }
}

impl FloatHistogram {
    /// The sum or difference of two histograms.
    pub(in crate::engine::promql) fn combined(
        &self,
        operation: Operation,
        other: &Self,
    ) -> Result<(Self, Reconciled), Incompatible> {
        let mut sum = HistogramSum::new(self);
        let reconciled = sum.apply(operation, other)?;
        Ok((sum.finish(), reconciled))
    }

    /// Every count and the sum multiplied; a negative factor makes a gauge.
    #[must_use]
    pub(crate) fn multiplied(&self, factor: f64) -> Self {
        self.each(factor, |value| value * factor)
    }

    /// Every count and the sum divided; dividing by zero leaves no buckets, a negative divisor makes a gauge.
    #[must_use]
    pub(crate) fn divided(&self, divisor: f64) -> Self {
        let mut divided = self.each(divisor, |value| value / divisor);
        if divisor == 0.0 {
            divided.positive.clear();
            divided.negative.clear();
        }
        divided
    }

    /// Changes every count and the sum by `factor`; a negative one makes a gauge.
    fn each(&self, factor: f64, change: impl Fn(f64) -> f64) -> Self {
        let side = |buckets: &[Bucket]| {
            buckets.iter().map(|bucket| Bucket { index: bucket.index, count: change(bucket.count) }).collect()
        };
        Self {
            schema: self.schema,
            count: change(self.count),
            sum: change(self.sum),
            zero_threshold: self.zero_threshold,
            zero_count: change(self.zero_count),
            positive: side(&self.positive),
            negative: side(&self.negative),
            custom_values: Arc::clone(&self.custom_values),
            reset_hint: if factor < 0.0 { ResetHint::Gauge } else { self.reset_hint },
        }
    }

    /// The same histogram in a coarser schema; itself where `schema` is not coarser.
    #[must_use]
    pub(in crate::engine::promql) fn reduced(&self, schema: i32) -> Self {
        let mut sum = HistogramSum::new(self);
        sum.reduce_to(schema);
        sum.finish()
    }

    /// The same histogram with a zero bucket at least `threshold` wide.
    pub(super) fn with_zero_threshold(&self, threshold: f64) -> Self {
        let mut sum = HistogramSum::new(self);
        if threshold > sum.zero_threshold {
            sum.widen_zero_bucket(threshold);
        }
        sum.finish()
    }

    /// The same histogram with its custom buckets merged to `bounds`, a subset of its own.
    pub(super) fn with_custom_values(&self, bounds: &Arc<[f64]>) -> Self {
        let mut sum = HistogramSum::new(self);
        sum.positive = mapped(&sum.positive, |index| target_bucket(&self.custom_values, bounds, index));
        sum.custom_values = Arc::clone(bounds);
        sum.finish()
    }
}

/// The bounds both have.
pub(super) fn shared_bounds(left: &[f64], right: &[f64]) -> Arc<[f64]> {
    left.iter().copied().filter(|bound| right.contains(bound)).collect()
}

/// The bucket of `target` that takes in the bucket `index` of `source`.
fn target_bucket(source: &[f64], target: &[f64], index: i32) -> i32 {
    let bound = usize::try_from(index).ok().and_then(|at| source.get(at));
    let at = bound.map_or(target.len(), |bound| target.partition_point(|candidate| candidate < bound));
    i32::try_from(at).unwrap_or(i32::MAX)
}

fn cells(buckets: &[Bucket]) -> Vec<Cell> {
    buckets.iter().map(|bucket| (bucket.index, Kahan::new(bucket.count))).collect()
}

fn totals(cells: &[Cell]) -> Vec<Bucket> {
    cells.iter().map(|(index, value)| Bucket { index: *index, count: value.total() }).collect()
}

/// Moves every bucket to another index, merging those that meet; `target` must keep the order.
fn mapped(cells: &[Cell], target: impl Fn(i32) -> i32) -> Vec<Cell> {
    let mut moved: Vec<Cell> = Vec::with_capacity(cells.len());
    for (index, value) in cells {
        let index = target(*index);
        match moved.last_mut() {
            Some((last, sum)) if *last == index => sum.merge(*value),
            _ => moved.push((index, *value)),
        }
    }
    moved
}

/// Adds two sorted lists of buckets.
fn merged(left: &[Cell], right: &[Cell]) -> Vec<Cell> {
    let mut sum = Vec::with_capacity(left.len().max(right.len()));
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    loop {
        match (left.peek(), right.peek()) {
            (Some((mine, _)), Some((theirs, _))) if mine == theirs => {
                if let (Some((index, mine)), Some((_, theirs))) = (left.next(), right.next()) {
                    let mut value = *mine;
                    value.merge(*theirs);
                    sum.push((*index, value));
                }
            }
            (Some((mine, _)), Some((theirs, _))) if mine < theirs => sum.extend(left.next()),
            (_, Some(_)) => sum.extend(right.next()),
            (Some(_), None) => sum.extend(left.next()),
            (None, None) => return sum,
        }
    }
}

/// An average of histograms that turns to updating the mean itself where the sum would leave the range of floats.
#[derive(Clone, Debug)]
pub(in crate::engine::promql) struct HistogramMean {
    /// The sum of the histograms, or their mean once `incremental`.
    value: HistogramSum,
    count: f64,
    incremental: bool,
}

impl HistogramMean {
    /// The mean of one histogram.
    pub(in crate::engine::promql) fn new(first: &FloatHistogram) -> Self {
        Self { value: HistogramSum::new(first), count: 1.0, incremental: false }
    }

    /// Takes in one more histogram.
    pub(in crate::engine::promql) fn add(
        &mut self,
        histogram: &FloatHistogram,
    ) -> Result<Reconciled, Incompatible> {
        self.count += 1.0;
        if !self.incremental {
            let mut sum = self.value.clone();
            let reconciled = sum.apply(Operation::Add, histogram)?;
            if !sum.overflows() {
                self.value = sum;
                return Ok(reconciled);
            }
            self.incremental = true;
            self.value.divide(self.count - 1.0);
        }
        self.value.scale((self.count - 1.0) / self.count);
        self.value.apply(Operation::Add, &histogram.divided(self.count))
    }

    /// The mean.
    pub(in crate::engine::promql) fn finish(mut self) -> FloatHistogram {
        if !self.incremental {
            self.value.divide(self.count);
        }
        self.value.finish()
    }
}
