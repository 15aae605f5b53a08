//! Native histograms as values: exponential buckets (schemas -4 to 8) and custom buckets (schema -53), float counts.
//!
//! Buckets are kept sparse, by index. A bucket that is listed with a count of zero is not the same as one that is not
//! listed until [`FloatHistogram::compacted`] takes it away, as in Prometheus.

mod arithmetic;
mod bounds;
mod classic;
mod fraction;
mod quantile;
mod reset;
mod text;
mod trim;

use std::sync::Arc;

pub(in crate::engine::promql) use arithmetic::{HistogramMean, HistogramSum, Incompatible, Operation};
pub(crate) use bounds::Bounds;
pub(in crate::engine::promql) use classic::{ClassicBucket, ClassicBuckets, Monotonicity};
pub(in crate::engine::promql) use quantile::NanEffect;
pub(in crate::engine::promql) use trim::Trim;

/// The schema of histograms with custom buckets.
pub const CUSTOM_SCHEMA: i32 = -53;

/// What a histogram says about its relation to the sample before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResetHint {
    /// Nothing: comparing it with its predecessor tells.
    #[default]
    Unknown,
    /// Its counters started anew.
    Reset,
    /// Its counters went on.
    NotReset,
    /// It is a gauge, which may fall without having been reset.
    Gauge,
}

/// One bucket: its index in its schema and its count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// The index; with custom buckets the position of the upper bound.
    pub index: i32,
    /// How many observations it holds.
    pub count: f64,
}

/// A native histogram with float counts.
#[derive(Clone, Debug, Default)]
pub struct FloatHistogram {
    /// -4 to 8, each step doubling the resolution, or [`CUSTOM_SCHEMA`].
    pub schema: i32,
    /// The number of observations.
    pub count: f64,
    /// The sum of observations.
    pub sum: f64,
    /// Observations whose absolute value is at most this are in the zero bucket.
    pub zero_threshold: f64,
    /// The number of observations in the zero bucket.
    pub zero_count: f64,
    /// The buckets of positive values, sorted by index; with custom buckets all of them.
    pub positive: Vec<Bucket>,
    /// The buckets of negative values, sorted by index.
    pub negative: Vec<Bucket>,
    /// The upper bounds of custom buckets, rising, without the last one, which is infinite.
    pub custom_values: Arc<[f64]>,
    /// What it says about the sample before it.
    pub reset_hint: ResetHint,
}

impl FloatHistogram {
    /// Whether the buckets' bounds are listed rather than exponential.
    pub(crate) fn has_custom_buckets(&self) -> bool {
        self.schema == CUSTOM_SCHEMA
    }

    /// How many samples it counts for where a query's samples are limited.
    pub(crate) fn weight(&self) -> usize {
        let buckets = self.positive.len().saturating_add(self.negative.len());
        buckets.saturating_add(self.custom_values.len()).saturating_add(5)
    }

    /// The same histogram without its empty buckets.
    #[must_use]
    pub(crate) fn compacted(mut self) -> Self {
        self.positive.retain(|bucket| bucket.count != 0.0);
        self.negative.retain(|bucket| bucket.count != 0.0);
        self
    }

    /// The same histogram with another hint.
    #[must_use]
    pub fn hinted(mut self, hint: ResetHint) -> Self {
        self.reset_hint = hint;
        self
    }

    /// The average of the observations.
    pub(crate) fn average(&self) -> f64 {
        self.sum / self.count
    }

    /// The variance of the observations, each taken as its bucket's middle.
    pub(crate) fn variance(&self) -> f64 {
        let mean = self.average();
        let mut total = super::eval::Kahan::default();
        for bucket in self.buckets().into_iter().filter(|bucket| bucket.count != 0.0) {
            let middle = if self.has_custom_buckets() {
                f64::midpoint(bucket.upper, bucket.lower)
            } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
                0.0
            } else {
                let geometric = (bucket.upper * bucket.lower).sqrt();
                if bucket.upper < 0.0 { -geometric } else { geometric }
            };
            let distance = middle - mean;
            total.add(bucket.count * distance * distance);
        }
        total.total() / self.count
    }

    /// Whether both hold the same observations in the same buckets; the reset hint does not count, NaN equals NaN.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        let exponential_alike = self.has_custom_buckets()
            || (same(self.zero_threshold, other.zero_threshold) && same(self.zero_count, other.zero_count));
        self.schema == other.schema
            && same(self.count, other.count)
            && same(self.sum, other.sum)
            && exponential_alike
            && (!self.has_custom_buckets() || same_bounds(&self.custom_values, &other.custom_values))
            && same_buckets(&self.positive, &other.positive)
            && same_buckets(&self.negative, &other.negative)
    }

    /// Whether it marks its series as gone.
    pub(crate) fn is_stale(&self) -> bool {
        self.sum.to_bits() == super::storage::STALE_BITS
    }
}

/// As [`FloatHistogram::equals`], and the same hint.
impl PartialEq for FloatHistogram {
    fn eq(&self, other: &Self) -> bool {
        self.reset_hint == other.reset_hint && self.equals(other)
    }
}

fn same(left: f64, right: f64) -> bool {
    left == right || left.is_nan() && right.is_nan()
}

fn same_bounds(left: &[f64], right: &[f64]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.to_bits() == right.to_bits())
}

fn same_buckets(left: &[Bucket], right: &[Bucket]) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|(left, right)| left.index == right.index && same(left.count, right.count))
}

#[cfg(test)]
mod tests;
