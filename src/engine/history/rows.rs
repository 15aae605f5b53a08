//! The samples of single series: instants found once a family, the cells of a series decoded once for all its buckets.

use std::ops::Range;
use std::sync::Arc;

use super::codec::ChangePlace;
use super::column::Column;
use super::ends::Ends;
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
    places: Range<ChangePlace>,
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
    Arrival(ChangePlace, ChangePlace),
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
        let mut arrivals: Vec<(ChangePlace, ChangePlace, i64)> =
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
        let (mut step, mut columns): (Option<ChangePlace>, &[Arc<Column>]) = (None, &[]);
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

/// The instants at which the samples of a selection are.
#[derive(Debug)]
enum Reads {
    All(Span),
    Ends(Ends),
}

impl Reads {
    fn times(&self) -> &[i64] {
        match self {
            Self::All(span) => &span.times,
            Self::Ends(ends) => &ends.times,
        }
    }

    /// The value of a cell at each instant.
    fn values<S: SeriesSource>(&self, past: &Past<'_, S>, cell: u32, out: &mut Vec<f64>) {
        match self {
            Self::All(span) => span.values(past, cell, out),
            Self::Ends(ends) => ends.values(past, cell, out),
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
    reads: Reads,
    /// The present instant, where the selection reaches it.
    now_ms: Option<i64>,
    decoded: Option<Lived>,
    /// By cell that the part needs, the values at the instants and the present one.
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
        let bounds = (selection.start_ms, selection.end_ms.min(now_ms.map_or(i64::MAX, |now| now - 1)));
        let metric_type = past.store.family_spec(family).metric_type;
        let reads = match selection.extent {
            _ if !past.keeps(family) => Reads::All(Span::default()),
            Extent::Last if now_ms.is_some() => Reads::All(Span::default()),
            Extent::Growth { since_ms } if only_grows(metric_type, part) => {
                Reads::Ends(Ends::new(past, family, bounds, since_ms, now_ms))
            }
            Extent::Last | Extent::All | Extent::Growth { .. } => {
                Reads::All(Span::new(past, family, bounds, selection.extent))
            }
        };
        Self { part, metric_type, selection, reads, now_ms, decoded: None, cells: Vec::new() }
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
        let reads = Reads::All(span);
        Self { part, metric_type, selection, reads, now_ms: None, decoded: None, cells: Vec::new() }
    }

    /// How many samples of a series are left out.
    pub(super) fn left_out<S: SeriesSource>(&self, past: &Past<'_, S>, born: Timestamp) -> usize {
        match &self.reads {
            Reads::All(_) => 0,
            Reads::Ends(ends) => ends.left_out(past, born.millis()),
        }
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
        let mut samples = Vec::with_capacity(self.reads.times().len() + 2);
        let counts = !self.is_gauge();
        let birth = born_ms.saturating_sub(1);
        if counts && series.left.is_none() && (start_ms..=end_ms).contains(&birth) {
            samples.push(float(birth, 0.0));
        }
        let wanted = added_up(self.part, bucket, self.cells.len());
        let total = |at: usize| {
            let cells = self.cells.get(wanted.clone()).unwrap_or_default();
            cells.iter().fold(0.0, |total, values| plus(total, values.get(at).copied().unwrap_or(0.0)))
        };
        let times = self.reads.times().iter().chain(&self.now_ms).enumerate();
        let lived = times.filter(|(_, time)| (born_ms..left_ms).contains(*time));
        samples.extend(lived.map(|(at, time)| float(*time, total(at))));
        // Of the last sample alone the present one is it.
        if self.is_gauge() && (self.selection.extent != Extent::Last || self.now_ms.is_none()) {
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
        let wanted = needed(self.part, series.cells.clone());
        self.cells.resize_with(wanted.len(), Vec::new);
        for (values, cell) in self.cells.iter_mut().zip(wanted) {
            values.clear();
            self.reads.values(past, cell, values);
            values.push(past.store.cell_value(cell));
        }
    }
}

/// Whether samples of this kind never fall while their series lives: the store only adds to them.
pub(super) const fn only_grows(metric_type: MetricType, part: Part) -> bool {
    match (metric_type, part) {
        (MetricType::Counter, Part::Value) | (MetricType::Histogram, Part::Bucket | Part::Count) => true,
        // What is observed may be negative.
        (MetricType::Counter | MetricType::Gauge | MetricType::Histogram, _) => false,
    }
}

/// The cells that samples of a part are made of (a histogram's cells are its buckets, `+Inf`, then the sum).
pub(super) const fn needed(part: Part, cells: Range<u32>) -> Range<u32> {
    let sum = cells.end.saturating_sub(1);
    match part {
        Part::Value => cells,
        Part::Bucket | Part::Count => cells.start..sum,
        Part::Sum => sum..cells.end,
        Part::Created => cells.start..cells.start,
    }
}

/// Those of the needed cells whose values add up to a sample.
pub(super) const fn added_up(part: Part, bucket: usize, needed: usize) -> Range<usize> {
    match part {
        Part::Bucket => 0..bucket + 1,
        Part::Value | Part::Count | Part::Sum | Part::Created => 0..needed,
    }
}

/// Adds without turning a lone -0, NaN or infinity into something else.
pub(super) fn plus(total: f64, value: f64) -> f64 {
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
