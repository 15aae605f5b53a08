//! What a reload did, for who asked, for the page and for the log.

use crate::engine::diagnostic::{Diagnostic, Style, render};
use crate::engine::fact::Kept;
use crate::shell::rule_files::Load;

use super::ConfigOutcome;

/// What came of a reload.
#[derive(Clone, Debug)]
pub(crate) struct ReloadReport {
    /// Whether everything loaded.
    pub(crate) is_good: bool,
    /// What to tell who asked.
    pub(crate) text: String,
    /// What stays on the page until the next reload.
    pub(super) shown: String,
}

/// Writes what a reload did.
pub(super) fn write(config: &ConfigOutcome, load: &Load, waiting: &[String], kept: &[Kept]) -> ReloadReport {
    let mut shown = render(&config.diagnostics, Style::Plain) + &load.text;
    if config.is_refused {
        shown += "The configuration is refused: the previous ones stay in force.\n";
    }
    if !load.is_good {
        shown += "A rule file is refused: the previous ones stay in force.\n";
    }
    if !waiting.is_empty() {
        shown.extend(["Waiting for a restart: ", &waiting.join(", "), ".\n"]);
    }
    for Kept { key, metric } in kept {
        shown.extend(["Waiting for a restart: ", key, " of ", metric, ", which has series.\n"]);
    }
    let mut text = shown.clone();
    let live = config.changes.live();
    if !live.is_empty() {
        text.extend(["Changed: ", &live.join(", "), ".\n"]);
    }
    text.extend([&load.count().to_string(), " rules of ", &load.files.to_string(), " files are in force.\n"]);
    ReloadReport { is_good: load.is_good && !config.is_refused, text, shown }
}

/// Says the same in the log; what rules came to is said where they are loaded.
pub(super) fn log(config: &ConfigOutcome, load: &Load, waiting: &[String], kept: &[Kept]) {
    for finding in config.diagnostics.iter().map(Diagnostic::summary) {
        tracing::warn!(finding, "configuration");
    }
    if config.is_refused {
        tracing::warn!("the configuration is refused: the previous ones stay in force");
    }
    if !load.is_good {
        tracing::warn!("a rule file is refused: the previous ones stay in force");
    }
    let live = config.changes.live();
    if !live.is_empty() {
        tracing::info!(keys = live.join(", "), "the configuration changed and is in force");
    }
    if !waiting.is_empty() {
        tracing::warn!(keys = waiting.join(", "), "changed keys of the configuration wait for a restart");
    }
    for kept in kept {
        tracing::warn!(
            key = kept.key,
            metric = kept.metric,
            "a changed key waits for a restart: the metric has series"
        );
    }
}
