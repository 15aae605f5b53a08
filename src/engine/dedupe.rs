//! The duplicate window: which `event_id`s have been applied lately.
//!
//! Ids are kept as 64-bit fingerprints in generations. A generation ends with half the window's entries or half
//! its age; it is forgotten once the younger ones hold the whole window's entries, or its youngest id is older than
//! the window's age. So an id is known until that many others followed it or that long has passed, whichever is
//! first. Two of a million ids share a fingerprint with a probability of 3 in 10⁸.

use std::collections::VecDeque;

use super::config::DedupeConfig;
use super::time::Timestamp;
use super::wire::EventId;

/// Fingerprints in a bucket: one cache line.
const BUCKET: usize = 8;

/// Buckets that a fingerprint may overflow into before a generation counts as full.
const PROBES_MAX: usize = 16;

/// Fingerprints per hundred places at which a generation's table is full enough.
const LOAD_PERCENT: usize = 75;

/// The fingerprints of one generation.
#[derive(Debug)]
struct Generation {
    buckets: Vec<[u64; BUCKET]>,
    entries: usize,
    first: Timestamp,
    last: Timestamp,
}

/// What the window says of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Not in the window.
    New,
    /// An event with this id was applied.
    Duplicate,
}

/// The window.
#[derive(Debug)]
pub struct DuplicateWindow {
    config: DedupeConfig,
    /// The youngest last.
    generations: VecDeque<Generation>,
}

impl DuplicateWindow {
    /// An empty window.
    pub fn new(config: DedupeConfig) -> Self {
        Self { config, generations: VecDeque::new() }
    }

    /// Whether an event with this id was applied lately.
    pub fn seen(&self, id: EventId) -> Seen {
        let fingerprint = fingerprint(id);
        match self.generations.iter().rev().any(|generation| generation.holds(fingerprint)) {
            true => Seen::Duplicate,
            false => Seen::New,
        }
    }

    /// Remembers the id of an applied event.
    pub fn insert(&mut self, id: EventId, now: Timestamp) {
        if self.config.entries == 0 {
            return;
        }
        let fingerprint = fingerprint(id);
        if self.generations.back().is_none_or(|generation| self.is_over(generation, now)) {
            self.begin_generation(now);
        }
        let inserted =
            self.generations.back_mut().is_some_and(|generation| generation.insert(fingerprint, now));
        if !inserted {
            self.begin_generation(now);
            if let Some(generation) = self.generations.back_mut() {
                generation.insert(fingerprint, now);
            }
        }
    }

    /// Ids held.
    pub fn len(&self) -> usize {
        self.generations.iter().map(|generation| generation.entries).sum()
    }

    /// Whether no id is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn half(&self) -> usize {
        self.config.entries.div_ceil(2)
    }

    fn is_over(&self, generation: &Generation, now: Timestamp) -> bool {
        generation.entries >= self.half() || now.since(generation.first) >= self.config.age / 2
    }

    fn begin_generation(&mut self, now: Timestamp) {
        let mut younger = 0;
        let kept = self.generations.iter().rev().take_while(|generation| {
            let needed = younger < self.config.entries && now.since(generation.last) < self.config.age;
            younger += generation.entries;
            needed
        });
        let kept = kept.count();
        let forgotten = self.generations.len() - kept;
        let recycled = self.generations.drain(..forgotten).next_back();
        self.generations.push_back(Generation::empty(self.half(), now, recycled));
    }
}

impl Generation {
    /// A generation for `entries` ids; takes over the memory of a forgotten one.
    fn empty(entries: usize, now: Timestamp, recycled: Option<Self>) -> Self {
        let places = entries.saturating_mul(100) / LOAD_PERCENT;
        let count = places.div_ceil(BUCKET).max(1);
        let buckets = match recycled {
            Some(Self { mut buckets, .. }) if buckets.len() == count => {
                buckets.fill([0; BUCKET]);
                buckets
            }
            _ => vec![[0; BUCKET]; count],
        };
        Self { buckets, entries: 0, first: now, last: now }
    }

    /// The buckets a fingerprint may lie in, in the order of their use.
    fn places(&self, fingerprint: u64) -> impl Iterator<Item = usize> + use<> {
        let count = self.buckets.len();
        let home = ((u128::from(fingerprint) * count as u128) >> 64) as usize;
        (home..home + PROBES_MAX.min(count)).map(move |bucket| bucket % count)
    }

    fn holds(&self, fingerprint: u64) -> bool {
        for bucket in self.places(fingerprint).filter_map(|place| self.buckets.get(place)) {
            if bucket.contains(&fingerprint) {
                return true;
            }
            if bucket.contains(&0) {
                return false;
            }
        }
        false
    }

    /// Whether there was room.
    fn insert(&mut self, fingerprint: u64, now: Timestamp) -> bool {
        for place in self.places(fingerprint) {
            let free =
                self.buckets.get_mut(place).and_then(|bucket| bucket.iter_mut().find(|kept| **kept == 0));
            if let Some(free) = free {
                *free = fingerprint;
                self.entries += 1;
                self.last = self.last.max(now);
                return true;
            }
        }
        false
    }
}

/// 64 well-mixed bits of an id, never 0. Ids are often random already, but time-ordered and counted ones exist.
fn fingerprint(id: EventId) -> u64 {
    let (high, low) = ((id.0 >> 64) as u64, id.0 as u64);
    let first = fold(high ^ 0x9e37_79b9_7f4a_7c15, low ^ 0xd1b5_4a32_d192_ed03);
    let mixed = fold(first ^ low, 0xa076_1d64_78bd_642f) ^ high.rotate_left(23);
    fold(mixed ^ 0xe703_7ed1_a0b4_28db, 0x8ebc_6af0_9c88_c6e3 ^ first).max(1)
}

fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product as u64) ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn window(entries: usize) -> DuplicateWindow {
        DuplicateWindow::new(DedupeConfig { entries, age: Duration::from_hours(1) })
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn an_id_is_known_until_the_windows_entries_followed_it() {
        let mut window = window(1_000);
        for id in 0..20_000_u128 {
            assert_eq!(window.seen(EventId(id)), Seen::New, "{id}");
            window.insert(EventId(id), at(0));
            let oldest = id.saturating_sub(999);
            assert_eq!(window.seen(EventId(oldest)), Seen::Duplicate, "{oldest} of {id}");
        }
        assert!(window.len() <= 2_000);
    }

    #[test]
    fn a_slow_stretch_and_a_burst_together_forget_nothing_early() {
        let mut window = window(1_000);
        window.insert(EventId(1), at(0));
        window.insert(EventId(2), at(1_801));
        for id in 10..900 {
            window.insert(EventId(id), at(1_802));
        }
        assert_eq!(window.seen(EventId(1)), Seen::Duplicate);
    }

    #[test]
    fn ids_older_than_the_age_leave_with_time() {
        let mut window = window(1_000);
        window.insert(EventId(1), at(0));
        for hour in 1..6 {
            window.insert(EventId(1_000 + hour), at(i64::try_from(hour).unwrap() * 3_600));
        }
        assert_eq!(window.seen(EventId(1)), Seen::New);
    }

    #[test]
    fn a_window_of_no_entries_knows_nothing() {
        let mut window = window(0);
        window.insert(EventId(1), at(0));
        assert_eq!(window.seen(EventId(1)), Seen::New);
    }
}
