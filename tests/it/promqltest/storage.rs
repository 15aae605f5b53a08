//! Samples in memory, as loads put them there.

use std::collections::BTreeMap;

use signalbox::engine::labels::Labels;
use signalbox::engine::promql::series_notation::{Line, Point};
use signalbox::engine::promql::storage::{Extent, Selection};
use signalbox::engine::promql::{Sample, SelectedSeries, Storage, Value};

use super::classic;
use super::command::Load;

/// All series in the order in which they came up; samples in rising time.
#[derive(Default)]
pub(super) struct MemoryStorage {
    series: Vec<(Labels, BTreeMap<i64, Sample>)>,
    places: BTreeMap<Labels, usize>,
}

impl MemoryStorage {
    pub(super) fn clear(&mut self) {
        self.series.clear();
        self.places.clear();
    }

    pub(super) fn load(&mut self, load: &Load) -> Result<(), String> {
        let mut starts: BTreeMap<&Labels, &[Option<i64>]> = BTreeMap::new();
        for line in &load.lines {
            if let Line::Starts(labels, offsets) = line {
                starts.insert(labels, offsets);
            }
        }
        // Of a series that is there twice in one load the later line counts.
        let mut loaded: Vec<(Labels, Vec<Sample>)> = Vec::new();
        for line in &load.lines {
            if let Line::Points(labels, points) = line {
                let offsets = starts.get(labels).copied().unwrap_or_default();
                loaded.retain(|(other, _)| other != labels);
                loaded.push((labels.clone(), samples(load.interval_ms, points, offsets)));
            }
        }
        if load.classic_as_native {
            let native = classic::native(&loaded)?;
            loaded.extend(native);
        }
        for (labels, samples) in loaded {
            let place = *self.places.entry(labels.clone()).or_insert(self.series.len());
            if place == self.series.len() {
                self.series.push((labels, BTreeMap::new()));
            }
            let stored = &mut self.series[place].1;
            for sample in samples {
                stored.entry(sample.time_ms).or_insert(sample);
            }
            settle_hints(stored);
        }
        Ok(())
    }
}

fn samples(interval_ms: i64, points: &[Point], offsets: &[Option<i64>]) -> Vec<Sample> {
    let times = (0_i64..).map(|at| at * interval_ms);
    let starts = offsets.iter().copied().chain(std::iter::repeat(None));
    let all = points.iter().zip(times).zip(starts);
    all.filter_map(|((point, time_ms), start)| {
        let value = point.clone()?;
        Some(Sample { time_ms, value, start_ms: start.map(|offset| time_ms + offset) })
    })
    .collect()
}

/// Gives histograms the reset hints they would be read back with.
fn settle_hints(samples: &mut BTreeMap<i64, Sample>) {
    let mut previous = None;
    for sample in samples.values_mut() {
        if let Value::Histogram(histogram) = &mut sample.value {
            let hint = histogram.stored_hint(previous.as_deref());
            *histogram = histogram.as_ref().clone().hinted(hint).into();
            previous = Some(std::sync::Arc::clone(histogram));
        } else {
            previous = None;
        }
    }
}

impl Storage for MemoryStorage {
    fn select(&self, selection: Selection<'_>) -> Vec<SelectedSeries> {
        let wanted = self.series.iter().filter(|(labels, _)| {
            selection
                .matchers
                .iter()
                .all(|matcher| matcher.condition.holds(labels.get(&matcher.name).unwrap_or("")))
        });
        wanted
            .map(|(labels, samples)| {
                let mut span = samples.range(selection.start_ms..=selection.end_ms).map(|(_, sample)| sample);
                let samples = match selection.extent {
                    Extent::All | Extent::Growth { .. } => span.cloned().collect(),
                    Extent::Last => span.next_back().cloned().into_iter().collect(),
                };
                SelectedSeries::whole(labels.clone(), samples)
            })
            .filter(|series| !series.samples.is_empty())
            .collect()
    }
}
