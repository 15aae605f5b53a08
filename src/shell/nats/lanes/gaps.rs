//! Gaps in the sequence of what a consumer delivers: messages of other types, or messages that left the stream
//! before they were read. The server goes on behind the latter without a word.
//!
//! Where every message of the stream is delivered a gap is a loss. Where the server leaves other types out, the
//! stream's first sequence tells, asked for now and then: what stands before it is gone. Only where messages leave
//! the stream within that time after they were passed over does this count other types' messages too.

use std::ops::Range;
use std::time::{Duration, Instant};

/// How long gaps wait until the stream is asked where it begins.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// How long an answer may take.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// Gaps that are kept at a time; the next ones widen the last.
const GAPS_MAX: usize = 10_000;

/// What a gap in what is delivered means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GapMeans {
    /// Messages are gone.
    Loss,
    /// Messages are gone or are left out by the server.
    LossOrOthers,
    /// Nothing: the consumer has an order of its own.
    Nothing,
}

/// The gaps not judged yet, and what was lost.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    waiting: Vec<Range<u64>>,
    asked_for: Vec<Range<u64>>,
    asked: Option<Instant>,
    lost: u64,
}

impl Gaps {
    /// Notes that the sequences of this range were not delivered.
    pub(super) fn note(&mut self, gap: Range<u64>, means: GapMeans) {
        let length = gap.end.saturating_sub(gap.start);
        match means {
            _ if length == 0 => {}
            GapMeans::Nothing => {}
            GapMeans::Loss => self.lost = self.lost.saturating_add(length),
            GapMeans::LossOrOthers => {
                let is_full = self.waiting.len() + self.asked_for.len() >= GAPS_MAX;
                match self.waiting.last_mut().filter(|_| is_full) {
                    Some(last) => last.end = gap.end,
                    None => self.waiting.push(gap),
                }
            }
        }
    }

    /// When the stream should be asked where it begins.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let pause = if self.asked_for.is_empty() { ASK_EVERY } else { ANSWER_WAIT };
        let waits = !(self.waiting.is_empty() && self.asked_for.is_empty());
        self.asked.filter(|_| waits).map(|asked| asked + pause)
    }

    /// Whether the stream should be asked where it begins; what waits now is judged by the answer.
    pub(super) fn should_ask(&mut self, now: Instant) -> bool {
        let pause = if self.asked_for.is_empty() { ASK_EVERY } else { ANSWER_WAIT };
        let due = self.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= pause);
        if !due || (self.waiting.is_empty() && self.asked_for.is_empty()) {
            return false;
        }
        self.asked = Some(now);
        self.asked_for.append(&mut self.waiting);
        true
    }

    /// Takes the answer: the first sequence the stream has.
    pub(super) fn answered(&mut self, first_sequence: u64) {
        for gap in self.asked_for.drain(..) {
            self.lost = self.lost.saturating_add(gap.end.min(first_sequence).saturating_sub(gap.start));
        }
    }

    /// Forgets what is not judged yet: the stream that it is about is no more.
    pub(super) fn forget(&mut self) {
        let lost = self.lost;
        *self = Self { lost, ..Self::default() };
    }

    /// What was found to be lost since the last call.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}

#[cfg(test)]
mod tests;
