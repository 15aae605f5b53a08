//! Gauges that trackers feed as their twins, and from them.

use super::{Counted, ShownGauge, Total};
use crate::engine::checkpoint::trackers::{CountedTwin, QuantityTwin, ShownTwin, TotalTwin};
use crate::engine::series::SeriesId;
use crate::engine::wire::payload::Quantity;

impl Counted {
    /// The sums as they are now.
    pub(in crate::engine::trackers) fn save(&self) -> CountedTwin {
        let mut series: Vec<SeriesId> = self.totals.keys().copied().collect();
        series.sort_unstable();
        let total = |series: &SeriesId| {
            let Total { entries, whole, real, reals } = *self.totals.get(series)?;
            Some(TotalTwin { series: series.twin(), entries, whole, real, reals })
        };
        CountedTwin { totals: series.iter().filter_map(total).collect() }
    }

    /// Takes over the sums that were saved; the series show them already.
    pub(in crate::engine::trackers) fn restore(&mut self, twin: CountedTwin) {
        self.totals = twin
            .totals
            .into_iter()
            .map(|TotalTwin { series, entries, whole, real, reals }| {
                (SeriesId::of_twin(series), Total { entries, whole, real, reals })
            })
            .collect();
    }
}

impl ShownGauge {
    /// What shows.
    pub(in crate::engine::trackers) fn save(&self) -> ShownTwin {
        ShownTwin { last: self.last.iter().map(|(series, value)| (series.twin(), *value)).collect() }
    }

    /// Takes over what showed when it was saved.
    pub(in crate::engine::trackers) fn restore(&mut self, twin: ShownTwin) {
        self.last = twin.last.into_iter().map(|(series, value)| (SeriesId::of_twin(series), value)).collect();
        self.last.sort_by_key(|(series, _)| *series);
    }
}

/// A quantity as it is written.
pub(in crate::engine::trackers) const fn quantity_twin(quantity: Quantity) -> QuantityTwin {
    match quantity {
        Quantity::Whole(whole) => QuantityTwin::Whole(whole),
        Quantity::Real(real) => QuantityTwin::Real(real),
    }
}

/// A quantity as it was written.
pub(in crate::engine::trackers) const fn quantity_of(twin: &QuantityTwin) -> Quantity {
    match twin {
        QuantityTwin::Whole(whole) => Quantity::Whole(*whole),
        QuantityTwin::Real(real) => Quantity::Real(*real),
    }
}
