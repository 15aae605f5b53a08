//! The one signal that ends every thread, and a wait that ends with it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Whether the process is stopping.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    stopping: AtomicBool,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Stop {
    /// Stops; every wait ends.
    pub(crate) fn stop(&self) {
        let _held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.stopping.store(true, Ordering::Release);
        self.changed.notify_all();
    }

    /// Whether it was stopped.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Waits for `span` or until it is stopped.
    pub(crate) fn wait(&self, span: Duration) {
        let until = Instant::now() + span;
        let mut held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.is_stopping() {
            let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            else {
                return;
            };
            held = self.changed.wait_timeout(held, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;

    #[test]
    fn a_wait_ends_when_it_is_stopped_and_the_next_one_does_not_begin() {
        let stop = Arc::new(Stop::default());
        let waiting = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || stop.wait(Duration::from_hours(1))
        });
        assert!(!stop.is_stopping());
        stop.stop();
        waiting.join().unwrap();
        assert!(stop.is_stopping());
        stop.wait(Duration::from_hours(1));
    }

    #[test]
    fn a_wait_that_is_over_is_no_stop() {
        let stop = Stop::default();
        stop.wait(Duration::ZERO);
        stop.wait(Duration::from_millis(1));
        assert!(!stop.is_stopping());
    }
}
