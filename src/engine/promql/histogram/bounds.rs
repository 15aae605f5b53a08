//! Where buckets begin and end.

use super::{Bucket, FloatHistogram};

/// One bucket with its bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    /// The lower bound, minus infinity for the first custom bucket.
    pub(crate) lower: f64,
    /// The upper bound, infinity for the last custom bucket.
    pub(crate) upper: f64,
    /// Whether the lower bound belongs to the bucket.
    pub(crate) lower_inclusive: bool,
    /// Whether the upper bound belongs to the bucket.
    pub(crate) upper_inclusive: bool,
    /// How many observations it holds.
    pub(crate) count: f64,
}

/// The upper bound of the bucket `index` of an exponential schema.
pub(super) fn exponential(index: i32, schema: i32) -> f64 {
    let index = f64::from(index);
    let power = if schema <= 0 {
        index * f64::from(1_u32 << schema.unsigned_abs().min(16))
    } else {
        index / f64::from(1_u32 << schema.unsigned_abs().min(16))
    };
    // The bucket that holds the largest finite value ends there, and the next one at infinity.
    if power == 1024.0 { f64::MAX } else { power.exp2() }
}

impl FloatHistogram {
    /// The upper bound of the positive bucket `index`.
    pub(super) fn upper_bound(&self, index: i32) -> f64 {
        if self.has_custom_buckets() {
            usize::try_from(index)
                .ok()
                .and_then(|at| self.custom_values.get(at))
                .copied()
                .unwrap_or(f64::INFINITY)
        } else {
            exponential(index, self.schema)
        }
    }

    /// A bucket of [`Self::positive`] with its bounds.
    pub(super) fn positive_bounds(&self, bucket: Bucket) -> Bounds {
        let below = bucket.index.saturating_sub(1);
        let lower = if self.has_custom_buckets() && bucket.index <= 0 {
            f64::NEG_INFINITY
        } else {
            self.upper_bound(below)
        };
        Bounds {
            lower,
            upper: self.upper_bound(bucket.index),
            lower_inclusive: self.has_custom_buckets() && bucket.index <= 0,
            upper_inclusive: true,
            count: bucket.count,
        }
    }

    /// A bucket of [`Self::negative`] with its bounds.
    pub(super) fn negative_bounds(&self, bucket: Bucket) -> Bounds {
        Bounds {
            lower: -exponential(bucket.index, self.schema),
            upper: -exponential(bucket.index.saturating_sub(1), self.schema),
            lower_inclusive: true,
            upper_inclusive: false,
            count: bucket.count,
        }
    }

    /// The zero bucket with its bounds.
    pub(super) fn zero_bounds(&self) -> Bounds {
        Bounds {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
        }
    }

    /// Every bucket in rising order of values; the zero bucket only where it is not empty.
    pub(crate) fn buckets(&self) -> Vec<Bounds> {
        let mut buckets: Vec<Bounds> = Vec::with_capacity(self.positive.len() + self.negative.len() + 1);
        buckets.extend(self.negative.iter().rev().map(|bucket| {
            let mut bounds = self.negative_bounds(*bucket);
            // A bucket that reaches into the zero bucket ends where that begins.
            if bounds.upper < 0.0 && bounds.upper > -self.zero_threshold {
                bounds.upper = -self.zero_threshold;
            }
            bounds
        }));
        if self.zero_count > 0.0 {
            buckets.push(self.zero_bounds());
        }
        buckets.extend(self.positive.iter().map(|bucket| {
            let mut bounds = self.positive_bounds(*bucket);
            if bounds.lower > 0.0 && bounds.lower < self.zero_threshold {
                bounds.lower = self.zero_threshold;
            }
            bounds
        }));
        buckets
    }
}
