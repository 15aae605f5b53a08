//! Reads a rule test file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::keys;
use crate::engine::config::{Config, glob_matches};
use crate::engine::diagnostic::{Diagnostic, Source};
use crate::engine::labels::Labels;
use crate::engine::promql::series_notation::Point;
use crate::engine::promql::{self, ParseError, Value, series_notation};
use crate::engine::time::Timestamp;
use crate::engine::yaml::{Findings, Node, Read, ReadValue, Text, Value as YamlValue, Values};

/// The time between two evaluations where the file says nothing, as promtool has it.
const EVALUATION_INTERVAL_DEFAULT: Duration = Duration::from_mins(1);

/// A rule test file.
#[derive(Clone, Debug)]
pub(super) struct TestFile {
    /// Its rule files, globs resolved.
    pub(super) rule_files: Vec<PathBuf>,
    /// The time between two evaluations.
    pub(super) evaluation_interval: Duration,
    /// Names of groups in the order they are evaluated.
    pub(super) group_order: Vec<String>,
    /// How numbers are compared.
    pub(super) comparison: Comparison,
    /// The tests.
    pub(super) tests: Vec<Test>,
}

/// How numbers are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Comparison {
    /// Every bit counts.
    #[default]
    Exact,
    /// `fuzzy_compare`: neighbours are equal.
    Fuzzy,
}

/// One test.
#[derive(Clone, Debug)]
pub(super) struct Test {
    /// What it shows, or where it stands.
    pub(super) name: String,
    /// The time between two values of a series.
    pub(super) interval: Duration,
    /// The instant of time 0; none where the file says nothing.
    pub(super) start: Option<Timestamp>,
    /// Series that rules read.
    pub(super) series: Vec<InputSeries>,
    /// Events that move series.
    pub(super) events: Option<Events>,
    /// Alerts that fire at an instant.
    pub(super) alerts: Vec<AlertTest>,
    /// What expressions yield.
    pub(super) exprs: Vec<ExprTest>,
    /// Every alert event, where the test says.
    pub(super) transitions: Option<Vec<serde_json::Map<String, serde_json::Value>>>,
    /// `$externalLabels` of templates.
    pub(super) external_labels: Labels,
    /// `externalURL` of templates.
    pub(super) external_url: String,
}

/// A series with its values.
#[derive(Clone, Debug)]
pub(super) struct InputSeries {
    /// Its labels, metric name included.
    pub(super) labels: Labels,
    /// Its values, one at each interval.
    pub(super) points: Vec<Point>,
}

/// Where events come from.
#[derive(Clone, Debug)]
pub(super) enum Events {
    /// They stand in the test.
    Inline(Vec<serde_json::Value>),
    /// A recording, relative to the test file.
    File(PathBuf),
}

/// Alerts that fire at an instant.
#[derive(Clone, Debug)]
pub(super) struct AlertTest {
    /// The instant, from time 0.
    pub(super) time: Duration,
    /// The alert.
    pub(super) name: String,
    /// All that fire.
    pub(super) expected: Vec<ExpectedAlert>,
}

/// One alert that fires.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ExpectedAlert {
    /// Its labels, `alertname` included.
    pub(super) labels: Labels,
    /// Its annotations.
    pub(super) annotations: BTreeMap<String, String>,
}

/// What an expression yields at an instant.
#[derive(Clone, Debug)]
pub(super) struct ExprTest {
    /// The expression's text.
    pub(super) query: String,
    /// The expression.
    pub(super) expr: promql::Expr,
    /// The instant, from time 0.
    pub(super) time: Duration,
    /// All samples.
    pub(super) expected: Vec<ExpectedSample>,
}

/// One sample.
#[derive(Clone, Debug)]
pub(super) struct ExpectedSample {
    /// Its labels, metric name included.
    pub(super) labels: Labels,
    /// Its value.
    pub(super) value: Value,
}

/// Reads a test file that lies at `path`, or says everything that is wrong with it.
pub(super) fn read(source: &Source, path: &Path) -> Result<TestFile, Vec<Diagnostic>> {
    let mut findings = Findings::new(source);
    let root = findings.document();
    if let Some(root) = &root {
        refuse_other_kinds(root, path, &mut findings);
        if findings.refuse() {
            return Err(findings.list);
        }
    }
    let top = Values(root.map(|root| findings.section(&root, keys::FILE, "")).unwrap_or_default());
    let folder = path.parent().unwrap_or(Path::new(""));
    let evaluation_interval = match top.duration("evaluation_interval") {
        None | Some(Duration::ZERO) => EVALUATION_INTERVAL_DEFAULT,
        Some(interval) => interval,
    };
    let mut rule_files = Vec::new();
    for read in top.list("rule_files") {
        if let Some(Text { content: pattern, .. }) = read.written() {
            let found = matching(folder, pattern);
            if found.is_empty() {
                let message = format!("no rule file matches `{pattern}`");
                let advice = "Paths are relative to the test file.".to_owned();
                findings.error("no-such-file", &read.span, message).advise(advice);
            }
            rule_files.extend(found);
        }
    }
    let mut tests = Vec::new();
    for (index, read) in top.list("tests").iter().enumerate() {
        let mut reading = Reading { findings: &mut findings, source, folder };
        tests.push(reading.test(read, index + 1, evaluation_interval));
    }
    let file = TestFile {
        rule_files,
        evaluation_interval,
        group_order: top.texts("group_eval_order").unwrap_or_default(),
        comparison: match top.flag("fuzzy_compare") {
            Some(true) => Comparison::Fuzzy,
            _ => Comparison::Exact,
        },
        tests,
    };
    if findings.refuse() { Err(findings.list) } else { Ok(file) }
}

/// Says of a file that is something else what it is, instead of each key that a test file does not have.
fn refuse_other_kinds(root: &Node, path: &Path, findings: &mut Findings<'_>) {
    let has = |name: &str| root.get(name).is_some();
    let is_known = || keys::FILE.iter().any(|key| has(key.name));
    let is_config = || {
        root.entries().iter().any(|(key, _)| Config::KEYS.iter().any(|known| key.text() == Some(known.name)))
    };
    let (message, advice) = if has("groups") && !has("tests") {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let advice = format!(
            "Name the file with its tests, such as `{stem}.test.yaml`, whose `rule_files` lists this one; \
             `signalbox check` looks at the rules themselves."
        );
        ("this is a rule file, not a file of rule tests", advice)
    } else if !is_known() && is_config() {
        let advice = "Name a file with `rule_files` and `tests`, and this one with --config.".to_owned();
        ("this is a configuration, not a file of rule tests", advice)
    } else {
        return;
    };
    let first = root.entries().first().map_or(root.span.clone(), |(key, _)| key.span.clone());
    findings.error("no-test-file", &first, message).advise(advice);
}

/// What reading one test needs.
struct Reading<'a, 'b> {
    findings: &'a mut Findings<'b>,
    source: &'a Source,
    folder: &'a Path,
}

impl Reading<'_, '_> {
    fn test(&mut self, read: &Read, number: usize, evaluation_interval: Duration) -> Test {
        let values = Values::of(read);
        let line = self.source.text.get(..read.span.start).unwrap_or_default().matches('\n').count() + 1;
        let name = values.text("name").unwrap_or_else(|| format!("test {number} (line {line})"));
        let interval = match values.duration("interval") {
            None | Some(Duration::ZERO) => evaluation_interval,
            Some(interval) => interval,
        };
        let series = values.list("input_series").iter().filter_map(|read| self.series(read)).collect();
        let events = values.find("events").and_then(|read| self.events(read));
        if events.is_some()
            && let Some(series) = values.find("input_series")
        {
            let advice = "Make two tests of it.".to_owned();
            let message = "a test has `input_series` or `events`, not both".to_owned();
            self.findings.error("contradiction", &series.span, message).advise(advice);
        }
        if events.is_none()
            && let Some(read) = values.find("transitions")
        {
            let message = "`transitions` need `events`".to_owned();
            let advice = "With `input_series` write `alert_rule_test`.".to_owned();
            self.findings.error("contradiction", &read.span, message).advise(advice);
        }
        let transitions = values.find("transitions").map(|read| self.transitions(read));
        Test {
            name,
            interval,
            start: values.find("start_timestamp").and_then(|read| self.instant(read)),
            series,
            events,
            alerts: values.list("alert_rule_test").iter().filter_map(|read| self.alert(read)).collect(),
            exprs: values.list("promql_expr_test").iter().filter_map(|read| self.expr(read)).collect(),
            transitions,
            external_labels: Labels::collect(values.section("external_labels").text_map()),
            external_url: values.text("external_url").unwrap_or_default(),
        }
    }

    fn series(&mut self, read: &Read) -> Option<InputSeries> {
        let values = Values::of(read);
        let (Some(series), Some(notation)) = (values.written("series"), values.written("values")) else {
            self.incomplete(read, "an element of `input_series` without `series` or `values`");
            return None;
        };
        let labels = self.labels(series)?;
        let points = series_notation::points(&notation.content).map_err(|error| self.refuse(error, notation));
        Some(InputSeries { labels, points: points.ok()? })
    }

    fn alert(&mut self, read: &Read) -> Option<AlertTest> {
        let values = Values::of(read);
        let Some(name) = values.text("alertname").filter(|name| !name.is_empty()) else {
            self.incomplete(read, "an element of `alert_rule_test` without `alertname`");
            return None;
        };
        let expected = values.list("exp_alerts").iter().map(|read| {
            let values = Values::of(read);
            let mut labels = values.section("exp_labels").text_map();
            labels.insert("alertname".to_owned(), name.clone());
            ExpectedAlert {
                labels: Labels::collect(labels),
                annotations: values.section("exp_annotations").text_map(),
            }
        });
        let expected = expected.collect();
        Some(AlertTest { time: values.duration("eval_time").unwrap_or_default(), name, expected })
    }

    fn expr(&mut self, read: &Read) -> Option<ExprTest> {
        let values = Values::of(read);
        let Some(query) = values.written("expr") else {
            self.incomplete(read, "an element of `promql_expr_test` without `expr`");
            return None;
        };
        let expr = promql::parse(&query.content).map_err(|error| self.refuse(error, query)).ok()?;
        let query = query.content.clone();
        let expected = values.list("exp_samples").iter().filter_map(|read| self.sample(read)).collect();
        Some(ExprTest { query, expr, time: values.duration("eval_time").unwrap_or_default(), expected })
    }

    fn sample(&mut self, read: &Read) -> Option<ExpectedSample> {
        let values = Values::of(read);
        let labels = match values.written("labels").filter(|text| !text.content.is_empty()) {
            Some(written) => self.labels(written)?,
            None => Labels::empty(),
        };
        let value = match values.written("histogram") {
            Some(text) => self.histogram(text)?,
            None => Value::Float(values.written("value").map_or(Some(0.0), |text| self.float(text))?),
        };
        Some(ExpectedSample { labels, value })
    }

    fn float(&mut self, text: &Text) -> Option<f64> {
        let value = number(&text.content);
        if value.is_none() {
            self.findings.error("wrong-type", &text.span, format!("`{}` is no number", text.content));
        }
        value
    }

    fn histogram(&mut self, text: &Text) -> Option<Value> {
        let points = series_notation::points(&text.content).map_err(|error| self.refuse(error, text)).ok()?;
        if let Ok([Some(value @ Value::Histogram(_))]) = <[Point; 1]>::try_from(points) {
            return Some(value);
        }
        self.findings.error("wrong-type", &text.span, format!("`{}` is no histogram", text.content));
        None
    }

    fn events(&mut self, read: &Read) -> Option<Events> {
        let ReadValue::Any(node) = &read.value else { return None };
        match (&node.value, node.text()) {
            (YamlValue::Sequence(events), _) => Some(Events::Inline(events.iter().map(Node::json).collect())),
            (YamlValue::Scalar(_), Some(path)) => Some(Events::File(self.folder.join(path))),
            (YamlValue::Scalar(_) | YamlValue::Mapping(_), _) => {
                let message = "`events` is neither a list nor the path of a .jsonl file".to_owned();
                self.findings.error("wrong-type", &read.span, message);
                None
            }
        }
    }

    fn transitions(&mut self, read: &Read) -> Vec<serde_json::Map<String, serde_json::Value>> {
        let ReadValue::Any(node) = &read.value else { return Vec::new() };
        if node.is_null() {
            return Vec::new();
        }
        let YamlValue::Sequence(elements) = &node.value else {
            self.findings.error("wrong-type", &read.span, "`transitions` is no list".to_owned());
            return Vec::new();
        };
        let mut transitions = Vec::new();
        for (index, element) in elements.iter().enumerate() {
            if let serde_json::Value::Object(fields) = element.json() {
                transitions.push(fields);
            } else {
                let message = format!("transition {} is no mapping", index + 1);
                self.findings.error("wrong-type", &element.span, message);
            }
        }
        transitions
    }

    fn instant(&mut self, read: &Read) -> Option<Timestamp> {
        let text = &read.written()?.content;
        let instant = super::super::instant::parse(text);
        if instant.is_none() {
            let message = format!("`{text}` is no instant");
            let advice = "Write RFC 3339 (`2026-02-03T10:00:00Z`) or seconds since the epoch.".to_owned();
            self.findings.error("wrong-type", &read.span, message).advise(advice);
        }
        instant
    }

    /// The labels of a series in PromQL's notation.
    fn labels(&mut self, written: &Text) -> Option<Labels> {
        series_notation::labels(&written.content).map_err(|error| self.refuse(error, written)).ok()
    }

    /// Notes what is wrong in a text.
    fn refuse(&mut self, error: ParseError, text: &Text) {
        let place = text.place(&self.source.text, &error.span);
        let advice = self.findings.error("promql", &place, error.message);
        if let Some(words) = error.advice {
            advice.advise(words);
        }
    }

    fn incomplete(&mut self, read: &Read, message: &str) {
        self.findings.error("incomplete", &read.span, message.to_owned());
    }
}

/// A number as YAML or PromQL writes it.
pub(super) fn number(text: &str) -> Option<f64> {
    let plain = text.trim().trim_start_matches('+').to_ascii_lowercase();
    let plain = plain.strip_prefix('.').filter(|rest| rest.starts_with(['n', 'i'])).unwrap_or(&plain);
    match plain.strip_prefix("-.") {
        Some(rest) if rest.starts_with('i') => Some(f64::NEG_INFINITY),
        _ => plain.replace('_', "").parse().ok(),
    }
}

/// The files that a path with `*` and `?` in it names, sorted; a path without them names itself.
fn matching(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![if pattern.starts_with('/') { PathBuf::from("/") } else { folder.to_owned() }];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for folder in found {
            if !part.contains(['*', '?']) {
                next.push(folder.join(part));
                continue;
            }
            let here = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
            let Ok(entries) = std::fs::read_dir(here) else { continue };
            let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
            names.sort();
            let matches =
                |name: &std::ffi::OsString| name.to_str().is_some_and(|name| glob_matches(part, name));
            next.extend(names.iter().filter(|name| matches(name)).map(|name| folder.join(name)));
        }
        found = next;
    }
    found.retain(|path| path.is_file());
    found
}
