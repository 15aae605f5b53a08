//! How often a fault happens in a test: as often as CI has it, or so many times as often (`scripts/faults --long`).

/// So many times, or a multiple of it.
pub(super) fn times(in_ci: u64) -> u64 {
    in_ci * factor()
}

/// How many times as often as in CI.
fn factor() -> u64 {
    let told = std::env::var("SIGNALBOX_TEST_TIMES").ok();
    told.map_or(1, |told| told.parse().unwrap())
}
