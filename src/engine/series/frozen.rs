//! One instant of every series, shared with the store: what scrapes show and queries read.

use std::sync::Arc;

use super::cells::FrozenCells;
use super::exemplars::Exemplar;
use super::label_text::underscored_metric;
use super::rows::{PAGE_ROWS, Row, Rows};
use super::{FamilyId, FamilySpec, SeriesSource, Store};

/// What [`Store::freeze`] took; `Send`, written out off the driver by [`crate::engine::exposition`].
#[derive(Debug, Default)]
pub struct Frozen {
    families: Arc<FrozenFamilies>,
    cells: FrozenCells,
}

/// The families at one instant.
#[derive(Debug, Default)]
pub(super) struct FrozenFamilies {
    /// In the order of their names.
    by_name: Vec<FrozenFamily>,
    /// By id: the place in that order.
    places: Vec<u32>,
    no_family: FamilySpec,
}

/// A family with its series at one instant.
#[derive(Debug)]
pub(crate) struct FrozenFamily {
    id: FamilyId,
    epoch: u64,
    spec: Arc<FamilySpec>,
    pages: Vec<Arc<Rows>>,
}

impl Store {
    /// One consistent instant of everything, cheap to take (pages are shared, copied when written next).
    pub fn freeze(&mut self) -> Frozen {
        let families = match &self.frozen_families {
            Some(families) => Arc::clone(families),
            None => self.freeze_families(),
        };
        Frozen { families, cells: self.cells.freeze() }
    }

    fn freeze_families(&mut self) -> Arc<FrozenFamilies> {
        let order: Vec<FamilyId> = self.families().collect();
        let mut by_name = Vec::with_capacity(order.len());
        let mut places = vec![u32::MAX; self.families.len()];
        for id in order {
            if let (Some(family), Some(place)) =
                (self.families.get_mut(id.0 as usize), places.get_mut(id.0 as usize))
            {
                *place = by_name.len() as u32;
                let (epoch, spec) = (family.epoch, Arc::clone(&family.spec));
                by_name.push(FrozenFamily { id, epoch, spec, pages: family.share_rows() });
            }
        }
        let frozen = Arc::new(FrozenFamilies { by_name, places, no_family: FamilySpec::default() });
        self.frozen_families = Some(Arc::clone(&frozen));
        frozen
    }
}

impl Frozen {
    /// The families in the order of their names, empty ones included.
    pub(crate) fn families(&self) -> &[FrozenFamily] {
        &self.families.by_name
    }

    /// A family of this instant.
    pub(crate) fn family(&self, id: FamilyId) -> Option<&FrozenFamily> {
        let place = *self.families.places.get(id.0 as usize)?;
        self.families.by_name.get(place as usize)
    }

    /// The value of a cell.
    pub(in crate::engine) fn cell(&self, cell: u32) -> f64 {
        self.cells.get(cell)
    }

    /// What last added to a cell.
    pub(in crate::engine) fn exemplar(&self, cell: u32) -> Option<Exemplar> {
        self.cells.exemplar(cell)
    }
}

impl SeriesSource for Frozen {
    fn family_spec(&self, family: FamilyId) -> &FamilySpec {
        self.family(family).map_or(&self.families.no_family, FrozenFamily::spec)
    }

    fn family_named(&self, name: &str) -> Option<FamilyId> {
        let wanted = underscored_metric(name);
        let families = &self.families.by_name;
        let place =
            families.binary_search_by(|family| underscored_metric(&family.spec.name).cmp(&wanted)).ok()?;
        families.get(place).filter(|family| family.spec.name.as_ref() == name).map(|family| family.id)
    }

    fn families_by_name(&self) -> impl Iterator<Item = FamilyId> + '_ {
        self.families.by_name.iter().map(|family| family.id)
    }

    fn family_epoch(&self, family: FamilyId) -> u64 {
        self.family(family).map_or(0, |family| family.epoch)
    }

    fn row_pages(&self, family: FamilyId) -> impl Iterator<Item = &Rows> + '_ {
        self.family(family).into_iter().flat_map(FrozenFamily::pages).map(AsRef::as_ref)
    }

    fn cell_value(&self, cell: u32) -> f64 {
        self.cell(cell)
    }
}

impl FrozenFamily {
    /// What the family is declared with.
    pub(crate) fn spec(&self) -> &FamilySpec {
        &self.spec
    }

    /// Its series with their places and pages.
    pub(super) fn placed(&self) -> impl Iterator<Item = (u32, &Rows, &Row)> + '_ {
        let pages = (0..).zip(&self.pages);
        pages.flat_map(|(number, page)| {
            page.placed().map(move |(place, row)| (number * PAGE_ROWS + place, page.as_ref(), row))
        })
    }

    /// Its series, in pages.
    pub(in crate::engine) fn pages(&self) -> &[Arc<Rows>] {
        &self.pages
    }

    /// Each of its series with its page, parked ones included.
    pub(in crate::engine) fn rows(&self) -> impl Iterator<Item = (&Rows, &Row)> {
        self.pages.iter().flat_map(|page| page.iter().map(|row| (page.as_ref(), row)))
    }

    /// Whether it has no series that a scrape shows.
    pub(crate) fn is_empty(&self) -> bool {
        self.pages.iter().all(|page| page.shown(0).next().is_none())
    }
}
