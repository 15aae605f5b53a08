//! The alert episodes that ended last, for people who come too late to see them fire.

use std::collections::VecDeque;
use std::sync::Arc;

use super::event::{AlertEvent, AlertEventKind};

/// How many are kept; the oldest go first.
const KEPT_MAX: usize = 100;

/// The last AlertCleared events, oldest first. Frozen instants share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct EndedAlerts(Arc<VecDeque<AlertEvent>>);

impl EndedAlerts {
    /// Keeps the end of an episode.
    pub(super) fn notice(&mut self, event: &AlertEvent) {
        if !matches!(event.kind, AlertEventKind::Cleared { .. }) {
            return;
        }
        let kept = Arc::make_mut(&mut self.0);
        if kept.len() >= KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(event.clone());
    }

    /// The events, oldest first.
    pub(super) fn oldest_first(&self) -> impl ExactSizeIterator<Item = &AlertEvent> {
        self.0.iter()
    }

    /// The events, the last one first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &AlertEvent> {
        self.0.iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rules::event::Reason;
    use crate::engine::wire::EventId;

    #[test]
    fn the_last_hundred_ends_are_kept_and_beginnings_are_not() {
        let mut ended = EndedAlerts::default();
        let cleared = AlertEventKind::Cleared { reason: Reason::Recovered, value: None };
        let triggered = AlertEventKind::Triggered {
            metric_name: Arc::from("m"),
            current_value: 1.0,
            threshold: 0.0,
            message: String::new(),
        };
        for id in 0..300 {
            let kind = if id % 2 == 0 { cleared.clone() } else { triggered.clone() };
            ended.notice(&AlertEvent::sample(EventId(id), kind));
        }
        let kept: Vec<u128> = ended.newest_first().map(|event| event.id.0).collect();
        assert_eq!((kept.len(), kept[0], kept[99]), (KEPT_MAX, 298, 100));
    }
}
