//! `signalbox validate`: what the sidecar would say of each event, for those who publish them.

mod line;
mod verdict;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::recording::Flow;
use super::terminal::Terminal;
use super::{CommandOutcome, config_file, replay};
use crate::engine::Engine;
use crate::engine::config::Config;
use crate::engine::diagnostic::counted;
use crate::engine::rules::RuleSet;
use crate::engine::time::Timestamp;
use crate::engine::wire::EventId;
use crate::shell::clock::Clock;
use verdict::{Judgement, Verdict};

/// Ids that are remembered to tell of repeated ones.
const IDS_MAX: usize = 1_000_000;

/// What to validate.
#[derive(Args)]
pub(super) struct Arguments {
    /// Events, one JSON object or array a line, or messages: `{"subject": …, "headers": {…}, "payload": …}`; `-` reads
    /// stdin.
    #[arg(value_name = "FILE.jsonl")]
    events: PathBuf,
    /// The subject that events without one of their own are published to.
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// The configuration, whose lanes, transforms and limits hold [default: signalbox.yaml if present].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How verdicts are written.
    #[arg(long, value_enum, default_value_t = ValidateFormat::Text)]
    format: ValidateFormat,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ValidateFormat {
    /// For people: what is wrong or unusual.
    Text,
    /// One JSON object for each event, the summary last.
    Json,
}

/// Judges every event.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<CommandOutcome> {
    let config = config_file::read_or_say(arguments.config.as_deref(), terminal)?;
    let mut judge = Judge::new(&config, Clock::start().now());
    replay::for_each_event(&arguments.events, |recorded| {
        let message = line::Message::of(&recorded.payload, arguments.subject.as_deref());
        let line = recorded.place.number();
        for judgement in judge.judge(&message, line) {
            match arguments.format {
                ValidateFormat::Json => terminal.line(judgement.json(line)),
                ValidateFormat::Text => {
                    judgement.lines(line).into_iter().for_each(|text| terminal.line(text));
                }
            }
        }
        if terminal.is_closed() { Flow::Stop } else { Flow::Continue }
    })?;
    let counts = &judge.counts;
    match arguments.format {
        ValidateFormat::Text => terminal.line(format_args!(
            "{}: {} accepted ({} of them with warnings), {} refused",
            counted(counts.events, "event"),
            counts.events - counts.refused,
            counts.unusual,
            counts.refused,
        )),
        ValidateFormat::Json => terminal.line(json!({"summary": {
            "events": counts.events, "accepted": counts.events - counts.refused,
            "with_warnings": counts.unusual, "refused": counts.refused,
        }})),
    }
    Ok(match counts.refused + counts.unusual {
        0 => CommandOutcome::Fine,
        _ => CommandOutcome::Findings,
    })
}

/// How many events there were, and of which kinds.
#[derive(Default)]
struct Counts {
    events: usize,
    refused: usize,
    /// Accepted ones of which something was to be said.
    unusual: usize,
}

/// What events are held against.
pub(super) struct Judge {
    engine: Engine,
    rules: verdict::Terms,
    ids: BTreeMap<EventId, usize>,
    counts: Counts,
}

impl Judge {
    /// Nothing was seen yet.
    pub(super) fn new(config: &Config, now: Timestamp) -> Self {
        // What is off is judged like anything else: other instances read it.
        let whole = Config { lanes: config.lanes.with_all(), ..config.clone() };
        let engine = replay::engine_config(&whole);
        let rules = verdict::Terms {
            subjects: config.event_subjects(),
            lanes: whole.wire().lanes,
            off: config.lanes.off(),
            depth_max: config.limits.depth,
            now,
        };
        let engine = Engine::new(&engine, RuleSet::default(), now);
        Self { engine, rules, ids: BTreeMap::new(), counts: Counts::default() }
    }

    /// Everything for which a message would be refused, in words.
    pub(super) fn faults(&mut self, subject: &str, (headers, payload): (&[u8], &[u8])) -> Vec<String> {
        let message = line::Message {
            subject: Some(subject.to_owned()),
            headers: headers.to_vec(),
            payload: payload.to_vec(),
        };
        let judgements = verdict::judgements(&message, &self.rules, &mut self.engine);
        judgements.iter().flat_map(Judgement::faults).collect()
    }

    /// What is said of each event of a message.
    fn judge(&mut self, message: &line::Message, line: usize) -> Vec<Judgement> {
        let mut judgements = verdict::judgements(message, &self.rules, &mut self.engine);
        for judgement in &mut judgements {
            // What was refused may be sent again under its id.
            let id = judgement.id.filter(|_| matches!(judgement.verdict, Verdict::Accepted));
            if let Some(id) = id {
                match self.ids.get(&id) {
                    Some(first) => judgement.repeats(*first),
                    None if self.ids.len() < IDS_MAX => drop(self.ids.insert(id, line)),
                    None => {}
                }
            }
            self.counts.events += 1;
            match &judgement.verdict {
                Verdict::Refused { .. } => self.counts.refused += 1,
                Verdict::Accepted if judgement.warnings.is_empty() => {}
                Verdict::Accepted => self.counts.unusual += 1,
            }
        }
        judgements
    }
}
