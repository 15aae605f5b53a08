//! `signalbox query`: one PromQL expression after a replay.

use std::path::PathBuf;

use anyhow::{anyhow, bail};
use clap::{Args, ValueEnum};

use super::playback::Playback;
use super::recording::Flow;
use super::terminal::Terminal;
use super::{Outcome, instant, replay, settings};
use crate::engine::diagnostic::{Diagnostic, Lines, Severity, Source, printable};
use crate::engine::labels::Labels;
use crate::engine::promql::{self, QueryValue, Sample, Value};
use crate::engine::time::Timestamp;
use crate::shell::prometheus_json::{self, float};

/// What to ask of which events.
#[derive(Args)]
pub(super) struct Arguments {
    /// The PromQL expression.
    #[arg(value_name = "EXPR")]
    expr: String,
    /// Recorded events, one JSON object or array a line; `-` reads stdin.
    #[arg(long, value_name = "FILE.jsonl")]
    events: PathBuf,
    /// The instant, RFC 3339 or seconds since the epoch [default: just after the last event].
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Rule files or folders, for what recording rules and ALERTS say [default: rules/ if present].
    #[arg(long, value_name = "PATH", num_args = 1..)]
    rules: Option<Vec<PathBuf>>,
    /// The configuration file [default: signalbox.yaml if present].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A table.
    Text,
    /// As Prometheus' HTTP API answers.
    Json,
}

/// Replays up to the instant, evaluates, prints.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<Outcome> {
    let at = match &arguments.at {
        None => None,
        Some(text) => {
            let advice = "write RFC 3339 (2026-02-03T10:00:00Z) or seconds since the epoch";
            Some(instant::parse(text).ok_or_else(|| anyhow!("use `{text}` of --at: {advice}"))?)
        }
    };
    let expr = match promql::parse(&arguments.expr) {
        Ok(expr) => expr,
        Err(error) => {
            let source = Source { name: "query".into(), text: arguments.expr.as_str().into() };
            terminal.say_diagnostics(&[Diagnostic {
                severity: Severity::Error,
                code: "promql",
                source,
                span: error.span,
                message: error.message,
                advice: error.advice,
            }]);
            bail!("evaluate the expression: mend what is shown above");
        }
    };
    let file = settings::config_file(arguments.config.as_deref(), terminal)?;
    let rules = replay::rules(arguments.rules.as_deref(), &file, terminal)?;
    let mut parts = Some((replay::engine_config(&file), rules));
    let mut playback: Option<Playback> = None;
    replay::for_each_event(&arguments.events, |recorded| {
        if at.is_some_and(|at| recorded.time.is_some_and(|time| time > at)) {
            return Flow::Stop;
        }
        if let Some((config, rules)) = parts.take() {
            playback = Some(Playback::new(&config, rules, recorded.time.unwrap_or_default()));
        }
        if let Some(playback) = &mut playback {
            playback.apply(&recorded);
            playback.take_decided();
        }
        Flow::Continue
    })?;
    if let Some((config, rules)) = parts.take() {
        playback = Some(Playback::new(&config, rules, at.unwrap_or_default()));
    }
    let Some(mut playback) = playback else { return Ok(Outcome::Fine) };
    match at {
        Some(at) => playback.advance(at),
        None => playback.settle(),
    }
    let at = at.unwrap_or(playback.now());
    let outcome = playback.query(&expr, at).map_err(|error| anyhow!("evaluate the expression: {error}"))?;
    for note in outcome.warnings.iter().chain(&outcome.infos) {
        terminal.say(format_args!("note: {note}"));
    }
    match arguments.format {
        Format::Text => terminal.text(&text(&outcome.value)),
        Format::Json => terminal.line(prometheus_json::outcome(&outcome, at)),
    }
    Ok(Outcome::Fine)
}

/// One line a sample: labels, then the value.
fn text(value: &QueryValue) -> String {
    let rows: Vec<(String, String)> = match value {
        QueryValue::Scalar(number) => return format!("{}\n", float(*number)),
        QueryValue::String(text) => return format!("{text}\n"),
        QueryValue::Vector(samples) => {
            samples.iter().map(|(labels, value)| (shown(labels), value_text(value))).collect()
        }
        QueryValue::Matrix(series) => series
            .iter()
            .flat_map(|series| {
                let row = |sample: &Sample| {
                    let time = Timestamp::from_millis(sample.time_ms);
                    (shown(&series.labels), format!("{} @ {time}", value_text(&sample.value)))
                };
                series.samples.iter().map(row).collect::<Vec<_>>()
            })
            .collect(),
    };
    if rows.is_empty() {
        return "no samples\n".to_owned();
    }
    let width = rows.iter().map(|(labels, _)| labels.chars().count()).max().unwrap_or(0);
    let lines: Vec<String> =
        rows.iter().map(|(labels, value)| format!("{labels:<width$}  {value}\n")).collect();
    lines.concat()
}

/// A label set on one line, its width known.
fn shown(labels: &Labels) -> String {
    printable(&labels.to_string(), Lines::One).into_owned()
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Float(number) => float(*number),
        Value::Histogram(histogram) => histogram.to_string(),
    }
}
