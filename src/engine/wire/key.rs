//! The field that a producer puts behind the type where subjects are parted by a key.

use super::EventType;

impl EventType {
    /// The field that is the same in all events of one thing: of a file and its chunks, a job, a worker, a cache entry.
    pub(crate) const fn key_field(self) -> &'static str {
        match self {
            Self::FileUploadStarted
            | Self::ChunkProcessingStarted
            | Self::ChunkProcessingCompleted
            | Self::ChunkProcessingFailed
            | Self::FileProcessingCompleted
            | Self::FileProcessingFailed
            | Self::ProgressUpdated => "transcript_id",
            Self::CacheEntryCreated | Self::CacheEntryAccessed | Self::CacheEntryInvalidated => "cache_key",
            Self::CacheWarmerStarted | Self::CacheWarmerCompleted => "warming_strategy",
            Self::JobQueued
            | Self::JobStarted
            | Self::JobProgressUpdated
            | Self::JobCompleted
            | Self::JobFailed
            | Self::JobRetryScheduled => "job_id",
            Self::WorkerStarted | Self::WorkerStopped => "worker_id",
            Self::MetricRecorded => "metric_name",
            Self::AlertTriggered | Self::AlertCleared => "alert_rule_id",
            Self::DashboardGenerated => "dashboard_id",
            Self::ConnectionAcquired | Self::ConnectionReleased => "pool_id",
            Self::QueryExecuted => "query_hash",
            Self::IndexCreated => "table_name",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_a_field_of_its_type() {
        for event_type in EventType::ALL {
            let key = event_type.key_field();
            assert!(event_type.fields().iter().any(|field| field.name == key), "{}", event_type.name());
        }
    }
}
