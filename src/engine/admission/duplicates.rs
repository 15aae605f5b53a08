//! The duplicate window: which `event_id`s have been applied lately.
//!
//! Ids are kept as fingerprints in one table of buckets that are a cache line each, so that a look costs one miss.
//! Every fingerprint carries the tag of its generation. A generation ends with an eighth of the window's entries or of
//! its age; it is forgotten once the younger ones hold the whole window's entries, or its youngest id is older than the
//! window's age. So an id is known until that many others followed it or that long has passed, whichever is first.
//! What is forgotten is overwritten when its place is needed.
//!
//! Two ids are taken for one where their homes and 52 further bits agree: among a million ids the chance is 3 in
//! 10¹⁵ for each new one.

mod saved;

use std::collections::VecDeque;

use super::buckets::{BUCKET, Buckets};
use crate::engine::config::DedupeConfig;
use crate::engine::time::Timestamp;
use crate::engine::wire::EventId;

/// Buckets a fingerprint may stand in, from its home on: a distance takes four bits.
const PROBES_MAX: usize = 16;

/// Generations of a full window.
const GENERATIONS: usize = 8;

/// Places for four ids the window must know: the nine eighths that live at a time fill less than two thirds, so that
/// one in fifteen fingerprints finds its home full and the chance that it finds sixteen buckets full is negligible.
const PLACES_FOR_FOUR: usize = 7;

/// Windows that are kept over changes of the size; one more change in a short time forgets the oldest.
const BEFORE_MAX: usize = 4;

/// The low bits of an entry: the tag of its generation, 0 where the place is free.
const TAG_BITS: u32 = 12;
const TAG_MASK: u64 = (1 << TAG_BITS) - 1;

/// What the window says of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Not in the window.
    New,
    /// An event with this id was applied.
    Duplicate,
}

/// Ids that came in one stretch of time.
#[derive(Clone, Copy, Debug)]
struct Generation {
    tag: u64,
    entries: usize,
    first: Timestamp,
    last: Timestamp,
}

/// The window.
#[derive(Debug)]
pub(crate) struct DuplicateWindow {
    config: DedupeConfig,
    buckets: Buckets,
    /// By bucket: how far from it what belongs there may stand.
    reaches: Vec<Reach>,
    /// The tag from which on the younger half of every reach holds.
    reaches_from: u64,
    /// The youngest last; their tags follow one another.
    generations: VecDeque<Generation>,
    /// When the youngest is over.
    youngest_until: Timestamp,
    /// The tag of the oldest generation that is known.
    oldest_tag: u64,
    /// What [`DuplicateWindow::fetch`] works with.
    homes: Vec<usize>,
    /// What it read, so that reading it is not left out as useless.
    fetched: u64,
    /// The windows before its size was changed, while they know ids that this one must know.
    before: Vec<Self>,
}

/// How many of the buckets that follow a bucket may hold what belongs there: since the reaches were last turned in the
/// low four bits, before that in the high ones. Without turning a reach would only ever grow, and a look with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reach(u8);

impl Reach {
    fn get(self) -> usize {
        usize::from((self.0 & 15).max(self.0 >> 4))
    }

    fn extend(&mut self, distance: u8) {
        self.0 = self.0 & !15 | (self.0 & 15).max(distance);
    }

    /// Forgets the older half.
    fn turn(&mut self) {
        self.0 <<= 4;
    }
}

/// Where an id lies, and what stands there for it.
#[derive(Clone, Copy, Debug)]
struct Fingerprint {
    home: usize,
    bits: u64,
}

impl DuplicateWindow {
    /// An empty window.
    pub(crate) fn new(config: DedupeConfig) -> Self {
        let count = Self::buckets_for(&config);
        Self {
            config,
            buckets: Buckets::new(count),
            reaches: vec![Reach::default(); count],
            reaches_from: 1,
            generations: VecDeque::new(),
            youngest_until: Timestamp::EPOCH,
            oldest_tag: 1,
            homes: Vec::new(),
            fetched: 0,
            before: Vec::new(),
        }
    }

    fn buckets_for(config: &DedupeConfig) -> usize {
        config.entries.saturating_mul(PLACES_FOR_FOUR).div_ceil(4 * BUCKET)
    }

    /// The same window with another size or age. Ids that it knows stay known, as long as the new one asks.
    #[must_use]
    pub(crate) fn resized(mut self, config: DedupeConfig) -> Self {
        if config.entries == self.config.entries {
            self.config = config;
            self.note_youngest();
            return self;
        }
        let mut resized = Self::new(config);
        if resized.config.entries > 0 && self.config.entries > 0 {
            let mut before = std::mem::take(&mut self.before);
            before.push(self);
            let spare = before.len().saturating_sub(BEFORE_MAX);
            resized.before = before.split_off(spare);
        }
        resized
    }

    /// Lets go of the windows before a change once this one knows all it must, or their youngest ids are too old.
    fn forget_before(&mut self, now: Timestamp) {
        let age = self.config.age;
        if self.own_len() >= self.config.entries {
            self.before.clear();
        }
        self.before.retain(|before| {
            let youngest = before.generations.back().map(|generation| generation.last);
            youngest.is_some_and(|youngest| now.since(youngest) < age)
        });
    }

    fn own_len(&self) -> usize {
        self.generations.iter().map(|generation| generation.entries).sum()
    }

    /// Whether an event with this id was applied lately.
    #[inline]
    pub(crate) fn seen(&self, id: EventId) -> Seen {
        let print = self.fingerprint(id);
        // Nearly all stand at home, where they have a home at all.
        if self.holds(print.home, print) || (self.reach(print.home) > 0 && self.holds_farther(print)) {
            return Seen::Duplicate;
        }
        let is_known = self.before.iter().any(|before| before.seen(id) == Seen::Duplicate);
        if is_known { Seen::Duplicate } else { Seen::New }
    }

    /// Whether the bucket in a place holds this id.
    #[inline]
    fn holds(&self, place: usize, print: Fingerprint) -> bool {
        // What is known of an id has its bits, and a tag from the oldest one on.
        let least = print.bits << TAG_BITS | self.oldest_tag;
        let span = TAG_MASK.saturating_sub(self.oldest_tag);
        self.buckets.get(place).is_some_and(|bucket| {
            bucket.iter().fold(false, |found, entry| found | (entry.wrapping_sub(least) <= span))
        })
    }

    /// Whether a bucket behind its home holds this id.
    fn holds_farther(&self, print: Fingerprint) -> bool {
        let reach = self.reach(print.home);
        self.places(print.home, reach + 1).skip(1).any(|place| self.holds(place, print))
    }

    /// Fetches the places of ids that will be looked up soon. One look waits for memory; a batch of them, made one
    /// after the other with nothing between, waits about once.
    pub(crate) fn fetch(&mut self, ids: impl Iterator<Item = EventId>) {
        let mut homes = std::mem::take(&mut self.homes);
        homes.clear();
        homes.extend(ids.map(|id| self.fingerprint(id).home));
        let first = |home: usize| self.buckets.get(home).map_or(0, |bucket| bucket[0]);
        let mut fetched = homes.iter().fold(0, |read, home| read ^ first(*home));
        for home in homes.iter().filter(|home| self.reach(**home) > 0) {
            fetched ^= first(home + 1);
        }
        self.fetched ^= fetched;
        self.homes = homes;
    }

    /// Remembers the id of an applied event.
    pub(crate) fn insert(&mut self, id: EventId, now: Timestamp) {
        if self.config.entries == 0 {
            return;
        }
        if now >= self.youngest_until || self.generations.back().is_none_or(|youngest| self.is_full(youngest))
        {
            self.begin_generation(now);
        }
        let print = self.fingerprint(id);
        let Some(tag) = self.generations.back_mut().map(|generation| {
            generation.entries += 1;
            generation.last = generation.last.max(now);
            generation.tag
        }) else {
            return;
        };
        let entry = print.bits << TAG_BITS | tag;
        let oldest_tag = self.oldest_tag;
        let home = self.buckets.get_mut(print.home).into_iter().flatten();
        match home.into_iter().find(|entry| !is_live(**entry, oldest_tag)) {
            Some(free) => *free = entry,
            None => self.insert_farther(print.home, entry),
        }
    }

    /// Puts an entry behind its home, which is full.
    fn insert_farther(&mut self, home: usize, entry: u64) {
        let (place, index, distance) = self.free_place(home);
        if let Some(free) = self.buckets.get_mut(place).and_then(|bucket| bucket.get_mut(index)) {
            *free = entry;
        }
        if let Some(reach) = self.reaches.get_mut(home) {
            reach.extend(distance);
        }
    }

    /// Ids held.
    pub(crate) fn len(&self) -> usize {
        self.own_len() + self.before.iter().map(Self::own_len).sum::<usize>()
    }

    fn reach(&self, home: usize) -> usize {
        self.reaches.get(home).copied().map_or(0, Reach::get)
    }

    /// The nearest place that is free or forgotten, and how many buckets from home it is; the first place at home
    /// where all are taken, which a table less than two thirds full does not come to.
    fn free_place(&self, home: usize) -> (usize, usize, u8) {
        for (distance, place) in (0_u8..).zip(self.places(home, PROBES_MAX)) {
            let bucket = self.buckets.get(place).into_iter().flatten();
            if let Some(index) = bucket
                .enumerate()
                .find_map(|(index, entry)| (!is_live(*entry, self.oldest_tag)).then_some(index))
            {
                return (place, index, distance);
            }
        }
        (home, 0, 0)
    }

    fn places(&self, home: usize, most: usize) -> impl Iterator<Item = usize> + use<> {
        let count = self.buckets.len();
        (home..home + most.min(count)).map(move |place| if place < count { place } else { place - count })
    }

    const fn is_full(&self, generation: &Generation) -> bool {
        generation.entries >= self.config.entries.div_ceil(GENERATIONS)
    }

    /// Notes when the youngest generation will be over by its age; without one that is past.
    fn note_youngest(&mut self) {
        let span = self.config.age / GENERATIONS as u32;
        self.youngest_until =
            self.generations.back().map_or(Timestamp::EPOCH, |youngest| youngest.first.after(span));
    }

    fn begin_generation(&mut self, now: Timestamp) {
        self.forget_before(now);
        let mut younger = 0;
        let kept = self.generations.iter().rev().take_while(|generation| {
            let needed = younger < self.config.entries && now.since(generation.last) < self.config.age;
            younger += generation.entries;
            needed
        });
        let kept = kept.count();
        self.generations.drain(..self.generations.len() - kept);
        let mut tag = self.generations.back().map_or(self.oldest_tag, |youngest| youngest.tag) + 1;
        if tag > TAG_MASK {
            tag = self.renumber();
        }
        self.generations.push_back(Generation { tag, entries: 0, first: now, last: now });
        self.note_youngest();
        self.oldest_tag = self.generations.front().map_or(tag, |oldest| oldest.tag);
        if self.oldest_tag >= self.reaches_from {
            // Nothing is known any more of what the older halves are for.
            self.reaches.iter_mut().for_each(Reach::turn);
            self.reaches_from = tag;
        }
    }

    /// Begins the tags anew where they have run out, and frees what is forgotten; returns the next tag.
    fn renumber(&mut self) -> u64 {
        let oldest = self.generations.front().map_or(TAG_MASK + 1, |oldest| oldest.tag);
        for entry in self.buckets.all_mut().iter_mut().flatten() {
            let tag = *entry & TAG_MASK;
            *entry = if tag >= oldest { *entry - oldest + 1 } else { 0 };
        }
        for generation in &mut self.generations {
            generation.tag = generation.tag - oldest + 1;
        }
        self.reaches_from = (self.reaches_from + 1).saturating_sub(oldest);
        self.generations.back().map_or(0, |youngest| youngest.tag) + 1
    }

    /// Well-mixed bits of an id. Ids are often random already, but time-ordered and counted ones exist.
    fn fingerprint(&self, id: EventId) -> Fingerprint {
        let (high, low) = ((id.0 >> 64) as u64, id.0 as u64);
        let first = fold(high ^ 0x9e37_79b9_7f4a_7c15, low ^ 0xd1b5_4a32_d192_ed03);
        let second = fold(first ^ low, 0xa076_1d64_78bd_642f) ^ high.rotate_left(23);
        let third = fold(second ^ 0xe703_7ed1_a0b4_28db, 0x8ebc_6af0_9c88_c6e3 ^ first);
        let home = ((u128::from(second) * self.buckets.len() as u128) >> 64) as usize;
        Fingerprint { home, bits: third >> TAG_BITS }
    }
}

/// Whether an entry is known. Tags grow from the oldest known generation to the youngest; a free place has the tag 0.
const fn is_live(entry: u64, oldest_tag: u64) -> bool {
    entry & TAG_MASK >= oldest_tag
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
        assert!(window.len() <= 1_250, "{}", window.len());
    }

    #[test]
    fn a_look_costs_no_more_after_many_windows() {
        let mut window = window(10_000);
        for id in 0..200_000 {
            window.insert(EventId(id), at(0));
        }
        let reaches: usize = window.reaches.iter().map(|reach| reach.get()).sum();
        assert!(reaches < window.reaches.len(), "{reaches} of {} buckets", window.reaches.len());
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
    fn what_is_known_stays_known_when_the_tags_begin_anew() {
        let mut window = window(8);
        for id in 0..40_000_u128 {
            assert_eq!(window.seen(EventId(id)), Seen::New, "{id}");
            window.insert(EventId(id), at(0));
            assert_eq!(window.seen(EventId(id.saturating_sub(7))), Seen::Duplicate, "{id}");
        }
    }

    #[test]
    fn a_window_of_no_entries_knows_nothing() {
        let mut window = window(0);
        window.insert(EventId(1), at(0));
        assert_eq!(window.seen(EventId(1)), Seen::New);
    }

    #[test]
    fn another_size_forgets_no_id_that_it_must_know() {
        let id = |number: u128| EventId((number << 64) | (number * 7));
        let mut window = window(1_000);
        window.insert(id(1), Timestamp::EPOCH);
        for entries in [10, 100_000] {
            window = window.resized(DedupeConfig { entries, age: Duration::from_hours(1) });
            assert_eq!(window.seen(id(1)), Seen::Duplicate, "{entries}");
        }
        assert_eq!(window.seen(id(2)), Seen::New);
        window = window.resized(DedupeConfig { entries: 10, age: Duration::from_secs(1) });
        for number in 10..100 {
            window.insert(id(number), Timestamp::EPOCH.after(Duration::from_secs(number as u64)));
        }
        assert_eq!(window.seen(id(1)), Seen::New);
        let off = window.resized(DedupeConfig { entries: 0, age: Duration::from_secs(1) });
        assert_eq!(off.seen(id(99)), Seen::New);
    }
}
