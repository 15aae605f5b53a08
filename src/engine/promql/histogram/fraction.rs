//! The fraction of a native histogram's observations that lie between two values.

use super::{Bounds, FloatHistogram};

/// How many observations lie below a value, once that is known.
#[derive(Default)]
struct Rank(Option<f64>);

/// The scale on which observations are spread evenly over a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Linear,
    Exponential,
}

impl FloatHistogram {
    /// The fraction of observations between `lower` and `upper`; also whether NaN observations were left out.
    pub(in crate::engine::promql) fn fraction(&self, lower: f64, upper: f64) -> (f64, bool) {
        if self.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return (f64::NAN, false);
        }
        if lower >= upper {
            return (0.0, false);
        }
        let buckets = self.buckets();
        let (mut lower_rank, mut upper_rank) = (Rank::default(), Rank::default());
        let mut below = 0.0;
        for bucket in &buckets {
            let mut bucket = *bucket;
            let has_zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
            let scale =
                if self.has_custom_buckets() || has_zero { Scale::Linear } else { Scale::Exponential };
            if has_zero {
                self.halve_zero_bucket(&mut bucket);
            }
            lower_rank.look(lower, &bucket, below, scale);
            upper_rank.look(upper, &bucket, below, scale);
            if lower_rank.0.is_some() && upper_rank.0.is_some() {
                break;
            }
            below += bucket.count;
        }
        let seen: f64 = buckets.iter().map(|bucket| bucket.count).sum();
        let nan_left_out = self.sum.is_nan() && seen < self.count;
        let most = if self.sum.is_nan() { seen } else { self.count };
        let rank = |rank: Rank| rank.0.filter(|rank| *rank <= most || rank.is_nan()).unwrap_or(most);
        ((rank(upper_rank) - rank(lower_rank)) / self.count, nan_left_out)
    }
}

impl Rank {
    /// Settles the rank of `value` if it lies in `bucket` or below it.
    fn look(&mut self, value: f64, bucket: &Bounds, below: f64, scale: Scale) {
        if self.0.is_some() {
            return;
        }
        if bucket.lower >= value {
            self.0 = Some(below);
        } else if bucket.upper > value {
            self.0 = Some(match scale {
                // Nothing is known about where observations of an endless bucket lie.
                Scale::Linear if bucket.lower == f64::NEG_INFINITY => bucket.count,
                Scale::Linear => {
                    below + bucket.count * (value - bucket.lower) / (bucket.upper - bucket.lower)
                }
                Scale::Exponential => below + bucket.count * exponential_share(value, bucket),
            });
        }
    }
}

/// Which share of an exponential bucket lies below `value`.
pub(super) fn exponential_share(value: f64, bucket: &Bounds) -> f64 {
    let (lower, upper, at) = (bucket.lower.abs().log2(), bucket.upper.abs().log2(), value.abs().log2());
    if value > 0.0 { (at - lower) / (upper - lower) } else { 1.0 - (at - upper) / (lower - upper) }
}
