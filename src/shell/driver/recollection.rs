//! Taking over what streams show of our alerts, and what was told of a past before it is lived through again.

use std::time::Duration;

use crate::engine::arrival::{Standing, StreamNews};
use crate::engine::rules::StoredAlerts;
use crate::engine::time::Timestamp;
use crate::engine::wire::EventId;

use super::command::Dispatch;
use super::{Driver, DriverStage};

/// How far ahead of the clock an alert event of ours is believed to be decided by a clock that was set back since.
const AHEAD_MAX: Duration = Duration::from_hours(2);

/// How long what a stream stored waits until it is known what an earlier run told of it.
const RECALL_WAIT: Duration = Duration::from_secs(15);

/// Whether it is known what an earlier run told of the past that is to be lived through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Recollection {
    /// It is not, and the stream was not found yet.
    Awaited,
    /// It is not: the stream that was found waits, and with it what it stored.
    Late { found: StreamNews, until: Timestamp },
    /// As far as it will be.
    Complete,
}

impl Driver {
    /// Takes news of the stream that is read.
    pub(super) fn hear(&mut self, news: StreamNews, now: Timestamp) {
        if let StreamNews::Found { .. } = news {
            drop(self.outputs.alerts.send(Dispatch::StreamFound));
            if self.recollection == Recollection::Awaited {
                self.recollection = Recollection::Late { found: news, until: now.after(RECALL_WAIT) };
                return;
            }
        }
        self.engine.hear(&news, now);
    }

    /// Lets the past be lived through where nobody says for too long what was told of it.
    pub(super) fn wait_no_longer(&mut self, now: Timestamp) {
        if matches!(self.recollection, Recollection::Late { until, .. } if until <= now) {
            tracing::warn!(
                "nobody says what the alert stream holds: alerts that could not be logged since the last checkpoint may be \
                 told again; look whether the stream of alert events can be read"
            );
            self.go_on_to_stream();
        }
    }

    /// Has the engine know what an earlier run told, where that past was not lived through yet.
    pub(super) fn recall(&mut self, shown: &mut StoredAlerts) {
        if self.recollection != Recollection::Complete && self.engine.standing() != Standing::Present {
            let waited: Vec<EventId> = self.engine.outbox().map(|event| event.id).collect();
            self.engine.recall_stored(&std::mem::take(&mut shown.told));
            self.withdraw(waited, shown);
            // What is handed to the publisher before it begins anew is forgotten then.
            (self.in_flight, self.logged) = (0, 0);
        }
        self.go_on_to_stream();
    }

    /// What was found of a stream, where it waits.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) const fn late_stream(&self) -> Option<&StreamNews> {
        match &self.recollection {
            Recollection::Late { found, .. } => Some(found),
            Recollection::Awaited | Recollection::Complete => None,
        }
    }

    /// The past may be lived through.
    pub(super) fn go_on_to_stream(&mut self) {
        if let Recollection::Late { found, .. } =
            std::mem::replace(&mut self.recollection, Recollection::Complete)
        {
            self.engine.hear(&found, self.clock.now());
        }
    }

    /// Takes over what a stream shows of our alerts, once nothing of the past is left to be decided.
    pub(super) fn adopt(&mut self, stage: DriverStage) {
        if self.engine.standing() != Standing::Present && stage == DriverStage::Running {
            return;
        }
        if let Some(shown) = self.shown.take() {
            // Also what this very turn decided: where the log told that an end is stored and not that it was decided, the
            // next start would take the alert for firing.
            self.log_rest();
            self.clock_past(shown.decided_at);
            let waited: Vec<EventId> = self.engine.outbox().map(|event| event.id).collect();
            self.engine.adopt(&shown, self.clock.now());
            self.withdraw(waited, &shown);
            // The publisher has sent nothing yet, and what it has may be out of date.
            (self.in_flight, self.logged) = (0, 0);
            drop(self.outputs.alerts.send(Dispatch::BeginAnew));
        }
    }

    /// Has the clock go on from behind what a stream shows decided, where it was set back and the state that knew of it is
    /// gone: an instant that comes a second time would give what is decided at it the id of the first.
    fn clock_past(&self, decided_at: Timestamp) {
        let now = self.clock.now();
        if decided_at >= now && decided_at.since(now) <= AHEAD_MAX {
            tracing::warn!(
                ahead = ?decided_at.since(now),
                "the clock is behind alert events of this instance: time goes on from the last of them; set the clock"
            );
            self.clock.put_forward(decided_at.after(Duration::from_micros(1)));
        }
    }
}

#[cfg(test)]
mod tests;
