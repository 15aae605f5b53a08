//! Functions of single numbers.

use std::f64::consts::PI;

pub(super) fn degrees(value: f64) -> f64 {
    value * 180.0 / PI
}

pub(super) fn radians(value: f64) -> f64 {
    value * PI / 180.0
}

pub(super) fn sign(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

/// The larger number; infinity wins over NaN, NaN over every other number.
pub(super) fn max(left: f64, right: f64) -> f64 {
    if left == f64::INFINITY || right == f64::INFINITY {
        f64::INFINITY
    } else if left.is_nan() || right.is_nan() {
        f64::NAN
    } else {
        left.max(right)
    }
}

/// The smaller number; minus infinity wins over NaN, NaN over every other number.
pub(super) fn min(left: f64, right: f64) -> f64 {
    -max(-left, -right)
}

pub(super) fn clamp(value: f64, bounds: &[f64]) -> Option<f64> {
    let [lowest, highest] = bounds else { return None };
    (highest >= lowest || lowest.is_nan() || highest.is_nan()).then(|| max(*lowest, min(*highest, value)))
}

pub(super) fn clamp_max(value: f64, bounds: &[f64]) -> Option<f64> {
    clamp(value, &[f64::NEG_INFINITY, *bounds.first()?])
}

pub(super) fn clamp_min(value: f64, bounds: &[f64]) -> Option<f64> {
    clamp(value, &[*bounds.first()?, f64::INFINITY])
}

/// The nearest multiple of the argument, of 1 without one; halves go up.
#[expect(clippy::unnecessary_wraps, reason = "it stands in a table with functions that may yield nothing")]
pub(super) fn round(value: f64, nearest: &[f64]) -> Option<f64> {
    let inverse = 1.0 / nearest.first().copied().unwrap_or(1.0);
    Some((value * inverse + 0.5).floor() / inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_is_neither_the_larger_nor_the_smaller_number() {
        assert!(max(f64::NAN, 3.0).is_nan() && min(3.0, f64::NAN).is_nan());
        assert_eq!(clamp(1.0, &[5.0, -5.0]), None);
        assert!(clamp(1.0, &[f64::NAN, 0.0]).unwrap().is_nan());
    }

    #[test]
    fn halves_are_rounded_up() {
        assert_eq!([2.5, -2.5, 5.2].map(|value| round(value, &[]).unwrap()), [3.0, -2.0, 5.0]);
        assert_eq!(round(0.11, &[0.1]), Some(0.1));
    }
}
