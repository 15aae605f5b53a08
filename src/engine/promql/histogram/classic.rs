//! Quantiles and fractions of classic histograms: one cumulative count for each upper bound.

/// One bucket of a classic histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::engine::promql) struct ClassicBucket {
    pub(in crate::engine::promql) upper: f64,
    /// How many observations are at most `upper`.
    pub(in crate::engine::promql) cumulative: f64,
}

/// Where counts fell as bounds rose, which cannot be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::engine::promql) struct Monotonicity {
    /// The lowest and the highest bound whose count was raised.
    pub(in crate::engine::promql) bounds: (f64, f64),
    /// The largest raise.
    pub(in crate::engine::promql) difference: f64,
}

/// Relative differences between counts that are taken for rounding.
const TOLERANCE: f64 = 1e-12;

/// The buckets of one classic histogram, sorted by bound, each bound once.
#[derive(Clone, Debug, Default)]
pub(in crate::engine::promql) struct ClassicBuckets(Vec<ClassicBucket>);

impl ClassicBuckets {
    /// Buckets in any order; counts of the same bound add up.
    pub(in crate::engine::promql) fn new(mut buckets: Vec<ClassicBucket>) -> Self {
        buckets.sort_by(|left, right| left.upper.total_cmp(&right.upper));
        let mut unique: Vec<ClassicBucket> = Vec::with_capacity(buckets.len());
        for bucket in buckets {
            match unique.last_mut() {
                Some(last) if last.upper == bucket.upper => last.cumulative += bucket.cumulative,
                _ => unique.push(bucket),
            }
        }
        Self(unique)
    }

    /// The quantile `q`, linear inside its bucket, and what had to be mended for it.
    pub(in crate::engine::promql) fn quantile(&self, q: f64) -> (f64, Option<Monotonicity>) {
        if q.is_nan() {
            return (f64::NAN, None);
        }
        if q < 0.0 {
            return (f64::NEG_INFINITY, None);
        }
        if q > 1.0 {
            return (f64::INFINITY, None);
        }
        if self.0.last().is_none_or(|last| last.upper != f64::INFINITY) {
            return (f64::NAN, None);
        }
        let (buckets, mended) = self.monotonic();
        (interpolated(&buckets, q), mended)
    }

    /// The fraction of observations between `lower` and `upper`.
    pub(in crate::engine::promql) fn fraction(&self, lower: f64, upper: f64) -> f64 {
        let Some(last) = self.0.last().filter(|last| last.upper == f64::INFINITY) else { return f64::NAN };
        let count = last.cumulative;
        if count == 0.0 || lower.is_nan() || upper.is_nan() {
            return f64::NAN;
        }
        if lower >= upper {
            return 0.0;
        }
        (self.rank(upper, count) - self.rank(lower, count)) / count
    }

    /// How many observations are estimated to lie below `value`.
    fn rank(&self, value: f64, count: f64) -> f64 {
        let mut below = 0.0;
        let mut start =
            if self.0.first().is_some_and(|first| first.upper <= 0.0) { f64::NEG_INFINITY } else { 0.0 };
        for bucket in &self.0 {
            if start >= value {
                return at_most(below, count);
            }
            if bucket.upper > value {
                let rank = if start == f64::NEG_INFINITY {
                    bucket.cumulative
                } else {
                    below + (bucket.cumulative - below) * (value - start) / (bucket.upper - start)
                };
                return at_most(rank, count);
            }
            below = bucket.cumulative;
            start = bucket.upper;
        }
        count
    }

    /// The buckets with counts that never fall; tiny differences are levelled silently.
    fn monotonic(&self) -> (Vec<ClassicBucket>, Option<Monotonicity>) {
        let mut buckets = self.0.clone();
        let mut mended: Option<Monotonicity> = None;
        let mut previous: Option<f64> = None;
        for bucket in &mut buckets {
            let (Some(before), count) = (previous, bucket.cumulative) else {
                previous = Some(bucket.cumulative);
                continue;
            };
            if count == before {
                continue;
            }
            if almost_equal(before, count) {
                bucket.cumulative = before;
            } else if count < before {
                bucket.cumulative = before;
                let found = mended.get_or_insert(Monotonicity {
                    bounds: (bucket.upper, bucket.upper),
                    difference: before - count,
                });
                found.bounds = (found.bounds.0.min(bucket.upper), found.bounds.1.max(bucket.upper));
                found.difference = found.difference.max(before - count);
            } else {
                previous = Some(count);
            }
        }
        (buckets, mended)
    }
}

fn at_most(rank: f64, count: f64) -> f64 {
    if rank > count { count } else { rank }
}

fn interpolated(buckets: &[ClassicBucket], q: f64) -> f64 {
    let [.., before_last, last] = buckets else { return f64::NAN };
    if last.cumulative == 0.0 {
        return f64::NAN;
    }
    let rank = q * last.cumulative;
    let finite = buckets.get(..buckets.len().saturating_sub(1)).unwrap_or_default();
    // A search that NaN counts cannot mislead: the first bucket that reaches the rank.
    let at = finite.partition_point(|bucket| bucket.cumulative < rank || bucket.cumulative.is_nan());
    let Some(bucket) = finite.get(at) else { return before_last.upper };
    match at.checked_sub(1).and_then(|before| finite.get(before)) {
        None if bucket.upper <= 0.0 => bucket.upper,
        None => bucket.upper * (rank / bucket.cumulative),
        Some(before) => {
            let share = (rank - before.cumulative) / (bucket.cumulative - before.cumulative);
            before.upper + (bucket.upper - before.upper) * share
        }
    }
}

/// Whether two counts differ by no more than rounding would make them.
fn almost_equal(left: f64, right: f64) -> bool {
    let difference = (left - right).abs();
    let size = left.abs() + right.abs();
    if left == 0.0 || right == 0.0 || size < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / size.min(f64::MAX) < TOLERANCE
}
