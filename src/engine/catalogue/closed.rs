//! Labels whose values are known for good, so that a slip in one can be found.

use super::row::CatalogueRow;
use crate::engine::wire::vocabulary::{CACHE_LEVELS, SEVERITIES};

const TRUTHS: &[&str] = &["true", "false"];

/// The values a label of a metric may have; none where any may come.
pub(super) fn values(row: &CatalogueRow, label: &str) -> Option<&'static [&'static str]> {
    match (row.name, label) {
        (_, "cached" | "indexed" | "will_retry") => Some(TRUTHS),
        (_, "level") => Some(CACHE_LEVELS),
        ("cache_accesses_total" | "cache_access_duration_seconds", "result") => Some(&["hit", "miss"]),
        ("processing_file_chunks_total", "outcome") => Some(&["successful", "failed", "cached"]),
        ("cache_warmer_entries_total", "outcome") => Some(&["loaded", "failed"]),
        ("alerts_triggered_total" | "alerts_active", "severity") => Some(SEVERITIES),
        ("processing_file_progress_ratio" | "queue_job_progress_ratio", "stat" | "quantile") => {
            Some(&["min", "avg"])
        }
        ("signalbox_alerts", "alertstate") => Some(&["pending", "firing"]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::catalogue::rows::CATALOGUE;

    #[test]
    fn what_is_there_from_the_start_has_only_known_values() {
        for row in CATALOGUE {
            for declared in row.declared {
                for (label, value) in row.labels.iter().zip(*declared) {
                    let values = values(row, label);
                    assert!(
                        values.is_none_or(|values| values.contains(value)),
                        "{} {label} {value}",
                        row.name
                    );
                }
            }
        }
    }
}
