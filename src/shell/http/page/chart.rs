//! Charts as SVG, made by the server. Text stands beside the drawing, which stretches to the width there is.

use std::fmt::Write;
use std::time::Duration;

use maud::{Markup, html};

use crate::engine::rules::set::Severity;
use crate::engine::time::Timestamp;

use super::axis::{self, Precision, Times, Values};
use super::unit::Measure;
use super::words;

/// The drawing's own width; it is stretched to what there is.
const WIDTH: f64 = 600.0;

/// Lines of one chart that are drawn.
pub(super) const LINES_MAX: usize = 10;

/// The fewest steps that are drawn, however young the values are.
pub(super) const STEPS_MIN: i64 = 12;

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// What it is called in the legend.
    pub(super) label: String,
    /// Milliseconds since the epoch and values, in order.
    pub(super) points: Vec<(i64, f64)>,
}

impl Line {
    /// The line with one more point.
    pub(super) fn then(mut self, at: i64, value: f64) -> Self {
        self.points.push((at, value));
        self
    }

    /// The same line under another name.
    pub(super) fn named(&self, label: &str) -> Self {
        Self { label: label.to_owned(), points: self.points.clone() }
    }

    /// When it has its first value, in milliseconds since the epoch.
    fn begins(&self) -> Option<i64> {
        self.points.iter().find(|(_, value)| value.is_finite()).map(|(at, _)| *at)
    }
}

/// The times that any of some lies in: those that overlap would be drawn over each other, ever darker.
fn united(episodes: &[(Timestamp, Timestamp)]) -> Vec<(Timestamp, Timestamp)> {
    let mut sorted = episodes.to_vec();
    sorted.sort_unstable();
    let mut united: Vec<(Timestamp, Timestamp)> = Vec::new();
    for (since, until) in sorted {
        match united.last_mut() {
            Some((_, end)) if since <= *end => *end = until.max(*end),
            Some(_) | None => united.push((since, until)),
        }
    }
    united
}

/// A level to draw across.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mark {
    /// Beyond it an alert begins.
    Threshold {
        /// Where it lies.
        value: f64,
        /// How bad the alert is.
        severity: Severity,
        /// Whether the rule has other levels, so that its severity is what it is called.
        is_named: bool,
    },
    /// At it the alert ends, where that is another value.
    Clear(f64),
}

impl Mark {
    const fn value(self) -> f64 {
        match self {
            Self::Threshold { value, .. } | Self::Clear(value) => value,
        }
    }

    /// What it is called.
    const fn name(self) -> &'static str {
        match self {
            Self::Threshold { is_named: false, .. } => "threshold",
            Self::Threshold { severity, is_named: true, .. } => severity.name(),
            Self::Clear(_) => "clear",
        }
    }

    /// How it is drawn.
    const fn class(self) -> &'static str {
        match self {
            Self::Threshold { severity, .. } => severity.name(),
            Self::Clear(_) => "clear",
        }
    }
}

/// What is drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Chart {
    /// The first instant.
    pub(super) from: Timestamp,
    /// The last instant.
    pub(super) to: Timestamp,
    /// Milliseconds between points.
    pub(super) step_ms: i64,
    /// The lines; of too many the first.
    pub(super) lines: Vec<Line>,
    /// Levels across.
    pub(super) marks: Vec<Mark>,
    /// When alerts fired.
    pub(super) episodes: Vec<(Timestamp, Timestamp)>,
    /// The unit of the values.
    pub(super) measure: Measure,
}

impl Chart {
    /// A small drawing beside a value, with its times.
    pub(super) fn spark(&self) -> Markup {
        html! {
            @if self.is_empty() {
                p.quiet { "No past yet." }
            } @else {
                figure.spark { (self.drawing(48.0)) figcaption { (self.ends()) } }
            }
        }
    }

    /// A drawing for a line of a table.
    pub(super) fn tiny(&self) -> Markup {
        html! {
            @if self.is_empty() { span.quiet { "no past" } } @else { div.spark.tiny { (self.drawing(32.0)) } }
        }
    }

    /// How far it reaches back, to the minute where that is near enough.
    pub(super) fn length(&self) -> Duration {
        let length = self.to.since(self.from);
        if length < Duration::from_mins(2) {
            length
        } else {
            Duration::from_mins((length.as_secs() + 30) / 60)
        }
    }

    /// From where there are values on: before, the process or the series was not there yet.
    pub(super) fn trimmed(mut self) -> Self {
        let Some(first) = self.lines.iter().filter_map(Line::begins).min() else { return self };
        let shortest = self.to.millis().saturating_sub(self.step_ms.saturating_mul(STEPS_MIN));
        self.from = self.from.max(Timestamp::from_millis(first.min(shortest)));
        self
    }

    /// A drawing with its sides and legend.
    pub(super) fn large(self) -> Markup {
        let chart = self.trimmed();
        let sides = (axis::values(chart.range(), chart.measure), axis::times(chart.from, chart.to));
        html! {
            @if chart.is_empty() {
                p.quiet { "No value in this window." }
            } @else {
                figure.chart {
                    div.plot {
                        (chart.scale(&sides.0))
                        (chart.drawing_with(220.0, &sides))
                        (chart.times(&sides.1))
                    }
                    figcaption { (chart.legend()) }
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.begins().is_none())
    }

    fn ends(&self) -> Markup {
        html! { span.axis { span { (words::clock(self.from)) } " " span { (words::clock(self.to)) } } }
    }

    /// The values at its side. Text of its own drawing is not stretched.
    fn scale(&self, values: &Values) -> Markup {
        let (low, high) = values.range;
        html! {
            svg.scale aria-hidden="true" {
                @for value in &values.ticks {
                    text x="100%" y={ (tenths((high - value) / (high - low) * 100.0)) "%" } dy="0.32em" {
                        (self.measure.text(*value))
                    }
                }
            }
        }
    }

    /// The times below it.
    fn times(&self, times: &Times) -> Markup {
        let length = self.to.millis() - self.from.millis();
        let place = |at: Timestamp| (at.millis() - self.from.millis()) as f64 / length.max(1) as f64 * 100.0;
        // What stands at the very side would be cut there.
        let shown =
            times.ticks.iter().map(|at| (*at, place(*at))).filter(|(_, place)| (3.0..=97.0).contains(place));
        html! {
            svg.times aria-hidden="true" {
                @for (nth, (at, place)) in shown.enumerate() {
                    text.wide[nth % 2 == 1] x={ (tenths(place)) "%" } y="1em"
                        data-time=(times.precision.name()) data-at=(at) { (times.precision.text(at)) }
                }
            }
        }
    }

    fn legend(&self) -> Markup {
        let more = self.lines.len().saturating_sub(LINES_MAX);
        html! {
            ul.legend {
                @for (place, line) in self.lines.iter().take(LINES_MAX).enumerate() {
                    li class={ "line-" (place) } { bdi { (words::short(&line.label)) } }
                }
                @for mark in &self.marks {
                    li.mark.(mark.class()) { (mark.name()) " " (self.measure.text(mark.value())) }
                }
                @if !self.episodes.is_empty() { li.episode { "fired" } }
                @if more > 0 { li.quiet { "and " (words::count(more, "line")) " that are not drawn" } }
            }
        }
    }

    /// The lowest and the highest value to draw, with some room around them.
    fn range(&self) -> (f64, f64) {
        let drawn = self.lines.iter().take(LINES_MAX).flat_map(|line| line.points.iter());
        let values = drawn.map(|(_, value)| *value).chain(self.marks.iter().map(|mark| mark.value()));
        let finite = values.filter(|value| value.is_finite());
        let (low, high) = finite
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            return (0.0, 1.0);
        }
        let low = if low >= 0.0 && low <= high / 2.0 { 0.0 } else { low };
        let room = if high > low { (high - low) * 0.08 } else { high.abs().max(1.0) * 0.1 };
        (if low == 0.0 { 0.0 } else { low - room }, high + room)
    }

    fn drawing(&self, height: f64) -> Markup {
        let values = Values { range: self.range(), ticks: Vec::new() };
        self.drawing_with(height, &(values, Times { ticks: Vec::new(), precision: Precision::Second }))
    }

    fn drawing_with(&self, height: f64, (values, times): &(Values, Times)) -> Markup {
        let (low, high) = values.range;
        let begin = self.from.millis();
        let length = (self.to.millis() - begin).max(1) as f64;
        let x = |at: i64| ((at - begin) as f64 / length * WIDTH).clamp(0.0, WIDTH);
        let y = |value: f64| height - ((value - low) / (high - low) * height).clamp(0.0, height);
        html! {
            svg viewBox={ "0 0 " (WIDTH) " " (height) } preserveAspectRatio="none" role="img"
                aria-label=(self.in_words()) {
                @for value in &values.ticks {
                    @let at = tenths(y(*value));
                    line.grid x1="0" x2=(WIDTH) y1=(at) y2=(at) {}
                }
                @for at in &times.ticks {
                    @let at = tenths(x(at.millis()));
                    line.grid x1=(at) x2=(at) y1="0" y2=(height) {}
                }
                @for (since, until) in &united(&self.episodes) {
                    @let left = x(since.millis());
                    rect.episode x=(tenths(left)) y="0" height=(height)
                        width=(tenths((x(until.millis()) - left).max(1.5))) {}
                }
                @for mark in &self.marks {
                    @let at = tenths(y(mark.value()));
                    line.mark.(mark.class()) x1="0" x2=(WIDTH) y1=(at) y2=(at) {}
                }
                @for (place, line) in self.lines.iter().take(LINES_MAX).enumerate() {
                    path class={ "line-" (place) } d=(self.path(line, (&x, &y))) {}
                }
            }
        }
    }

    /// A line with gaps where there was no value.
    fn path(&self, line: &Line, (x, y): (&dyn Fn(i64) -> f64, &dyn Fn(f64) -> f64)) -> String {
        let mut path = String::new();
        let mut last = None;
        for (at, value) in line.points.iter().filter(|(_, value)| value.is_finite()) {
            let goes_on = last.is_some_and(|last| at - last <= self.step_ms.saturating_mul(2));
            let command = if goes_on { 'L' } else { 'M' };
            // Writing into a string does not fail.
            let _ = write!(path, "{command}{} {}", tenths(x(*at)), tenths(y(*value)));
            if !goes_on {
                path.push_str("h0.1");
            }
            last = Some(*at);
        }
        path
    }

    fn in_words(&self) -> String {
        let mut parts = Vec::new();
        for line in self.lines.iter().take(LINES_MAX) {
            let values = || line.points.iter().map(|(_, value)| *value).filter(|value| value.is_finite());
            let (Some(last), Some(low), Some(high)) =
                (values().next_back(), values().reduce(f64::min), values().reduce(f64::max))
            else {
                continue;
            };
            let text = |value| self.measure.text(value);
            let label = words::short(&line.label);
            parts.push(format!("{label} between {} and {}, last {}", text(low), text(high), text(last)));
        }
        for mark in &self.marks {
            parts.push(format!("{} at {}", mark.name(), self.measure.text(mark.value())));
        }
        format!("{}: {}", words::span(self.to.since(self.from)), parts.join("; "))
    }
}

/// A coordinate with one decimal.
fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_overlap_are_drawn_once() {
        let at = Timestamp::from_millis;
        let episodes = [(at(5), at(9)), (at(0), at(3)), (at(2), at(4)), (at(6), at(7)), (at(20), at(21))];
        assert_eq!(united(&episodes), [(at(0), at(4)), (at(5), at(9)), (at(20), at(21))]);
    }
}
