//! `signalbox rejected`: copies of refused events that a stream keeps, listed, and sent again once what was wrong is mended.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::terminal::Terminal;
use super::{CommandOutcome, config_file, settings, validate};
use crate::engine::config::Config;
use crate::engine::diagnostic::counted;
use crate::engine::time::Timestamp;
use crate::engine::yaml::units;
use crate::shell::clock::Clock;
use crate::shell::nats::copied;
use crate::shell::nats::stored::{self, Outgoing, StreamChoice, StreamMessage, Wanted};

/// Copies that are sent again at once.
const COPIES_MAX: usize = 100_000;
/// Characters of a payload that a list shows.
const SHOWN_CHARS: usize = 120;

/// What to do with them.
#[derive(Subcommand)]
pub(super) enum Arguments {
    /// Lists them, each with its sequence, when and why it was refused, and what would be said of it now.
    List {
        #[command(flatten)]
        selection: Selection,
        /// How they are written.
        #[arg(long, value_enum, default_value_t = RejectedFormat::Text)]
        format: RejectedFormat,
    },
    /// Publishes those that would be taken now on the subject they came on; the others are named and left.
    Resend {
        #[command(flatten)]
        selection: Selection,
        /// Says what would be sent, and sends nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Which copies.
#[derive(Args)]
pub(super) struct Selection {
    /// The server.
    #[arg(long, value_name = "URL", default_value = "nats://127.0.0.1:4222", hide_env_values = true)]
    nats_url: String,
    /// The stream that keeps them [default: the one that takes `rejected.subject`].
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,
    /// Only what was refused so long ago at the most.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    since: Option<Duration>,
    /// Only what was refused for this reason.
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
    /// Only these, by their sequences in the stream.
    #[arg(long, value_name = "SEQUENCE", num_args = 1..)]
    only: Vec<u64>,
    /// The configuration, by which they are judged now [default: signalbox.yaml if present].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum RejectedFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

fn duration(text: &str) -> Result<Duration, String> {
    units::duration(text).ok_or_else(|| "expected a duration such as 90s or 1h30m".to_owned())
}

/// One copy.
struct RejectedCopy {
    sequence: u64,
    time: Timestamp,
    reason: String,
    subject: String,
    /// The raw header block of its publisher; empty where there is none.
    headers: Vec<u8>,
    payload: Vec<u8>,
}

impl RejectedCopy {
    /// Reads a message; none where it does not say what it was.
    fn of(message: StreamMessage) -> Option<Self> {
        let header = |name: &str| {
            let text = std::str::from_utf8(&message.headers).ok()?;
            let mut lines = text.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        let (reason, subject) = (header("Signalbox-Reason")?, header("Signalbox-Subject")?);
        let StreamMessage { sequence, time, payload, .. } = message;
        let headers = copied::block(&message.headers);
        Some(Self { sequence, time, reason, subject, headers, payload })
    }
}

/// Lists or resends.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<CommandOutcome> {
    match arguments {
        Arguments::List { selection, format } => list(selection, *format, terminal),
        Arguments::Resend { selection, dry_run: true } => resend(selection, Sending::Said, terminal),
        Arguments::Resend { selection, dry_run: false } => resend(selection, Sending::Done, terminal),
    }
}

/// Calls `sink` with every selected copy, in order.
fn for_each(
    selection: &Selection,
    config: &Config,
    sink: &mut dyn FnMut(RejectedCopy) -> ControlFlow<()>,
) -> anyhow::Result<()> {
    let settings = settings::nats_at(&selection.nats_url, config)?;
    let now = Clock::start().now();
    let wanted = Wanted {
        stream: match &selection.stream {
            Some(name) => StreamChoice::Named(name.clone()),
            None => StreamChoice::Taking(config.rejected.subject.clone()),
        },
        since: selection.since.map_or(Timestamp::EPOCH, |since| now.before(since)),
    };
    let domain = config.jetstream.domain.as_deref();
    stored::read(&settings, domain, &wanted, &mut |message| {
        let is_selected = selection.only.is_empty() || selection.only.contains(&message.sequence);
        let is_copy = message.subject == config.rejected.subject;
        match RejectedCopy::of(message).filter(|_| is_selected && is_copy) {
            Some(copy) if selection.reason.as_ref().is_none_or(|reason| *reason == copy.reason) => sink(copy),
            Some(_) | None => ControlFlow::Continue(()),
        }
    })
}

fn list(
    selection: &Selection,
    format: RejectedFormat,
    terminal: &mut Terminal,
) -> anyhow::Result<CommandOutcome> {
    let config = config_file::read_or_say(selection.config.as_deref(), terminal)?;
    let mut judge = validate::Judge::new(&config, Clock::start().now());
    let mut count = 0;
    for_each(selection, &config, &mut |copy| {
        count += 1;
        let faults = judge.faults(&copy.subject, (&copy.headers, &copy.payload));
        match format {
            RejectedFormat::Json => terminal.line(json!({
                "sequence": copy.sequence, "rejected_at": copy.time.to_string(), "reason": copy.reason,
                "subject": copy.subject, "payload": String::from_utf8_lossy(&copy.payload), "faults_now": faults,
            })),
            RejectedFormat::Text => {
                let payload = String::from_utf8_lossy(&copy.payload);
                let shown: String = payload.chars().take(SHOWN_CHARS).collect();
                let cut = if payload.chars().count() > SHOWN_CHARS { "…" } else { "" };
                let RejectedCopy { sequence, time, reason, subject, .. } = copy;
                terminal.line(format_args!("{sequence} {time} {reason} {subject} {shown}{cut}"));
                for fault in faults {
                    terminal.line(format_args!("    now: {fault}"));
                }
            }
        }
        if terminal.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if matches!(format, RejectedFormat::Text) {
        terminal.line(format_args!("{count} kept"));
    }
    Ok(CommandOutcome::Fine)
}

/// Whether messages are sent, or only named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sending {
    Done,
    Said,
}

fn resend(
    selection: &Selection,
    sending: Sending,
    terminal: &mut Terminal,
) -> anyhow::Result<CommandOutcome> {
    let config = config_file::read_or_say(selection.config.as_deref(), terminal)?;
    let mut judge = validate::Judge::new(&config, Clock::start().now());
    let (mut ready, mut sequences, mut left) = (Vec::new(), Vec::new(), 0);
    // Of an array with several refused elements there are several copies.
    let mut seen = BTreeSet::new();
    let mut is_full = false;
    for_each(selection, &config, &mut |copy| {
        if !seen.insert((copy.subject.clone(), copy.headers.clone(), copy.payload.clone())) {
            return ControlFlow::Continue(());
        }
        is_full = seen.len() > COPIES_MAX;
        if is_full {
            return ControlFlow::Break(());
        }
        let faults = judge.faults(&copy.subject, (&copy.headers, &copy.payload));
        if faults.is_empty() {
            sequences.push(copy.sequence);
            ready.push(Outgoing { subject: copy.subject, headers: copy.headers, payload: copy.payload });
        } else {
            left += 1;
            terminal.line(format_args!("{} left: {}", copy.sequence, faults.join("; ")));
        }
        ControlFlow::Continue(())
    })?;
    if is_full {
        bail!("resend more than {COPIES_MAX} at once: select fewer with --since, --reason or --only");
    }
    if sending == Sending::Said {
        for (sequence, message) in sequences.iter().zip(&ready) {
            terminal.line(format_args!("{sequence} would be sent to {}", message.subject));
        }
        terminal.line(format_args!("{} would be sent, {left} left", counted(ready.len(), "message")));
        return Ok(outcome(left));
    }
    let settings = settings::nats_at(&selection.nats_url, &config)?;
    let answers = stored::publish(&settings, config.jetstream.domain.as_deref(), &ready)?;
    let mut failed = 0;
    for (sequence, answer) in sequences.iter().zip(answers) {
        if let Err(error) = answer {
            failed += 1;
            terminal.line(format_args!("{sequence} not taken: {error}"));
        }
    }
    let sent = counted(ready.len() - failed, "message");
    terminal.line(format_args!("{sent} sent again, {failed} not taken, {left} left"));
    Ok(outcome(left + failed))
}

const fn outcome(left: usize) -> CommandOutcome {
    if left == 0 { CommandOutcome::Fine } else { CommandOutcome::Findings }
}
