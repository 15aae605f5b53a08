//! `signalbox schema`: JSON Schema for editors.

mod rules;

use clap::{Args, ValueEnum};

use super::CommandOutcome;
use super::terminal::Terminal;
use crate::engine::config::Config;
use crate::engine::yaml::schema::document;

/// Which schema.
#[derive(Args)]
pub(super) struct Arguments {
    /// The kind of file the schema is for.
    #[arg(value_enum)]
    file: File,
}

#[derive(Clone, Copy, ValueEnum)]
enum File {
    /// signalbox.yaml
    Config,
    /// Rule files
    Rules,
}

/// Prints the schema.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> CommandOutcome {
    let schema = match arguments.file {
        File::Config => document("signalbox configuration", Config::KEYS),
        File::Rules => document("signalbox rules", rules::FILE),
    };
    terminal.text(&format!("{schema:#}\n"));
    CommandOutcome::Fine
}
