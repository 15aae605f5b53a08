//! The schedule of a group as its twin, and from it.

use super::Schedule;
use crate::engine::checkpoint::rules::ScheduleTwin;
use crate::engine::config::Evaluate;

impl Schedule {
    /// As it is written.
    pub(in crate::engine::rules) fn twin(&self) -> ScheduleTwin {
        ScheduleTwin {
            interval: self.interval,
            offset: self.offset,
            on_arrival: match self.evaluate {
                Evaluate::Interval => 0,
                Evaluate::Arrival => 1,
            },
            next: self.next,
            begun: u8::from(self.begun),
            arrival: self.arrival,
            moved_at: self.moved_at,
            answered: self.answered,
            pause: self.pause,
        }
    }

    /// As it was written.
    pub(in crate::engine::rules) fn of_twin(twin: &ScheduleTwin) -> Self {
        Self {
            interval: twin.interval.max(1_000),
            offset: twin.offset,
            next: twin.next,
            begun: twin.begun != 0,
            evaluate: if twin.on_arrival == 0 { Evaluate::Interval } else { Evaluate::Arrival },
            arrival: twin.arrival,
            moved_at: twin.moved_at,
            answered: twin.answered,
            pause: twin.pause,
        }
    }
}
