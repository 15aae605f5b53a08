//! Sums of floats that keep what each addition would round away (Kahan's summation with Neumaier's improvement).

/// A running sum and its compensation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::engine::promql) struct Kahan {
    sum: f64,
    compensation: f64,
}

impl Kahan {
    /// A sum of one value.
    pub(in crate::engine::promql) const fn new(value: f64) -> Self {
        Self { sum: value, compensation: 0.0 }
    }

    /// Adds one value.
    pub(in crate::engine::promql) fn add(&mut self, value: f64) {
        let total = self.sum + value;
        if total.is_infinite() {
            self.compensation = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.compensation += (self.sum - total) + value;
        } else {
            self.compensation += (value - total) + self.sum;
        }
        self.sum = total;
    }

    /// Adds another running sum.
    pub(in crate::engine::promql) fn merge(&mut self, other: Self) {
        self.add(other.sum);
        if other.compensation != 0.0 {
            self.add(other.compensation);
        }
    }

    /// Multiplies the sum.
    pub(in crate::engine::promql) fn scale(&mut self, factor: f64) {
        self.sum *= factor;
        self.compensation *= factor;
    }

    /// Divides the sum.
    pub(in crate::engine::promql) fn divide(&mut self, divisor: f64) {
        self.sum /= divisor;
        self.compensation /= divisor;
    }

    /// The sum; an infinite one has nothing to compensate.
    pub(in crate::engine::promql) fn total(self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.compensation }
    }

    /// Whether the sum has left the range of floats.
    pub(in crate::engine::promql) fn is_infinite(self) -> bool {
        self.sum.is_infinite()
    }

    /// Whether the sum is zero.
    pub(in crate::engine::promql) fn is_zero(self) -> bool {
        self.sum == 0.0 && self.compensation == 0.0
    }
}

/// An average that turns to updating the mean itself where the sum would leave the range of floats.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine::promql) struct Mean {
    /// The sum of the values, or their mean once `incremental`.
    value: Kahan,
    count: f64,
    incremental: bool,
}

impl Mean {
    /// The mean of one value.
    pub(in crate::engine::promql) const fn new(value: f64) -> Self {
        Self { value: Kahan::new(value), count: 1.0, incremental: false }
    }

    /// Takes in one more value.
    pub(in crate::engine::promql) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.incremental {
            let mut sum = self.value;
            sum.add(value);
            if !sum.is_infinite() {
                self.value = sum;
                return;
            }
            self.incremental = true;
            self.value.divide(self.count - 1.0);
        }
        self.value.scale((self.count - 1.0) / self.count);
        self.value.add(value / self.count);
    }

    /// The mean.
    pub(in crate::engine::promql) fn finish(mut self) -> f64 {
        if !self.incremental {
            self.value.divide(self.count);
        }
        // Both parts are added even where they are infinite, as Prometheus does.
        self.value.sum + self.value.compensation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_keeps_small_values_beside_huge_ones() {
        let mut sum = Kahan::default();
        for value in [1.0, 1e100, 1.0, -1e100] {
            sum.add(value);
        }
        assert_eq!(sum.total(), 2.0);
    }

    #[test]
    fn a_mean_of_values_whose_sum_overflows_is_finite() {
        let mut mean = Mean::new(f64::MAX);
        for _ in 0..3 {
            mean.add(f64::MAX);
        }
        assert!((mean.finish() / f64::MAX - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_mean_of_opposite_infinities_is_no_number() {
        let mut mean = Mean::new(f64::INFINITY);
        mean.add(f64::NEG_INFINITY);
        assert!(mean.finish().is_nan());
    }
}
