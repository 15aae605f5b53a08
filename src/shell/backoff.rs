//! How long to wait before trying again.

use std::time::Duration;

/// The pause after so many failures: doubled each time up to `most`, then cut by up to a half at random, so that
/// not all come back at once.
pub(crate) fn backoff(failures: u32, first: Duration, most: Duration, random: u64) -> Duration {
    let whole = first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(20))).min(most);
    let half = u64::try_from(whole.as_millis() / 2).unwrap_or(u64::MAX);
    whole.saturating_sub(Duration::from_millis(random % half.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_failures_up_to_a_limit() {
        let (first, most) = (Duration::from_millis(50), Duration::from_secs(2));
        let pauses = [0, 1, 2, 3, 10].map(|failures| backoff(failures, first, most, 0).as_millis());
        assert_eq!(pauses, [50, 50, 100, 200, 2_000]);
        assert_eq!(backoff(10, first, most, 999).as_millis(), 1_001);
    }

    #[test]
    fn a_pause_is_never_cut_by_more_than_a_half() {
        let (first, most) = (Duration::from_millis(50), Duration::from_secs(2));
        for failures in 0..70 {
            for random in [0, 1, 24, 25, 999, 1_000, u64::MAX] {
                let whole = backoff(failures, first, most, 0);
                let pause = backoff(failures, first, most, random);
                assert!(
                    pause <= whole && pause * 2 >= whole && pause <= most,
                    "{failures} {random}: {pause:?}"
                );
            }
        }
    }
}
