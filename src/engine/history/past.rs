//! The store and its past as the evaluator reads them.

use std::cell::RefCell;
use std::sync::Arc;

use hashbrown::HashMap;

use super::{Gone, History};
use crate::engine::labels::{Labels, METRIC_NAME};
use crate::engine::metric::{MetricType, Part, sample_names};
use crate::engine::promql::storage::{Condition, Extent, Matcher, STALE_BITS, Selection};
use crate::engine::promql::{Sample, SelectedSeries, Storage, Value};
use crate::engine::series::{FamilyId, SeriesId, Store};
use crate::engine::time::Timestamp;

/// Every series at `now`, with its past.
#[derive(Debug)]
pub struct Past<'a> {
    /// Where the present values are.
    pub store: &'a Store,
    /// Where the past ones are.
    pub history: &'a History,
    /// The present instant.
    pub now: Timestamp,
}

/// One sample series of the store: a series, and the bucket where it is one of those.
#[derive(Debug)]
struct Entry {
    series: SeriesId,
    bucket: usize,
    labels: Labels,
}

/// Entries of families, rebuilt when series were born or left.
#[derive(Debug, Default)]
pub(super) struct LabelCache(RefCell<HashMap<(FamilyId, Part), Cached>>);

/// The entries of one family, and the store's epoch of it that they are of.
type Cached = (u64, Arc<[Entry]>);

/// Families whose labels are kept at a time.
const CACHED_FAMILIES_MAX: usize = 4_096;

impl Storage for Past<'_> {
    fn select(&self, selection: Selection<'_>) -> Vec<SelectedSeries> {
        let mut found = Vec::new();
        for (family, part) in self.candidates(selection.matchers) {
            self.select_live(family, part, &selection, &mut found);
            for gone in self.history.gone.iter().filter(|gone| gone.family == family) {
                self.select_gone(gone, part, &selection, &mut found);
            }
        }
        self.select_written(&selection, &mut found);
        found
    }
}

impl Past<'_> {
    /// The live series that match, for evidence.
    pub fn series(&self, matchers: &[Matcher], agrees: impl Fn(&Labels) -> bool) -> Vec<SeriesId> {
        let mut found = Vec::new();
        for (family, part) in self.candidates(matchers) {
            let entries = self.entries(family, part);
            let matching =
                entries.iter().filter(|entry| matches(matchers, &entry.labels) && agrees(&entry.labels));
            found.extend(matching.map(|entry| entry.series));
        }
        found.dedup();
        found
    }

    fn candidates(&self, matchers: &[Matcher]) -> Vec<(FamilyId, Part)> {
        let literal = matchers.iter().find_map(|matcher| match &matcher.condition {
            Condition::Equal(name) if matcher.name.as_ref() == METRIC_NAME => Some(name.as_ref()),
            _ => None,
        });
        match literal {
            Some(name) => self.named(name),
            None => self
                .store
                .families()
                .flat_map(|family| {
                    let parts = self.store.family(family).metric_type.parts();
                    parts.iter().map(move |part| (family, *part))
                })
                .collect(),
        }
    }

    fn named(&self, name: &str) -> Vec<(FamilyId, Part)> {
        let found = sample_names(name).filter_map(|sample| {
            let family = self.store.find(sample.family)?;
            let spec = self.store.family(family);
            let has =
                spec.metric_type == sample.metric_type && spec.metric_type.parts().contains(&sample.part);
            has.then_some((family, sample.part))
        });
        found.collect()
    }

    fn entries(&self, family: FamilyId, part: Part) -> Arc<[Entry]> {
        let epoch = self.store.epoch(family);
        let mut cache = self.history.labels.0.borrow_mut();
        if let Some((_, entries)) = cache.get(&(family, part)).filter(|(known, _)| *known == epoch) {
            return Arc::clone(entries);
        }
        let entries: Arc<[Entry]> = self.build_entries(family, part).into();
        if cache.len() >= CACHED_FAMILIES_MAX {
            cache.clear();
        }
        cache.insert((family, part), (epoch, Arc::clone(&entries)));
        entries
    }

    fn build_entries(&self, family: FamilyId, part: Part) -> Vec<Entry> {
        let spec = self.store.family(family);
        let name: Arc<str> = part.sample_name(spec.metric_type, &spec.name).into();
        let mut entries = Vec::new();
        for series in self.store.series_of(family) {
            let labels = self.store.labels(series).with(METRIC_NAME, &name);
            match part {
                Part::Bucket => {
                    entries.extend(bounds(&spec.buckets).enumerate().map(|(bucket, bound)| Entry {
                        series,
                        bucket,
                        labels: labels.with("le", &bound),
                    }));
                }
                Part::Value | Part::Sum | Part::Count | Part::Created => {
                    entries.push(Entry { series, bucket: 0, labels });
                }
            }
        }
        entries
    }

    fn select_live(
        &self,
        family: FamilyId,
        part: Part,
        selection: &Selection<'_>,
        found: &mut Vec<SelectedSeries>,
    ) {
        let entries = self.entries(family, part);
        let mut rows = Rows::new(self, family, part, selection);
        for entry in entries.iter().filter(|entry| matches(selection.matchers, &entry.labels)) {
            let samples = rows.samples(self, entry);
            if !samples.is_empty() {
                found.push(SelectedSeries { labels: entry.labels.clone(), samples });
            }
        }
    }

    fn select_gone(
        &self,
        gone: &Gone,
        part: Part,
        selection: &Selection<'_>,
        found: &mut Vec<SelectedSeries>,
    ) {
        let spec = self.store.family(gone.family);
        let name = part.sample_name(spec.metric_type, &spec.name);
        let bucket_labels: Vec<(usize, Labels)> = match part {
            Part::Bucket => bounds(&spec.buckets)
                .enumerate()
                .map(|(bucket, bound)| (bucket, gone.labels.with(METRIC_NAME, &name).with("le", &bound)))
                .collect(),
            Part::Value | Part::Sum | Part::Count | Part::Created => {
                vec![(0, gone.labels.with(METRIC_NAME, &name))]
            }
        };
        for (bucket, labels) in
            bucket_labels.into_iter().filter(|(_, labels)| matches(selection.matchers, labels))
        {
            let samples = self.gone_samples(gone, part, bucket, selection);
            if !samples.is_empty() {
                merge(found, SelectedSeries { labels, samples });
            }
        }
    }

    fn gone_samples(&self, gone: &Gone, part: Part, bucket: usize, selection: &Selection<'_>) -> Vec<Sample> {
        let start = selection.start_ms.max(gone.born.millis());
        let end = selection.end_ms.min(gone.at.millis() - 1);
        let (places, times) = self.history.axis.between(start, end, gone.family);
        let wanted = wanted_cells(part, bucket, gone.last.len());
        let mut totals = vec![0.0; places.len()];
        for cell in wanted {
            let mut values = Vec::with_capacity(places.len());
            match gone.tracks.get(cell) {
                Some(Some(track)) => track.values(&places, &mut values),
                _ => values.resize(places.len(), gone.last.get(cell).copied().unwrap_or(0.0)),
            }
            totals.iter_mut().zip(values).for_each(|(total, value)| add(total, value));
        }
        let mut samples: Vec<Sample> =
            times.into_iter().zip(totals).map(|(time, value)| float(time, value)).collect();
        if (selection.start_ms..=selection.end_ms).contains(&gone.at.millis()) {
            samples.push(float(gone.at.millis(), f64::from_bits(STALE_BITS)));
        }
        last_only(samples, selection.extent)
    }

    fn select_written(&self, selection: &Selection<'_>, found: &mut Vec<SelectedSeries>) {
        let literal = selection.matchers.iter().find_map(|matcher| match &matcher.condition {
            Condition::Equal(name) if matcher.name.as_ref() == METRIC_NAME => Some(name.as_ref()),
            _ => None,
        });
        let mut take = |labels: &Labels, samples: &super::written::Samples| {
            if !matches(selection.matchers, labels) {
                return;
            }
            let from = samples.partition_point(|(time, _)| *time < selection.start_ms);
            let inside = samples.range(from..).take_while(|(time, _)| *time <= selection.end_ms);
            let samples = last_only(
                inside
                    .map(|(time, value)| Sample { time_ms: *time, start_ms: None, value: value.clone() })
                    .collect(),
                selection.extent,
            );
            if !samples.is_empty() {
                merge(found, SelectedSeries { labels: labels.clone(), samples });
            }
        };
        match literal {
            Some(name) => {
                self.history.written.named(name).for_each(|(labels, samples)| take(labels, samples));
            }
            None => self.history.written.iter().for_each(|(labels, samples)| take(labels, samples)),
        }
    }
}

/// The samples of one family's live series; cells of one series are decoded once for all its buckets.
struct Rows<'a> {
    part: Part,
    selection: &'a Selection<'a>,
    places: Vec<u64>,
    times: Vec<i64>,
    /// The present instant, where the selection reaches it.
    now_ms: Option<i64>,
    series: Option<SeriesId>,
    /// By cell, the values at `places` and the present one.
    cells: Vec<Vec<f64>>,
}

impl<'a> Rows<'a> {
    fn new(past: &Past<'_>, family: FamilyId, part: Part, selection: &'a Selection<'a>) -> Self {
        let now = past.now.millis();
        let now_ms = (selection.start_ms..=selection.end_ms).contains(&now).then_some(now);
        let (mut places, mut times) = (Vec::new(), Vec::new());
        let kept = !past.history.left_out.contains(&family);
        if kept && (selection.extent == Extent::All || now_ms.is_none()) {
            let end = selection.end_ms.min(now_ms.map_or(i64::MAX, |now| now - 1));
            (places, times) = past.history.axis.between(selection.start_ms, end, family);
        }
        if selection.extent == Extent::Last {
            places.drain(..places.len().saturating_sub(1));
            times.drain(..times.len().saturating_sub(1));
        }
        Self { part, selection, places, times, now_ms, series: None, cells: Vec::new() }
    }

    fn samples(&mut self, past: &Past<'_>, entry: &Entry) -> Vec<Sample> {
        if self.series != Some(entry.series) {
            self.decode(past, entry.series);
        }
        let born_ms = past.store.born(entry.series).millis();
        let mut samples = Vec::with_capacity(self.times.len() + 2);
        let counts = self.part != Part::Value
            || past.store.family(past.store.family_of(entry.series)).metric_type == MetricType::Counter;
        let birth = born_ms.saturating_sub(1);
        if counts && (self.selection.start_ms..=self.selection.end_ms).contains(&birth) {
            samples.push(float(birth, 0.0));
        }
        let wanted = wanted_cells(self.part, entry.bucket, self.cells.len());
        let total = |at: usize| {
            let mut total = 0.0;
            for cell in wanted.clone() {
                add(
                    &mut total,
                    self.cells.get(cell).and_then(|values| values.get(at)).copied().unwrap_or(0.0),
                );
            }
            total
        };
        let times = self.times.iter().chain(&self.now_ms).enumerate().filter(|(_, time)| **time >= born_ms);
        samples.extend(times.map(|(at, time)| float(*time, total(at))));
        last_only(samples, self.selection.extent)
    }

    fn decode(&mut self, past: &Past<'_>, series: SeriesId) {
        self.series = Some(series);
        self.cells.clear();
        let keeps = past.history.keeps(past.store, series);
        for cell in past.store.cells(series) {
            let present = past.store.cell(cell);
            let mut values = Vec::with_capacity(self.places.len() + 1);
            if keeps {
                past.history.cell_values(cell, present, &self.places, &mut values);
            }
            values.push(present);
            self.cells.push(values);
        }
    }
}

/// The cells whose values add up to a sample (a histogram's cells are its buckets, `+Inf`, then the sum).
fn wanted_cells(part: Part, bucket: usize, cells: usize) -> std::ops::Range<usize> {
    match part {
        Part::Value => 0..1,
        Part::Bucket => 0..bucket + 1,
        Part::Count => 0..cells.saturating_sub(1),
        Part::Sum => cells.saturating_sub(1)..cells,
        // No cell holds it.
        Part::Created => 0..0,
    }
}

/// Adds without turning a lone -0, NaN or infinity into something else.
fn add(total: &mut f64, value: f64) {
    *total = if *total == 0.0 { value } else { *total + value };
}

/// Puts a series that has an elder or younger self of the same labels together with it.
fn merge(found: &mut Vec<SelectedSeries>, series: SelectedSeries) {
    match found.iter_mut().find(|known| known.labels == series.labels) {
        Some(known) => {
            known.samples.extend(series.samples);
            known.samples.sort_by_key(|sample| sample.time_ms);
            known.samples.dedup_by_key(|sample| sample.time_ms);
        }
        None => found.push(series),
    }
}

fn last_only(mut samples: Vec<Sample>, extent: Extent) -> Vec<Sample> {
    if extent == Extent::Last && samples.len() > 1 {
        samples.drain(..samples.len() - 1);
    }
    samples
}

fn float(time_ms: i64, value: f64) -> Sample {
    Sample { time_ms, start_ms: None, value: Value::Float(value) }
}

/// The `le` values of a histogram's buckets, `+Inf` last.
fn bounds(buckets: &[f64]) -> impl Iterator<Item = String> + '_ {
    buckets.iter().map(|bound| format!("{bound}")).chain([String::from("+Inf")])
}

fn matches(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.condition.holds(labels.get(&matcher.name).unwrap_or("")))
}
