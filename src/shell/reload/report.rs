//! What a reload did, for who asked, for the page and for the log.

use crate::engine::diagnostic::{Style, counted, digest, render};
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
pub(super) fn write(
    config: &ConfigOutcome,
    load: &Load,
    waiting: &[String],
    anew: &[String],
) -> ReloadReport {
    let mut shown = render(&config.diagnostics, Style::Plain) + &load.text;
    if config.is_refused {
        shown += "The configuration is refused: the previous ones stay in force.\n";
    }
    if !load.is_good {
        shown += "A rule file is refused: the previous ones stay in force.\n";
    }
    for file in &load.held {
        shown.extend([
            file,
            " is being written: it is read once it is whole, and what it said stays in force.\n",
        ]);
    }
    if !waiting.is_empty() {
        shown.extend(["Waiting for a restart: ", &waiting.join(", "), ".\n"]);
    }
    let mut text = shown.clone();
    let live = config.changes.live();
    if !live.is_empty() {
        text.extend(["Changed: ", &live.join(", "), ".\n"]);
    }
    if !anew.is_empty() {
        text.extend(["Begun anew with other buckets: ", &anew.join(", "), ".\n"]);
    }
    let (rules, files) = (counted(load.count(), "rule"), counted(load.files, "file"));
    let are = if load.count() == 1 { "is" } else { "are" };
    text.extend([&rules, " of ", &files, " ", are, " in force.\n"]);
    ReloadReport { is_good: load.is_good && !config.is_refused, text, shown }
}

/// Says the same in the log; what rules came to is said where they are loaded.
pub(super) fn log(config: &ConfigOutcome, load: &Load, waiting: &[String], anew: &[String]) {
    for finding in digest(&config.diagnostics) {
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
    if !anew.is_empty() {
        tracing::info!(metrics = anew.join(", "), "metrics begin anew with other buckets");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::Config;
    use crate::engine::rules::RuleSet;

    /// A load that said this, which is nothing where all was well.
    fn load(text: &str) -> Load {
        let (rules, lines) = (RuleSet::default(), Vec::new());
        Load {
            rules,
            is_good: text.is_empty(),
            text: text.to_owned(),
            lines,
            files: 2,
            passed_over: Vec::new(),
            held: Vec::new(),
        }
    }

    #[test]
    fn what_is_being_written_is_said() {
        let load = Load { held: vec!["a.yaml".to_owned()], ..load("") };
        let report = write(&ConfigOutcome::default(), &load, &[], &[]);
        let said = "a.yaml is being written: it is read once it is whole, and what it said stays in force.\n";
        assert_eq!(
            (report.is_good, report.text),
            (true, format!("{said}0 rules of 2 files are in force.\n"))
        );
    }

    #[test]
    fn a_reload_says_what_changed_and_what_is_in_force() {
        let other = Config { park_after: Some(std::time::Duration::from_secs(9)), ..Config::default() };
        let config = ConfigOutcome { changes: Config::default().changes(&other), ..ConfigOutcome::default() };
        let report = write(&config, &load(""), &[], &["wait_seconds".to_owned()]);
        assert_eq!(
            report.text,
            "Changed: park_after.\nBegun anew with other buckets: wait_seconds.\n0 rules of 2 files are in force.\n"
        );
        assert_eq!((report.is_good, report.shown.as_str()), (true, ""));
    }

    #[test]
    fn what_waits_for_a_restart_stays_on_the_page() {
        let waiting = ["listen".to_owned(), "nats.url".to_owned()];
        let report = write(&ConfigOutcome::default(), &load(""), &waiting, &[]);
        let shown = "Waiting for a restart: listen, nats.url.\n";
        assert_eq!(report.shown, shown);
        assert_eq!(report.text, format!("{shown}0 rules of 2 files are in force.\n"));
        assert!(report.is_good);
    }

    #[test]
    fn what_is_refused_is_said_with_what_stays_in_force() {
        let refused = ConfigOutcome { is_refused: true, ..ConfigOutcome::default() };
        let report = write(&refused, &load(""), &[], &[]);
        assert!(!report.is_good);
        assert_eq!(report.shown, "The configuration is refused: the previous ones stay in force.\n");
        let report = write(&ConfigOutcome::default(), &load("a.yaml:1:1: no\n"), &[], &[]);
        assert!(!report.is_good);
        assert_eq!(
            report.shown,
            "a.yaml:1:1: no\nA rule file is refused: the previous ones stay in force.\n"
        );
    }
}
