//! Histograms as text, as Prometheus writes them.

use std::fmt;

use super::super::eval::number;
use super::{Bounds, FloatHistogram};

/// Writes `{count:3, sum:4, [-1,-0.5):1, (1,2]:2}`.
impl fmt::Display for FloatHistogram {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{{count:{}, sum:{}", number(self.count), number(self.sum))?;
        let negative = self.negative.iter().rev().map(|bucket| self.negative_bounds(*bucket));
        for bucket in negative.filter(|bucket| bucket.count != 0.0) {
            write!(out, ", {}", Shown(bucket))?;
        }
        if self.zero_count != 0.0 {
            write!(out, ", {}", Shown(self.zero_bounds()))?;
        }
        let positive = self.positive.iter().map(|bucket| self.positive_bounds(*bucket));
        for bucket in positive.filter(|bucket| bucket.count != 0.0) {
            write!(out, ", {}", Shown(bucket))?;
        }
        out.write_str("}")
    }
}

struct Shown(Bounds);

impl fmt::Display for Shown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bounds) = self;
        let open = if bounds.lower_inclusive { '[' } else { '(' };
        let close = if bounds.upper_inclusive { ']' } else { ')' };
        let (lower, upper, count) = (number(bounds.lower), number(bounds.upper), number(bounds.count));
        write!(out, "{open}{lower},{upper}{close}:{count}")
    }
}
