//! `changes` and `resets`: how often a series took another value or started anew.

use super::super::ast::RangeMode;
use super::super::eval::{Cell, FloatPoint, HistogramPoint};
use super::super::storage::Value;
use super::rate::histograms_restart;
use super::starts::restarts;
use super::window::{Point, Window, merged};

pub(super) fn changes(window: &mut Window<'_>) -> Cell {
    count(window, |before, after| match (before, after) {
        (Point::Float(before), Point::Float(after)) => {
            after.value != before.value && !(after.value.is_nan() && before.value.is_nan())
        }
        (Point::Histogram(before), Point::Histogram(after)) => !after.value.equals(&before.value),
        (Point::Float(_), Point::Histogram(_)) | (Point::Histogram(_), Point::Float(_)) => true,
    })
}

pub(super) fn resets(window: &mut Window<'_>) -> Cell {
    count(window, |before, after| match (before, after) {
        (Point::Float(_), Point::Float(_)) => falls(before, after),
        (Point::Histogram(before), Point::Histogram(after)) => {
            histograms_restart(before, after) || after.value.is_reset_after(&before.value)
        }
        (Point::Float(_), Point::Histogram(_)) | (Point::Histogram(_), Point::Float(_)) => true,
    })
}

fn falls(before: Point<'_>, after: Point<'_>) -> bool {
    let restarted = restarts((before.start_ms(), before.time_ms()), (after.start_ms(), after.time_ms()));
    match (before, after) {
        (Point::Float(before), Point::Float(after)) => after.value < before.value || restarted,
        _ => restarted,
    }
}

/// How many neighbours in the window are as `counts` says.
fn count(window: &Window<'_>, counts: impl Fn(Point<'_>, Point<'_>) -> bool) -> Cell {
    let (floats, histograms) = anchored(window)?;
    let mut samples = merged(floats, histograms);
    let mut before = samples.next()?;
    let mut counted = 0_u32;
    for after in samples {
        counted = counted.saturating_add(u32::from(counts(before, after)));
        before = after;
    }
    Some(Value::Float(f64::from(counted)))
}

/// In an `anchored` range the last sample at or before its start and those inside, if there are any inside.
fn anchored<'a>(window: &Window<'a>) -> Option<(&'a [FloatPoint], &'a [HistogramPoint])> {
    if window.mode != RangeMode::Anchored {
        return Some((window.floats, window.histograms));
    }
    let floats_before = window.floats.partition_point(|point| point.time_ms <= window.start_ms);
    let histograms_before = window.histograms.partition_point(|point| point.time_ms <= window.start_ms);
    if floats_before == window.floats.len() && histograms_before == window.histograms.len() {
        return None;
    }
    let float = floats_before.checked_sub(1).and_then(|at| window.floats.get(at));
    let histogram = histograms_before.checked_sub(1).and_then(|at| window.histograms.get(at));
    let (first_float, first_histogram) = match (float, histogram) {
        (None, None) => (0, 0),
        (Some(float), Some(histogram)) if float.time_ms < histogram.time_ms => {
            (floats_before, histograms_before - 1)
        }
        (Some(_), _) => (floats_before - 1, histograms_before),
        (None, Some(_)) => (floats_before, histograms_before - 1),
    };
    Some((window.floats.get(first_float..)?, window.histograms.get(first_histogram..)?))
}
