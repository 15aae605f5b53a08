//! What readers need of the past. A clone shares all of it and costs a look at each page.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::codec::ChangePlace;
use super::column::{Column, PAGE_CELLS};
use super::entries::LabelCache;
use super::gone::GoneSeries;
use super::instants::{Instants, SampledInstant};
use super::page::PastPage;
use super::written::{Occasion, Written};
use crate::engine::labels::Labels;
use crate::engine::promql::Value;
use crate::engine::series::FamilyId;
use crate::engine::time::Timestamp;

/// The past of every series, to read.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    pub(super) instants: Instants,
    pub(super) pages: Vec<Arc<PastPage>>,
    pub(super) gone: GoneSeries,
    /// Families whose past does not fit.
    pub(super) left_out: Arc<BTreeSet<FamilyId>>,
    pub(super) written: Written,
    pub(super) labels: Arc<LabelCache>,
}

/// The page and the place in it of a cell.
pub(super) const fn place_of(cell: u32) -> (usize, usize) {
    (cell as usize / PAGE_CELLS, cell as usize % PAGE_CELLS)
}

impl Timeline {
    /// The first instant of the past; none where there is no past yet.
    pub(in crate::engine) fn begins(&self) -> Option<Timestamp> {
        self.instants.first_of_grid().map(Timestamp::from_millis)
    }

    /// Forgets what rules wrote into the series that are meant; who shares the past keeps theirs.
    pub(in crate::engine) fn forget_written(&mut self, is_meant: impl Fn(&Labels) -> bool) {
        self.written.forget(is_meant);
    }

    /// Writes a sample as a rule does; who shares the past does not see it.
    pub(in crate::engine) fn write(
        &mut self,
        labels: &Labels,
        time_ms: i64,
        value: Option<Value>,
        occasion: Occasion,
    ) {
        self.written.append(labels, time_ms, value, occasion);
    }

    /// The values of a cell at these places of the grid.
    pub(super) fn values(&self, cell: u32, places: Range<ChangePlace>, out: &mut Vec<f64>) {
        let (page, cell) = place_of(cell);
        match self.pages.get(page) {
            Some(page) => page.values(cell, places, out),
            None => out.extend(places.map(|_| 0.0)),
        }
    }

    /// The value of a cell at an instant.
    pub(super) fn value(&self, cell: u32, instant: &SampledInstant) -> f64 {
        let (page, cell) = place_of(cell);
        let Some(page) = self.pages.get(page) else { return 0.0 };
        match instant.arrival {
            None => page.value(cell, instant.place),
            Some(number) => page.value_at_arrival(cell, (instant.place, number), self.instants.last_place()),
        }
    }

    /// What arrivals changed in the page of a cell in the step that followed `after`.
    pub(super) fn arrivals(&self, cell: u32, after: ChangePlace) -> &[Arc<Column>] {
        let page = self.pages.get(place_of(cell).0);
        page.map_or(&[], |page| page.arrivals(after, self.instants.last_place()))
    }

    /// What is left of the arrivals of older steps, of one cell.
    pub(super) fn extremes(
        &self,
        cell: u32,
        start_ms: i64,
        end_ms: i64,
    ) -> impl Iterator<Item = (i64, f64)> + '_ {
        let (page, cell) = place_of(cell);
        let page = self.pages.get(page).filter(|page| !page.extremes().is_empty());
        page.into_iter().flat_map(move |page| page.extremes().of(cell, start_ms, end_ms))
    }
}
