//! Ratios as their twins, and from them.

use super::{HeldRatio, RatioSeries, Ratios, units};
use crate::engine::checkpoint::trackers::RatioTwin;
use crate::engine::series::SeriesId;
use crate::engine::trackers::oldest::Ticket;
use crate::engine::trackers::table::TablePlace;

impl HeldRatio {
    /// As it is written.
    pub(in crate::engine::trackers) const fn twin(&self) -> RatioTwin {
        RatioTwin {
            min: self.series.min.twin(),
            avg: self.series.avg.twin(),
            ratio: self.ratio,
            ticket: self.ticket.twin(),
        }
    }

    /// As it was written.
    pub(in crate::engine::trackers) const fn of_twin(twin: &RatioTwin) -> Self {
        Self {
            series: RatioSeries { min: SeriesId::of_twin(twin.min), avg: SeriesId::of_twin(twin.avg) },
            ratio: twin.ratio,
            ticket: Ticket::of_twin(twin.ticket),
        }
    }
}

impl Ratios {
    /// Takes in a ratio that was held when it was saved; its series show it already.
    pub(in crate::engine::trackers) fn restore(&mut self, held: HeldRatio, place: TablePlace) {
        let sum = self.sums.entry(held.series.min).or_default();
        sum.entries += 1;
        sum.units += units(held.ratio);
        sum.least.enter(held.key(), held.ticket, place);
    }
}
