//! Reads a rule test file.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::keys;
use crate::engine::config::reader::{Read, ReadValue, Reader, Values};
use crate::engine::config::{glob_matches, yaml};
use crate::engine::diagnostic::{Diagnostic, Severity, Source};
use crate::engine::labels::Labels;
use crate::engine::promql::series_notation::Point;
use crate::engine::promql::{self, ParseError, Value, series_notation};
use crate::engine::time::Timestamp;

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
    let node = yaml::parse(source).map_err(|diagnostic| vec![diagnostic])?;
    let mut reader = Reader::new(source);
    let top = Values(reader.section(&node, keys::FILE, ""));
    let folder = path.parent().unwrap_or(Path::new(""));
    let evaluation_interval = match top.duration("evaluation_interval") {
        None | Some(Duration::ZERO) => EVALUATION_INTERVAL_DEFAULT,
        Some(interval) => interval,
    };
    let mut rule_files = Vec::new();
    for read in top.list("rule_files") {
        if let ReadValue::Text(pattern) = &read.value {
            let found = matching(folder, pattern);
            if found.is_empty() {
                let message = format!("no rule file matches `{pattern}`");
                let advice = "Paths are relative to the test file.".to_owned();
                reader.error("no-such-file", read.span.clone(), message, Some(advice));
            }
            rule_files.extend(found);
        }
    }
    let mut tests = Vec::new();
    for (index, read) in top.list("tests").iter().enumerate() {
        let mut reading = Reading { reader: &mut reader, source, folder };
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
    let is_refused = reader.diagnostics.iter().any(|found| found.severity == Severity::Error);
    if is_refused { Err(reader.diagnostics) } else { Ok(file) }
}

/// What reading one test needs.
struct Reading<'a, 'b> {
    reader: &'a mut Reader<'b>,
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
            self.reader.error("contradiction", series.span.clone(), message, Some(advice));
        }
        if events.is_none()
            && let Some(read) = values.find("transitions")
        {
            let message = "`transitions` need `events`".to_owned();
            let advice = "With `input_series` write `alert_rule_test`.".to_owned();
            self.reader.error("contradiction", read.span.clone(), message, Some(advice));
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
        let (Some(written), Some(notation)) = (values.find("series"), values.find("values")) else {
            self.incomplete(read, "an element of `input_series` without `series` or `values`");
            return None;
        };
        let labels = self.labels(&values.text("series")?, &written.span)?;
        let text = values.text("values")?;
        let points =
            series_notation::points(&text).map_err(|error| self.refuse(error, &notation.span, &text));
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
        let Some(query) = values.text("expr") else {
            self.incomplete(read, "an element of `promql_expr_test` without `expr`");
            return None;
        };
        let expr = match promql::parse(&query) {
            Ok(expr) => expr,
            Err(error) => {
                let span = values.find("expr").map_or(0..0, |read| read.span.clone());
                self.refuse(error, &span, &query);
                return None;
            }
        };
        let expected = values.list("exp_samples").iter().filter_map(|read| self.sample(read)).collect();
        Some(ExprTest { query, expr, time: values.duration("eval_time").unwrap_or_default(), expected })
    }

    fn sample(&mut self, read: &Read) -> Option<ExpectedSample> {
        let values = Values::of(read);
        let written = values.text("labels").unwrap_or_default();
        let labels = if written.is_empty() {
            Labels::empty()
        } else {
            let span = values.find("labels").map_or(0..0, |read| read.span.clone());
            self.labels(&written, &span)?
        };
        let value = match values.text("histogram") {
            Some(text) => self.histogram(&text, &values)?,
            None => Value::Float(self.float(&values)?),
        };
        Some(ExpectedSample { labels, value })
    }

    fn float(&mut self, values: &Values) -> Option<f64> {
        let text = values.text("value").unwrap_or_else(|| "0".to_owned());
        let value = number(&text);
        if value.is_none() {
            let span = values.find("value").map_or(0..0, |read| read.span.clone());
            self.reader.error("wrong-kind", span, format!("`{text}` is no number"), None);
        }
        value
    }

    fn histogram(&mut self, text: &str, values: &Values) -> Option<Value> {
        let span = values.find("histogram").map_or(0..0, |read| read.span.clone());
        let points = series_notation::points(text).map_err(|error| self.refuse(error, &span, text)).ok()?;
        if let Ok([Some(value @ Value::Histogram(_))]) = <[Point; 1]>::try_from(points) {
            return Some(value);
        }
        self.reader.error("wrong-kind", span, format!("`{text}` is no histogram"), None);
        None
    }

    fn events(&mut self, read: &Read) -> Option<Events> {
        match &read.value {
            ReadValue::Json(serde_json::Value::Array(events)) => Some(Events::Inline(events.clone())),
            ReadValue::Json(serde_json::Value::String(path)) => Some(Events::File(self.folder.join(path))),
            _ => {
                let message = "`events` is neither a list nor the path of a .jsonl file".to_owned();
                self.reader.error("wrong-kind", read.span.clone(), message, None);
                None
            }
        }
    }

    fn transitions(&mut self, read: &Read) -> Vec<serde_json::Map<String, serde_json::Value>> {
        let mut transitions = Vec::new();
        let elements = match &read.value {
            ReadValue::Json(serde_json::Value::Array(elements)) => elements.clone(),
            ReadValue::Json(serde_json::Value::Null) => Vec::new(),
            _ => {
                let message = "`transitions` is no list".to_owned();
                self.reader.error("wrong-kind", read.span.clone(), message, None);
                Vec::new()
            }
        };
        for (index, element) in elements.into_iter().enumerate() {
            if let serde_json::Value::Object(fields) = element {
                transitions.push(fields);
            } else {
                let message = format!("transition {} is no mapping", index + 1);
                self.reader.error("wrong-kind", read.span.clone(), message, None);
            }
        }
        transitions
    }

    fn instant(&mut self, read: &Read) -> Option<Timestamp> {
        let ReadValue::Text(text) = &read.value else { return None };
        let instant = super::super::instant::parse(text);
        if instant.is_none() {
            let message = format!("`{text}` is no instant");
            let advice = "Write RFC 3339 (`2026-02-03T10:00:00Z`) or seconds since the epoch.".to_owned();
            self.reader.error("wrong-kind", read.span.clone(), message, Some(advice));
        }
        instant
    }

    /// The labels of a series in PromQL's notation.
    fn labels(&mut self, written: &str, span: &Range<usize>) -> Option<Labels> {
        series_notation::labels(written).map_err(|error| self.refuse(error, span, written)).ok()
    }

    /// Notes what is wrong with a text that stands at `span`.
    fn refuse(&mut self, error: ParseError, span: &Range<usize>, text: &str) {
        let place = Place::new(self.source, span, text);
        self.reader.error("promql", place.span(&error.span), error.message, error.advice);
    }

    fn incomplete(&mut self, read: &Read, message: &str) {
        self.reader.error("incomplete", read.span.clone(), message.to_owned(), None);
    }
}

/// Maps places in a text that stands in a file to places in the file, as well as its notation lets it.
struct Place {
    start: usize,
    whole: Range<usize>,
    is_verbatim: bool,
}

impl Place {
    fn new(source: &Source, span: &Range<usize>, text: &str) -> Self {
        let written = source.text.get(span.clone()).unwrap_or_default();
        let found = written.find(text);
        Self { start: span.start + found.unwrap_or(0), whole: span.clone(), is_verbatim: found.is_some() }
    }

    fn span(&self, inner: &Range<usize>) -> Range<usize> {
        if self.is_verbatim { self.start + inner.start..self.start + inner.end } else { self.whole.clone() }
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
