//! The store and its past as the evaluator reads them, live or frozen.

use hashbrown::HashMap;

use super::entries::{SampleEntry, bounds, matches};
use super::gone::Gone;
use super::rows::{Lived, Rows, last_only};
use super::timeline::Timeline;
use super::written::Samples;
use crate::engine::labels::{Labels, METRIC_NAME};
use crate::engine::metric::bound::BUCKET_BOUND;
use crate::engine::metric::{MetricType, Part, sample_names};
use crate::engine::promql::storage::{Halt, Matcher, Patience, Selection};
use crate::engine::promql::{Sample, SelectedSeries, Storage};
use crate::engine::series::{Exemplar, FamilyId, Frozen, SeriesId, SeriesSource, Store};
use crate::engine::time::Timestamp;

/// Every series at `now`, with its past.
pub(in crate::engine) struct Past<'a, S> {
    /// Where the present values are.
    pub(in crate::engine) store: &'a S,
    /// Where the past ones are.
    pub(in crate::engine) timeline: &'a Timeline,
    /// The present instant.
    pub(in crate::engine) now: Timestamp,
    /// Whether whoever reads still waits.
    pub(in crate::engine) patience: &'a dyn Patience,
}

impl<S: SeriesSource> Storage for Past<'_, S> {
    fn halted(&self) -> Option<Halt> {
        self.patience.ended()
    }

    fn select(&self, selection: Selection<'_>) -> Vec<SelectedSeries> {
        let mut found = Found::default();
        for (family, part) in self.candidates(selection.matchers) {
            self.select_live(family, part, &selection, &mut found);
            self.select_gone(family, part, &selection, &mut found);
        }
        self.select_written(&selection, &mut found);
        found.series
    }
}

impl Past<'_, Store> {
    /// The live series that match, for evidence.
    pub(in crate::engine) fn series(
        &self,
        matchers: &[Matcher],
        agrees: impl Fn(&Labels) -> bool,
    ) -> Vec<SeriesId> {
        let mut found = Vec::new();
        for (family, part) in self.candidates(matchers) {
            let entries = self.timeline.labels.entries(self.store, family, part);
            let matching = entries.matching(matchers).into_iter().filter(|entry| agrees(&entry.labels));
            found.extend(matching.filter_map(|entry| self.store.id_of(entry.slot)));
        }
        found.dedup();
        found
    }
}

impl Past<'_, Frozen> {
    /// The exemplars of the sample series that match.
    pub(in crate::engine) fn exemplars(&self, matchers: &[Matcher]) -> Vec<(Labels, Exemplar)> {
        let mut found = Vec::new();
        for (family, part) in self.candidates(matchers) {
            let is_exemplified = match part {
                Part::Value => self.store.family_spec(family).metric_type == MetricType::Counter,
                Part::Bucket => true,
                Part::Sum | Part::Count | Part::Created => false,
            };
            if !is_exemplified || self.halted().is_some() {
                continue;
            }
            let entries = self.timeline.labels.entries(self.store, family, part);
            for entry in entries.matching(matchers) {
                let cell = u32::try_from(entry.bucket).ok().and_then(|bucket| entry.cell.checked_add(bucket));
                if let Some(exemplar) = cell.and_then(|cell| self.store.exemplar(cell)) {
                    found.push((entry.labels.clone(), exemplar));
                }
            }
        }
        found
    }
}

impl<S: SeriesSource> Past<'_, S> {
    /// Whether the past of a family is kept.
    pub(super) fn keeps(&self, family: FamilyId) -> bool {
        !self.timeline.left_out.contains(&family)
    }

    fn candidates(&self, matchers: &[Matcher]) -> Vec<(FamilyId, Part)> {
        if let Some(name) = name_of(matchers) {
            return self.named(name);
        }
        let families = self.store.families_by_name();
        let parts = families.flat_map(|family| {
            let metric_type = self.store.family_spec(family).metric_type;
            metric_type.parts().iter().map(move |part| (family, *part))
        });
        parts.filter(|(family, part)| self.may_match(matchers, *family, *part)).collect()
    }

    /// Whether a family's name meets the conditions on it.
    fn may_match(&self, matchers: &[Matcher], family: FamilyId, part: Part) -> bool {
        let mut on_name = matchers.iter().filter(|matcher| matcher.name.as_ref() == METRIC_NAME).peekable();
        if on_name.peek().is_none() {
            return true;
        }
        let spec = self.store.family_spec(family);
        let name = part.sample_name(spec.metric_type, &spec.name);
        on_name.all(|matcher| matcher.condition.holds(&name))
    }

    pub(super) fn named(&self, name: &str) -> Vec<(FamilyId, Part)> {
        let found = sample_names(name).filter_map(|sample| {
            let family = self.store.family_named(sample.family)?;
            let metric_type = self.store.family_spec(family).metric_type;
            let has = metric_type == sample.metric_type && metric_type.parts().contains(&sample.part);
            has.then_some((family, sample.part))
        });
        found.collect()
    }

    pub(super) fn cells_of(&self, family: FamilyId, first: u32) -> std::ops::Range<u32> {
        first..first + self.store.family_spec(family).cells()
    }

    fn select_live(&self, family: FamilyId, part: Part, selection: &Selection<'_>, found: &mut Found) {
        let entries = self.timeline.labels.entries(self.store, family, part);
        let mut rows = None;
        for SampleEntry { cell, born, bucket, labels, .. } in entries.matching(selection.matchers) {
            if self.halted().is_some() {
                return;
            }
            let rows = rows.get_or_insert_with(|| Rows::new(self, family, part, selection));
            let series = Lived { cells: self.cells_of(family, *cell), born: *born, left: None };
            let samples = rows.samples(self, &series, *bucket);
            found.add(labels, samples, rows.left_out(self, *born));
        }
    }

    fn select_gone(&self, family: FamilyId, part: Part, selection: &Selection<'_>, found: &mut Found) {
        if !self.keeps(family) {
            return;
        }
        let spec = self.store.family_spec(family);
        let name = part.sample_name(spec.metric_type, &spec.name);
        let mut rows = None;
        let meets = |matcher: &Matcher, gone: &Gone| match matcher.name.as_ref() {
            METRIC_NAME => matcher.condition.holds(&name),
            // That is looked at bucket by bucket.
            BUCKET_BOUND if part == Part::Bucket => true,
            label => matcher.meets(gone.labels.get(label).unwrap_or("")),
        };
        let wanted = |gone: &&Gone| {
            gone.born.millis() <= selection.end_ms
                && selection.matchers.iter().all(|matcher| meets(matcher, gone))
        };
        for gone in self.timeline.gone.of(family, selection.start_ms).filter(wanted) {
            let labels = gone.labels.with(METRIC_NAME, &name);
            let buckets: Vec<(usize, Labels)> = match part {
                Part::Bucket => bounds(&spec.buckets)
                    .enumerate()
                    .map(|(bucket, bound)| (bucket, labels.with(BUCKET_BOUND, &bound)))
                    .collect(),
                Part::Value | Part::Sum | Part::Count | Part::Created => vec![(0, labels)],
            };
            let series = Lived { cells: gone.cells.clone(), born: gone.born, left: Some(gone.at) };
            for (bucket, labels) in buckets {
                if matches(selection.matchers, &labels) {
                    let rows = rows.get_or_insert_with(|| Rows::of_gone(self, family, part, selection));
                    found.join(&labels, rows.samples(self, &series, bucket));
                }
            }
        }
    }

    fn select_written(&self, selection: &Selection<'_>, found: &mut Found) {
        let mut take = |labels: &Labels, samples: &Samples| {
            if !matches(selection.matchers, labels) {
                return;
            }
            let inside = samples.between(selection.start_ms, selection.end_ms);
            let samples =
                inside.map(|(time_ms, value)| Sample { time_ms, start_ms: None, value: value.clone() });
            found.join(labels, last_only(samples.collect(), selection.extent));
        };
        let written = &self.timeline.written;
        match name_of(selection.matchers) {
            Some(name) => written.named(name).for_each(|(labels, samples)| take(labels, samples)),
            None => written.iter().for_each(|(labels, samples)| take(labels, samples)),
        }
    }
}

/// The series that were found, each label set once.
#[derive(Debug, Default)]
struct Found {
    series: Vec<SelectedSeries>,
    /// Where label sets stand, once a series may be there already.
    places: HashMap<Labels, usize>,
    /// How many of `series` are in `places`.
    placed: usize,
}

impl Found {
    /// Adds a series whose labels nothing else has yet; without samples it is none.
    fn add(&mut self, labels: &Labels, samples: Vec<Sample>, left_out: usize) {
        if !samples.is_empty() {
            self.series.push(SelectedSeries { labels: labels.clone(), samples, left_out });
        }
    }

    /// Adds a series, together with an elder or younger self of the same labels.
    fn join(&mut self, labels: &Labels, samples: Vec<Sample>) {
        if samples.is_empty() {
            return;
        }
        for (place, series) in self.series.iter().enumerate().skip(self.placed) {
            self.places.insert(series.labels.clone(), place);
        }
        self.placed = self.series.len();
        match self.places.get(labels).and_then(|place| self.series.get_mut(*place)) {
            Some(known) => {
                known.samples.extend(samples);
                known.samples.sort_by_key(|sample| sample.time_ms);
                known.samples.dedup_by_key(|sample| sample.time_ms);
            }
            None => self.add(labels, samples, 0),
        }
    }
}

/// The metric name a selector spells out.
pub(super) fn name_of(matchers: &[Matcher]) -> Option<&str> {
    matchers.iter().find_map(Matcher::metric_name)
}
