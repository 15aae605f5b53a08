//! The commands: arguments in, text and an exit code out.
//!
//! Exit codes: 0 fine, 1 findings, 2 could not work. Everything a command says is plain text for people; what other
//! programs read (`--format json`, `junit`) goes to stdout alone.
#![expect(
    clippy::disallowed_methods,
    reason = "the commands are where files, clocks and the environment are met"
)]

mod ask;
mod check;
mod config_file;
mod connection;
mod dashboards;
mod demo;
mod export;
mod file_kind;
mod greedy;
mod health;
mod instant;
mod json;
mod logs;
mod lsp;
mod markup;
mod partition_config;
mod playback;
mod query;
mod recording;
mod refusals;
mod rejected;
mod replay;
mod rule_files;
mod run;
mod schema;
mod settings;
mod sources;
mod terminal;
mod test;
mod validate;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::LazyLock;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::engine::config::LogFormat;
use crate::engine::diagnostic::{Lines, printable};
use terminal::{Statement, Terminal};

/// The version with the revision it was built from, where the build knows it.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let revision = crate::shell::REVISION;
    format!("{} (revision {revision})", env!("CARGO_PKG_VERSION"))
});

/// An observability sidecar that turns domain events into Prometheus metrics and alerts.
#[derive(Parser)]
#[command(name = "signalbox", version = VERSION.as_str(), arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the sidecar.
    Run(Box<run::Arguments>),
    /// Plays a realistic workload to NATS beside a sidecar, or prints it.
    Demo(demo::Arguments),
    /// Validates configuration, rules and dashboards offline.
    Check(check::Arguments),
    /// Runs rule unit tests: promtool's format, and events in, transitions out.
    Test(test::Arguments),
    /// Runs recorded events through the engine in their own time and prints every alert transition.
    Replay(replay::Arguments),
    /// Evaluates one PromQL expression after a replay.
    Query(query::Arguments),
    /// Says what the sidecar would say of each event: every bad field, and what is unusual.
    Validate(validate::Arguments),
    /// Lists copies of refused events that a stream keeps, and sends them again.
    #[command(subcommand)]
    Rejected(rejected::Arguments),
    /// Works with the rules themselves.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Prints a JSON Schema for editors or producers, or an `AsyncAPI` document of the events.
    #[command(subcommand)]
    Schema(schema::Arguments),
    /// Writes the shipped dashboards for Grafana from their source, or says whether those on disk are current.
    Dashboards(dashboards::Arguments),
    /// Prints what a server, its streams and the instances need for events to be read in parts, by key.
    PartitionConfig(partition_config::Arguments),
    /// A language server for rule files, rule tests and configurations, on standard input and output.
    Lsp(lsp::Arguments),
    /// Asks a running sidecar whether it is healthy; for container health checks.
    Health(health::Arguments),
}

#[derive(Subcommand)]
enum RulesCommand {
    /// Prints the rules as one plain Prometheus rule file.
    Export(export::Arguments),
}

/// How a command that could work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CommandOutcome {
    /// Nothing to object to.
    Fine,
    /// Something was found.
    Findings,
}

/// Runs the command the arguments name.
pub fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let mut terminal = Terminal::new();
    let result = match arguments.command {
        Command::Run(arguments) => run::run(&arguments, &mut terminal),
        Command::Demo(arguments) => {
            logs::start(LogFormat::Text);
            demo::run(&arguments).map(|()| CommandOutcome::Fine).map_err(|error| Statement::of(&error).into())
        }
        Command::Check(arguments) => check::run(&arguments, &mut terminal),
        Command::Test(arguments) => test::run(&arguments, &mut terminal),
        Command::Replay(arguments) => replay::run(&arguments, &mut terminal),
        Command::Query(arguments) => query::run(&arguments, &mut terminal),
        Command::Validate(arguments) => validate::run(&arguments, &mut terminal),
        Command::Rejected(arguments) => rejected::run(&arguments, &mut terminal),
        Command::Rules(RulesCommand::Export(arguments)) => export::run(&arguments, &mut terminal),
        Command::Schema(arguments) => schema::run(&arguments, &mut terminal),
        Command::Dashboards(arguments) => dashboards::run(&arguments, &mut terminal),
        Command::PartitionConfig(arguments) => partition_config::run(&arguments, &mut terminal),
        Command::Lsp(arguments) => lsp::run(&arguments),
        Command::Health(arguments) => health::run(&arguments, &mut terminal),
    };
    terminal.exit(result)
}

/// The arguments of this process, its environment included.
fn arguments() -> Result<Arguments, clap::Error> {
    let command = without_empty_variables(Arguments::command());
    Arguments::from_arg_matches(&command.try_get_matches()?)
}

/// Takes variables that are empty for none: that is how manifests and shells say that nothing is set.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    let command = command.mut_args(|argument| {
        if argument.get_env().is_some_and(is_empty) { argument.env(None::<&'static str>) } else { argument }
    });
    command.mut_subcommands(without_empty_variables)
}

/// Ends as the parser of arguments does, but with no argument commanding the terminal.
fn refuse(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    match printable(&text, Lines::Many) {
        Cow::Borrowed(_) => error.exit(),
        Cow::Owned(safe) => {
            // A closed stderr leaves nobody to tell.
            let _ = write!(io::stderr(), "{safe}");
            ExitCode::from(2)
        }
    }
}
