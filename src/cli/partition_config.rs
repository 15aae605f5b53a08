//! `signalbox partition-config`: what a server, its streams and the instances need, for events to be read in parts.
//!
//! The server maps each subject that has a key to the part that the key's hash says (`partition()` of its subject mapping).
//! So nothing is asked of producers but the key, and the same key comes to the same part whatever the type.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::terminal::Terminal;
use super::{CommandOutcome, config_file};
use crate::engine::config::{Config, PARTS_MAX, PartitionConfig};
use crate::engine::wire::{EventType, Lane};

/// Into how many parts.
#[derive(Args)]
pub(super) struct Arguments {
    /// Into how many parts the keys are parted, from 2 on.
    #[arg(long, value_name = "N")]
    count: usize,
    /// The configuration, whose subjects, lanes, stream and `partition.token` hold [default: signalbox.yaml if present].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What to print.
    #[arg(long, value_enum, default_value_t = Print::All)]
    print: Print,
}

/// What to print.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Print {
    /// Everything, for people.
    All,
    /// The subject mappings, for the configuration of nats-server.
    Mappings,
    /// A user's permissions for each part, for the configuration of nats-server.
    Permissions,
    /// The streams, a JSON configuration a line.
    Streams,
    /// The configuration of each instance.
    Instances,
}

/// Prints it.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<CommandOutcome> {
    let count = arguments.count;
    if !(2..=PARTS_MAX).contains(&count) {
        bail!("part events into {count}: --count is a number from 2 to {PARTS_MAX}");
    }
    let config = config_file::read_or_say(arguments.config.as_deref(), terminal)?;
    let parts: Vec<Part> = (0..count).map(|index| Part::of(&config, (count, index))).collect();
    let sections: [(Print, &str, String); 4] = [
        (
            Print::Mappings,
            "For nats-server.conf, or inside the account of the events: which part a key comes to.",
            mappings(&parts),
        ),
        (
            Print::Permissions,
            "For nats-server.conf: what the user of each part may do, where users are told apart.",
            parts.iter().map(Part::permissions).collect::<Vec<String>>().concat(),
        ),
        (
            Print::Streams,
            "The streams, one a line: save each as a file, then nats stream add --config FILE.",
            parts.iter().map(|part| format!("{}\n", part.stream())).collect::<Vec<String>>().concat(),
        ),
        (
            Print::Instances,
            "What is added to the configuration of each instance.",
            parts.iter().map(Part::instance).collect::<Vec<String>>().join("---\n"),
        ),
    ];
    for (print, about, text) in sections {
        if arguments.print == Print::All {
            terminal.text(&format!("# {about}\n{text}\n"));
        } else if arguments.print == print {
            terminal.text(&text);
        }
    }
    Ok(CommandOutcome::Fine)
}

/// One part.
struct Part {
    config: Config,
    /// The stream that is made for it.
    stream: String,
    /// The stream that takes alert events: the first part's, which takes what has no key.
    alert_stream: String,
}

impl Part {
    fn of(config: &Config, (count, index): (usize, usize)) -> Self {
        let name = &config.jetstream.stream;
        // The file may be that of an instance already.
        let suffix = format!("_{}", config.partition.index);
        let base = name.strip_suffix(&suffix).filter(|_| config.partition.count > 1).unwrap_or(name);
        let (stream, alert_stream) = (format!("{base}_{index}"), format!("{base}_0"));
        let partition = PartitionConfig { count, index, ..config.partition.clone() };
        Self { config: Config { partition, ..config.clone() }, stream, alert_stream }
    }

    /// The patterns of a lane.
    fn patterns(&self, lane: Lane) -> Vec<String> {
        let (subjects, lanes) = (self.config.event_subjects(), self.config.wire().lanes);
        let types = lanes.into_iter().filter(|(_, rides)| *rides == lane);
        types.flat_map(|(event_type, _)| subjects.patterns(event_type)).collect()
    }

    fn stream(&self) -> Value {
        json!({
            "name": self.stream, "subjects": self.patterns(Lane::JetStream), "retention": "limits",
            "storage": "file", "discard": "old", "max_consumers": -1, "max_msgs": -1, "max_bytes": -1,
            "max_age": 0, "max_msgs_per_subject": -1, "max_msg_size": -1, "num_replicas": 1,
            "duplicate_window": 120_000_000_000_u64,
        })
    }

    fn instance(&self) -> String {
        let PartitionConfig { count, index, token } = &self.config.partition;
        let token = Value::from(token.as_str());
        format!(
            "instance: signalbox-{index}\njetstream: {{stream: {}, durable: signalbox_{index}}}\n\
             nats: {{inbox_prefix: _INBOX_signalbox_{index}}}\npartition: {{count: {count}, index: {index}, token: {token}}}\n",
            self.stream,
        )
    }

    fn permissions(&self) -> String {
        let (index, stream, subjects) =
            (self.config.partition.index, &self.stream, self.config.event_subjects());
        let mut subscribe = vec![format!("_INBOX_signalbox_{index}.>")];
        subscribe.extend(self.patterns(Lane::Core));
        let mut publish: Vec<String> =
            [EventType::AlertTriggered, EventType::AlertCleared].map(|alert| subjects.of(alert)).into();
        publish.push(self.config.rejected.subject.clone());
        let mut streams = vec![stream, &self.alert_stream];
        streams.dedup();
        publish.push("$JS.API.STREAM.NAMES".to_owned());
        for stream in streams {
            let ways = ["STREAM.INFO.", "STREAM.MSG.GET.", "CONSUMER.CREATE."];
            publish.extend(ways.map(|way| format!("$JS.API.{way}{stream}")));
            let ways = ["CONSUMER.INFO.", "CONSUMER.DELETE.", "CONSUMER.MSG.NEXT."];
            publish.extend(ways.map(|way| format!("$JS.API.{way}{stream}.*")));
        }
        publish.push(format!("$JS.API.CONSUMER.DURABLE.CREATE.{stream}.signalbox_{index}"));
        publish.push(format!("$JS.ACK.{stream}.signalbox_{index}.>"));
        let mut text = format!("SIGNALBOX_{index} = {{\n");
        for (name, allowed) in [("subscribe", subscribe), ("publish", publish)] {
            // Writing to a text does not fail.
            let _ = writeln!(text, "  {name}: {{\n    allow: [");
            for subject in allowed {
                let _ = writeln!(text, "      {}", Value::from(subject));
            }
            let _ = writeln!(text, "    ]\n  }}");
        }
        text.push_str("}\n");
        text
    }
}

fn mappings(parts: &[Part]) -> String {
    let mut text = "mappings: {\n".to_owned();
    let found = parts.first().map(|part| {
        // What is off here is for others to part, or not.
        let is_on = |context: &&str| part.config.lanes.by_type().keys().any(|it| it.context() == *context);
        let (subjects, contexts) = (part.config.event_subjects(), EventType::contexts().filter(is_on));
        contexts.flat_map(|context| subjects.mappings(context, parts.len())).collect::<Vec<_>>()
    });
    for (from, to) in found.unwrap_or_default() {
        // Writing to a text does not fail.
        let _ = writeln!(text, "  {}: {}", Value::from(from), Value::from(to));
    }
    text.push_str("}\n");
    text
}
