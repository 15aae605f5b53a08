//! What start timestamps of counters say about resets; zero is a start that is not known.

/// Whether a counter with a known start began anew between two samples, each given as its start and its time.
pub(super) fn restarts((before_start, before): (i64, i64), (start, time): (i64, i64)) -> bool {
    if start == 0 || start >= time || start < before {
        return false;
    }
    if start > before {
        return true;
    }
    // A start at the sample before is a delta's, unless that sample's own start is unknown.
    before_start <= before && before_start != 0 && before_start != before
}

/// Whether a start lies inside the time of the sample before without being the same start.
pub(super) fn overlaps(before_start: i64, before: i64, start: i64) -> bool {
    start != 0 && start < before && start != before_start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_after_the_sample_before_is_a_reset() {
        assert!(restarts((10, 60), (70, 120)));
        assert!(!restarts((10, 60), (10, 120)));
        assert!(!restarts((10, 60), (0, 120)));
        assert!(!restarts((10, 60), (120, 120)));
    }

    #[test]
    fn deltas_restart_at_each_sample_unless_the_start_before_is_unknown() {
        assert!(restarts((1, 60), (60, 120)));
        assert!(!restarts((0, 60), (60, 120)));
        assert!(!restarts((60, 60), (60, 120)));
        assert!(!restarts((90, 60), (60, 120)));
    }
}
