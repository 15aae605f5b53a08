//! Histograms as text, as Prometheus writes them.

use std::fmt;

use super::super::eval::number;
use super::{Bounds, Bucket, FloatHistogram, ResetHint};

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

impl FloatHistogram {
    /// The histogram in the notation of rule tests, which tells what [`fmt::Display`] leaves out: schema and hint.
    pub(crate) fn notation(&self) -> String {
        let mut fields: Vec<String> = Vec::new();
        let mut field = |name: &str, value: f64| {
            if value != 0.0 {
                fields.push(format!("{name}:{}", number(value)));
            }
        };
        field("schema", f64::from(self.schema));
        field("count", self.count);
        field("sum", self.sum);
        field("z_bucket", self.zero_count);
        field("z_bucket_w", self.zero_threshold);
        if !self.custom_values.is_empty() {
            let values: Vec<String> = self.custom_values.iter().map(|value| number(*value)).collect();
            fields.push(format!("custom_values:[{}]", values.join(" ")));
        }
        match self.reset_hint {
            ResetHint::Unknown => {}
            ResetHint::Reset => fields.push("counter_reset_hint:reset".to_owned()),
            ResetHint::NotReset => fields.push("counter_reset_hint:not_reset".to_owned()),
            ResetHint::Gauge => fields.push("counter_reset_hint:gauge".to_owned()),
        }
        for (offset, name, all) in
            [("offset", "buckets", &self.positive), ("n_offset", "n_buckets", &self.negative)]
        {
            fields.extend(run_of_buckets(offset, name, all));
        }
        format!("{{{{{}}}}}", fields.join(" "))
    }
}

/// The widest run of buckets that is written out.
const SHOWN_MAX: u32 = 1_000;

/// Buckets as an offset and the counts from there on, gaps filled with zeros.
fn run_of_buckets(offset: &str, name: &str, buckets: &[Bucket]) -> Vec<String> {
    let (Some(first), Some(last)) = (buckets.first(), buckets.last()) else { return Vec::new() };
    if last.index.abs_diff(first.index) > SHOWN_MAX {
        return vec![format!("{name}:{} between {} and {}", buckets.len(), first.index, last.index)];
    }
    let count =
        |index| buckets.iter().find(|bucket| bucket.index == index).map_or(0.0, |bucket| bucket.count);
    let counts: Vec<String> = (first.index..=last.index).map(|index| number(count(index))).collect();
    let offset = (first.index != 0).then(|| format!("{offset}:{}", first.index));
    offset.into_iter().chain([format!("{name}:[{}]", counts.join(" "))]).collect()
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
