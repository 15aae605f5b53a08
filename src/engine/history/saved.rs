//! The past as its twin, and from it.

use super::History;
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::history::HistoryTwin;
use crate::engine::config::HistoryConfig;

impl History {
    /// The past as it is now, to be written elsewhere.
    pub(in crate::engine) fn save(&self) -> HistoryTwin {
        HistoryTwin { first: self.timeline.instants.last_place(), ..HistoryTwin::default() }
    }

    /// The past that was saved.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine) fn restored(config: &HistoryConfig, twin: &HistoryTwin) -> Result<Self, Damage> {
        if twin.first < 0 {
            return Err(Damage("the past has no beginning"));
        }
        Ok(Self::new(config))
    }
}
