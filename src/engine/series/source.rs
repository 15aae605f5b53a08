//! What readers of series need, of the store itself or of one frozen instant of it.

use super::family::Family;
use super::rows::{Row, Rows};
use super::{FamilyId, FamilySpec, Store};

/// Families, their series and their present values.
pub(in crate::engine) trait SeriesSource {
    /// What a family was declared with.
    fn family_spec(&self, family: FamilyId) -> &FamilySpec;
    /// The family of this name (OpenMetrics family name, no `_total`).
    fn family_named(&self, name: &str) -> Option<FamilyId>;
    /// Every family in the order of names.
    fn families_by_name(&self) -> impl Iterator<Item = FamilyId> + '_;
    /// Grows with every birth and removal in the family.
    fn family_epoch(&self, family: FamilyId) -> u64;
    /// The series of a family, in pages; a page of the same epoch holds the same ones.
    fn row_pages(&self, family: FamilyId) -> impl Iterator<Item = &Rows> + '_;
    /// The series of a family, each with its page.
    fn rows(&self, family: FamilyId) -> impl Iterator<Item = (&Rows, &Row)> + '_ {
        self.row_pages(family).flat_map(|page| page.iter().map(move |row| (page, row)))
    }
    /// The value of a cell.
    fn cell_value(&self, cell: u32) -> f64;
}

impl SeriesSource for Store {
    fn family_spec(&self, family: FamilyId) -> &FamilySpec {
        self.family(family)
    }

    fn family_named(&self, name: &str) -> Option<FamilyId> {
        self.find(name)
    }

    fn families_by_name(&self) -> impl Iterator<Item = FamilyId> + '_ {
        self.families()
    }

    fn family_epoch(&self, family: FamilyId) -> u64 {
        self.epoch(family)
    }

    fn row_pages(&self, family: FamilyId) -> impl Iterator<Item = &Rows> + '_ {
        self.families.get(family.0 as usize).into_iter().flat_map(Family::pages)
    }

    fn cell_value(&self, cell: u32) -> f64 {
        self.cell(cell)
    }
}
