//! `signalbox test`: rule tests in promtool's format, and beside it events in and transitions out.

mod events;
mod expect;
mod file;
mod keys;
mod prometheus;
mod record;
mod report;
mod series;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::rule_files;
use super::terminal::Terminal;
use super::{CommandOutcome, config_file, sources};
use crate::engine::config::Config;
use crate::engine::diagnostic::{self, Diagnostic, Source, Style};
use crate::engine::rules::RuleSet;
use file::TestFile;
use report::FileResult;

pub(super) use keys::FILE as TEST_KEYS;

/// What to run.
#[derive(Args)]
pub(super) struct Arguments {
    /// Rule test files.
    #[arg(value_name = "FILE", required_unless_present = "record")]
    files: Vec<PathBuf>,
    /// How results are written.
    #[arg(long, value_enum, default_value_t = TestFormat::Text)]
    format: TestFormat,
    /// The configuration that tests with `events` run under [default: the defaults].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    recording: record::RecordArguments,
}

#[derive(Clone, Copy, ValueEnum)]
enum TestFormat {
    /// For people.
    Text,
    /// XML of the `JUnit` kind, for build servers.
    Junit,
}

/// Runs every test of every file.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<CommandOutcome> {
    let config = match &arguments.config {
        Some(path) => config_file::read_or_say(Some(path), terminal)?,
        None => Config::default(),
    };
    let mut files = arguments.files.clone();
    if let Some(path) = &arguments.recording.record {
        record::write(&arguments.recording, path, &config, terminal)?;
        // What was recorded is run, so that it is known to pass.
        files.push(path.clone());
    }
    let mut results = Vec::new();
    for path in &files {
        results.push(run_file(path, &config)?);
    }
    match arguments.format {
        TestFormat::Text => terminal.text(&report::text(&results)),
        TestFormat::Junit => terminal.text(&report::junit(&results)),
    }
    let is_good = results.iter().all(FileResult::is_good);
    Ok(if is_good { CommandOutcome::Fine } else { CommandOutcome::Findings })
}

/// What is wrong with a test file that lies at `path`, nothing run.
pub(super) fn findings_of_test(source: &Source, path: &Path) -> Vec<Diagnostic> {
    file::read(source, path).err().unwrap_or_default()
}

fn run_file(path: &Path, config: &Config) -> anyhow::Result<FileResult> {
    let source = sources::read(path)?;
    let mut result = FileResult { name: path.display().to_string(), fault: None, tests: Vec::new() };
    let loaded =
        file::read(&source, path).and_then(|tests| rules(&tests, config).map(|rules| (tests, rules)));
    let (file, rules) = match loaded {
        Ok(loaded) => loaded,
        Err(diagnostics) => {
            result.fault = Some(diagnostic::render(&diagnostics, Style::Plain));
            return Ok(result);
        }
    };
    for test in &file.tests {
        let faults = match &test.events {
            Some(events) => {
                let mut engine = config.named("signalbox");
                if !test.external_labels.is_empty() {
                    engine.external_labels = test.external_labels.clone();
                }
                if !test.external_url.is_empty() {
                    engine.external_url.clone_from(&test.external_url);
                }
                events::run(test, events, engine, rules.clone(), file.comparison)
            }
            None => prometheus::run(test, &file, &rules),
        };
        result.tests.push((test.name.clone(), faults));
    }
    Ok(result)
}

/// The rules of a test file, in the order it wants; warnings are for `signalbox check`.
fn rules(tests: &TestFile, config: &Config) -> Result<RuleSet, Vec<Diagnostic>> {
    let mut rules = rule_files::load_for_test(&tests.rule_files, config)?;
    let place = |name: &str| {
        tests.group_order.iter().position(|known| known == name).unwrap_or(tests.group_order.len())
    };
    rules.groups.sort_by_key(|group| place(&group.name));
    Ok(rules)
}
