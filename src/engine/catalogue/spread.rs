//! What becomes of a metric where events are read in parts: how the values of all parts make that of the whole.

use super::row::{CatalogueRow, Source};
use crate::engine::config::Config;
use crate::engine::metric::MetricType;
use crate::engine::wire::EventType;

/// How a metric is spread over parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Spread {
    /// It is not: there are no parts, or it is about the instance itself.
    #[default]
    Whole,
    /// Each series is in one part alone.
    Apart,
    /// The sum over all parts is the whole's value.
    Summed,
    /// The sum is, but for jobs of lost workers: only the part that hears of the loss takes them out.
    NearlySummed,
    /// The greatest of all parts' values is.
    Greatest,
    /// The greatest is, but for jobs of lost workers.
    NearlyGreatest,
    /// A least or an average of entries that are in all parts.
    Ratio,
    /// The same of entries among which jobs of lost workers may be.
    NearlyRatio,
}

impl Spread {
    /// How a row is spread under a configuration.
    pub(super) fn of(row: &CatalogueRow, config: &Config) -> Self {
        let Some(event_type) = row.event().filter(|_| config.partition.count > 1) else { return Self::Whole };
        let is_tracked = matches!(row.source, Source::Tracker(_)) && row.metric_type == MetricType::Gauge;
        let movers = row.source.movers();
        let moves = |event_type: &EventType| movers.contains(event_type);
        let may_lose_workers =
            is_tracked && [EventType::JobQueued, EventType::WorkerStopped].iter().all(moves);
        match row.unit {
            Some("ratio") if may_lose_workers => Self::NearlyRatio,
            Some("ratio") if is_tracked => Self::Ratio,
            // Ages, and the worst of all.
            Some("seconds") if may_lose_workers => Self::NearlyGreatest,
            Some("seconds") if is_tracked => Self::Greatest,
            _ if may_lose_workers => Self::NearlySummed,
            _ if key_label(event_type).is_some_and(|label| row.labels.contains(&label)) => Self::Apart,
            _ => Self::Summed,
        }
    }

    /// How a metric that events bring is spread: its name is the key.
    pub(super) fn of_recorded(config: &Config) -> Self {
        if config.partition.count > 1 { Self::Apart } else { Self::Whole }
    }

    /// Whether the value in one part is not that of the whole.
    pub(crate) const fn spans(self) -> bool {
        match self {
            Self::Whole | Self::Apart => false,
            Self::Summed
            | Self::NearlySummed
            | Self::Greatest
            | Self::NearlyGreatest
            | Self::Ratio
            | Self::NearlyRatio => true,
        }
    }

    /// Whether jobs of lost workers stay in the value over all parts.
    pub(crate) const fn keeps_lost_jobs(self) -> bool {
        match self {
            Self::NearlySummed | Self::NearlyGreatest | Self::NearlyRatio => true,
            Self::Whole | Self::Apart | Self::Summed | Self::Greatest | Self::Ratio => false,
        }
    }
}

/// The label that the key of a type is in the catalogue, where it is one.
fn key_label(event_type: EventType) -> Option<&'static str> {
    let labels = [
        ("warming_strategy", "strategy"),
        ("pool_id", "pool"),
        ("table_name", "table"),
        ("query_hash", "query_hash"),
    ];
    labels.into_iter().find(|(key, _)| *key == event_type.key_field()).map(|(_, label)| label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::catalogue::find;

    #[test]
    fn each_metric_is_spread_as_its_labels_and_its_source_have_it() {
        let mut config = Config::with_defaults("me");
        let of = |name: &str, config: &Config| Spread::of(find(name).unwrap(), config);
        assert_eq!(of("queue_depth", &config), Spread::Whole);
        config.partition.count = 4;
        let cases = [
            ("queue_depth", Spread::Summed),
            ("queue_jobs_running", Spread::NearlySummed),
            ("queue_workers", Spread::Summed),
            ("queue_jobs_failed_total", Spread::Summed),
            ("queue_wait_seconds", Spread::Summed),
            ("queue_oldest_job_age_seconds", Spread::Greatest),
            ("db_slow_query_seconds", Spread::Greatest),
            ("queue_oldest_progress_age_seconds", Spread::NearlyGreatest),
            ("processing_oldest_progress_age_seconds", Spread::Greatest),
            ("queue_job_progress_ratio", Spread::NearlyRatio),
            ("processing_file_progress_ratio", Spread::Ratio),
            ("db_pool_available", Spread::Apart),
            ("cache_warmers_active", Spread::Apart),
            ("db_query_duration_seconds", Spread::Summed),
            ("signalbox_events_applied_total", Spread::Whole),
        ];
        for (name, expected) in cases {
            assert_eq!(of(name, &config), expected, "{name}");
        }
    }
}
