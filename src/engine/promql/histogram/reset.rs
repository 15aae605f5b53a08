//! Whether a histogram's counters started anew since the histogram before it.

use super::{Bucket, FloatHistogram, ResetHint};

impl FloatHistogram {
    /// Whether the counters started anew between `previous` and this; a hint is believed before the counts are.
    pub(crate) fn is_reset_after(&self, previous: &Self) -> bool {
        match self.reset_hint {
            ResetHint::Reset => true,
            ResetHint::NotReset => false,
            ResetHint::Unknown | ResetHint::Gauge => self.falls_below(previous),
        }
    }

    /// The hint Prometheus' storage reads this sample back with when it comes after `previous`.
    ///
    /// A histogram that starts anew begins a chunk, and the first of a chunk is read back without a hint.
    pub fn stored_hint(&self, previous: Option<&Self>) -> ResetHint {
        match (self.reset_hint, previous) {
            (ResetHint::Gauge, _) => ResetHint::Gauge,
            (ResetHint::Reset, _) | (_, None) => ResetHint::Unknown,
            (ResetHint::Unknown | ResetHint::NotReset, Some(previous)) => {
                let layouts_differ = self.schema != previous.schema
                    || self.zero_threshold != previous.zero_threshold
                    || self.custom_values != previous.custom_values;
                let continues = previous.reset_hint != ResetHint::Gauge
                    && !previous.is_stale()
                    && !layouts_differ
                    && !self.falls_below(previous);
                if continues { ResetHint::NotReset } else { ResetHint::Unknown }
            }
        }
    }

    /// The hint that comparing with `previous` gives a histogram that has none.
    pub(in crate::engine::promql) fn compared_hint(&self, previous: &Self) -> ResetHint {
        match self.reset_hint {
            ResetHint::Unknown if self.falls_below(previous) => ResetHint::Reset,
            ResetHint::Unknown => ResetHint::NotReset,
            known @ (ResetHint::Reset | ResetHint::NotReset | ResetHint::Gauge) => known,
        }
    }

    fn falls_below(&self, previous: &Self) -> bool {
        if self.count < previous.count || self.has_custom_buckets() != previous.has_custom_buckets() {
            return true;
        }
        if self.has_custom_buckets() {
            return if self.custom_values == previous.custom_values {
                any_falls(&self.positive, &previous.positive)
            } else {
                let shared = super::arithmetic::shared_bounds(&self.custom_values, &previous.custom_values);
                let (current, previous) =
                    (self.with_custom_values(&shared), previous.with_custom_values(&shared));
                any_falls(&current.positive, &previous.positive)
            };
        }
        if self.schema > previous.schema || self.zero_threshold < previous.zero_threshold {
            return true;
        }
        let previous = previous.with_zero_threshold(self.zero_threshold);
        if previous.zero_threshold != self.zero_threshold || self.zero_count < previous.zero_count {
            return true;
        }
        let previous = previous.reduced(self.schema);
        any_falls(&self.positive, &previous.positive) || any_falls(&self.negative, &previous.negative)
    }
}

/// Whether any bucket of `previous` holds more than the same bucket of `current`.
fn any_falls(current: &[Bucket], previous: &[Bucket]) -> bool {
    let mut current = current.iter().peekable();
    previous.iter().any(|before| {
        while current.next_if(|bucket| bucket.index < before.index).is_some() {}
        let now =
            current.peek().filter(|bucket| bucket.index == before.index).map_or(0.0, |bucket| bucket.count);
        now < before.count
    })
}
