//! The store as its twin, and from it.
//!
//! Places, slots and cells are kept as they are, so that the past, the last events and the trackers find what they
//! point at. What was left free is found again from what is taken.

use std::sync::Arc;

use super::cells::Cells;
use super::family::{Family, Owner};
use super::label_text::underscored_metric;
use super::recent::RecentEvents;
use super::rows::{Newcomer, Row, Rows};
use super::store::{Marks, Slot, kind_of};
use super::touch::Move;
use super::{Exemplar, FamilyId, FamilySpec, Frozen, Ordinal, SeriesId, SeriesLimits, Store, Timestamp};
use crate::engine::checkpoint::Part;
use crate::engine::checkpoint::bytes::{Damage, Twin, Writer};
use crate::engine::checkpoint::series::{
    ExemplarTwin, FamilyTwin, MoveTwin, RecentEventTwin, RecentTwin, SeriesTwin, SeriesTwinId, StoreTwin,
};
use crate::engine::metric::MetricType;
use crate::engine::wire::EventId;

/// What of a slot no frozen view has.
#[derive(Clone, Copy, Debug)]
struct SlotState {
    generation: u32,
    moved: Timestamp,
    marks: Marks,
}

/// What of a family no frozen view has.
#[derive(Clone, Debug)]
struct FamilyState {
    owner: Owner,
    holes: Vec<u32>,
}

/// The store at one instant, to be written elsewhere.
#[derive(Debug)]
pub(in crate::engine) struct SavedStore {
    frozen: Frozen,
    families: Vec<FamilyState>,
    slots: Vec<SlotState>,
    free_slots: Vec<u32>,
    cell_pages: u32,
    moves: Vec<Move>,
}

impl SeriesId {
    /// As it is written.
    pub(in crate::engine) const fn twin(self) -> SeriesTwinId {
        (self.slot, self.generation)
    }

    /// As it was written.
    pub(in crate::engine) const fn of_twin((slot, generation): SeriesTwinId) -> Self {
        Self { slot, generation }
    }
}

impl Store {
    /// The store as it is now, to be written elsewhere.
    pub(in crate::engine) fn save(&mut self) -> SavedStore {
        let families = self.families.iter();
        SavedStore {
            families: families
                .map(|family| FamilyState { owner: family.owner, holes: family.holes().to_vec() })
                .collect(),
            slots: self
                .slots
                .iter()
                .map(|slot| SlotState {
                    generation: slot.generation,
                    moved: slot.moved.into(),
                    marks: slot.marks,
                })
                .collect(),
            free_slots: self.free_slots.clone(),
            cell_pages: self.cells.pages_len() as u32,
            moves: self.moves.oldest_first().collect(),
            frozen: self.freeze(),
        }
    }

    /// The store that was saved, under these limits.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine) fn restored(twin: StoreTwin, limits: SeriesLimits) -> Result<Self, Damage> {
        let mut store = Self::new(limits);
        let free = Slot::free();
        store.slots = twin.generations.into_iter().map(|generation| Slot { generation, ..free }).collect();
        let mut used = Vec::new();
        for family in &twin.families {
            store.restore_family(family)?;
            let metric_type = type_of(family.metric_type)?;
            for series in &family.series {
                used.push((kind_of(metric_type), series.cell, series.values.len() as u32));
            }
        }
        store.cells = Cells::restored(twin.cell_pages, used).ok_or(Damage("cells overlap"))?;
        for (family, id) in twin.families.into_iter().zip(0..) {
            let places = (family.series.len() + family.holes.len()) as u32;
            if family.holes.iter().any(|hole| *hole >= places) {
                return Err(Damage("a free place stands outside its metric"));
            }
            if let Some(restored) = store.families.get_mut(id as usize) {
                restored.restore_places(places, family.holes);
            }
            for series in &family.series {
                store.restore_series(FamilyId(id), series)?;
            }
        }
        let is_free =
            |slot: &u32| store.slots.get(*slot as usize).is_some_and(|slot| slot.family == free.family);
        if !twin.free_slots.iter().all(is_free) {
            return Err(Damage("a free slot is taken"));
        }
        store.free_slots = twin.free_slots;
        for step in twin.moves {
            store.moves.push(Ordinal(step.event), SeriesId { slot: step.slot, generation: step.generation });
        }
        Ok(store)
    }

    fn restore_family(&mut self, twin: &FamilyTwin) -> Result<(), Damage> {
        let owner = if twin.owner == 0 { Owner::Own } else { Owner::Recorded };
        let spec = FamilySpec {
            name: Arc::clone(&twin.name),
            metric_type: type_of(twin.metric_type)?,
            help: twin.help.clone().into(),
            unit: twin.unit.clone(),
            buckets: twin.buckets.as_slice().into(),
            stale_after: twin.stale_after,
        };
        let id = FamilyId(self.families.len() as u32);
        if !spec.name.is_empty()
            && self.by_name.insert(Arc::from(underscored_metric(&spec.name)), id).is_some()
        {
            return Err(Damage("two metrics have one name"));
        }
        self.families.push(Family::new(spec, owner));
        Ok(())
    }

    fn restore_series(&mut self, id: FamilyId, twin: &SeriesTwin) -> Result<(), Damage> {
        let (SeriesTwin { place, slot, cell, born, .. }, marks) = (twin, Marks::restored(twin.marks));
        let family = self.families.get_mut(id.0 as usize).ok_or(Damage("a family is missing"))?;
        let metric_type = family.spec.metric_type;
        if twin.values.len() != family.spec.cells() as usize {
            return Err(Damage("a series has another number of values than its family"));
        }
        let newcomer = Newcomer { slot: *slot, cell: *cell, born: *born };
        if !family.restore_row(*place, newcomer, &twin.text) {
            return Err(Damage("two series have one place"));
        }
        if marks.has(Marks::OVERFLOW) {
            family.overflow_series += 1;
        } else {
            family.live += 1;
        }
        if marks.has(Marks::PARKED) {
            family.park_row(*place);
        }
        let known = self.slots.get_mut(*slot as usize).ok_or(Damage("a slot is missing"))?;
        if known.family != Slot::free().family {
            return Err(Damage("two series have one slot"));
        }
        *known = Slot {
            generation: known.generation,
            family: id,
            row: *place,
            cell: *cell,
            moved: twin.moved.into(),
            due: 0,
            metric_type,
            marks,
        };
        for (cell, value) in (*cell..).zip(&twin.values) {
            self.cells.set(cell, *value);
        }
        for exemplar in &twin.exemplars {
            if exemplar.place as usize >= twin.values.len() {
                return Err(Damage("an exemplar is outside its series"));
            }
            let kept = Exemplar { value: exemplar.value, event: Ordinal(exemplar.event) };
            self.cells.restore_exemplar(cell.saturating_add(exemplar.place), kept);
        }
        self.index_restored(id, *slot, &twin.text);
        Ok(())
    }

    /// Gives a family that was saved another declaration of the same type.
    pub(in crate::engine) fn adopt(&mut self, id: FamilyId, spec: FamilySpec) {
        let Some(family) = self.families.get_mut(id.0 as usize) else { return };
        let before = underscored_metric(&family.spec.name).into_owned();
        let seen: Arc<str> = Arc::from(underscored_metric(&spec.name));
        family.spec = Arc::new(spec);
        if self.by_name.get(before.as_str()) == Some(&id) {
            self.by_name.remove(before.as_str());
        }
        self.by_name.insert(seen, id);
        self.frozen_families = None;
    }

    /// Takes a family that was saved away with its series; its name is free.
    pub(in crate::engine) fn forget(&mut self, id: FamilyId, now: Timestamp) {
        let series: Vec<SeriesId> = self.series_of(id).collect();
        for series in series {
            self.remove(series, now);
        }
        let Some(family) = self.families.get_mut(id.0 as usize) else { return };
        let before = underscored_metric(&family.spec.name).into_owned();
        family.spec = Arc::default();
        if self.by_name.get(before.as_str()) == Some(&id) {
            self.by_name.remove(before.as_str());
        }
        self.frozen_families = None;
    }

    /// Whether a family is the catalogue's or the sidecar's own.
    pub(in crate::engine) fn is_own_family(&self, id: FamilyId) -> bool {
        self.families.get(id.0 as usize).is_some_and(|family| family.owner == Owner::Own)
    }

    /// Whether events brought a family.
    pub(in crate::engine) fn is_recorded_family(&self, id: FamilyId) -> bool {
        self.families.get(id.0 as usize).is_some_and(|family| family.owner == Owner::Recorded)
    }

    /// Puts every series under the time at which it may leave, once families are declared.
    pub(in crate::engine) fn schedule_all(&mut self) {
        let families: Vec<FamilyId> = self.families().collect();
        for family in families {
            self.schedule_family(family);
        }
    }

    /// Lets counters and histograms begin anew at zero, born now, where `chosen` says so of a series' labels.
    pub(in crate::engine) fn begin_anew(
        &mut self,
        family: FamilyId,
        chosen: &dyn Fn(&str) -> bool,
        now: Timestamp,
    ) {
        if self.family(family).metric_type == MetricType::Gauge {
            return;
        }
        let series: Vec<SeriesId> = self.series_of(family).collect();
        for id in series {
            if !chosen(&self.label_text(id)) {
                continue;
            }
            for cell in self.cells(id) {
                self.cells.clear(cell);
            }
            if let Some(slot) = self.slot(id).copied()
                && let Some(family) = self.families.get_mut(slot.family.0 as usize)
            {
                family.set_born(slot.row, now);
            }
            self.touch(id);
        }
        self.frozen_families = None;
    }
}

fn type_of(twin: u8) -> Result<MetricType, Damage> {
    match twin {
        0 => Ok(MetricType::Counter),
        1 => Ok(MetricType::Gauge),
        2 => Ok(MetricType::Histogram),
        _ => Err(Damage("a metric has no type")),
    }
}

fn type_twin(metric_type: MetricType) -> u8 {
    match metric_type {
        MetricType::Counter => 0,
        MetricType::Gauge => 1,
        MetricType::Histogram => 2,
    }
}

impl SavedStore {
    fn family(&self, place: usize, state: &FamilyState) -> FamilyTwin {
        let Some(family) = self.frozen.family(FamilyId(place as u32)) else {
            // It was taken away; its place stays, so that others keep theirs.
            return FamilyTwin { name: Arc::from(""), ..FamilyTwin::default() };
        };
        let spec = family.spec();
        FamilyTwin {
            name: Arc::clone(&spec.name),
            metric_type: type_twin(spec.metric_type),
            help: spec.help.to_string(),
            unit: spec.unit.clone(),
            buckets: spec.buckets.to_vec(),
            stale_after: spec.stale_after,
            owner: match state.owner {
                Owner::Own => 0,
                Owner::Recorded => 1,
            },
            holes: state.holes.clone(),
            series: family
                .placed()
                .filter_map(|(place, page, row)| self.series(place, (page, row), spec.cells()))
                .collect(),
        }
    }

    fn series(&self, place: u32, (page, row): (&Rows, &Row), cells: u32) -> Option<SeriesTwin> {
        let slot = row.slot()?;
        let state = self.slots.get(slot as usize)?;
        let exemplars = (0..cells).filter_map(|place| {
            let exemplar = self.frozen.exemplar(row.cell + place)?;
            Some(ExemplarTwin { place, value: exemplar.value, event: exemplar.event.0 })
        });
        Some(SeriesTwin {
            place,
            slot,
            cell: row.cell,
            born: page.born(row),
            moved: state.moved,
            marks: state.marks.saved(),
            text: page.text(row),
            values: (row.cell..row.cell + cells).map(|cell| self.frozen.cell(cell)).collect(),
            exemplars: exemplars.collect(),
        })
    }
}

impl Part for SavedStore {
    fn append(&self, out: &mut Writer) {
        out.list(self.families.iter().enumerate().map(|(place, state)| self.family(place, state)));
        out.list(self.slots.iter().map(|slot| slot.generation));
        self.free_slots.write(out);
        self.cell_pages.write(out);
        out.list(self.moves.iter().map(|step| MoveTwin {
            event: step.event,
            slot: step.slot,
            generation: step.generation,
        }));
    }
}

impl Part for RecentEvents {
    fn append(&self, out: &mut Writer) {
        self.upcoming().0.write(out);
        let count = self.len() as u32;
        out.list((1..=count).rev().collect::<Vec<u32>>().into_iter().map(|back| {
            let event = self.get(Ordinal(self.upcoming().0.wrapping_sub(back)));
            event.map_or_else(RecentEventTwin::default, |event| RecentEventTwin {
                id: event.id.0,
                trace: event.trace,
                timestamp: event.timestamp,
                query_hash: event.query_hash().unwrap_or("").to_owned(),
            })
        }));
    }
}

impl RecentEvents {
    /// The events that were saved.
    pub(in crate::engine) fn restored(twin: RecentTwin) -> Self {
        let count = twin.events.len() as u32;
        let mut recent = Self::beginning_at(twin.next.wrapping_sub(count));
        for event in twin.events {
            recent.push(EventId(event.id), event.trace, event.timestamp, &event.query_hash);
        }
        recent
    }
}
