//! The last 65,536 applied events: what exemplars and alert evidence point at.

use super::series::Ordinal;
use super::time::Timestamp;
use super::wire::EventId;

/// How many events are kept; a power of two.
pub const RECENT_EVENTS: usize = 65_536;

/// The longest note kept with an event, in bytes; longer ones are left out.
pub const NOTE_BYTES_MAX: usize = 39;

/// What is remembered of an event.
#[derive(Clone, Copy, Debug)]
pub struct RecentEvent {
    /// Its id.
    pub id: EventId,
    /// Its trace, if any.
    pub trace: Option<u128>,
    /// Its own timestamp.
    pub timestamp: Timestamp,
    ordinal: u32,
    note_len: u8,
    note: [u8; NOTE_BYTES_MAX],
}

impl RecentEvent {
    /// The query hash of a QueryExecuted event, where it was short enough to keep.
    pub fn query_hash(&self) -> Option<&str> {
        let note = self.note.get(..usize::from(self.note_len))?;
        std::str::from_utf8(note).ok().filter(|note| !note.is_empty())
    }
}

/// A ring of the last [`RECENT_EVENTS`] applied events.
#[derive(Clone, Debug, Default)]
pub struct RecentEvents {
    events: Vec<RecentEvent>,
    next: u32,
}

impl RecentEvents {
    /// Remembers an event and says by which ordinal it can be found while it is among the last ones.
    pub fn push(
        &mut self,
        id: EventId,
        trace: Option<u128>,
        timestamp: Timestamp,
        query_hash: &str,
    ) -> Ordinal {
        let ordinal = self.next;
        let mut note = [0; NOTE_BYTES_MAX];
        let mut note_len = 0;
        if let Some(kept) = note.get_mut(..query_hash.len()) {
            kept.copy_from_slice(query_hash.as_bytes());
            note_len = query_hash.len() as u8;
        }
        let event = RecentEvent { id, trace, timestamp, ordinal, note_len, note };
        let place = ordinal as usize % RECENT_EVENTS;
        match self.events.get_mut(place) {
            Some(old) => *old = event,
            None => self.events.push(event),
        }
        self.next = self.next.wrapping_add(1);
        Ordinal(ordinal)
    }

    /// The event of this ordinal, while it is still among the last ones.
    pub fn get(&self, ordinal: Ordinal) -> Option<&RecentEvent> {
        self.events.get(ordinal.0 as usize % RECENT_EVENTS).filter(|event| event.ordinal == ordinal.0)
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
}
