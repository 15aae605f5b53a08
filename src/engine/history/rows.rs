//! The samples of single series: instants found once a family, the cells of a series decoded once for all its buckets.

use std::ops::Range;
use std::sync::Arc;

use super::codec::Place;
use super::column::Column;
use super::past::Past;
use crate::engine::metric::{MetricType, Part};
use crate::engine::promql::storage::{Extent, STALE_BITS, Selection};
use crate::engine::promql::{Sample, Value};
use crate::engine::series::{FamilyId, SeriesSource};
use crate::engine::time::Timestamp;

/// The instants of a span at which a family was sampled.
#[derive(Clone, Debug, Default)]
pub(super) struct Span {
    /// The places of the grid that are read, one before the span included where arrivals follow it.
    places: Range<Place>,
    /// In rising time, of the places and of arrivals.
    marks: Vec<Mark>,
    times: Vec<i64>,
}

/// Where the value at an instant comes from.
#[derive(Clone, Copy, Debug)]
enum Mark {
    /// The next place of the grid, which is no sample of the span.
    Before,
    /// The next place of the grid.
    Grid,
    /// An arrival: the place of the grid before it, and its number after that.
    Arrival(Place, Place),
}

impl Span {
    /// The instants from `start_ms` to `end_ms`, both inclusive; the last one alone where no more is asked for.
    pub(super) fn new<S: SeriesSource>(
        past: &Past<'_, S>,
        family: FamilyId,
        (start_ms, end_ms): (i64, i64),
        extent: Extent,
    ) -> Self {
        let instants = &past.timeline.instants;
        let mut places = instants.grid_between(start_ms, end_ms);
        let mut arrivals: Vec<(Place, Place, i64)> =
            instants.arrivals_between(start_ms, end_ms, family).collect();
        if extent == Extent::Last {
            let last = places.end - 1;
            arrivals = arrivals
                .pop()
                .filter(|(after, ..)| places.is_empty() || *after >= last)
                .into_iter()
                .collect();
            places = if arrivals.is_empty() { places.start.max(last)..places.end } else { 0..0 };
        }
        let mut span = Self { places: places.clone(), marks: Vec::new(), times: Vec::new() };
        let mut arrivals = arrivals.into_iter().peekable();
        if let Some((after, ..)) = arrivals.peek().filter(|(after, ..)| !places.contains(after)) {
            span.places.start = *after;
            span.places.end = span.places.end.max(after + 1);
            span.marks.push(Mark::Before);
        }
        let mut add = |mark, time| {
            span.marks.push(mark);
            span.times.push(time);
        };
        while let Some((after, number, time)) = arrivals.next_if(|(after, ..)| *after < places.start) {
            add(Mark::Arrival(after, number), time);
        }
        for place in places {
            add(Mark::Grid, instants.time_of(place).unwrap_or(start_ms));
            while let Some((after, number, time)) = arrivals.next_if(|(after, ..)| *after <= place) {
                add(Mark::Arrival(after, number), time);
            }
        }
        for (after, number, time) in arrivals {
            add(Mark::Arrival(after, number), time);
        }
        span
    }

    /// The value of a cell at each instant.
    fn values<S: SeriesSource>(&self, past: &Past<'_, S>, cell: u32, out: &mut Vec<f64>) {
        if self.marks.len() == self.places.clone().count()
            && !matches!(self.marks.first(), Some(Mark::Before))
        {
            return past.timeline.values(cell, self.places.clone(), out);
        }
        let mut grid = Vec::with_capacity(self.marks.len());
        past.timeline.values(cell, self.places.clone(), &mut grid);
        let mut grid = grid.into_iter();
        let mut value = 0.0;
        let (mut step, mut columns): (Option<Place>, &[Arc<Column>]) = (None, &[]);
        let (_, within) = super::timeline::place_of(cell);
        for mark in &self.marks {
            match mark {
                Mark::Before => value = grid.next().unwrap_or(value),
                Mark::Grid => {
                    value = grid.next().unwrap_or(value);
                    out.push(value);
                }
                Mark::Arrival(after, number) => {
                    if step != Some(*after) {
                        step = Some(*after);
                        columns = past.timeline.arrivals(cell, *after);
                    }
                    while let Some((column, rest)) = columns.split_first()
                        && column.at <= *number
                    {
                        value = column.get(within).unwrap_or(value);
                        columns = rest;
                    }
                    out.push(value);
                }
            }
        }
    }
}

/// A series whose samples are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lived {
    /// Its cells.
    pub(super) cells: Range<u32>,
    pub(super) born: Timestamp,
    /// When it left; none of a live one.
    pub(super) left: Option<Timestamp>,
}

/// The samples of one family's series.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    part: Part,
    metric_type: MetricType,
    selection: &'a Selection<'a>,
    span: Span,
    /// The present instant, where the selection reaches it.
    now_ms: Option<i64>,
    decoded: Option<Lived>,
    /// By cell, the values at the instants and the present one.
    cells: Vec<Vec<f64>>,
}

impl<'a> Rows<'a> {
    /// The samples that a selection reaches.
    pub(super) fn new<S: SeriesSource>(
        past: &Past<'_, S>,
        family: FamilyId,
        part: Part,
        selection: &'a Selection<'a>,
    ) -> Self {
        let now = past.now.millis();
        let now_ms = (selection.start_ms..=selection.end_ms).contains(&now).then_some(now);
        let end_ms = selection.end_ms.min(now_ms.map_or(i64::MAX, |now| now - 1));
        let wanted = past.keeps(family) && (selection.extent == Extent::All || now_ms.is_none());
        let span = if wanted {
            Span::new(past, family, (selection.start_ms, end_ms), selection.extent)
        } else {
            Span::default()
        };
        let metric_type = past.store.family_spec(family).metric_type;
        Self { part, metric_type, selection, span, now_ms, decoded: None, cells: Vec::new() }
    }

    /// For series that left: they have no present instant, and ended before the last one of the span.
    pub(super) fn of_gone<S: SeriesSource>(
        past: &Past<'_, S>,
        family: FamilyId,
        part: Part,
        selection: &'a Selection<'a>,
    ) -> Self {
        let metric_type = past.store.family_spec(family).metric_type;
        let span = Span::new(past, family, (selection.start_ms, selection.end_ms), Extent::All);
        Self { part, metric_type, selection, span, now_ms: None, decoded: None, cells: Vec::new() }
    }

    /// The samples of a series, or of one bucket of it.
    pub(super) fn samples<S: SeriesSource>(
        &mut self,
        past: &Past<'_, S>,
        series: &Lived,
        bucket: usize,
    ) -> Vec<Sample> {
        if self.decoded.as_ref() != Some(series) {
            self.decode(past, series);
        }
        let (start_ms, end_ms) = (self.selection.start_ms, self.selection.end_ms);
        let born_ms = series.born.millis();
        let left_ms = series.left.map_or(i64::MAX, Timestamp::millis);
        let mut samples = Vec::with_capacity(self.span.times.len() + 2);
        let counts = !self.is_gauge();
        let birth = born_ms.saturating_sub(1);
        if counts && series.left.is_none() && (start_ms..=end_ms).contains(&birth) {
            samples.push(float(birth, 0.0));
        }
        let wanted = cells_of(self.part, bucket, self.cells.len());
        let total = |at: usize| {
            let cells = self.cells.get(wanted.clone()).unwrap_or_default();
            cells.iter().fold(0.0, |total, values| plus(total, values.get(at).copied().unwrap_or(0.0)))
        };
        let times = self.span.times.iter().chain(&self.now_ms).enumerate();
        let lived = times.filter(|(_, time)| (born_ms..left_ms).contains(*time));
        samples.extend(lived.map(|(at, time)| float(*time, total(at))));
        // Of the last sample alone the present one is it.
        if self.is_gauge() && (self.selection.extent == Extent::All || self.now_ms.is_none()) {
            let (start_ms, end_ms) = (start_ms.max(born_ms), end_ms.min(left_ms.saturating_sub(1)));
            let between = past.timeline.extremes(series.cells.start, start_ms, end_ms);
            let before = samples.len();
            samples.extend(between.map(|(time, value)| float(time, value)));
            if samples.len() > before {
                samples.sort_by_key(|sample| sample.time_ms);
            }
        }
        if (start_ms..=end_ms).contains(&left_ms) {
            samples.push(float(left_ms, f64::from_bits(STALE_BITS)));
        }
        last_only(samples, self.selection.extent)
    }

    fn is_gauge(&self) -> bool {
        self.part == Part::Value && self.metric_type == MetricType::Gauge
    }

    fn decode<S: SeriesSource>(&mut self, past: &Past<'_, S>, series: &Lived) {
        self.decoded = Some(series.clone());
        self.cells.truncate(series.cells.len());
        self.cells.resize_with(series.cells.len(), Vec::new);
        for (values, cell) in self.cells.iter_mut().zip(series.cells.clone()) {
            values.clear();
            self.span.values(past, cell, values);
            values.push(past.store.cell_value(cell));
        }
    }
}

/// The cells whose values add up to a sample (a histogram's cells are its buckets, `+Inf`, then the sum).
const fn cells_of(part: Part, bucket: usize, cells: usize) -> Range<usize> {
    match part {
        Part::Value => 0..1,
        Part::Bucket => 0..bucket + 1,
        Part::Count => 0..cells.saturating_sub(1),
        Part::Sum => cells.saturating_sub(1)..cells,
        Part::Created => 0..0,
    }
}

/// Adds without turning a lone -0, NaN or infinity into something else.
fn plus(total: f64, value: f64) -> f64 {
    if total == 0.0 { value } else { total + value }
}

/// The last sample alone, where no more is asked for.
pub(super) fn last_only(mut samples: Vec<Sample>, extent: Extent) -> Vec<Sample> {
    if extent == Extent::Last && samples.len() > 1 {
        samples.drain(..samples.len() - 1);
    }
    samples
}

fn float(time_ms: i64, value: f64) -> Sample {
    Sample { time_ms, start_ms: None, value: Value::Float(value) }
}
