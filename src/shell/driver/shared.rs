//! Who works with the driver: its own thread, and who brings work where nobody does.
//!
//! A batch that its lane has applied itself is still in the nearest cache of its core, and nobody is woken for it.
//! Only one works at a time. Who finds another at work leaves what it brings in the mailbox, into which everybody looks
//! again after working.

use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

use crate::engine::Engine;

use super::batch::Batch;
use super::mailbox::{LaneItem, Mailbox, PushError, Slot};
use super::{Driver, DriverStage};

/// Turns that who brings work takes at the most: its connection waits meanwhile.
const TURNS_MAX: usize = 8;

/// The driver, for whoever has work for it.
pub(crate) struct SharedDriver {
    mailbox: Arc<Mailbox>,
    seat: Mutex<Seat>,
}

/// Where one works at a time.
struct Seat {
    /// None once it has finished.
    driver: Option<Driver>,
    stage: DriverStage,
}

impl SharedDriver {
    /// A driver that nobody works with yet.
    pub(crate) fn new(driver: Driver) -> Self {
        let mailbox = Arc::clone(&driver.mailbox);
        Self { mailbox, seat: Mutex::new(Seat { driver: Some(driver), stage: DriverStage::Running }) }
    }

    /// A mailbox with whose driver nobody works: what is handed over waits in it.
    #[cfg(test)]
    pub(crate) fn vacant(mailbox: Arc<Mailbox>) -> Self {
        Self { mailbox, seat: Mutex::new(Seat { driver: None, stage: DriverStage::Running }) }
    }

    /// Works until it is told to finish and nothing is pending; the engine comes back. None where another panicked at
    /// work.
    pub(crate) fn run(&self) -> Option<Engine> {
        loop {
            let mut seat = self.seat.lock().ok()?;
            let Seat { driver, stage } = &mut *seat;
            let working = driver.as_mut()?;
            *stage = working.turn(*stage);
            if *stage == DriverStage::Finished {
                return driver.take().map(|driver| driver.engine);
            }
            let gate = working.gate(*stage);
            self.mailbox.plan_sleep(working.patience(), gate);
            drop(seat);
            self.mailbox.sleep(gate);
        }
    }

    /// Leaves an item of a lane, waiting up to `patience` for room, and does what waits where nobody works; comes back
    /// with an applied batch to fill again, where there is one.
    ///
    /// # Errors
    /// Why the item was dropped.
    pub(crate) fn hand_over(
        &self,
        slot: Slot,
        item: LaneItem,
        patience: Duration,
    ) -> Result<Option<Batch>, PushError> {
        self.mailbox.push(slot, item, patience)?;
        self.help();
        Ok(self.mailbox.spare())
    }

    /// Does what waits, where nobody does.
    fn help(&self) {
        let mut seat = match self.seat.try_lock() {
            Ok(seat) => seat,
            // Who works looks into the mailbox again.
            Err(TryLockError::WouldBlock) => return,
            Err(TryLockError::Poisoned(_)) => return self.mailbox.close(),
        };
        let Seat { driver: Some(driver), stage } = &mut *seat else { return };
        for _ in 0..TURNS_MAX {
            // The end is for the driver's own thread.
            if *stage != DriverStage::Running || self.mailbox.is_empty(driver.gate(*stage)) {
                break;
            }
            *stage = driver.turn(*stage);
        }
        let (patience, gate) = (driver.patience(), driver.gate(*stage));
        drop(seat);
        self.mailbox.wake(patience, gate);
    }
}

#[cfg(test)]
mod tests;
