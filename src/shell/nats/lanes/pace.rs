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

    /// How long to wait before the next read, after one that brought `messages` in `bytes` bytes.
    pub(crate) fn after(&mut self, messages: usize, bytes: usize, now: Instant) -> Duration {
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
        // Much is waiting already: reading on is better than gathering.
        if bytes >= 64 << 10 { Duration::ZERO } else { self.pause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_message_is_never_waited_for_and_a_stream_of_them_is_gathered() {
        let mut now = Instant::now();
        let mut pace = Pace::new(Duration::from_millis(5), now);
        for _ in 0..10 {
            now += Duration::from_millis(50);
            assert_eq!(pace.after(1, 300, now), Duration::ZERO);
        }
        let close = |now: &mut Instant| {
            *now += Duration::from_micros(100);
            *now
        };
        let pauses: Vec<Duration> = (0..4).map(|_| pace.after(1, 300, close(&mut now))).collect();
        assert_eq!(pauses.last(), Some(&Duration::from_millis(5)), "{pauses:?}");
        now += Duration::from_millis(5);
        assert_eq!(pace.after(50, 15_000, now), Duration::from_millis(5));
        now += Duration::from_millis(5);
        assert_eq!(pace.after(2_000, 128 << 10, now), Duration::ZERO);
        now += Duration::from_millis(5);
        assert_eq!(pace.after(1, 300, now), Duration::ZERO);
    }
}
