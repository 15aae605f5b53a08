//! Moving series and reading what they are at.

use super::numbers::saturated;
use super::store::Marks;
use super::{Cause, Exemplar, FamilyId, Ordinal, SeriesId, Store};
use crate::engine::metric::MetricType;

/// Values that fall into one bucket.
struct Run {
    bucket: u32,
    /// The bounds around it.
    above: f64,
    up_to: f64,
    count: u32,
}

impl Run {
    /// None yet of the bucket that `value` falls into.
    fn of(bounds: &[f64], value: f64) -> Self {
        let bucket = bucket_of(bounds, value);
        let bound = |place: Option<usize>| place.and_then(|place| bounds.get(place)).copied();
        Self {
            bucket: bucket as u32,
            above: bound(bucket.checked_sub(1)).unwrap_or(f64::NEG_INFINITY),
            up_to: bound(Some(bucket)).unwrap_or(f64::INFINITY),
            count: 0,
        }
    }
}

/// Up to so many bounds all are compared: that no branch depends on the value is worth more than fewer comparisons.
const COMPARED_MAX: usize = 24;

/// The place of the first bound that is not below `value`; as many as there are bounds where all are.
#[inline]
fn bucket_of(bounds: &[f64], value: f64) -> usize {
    if bounds.len() <= COMPARED_MAX {
        return bounds.iter().map(|bound| u64::from(*bound < value)).sum::<u64>() as usize;
    }
    bounds.partition_point(|bound| *bound < value)
}

impl Store {
    /// Adds to a counter (finite, not negative, else nothing happens; a total saturates at `f64::MAX`).
    /// This, [`Store::set`] and [`Store::observe`] do nothing to a series that left or is of another type.
    #[inline]
    pub fn add(&mut self, id: SeriesId, delta: f64, cause: Cause) {
        if !(0.0..=f64::MAX).contains(&delta) {
            return;
        }
        if let Some(cell) = self.moving(id, MetricType::Counter, cause) {
            self.cells.add(cell, delta);
            if let Some(event) = cause.event {
                self.cells.exemplify(cell, Exemplar { value: delta, event });
            }
        }
    }

    /// Sets a gauge, to NaN and infinities too.
    #[inline]
    pub fn set(&mut self, id: SeriesId, value: f64, cause: Cause) {
        if let Some(cell) = self.moving(id, MetricType::Gauge, cause) {
            self.cells.set(cell, value);
        }
    }

    /// Observes a value in a histogram (finite, else nothing happens; the sum saturates).
    #[inline]
    pub fn observe(&mut self, id: SeriesId, value: f64, cause: Cause) {
        if !value.is_finite() {
            return;
        }
        let Some(first) = self.moving(id, MetricType::Histogram, cause) else { return };
        let buckets = self.families.get(self.family_of(id).0 as usize).map(|family| &family.spec.buckets);
        let Some(buckets) = buckets else { return };
        let bucket = first + bucket_of(buckets, value) as u32;
        self.cells.add(bucket, 1.0);
        self.cells.add(first + buckets.len() as u32 + 1, value);
        if let Some(event) = cause.event {
            self.cells.exemplify(bucket, Exemplar { value, event });
        }
    }

    /// Observes values one after the other in a histogram whose series is looked up once; they leave no exemplars.
    pub(crate) fn observe_all(&mut self, id: SeriesId, values: &[f64], cause: Cause) {
        let Some(first) = self.moving(id, MetricType::Histogram, cause) else { return };
        let buckets = self.families.get(self.family_of(id).0 as usize).map(|family| &family.spec.buckets);
        let Some(buckets) = buckets else { return };
        let sum = first + buckets.len() as u32 + 1;
        // Neighbours mostly fall into one bucket, so it is looked for again, and its cell written, where it changes.
        let mut run = Run { bucket: 0, above: f64::INFINITY, up_to: f64::INFINITY, count: 0 };
        let mut total = self.cells.get(sum);
        for value in values.iter().copied().filter(|value| value.is_finite()) {
            if !(run.above < value && value <= run.up_to) {
                self.cells.add(first + run.bucket, f64::from(run.count));
                run = Run::of(buckets, value);
            }
            run.count += 1;
            total = saturated(total + value);
        }
        self.cells.add(first + run.bucket, f64::from(run.count));
        self.cells.set(sum, total);
    }

    /// The first cell of a series of this type that is about to move, with everything noted that follows from it.
    #[inline]
    fn moving(&mut self, id: SeriesId, metric_type: MetricType, cause: Cause) -> Option<u32> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.generation != id.generation || slot.metric_type != metric_type {
            return None;
        }
        slot.moved = cause.now.into();
        let cell = slot.cell;
        if slot.marks.needs_attention() {
            self.attend(id);
        }
        if let Some(event) = cause.event {
            self.moves.push(event, id);
        }
        Some(cell)
    }

    #[cold]
    fn attend(&mut self, id: SeriesId) {
        if let Some(slot) = self.slot(id)
            && slot.marks.has(Marks::OVERFLOW)
        {
            self.overflows.count(slot.family);
        }
        self.unpark(id);
        self.touch(id);
    }

    /// Puts a watched series on the list of touched ones, once.
    pub(super) fn touch(&mut self, id: SeriesId) {
        if let Some(slot) = self.slots.get_mut(id.slot as usize)
            && slot.marks.has(Marks::WATCHED)
            && !slot.marks.has(Marks::TOUCHED)
        {
            slot.marks.put(Marks::TOUCHED);
            self.touched.push(id);
        }
    }

    /// The value of a counter or gauge; the count of a histogram; NaN once the series left.
    pub(crate) fn value(&self, id: SeriesId) -> f64 {
        match self.slot(id).map(|slot| (slot.metric_type, slot.cell)) {
            None => f64::NAN,
            Some((MetricType::Counter | MetricType::Gauge, cell)) => self.cells.get(cell),
            Some((MetricType::Histogram, _)) => self.count(id),
        }
    }

    /// How many values a histogram observed; 0 where the series is no histogram.
    pub(crate) fn count(&self, id: SeriesId) -> f64 {
        self.histogram_cells(id).map_or(0.0, |buckets| buckets.map(|cell| self.cells.get(cell)).sum())
    }

    fn histogram_cells(&self, id: SeriesId) -> Option<std::ops::Range<u32>> {
        self.slot(id).filter(|slot| slot.metric_type == MetricType::Histogram)?;
        let cells = self.cells(id);
        Some(cells.start..cells.end.checked_sub(1)?)
    }

    /// Marks the families whose touched series [`Store::touched`] reports (what rules read); all others cost nothing.
    /// The series that a family newly watched already has count as touched.
    pub(crate) fn watch(&mut self, families: &mut dyn Iterator<Item = FamilyId>) {
        let mut wanted = vec![false; self.families.len()];
        for family in families {
            if let Some(wanted) = wanted.get_mut(family.0 as usize) {
                *wanted = true;
            }
        }
        for (family, wanted) in self.families.iter_mut().zip(wanted) {
            if family.watched == wanted {
                continue;
            }
            family.watched = wanted;
            for place in family.rows().filter_map(|(_, row)| row.slot()) {
                let Some(slot) = self.slots.get_mut(place as usize) else { continue };
                if !wanted {
                    slot.marks.clear(Marks::WATCHED);
                } else if !slot.marks.has(Marks::TOUCHED) {
                    slot.marks.put(Marks::WATCHED);
                    slot.marks.put(Marks::TOUCHED);
                    self.touched.push(SeriesId { slot: place, generation: slot.generation });
                } else {
                    slot.marks.put(Marks::WATCHED);
                }
            }
        }
    }

    /// Whether a watched series moved since the last call of [`Store::touched`].
    pub(crate) fn is_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// What [`Store::touched`] would return.
    pub(crate) fn touched_so_far(&self) -> &[SeriesId] {
        &self.touched
    }

    /// The watched series moved since the last call, each once, with their births and removals.
    pub(crate) fn touched(&mut self) -> Vec<SeriesId> {
        let touched = std::mem::take(&mut self.touched);
        for id in &touched {
            if let Some(slot) = self.slots.get_mut(id.slot as usize)
                && slot.generation == id.generation
            {
                slot.marks.clear(Marks::TOUCHED);
            }
        }
        touched
    }

    /// Up to `most` of the last events that moved any of `series`, newest first; none older than 65,536 events.
    pub(crate) fn evidence(&self, series: &[SeriesId], most: usize) -> Vec<Ordinal> {
        self.moves.evidence(series, most)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::series::{FamilySpec, SeriesLimits};
    use crate::engine::time::Timestamp;

    proptest! {
        /// Values observed together move the cells that they move one by one, bit for bit.
        #[test]
        fn values_observed_together_count_as_they_do_one_by_one(
            values in prop::collection::vec(prop_oneof![Just(f64::NAN), Just(1.0), 0.0..4.0_f64, Just(f64::MAX)], 0..40),
            bounds in 0_u8..40,
        ) {
            let mut store = Store::new(SeriesLimits { series: 10, series_per_metric: 10 });
            let buckets: Vec<f64> = (0..bounds).map(|bound| f64::from(bound) / 8.0).collect();
            let spec = FamilySpec { name: "h".into(), metric_type: MetricType::Histogram, buckets: buckets.into(), ..FamilySpec::default() };
            let family = store.register(spec).unwrap();
            let cause = Cause { now: Timestamp::EPOCH, event: None };
            let [together, apart] = ["a", "b"].map(|name| store.resolve(family, &[("of", name)], cause.now));
            store.observe_all(together, &values, cause);
            for value in values {
                store.observe(apart, value, cause);
            }
            let cells = |series| -> Vec<u64> { store.cells(series).map(|cell| store.cell(cell).to_bits()).collect() };
            prop_assert_eq!(cells(together), cells(apart));
        }
    }
}
