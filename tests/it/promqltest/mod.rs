//! Runs PromQL conformance data: `load`, `clear` and `eval` commands in text files.
//!
//! The project's own cases in `tests/promql` must all pass. Prometheus' corpus is read from `PROMQLTEST_DIR` (default
//! `../shared/conformance/promqltest`) where it is there; how many of its evaluations pass is printed for each file,
//! and must not fall below `tests/promql/floor.txt`, whose numbers only rise. What failed stands in
//! `target/promqltest-failures.txt`.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::panic,
    reason = "a broken case file fails the test, and the cases are files"
)]

mod classic;
mod command;
mod compare;
mod evaluate;
mod promtool;
mod storage;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use signalbox::engine::promql::{EvalSettings, NameRemoval, StartTimestamps, TypeAndUnit};

use command::Command;
use storage::MemoryStorage;

/// What running one file came to.
struct Report {
    file: String,
    total: usize,
    failures: Vec<String>,
}

impl Report {
    fn passed(&self) -> usize {
        self.total - self.failures.len()
    }
}

/// The settings the corpus is written for; two files need what their names say.
fn settings(file: &str) -> EvalSettings {
    let mut settings = EvalSettings { name_removal: NameRemoval::Delayed, ..EvalSettings::default() };
    if file.starts_with("start_timestamps") {
        settings.start_timestamps = StartTimestamps::Used;
    }
    if file.starts_with("type_and_unit") {
        settings.type_and_unit = TypeAndUnit::Identity;
    }
    settings
}

fn run(path: &Path) -> Report {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).unwrap();
    let settings = settings(&file);
    let mut storage = MemoryStorage::default();
    let mut report = Report { file, total: 0, failures: Vec::new() };
    for (line, command) in command::read(&text) {
        let at = format!("{}:{line}", report.file);
        match command {
            Ok(Command::Clear) => storage.clear(),
            Ok(Command::Load(load)) => {
                if let Err(problem) = storage.load(&load) {
                    report.total += 1;
                    report.failures.push(format!("{at}: cannot load: {problem}"));
                }
            }
            Ok(Command::Eval(eval)) => {
                report.total += 1;
                if let Err(problem) = evaluate::run(&eval, &storage, &settings) {
                    report.failures.push(format!("{at}: {}\n{problem}", eval.describe()));
                }
            }
            Err(problem) => {
                report.total += 1;
                report.failures.push(format!("{at}: cannot read: {problem}"));
            }
        }
    }
    report
}

fn run_all(folder: &Path) -> Vec<Report> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "test"))
        .collect();
    paths.sort();
    paths.iter().map(|path| run(path)).collect()
}

/// Prints the counts past the test harness' capture, so that they show whether the test passes or not.
fn publish(title: &str, reports: &[Report]) {
    let mut text = format!("{title}\n");
    for report in reports {
        writeln!(text, "  {:<30} {:>4}/{}", report.file, report.passed(), report.total).unwrap();
    }
    let passed: usize = reports.iter().map(Report::passed).sum();
    let total: usize = reports.iter().map(|report| report.total).sum();
    writeln!(text, "  {:<30} {passed:>4}/{total}", "in all").unwrap();
    std::io::stdout().write_all(text.as_bytes()).unwrap();
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The floors: a file's name, how many evaluations must pass, of how many.
fn floors() -> Vec<(String, usize, usize)> {
    let text = std::fs::read_to_string(project().join("tests/promql/floor.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (file, counts) = line.split_once(' ').unwrap();
            let (passed, total) = counts.trim().split_once('/').unwrap();
            (file.to_owned(), passed.parse().unwrap(), total.parse().unwrap())
        })
        .collect()
}

#[test]
fn the_projects_own_cases_pass() {
    let reports = run_all(&project().join("tests/promql"));
    publish("own PromQL cases, passed/total:", &reports);
    let failures: Vec<&str> =
        reports.iter().flat_map(|report| &report.failures).map(String::as_str).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(reports.iter().map(|report| report.total).sum::<usize>() > 100);
}

#[test]
fn prometheus_corpus_passes_at_least_as_much_as_before() {
    let folder = std::env::var_os("PROMQLTEST_DIR")
        .map_or_else(|| project().join("../shared/conformance/promqltest"), PathBuf::from);
    if !folder.is_dir() {
        let notice = format!("{} is not there: Prometheus' own PromQL cases are not run\n", folder.display());
        std::io::stdout().write_all(notice.as_bytes()).unwrap();
        return;
    }
    let reports = run_all(&folder);
    publish(&format!("PromQL cases of {}, passed/total:", folder.display()), &reports);
    let failures: Vec<&str> =
        reports.iter().flat_map(|report| &report.failures).map(String::as_str).collect();
    std::fs::write(project().join("target/promqltest-failures.txt"), failures.join("\n\n")).unwrap();
    for (file, floor, total) in floors() {
        // Another selection of the corpus has other totals, and no floor.
        if let Some(report) = reports.iter().find(|report| report.file == file && report.total == total) {
            assert!(report.passed() >= floor, "{file}: {} pass, fewer than {floor}", report.passed());
        }
    }
}
