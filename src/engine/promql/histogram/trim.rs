//! The trims `</` and `>/`: a histogram without the observations on one side of a value, as far as buckets tell.
//!
//! The sum of what is left is estimated from the middles of what is left of each bucket, and only where something went.

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

/// Where a bucket's values lie and how they are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spread {
    /// Evenly.
    Linear,
    /// Evenly on a logarithmic scale, above zero.
    Positive,
    /// Evenly on a logarithmic scale, below zero.
    Negative,
}

/// What is left of a bucket.
#[derive(Clone, Copy, Debug)]
struct Rest {
    count: f64,
    /// The value that stands for what is left.
    middle: f64,
}

impl Rest {
    const NOTHING: Self = Self { count: 0.0, middle: 0.0 };
}

impl FloatHistogram {
    /// The histogram without the observations beyond `value`; buckets it cuts are interpolated.
    #[must_use]
    pub(in crate::engine::promql) fn trimmed(&self, trim: Trim, value: f64) -> Self {
        let mut trimmed = self.clone();
        let (mut count, mut sum, mut changed) = (0.0, 0.0, false);
        let mut apply = |before: &mut f64, rest: Rest| {
            changed |= *before != rest.count;
            *before = rest.count;
            count += rest.count;
            sum += rest.middle * rest.count;
        };
        let above = if self.has_custom_buckets() { Spread::Linear } else { Spread::Positive };
        for bucket in &mut trimmed.positive {
            let bounds = self.positive_bounds(*bucket);
            apply(&mut bucket.count, rest(&bounds, value, trim, above));
        }
        for bucket in &mut trimmed.negative {
            let bounds = self.negative_bounds(*bucket);
            apply(&mut bucket.count, rest(&bounds, value, trim, Spread::Negative));
        }
        if self.zero_count > 0.0 {
            apply(&mut trimmed.zero_count, self.rest_of_zero_bucket(value, trim));
        }
        if !changed {
            return trimmed;
        }
        trimmed.count = count;
        trimmed.sum = sum;
        trimmed.compacted()
    }

    /// What is left of the zero bucket, which ends at zero on a side without other observations.
    fn rest_of_zero_bucket(&self, value: f64, trim: Trim) -> Rest {
        let populated = |buckets: &[Bucket]| buckets.iter().any(|bucket| bucket.count != 0.0);
        let mut bounds = self.zero_bounds();
        match (populated(&self.negative), populated(&self.positive)) {
            (true, false) => bounds.upper = 0.0,
            (false, true) => bounds.lower = 0.0,
            (true, true) | (false, false) => {}
        }
        rest(&bounds, value, trim, Spread::Linear)
    }
}

fn rest(bounds: &Bounds, value: f64, trim: Trim, spread: Spread) -> Rest {
    let (whole, cut) = match trim {
        Trim::Upper => (bounds.upper <= value, bounds.lower < value),
        Trim::Lower => (bounds.lower >= value, bounds.upper > value),
    };
    if bounds.count == 0.0 || !whole && !cut {
        return Rest::NOTHING;
    }
    if whole {
        return Rest { count: bounds.count, middle: middle(bounds.lower, bounds.upper, spread) };
    }
    if bounds.lower == f64::NEG_INFINITY || bounds.upper == f64::INFINITY {
        return rest_of_endless(bounds, value, trim);
    }
    let below = share_below(bounds, value, spread);
    match trim {
        Trim::Upper => Rest { count: below, middle: middle(bounds.lower, value, spread) },
        Trim::Lower => Rest { count: bounds.count - below, middle: middle(value, bounds.upper, spread) },
    }
}

/// What is left of a bucket without an end that `value` cuts; nothing is known about how its values are spread.
fn rest_of_endless(bounds: &Bounds, value: f64, trim: Trim) -> Rest {
    // With a positive upper bound the bucket is taken to begin at zero.
    let starts_at_zero =
        bounds.lower == f64::NEG_INFINITY && bounds.upper > 0.0 && bounds.upper != f64::INFINITY;
    match trim {
        Trim::Upper if starts_at_zero && value > 0.0 => {
            Rest { count: bounds.count * value / bounds.upper, middle: value / 2.0 }
        }
        Trim::Lower if starts_at_zero && value >= 0.0 => {
            let middle = f64::midpoint(value, bounds.upper);
            Rest { count: bounds.count * (1.0 - value / bounds.upper), middle }
        }
        Trim::Upper if bounds.lower == f64::NEG_INFINITY && bounds.upper <= 0.0 => {
            Rest { count: bounds.count, middle: value }
        }
        Trim::Lower if bounds.lower != f64::NEG_INFINITY => Rest { count: bounds.count, middle: value },
        Trim::Upper | Trim::Lower => Rest::NOTHING,
    }
}

/// How many observations of a bucket are at most `value`, which lies inside it.
fn share_below(bounds: &Bounds, value: f64, spread: Spread) -> f64 {
    bounds.count
        * match spread {
            Spread::Linear => (value - bounds.lower) / (bounds.upper - bounds.lower),
            Spread::Positive | Spread::Negative => exponential_share(value, bounds),
        }
}

/// The value that stands for everything between two others.
fn middle(lower: f64, upper: f64, spread: Spread) -> f64 {
    if lower.is_infinite() {
        return match upper {
            upper if upper.is_infinite() => 0.0,
            upper if upper > 0.0 => upper / 2.0,
            upper => upper,
        };
    }
    if upper.is_infinite() {
        return lower;
    }
    match spread {
        Spread::Linear => f64::midpoint(lower, upper),
        Spread::Positive => (lower * upper).abs().sqrt(),
        Spread::Negative => -(lower * upper).abs().sqrt(),
    }
}
