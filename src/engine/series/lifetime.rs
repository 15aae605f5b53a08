//! When series leave by themselves: gauges without an event for `stale_after`. Counters and histograms stay; where it
//! is asked for, scrapes do not show those idle for `park_after` until they move again.
//!
//! Each series stands in one list, under the quarter of a second in which it could be due at the earliest. When that
//! has come it leaves, or, having moved meanwhile, is put under its next one: a series costs one look a lifetime.
//! Of a series put under another time only its last place counts.

use std::collections::BTreeMap;
use std::time::Duration;

use super::chunked::Chunked;
use super::family::Family;
use super::store::{Marks, Slot};
use super::{FamilyId, SeriesId, SeriesLimits, Store, Timestamp};
use crate::engine::metric::MetricType;

/// Microseconds of one list.
const LIST_MICROS: i64 = 250_000;

/// Series by the earliest time they may leave.
#[derive(Debug, Default)]
pub(super) struct Due(BTreeMap<i64, Vec<SeriesId>>);

/// Says of the series of a family that are so that they count from `now` on.
fn begin_where(family: &mut Family, slots: &Chunked<Slot>, is_so: impl Fn(&Slot) -> bool, now: Timestamp) {
    let slots = family.rows().filter_map(|(_, row)| slots.get(row.slot()? as usize));
    let rows: Vec<u32> = slots.filter(|slot| is_so(slot)).map(|slot| slot.row).collect();
    for row in rows {
        family.set_born(row, now);
    }
}

impl Store {
    /// Lets every series that stands at zero count from `now` on: it saw nothing of what came before.
    pub(crate) fn begin_unmoved(&mut self, now: Timestamp) {
        for family in &mut self.families {
            let count = family.spec.cells();
            let at_zero =
                |slot: &Slot| (slot.cell..slot.cell + count).all(|cell| self.cells.get(cell) == 0.0);
            begin_where(family, &self.slots, at_zero, now);
        }
        self.frozen_families = None;
    }

    /// Says of every series of a family that it counts from `now` on, whatever it counted.
    pub(in crate::engine) fn begin_at(&mut self, family: FamilyId, now: Timestamp) {
        let counts = |family: &&mut Family| family.spec.metric_type != MetricType::Gauge;
        let Some(family) = self.families.get_mut(family.0 as usize).filter(counts) else { return };
        begin_where(family, &self.slots, |_| true, now);
        self.frozen_families = None;
    }

    /// Takes away gauges without an event for their family's `stale_after`, and parks counters and histograms that are
    /// idle.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        let list = now.micros().div_euclid(LIST_MICROS);
        let later = self.due.0.split_off(&list.saturating_add(1));
        let due = std::mem::replace(&mut self.due.0, later);
        for (list, id) in due.into_iter().flat_map(|(list, ids)| ids.into_iter().map(move |id| (list, id))) {
            let Some(slot) = self.slot(id).copied().filter(|slot| slot.due == list as u16) else { continue };
            let Some(lifetime) = self.lifetime(slot.family) else { continue };
            if slot.marks.has(Marks::HELD) {
                self.schedule_from(id, now);
            } else if Timestamp::from(slot.moved).after(lifetime) > now {
                self.schedule(id);
            } else if slot.metric_type == MetricType::Gauge {
                self.remove(id, now);
            } else {
                self.park(id);
            }
        }
    }

    /// Keeps a gauge from leaving by itself, however long nothing moves it, until [`Store::release`].
    pub(crate) fn hold(&mut self, id: SeriesId) {
        if let Some(slot) = self.slot_mut(id) {
            slot.marks.put(Marks::HELD);
        }
    }

    /// Lets a held gauge leave when nothing moved it for its family's `stale_after`.
    pub(crate) fn release(&mut self, id: SeriesId) {
        if let Some(slot) = self.slot_mut(id) {
            slot.marks.clear(Marks::HELD);
        }
    }

    /// Sets after how long without an event a gauge of this family leaves.
    pub(crate) fn set_stale_after(&mut self, family: FamilyId, stale_after: Option<Duration>) {
        if let Some(family) = self.families.get_mut(family.0 as usize)
            && family.spec.stale_after != stale_after
        {
            std::sync::Arc::make_mut(&mut family.spec).stale_after = stale_after;
        }
        self.frozen_families = None;
        self.schedule_family(family);
    }

    /// Sets how many series there may be; those that are there stay.
    pub(crate) fn set_limits(&mut self, limits: SeriesLimits) {
        self.limits = limits;
    }

    /// Sets after how long without an event counters and histograms leave `/metrics`, to come back with their next
    /// event; none (the default) for never. What is parked already is shown until it is due by the new time.
    pub(crate) fn set_park_after(&mut self, park_after: Option<Duration>) {
        if self.park_after == park_after {
            return;
        }
        self.park_after = park_after;
        let families: Vec<FamilyId> = self.families().collect();
        for family in families {
            if self.family(family).metric_type == MetricType::Gauge {
                continue;
            }
            let series: Vec<SeriesId> = self.series_of(family).collect();
            for id in series {
                self.unpark(id);
                self.schedule(id);
            }
        }
    }

    fn lifetime(&self, family: FamilyId) -> Option<Duration> {
        let spec = self.family(family);
        match spec.metric_type {
            MetricType::Gauge => spec.stale_after,
            MetricType::Counter | MetricType::Histogram => self.park_after.filter(|_| !self.is_own(family)),
        }
    }

    /// Puts a series under the earliest time it may leave.
    pub(super) fn schedule(&mut self, id: SeriesId) {
        if let Some(moved) = self.slot(id).map(|slot| Timestamp::from(slot.moved)) {
            self.schedule_from(id, moved);
        }
    }

    fn schedule_from(&mut self, id: SeriesId, from: Timestamp) {
        let Some(lifetime) = self.slot(id).and_then(|slot| self.lifetime(slot.family)) else { return };
        let list = from.after(lifetime).micros().div_euclid(LIST_MICROS);
        self.due.0.entry(list).or_default().push(id);
        if let Some(slot) = self.slots.get_mut(id.slot as usize) {
            slot.due = list as u16;
        }
    }

    pub(super) fn schedule_family(&mut self, family: FamilyId) {
        let series: Vec<SeriesId> = self.series_of(family).collect();
        for id in series {
            self.schedule(id);
        }
    }

    /// Hides a series from scrapes until it moves. It stays in the store, so that rules and queries see it.
    fn park(&mut self, id: SeriesId) {
        let Some(slot) = self.slot_mut(id).filter(|slot| !slot.marks.has(Marks::PARKED)) else { return };
        slot.marks.put(Marks::PARKED);
        let (family, row) = (slot.family, slot.row);
        if let Some(family) = self.families.get_mut(family.0 as usize) {
            family.park_row(row);
        }
        self.frozen_families = None;
    }

    /// Shows a parked series to scrapes again.
    pub(super) fn unpark(&mut self, id: SeriesId) {
        let Some(slot) = self.slot_mut(id).filter(|slot| slot.marks.has(Marks::PARKED)) else { return };
        slot.marks.clear(Marks::PARKED);
        let (family, row) = (slot.family, slot.row);
        if let Some(family) = self.families.get_mut(family.0 as usize) {
            family.unpark_row(row);
        }
        self.frozen_families = None;
        self.schedule(id);
    }
}
