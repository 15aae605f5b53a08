//! The last 65,536 applied events: what exemplars and alert evidence point at.
//!
//! Events stand in chunks of 1,024, 32 bytes each; traces and query hashes, which few events have, stand beside them.
//! A full chunk is never written again, so that a frozen view shares all chunks and only the last one is ever copied.

use std::collections::VecDeque;
use std::sync::Arc;

use super::page::Page;
use crate::engine::series::Ordinal;
use crate::engine::time::Timestamp;
use crate::engine::wire::EventId;

/// How many events are kept; a power of two.
pub(crate) const RECENT_EVENTS: usize = 65_536;

/// The longest note kept with an event, in bytes; longer ones are left out.
pub(crate) const NOTE_BYTES_MAX: usize = 39;

/// Events of a chunk.
const CHUNK_EVENTS: usize = 1_024;

/// Chunks kept: the window and the one being filled.
const CHUNKS: usize = RECENT_EVENTS / CHUNK_EVENTS + 1;

/// What is remembered of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecentEvent<'a> {
    /// Its id.
    pub(crate) id: EventId,
    /// Its trace, if any.
    pub(crate) trace: Option<u128>,
    /// Its own timestamp.
    pub(crate) timestamp: Timestamp,
    /// When its message was stored, where that was noted.
    pub(crate) stored_at: Option<Timestamp>,
    query_hash: &'a str,
}

impl<'a> RecentEvent<'a> {
    /// The query hash of a `QueryExecuted` event, where it was short enough to keep.
    pub(crate) fn query_hash(&self) -> Option<&'a str> {
        (!self.query_hash.is_empty()).then_some(self.query_hash)
    }
}

/// An event in its chunk; `EventId` is split so that 8-byte alignment does.
#[derive(Clone, Copy, Debug)]
struct Kept {
    id: [u64; 2],
    timestamp: Timestamp,
    /// One more than the place of its trace; 0 where it has none.
    trace: u16,
    note_len: u16,
    note_start: u32,
}

#[derive(Clone, Debug, Default)]
struct Chunk {
    events: Vec<Kept>,
    traces: Vec<u128>,
    notes: String,
    /// By place, up to the last one that was noted.
    stored: Vec<Option<Timestamp>>,
}

impl Chunk {
    fn push(&mut self, id: EventId, trace: Option<u128>, timestamp: Timestamp, query_hash: &str) {
        let query_hash = if query_hash.len() > NOTE_BYTES_MAX { "" } else { query_hash };
        let note_start = self.notes.len() as u32;
        if !query_hash.is_empty() {
            self.notes.push_str(query_hash);
        }
        let trace = trace.map_or(0, |trace| {
            self.traces.push(trace);
            self.traces.len() as u16
        });
        self.events.push(Kept {
            id: [(id.0 >> 64) as u64, id.0 as u64],
            timestamp,
            trace,
            note_len: query_hash.len() as u16,
            note_start,
        });
    }

    fn get(&self, place: usize) -> Option<RecentEvent<'_>> {
        let kept = self.events.get(place)?;
        let note = kept.note_start as usize..kept.note_start as usize + usize::from(kept.note_len);
        let trace = usize::from(kept.trace).checked_sub(1).and_then(|place| self.traces.get(place));
        Some(RecentEvent {
            id: EventId(u128::from(kept.id[0]) << 64 | u128::from(kept.id[1])),
            trace: trace.copied(),
            timestamp: kept.timestamp,
            stored_at: self.stored.get(place).copied().flatten(),
            query_hash: self.notes.get(note).unwrap_or(""),
        })
    }
}

/// The last [`RECENT_EVENTS`] applied events.
#[derive(Debug, Default)]
pub struct RecentEvents {
    full: VecDeque<Arc<Chunk>>,
    filling: Page<Chunk>,
    next: u32,
}

/// One instant of [`RecentEvents`], shared with it.
pub(crate) type FrozenEvents = RecentEvents;

impl RecentEvents {
    /// Remembers an event and says by which ordinal it can be found while it is among the last ones.
    #[inline]
    pub fn push(
        &mut self,
        id: EventId,
        trace: Option<u128>,
        timestamp: Timestamp,
        query_hash: &str,
    ) -> Ordinal {
        if self.filling.get().events.len() >= CHUNK_EVENTS {
            self.start_chunk();
        }
        self.filling.get_mut().push(id, trace, timestamp, query_hash);
        let ordinal = self.next;
        self.next = self.next.wrapping_add(1);
        Ordinal(ordinal)
    }

    /// Notes when the message of the last event was stored.
    pub(crate) fn note_stored(&mut self, at: Timestamp) {
        let filling = self.filling.get_mut();
        if let Some(place) = filling.events.len().checked_sub(1) {
            filling.stored.resize(place, None);
            filling.stored.push(Some(at));
        }
    }

    /// When the message of this event was stored, where the event is none of those before `since`.
    pub(crate) fn stored_since(&self, event: Ordinal, since: Ordinal) -> Option<Timestamp> {
        let ago = |ordinal: Ordinal| self.next.wrapping_sub(ordinal.0);
        (ago(event) <= ago(since)).then(|| self.get(event)?.stored_at).flatten()
    }

    /// No events yet; the first will have the ordinal `next`.
    pub(super) fn beginning_at(next: u32) -> Self {
        Self { next, ..Self::default() }
    }

    /// How many events are kept.
    pub(super) fn len(&self) -> usize {
        let full: usize = self.full.iter().map(|chunk| chunk.events.len()).sum();
        (full + self.filling.get().events.len()).min(RECENT_EVENTS)
    }

    /// The ordinal that the next event will have.
    pub(crate) const fn upcoming(&self) -> Ordinal {
        Ordinal(self.next)
    }

    fn start_chunk(&mut self) {
        let oldest = if self.full.len() + 1 >= CHUNKS { self.full.pop_front() } else { None };
        let mut next = oldest.and_then(|oldest| Arc::try_unwrap(oldest).ok()).unwrap_or_default();
        next.events.clear();
        next.traces.clear();
        next.notes.clear();
        next.stored.clear();
        self.full.push_back(self.filling.share());
        self.filling = Page::Own(next);
    }

    /// The event of this ordinal, while it is still among the last ones.
    pub(crate) fn get(&self, ordinal: Ordinal) -> Option<RecentEvent<'_>> {
        let age = self.next.wrapping_sub(ordinal.0) as usize;
        if age == 0 || age > RECENT_EVENTS {
            return None;
        }
        let filling = self.filling.get();
        if let Some(place) = filling.events.len().checked_sub(age) {
            return filling.get(place);
        }
        let back = age - filling.events.len();
        let chunk = self.full.len().checked_sub(back.div_ceil(CHUNK_EVENTS))?;
        self.full.get(chunk)?.get((CHUNK_EVENTS - back % CHUNK_EVENTS) % CHUNK_EVENTS)
    }

    /// The events as they are now, for a scrape: what is full is shared, and what is being filled is copied when the next
    /// event comes.
    #[must_use]
    pub fn freeze(&mut self) -> FrozenEvents {
        Self { full: self.full.clone(), filling: Page::Shared(self.filling.share()), next: self.next }
    }
}

impl Clone for RecentEvents {
    fn clone(&self) -> Self {
        let filling = match &self.filling {
            Page::Own(chunk) => Page::Own(chunk.clone()),
            Page::Shared(chunk) => Page::Shared(Arc::clone(chunk)),
        };
        Self { full: self.full.clone(), filling, next: self.next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_found_until_65536_others_followed_it() {
        let mut recent = RecentEvents::default();
        let first = recent.push(EventId(7), Some(9), Timestamp::EPOCH, "abc");
        for id in 0..RECENT_EVENTS as u128 - 1 {
            recent.push(EventId(id), None, Timestamp::EPOCH, "");
        }
        let found =
            recent.get(first).map(|event| (event.id, event.trace, event.query_hash().map(str::to_owned)));
        assert_eq!(found, Some((EventId(7), Some(9), Some("abc".to_owned()))));
        recent.push(EventId(1), None, Timestamp::EPOCH, "");
        assert!(recent.get(first).is_none());
    }

    #[test]
    fn each_ordinal_finds_its_own_event_wherever_the_ring_stands() {
        let mut recent = RecentEvents::default();
        for id in 0..3 * RECENT_EVENTS as u128 + 77 {
            let trace = (id % 3 == 0).then_some(id);
            let ordinal = recent.push(EventId(id), trace, Timestamp::from_micros(id as i64), &id.to_string());
            for back in [0, 1, 500, 1_023, 1_024, 1_025, 65_535] {
                let Some(earlier) = id.checked_sub(back) else { continue };
                let found = recent.get(Ordinal(ordinal.0 - back as u32)).unwrap();
                assert_eq!(
                    (found.id, found.trace),
                    (EventId(earlier), (earlier % 3 == 0).then_some(earlier))
                );
                assert_eq!(found.query_hash(), Some(earlier.to_string().as_str()));
            }
        }
    }

    #[test]
    fn a_frozen_view_keeps_its_events_while_others_follow() {
        let mut recent = RecentEvents::default();
        let ordinal = recent.push(EventId(1), None, Timestamp::EPOCH, "");
        let frozen = recent.freeze();
        for id in 0..2 * RECENT_EVENTS as u128 {
            recent.push(EventId(id), None, Timestamp::EPOCH, "");
        }
        assert!(recent.get(ordinal).is_none());
        assert_eq!(frozen.get(ordinal).map(|event| event.id), Some(EventId(1)));
    }

    #[test]
    fn stored_times_are_told_of_the_events_they_were_noted_for_since_then() {
        let mut recent = RecentEvents::default();
        let at = |event: u64| Timestamp::from_micros(event.cast_signed());
        let mut middle = recent.upcoming();
        for id in 0..3_000_u64 {
            if id == 1_500 {
                middle = recent.upcoming();
            }
            recent.push(EventId(id.into()), None, Timestamp::EPOCH, "");
            if id % 2 == 0 {
                recent.note_stored(at(id));
            }
        }
        let told = |event: u32, since| recent.stored_since(Ordinal(event), since);
        assert_eq!([told(1_500, middle), told(2_998, middle)], [Some(at(1_500)), Some(at(2_998))]);
        assert_eq!([told(1_498, middle), told(2_999, middle), told(1_501, middle)], [None; 3]);
        assert_eq!([told(2, Ordinal(0)), told(2_998, recent.upcoming())], [Some(at(2)), None]);
    }

    #[test]
    fn a_query_hash_that_is_too_long_is_left_out() {
        let mut recent = RecentEvents::default();
        let ordinal = recent.push(EventId(1), None, Timestamp::EPOCH, &"x".repeat(NOTE_BYTES_MAX + 1));
        assert_eq!(recent.get(ordinal).and_then(|event| event.query_hash()), None);
    }
}
