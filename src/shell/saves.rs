//! Checkpoints, between those who wait for one and who writes them.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Up to which batch of a consumer with acknowledgements what was applied is settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// The last checkpoint on disk holds it.
    pub(crate) saved: u64,
    /// The one before that holds it too: whichever of them is damaged, it is known.
    pub(crate) kept: u64,
    /// A checkpoint that holds it could not be written, and none was since; 0 otherwise.
    pub(crate) unsaved: u64,
}

#[derive(Debug, Default)]
struct Inside {
    wished: bool,
    settled: Settled,
}

/// Wishes for checkpoints, and what came of them.
#[derive(Debug, Default)]
pub(crate) struct Saves {
    inside: Mutex<Inside>,
    wished: Condvar,
}

impl Saves {
    /// Wishes for a checkpoint before its time.
    pub(crate) fn wish(&self) {
        self.locked().wished = true;
        self.wished.notify_all();
    }

    /// Waits for `span`, or until somebody wishes for a checkpoint.
    pub(crate) fn wait(&self, span: Duration) {
        let until = Instant::now() + span;
        let mut inside = self.locked();
        while !std::mem::take(&mut inside.wished) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            inside = self.wished.wait_timeout(inside, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Notes that a checkpoint with this batch is on disk.
    pub(crate) fn saved(&self, batch: u64) {
        let settled = &mut self.locked().settled;
        *settled = Settled { saved: batch, kept: settled.saved, unsaved: 0 };
    }

    /// Notes that a checkpoint with this batch could not be written.
    pub(crate) fn unsaved(&self, batch: u64) {
        self.locked().settled.unsaved = batch;
    }

    /// What came of the checkpoints so far.
    pub(crate) fn settled(&self) -> Settled {
        self.locked().settled
    }

    fn locked(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_checkpoints_hold_is_kept() {
        let saves = Saves::default();
        saves.saved(3);
        saves.unsaved(5);
        assert_eq!(saves.settled(), Settled { saved: 3, kept: 0, unsaved: 5 });
        saves.saved(6);
        assert_eq!(saves.settled(), Settled { saved: 6, kept: 3, unsaved: 0 });
    }

    #[test]
    fn a_wish_ends_the_wait_even_where_it_came_before() {
        let saves = Saves::default();
        saves.wish();
        saves.wait(Duration::from_hours(1));
        saves.wait(Duration::ZERO);
    }
}
