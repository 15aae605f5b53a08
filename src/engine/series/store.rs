//! The store itself: finding series, giving birth to them, taking them away.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::mem::take;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;

use super::cells::{CellKind, Cells};
use super::chunked::Chunked;
use super::family::Family;
use super::frozen::FrozenFamilies;
use super::index::Index;
use super::label_text::{LabelText, identity_of};
use super::lifetime::Due;
use super::overflow::Overflows;
use super::rows::{Newcomer, Row, Rows};
use super::touch::Moves;
use super::{FamilyId, FamilySpec, Numbers, Removed, SeriesId, SeriesLimits, Timestamp};
use crate::engine::labels::Labels;
use crate::engine::metric::MetricType;

/// Families whose names begin so are the sidecar's own: they are bounded by construction, never overflow because
/// of others and are never parked, so that its accounting holds whatever events bring.
const OWN_PREFIX: &str = "signalbox_";

/// Series that each of them may have, however low the limit of series is.
const OWN_SERIES_MIN: usize = 4_096;

/// Every metric family, its series and their present values.
#[derive(Debug)]
pub struct Store {
    pub(super) limits: SeriesLimits,
    pub(super) families: Vec<Family>,
    /// Families by their name as a scraper without UTF-8 sees it.
    pub(super) by_name: BTreeMap<Arc<str>, FamilyId>,
    pub(super) reserved: Vec<Arc<str>>,
    pub(super) slots: Chunked<Slot>,
    pub(super) cells: Cells,
    pub(super) touched: Vec<SeriesId>,
    pub(super) moves: Moves,
    pub(super) due: Due,
    pub(super) park_after: Option<Duration>,
    pub(super) overflows: Overflows,
    /// What the last freeze took of the families, while none changed since.
    pub(super) frozen_families: Option<Arc<FrozenFamilies>>,
    pub(super) free_slots: Vec<u32>,
    live: usize,
    index: Index,
    /// Random, so that nobody can bring labels that all hash alike; the order of the index is never seen.
    hashing: RandomState,
    text: LabelText,
    removed: Vec<Removed>,
    no_family: FamilySpec,
}

/// What moving a series needs of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) generation: u32,
    pub(super) family: FamilyId,
    pub(super) row: u32,
    pub(super) cell: u32,
    pub(super) moved: Moment,
    /// The list it stands in, by its low bits ([`Due`]): of two lists that are hours apart one may pass for the other,
    /// which costs a look.
    pub(super) due: u16,
    pub(super) metric_type: MetricType,
    pub(super) marks: Marks,
}

/// A time in halves, so that what holds it needs to be aligned to four bytes alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment([u32; 2]);

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Self {
        let micros = time.micros().cast_unsigned();
        Self([(micros >> 32) as u32, micros as u32])
    }
}

impl From<Moment> for Timestamp {
    fn from(moment: Moment) -> Self {
        let [high, low] = moment.0;
        Self::from_micros((u64::from(high) << 32 | u64::from(low)).cast_signed())
    }
}

/// What happens beside the value when a series moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks(u8);

impl Slot {
    /// One that no series has.
    pub(super) const fn free() -> Self {
        Self {
            generation: 0,
            family: FamilyId(u32::MAX),
            row: 0,
            cell: 0,
            moved: Moment([0; 2]),
            due: 0,
            metric_type: MetricType::Gauge,
            marks: Marks(0),
        }
    }
}

impl Marks {
    /// Rules read it.
    pub(super) const WATCHED: Self = Self(1);
    /// It is in the list of touched series.
    pub(super) const TOUCHED: Self = Self(2);
    /// It stands for what exceeds a limit.
    pub(super) const OVERFLOW: Self = Self(4);
    /// Something outside stands for its value, so it does not leave by itself.
    pub(super) const HELD: Self = Self(8);
    /// Scrapes do not show it.
    pub(super) const PARKED: Self = Self(16);

    /// What of them is saved: whom rules read is told again.
    pub(super) const fn saved(self) -> u8 {
        self.0 & (Self::OVERFLOW.0 | Self::HELD.0 | Self::PARKED.0)
    }

    /// What was saved of them.
    pub(super) const fn restored(saved: u8) -> Self {
        Self(Self(saved).saved())
    }

    pub(super) fn has(self, mark: Self) -> bool {
        self.0 & mark.0 != 0
    }

    pub(super) fn put(&mut self, mark: Self) {
        self.0 |= mark.0;
    }

    pub(super) fn clear(&mut self, mark: Self) {
        self.0 &= !mark.0;
    }

    /// Whether moving the series is more than moving its value.
    #[inline]
    pub(super) fn needs_attention(self) -> bool {
        self.has(Self(Self::OVERFLOW.0 | Self::PARKED.0))
            || (self.has(Self::WATCHED) && !self.has(Self::TOUCHED))
    }
}

fn hash_of(hashing: &RandomState, family: FamilyId, identity: &str) -> u64 {
    let mut hasher = hashing.build_hasher();
    hasher.write_u32(family.0);
    hasher.write(identity.as_bytes());
    hasher.finish()
}

/// The hash of the labels of a row.
fn hash_of_row(hashing: &RandomState, family: FamilyId, (page, row): (&Rows, &Row)) -> u64 {
    let text = page.text(row);
    let identity = if page.is_unusual() { identity_of(&text) } else { text.as_str().into() };
    hash_of(hashing, family, &identity)
}

impl Store {
    /// An empty store.
    pub fn new(limits: SeriesLimits) -> Self {
        Self {
            limits,
            families: Vec::new(),
            by_name: BTreeMap::new(),
            reserved: Vec::new(),
            slots: Chunked::default(),
            cells: Cells::default(),
            touched: Vec::new(),
            moves: Moves::default(),
            due: Due::default(),
            park_after: None,
            overflows: Overflows::default(),
            frozen_families: None,
            free_slots: Vec::new(),
            live: 0,
            index: Index::default(),
            hashing: RandomState::default(),
            text: LabelText::default(),
            removed: Vec::new(),
            no_family: FamilySpec::default(),
        }
    }

    /// What a family was declared with.
    pub(crate) fn family(&self, id: FamilyId) -> &FamilySpec {
        self.families.get(id.0 as usize).map_or(&self.no_family, |family| &family.spec)
    }

    /// Every family in the order of names.
    pub(crate) fn families(&self) -> impl Iterator<Item = FamilyId> + '_ {
        self.by_name.values().copied()
    }

    /// The families registered after the first `known` ones, in the order of their registration.
    pub(crate) fn families_since(&self, known: usize) -> impl Iterator<Item = FamilyId> + use<> {
        (known..self.families.len()).map(|place| FamilyId(place as u32))
    }

    /// How many families were registered so far, so that readers know when to look again.
    pub(crate) fn families_len(&self) -> usize {
        self.families.len()
    }

    /// The live series of a family, in any order.
    pub(crate) fn series_of(&self, family: FamilyId) -> impl Iterator<Item = SeriesId> + '_ {
        let rows = self.families.get(family.0 as usize).into_iter().flat_map(Family::rows);
        rows.filter_map(|(_, row)| self.id_of(row.slot()?))
    }

    /// Grows with every birth and removal in the family, so that readers know when to look again.
    pub(crate) fn epoch(&self, family: FamilyId) -> u64 {
        self.families.get(family.0 as usize).map_or(0, |family| family.epoch)
    }

    /// The series with these labels (any order; names valid and distinct, values not empty), born now if new.
    /// Over a limit it is the family's overflow series for these label names; what is applied to that is counted.
    pub fn resolve(&mut self, family: FamilyId, labels: &[(&str, &str)], now: Timestamp) -> SeriesId {
        self.text.render(labels);
        let hash = hash_of(&self.hashing, family, self.text.identity());
        match self.find_text(family, hash) {
            Some(found) => found,
            None => self.birth(family, hash, labels, now),
        }
    }

    /// Whether the series is still there.
    #[inline]
    pub(crate) fn is_live(&self, id: SeriesId) -> bool {
        self.slot(id).is_some()
    }

    /// Takes a gauge away (its tracker dropped it).
    pub(crate) fn remove(&mut self, id: SeriesId, now: Timestamp) {
        let Some(slot) = self.slot(id).copied() else { return };
        let born = self.born(id);
        let Some(family) = self.families.get_mut(slot.family.0 as usize) else { return };
        let (hash, labels) = family.row(slot.row).map_or((0, Labels::empty()), |(page, row)| {
            (hash_of_row(&self.hashing, slot.family, (page, row)), labels_of(page, row))
        });
        self.index.remove(hash, id.slot);
        family.remove_row(slot.row);
        if slot.marks.has(Marks::OVERFLOW) {
            family.overflow_series -= 1;
        } else {
            family.live -= 1;
        }
        let cells = slot.cell..slot.cell + family.spec.cells();
        self.cells.give_back(kind_of(slot.metric_type), cells.clone());
        self.touch(id);
        if let Some(slot) = self.slots.get_mut(id.slot as usize) {
            slot.generation = slot.generation.wrapping_add(1);
            self.free_slots.push(id.slot);
        }
        self.live -= 1;
        self.frozen_families = None;
        self.removed.push(Removed { id, family: slot.family, labels, cells, born, at: now });
    }

    /// The series that left since the last call.
    pub(crate) fn removed(&mut self) -> Vec<Removed> {
        take(&mut self.removed)
    }

    /// The family of a series; of one that left, that of whoever has its slot now.
    pub(crate) fn family_of(&self, id: SeriesId) -> FamilyId {
        self.slots.get(id.slot as usize).map_or(FamilyId(u32::MAX), |slot| slot.family)
    }

    /// The labels of a series, metric name not included; none once it left.
    pub(crate) fn labels(&self, id: SeriesId) -> Labels {
        self.row(id).map_or_else(Labels::empty, |(page, row)| labels_of(page, row))
    }

    /// The labels of a series as text (`a="x",b="y"`), to read with [`super::pairs`]; empty once it left.
    pub(crate) fn label_text(&self, id: SeriesId) -> String {
        self.row(id).map_or_else(String::new, |(page, row)| page.text(row))
    }

    /// When a series was born: its counters had a zero sample then.
    pub(crate) fn born(&self, id: SeriesId) -> Timestamp {
        self.row(id).map_or(Timestamp::EPOCH, |(page, row)| page.born(row))
    }

    /// The cells of a series: one; for a histogram its buckets, `+Inf`, then the sum. None once it left.
    pub(crate) fn cells(&self, id: SeriesId) -> Range<u32> {
        let Some(slot) = self.slot(id) else { return 0..0 };
        let count = self.families.get(slot.family.0 as usize).map_or(0, |family| family.spec.cells());
        slot.cell..slot.cell + count
    }

    /// The value of a cell.
    pub(crate) fn cell(&self, cell: u32) -> f64 {
        self.cells.get(cell)
    }

    /// How many pages the cells stand in.
    pub(in crate::engine) fn cell_pages_len(&self) -> usize {
        self.cells.pages_len()
    }

    /// The values of a page of cells as they are now; cells that no series has are zero.
    pub(in crate::engine) fn share_cell_page(&mut self, page: usize) -> Arc<Numbers> {
        self.cells.share_page(page)
    }

    /// Series in all, overflow series and parked ones included.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        self.live
    }

    #[inline]
    pub(super) fn slot(&self, id: SeriesId) -> Option<&Slot> {
        self.slots.get(id.slot as usize).filter(|slot| slot.generation == id.generation)
    }

    pub(super) fn slot_mut(&mut self, id: SeriesId) -> Option<&mut Slot> {
        self.slots.get_mut(id.slot as usize).filter(|slot| slot.generation == id.generation)
    }

    pub(in crate::engine) fn id_of(&self, slot: u32) -> Option<SeriesId> {
        let generation = self.slots.get(slot as usize)?.generation;
        Some(SeriesId { slot, generation })
    }

    pub(super) fn row(&self, id: SeriesId) -> Option<(&Rows, &Row)> {
        let slot = self.slot(id)?;
        self.families.get(slot.family.0 as usize)?.row(slot.row)
    }

    fn find_text(&self, family: FamilyId, hash: u64) -> Option<SeriesId> {
        let identity = self.text.identity();
        self.id_of(self.index.find(hash, |slot| self.is_text_of(slot, family, identity))?)
    }

    fn is_text_of(&self, slot: u32, family: FamilyId, identity: &str) -> bool {
        self.slots.get(slot as usize).is_some_and(|slot| {
            slot.family == family
                && self.families.get(family.0 as usize).and_then(|family| family.row(slot.row)).is_some_and(
                    |(page, row)| {
                        page.is_text(row, identity)
                            || (page.is_unusual() && identity_of(&page.text(row)) == identity)
                    },
                )
        })
    }

    /// Gives birth to the series whose text was just rendered, or finds the one that stands for it.
    fn birth(&mut self, id: FamilyId, hash: u64, labels: &[(&str, &str)], now: Timestamp) -> SeriesId {
        let Some(family) = self.families.get(id.0 as usize) else { return self.unborn() };
        // What counts the folding must not be folded; its label sets are bounded by themselves.
        let is_own = family.spec.name.starts_with(OWN_PREFIX);
        let family_max = self.limits.series_per_metric.max(if is_own { OWN_SERIES_MIN } else { 0 });
        let full = family.live >= family_max || (self.live >= self.limits.series && !is_own);
        if full && !self.text.identity().is_empty() {
            return self.overflow(id, labels, now);
        }
        self.bear(id, hash, Marks::default(), now).unwrap_or_else(|| self.unborn())
    }

    /// The series with these labels, which were there before: no limit keeps them away.
    pub(super) fn bear_again(&mut self, id: FamilyId, labels: &[(&str, &str)], now: Timestamp) {
        self.text.render(labels);
        let hash = hash_of(&self.hashing, id, self.text.identity());
        if self.find_text(id, hash).is_none() {
            self.bear(id, hash, Marks::default(), now);
        }
    }

    fn overflow(&mut self, id: FamilyId, labels: &[(&str, &str)], now: Timestamp) -> SeriesId {
        let family_has = self.families.get(id.0 as usize).map_or(0, |family| family.overflow_series);
        let mut folded = super::overflow::labels_for(labels);
        for last in [false, true] {
            if last {
                folded = super::overflow::last_labels();
            }
            self.text.render(&folded);
            let hash = hash_of(&self.hashing, id, self.text.identity());
            if let Some(found) = self.find_text(id, hash) {
                self.fold_into(found);
                return found;
            }
            if last || family_has < super::overflow::OVERFLOW_SERIES_MAX {
                return self.bear(id, hash, Marks::OVERFLOW, now).unwrap_or_else(|| self.unborn());
            }
        }
        self.unborn()
    }

    /// From now on a series stands for what exceeds a limit, whoever gave birth to it.
    fn fold_into(&mut self, series: SeriesId) {
        let Some(slot) = self.slot_mut(series).filter(|slot| !slot.marks.has(Marks::OVERFLOW)) else {
            return;
        };
        slot.marks.put(Marks::OVERFLOW);
        let family = slot.family;
        if let Some(family) = self.families.get_mut(family.0 as usize) {
            family.live -= 1;
            family.overflow_series += 1;
        }
    }

    /// The id of a series for which there is no room: as of one that was born and left at once.
    #[cold]
    fn unborn(&mut self) -> SeriesId {
        let place = self.free_slots.last().copied().unwrap_or_else(|| {
            let place = self.slots.len() as u32;
            self.slots.push(Slot::free());
            self.free_slots.push(place);
            place
        });
        let generation = self.slots.get_mut(place as usize).map_or(0, |slot| {
            slot.generation = slot.generation.wrapping_add(1);
            slot.generation.wrapping_sub(1)
        });
        SeriesId { slot: place, generation }
    }

    fn bear(&mut self, id: FamilyId, hash: u64, marks: Marks, now: Timestamp) -> Option<SeriesId> {
        let family = self.families.get_mut(id.0 as usize)?;
        let metric_type = family.spec.metric_type;
        let cell = self.cells.take(kind_of(metric_type), family.spec.cells())?;
        let place = match self.free_slots.pop() {
            Some(place) => place,
            None => u32::try_from(self.slots.len()).ok()?,
        };
        let row = family.add_row(Newcomer { slot: place, cell, born: now }, self.text.display());
        if marks.has(Marks::OVERFLOW) {
            family.overflow_series += 1;
        } else {
            family.live += 1;
        }
        let mut slot =
            Slot { generation: 0, family: id, row, cell, moved: now.into(), due: 0, metric_type, marks };
        if family.watched {
            slot.marks.put(Marks::WATCHED);
        }
        match self.slots.get_mut(place as usize) {
            Some(old) => {
                slot.generation = old.generation;
                *old = slot;
            }
            None => self.slots.push(slot),
        }
        self.put_in_index(hash, place);
        self.live += 1;
        self.frozen_families = None;
        let series = SeriesId { slot: place, generation: slot.generation };
        self.touch(series);
        self.schedule(series);
        Some(series)
    }

    /// Puts a series that was saved into the index.
    pub(super) fn index_restored(&mut self, family: FamilyId, slot: u32, text: &str) {
        let hash = hash_of(&self.hashing, family, &identity_of(text));
        self.put_in_index(hash, slot);
        self.live += 1;
    }

    fn put_in_index(&mut self, hash: u64, slot: u32) {
        let Self { index, slots, families, hashing, .. } = self;
        index.insert(hash, slot, |known| {
            let slot = slots.get(known as usize);
            let row =
                slot.and_then(|slot| Some((slot, families.get(slot.family.0 as usize)?.row(slot.row)?)));
            row.map_or(0, |(slot, row)| hash_of_row(hashing, slot.family, row))
        });
    }

    /// Whether others may push a family's series out of sight (into overflow or by parking).
    pub(super) fn is_own(&self, family: FamilyId) -> bool {
        self.family(family).name.starts_with(OWN_PREFIX)
    }
}

/// The labels of a row as a set.
fn labels_of(page: &Rows, row: &Row) -> Labels {
    Labels::collect(page.pairs(row).map(|(name, value)| (name.into_owned(), value.into_owned())))
}

/// Which cells a type has.
pub(super) fn kind_of(metric_type: MetricType) -> CellKind {
    match metric_type {
        MetricType::Gauge => CellKind::Plain,
        MetricType::Counter | MetricType::Histogram => CellKind::Exemplified,
    }
}
