//! Rule files on disk, loaded for commands that work offline.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;

use super::sources::{self, listed};
use super::terminal::Terminal;
use crate::engine::config::file::FileConfig;
use crate::engine::config::known_metrics;
use crate::engine::diagnostic::{Diagnostic, Severity, Source};
use crate::engine::rules::RuleSet;
use crate::engine::rules::load::{INTERVAL_DEFAULT, KnownMetrics, LoadContext, Loaded, load};

/// Endings of rule files in a folder.
const ENDINGS: [&str; 2] = [".yaml", ".yml"];
/// Endings of rule tests, which lie beside rule files and are none.
const TEST_ENDINGS: [&str; 2] = [".test.yaml", ".test.yml"];

/// The rule files that paths name: files as they are, of folders those that look like rule files.
///
/// # Errors
/// A path that cannot be read.
pub(super) fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(sources::read(path)?);
            continue;
        }
        for file in listed(path, &ENDINGS)? {
            if !is_test(&file) {
                found.push(sources::read(&file)?);
            }
        }
    }
    Ok(found)
}

/// Whether a file's name says that it holds rule tests.
pub(super) fn is_test(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    TEST_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Loads rules and says what is wrong with them.
///
/// # Errors
/// A file that cannot be read or does not load.
pub(super) fn load_or_say(
    paths: &[PathBuf],
    config: &FileConfig,
    terminal: &mut Terminal,
) -> anyhow::Result<RuleSet> {
    let loaded = loaded(&read(paths)?, config);
    let is_good = loaded.is_good();
    if !is_good {
        terminal.say_diagnostics(&loaded.diagnostics);
        bail!("use the rules: mend what is shown above, or check them with `signalbox check`");
    }
    Ok(loaded.set)
}

/// Loads rules for a test; warnings are for `signalbox check`.
pub(super) fn load_for_test(paths: &[PathBuf]) -> Result<RuleSet, Vec<Diagnostic>> {
    let mut sources = Vec::new();
    let mut faults = Vec::new();
    for path in paths {
        match sources::read(path) {
            Ok(source) => sources.push(source),
            Err(error) => faults.push(unreadable(path, &error)),
        }
    }
    let metrics = KnownMetrics::default();
    let loaded =
        load(&sources, &LoadContext { interval: INTERVAL_DEFAULT, metrics: &metrics, previous: None });
    faults.extend(loaded.diagnostics.into_iter().filter(|found| found.severity == Severity::Error));
    if faults.is_empty() { Ok(loaded.set) } else { Err(faults) }
}

fn unreadable(path: &Path, error: &anyhow::Error) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: "unreadable",
        source: Source { name: Arc::from(path.display().to_string()), text: Arc::from("") },
        span: 0..0,
        message: format!("cannot {error:#}"),
        advice: None,
    }
}

/// Loads rules against the metrics that the catalogue and the configuration know.
pub(super) fn loaded(sources: &[Source], config: &FileConfig) -> Loaded {
    let metrics = known_metrics(&config.engine);
    load(sources, &LoadContext { interval: INTERVAL_DEFAULT, metrics: &metrics, previous: None })
}
