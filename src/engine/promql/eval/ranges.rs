//! Range selectors and the functions over them: a window that moves through the samples of each series.

use std::ops::Range;
use std::sync::Arc;

use super::super::ast::{Expr, Node, RangeMode};
use super::super::functions::{Function, RangeFunction, Window, WindowNeeds};
use super::super::histogram::FloatHistogram;
use super::super::storage::{Extent, Sample, SelectedSeries, Value};
use super::super::{EvalError, NameRemoval, StartTimestamps, TypeAndUnit};
use super::{
    Evaluator, Grid, Matrix, Note, Row, TYPE, Times, duplicate_labels, fail, position, select, unwrapped,
};
use crate::engine::metric::{MetricType, likely_type};

/// A float sample of a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::engine::promql) struct FloatPoint {
    pub(in crate::engine::promql) time_ms: i64,
    /// When its counter started, zero where that is not known.
    pub(in crate::engine::promql) start_ms: i64,
    pub(in crate::engine::promql) value: f64,
}

/// A histogram sample of a range.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine::promql) struct HistogramPoint {
    pub(in crate::engine::promql) time_ms: i64,
    /// When its counters started, zero where that is not known.
    pub(in crate::engine::promql) start_ms: i64,
    pub(in crate::engine::promql) value: Arc<FloatHistogram>,
}

/// One series of a range selector, floats and histograms apart.
#[derive(Clone, Debug)]
pub(in crate::engine::promql) struct RangeSeries {
    pub(in crate::engine::promql) row: Row,
    pub(in crate::engine::promql) floats: Vec<FloatPoint>,
    pub(in crate::engine::promql) histograms: Vec<HistogramPoint>,
    /// Floats between these that the storage left out, as it was told it may.
    pub(in crate::engine::promql) left_out: usize,
}

/// What a range selector or a subquery reads.
pub(in crate::engine::promql) struct RangeInput {
    pub(in crate::engine::promql) series: Vec<RangeSeries>,
    pub(in crate::engine::promql) times: Times,
    pub(in crate::engine::promql) range_ms: i64,
    pub(in crate::engine::promql) mode: RangeMode,
}

impl RangeSeries {
    /// A stored series without its stale markers.
    pub(super) fn new(selected: SelectedSeries, starts: StartTimestamps) -> Self {
        let mut series = Self {
            row: Row::new(selected.labels),
            floats: Vec::with_capacity(selected.samples.len()),
            histograms: Vec::new(),
            left_out: selected.left_out,
        };
        for Sample { time_ms, start_ms, value } in selected.samples {
            let start_ms = match starts {
                StartTimestamps::Used => start_ms.unwrap_or(0),
                StartTimestamps::Ignored => 0,
            };
            if !select::is_stale(&value) {
                series.push(time_ms, start_ms, value);
            }
        }
        series
    }

    /// Adds a sample behind the others.
    pub(super) fn push(&mut self, time_ms: i64, start_ms: i64, value: Value) {
        match value {
            Value::Float(value) => self.floats.push(FloatPoint { time_ms, start_ms, value }),
            Value::Histogram(value) => self.histograms.push(HistogramPoint { time_ms, start_ms, value }),
        }
    }

    fn weight(&self) -> usize {
        let histograms = self.histograms.iter().map(|point| point.value.weight()).sum::<usize>();
        self.floats.len().saturating_add(histograms)
    }
}

/// How far beyond its range a selector reads.
#[derive(Clone, Copy, Debug, Default)]
struct Reach {
    before_ms: i64,
    after_ms: i64,
}

impl Evaluator<'_> {
    /// What the range argument of a function reads.
    fn range_input(&mut self, arg: &Expr, grid: Grid, needs: WindowNeeds) -> Result<RangeInput, EvalError> {
        if matches!(arg.node, Node::Subquery { .. }) {
            return self.subquery(arg, grid);
        }
        let Node::Matrix { selector, range } = &arg.node else {
            return Err(fail(&arg.span, "expected a range vector".to_owned()));
        };
        let times = self.times(&selector.shift, grid)?;
        let range_ms = super::durations::positive_milliseconds(range, self.query)?;
        let reach = self.reach(selector.range_mode);
        let (first, last) = times.bounds();
        let after_ms = first.saturating_sub(range_ms).saturating_sub(reach.before_ms);
        let starts = self.settings.start_timestamps;
        let extent = match (needs, selector.range_mode, starts) {
            (WindowNeeds::Growth, RangeMode::Extrapolated, StartTimestamps::Ignored) if first == last => {
                Extent::Growth { since_ms: after_ms.saturating_add(1) }
            }
            (WindowNeeds::Growth, RangeMode::Anchored, _) if first == last => {
                Extent::Growth { since_ms: first.saturating_sub(range_ms) }
            }
            (WindowNeeds::Growth | WindowNeeds::Samples, _, _) => Extent::All,
        };
        let selected = self.fetch(selector, after_ms, last.saturating_add(reach.after_ms), extent);
        self.go_on(&arg.span)?;
        self.fits(selected.iter().map(|series| series.samples.len()).sum(), &arg.span)?;
        let series = selected.into_iter().map(|series| RangeSeries::new(series, starts)).collect();
        Ok(RangeInput { series, times, range_ms, mode: selector.range_mode })
    }

    fn reach(&self, mode: RangeMode) -> Reach {
        let lookback_ms = self.lookback_ms();
        match mode {
            RangeMode::Extrapolated => Reach::default(),
            RangeMode::Anchored => Reach { before_ms: lookback_ms, after_ms: 0 },
            RangeMode::Smoothed => Reach { before_ms: lookback_ms, after_ms: lookback_ms },
        }
    }

    /// Calls a function over a range at each step of `grid`.
    pub(in crate::engine::promql) fn call_over_range(
        &mut self,
        function: &Function,
        body: RangeFunction,
        args: &[Expr],
        grid: Grid,
    ) -> Result<Matrix, EvalError> {
        let is_range = |arg: &&Expr| matches!(arg.node, Node::Matrix { .. } | Node::Subquery { .. });
        let Some(range) = args.iter().map(unwrapped).find(is_range) else {
            let span = args.first().map_or(0..0, |arg| arg.span.clone());
            return Err(fail(&span, "expected a range vector".to_owned()));
        };
        let input = self.range_input(range, grid, function.window_needs())?;
        refuse_mode(function, input.mode, &range.span)?;
        let mut scalars: Vec<Vec<f64>> = Vec::new();
        for arg in args.iter().map(unwrapped).filter(|arg| !is_range(arg)) {
            scalars.push(self.scalars(arg, grid)?);
        }
        let call = RangeCall { function, body, position: args.first().map_or(0, position), scalars };
        let matrix = self.each_series(&call, input, grid)?;
        let dropped = !function.keeps_name();
        if dropped && self.settings.name_removal == NameRemoval::Immediate {
            matrix.duplicates_after_name_removal().map_err(|_| duplicate_labels(range))?;
        }
        Ok(matrix)
    }

    fn each_series(
        &mut self,
        call: &RangeCall<'_>,
        input: RangeInput,
        grid: Grid,
    ) -> Result<Matrix, EvalError> {
        let span = call.position..call.position;
        let RangeInput { series, times, range_ms, mode } = input;
        self.fits(series.len().saturating_mul(grid.steps()), &span)?;
        let reach = self.reach(mode);
        let mut matrix = Matrix::with_capacity(grid.steps(), series.len());
        let mut scalars = Vec::with_capacity(call.scalars.len());
        for RangeSeries { mut row, floats, histograms, left_out } in series {
            self.go_on(&span)?;
            let metric = row.metric();
            let heaviest = histograms.iter().map(|point| point.value.weight()).max().unwrap_or(0);
            let (mut float_window, mut histogram_window) = (0..0, 0..0);
            let (mut any, mut any_float) = (false, false);
            let mut cells = Vec::with_capacity(grid.steps());
            for step in 0..grid.steps() {
                let end_ms = times.at(step);
                let start_ms = end_ms.saturating_sub(range_ms);
                let (after, until) =
                    (start_ms.saturating_sub(reach.before_ms), end_ms.saturating_add(reach.after_ms));
                slide(&mut float_window, &floats, |point| point.time_ms, (after, until));
                slide(&mut histogram_window, &histograms, |point| point.time_ms, (after, until));
                if float_window.is_empty() && histogram_window.is_empty() {
                    cells.push(None);
                    continue;
                }
                let weight = histogram_window.len().saturating_mul(heaviest);
                self.show(float_window.len().saturating_add(left_out).saturating_add(weight), &span)?;
                scalars.clear();
                scalars
                    .extend(call.scalars.iter().map(|values| values.get(step).copied().unwrap_or(f64::NAN)));
                let mut window = Window {
                    floats: floats.get(float_window.clone()).unwrap_or_default(),
                    histograms: histograms.get(histogram_window.clone()).unwrap_or_default(),
                    left_out,
                    metric: &metric,
                    scalars: &scalars,
                    evaluated_ms: grid.at(step),
                    start_ms,
                    end_ms,
                    mode,
                    position: call.position,
                    notes: &mut self.notes,
                    failure: None,
                };
                let value = (call.body)(&mut window);
                if let Some(failure) = window.failure {
                    return Err(fail(&span, failure));
                }
                any |= value.is_some();
                any_float |= matches!(value, Some(Value::Float(_)));
                cells.push(value);
            }
            if any_float && matches!(call.function.name, "rate" | "increase") {
                self.note_possible_non_counter(&row, call.position);
            }
            if any {
                if !call.function.keeps_name() {
                    row.drop_name(self.settings.name_removal);
                }
                matrix.push(row, cells);
            }
        }
        Ok(matrix)
    }

    fn note_possible_non_counter(&mut self, row: &Row, position: usize) {
        let metric = row.metric();
        if metric.is_empty() {
            return;
        }
        match self.settings.type_and_unit {
            TypeAndUnit::Identity => {
                let kind = row.shared(TYPE).cloned().unwrap_or_default();
                if !matches!(kind.as_ref(), "counter" | "histogram") {
                    self.notes.add(Note::PossibleNonCounterType { metric, kind }, position);
                }
            }
            TypeAndUnit::Labels => {
                if likely_type(&metric) == MetricType::Gauge {
                    self.notes.add(Note::PossibleNonCounter(metric), position);
                }
            }
        }
    }

    /// The samples of a range selector or subquery that is a whole query of its own.
    pub(super) fn selected_range(
        &mut self,
        expr: &Expr,
        grid: Grid,
    ) -> Result<Option<Vec<SelectedSeries>>, EvalError> {
        let expr = unwrapped(expr);
        if !matches!(expr.node, Node::Matrix { .. } | Node::Subquery { .. }) {
            return Ok(None);
        }
        let RangeInput { series, times, range_ms, mode } =
            self.range_input(expr, grid, WindowNeeds::Samples)?;
        let end_ms = times.at(0);
        let start_ms = end_ms.saturating_sub(range_ms);
        let mut selected = Vec::with_capacity(series.len());
        for series in series {
            let series = match mode {
                RangeMode::Extrapolated => series,
                RangeMode::Anchored | RangeMode::Smoothed => series.extended(start_ms, end_ms, mode),
            };
            self.charge(series.weight(), &expr.span)?;
            let series = series.into_selected();
            if !series.samples.is_empty() {
                selected.push(series);
            }
        }
        selected.sort_by(|left, right| left.labels.cmp(&right.labels));
        if selected.windows(2).any(|pair| matches!(pair, [left, right] if left.labels == right.labels)) {
            return Err(duplicate_labels(expr));
        }
        Ok(Some(selected))
    }
}

impl RangeSeries {
    fn into_selected(self) -> SelectedSeries {
        let floats = self.floats.into_iter().map(|point| (point.time_ms, Value::Float(point.value)));
        let histograms =
            self.histograms.into_iter().map(|point| (point.time_ms, Value::Histogram(point.value)));
        let mut samples: Vec<Sample> = floats
            .chain(histograms)
            .map(|(time_ms, value)| Sample { time_ms, start_ms: None, value })
            .collect();
        samples.sort_by_key(|sample| sample.time_ms);
        SelectedSeries::whole(self.row.into_labels(), samples)
    }
}

/// The kind of an expression that no range query can have.
pub(super) fn refused_in_range_query(expr: &Expr) -> Option<&'static str> {
    match &unwrapped(expr).node {
        Node::Matrix { .. } | Node::Subquery { .. } => Some("range vector"),
        Node::String(_) => Some("string"),
        Node::Number(_)
        | Node::Vector(_)
        | Node::Unary { .. }
        | Node::Binary(_)
        | Node::Aggregate(_)
        | Node::Call { .. }
        | Node::Paren(_) => None,
    }
}

/// A function over a range with its other arguments.
struct RangeCall<'a> {
    function: &'a Function,
    body: RangeFunction,
    /// Where messages point.
    position: usize,
    /// The numbers among the arguments, per step.
    scalars: Vec<Vec<f64>>,
}

/// Moves a window of indices on to the points in `(after, until]`.
fn slide<T>(window: &mut Range<usize>, points: &[T], time: impl Fn(&T) -> i64, (after, until): (i64, i64)) {
    while points.get(window.end).is_some_and(|point| time(point) <= until) {
        window.end += 1;
    }
    while window.start < window.end && points.get(window.start).is_some_and(|point| time(point) <= after) {
        window.start += 1;
    }
}

fn refuse_mode(function: &Function, mode: RangeMode, span: &Range<usize>) -> Result<(), EvalError> {
    let (modifier, functions): (&str, &[&str]) = match mode {
        RangeMode::Extrapolated => return Ok(()),
        RangeMode::Anchored => ("anchored", &["changes", "delta", "increase", "rate", "resets"]),
        RangeMode::Smoothed => ("smoothed", &["delta", "increase", "rate"]),
    };
    if functions.contains(&function.name) {
        return Ok(());
    }
    let functions = functions.join(", ");
    let name = function.name;
    Err(fail(span, format!("{modifier} modifier can only be used with: {functions} - not with {name}")))
}
