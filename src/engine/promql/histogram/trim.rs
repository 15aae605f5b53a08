//! The trims `</` and `>/`: a histogram without the observations on one side of a value, as far as buckets tell.

use super::fraction::exponential_share;
use super::{Bounds, Bucket, FloatHistogram};

/// Which side of a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::promql) enum Trim {
    /// `</`: what is greater goes.
    Upper,
    /// `>/`: what is less goes.
    Lower,
}

/// What is left of a bucket.
struct Remainder {
    kept: f64,
    /// The sum of the observations that went.
    removed_sum: f64,
}

/// Which signs the observations of a histogram can have.
#[derive(Default)]
struct Signs {
    positive: bool,
    negative: bool,
}

impl FloatHistogram {
    /// The histogram without the observations beyond `value`; buckets it cuts are interpolated.
    #[must_use]
    pub(in crate::engine::promql) fn trimmed(&self, trim: Trim, value: f64) -> Self {
        let mut trimmed = self.clone();
        let (mut count, mut removed_sum) = (0.0, 0.0);
        let mut signs = Signs::default();
        let custom = self.has_custom_buckets();
        let mut apply = |bucket: &mut Bucket, bounds: Bounds, positive: bool| {
            if bucket.count == 0.0 {
                return;
            }
            signs.note(&bounds, positive, custom);
            let left = remainder(&bounds, value, trim, Side { positive, linear: custom });
            bucket.count = left.kept;
            count += left.kept;
            removed_sum += left.removed_sum;
        };
        for bucket in &mut trimmed.positive {
            let bounds = self.positive_bounds(*bucket);
            apply(bucket, bounds, true);
        }
        for bucket in &mut trimmed.negative {
            let bounds = self.negative_bounds(*bucket);
            apply(bucket, bounds, false);
        }
        if self.zero_count > 0.0 {
            let below = share_below(&self.zero_bounds(), value, Side { positive: true, linear: true });
            trimmed.zero_count = match trim {
                Trim::Upper => below,
                Trim::Lower => self.zero_count - below,
            };
            count += trimmed.zero_count;
        }
        trimmed.count = count;
        trimmed.sum = if count == 0.0 { 0.0 } else { signs.clamped(self.sum - removed_sum) };
        trimmed.compacted()
    }
}

impl Signs {
    fn note(&mut self, bounds: &Bounds, positive: bool, custom: bool) {
        if !custom {
            self.positive |= positive;
            self.negative |= !positive;
        } else if bounds.upper <= 0.0 {
            self.negative = true;
        } else {
            self.negative |= bounds.lower < 0.0;
            self.positive = true;
        }
    }

    /// A sum no observation of these signs contradicts.
    fn clamped(&self, sum: f64) -> f64 {
        if !self.negative && sum < 0.0 || !self.positive && sum > 0.0 { 0.0 } else { sum }
    }
}

/// Where a bucket lies and how it is interpolated.
#[derive(Clone, Copy)]
struct Side {
    positive: bool,
    linear: bool,
}

fn remainder(bounds: &Bounds, value: f64, trim: Trim, side: Side) -> Remainder {
    let (whole, cut) = match trim {
        Trim::Upper => (bounds.upper <= value, bounds.lower < value),
        Trim::Lower => (bounds.lower >= value, bounds.upper > value),
    };
    if whole {
        return Remainder { kept: bounds.count, removed_sum: 0.0 };
    }
    let (kept, removed_middle) = split(bounds, value, trim, side);
    if cut {
        return Remainder { kept, removed_sum: (bounds.count - kept) * removed_middle };
    }
    // The middle of a negative bucket is taken as positive here, as Prometheus does.
    let middle = if side.linear { removed_middle } else { (bounds.lower * bounds.upper).sqrt() };
    Remainder { kept: 0.0, removed_sum: bounds.count * middle }
}

/// What a cut leaves of a bucket, and the middle of what it takes.
fn split(bounds: &Bounds, value: f64, trim: Trim, side: Side) -> (f64, f64) {
    if bounds.lower == f64::NEG_INFINITY || bounds.upper == f64::INFINITY {
        return split_endless(bounds, value, trim);
    }
    let below = share_below(bounds, value, side);
    let (kept, product) = match trim {
        Trim::Upper => (below, bounds.lower.abs() * value.abs()),
        Trim::Lower => (bounds.count - below, value.abs() * bounds.upper.abs()),
    };
    let middle = if side.linear {
        f64::midpoint(bounds.lower, bounds.upper)
    } else if side.positive {
        product.sqrt()
    } else {
        -product.sqrt()
    };
    (kept, middle)
}

/// As [`split`] for a bucket without an end, of which nothing is known beyond its finite bound.
fn split_endless(bounds: &Bounds, value: f64, trim: Trim) -> (f64, f64) {
    if bounds.lower == f64::NEG_INFINITY {
        // With a positive upper bound the bucket is taken to begin at zero.
        let starts_at_zero = value >= 0.0 && bounds.upper > value && bounds.upper != f64::INFINITY;
        return match trim {
            Trim::Upper if value >= bounds.upper => (bounds.count, 0.0),
            Trim::Upper if starts_at_zero => {
                (bounds.count * value / bounds.upper, f64::midpoint(value, bounds.upper))
            }
            Trim::Lower if value <= bounds.lower => (bounds.count, 0.0),
            Trim::Lower if starts_at_zero => (bounds.count * (1.0 - value / bounds.upper), value / 2.0),
            Trim::Upper | Trim::Lower => (0.0, bounds.upper),
        };
    }
    match trim {
        Trim::Lower if value <= bounds.lower => (bounds.count, 0.0),
        Trim::Upper | Trim::Lower => (0.0, bounds.lower),
    }
}

/// How many observations of a bucket are at most `value`.
fn share_below(bounds: &Bounds, value: f64, side: Side) -> f64 {
    if value <= bounds.lower {
        0.0
    } else if value >= bounds.upper {
        bounds.count
    } else if side.linear {
        bounds.count * (value - bounds.lower) / (bounds.upper - bounds.lower)
    } else {
        bounds.count * exponential_share(value, bounds)
    }
}
