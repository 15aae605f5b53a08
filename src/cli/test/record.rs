//! `signalbox test --record`: a rule test that passes today, made from what happened, for its author to read and keep.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Map, Value as Json, json};

use super::events::{self, Decisions};
use crate::cli::recording::Flow;
use crate::cli::replay::{Source, StreamArguments};
use crate::cli::terminal::Terminal;
use crate::cli::{rule_files, settings};
use crate::engine::config::Config;
use crate::engine::diagnostic::counted;
use crate::engine::rules::AlertEvent;
use crate::engine::rules::event::AlertEventKind;
use crate::engine::time::Timestamp;
use crate::engine::yaml::units;
use crate::shell::rule_files::read_rules;

/// Events that stand in the test itself; more go into a recording beside it.
const INLINE_MAX: usize = 50;
/// Events of a recorded test.
const EVENTS_MAX: usize = 100_000;

/// What to record.
#[derive(Args)]
pub(super) struct RecordArguments {
    /// Writes a test of what the rules say of events today, instead of running tests.
    #[arg(long, value_name = "NEW.test.yaml", conflicts_with = "files")]
    pub(super) record: Option<PathBuf>,
    /// The events to record from, one JSON object or array a line; `-` reads stdin.
    #[arg(long, value_name = "FILE.jsonl", requires = "record", conflicts_with = "nats_url")]
    events: Option<PathBuf>,
    #[command(flatten)]
    stream: StreamArguments,
    /// The rules to record [default: rules/ if present].
    #[arg(long, value_name = "PATH", num_args = 1.., requires = "record")]
    rules: Option<Vec<PathBuf>>,
    /// How long the recording lives on after the last event.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    tail: Duration,
}

fn duration(text: &str) -> Result<Duration, String> {
    units::duration(text).ok_or_else(|| "expected a duration such as 90s or 1h30m".to_owned())
}

/// Writes the test.
///
/// # Errors
/// Events or rules that cannot be read, and a file that is there already or cannot be written.
pub(super) fn write(
    arguments: &RecordArguments,
    path: &Path,
    config: &Config,
    terminal: &mut Terminal,
) -> anyhow::Result<()> {
    if path.exists() {
        bail!("write {}: it is there already; name another file", path.display());
    }
    let source = Source::of(arguments.events.as_deref(), &arguments.stream, config)?;
    let Read { mut events, mut left_out } = read(&source, config)?;
    let paths = settings::rule_paths(arguments.rules.as_deref(), config);
    let rules = rule_files::load_or_say(&paths, config, terminal)?;
    let decide = |events: &[Json]| {
        let decisions =
            events::decide(events.to_vec(), config.named("signalbox"), rules.clone(), arguments.tail);
        decisions.map_err(|fault| anyhow::anyhow!("record: {}", fault.trim_end()))
    };
    let mut decisions = decide(&events)?;
    if let Some((_, why)) = decisions.refused.first() {
        // Nobody can take it out of a stream.
        if matches!(source, Source::File(_)) {
            bail!("record: {why}; leave it out of the events");
        }
        let refused: BTreeSet<usize> = decisions.refused.iter().map(|(number, _)| *number).collect();
        left_out += refused.len();
        let mut number = 0;
        events.retain(|_| {
            number += 1;
            !refused.contains(&number)
        });
        decisions = decide(&events)?;
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    // A test names files, not folders.
    let sources = read_rules(&paths).sources;
    let rule_files: Vec<String> = sources
        .iter()
        .map(|source| relative(folder, Path::new(source.name.as_ref())))
        .collect::<anyhow::Result<_>>()?;
    let listed = listed(path, &events)?;
    let text = text(&rule_files, &listed, &decisions);
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    terminal.line(format_args!(
        "wrote {}: {}, {}; read what it expects before you keep it",
        path.display(),
        counted(events.len(), "event"),
        counted(decisions.decided.len(), "transition"),
    ));
    if left_out > 0 {
        terminal.line(format_args!("left out: {} that the sidecar refuses", counted(left_out, "message")));
    }
    Ok(())
}

/// The events of a source.
struct Read {
    /// As they are; what a subject says of one is written into it.
    events: Vec<Json>,
    /// Messages of a stream that are none.
    left_out: usize,
}

fn read(source: &Source<'_>, config: &Config) -> anyhow::Result<Read> {
    let mut events = Vec::new();
    let (mut left_out, mut fault) = (0, None);
    source.for_each(|recorded| {
        match serde_json::from_slice::<Json>(&recorded.payload) {
            Ok(Json::Object(mut fields)) => {
                if let Some(event_type) = recorded.event_type {
                    fields.entry("event_type").or_insert_with(|| json!(event_type.name()));
                }
                events.push(Json::Object(fields));
            }
            // Those of a file come one by one.
            Ok(Json::Array(several)) => events.extend(several),
            Ok(Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_)) | Err(_)
                if matches!(source, Source::Stream(_)) =>
            {
                left_out += 1;
            }
            Ok(Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_)) | Err(_) => {
                fault = Some(format!("record: {} is no JSON object", recorded.place));
            }
        }
        if fault.is_some() || events.len() > EVENTS_MAX { Flow::Stop } else { Flow::Continue }
    })?;
    match fault {
        Some(fault) => bail!(fault),
        None if events.is_empty() && matches!(source, Source::Stream(_)) => bail!(
            "record: the stream has no event below `{}` in that time; where that is not the prefix, name the configuration with --config",
            config.subjects.prefix
        ),
        None if events.is_empty() => bail!("record: there is no event"),
        None if events.len() > EVENTS_MAX => bail!("record more than {EVENTS_MAX} events"),
        None => Ok(Read { events, left_out }),
    }
}

/// The events as they stand in the test: a list, or the name of a recording that is written beside it.
fn listed(path: &Path, events: &[Json]) -> anyhow::Result<String> {
    if events.len() <= INLINE_MAX {
        return Ok(events.iter().fold(String::new(), |mut list, event| {
            // Writing to a string cannot fail.
            let _ = write!(list, "\n      - {}", flow(event));
            list
        }));
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = name.split(".test.").next().unwrap_or(&name);
    let beside = path.with_file_name(format!("{stem}.events.jsonl"));
    if beside.exists() {
        bail!("write {}: it is there already; name another file", beside.display());
    }
    let lines: Vec<String> = events.iter().map(Json::to_string).collect();
    std::fs::write(&beside, lines.join("\n") + "\n")
        .with_context(|| format!("write {}", beside.display()))?;
    Ok(format!(" {}", json!(format!("{stem}.events.jsonl"))))
}

fn text(rule_files: &[String], events: &str, decisions: &Decisions) -> String {
    let mut text = String::from(
        "# Recorded by `signalbox test --record`: what the rules say today. Read it before you keep it.\n",
    );
    let _ =
        write!(text, "rule_files: {}\ntests:\n  - name: recorded\n    events:{events}\n", json!(rule_files));
    text.push_str("    transitions:");
    for event in &decisions.decided {
        let _ = write!(text, "\n      - {}", flow(&transition(event, decisions.zero)));
    }
    text.push_str(if decisions.decided.is_empty() { " []\n" } else { "\n" });
    text
}

fn transition(event: &AlertEvent, zero: Timestamp) -> Json {
    let labels = event.labels.iter().filter(|(name, _)| !matches!(name.as_ref(), "alertname" | "severity"));
    let labels: Map<String, Json> =
        labels.map(|(name, value)| (name.to_string(), json!(value.as_ref()))).collect();
    let mut fields = Map::from_iter([
        ("time".to_owned(), json!(units::duration_text(event.timestamp.since(zero)))),
        ("kind".to_owned(), json!(event.event_type().name())),
        ("alert_name".to_owned(), json!(event.alert_name.as_ref())),
        ("severity".to_owned(), json!(event.severity.name())),
        ("labels".to_owned(), Json::Object(labels)),
    ]);
    match &event.kind {
        AlertEventKind::Triggered { current_value, threshold, .. } => {
            fields.insert("current_value".to_owned(), json!(current_value));
            fields.insert("threshold".to_owned(), json!(threshold));
        }
        AlertEventKind::Cleared { reason, .. } => {
            fields.insert("reason".to_owned(), json!(reason.name()));
        }
    }
    Json::Object(fields)
}

/// JSON as YAML people like to read: words without quotes where nothing else could be meant.
fn flow(value: &Json) -> String {
    match value {
        Json::Object(fields) => {
            let members: Vec<String> =
                fields.iter().map(|(name, value)| format!("{}: {}", word(name), flow(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        Json::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Json::String(text) => word(text),
        Json::Null | Json::Bool(_) | Json::Number(_) => value.to_string(),
    }
}

fn word(text: &str) -> String {
    let is_word = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"]
            .contains(&text.to_ascii_lowercase().as_str());
    if is_word { text.to_owned() } else { json!(text).to_string() }
}

/// A path as it is written in a file of this folder.
fn relative(folder: &Path, path: &Path) -> anyhow::Result<String> {
    let real = |path: &Path| {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        path.canonicalize().with_context(|| format!("find {}", path.display()))
    };
    let (from, to) = (real(folder)?, real(path)?);
    let (from, to): (Vec<Component<'_>>, Vec<Component<'_>>) =
        (from.components().collect(), to.components().collect());
    let shared = from.iter().zip(&to).take_while(|(left, right)| left == right).count();
    let up = from.iter().skip(shared).map(|_| Component::ParentDir);
    let written: PathBuf = up.chain(to.iter().skip(shared).copied()).collect();
    Ok(written.display().to_string())
}
