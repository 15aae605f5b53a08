//! Time that stands still until it is moved.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Microseconds since the simulated world began.
pub(super) type Micros = u64;

/// A second.
pub(super) const SECOND: Micros = 1_000_000;

/// A millisecond.
pub(super) const MILLI: Micros = 1_000;

thread_local! {
    /// Where time stands, which the machines and the clock ask a plain function for.
    static NOW: Cell<Micros> = const { Cell::new(0) };
    /// Some instant, as there is no first one.
    static BEGIN: Instant = Instant::now();
}

/// Moves time.
pub(super) fn set(now: Micros) {
    NOW.set(now);
}

/// The present instant.
pub(super) fn now() -> Instant {
    at(NOW.get())
}

/// The instant of this microsecond.
pub(super) fn at(micros: Micros) -> Instant {
    BEGIN.with(|begin| *begin + Duration::from_micros(micros))
}

/// The microsecond of an instant, the next one where it lies between two.
pub(super) fn micros_of(instant: Instant) -> Micros {
    let since = BEGIN.with(|begin| instant.saturating_duration_since(*begin));
    u64::try_from(since.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX)
}
