//! `rate`, `increase` and `delta`, extrapolated to the ends of their range as Prometheus does.

use std::sync::Arc;

use super::super::ast::RangeMode;
use super::super::eval::{Cell, FloatPoint, HistogramPoint, Merge, Note};
use super::super::histogram::{FloatHistogram, HistogramSum, Operation, ResetHint};
use super::super::storage::Value;
use super::extended_rate;
use super::starts::{overlaps, restarts};
use super::window::Window;

/// What is asked of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// By how much a gauge changed.
    Delta,
    /// By how much a counter grew.
    Increase,
    /// By how much a counter grew per second.
    Rate,
}

impl Change {
    pub(super) fn is_counter(self) -> bool {
        self != Self::Delta
    }
}

pub(super) fn delta(window: &mut Window<'_>) -> Cell {
    change(window, Change::Delta)
}

pub(super) fn increase(window: &mut Window<'_>) -> Cell {
    change(window, Change::Increase)
}

pub(super) fn rate(window: &mut Window<'_>) -> Cell {
    change(window, Change::Rate)
}

fn change(window: &mut Window<'_>, asked: Change) -> Cell {
    if window.is_mixed() {
        return None;
    }
    if window.mode != RangeMode::Extrapolated {
        return if window.histograms.is_empty() {
            extended_rate::floats(window, asked)
        } else {
            extended_rate::histograms(window, asked)
        };
    }
    if window.histograms.is_empty() { floats(window, asked) } else { histograms(window, asked) }
}

fn floats(window: &mut Window<'_>, asked: Change) -> Cell {
    let (Some(first), Some(last)) = (window.floats.first(), window.floats.last()) else { return None };
    let mut growth = last.value - first.value;
    if asked.is_counter() {
        growth += resets(window);
    }
    let span = Span::new(
        window,
        (first.time_ms, last.time_ms),
        first.start_ms,
        window.floats.len() + window.left_out,
    );
    let factor = if span.starts_inside(asked) {
        growth += first.value;
        span.factor_from_start()
    } else {
        let zero = (growth > 0.0 && first.value >= 0.0).then(|| first.value / growth);
        span.factor(asked, zero)?
    };
    Some(Value::Float(growth * span.per_second(factor, asked)))
}

/// What a counter had counted before each of its resets.
fn resets(window: &mut Window<'_>) -> f64 {
    let mut lost = 0.0;
    let mut overlap = false;
    for pair in window.floats.windows(2) {
        let [before, after] = pair else { continue };
        overlap |= overlaps(before.start_ms, before.time_ms, after.start_ms);
        if after.value < before.value || restarts_between(before, after) {
            lost += before.value;
        }
    }
    if overlap {
        window.note(Note::StartsOverlap(Arc::clone(window.metric)));
    }
    lost
}

fn restarts_between(before: &FloatPoint, after: &FloatPoint) -> bool {
    restarts((before.start_ms, before.time_ms), (after.start_ms, after.time_ms))
}

fn histograms(window: &mut Window<'_>, asked: Change) -> Cell {
    let points = window.histograms;
    let (first, last) = (points.first()?, points.last()?);
    let mut growth = if points.len() > 1 { Some(histogram_growth(window, asked)?) } else { None };
    let span = Span::new(window, (first.time_ms, last.time_ms), first.start_ms, points.len());
    let factor = if span.starts_inside(asked) {
        growth = Some(match growth {
            None => FloatHistogram::clone(&first.value),
            Some(growth) => add(window, &growth, &first.value)?,
        });
        span.factor_from_start()
    } else {
        let grown = growth.as_ref().map_or(0.0, |growth| growth.count);
        let zero = (grown > 0.0 && first.value.count >= 0.0).then(|| first.value.count / grown);
        span.factor(asked, zero)?
    };
    growth.map(|growth| Value::Histogram(Arc::new(growth.multiplied(span.per_second(factor, asked)))))
}

fn add(window: &mut Window<'_>, left: &FloatHistogram, right: &FloatHistogram) -> Option<FloatHistogram> {
    let Ok((sum, reconciled)) = left.combined(Operation::Add, right) else {
        window.note(Note::MixedExponentialCustom(Arc::clone(window.metric)));
        return None;
    };
    if reconciled.bounds_differ {
        window.note(Note::BoundsReconciled(Merge::Addition));
    }
    Some(sum)
}

/// By how much histograms grew over a window of at least two, as a gauge.
fn histogram_growth(window: &mut Window<'_>, asked: Change) -> Option<FloatHistogram> {
    let points = window.histograms;
    let (first, last) = (points.first()?, points.last()?);
    let restarted = points.get(1).filter(|second| {
        asked.is_counter() && (histograms_restart(first, second) || second.value.is_reset_after(&first.value))
    });
    // What was before a reset right behind the first sample does not matter, its layout included.
    let base = match restarted {
        Some(second) => FloatHistogram {
            schema: second.value.schema,
            custom_values: Arc::clone(&second.value.custom_values),
            ..FloatHistogram::default()
        },
        None => FloatHistogram::clone(&first.value),
    };
    note_hints(window, asked);
    let counted =
        if asked.is_counter() { points.get(1..)? } else { points.get(points.len().saturating_sub(1)..)? };
    if counted.iter().any(|point| point.value.has_custom_buckets() != base.has_custom_buckets()) {
        window.note(Note::MixedExponentialCustom(Arc::clone(window.metric)));
        return None;
    }
    let schema = counted.iter().map(|point| point.value.schema).fold(base.schema, i32::min);
    let mut growth = HistogramSum::new(&last.value.reduced(schema));
    let mut reconciled = Vec::new();
    if growth.apply(Operation::Subtract, &base).ok()?.bounds_differ {
        reconciled.push(Merge::Subtraction);
    }
    if asked.is_counter() {
        let mut before = &base;
        let mut overlap = false;
        for pair in points.windows(2) {
            let [earlier, later] = pair else { continue };
            overlap |= overlaps(earlier.start_ms, earlier.time_ms, later.start_ms);
            if (histograms_restart(earlier, later) || later.value.is_reset_after(before))
                && growth.apply(Operation::Add, before).ok()?.bounds_differ
            {
                reconciled.push(Merge::Addition);
            }
            before = &later.value;
        }
        if overlap {
            window.note(Note::StartsOverlap(Arc::clone(window.metric)));
        }
    }
    for merge in reconciled {
        window.note(Note::BoundsReconciled(merge));
    }
    Some(growth.finish().hinted(ResetHint::Gauge).compacted())
}

fn note_hints(window: &mut Window<'_>, asked: Change) {
    let is_gauge = |point: &HistogramPoint| point.value.reset_hint == ResetHint::Gauge;
    let points = window.histograms;
    if asked.is_counter() {
        if points.iter().any(is_gauge) {
            window.note(Note::NotCounter(Arc::clone(window.metric)));
        }
    } else if !points.first().is_some_and(is_gauge) || !points.last().is_some_and(is_gauge) {
        window.note(Note::NotGauge(Arc::clone(window.metric)));
    }
}

pub(super) fn histograms_restart(before: &HistogramPoint, after: &HistogramPoint) -> bool {
    restarts((before.start_ms, before.time_ms), (after.start_ms, after.time_ms))
}

/// How samples lie in their range, in seconds.
struct Span {
    to_start: f64,
    to_end: f64,
    sampled: f64,
    /// The average distance of samples; zero where there is only one.
    spacing: f64,
    samples: usize,
    /// From the counter's start to the last sample, where it started inside the range before the first sample.
    since_start: Option<f64>,
    range: f64,
}

impl Span {
    fn new(
        window: &Window<'_>,
        (first_ms, last_ms): (i64, i64),
        counter_start_ms: i64,
        samples: usize,
    ) -> Self {
        let seconds = |from: i64, to: i64| to.saturating_sub(from) as f64 / 1e3;
        let sampled = seconds(first_ms, last_ms);
        let spacing = if samples > 1 { sampled / (samples - 1) as f64 } else { 0.0 };
        let inside =
            counter_start_ms != 0 && counter_start_ms > window.start_ms && counter_start_ms < first_ms;
        Self {
            to_start: seconds(window.start_ms, first_ms),
            to_end: seconds(last_ms, window.end_ms),
            sampled,
            spacing,
            samples,
            since_start: inside.then(|| seconds(counter_start_ms, last_ms)),
            range: window.range_seconds(),
        }
    }

    fn starts_inside(&self, asked: Change) -> bool {
        asked.is_counter() && self.since_start.is_some()
    }

    /// How far the growth is drawn out beyond the last sample: to the end of the range where samples come that often.
    fn beyond_end(&self) -> f64 {
        if self.to_end >= self.spacing * 1.1 { self.spacing / 2.0 } else { self.to_end }
    }

    /// The factor where the counter's start is known: nothing is drawn out before it.
    fn factor_from_start(&self) -> f64 {
        match self.since_start {
            Some(sampled) if sampled != 0.0 => (sampled + self.beyond_end()) / sampled,
            _ => 1.0,
        }
    }

    /// The factor for both ends; `zero` is how many times the sampled time ago a counter would have been zero.
    fn factor(&self, asked: Change, zero: Option<f64>) -> Option<f64> {
        if self.samples < 2 {
            return None;
        }
        let mut before = if self.to_start >= self.spacing * 1.1 { self.spacing / 2.0 } else { self.to_start };
        if let Some(zero) = zero.filter(|_| asked.is_counter()) {
            let to_zero = self.sampled * zero;
            if to_zero < before {
                before = to_zero;
            }
        }
        Some(if self.sampled == 0.0 {
            1.0
        } else {
            (self.sampled + before + self.beyond_end()) / self.sampled
        })
    }

    fn per_second(&self, factor: f64, asked: Change) -> f64 {
        if asked == Change::Rate { factor / self.range } else { factor }
    }
}
