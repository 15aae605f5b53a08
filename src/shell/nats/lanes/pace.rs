//! How long a lane waits before it reads again: not at all when idle, up to a few milliseconds under load.
//!
//! At 10,000 events a second waking up costs more than the events. A short pause lets the kernel gather them; a
//! lone event is read the moment it comes.

use std::time::{Duration, Instant};

/// Wake-ups in short succession before pauses begin.
const STREAK: u32 = 4;

/// Two wake-ups closer than this are in short succession.
const CLOSE: Duration = Duration::from_millis(2);

/// A pause that gathered fewer messages than this ends the pauses.
const WORTH_MESSAGES: usize = 4;

/// After a read of this many bytes much is waiting already: reading on is better than gathering.
const MUCH_BYTES: usize = 64 << 10;

/// So it is where this many messages wait at the server, which sends no more than it was asked for.
const MUCH_MESSAGES: u64 = 256;

/// What a round of reads brought.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gathered {
    /// Messages.
    pub(crate) messages: usize,
    /// Bytes.
    pub(crate) bytes: usize,
    /// Messages that wait at the server.
    pub(crate) waiting: u64,
}

/// The pace of one lane.
#[derive(Debug)]
pub(crate) struct Pace {
    pause: Duration,
    last: Instant,
    streak: u32,
    pausing: bool,
}

impl Pace {
    /// A lane that pauses for `pause` under load.
    pub(crate) fn new(pause: Duration, now: Instant) -> Self {
        Self { pause, last: now, streak: 0, pausing: false }
    }

    /// How long to wait before the next read, after one that brought this.
    pub(crate) fn after(&mut self, gathered: Gathered, now: Instant) -> Duration {
        let Gathered { messages, bytes, waiting } = gathered;
        let gap = now.saturating_duration_since(self.last);
        self.last = now;
        if messages == 0 {
            self.streak = 0;
            self.pausing = false;
            return Duration::ZERO;
        }
        if self.pausing {
            self.pausing = messages >= WORTH_MESSAGES;
        } else {
            self.streak = if gap < CLOSE { self.streak.saturating_add(1) } else { 0 };
            self.pausing = self.streak >= STREAK;
        }
        if !self.pausing {
            return Duration::ZERO;
        }
        self.streak = 0;
        if bytes >= MUCH_BYTES || waiting >= MUCH_MESSAGES { Duration::ZERO } else { self.pause }
    }
}

#[cfg(test)]
mod tests;
