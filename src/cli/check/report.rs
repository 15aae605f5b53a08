//! What `check` found, as text for people and as the documents that other programs read.

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::super::terminal::Terminal;
use super::{code_host, sarif};
use crate::engine::diagnostic::{Diagnostic, Severity, counted};

/// How findings are written.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum FindingFormat {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// Annotations of GitHub Actions, one line a finding.
    Github,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
}

/// What was found, and how many files of each kind were looked at.
pub(super) struct Report<'a> {
    /// In the order of files and of places in them.
    pub(super) diagnostics: Vec<&'a Diagnostic>,
    /// Configurations.
    pub(super) configurations: usize,
    /// Rule files.
    pub(super) rule_files: usize,
    /// Dashboards.
    pub(super) dashboards: usize,
    /// Rule tests, which are left to `signalbox test`.
    pub(super) tests_passed_over: usize,
    /// Contexts and event types that the configuration leaves to other instances.
    pub(super) off: Vec<&'static str>,
    /// What the configuration leaves to other instances, in sentences.
    pub(super) share: Vec<String>,
}

impl Report<'_> {
    /// Writes it; a document for programs has stdout for itself.
    pub(super) fn write(&self, format: FindingFormat, terminal: &mut Terminal) {
        match format {
            FindingFormat::Text => {
                terminal.diagnostics(&self.diagnostics);
                self.summary().into_iter().for_each(|line| terminal.line(line));
            }
            FindingFormat::Json => terminal.text(&format!("{:#}\n", self.json())),
            FindingFormat::Sarif => terminal.text(&format!("{:#}\n", sarif::document(&self.diagnostics))),
            FindingFormat::Github => {
                for finding in &self.diagnostics {
                    terminal.line(code_host::annotation(finding));
                }
                self.summary().into_iter().for_each(|line| terminal.say(line));
            }
        }
    }

    /// What was looked at, and which part of the events that is about.
    fn summary(&self) -> Vec<String> {
        std::iter::once(self.looked_at()).chain(self.share.iter().cloned()).collect()
    }

    fn looked_at(&self) -> String {
        let looked_at = format!(
            "checked {}, {}, {}",
            counted(self.configurations, "configuration"),
            counted(self.rule_files, "rule file"),
            counted(self.dashboards, "dashboard"),
        );
        match self.tests_passed_over {
            0 => looked_at,
            tests => format!(
                "{looked_at} ({} passed over: run them with `signalbox test`)",
                counted(tests, "rule test file")
            ),
        }
    }

    /// The document that `docs/commands.md` describes.
    fn json(&self) -> Value {
        let errors = self.diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
        json!({
            "version": 1,
            "findings": self.diagnostics.iter().map(|found| finding(found)).collect::<Vec<Value>>(),
            "errors": errors,
            "warnings": self.diagnostics.len() - errors,
            "checked": {
                "configurations": self.configurations,
                "rule_files": self.rule_files,
                "dashboards": self.dashboards,
                "rule_tests_passed_over": self.tests_passed_over,
            },
            "off": self.off,
        })
    }
}

/// One finding; a file that could not be read has no place in it.
fn finding(found: &Diagnostic) -> Value {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("severity", found.severity.name().into());
    put("code", found.code.into());
    put("file", found.source.name.as_ref().into());
    if let Some(region) = found.region() {
        put("line", region.line.into());
        put("column", region.column.into());
        put("end_line", region.end_line.into());
        put("end_column", region.end_column.into());
    }
    put("message", found.message.as_str().into());
    if let Some(advice) = &found.advice {
        put("advice", advice.as_str().into());
    }
    Value::Object(members)
}
