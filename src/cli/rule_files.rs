//! Rule files on disk, loaded for commands that work offline.

use std::path::PathBuf;

use anyhow::bail;

use super::terminal::Terminal;
use crate::engine::catalogue::known_metrics;
use crate::engine::config::Config;
use crate::engine::diagnostic::{Diagnostic, Severity, Source};
use crate::engine::rules::RuleSet;
use crate::engine::rules::load::{INTERVAL_DEFAULT, LoadContext, Loaded, load};
use crate::shell::rule_files::read_rules;

/// Loads rules and says what is wrong with them.
///
/// # Errors
/// A file that cannot be read or does not load.
pub(super) fn load_or_say(
    paths: &[PathBuf],
    config: &Config,
    terminal: &mut Terminal,
) -> anyhow::Result<RuleSet> {
    let texts = read_rules(paths);
    let mut loaded = loaded(&texts.sources, config);
    let is_good = loaded.is_good() && texts.faults.is_empty();
    if !is_good {
        let mut diagnostics = texts.faults;
        diagnostics.append(&mut loaded.diagnostics);
        terminal.say_diagnostics(&diagnostics);
        bail!("use the rules: mend what is shown above, or check them with `signalbox check`");
    }
    Ok(loaded.set)
}

/// Loads rules for a test; warnings are for `signalbox check`.
pub(super) fn load_for_test(paths: &[PathBuf], config: &Config) -> Result<RuleSet, Vec<Diagnostic>> {
    let texts = read_rules(paths);
    let loaded = loaded(&texts.sources, config);
    let mut faults = texts.faults;
    faults.extend(loaded.diagnostics.into_iter().filter(|found| found.severity == Severity::Error));
    if faults.is_empty() { Ok(loaded.set) } else { Err(faults) }
}

/// Loads rules against the metrics that the catalogue and the configuration know.
pub(super) fn loaded(sources: &[Source], config: &Config) -> Loaded {
    let metrics = known_metrics(config);
    load(sources, &LoadContext { interval: INTERVAL_DEFAULT, metrics: &metrics, previous: None })
}
