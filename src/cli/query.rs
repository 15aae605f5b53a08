//! `signalbox query`: one PromQL expression after a replay.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{anyhow, bail};
use clap::{Args, ValueEnum};

use super::playback::Playback;
use super::recording::Flow;
use super::refusals::Refusals;
use super::terminal::Terminal;
use super::{CommandOutcome, config_file, greedy, instant, replay};
use crate::engine::catalogue::{KnownMetric, KnownMetrics, NamedMetric, known_metrics};
use crate::engine::config::Config;
use crate::engine::diagnostic::{Diagnostic, Lines, Severity, Source, printable};
use crate::engine::labels::Labels;
use crate::engine::metric::MetricType;
use crate::engine::promql::{self, Expr, QueryValue, Sample, Value, inspect};
use crate::engine::rules::RuleSet;

use crate::engine::rules::set::RuleKind;
use crate::engine::time::Timestamp;
use crate::shell::prometheus_json::{self, float};

/// What to ask of which events.
#[derive(Args)]
pub(super) struct Arguments {
    /// The PromQL expression.
    #[arg(value_name = "EXPR", required_unless_present = "rules")]
    expr: Option<String>,
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
    #[arg(long, value_enum, default_value_t = QueryFormat::Text)]
    format: QueryFormat,
}

impl Arguments {
    /// The expression, also where `--rules` before it took it for one of its values, and the rules.
    fn question(&self) -> anyhow::Result<(String, Option<Vec<PathBuf>>)> {
        let mut rules = self.rules.clone();
        let taken =
            || greedy::take_last([&mut rules], |_| true).map(|last| last.to_string_lossy().into_owned());
        match self.expr.clone().or_else(taken) {
            Some(expr) => Ok((expr, rules)),
            None => bail!(
                "evaluate: name an expression, for example signalbox query 'queue_depth' --events FILE.jsonl"
            ),
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum QueryFormat {
    /// A table.
    Text,
    /// As Prometheus' HTTP API answers.
    Json,
}

/// Replays up to the instant, evaluates, prints.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<CommandOutcome> {
    let at = arguments.at.as_deref().map(instant_of).transpose()?;
    let (question, paths) = arguments.question()?;
    let expr = parsed(&question, terminal)?;
    let file = config_file::read_or_say(arguments.config.as_deref(), terminal)?;
    let rules = replay::rules(paths.as_deref(), &file, terminal)?;
    let mut known = known_metrics(&file);
    for rule in rules.rules().filter(|rule| matches!(rule.kind, RuleKind::Recording)) {
        known.add(&rule.name, KnownMetric::of_type(MetricType::Gauge));
    }
    let (mut playback, refusals) = played(arguments, at, (&replay::engine_config(&file), rules), terminal)?;
    let at = at.unwrap_or(playback.now());
    let outcome = playback.query(&expr, at).map_err(|error| anyhow!("evaluate the expression: {error}"))?;
    for note in outcome.warnings.iter().chain(&outcome.infos) {
        terminal.say(format_args!("note: {note}"));
    }
    let store = playback.engine().store();
    for family in store.families().map(|id| store.family(id)) {
        known.add(&family.exposed_name(), KnownMetric::of_type(family.metric_type));
    }
    say_unknown(&expr, &known, terminal);
    match arguments.format {
        QueryFormat::Text => terminal.text(&text(&outcome.value)),
        QueryFormat::Json => terminal.line(prometheus_json::outcome(&outcome, at)),
    }
    Ok(refusals.outcome())
}

fn instant_of(text: &str) -> anyhow::Result<Timestamp> {
    let advice = "write RFC 3339 (2026-02-03T10:00:00Z) or seconds since the epoch";
    instant::parse(text).ok_or_else(|| anyhow!("use `{text}` of --at: {advice}"))
}

fn parsed(text: &str, terminal: &mut Terminal) -> anyhow::Result<Expr> {
    promql::parse(text).or_else(|error| {
        terminal.say_diagnostics(&[Diagnostic {
            severity: Severity::Error,
            code: "promql",
            source: Source { name: "query".into(), text: text.into() },
            span: error.span,
            message: error.message,
            advice: error.advice,
        }]);
        bail!("evaluate the expression: mend what is shown above")
    })
}

/// The engine after every event up to `at`, or after all of them.
fn played(
    arguments: &Arguments,
    at: Option<Timestamp>,
    (config, rules): (&Config, RuleSet),
    terminal: &mut Terminal,
) -> anyhow::Result<(Playback, Refusals)> {
    let mut refusals = Refusals::default();
    let mut rules = Some(rules);
    let mut playback: Option<Playback> = None;
    replay::for_each_event(&arguments.events, |recorded| {
        if at.is_some_and(|at| recorded.time.is_some_and(|time| time > at)) {
            return Flow::Stop;
        }
        let playback = playback.get_or_insert_with(|| {
            Playback::new(config, rules.take().unwrap_or_default(), recorded.time.unwrap_or_default())
        });
        refusals.say(recorded.place, &playback.apply(&recorded), terminal);
        playback.take_decided();
        Flow::Continue
    })?;
    refusals.say_rest(terminal);
    let start = at.unwrap_or_default();
    let mut playback =
        playback.unwrap_or_else(|| Playback::new(config, rules.take().unwrap_or_default(), start));
    match at {
        Some(at) => playback.advance(at),
        None => playback.settle(),
    }
    Ok((playback, refusals))
}

/// Says which metrics the expression asks for that neither the catalogue nor the rules nor the events have.
fn say_unknown(expr: &Expr, known: &KnownMetrics, terminal: &mut Terminal) {
    let names: BTreeSet<&str> = inspect::selectors(expr)
        .iter()
        .filter_map(|selector| inspect::literal_name(selector.vector))
        .filter(|name| known.checks(name) || name.contains(':'))
        .collect();
    for name in names {
        match known.find(name) {
            Some(NamedMetric { part: Some(_), .. }) => {}
            Some(NamedMetric { part: None, .. }) => terminal.say(format_args!(
                "note: `{name}` is a histogram: ask for `{name}_bucket`, `{name}_sum` or `{name}_count`"
            )),
            None => {
                let near = known.closest(name);
                let advice = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                terminal.say(format_args!(
                    "note: no metric is called `{name}`, neither in the catalogue nor by these events and rules{advice}"
                ));
            }
        }
    }
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
