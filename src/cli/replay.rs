//! `signalbox replay`: recorded events through the same engine, in their own time.

mod chart;
mod comparison;
mod episodes;
mod source;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::playback::{Counts, Playback};
use super::recording::{Flow, Recorded};
use super::refusals::Refusals;
use super::terminal::Terminal;
use super::{CommandOutcome, config_file, greedy, rule_files, settings};
use crate::engine::config::{Config, Grid};
use crate::engine::diagnostic::counted;
use crate::engine::exposition::{Scrape, negotiate};
use crate::engine::rules::event::AlertEventKind;
use crate::engine::rules::{AlertEvent, RuleSet};
use crate::engine::time::Timestamp;
use crate::engine::yaml::units;
use comparison::Pair;

pub(super) use source::{Source, StreamArguments};

/// What to replay.
#[derive(Args, Clone)]
pub(super) struct Arguments {
    /// Recorded events, one JSON object or array a line; `-` reads stdin.
    #[arg(
        value_name = "FILE.jsonl",
        required_unless_present_any = ["nats_url", "rules", "compare"],
        conflicts_with_all = ["nats_url", "stream", "since"]
    )]
    events: Option<PathBuf>,
    #[command(flatten)]
    stream: StreamArguments,
    /// Rule files or folders [default: rules/ if present].
    #[arg(long, value_name = "PATH", num_args = 1..)]
    rules: Option<Vec<PathBuf>>,
    /// Other rule files or folders, over the same events: what each set says that the other does not.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    compare: Option<Vec<PathBuf>>,
    /// Writes a chart of both sets over time.
    #[arg(long, value_name = "FILE", requires = "compare")]
    svg: Option<PathBuf>,
    /// The configuration file [default: signalbox.yaml if present].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How transitions are written.
    #[arg(long, value_enum, default_value_t = ReplayFormat::Text)]
    format: ReplayFormat,
    /// Writes the metrics as they are at the end.
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    /// Lives on this long after the last event, so that what waits for time to pass is decided too.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    tail: Duration,
}

impl Arguments {
    /// The same with the recording in its place, where a flag before it took it for one of its values.
    fn sorted(&self) -> Self {
        let mut sorted = self.clone();
        if sorted.events.is_none() && !sorted.stream.is_named() {
            let flags = [&mut sorted.compare, &mut sorted.rules];
            sorted.events = greedy::take_last(flags, greedy::may_be_recording);
        }
        sorted
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReplayFormat {
    /// For people.
    Text,
    /// One JSON object a line, the summary last.
    Json,
}

fn duration(text: &str) -> Result<Duration, String> {
    units::duration(text).ok_or_else(|| "expected a duration such as 90s or 1h30m".to_owned())
}

/// Replays, prints every transition as it is decided (of two sets of rules what differs at the end), then the summary.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<CommandOutcome> {
    let arguments = &arguments.sorted();
    let file = config_file::read_or_say(arguments.config.as_deref(), terminal)?;
    let set = rules(arguments.rules.as_deref(), &file, terminal)?;
    let source = Source::of(arguments.events.as_deref(), &arguments.stream, &file)?;
    if let Some(paths) = &arguments.compare {
        let other = rules(Some(paths), &file, terminal)?;
        return compare(arguments, (&file, &source), (set, other), terminal);
    }
    let config = engine_config(&file);
    let mut replay =
        Replay { playback: None, start: None, triggered: 0, cleared: 0, refusals: Refusals::default() };
    let mut construct = Some((config, set));
    source.for_each(|recorded| {
        replay.begin(&mut construct, recorded.time);
        replay.apply(&recorded, arguments.format, terminal);
        if terminal.is_closed() { Flow::Stop } else { Flow::Continue }
    })?;
    replay.begin(&mut construct, None);
    replay.end(arguments, terminal)
}

/// Plays the events to two sets of rules and prints where they differ.
fn compare(
    arguments: &Arguments,
    (file, source): (&Config, &Source<'_>),
    sets: (RuleSet, RuleSet),
    terminal: &mut Terminal,
) -> anyhow::Result<CommandOutcome> {
    let config = engine_config(file);
    let mut refusals = Refusals::default();
    let mut sets = Some(sets);
    let mut pair: Option<Pair> = None;
    source.for_each(|recorded| {
        if let Some(sets) = sets.take() {
            pair = Some(Pair::new(&config, sets, recorded.time.unwrap_or_default()));
        }
        let refused = pair.as_mut().map(|pair| pair.apply(&recorded)).unwrap_or_default();
        refusals.say(recorded.place, &refused, terminal);
        Flow::Continue
    })?;
    let mut pair = match (pair, sets) {
        (Some(pair), _) => pair,
        (None, sets) => Pair::new(&config, sets.unwrap_or_default(), Timestamp::default()),
    };
    refusals.say_rest(terminal);
    pair.live_on(arguments.tail);
    pair.write(arguments.format, terminal);
    if let Some(path) = &arguments.svg {
        pair.write_chart(path)?;
    }
    if let Some(path) = &arguments.metrics {
        write_metrics(pair.rules(), path)?;
    }
    Ok(refusals.outcome())
}

/// Writes the metrics as they are.
fn write_metrics(playback: &mut Playback, path: &Path) -> anyhow::Result<()> {
    let now = playback.now();
    let scrape = Scrape { format: negotiate(""), names: Vec::new() };
    let text = playback.engine().freeze(now).to_bytes(scrape);
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

/// The engine's configuration for commands that play recordings.
pub(super) fn engine_config(file: &Config) -> Config {
    Config { grid: Grid::From(Timestamp::EPOCH), ..file.named("signalbox") }
}

/// The rules that flags, the configuration or the default folder name.
pub(super) fn rules(
    paths: Option<&[PathBuf]>,
    file: &Config,
    terminal: &mut Terminal,
) -> anyhow::Result<RuleSet> {
    rule_files::load_or_say(&settings::rule_paths(paths, file), file, terminal)
}

/// Calls `sink` with every event of a file, or of stdin where it is `-`.
pub(super) fn for_each_event(path: &Path, sink: impl FnMut(Recorded) -> Flow) -> anyhow::Result<()> {
    Source::File(path).for_each(sink)
}

struct Replay {
    playback: Option<Playback>,
    start: Option<Timestamp>,
    triggered: u64,
    cleared: u64,
    refusals: Refusals,
}

impl Replay {
    /// Starts the engine at the first instant that is known.
    fn begin(&mut self, construct: &mut Option<(Config, RuleSet)>, time: Option<Timestamp>) {
        if let Some((config, rules)) = construct.take() {
            let start = time.unwrap_or_default();
            self.start = Some(start);
            self.playback = Some(Playback::new(&config, rules, start));
        }
    }

    fn apply(&mut self, recorded: &Recorded, format: ReplayFormat, terminal: &mut Terminal) {
        let Some(playback) = &mut self.playback else { return };
        let refused = playback.apply(recorded);
        let decided = playback.take_decided();
        self.print(&decided, format, terminal);
        self.refusals.say(recorded.place, &refused, terminal);
    }

    fn print(&mut self, decided: &[AlertEvent], format: ReplayFormat, terminal: &mut Terminal) {
        for event in decided {
            match &event.kind {
                AlertEventKind::Triggered { .. } => self.triggered += 1,
                AlertEventKind::Cleared { .. } => self.cleared += 1,
            }
            match format {
                ReplayFormat::Text => terminal.line(transition_text(event)),
                ReplayFormat::Json => terminal.line(event.to_json()),
            }
        }
    }

    fn end(mut self, arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<CommandOutcome> {
        let Some(mut playback) = self.playback.take() else { return Ok(CommandOutcome::Fine) };
        self.refusals.say_rest(terminal);
        let last = playback.now();
        playback.settle();
        playback.advance(playback.now().after(arguments.tail));
        let decided = playback.take_decided();
        self.print(&decided, arguments.format, terminal);
        if playback.counts().silences > 0 {
            terminal.say("a silence of more than 60 days was cut short; is a timestamp wrong?");
        }
        let span = last.since(self.start.unwrap_or_default());
        let duplicates = playback.duplicates();
        self.summary((playback.counts(), duplicates), span, arguments.format, terminal);
        if let Some(path) = &arguments.metrics {
            write_metrics(&mut playback, path)?;
        }
        Ok(self.refusals.outcome())
    }

    fn summary(
        &self,
        (counts, duplicates): (&Counts, f64),
        span: Duration,
        format: ReplayFormat,
        terminal: &mut Terminal,
    ) {
        let open = self.triggered.saturating_sub(self.cleared);
        if format == ReplayFormat::Json {
            let summary = json!({"summary": {
                "events": counts.read, "duplicates": duplicates, "rejected": counts.rejected, "span_seconds": span.as_secs_f64(),
                "triggered": self.triggered, "cleared": self.cleared, "open": open,
            }});
            terminal.line(summary);
            return;
        }
        let rejected: u64 = counts.rejected.values().sum();
        let reasons: Vec<String> =
            counts.rejected.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
        terminal.line(format_args!(
            "{} over {}, {duplicates} duplicate, {rejected} refused{reasons}; {} triggered, {} cleared, {open} open",
            counted(usize::try_from(counts.read).unwrap_or(usize::MAX), "event"),
            units::duration_text(span),
            counted(usize::try_from(self.triggered).unwrap_or(usize::MAX), "alert"),
            self.cleared,
        ));
    }
}

/// A transition on one line.
fn transition_text(event: &AlertEvent) -> String {
    let labels = event.labels.filtered(|name| name != "alertname" && name != "severity");
    let head = format!(
        "{:<24} {:<14} {:<8} {}{labels}",
        event.timestamp.to_string(),
        event.event_type().name(),
        event.severity.name(),
        event.alert_name,
    );
    match &event.kind {
        AlertEventKind::Triggered { message, current_value, threshold, .. } => {
            format!("{head} value={current_value} threshold={threshold}: {message}")
        }
        AlertEventKind::Cleared { reason, value } => {
            let value = value.map_or(String::new(), |value| format!(" value={value}"));
            format!("{head} {}{value} after {}", reason.name(), units::duration_text(event.duration()))
        }
    }
}
