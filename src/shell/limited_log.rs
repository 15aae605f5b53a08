//! Log lines whose number input decides: a few a second of each kind, the rest counted.

use std::time::{Duration, Instant};

/// The span in which lines are counted.
const SPAN: Duration = Duration::from_secs(10);

/// Lines of a kind in a span.
const LINES_MAX: u64 = 5;

/// What was said lately.
#[derive(Debug, Default)]
pub(crate) struct LimitedLog {
    kinds: Vec<LoggedReason>,
}

#[derive(Debug)]
struct LoggedReason {
    name: &'static str,
    since: Instant,
    said: u64,
    unsaid: u64,
}

impl LimitedLog {
    /// Whether a line of this kind may be written now, and how many were not since the last one.
    pub(crate) fn may_say(&mut self, name: &'static str) -> Option<u64> {
        self.may_say_at(name, Instant::now())
    }

    fn may_say_at(&mut self, name: &'static str, now: Instant) -> Option<u64> {
        let place = self.kinds.iter().position(|kind| kind.name == name);
        let Some(kind) = place.and_then(|place| self.kinds.get_mut(place)) else {
            self.kinds.push(LoggedReason { name, since: now, said: 1, unsaid: 0 });
            return Some(0);
        };
        if now.saturating_duration_since(kind.since) >= SPAN {
            kind.since = now;
            kind.said = 0;
        }
        if kind.said < LINES_MAX {
            kind.said += 1;
            Some(std::mem::take(&mut kind.unsaid))
        } else {
            kind.unsaid += 1;
            None
        }
    }
}

#[cfg(test)]
mod tests;
