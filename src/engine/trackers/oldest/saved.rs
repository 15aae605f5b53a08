//! Tickets as their twins, and from them.

use super::{Ticket, Tickets};

impl Ticket {
    /// As it is written.
    pub(in crate::engine::trackers) const fn twin(self) -> u64 {
        self.0
    }

    /// As it was written.
    pub(in crate::engine::trackers) const fn of_twin(twin: u64) -> Self {
        Self(twin)
    }
}

impl Tickets {
    /// The last one that was handed out.
    pub(in crate::engine::trackers) const fn save(&self) -> u64 {
        self.0
    }

    /// Tickets after the last one that was handed out.
    pub(in crate::engine::trackers) const fn restored(last: u64) -> Self {
        Self(last)
    }
}
