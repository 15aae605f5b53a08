//! `signalbox schema`: JSON Schema for editors and for producers, and an `AsyncAPI` document of the events.

mod asyncapi;
#[cfg(test)]
mod events_page_tests;

use std::path::PathBuf;

use clap::Subcommand;

use super::terminal::Terminal;
use super::{CommandOutcome, config_file};
use crate::engine::config::Config;
use crate::engine::diagnostic::closest;
use crate::engine::rules::FILE_KEYS;
use crate::engine::wire::{EventType, schema};
use crate::engine::yaml::schema::document;

/// Which schema.
#[derive(Subcommand)]
pub(super) enum Arguments {
    /// signalbox.yaml
    Config,
    /// Rule files
    Rules,
    /// Events as producers send them: one type, or all of them as one of the types.
    Events {
        /// The event type, for example JobQueued.
        #[arg(value_name = "TYPE", value_parser = event_type)]
        event_type: Option<EventType>,
    },
    /// An `AsyncAPI` 3 document of subjects, lanes and payloads.
    Asyncapi {
        /// The configuration, whose `subjects` and `lanes` are told [default: signalbox.yaml if present].
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

fn event_type(name: &str) -> Result<EventType, String> {
    EventType::from_name(name).ok_or_else(|| {
        let names = || EventType::ALL.iter().map(|event_type| event_type.name());
        match closest(name, names()) {
            Some(near) => format!("no event type; did you mean {near}?"),
            None => format!("no event type; they are {}", names().collect::<Vec<_>>().join(", ")),
        }
    })
}

/// Prints the schema.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<CommandOutcome> {
    let schema = match arguments {
        Arguments::Config => document("signalbox configuration", Config::KEYS),
        Arguments::Rules => document("signalbox rules", FILE_KEYS),
        Arguments::Events { event_type: Some(event_type) } => schema::document(*event_type),
        Arguments::Events { event_type: None } => schema::document_of_all(),
        Arguments::Asyncapi { config } => {
            asyncapi::document(&config_file::read_or_say(config.as_deref(), terminal)?)
        }
    };
    terminal.text(&format!("{schema:#}\n"));
    Ok(CommandOutcome::Fine)
}
