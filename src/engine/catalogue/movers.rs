//! Which events move a metric: of a tracker all that its state follows from.

use super::row::Source;
use crate::engine::config::TrackerName;
use crate::engine::wire::EventType;

const FILES: &[EventType] =
    &[EventType::FileUploadStarted, EventType::FileProcessingCompleted, EventType::FileProcessingFailed];
const FILE_PROGRESS: &[EventType] =
    &[EventType::ProgressUpdated, EventType::FileProcessingCompleted, EventType::FileProcessingFailed];
const CHUNKS: &[EventType] = &[
    EventType::ChunkProcessingStarted,
    EventType::ChunkProcessingCompleted,
    EventType::ChunkProcessingFailed,
];
const CACHE: &[EventType] = &[EventType::CacheEntryCreated, EventType::CacheEntryInvalidated];
const WARMERS: &[EventType] = &[EventType::CacheWarmerStarted, EventType::CacheWarmerCompleted];
const WAITING_JOBS: &[EventType] = &[
    EventType::JobQueued,
    EventType::JobStarted,
    EventType::JobCompleted,
    EventType::JobFailed,
    EventType::JobRetryScheduled,
];
const RUNNING_JOBS: &[EventType] = &[
    EventType::JobQueued,
    EventType::JobStarted,
    EventType::JobCompleted,
    EventType::JobFailed,
    EventType::JobRetryScheduled,
    EventType::WorkerStopped,
];
const JOB_PROGRESS: &[EventType] = &[
    EventType::JobQueued,
    EventType::JobStarted,
    EventType::JobProgressUpdated,
    EventType::JobCompleted,
    EventType::JobFailed,
    EventType::JobRetryScheduled,
    EventType::WorkerStopped,
];
const WORKERS: &[EventType] = &[EventType::WorkerStarted, EventType::WorkerStopped];
const ALERTS: &[EventType] = &[EventType::AlertTriggered, EventType::AlertCleared];

impl TrackerName {
    /// The events that a tracker's state follows from.
    pub(in crate::engine) fn movers(self) -> Vec<EventType> {
        match self {
            Self::Jobs => JOB_PROGRESS.to_vec(),
            Self::Workers => WORKERS.to_vec(),
            Self::Chunks => CHUNKS.to_vec(),
            Self::Files => [FILES, FILE_PROGRESS].concat(),
            Self::Cache => CACHE.to_vec(),
            Self::Warmers => WARMERS.to_vec(),
            Self::Alerts => ALERTS.to_vec(),
        }
    }
}

impl Source {
    /// The events that move what this feeds; none where the sidecar itself does.
    pub(crate) fn movers(self) -> Vec<EventType> {
        match self {
            Self::Event(event_type) => vec![event_type],
            Self::Tracker(event_type) => tracked(event_type).map_or_else(|| vec![event_type], <[_]>::to_vec),
            Self::Sidecar | Self::Process => Vec::new(),
        }
    }
}

/// The events that a tracked metric led by this one follows from, where there are others.
fn tracked(lead: EventType) -> Option<&'static [EventType]> {
    let trackers = [
        (EventType::FileUploadStarted, FILES),
        (EventType::ProgressUpdated, FILE_PROGRESS),
        (EventType::ChunkProcessingStarted, CHUNKS),
        (EventType::CacheEntryCreated, CACHE),
        (EventType::CacheWarmerStarted, WARMERS),
        (EventType::JobQueued, WAITING_JOBS),
        (EventType::JobStarted, RUNNING_JOBS),
        (EventType::JobProgressUpdated, JOB_PROGRESS),
        (EventType::WorkerStarted, WORKERS),
        (EventType::AlertCleared, ALERTS),
    ];
    trackers.into_iter().find(|(led_by, _)| *led_by == lead).map(|(_, movers)| movers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::catalogue::CATALOGUE;

    #[test]
    fn whatever_events_feed_is_moved_by_its_event_and_by_others_of_its_context_alone() {
        for row in CATALOGUE {
            let movers = row.source.movers();
            assert_eq!(movers.is_empty(), row.event().is_none(), "{}", row.name);
            if let Some(lead) = row.event() {
                assert!(movers.contains(&lead), "{}", row.name);
                assert!(movers.iter().all(|it| it.context() == lead.context()), "{}", row.name);
            }
        }
    }

    #[test]
    fn whatever_moves_one_entry_of_a_tracker_has_one_key() {
        for row in CATALOGUE {
            let movers = row.source.movers();
            let is_of_jobs = movers.contains(&EventType::JobQueued);
            // A worker that is lost takes its jobs along, and they are anywhere.
            let keyed = movers.into_iter().filter(|it| !(is_of_jobs && *it == EventType::WorkerStopped));
            let mut keys: Vec<&str> = keyed.map(EventType::key_field).collect();
            keys.dedup();
            assert!(keys.len() <= 1, "{}: {keys:?}", row.name);
        }
    }
}
