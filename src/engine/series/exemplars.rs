//! What last added to each cell of a page, as long as the event is among the last ones.
//!
//! Few cells have one, as it is gone with its event: a page has a place of two bytes for each cell once one does, and
//! twelve bytes for each that has.

use super::Ordinal;
use super::cells::PAGE_CELLS;
use super::recent::RECENT_EVENTS;

/// The last event that added to a cell, and by how much it did (for a bucket: what was observed).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Exemplar {
    /// What the event added or observed; no NaN.
    pub(crate) value: f64,
    /// The event.
    pub(crate) event: Ordinal,
}

/// An exemplar in its page: the bits of its value apart, so that twelve bytes do.
#[derive(Clone, Copy, Debug)]
struct Kept {
    value: [u32; 2],
    event: u32,
}

/// The place of a cell that has none.
const NONE: u16 = u16::MAX;

/// The exemplars of a page.
#[derive(Clone, Debug, Default)]
pub(super) struct Exemplars {
    /// By cell the place of its exemplar; empty before the first one.
    places: Box<[u16]>,
    kept: Vec<Kept>,
    newest: Ordinal,
}

/// Whether an event is no longer among the last ones where `newest` is.
fn is_gone(event: Ordinal, newest: Ordinal) -> bool {
    newest.0.wrapping_sub(event.0) as usize > RECENT_EVENTS
}

impl From<Exemplar> for Kept {
    fn from(exemplar: Exemplar) -> Self {
        let bits = exemplar.value.to_bits();
        Self { value: [(bits >> 32) as u32, bits as u32], event: exemplar.event.0 }
    }
}

impl From<Kept> for Exemplar {
    fn from(kept: Kept) -> Self {
        let value = f64::from_bits(u64::from(kept.value[0]) << 32 | u64::from(kept.value[1]));
        Self { value, event: Ordinal(kept.event) }
    }
}

impl Exemplars {
    /// What last added to a cell.
    #[inline]
    pub(super) fn at(&self, cell: usize) -> Option<Exemplar> {
        let place = self.places.get(cell)?;
        self.kept.get(usize::from(*place)).copied().map(Exemplar::from)
    }

    /// Remembers what last added to a cell.
    #[inline]
    pub(super) fn put(&mut self, cell: usize, exemplar: Exemplar) {
        self.newest = exemplar.event;
        let place = self.places.get(cell).map_or(NONE, |place| *place);
        match self.kept.get_mut(usize::from(place)) {
            Some(known) => *known = exemplar.into(),
            None => self.put_first(cell, exemplar),
        }
    }

    /// The same of what was saved, which comes in the order of cells instead of events.
    pub(super) fn restore(&mut self, cell: usize, exemplar: Exemplar) {
        let is_earlier =
            !self.kept.is_empty() && self.newest.0.wrapping_sub(exemplar.event.0).cast_signed() > 0;
        let newest = if is_earlier { self.newest } else { exemplar.event };
        self.put(cell, exemplar);
        self.newest = newest;
    }

    #[cold]
    fn put_first(&mut self, cell: usize, exemplar: Exemplar) {
        if self.places.is_empty() {
            self.places = vec![NONE; PAGE_CELLS].into();
        }
        if let Some(place) = self.places.get_mut(cell) {
            *place = self.kept.len() as u16;
            if self.kept.len() == self.kept.capacity() {
                self.kept.reserve_exact((self.kept.len() / 4).max(8));
            }
            self.kept.push(exemplar.into());
        }
    }

    /// Forgets the exemplar of a cell.
    pub(super) fn clear(&mut self, cell: usize) {
        let Some(place) = self.places.get_mut(cell).filter(|place| **place != NONE) else { return };
        let freed = std::mem::replace(place, NONE);
        let last = self.kept.len().wrapping_sub(1) as u16;
        self.kept.swap_remove(usize::from(freed));
        if let Some(moved) = self.places.iter_mut().find(|place| **place == last && last != freed) {
            *moved = freed;
        }
    }

    /// Whether there are some, and the events of all of them are gone where `newest` is.
    pub(super) fn are_gone(&self, newest: Ordinal) -> bool {
        !self.kept.is_empty() && is_gone(self.newest, newest)
    }

    /// Whether the events of half of them are gone where `newest` is.
    pub(super) fn are_half_gone(&self, newest: Ordinal) -> bool {
        let gone = self.kept.iter().filter(|kept| is_gone(Ordinal(kept.event), newest)).count();
        gone > 0 && gone >= self.kept.len() / 2
    }

    /// Forgets those whose events are gone where `newest` is.
    pub(super) fn sweep(&mut self, newest: Ordinal) {
        let kept: Vec<(usize, Kept)> = (0..PAGE_CELLS)
            .filter_map(|cell| Some((cell, *self.kept.get(usize::from(*self.places.get(cell)?))?)))
            .filter(|(_, kept)| !is_gone(Ordinal(kept.event), newest))
            .collect();
        self.places.fill(NONE);
        for ((cell, _), at) in kept.iter().zip(0..) {
            if let Some(place) = self.places.get_mut(*cell) {
                *place = at;
            }
        }
        self.kept = kept.into_iter().map(|(_, kept)| kept).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exemplar(event: u32) -> Exemplar {
        Exemplar { value: f64::from(event), event: Ordinal(event) }
    }

    #[test]
    fn each_cell_has_its_own_until_it_is_cleared_or_its_event_is_gone() {
        let mut exemplars = Exemplars::default();
        for cell in [0, 7, 511, 30] {
            exemplars.put(cell, exemplar(cell as u32));
        }
        exemplars.put(30, exemplar(70_000));
        exemplars.clear(7);
        exemplars.clear(8);
        let found =
            |exemplars: &Exemplars| [0, 7, 8, 30, 511].map(|cell| exemplars.at(cell).map(|it| it.event.0));
        assert_eq!(found(&exemplars), [Some(0), None, None, Some(70_000), Some(511)]);
        assert!(!exemplars.are_gone(Ordinal(100_000)));
        assert!(exemplars.are_half_gone(Ordinal(100_000)));
        exemplars.sweep(Ordinal(100_000));
        assert_eq!(found(&exemplars), [None, None, None, Some(70_000), None]);
        assert!(exemplars.are_gone(Ordinal(70_001 + RECENT_EVENTS as u32)));
    }
}
