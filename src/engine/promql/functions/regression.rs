//! Functions that draw a line through a window: `deriv`, `predict_linear`, `double_exponential_smoothing`.

use super::super::eval::{Cell, FloatPoint, Kahan, number};
use super::super::storage::Value;
use super::window::Window;

pub(super) fn derivative(window: &mut Window<'_>) -> Cell {
    window.note_ignored_histograms();
    let [first, _, ..] = window.floats else { return None };
    Some(Value::Float(line(window.floats, first.time_ms).slope))
}

pub(super) fn predict_linear(window: &mut Window<'_>) -> Cell {
    window.note_ignored_histograms();
    if window.floats.len() < 2 {
        return None;
    }
    let line = line(window.floats, window.evaluated_ms);
    Some(Value::Float(line.slope * window.scalar(0) + line.intercept))
}

struct Line {
    /// Per second.
    slope: f64,
    /// The value at the instant asked for.
    intercept: f64,
}

/// The line with the least squares of distances to the points.
fn line(points: &[FloatPoint], at_ms: i64) -> Line {
    let first = points.first().map_or(f64::NAN, |point| point.value);
    if points.iter().all(|point| point.value == first) {
        let constant = if first.is_infinite() { f64::NAN } else { first };
        return Line { slope: if first.is_infinite() { f64::NAN } else { 0.0 }, intercept: constant };
    }
    let (mut x, mut y, mut xy, mut xx) =
        (Kahan::default(), Kahan::default(), Kahan::default(), Kahan::default());
    for point in points {
        let seconds = point.time_ms.saturating_sub(at_ms) as f64 / 1e3;
        x.add(seconds);
        y.add(point.value);
        xy.add(seconds * point.value);
        xx.add(seconds * seconds);
    }
    let count = points.len() as f64;
    let (x, y, xy, xx) = (x.total(), y.total(), xy.total(), xx.total());
    let slope = (xy - x * y / count) / (xx - x * x / count);
    Line { slope, intercept: y / count - slope * x / count }
}

pub(super) fn double_exponential_smoothing(window: &mut Window<'_>) -> Cell {
    let (smoothing, trend_factor) = (window.scalar(0), window.scalar(1));
    for (factor, name) in [(smoothing, "smoothing"), (trend_factor, "trend")] {
        if factor <= 0.0 || factor >= 1.0 {
            let symbol = name.chars().next().unwrap_or_default();
            window.failure = Some(format!(
                "invalid {name} factor. Expected: 0 < {symbol}f < 1, got: {}",
                if factor.is_finite() { format!("{factor:.6}") } else { number(factor) }
            ));
            return None;
        }
    }
    window.note_ignored_histograms();
    let [first, second, ..] = window.floats else { return None };
    let (mut before, mut smoothed) = (0.0, first.value);
    let mut trend = second.value - first.value;
    for (index, point) in window.floats.iter().skip(1).enumerate() {
        if index > 0 {
            trend = trend_factor * (smoothed - before) + (1.0 - trend_factor) * trend;
        }
        let value = smoothing * point.value + (1.0 - smoothing) * (smoothed + trend);
        (before, smoothed) = (smoothed, value);
    }
    Some(Value::Float(smoothed))
}
