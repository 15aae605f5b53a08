//! `signalbox check`: configuration, rules and dashboards, offline, every problem at once.

mod code_host;
mod cost;
mod explained;
mod report;
mod sarif;

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;

use super::file_kind::FileKind;
use super::sources::{self, listed};
use super::terminal::Terminal;
use super::{CommandOutcome, config_file, dashboards, rule_files, settings};
use crate::engine::assist::outline::Outline;
use crate::engine::catalogue::known_metrics;
use crate::engine::config::Config;
use crate::engine::diagnostic::{self, Diagnostic, Source};
use crate::engine::rules::{Costs, Survey};
use crate::shell::rule_files::read_rules;
use report::{FindingFormat, Report};

/// The folder of dashboards that is checked where nothing is named.
const DEFAULT_DASHBOARDS: &str = "dashboards";

/// How rule files of a folder end, which `run` reads.
const RULE_ENDINGS: [&str; 2] = [".yaml", ".yml"];

/// How dashboards end.
const DASHBOARD_ENDING: &str = ".json";

/// What to check.
#[derive(Args)]
pub(super) struct Arguments {
    /// Files or folders [default: signalbox.yaml, rules/ and dashboards/ where present].
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// A recording, in which the series are counted that each rule reads (`check.series_max`).
    #[arg(long, value_name = "FILE.jsonl")]
    events: Option<PathBuf>,
    /// How findings are written.
    #[arg(long, value_enum, default_value_t = FindingFormat::Text)]
    format: FindingFormat,
}

/// What is checked, by what it is.
#[derive(Default)]
struct Found {
    configs: Vec<Source>,
    rules: Vec<Source>,
    dashboards: Vec<Source>,
    faults: Vec<Diagnostic>,
    tests: usize,
}

/// Checks everything, says what is wrong, and what was looked at.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<CommandOutcome> {
    let mut found = Found::default();
    if arguments.paths.is_empty() {
        find_defaults(&mut found)?;
    } else {
        for path in &arguments.paths {
            find(path, &mut found)?;
        }
    }
    let mut diagnostics = std::mem::take(&mut found.faults);
    let mut config = Config::default();
    for source in &found.configs {
        let (parsed, wrong) = config_file::checked(source);
        diagnostics.extend(wrong);
        config = parsed.unwrap_or(config);
    }
    let mut loaded = rule_files::loaded(&found.rules, &config);
    diagnostics.append(&mut loaded.diagnostics);
    let metrics = known_metrics(&config);
    let counted = arguments.events.as_ref().zip(config.check.series_max);
    if let Some((events, most)) = counted {
        diagnostics.extend(cost::costly(&found.rules, &loaded.set, (&config, events, most), terminal)?);
    }
    let costs = if counted.is_some() { Costs::Counted } else { Costs::Estimated };
    let survey = Survey::of(&loaded.set, (&config.check, &metrics), costs);
    diagnostics.extend(found.rules.iter().flat_map(|source| survey.findings(source)));
    diagnostics.extend(found.dashboards.iter().flat_map(|source| dashboards::check(source, &metrics)));
    let report = Report {
        diagnostics: diagnostic::sorted(&diagnostics),
        configurations: found.configs.len(),
        rule_files: found.rules.len(),
        dashboards: found.dashboards.len(),
        tests_passed_over: found.tests,
        off: config.lanes.off_words(),
        share: config.share_words(),
    };
    report.write(arguments.format, terminal);
    Ok(if diagnostics.is_empty() { CommandOutcome::Fine } else { CommandOutcome::Findings })
}

fn find_defaults(found: &mut Found) -> anyhow::Result<()> {
    let config = Path::new(config_file::DEFAULT_CONFIG);
    let mut rules = vec![PathBuf::from(settings::DEFAULT_RULES)];
    let mut is_named = false;
    if config.exists() {
        let source = sources::read(config)?;
        if let (Some(parsed), _) = Config::parse(&source)
            && let Some(paths) = &parsed.rules
        {
            rules = paths.iter().map(PathBuf::from).collect();
            is_named = true;
        }
        found.configs.push(source);
    }
    for path in rules {
        // What the configuration names and is not there is a finding in it.
        if path.is_dir() {
            find_in(&path, &RULE_ENDINGS, found)?;
        } else if is_named && path.exists() {
            sort(&path, found)?;
        }
    }
    let dashboards = Path::new(DEFAULT_DASHBOARDS);
    if dashboards.is_dir() {
        find_in(dashboards, &[DASHBOARD_ENDING], found)?;
    }
    if found.configs.is_empty() && found.rules.is_empty() && found.dashboards.is_empty() {
        bail!("find anything to check: there is no signalbox.yaml, rules/ or dashboards/ here; name a path");
    }
    Ok(())
}

fn find(path: &Path, found: &mut Found) -> anyhow::Result<()> {
    if !path.is_dir() {
        return sort(path, found);
    }
    let [yaml, yml] = RULE_ENDINGS;
    if find_in(path, &[yaml, yml, DASHBOARD_ENDING], found)? == 0 {
        bail!("find anything to check in {}: it holds no *.yaml, *.yml or *.json of its own", path.display());
    }
    Ok(())
}

/// Puts the files of a folder that end so where they belong; yields how many there are.
fn find_in(folder: &Path, endings: &[&str], found: &mut Found) -> anyhow::Result<usize> {
    let files = listed(folder, endings)?;
    for file in &files {
        sort(file, found)?;
    }
    Ok(files.len())
}

/// Puts one file where it belongs by its ending and its first keys.
fn sort(path: &Path, found: &mut Found) -> anyhow::Result<()> {
    let source = match sources::read(path) {
        Ok(source) => source,
        Err(error) if path.symlink_metadata().is_ok() => {
            found.faults.push(config_file::unreadable(path, &error));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    if path.extension().is_some_and(|ending| ending == "json") {
        found.dashboards.push(source);
        return Ok(());
    }
    match FileKind::of(path, &Outline::of(&source.text)) {
        FileKind::RuleTest => found.tests += 1,
        FileKind::Config => found.configs.push(source),
        FileKind::Rules => {
            let mut texts = read_rules(&[path.to_owned()]);
            found.rules.append(&mut texts.sources);
            found.faults.append(&mut texts.faults);
        }
    }
    Ok(())
}
