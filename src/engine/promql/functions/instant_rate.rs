//! `irate` and `idelta`: what happened between the last two samples.

use std::sync::Arc;

use super::super::eval::{Cell, Merge, Note};
use super::super::histogram::{FloatHistogram, Operation, ResetHint};
use super::super::storage::Value;
use super::rate::histograms_restart;
use super::starts::restarts;
use super::window::{Point, Window, merged};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RateKind {
    /// A counter's growth per second.
    Rate,
    /// A gauge's change.
    Delta,
}

pub(super) fn irate(window: &mut Window<'_>) -> Cell {
    last_two(window, RateKind::Rate)
}

pub(super) fn idelta(window: &mut Window<'_>) -> Cell {
    last_two(window, RateKind::Delta)
}

fn last_two(window: &mut Window<'_>, kind: RateKind) -> Cell {
    let last_of = |count: usize| count.saturating_sub(2);
    let floats = window.floats.get(last_of(window.floats.len())..)?;
    let histograms = window.histograms.get(last_of(window.histograms.len())..)?;
    let latest: Vec<Point<'_>> = merged(floats, histograms).collect();
    let [.., before, after] = latest.as_slice() else { return None };
    let seconds = after.time_ms().saturating_sub(before.time_ms()) as f64 / 1e3;
    if seconds == 0.0 {
        return None;
    }
    let per_second = if kind == RateKind::Rate { seconds } else { 1.0 };
    match (before, after) {
        (Point::Float(before), Point::Float(after)) => {
            let restarted = after.value < before.value
                || restarts((before.start_ms, before.time_ms), (after.start_ms, after.time_ms));
            let change =
                if kind == RateKind::Rate && restarted { after.value } else { after.value - before.value };
            Some(Value::Float(change / per_second))
        }
        (Point::Histogram(before), Point::Histogram(after)) => {
            let gauges = [before, after].map(|point| point.value.reset_hint == ResetHint::Gauge);
            match kind {
                RateKind::Rate if gauges.contains(&true) => {
                    window.note(Note::NotCounter(Arc::clone(window.metric)));
                }
                RateKind::Delta if gauges.contains(&false) => {
                    window.note(Note::NotGauge(Arc::clone(window.metric)));
                }
                RateKind::Rate | RateKind::Delta => {}
            }
            let restarted = histograms_restart(before, after) || after.value.is_reset_after(&before.value);
            let change = if kind == RateKind::Rate && restarted {
                FloatHistogram::clone(&after.value)
            } else {
                let Ok((change, reconciled)) = after.value.combined(Operation::Subtract, &before.value)
                else {
                    window.note(Note::MixedExponentialCustom(Arc::clone(window.metric)));
                    return None;
                };
                if reconciled.bounds_differ {
                    window.note(Note::BoundsReconciled(Merge::Subtraction));
                }
                change
            };
            let change = change.hinted(ResetHint::Gauge).compacted();
            let change = if kind == RateKind::Rate { change.divided(per_second) } else { change };
            Some(Value::Histogram(Arc::new(change)))
        }
        (Point::Float(_), Point::Histogram(_)) | (Point::Histogram(_), Point::Float(_)) => {
            window.note(Note::MixedFloatsHistograms(Arc::clone(window.metric)));
            None
        }
    }
}
