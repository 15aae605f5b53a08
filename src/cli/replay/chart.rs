//! The episodes of two sets of rules over time, as one SVG that stands alone.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::episodes::{AlertKey, Episode, Episodes};
use crate::cli::markup::escaped;
use crate::engine::time::Timestamp;
use crate::engine::yaml::units;

/// Alerts that are drawn.
const ROWS_MAX: usize = 200;
const WIDTH: f64 = 1_200.0;
/// Where the names end and the bars begin.
const LEFT: f64 = 400.0;
const TOP: f64 = 60.0;
const ROW: f64 = 34.0;
const BAR: f64 = 11.0;
/// Characters of a name that have room.
const NAME_CHARS: usize = 58;

/// What is drawn.
pub(super) struct Chart<'a> {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) rules: &'a Episodes,
    pub(super) compared: &'a Episodes,
}

/// The two sides, each with its class and what people call it.
const SIDES: [(&str, &str); 2] = [("r", "--rules"), ("c", "--compare")];

/// Draws it: a row an alert, above what `--rules` says, below what `--compare` does.
pub(super) fn svg(chart: &Chart<'_>) -> String {
    let keys: BTreeSet<&AlertKey> =
        chart.rules.by_alert().chain(chart.compared.by_alert()).map(|(key, _)| key).collect();
    let rows = keys.len().min(ROWS_MAX);
    let height = TOP + ROW * rows as f64 + 40.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\" role=\"img\" aria-label=\"Alerts with two sets of rules\">\n<style>\n\
         svg {{ background: #fff; color: #1b1f24 }} text {{ fill: currentColor }} line {{ stroke: #d0d7de }}\n\
         .r {{ fill: #0969da }} .c {{ fill: #bc4c00 }}\n\
         @media (prefers-color-scheme: dark) {{ svg {{ background: #0d1117; color: #e6edf3 }} line {{ stroke: #30363d }}\n\
         .r {{ fill: #58a6ff }} .c {{ fill: #f0883e }} }}\n</style>\n"
    );
    for ((class, name), x) in SIDES.into_iter().zip([10.0, 120.0]) {
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{x}\" y=\"12\" width=\"14\" height=\"{BAR}\"/>\
             <text x=\"{}\" y=\"22\">{name}</text>",
            x + 20.0
        );
    }
    axis(&mut out, chart, height);
    for (row, key) in keys.iter().take(ROWS_MAX).enumerate() {
        draw_row(&mut out, chart, (TOP + ROW * row as f64, key));
    }
    if keys.len() > rows {
        let _ = writeln!(
            out,
            "<text x=\"10\" y=\"{}\">… and {} more alerts</text>",
            height - 10.0,
            keys.len() - rows
        );
    }
    out.push_str("</svg>\n");
    out
}

fn axis(out: &mut String, chart: &Chart<'_>, height: f64) {
    let span = chart.end.since(chart.start);
    for (step, anchor) in [(0_u32, "start"), (1, "middle"), (2, "middle"), (3, "middle"), (4, "end")] {
        let time = chart.start.after(span / 4 * step);
        let x = place(chart, time);
        let text = time.to_string();
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
            height - 30.0,
            TOP - 12.0,
            text.get(..19).unwrap_or(&text)
        );
    }
}

fn draw_row(out: &mut String, chart: &Chart<'_>, (y, key): (f64, &AlertKey)) {
    let (labels, severity) = key;
    let name = format!("{labels} {severity}");
    let shown: String = if name.chars().count() > NAME_CHARS {
        name.chars().take(NAME_CHARS - 1).chain(['…']).collect()
    } else {
        name.clone()
    };
    let _ = writeln!(
        out,
        "<text x=\"10\" y=\"{:.1}\"><title>{}</title>{}</text>",
        y + 16.0,
        escaped(&name),
        escaped(&shown)
    );
    for ((class, side), (episodes, at)) in
        SIDES.into_iter().zip([(chart.rules, y + 2.0), (chart.compared, y + 2.0 + BAR + 2.0)])
    {
        for episode in episodes.of(key) {
            bar(out, chart, (class, side, at, episode));
        }
    }
}

fn bar(out: &mut String, chart: &Chart<'_>, (class, side, y, episode): (&str, &str, f64, &Episode)) {
    let end = episode.ended_at.unwrap_or(chart.end);
    let (from, to) = (place(chart, episode.started_at()), place(chart, end));
    let length = match episode.ended_at {
        Some(_) => units::duration_text(end.since(episode.started_at())),
        None => "open".to_owned(),
    };
    let title = format!("{side}: {} {length}", episode.started_at());
    let _ = writeln!(
        out,
        "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"2\">\
         <title>{}</title></rect>",
        (to - from).max(2.0),
        escaped(&title)
    );
}

/// Where an instant lies on the axis.
fn place(chart: &Chart<'_>, time: Timestamp) -> f64 {
    let span = chart.end.since(chart.start).as_secs_f64().max(1e-6);
    LEFT + (WIDTH - LEFT - 10.0) * (time.since(chart.start).as_secs_f64() / span).clamp(0.0, 1.0)
}
