//! Quantiles of native histograms.

use super::{Bounds, FloatHistogram};

/// How a histogram's NaN observations bear on a quantile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::promql) enum NanEffect {
    /// There are none, or they do not matter.
    None,
    /// The quantile is one of them.
    IsNan,
    /// They count as larger than every number, so the quantile is too high.
    TooHigh,
}

impl FloatHistogram {
    /// The quantile `q`, interpolated inside its bucket.
    pub(in crate::engine::promql) fn quantile(&self, q: f64) -> (f64, NanEffect) {
        if q < 0.0 {
            return (f64::NEG_INFINITY, NanEffect::None);
        }
        if q > 1.0 {
            return (f64::INFINITY, NanEffect::None);
        }
        if self.count == 0.0 || q.is_nan() {
            return (f64::NAN, NanEffect::None);
        }
        let forward = self.sum.is_nan() || q < 0.5;
        let mut buckets = self.buckets();
        if !forward {
            buckets.reverse();
        }
        let mut rank = if forward { q * self.count } else { (1.0 - q) * self.count };
        let mut buckets = buckets.into_iter();
        let mut bucket =
            Bounds { lower: 0.0, upper: 0.0, lower_inclusive: false, upper_inclusive: false, count: 0.0 };
        let mut seen = 0.0;
        for next in buckets.by_ref() {
            bucket = next;
            if bucket.count == 0.0 {
                continue;
            }
            seen += bucket.count;
            if seen >= rank {
                break;
            }
        }
        if let Some(edge) = self.narrow(&mut bucket) {
            return (edge, NanEffect::None);
        }
        seen = if seen > self.count { self.count } else { seen };
        if seen < rank {
            return if self.sum.is_nan() {
                (f64::NAN, NanEffect::IsNan)
            } else {
                (bucket.upper, NanEffect::None)
            };
        }
        rank = if forward { rank - (seen - bucket.count) } else { seen - rank };
        let everything = seen + buckets.map(|bucket| bucket.count).sum::<f64>();
        let effect =
            if self.sum.is_nan() && everything < self.count { NanEffect::TooHigh } else { NanEffect::None };
        (self.interpolated(&bucket, rank / bucket.count), effect)
    }

    /// Ends a bucket that nothing can be known beyond; the quantile itself where it falls into an endless bucket.
    fn narrow(&self, bucket: &mut Bounds) -> Option<f64> {
        if self.has_custom_buckets() {
            if bucket.lower == f64::NEG_INFINITY {
                if bucket.upper <= 0.0 {
                    return Some(bucket.upper);
                }
                bucket.lower = 0.0;
            } else if bucket.upper == f64::INFINITY {
                return Some(bucket.lower);
            }
        } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
            self.halve_zero_bucket(bucket);
        }
        None
    }

    /// Cuts the zero bucket at zero where all other buckets lie on one side.
    pub(super) fn halve_zero_bucket(&self, bucket: &mut Bounds) {
        if self.negative.is_empty() && !self.positive.is_empty() {
            bucket.lower = 0.0;
        } else if self.positive.is_empty() && !self.negative.is_empty() {
            bucket.upper = 0.0;
        }
    }

    /// The value at `fraction` of a bucket: linear in custom buckets and the zero bucket, else exponential.
    fn interpolated(&self, bucket: &Bounds, fraction: f64) -> f64 {
        if self.has_custom_buckets() || bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            return bucket.lower + (bucket.upper - bucket.lower) * fraction;
        }
        let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
        if bucket.lower > 0.0 {
            (lower + (upper - lower) * fraction).exp2()
        } else {
            -(upper + (lower - upper) * (1.0 - fraction)).exp2()
        }
    }
}
