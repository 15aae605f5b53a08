//! One instant of everything a scrape shows, shared with the store.

use std::sync::Arc;

use super::cells::{Exemplar, FrozenCells};
use super::family::Rows;
use super::{FamilyId, FamilySpec, Store};

/// What [`Store::freeze`] took; `Send`, written out off the driver by [`crate::engine::exposition`].
#[derive(Debug, Default)]
pub struct Frozen {
    families: Arc<[FrozenFamily]>,
    cells: FrozenCells,
}

/// A family with its series at one instant.
#[derive(Debug)]
pub struct FrozenFamily {
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

    fn freeze_families(&mut self) -> Arc<[FrozenFamily]> {
        let order: Vec<FamilyId> = self.families().collect();
        let mut frozen = Vec::with_capacity(order.len());
        for id in order {
            if let Some(family) = self.families.get_mut(id.0 as usize) {
                frozen.push(FrozenFamily { spec: Arc::clone(&family.spec), pages: family.share_rows() });
            }
        }
        let frozen: Arc<[FrozenFamily]> = frozen.into();
        self.frozen_families = Some(Arc::clone(&frozen));
        frozen
    }
}

impl Frozen {
    /// The families in the order of their names, empty ones included.
    pub fn families(&self) -> &[FrozenFamily] {
        &self.families
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

impl FrozenFamily {
    /// What the family is declared with.
    pub fn spec(&self) -> &FamilySpec {
        &self.spec
    }

    /// Its series, in pages.
    pub(in crate::engine) fn pages(&self) -> &[Arc<Rows>] {
        &self.pages
    }

    /// Whether it has no series.
    pub fn is_empty(&self) -> bool {
        self.pages.iter().all(|page| page.iter().next().is_none())
    }
}
