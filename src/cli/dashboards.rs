//! Dashboards, checked (well-formed JSON, and valid PromQL wherever a query goes to Prometheus) and written.
//!
//! Dashboards as Grafana exports, provisions and serves them, old ones with rows and new ones with elements. What a
//! variable could make right is right, and so is what goes to another data source.

mod data_source;
mod generate;
mod variables;

use std::ops::Range;

pub(super) use generate::{Arguments, run};

use super::json;
use crate::engine::catalogue::{KnownMetrics, NamedMetric};
use crate::engine::diagnostic::{Diagnostic, Severity, Source};
use crate::engine::promql::{Expr, inspect};
use crate::engine::rules::missing_labels;
use crate::engine::yaml::Node;
use data_source::{DataSource, DataSources};
use variables::Reading;

/// Findings that are kept of one dashboard, as of a rule file.
const FINDINGS_MAX: usize = 200;

/// Everything wrong with a dashboard.
pub(super) fn check(source: &Source, metrics: &KnownMetrics) -> Vec<Diagnostic> {
    let document = match json::parse(source) {
        Ok(document) => document,
        Err(diagnostic) => return vec![diagnostic],
    };
    let dashboard = unwrapped(&document);
    let sources = DataSources::of(dashboard);
    let mut findings = Findings { source, metrics, sources: &sources, diagnostics: Vec::new() };
    findings.shape(dashboard);
    findings.panels(dashboard);
    for (_, library) in dashboard.get("__elements").map_or(&[][..], Node::entries) {
        if let Some(panel) = library.get("model") {
            findings.panel(panel);
        }
    }
    let list =
        |name: &str| dashboard.get(name).and_then(|part| part.get("list")).map_or(&[][..], Node::elements);
    for variable in list("templating") {
        if variable.get("type").and_then(Node::text) == Some("query") {
            let source = sources.find(variable, DataSource::Unknown);
            findings.variable(variable.get("query"), source);
        }
    }
    for annotation in list("annotations") {
        let source = sources.find(annotation, DataSource::Unknown);
        findings.target(annotation, source);
        if let Some(target) = annotation.get("target") {
            findings.target(target, source);
        }
    }
    findings.elements(dashboard);
    findings.diagnostics
}

/// The dashboard itself: Grafana's HTTP API and its resources wrap it in one more object.
fn unwrapped(document: &Node) -> &Node {
    let is_whole = |node: &Node| ["panels", "rows", "elements"].iter().any(|key| node.get(key).is_some());
    if is_whole(document) {
        return document;
    }
    let inner = document.get("dashboard").or(document.get("spec")).unwrap_or(document);
    if is_whole(inner) { inner } else { inner.get("spec").unwrap_or(inner) }
}

struct Findings<'a> {
    source: &'a Source,
    metrics: &'a KnownMetrics,
    sources: &'a DataSources<'a>,
    diagnostics: Vec<Diagnostic>,
}

impl Findings<'_> {
    fn note(
        &mut self,
        severity: Severity,
        code: &'static str,
        span: Range<usize>,
        (message, advice): (String, Option<String>),
    ) {
        if self.diagnostics.len() >= FINDINGS_MAX {
            return;
        }
        let source = self.source.clone();
        self.diagnostics.push(Diagnostic { severity, code, source, span, message, advice });
    }

    fn shape(&mut self, dashboard: &Node) {
        let whole = dashboard.span.start..dashboard.span.start;
        if ["panels", "rows", "elements"].iter().all(|key| dashboard.get(key).is_none()) {
            let advice = "A dashboard has a list `panels`; export it from Grafana as JSON.".to_owned();
            let message = "this is no dashboard: it has no panels".to_owned();
            self.note(Severity::Error, "no-dashboard", whole, (message, Some(advice)));
            return;
        }
        if dashboard.get("title").and_then(Node::text).is_none_or(str::is_empty) {
            let advice = "Give it a `title`; Grafana takes none without.".to_owned();
            let message = "the dashboard has no title".to_owned();
            self.note(Severity::Error, "no-dashboard", whole, (message, Some(advice)));
        }
        if let Some(inputs) = dashboard.get("__inputs").filter(|inputs| !inputs.elements().is_empty()) {
            let advice = "Use a variable of type `datasource` instead.".to_owned();
            let message = "`__inputs` keeps Grafana from provisioning the dashboard from a file".to_owned();
            self.note(Severity::Warning, "dashboard-inputs", inputs.span.clone(), (message, Some(advice)));
        }
    }

    /// Panels, those inside of rows too.
    fn panels(&mut self, parent: &Node) {
        for list in ["panels", "rows"] {
            for panel in parent.get(list).map_or(&[][..], Node::elements) {
                self.panel(panel);
                self.panels(panel);
            }
        }
    }

    fn panel(&mut self, panel: &Node) {
        let is_log = panel.get("type").and_then(Node::text) == Some("logs");
        let usual = if is_log { DataSource::Other } else { DataSource::Unknown };
        let of_panel = self.sources.find(panel, usual);
        for target in panel.get("targets").map_or(&[][..], Node::elements) {
            let source = self.sources.find(target, of_panel);
            self.target(target, source);
        }
    }

    /// What holds a query under `expr`.
    fn target(&mut self, target: &Node, source: DataSource) {
        let Some(node) = target.get("expr").filter(|expr| !expr.is_null()) else { return };
        let Some(text) = node.text() else {
            let message = format!("an `expr` is {}, expected PromQL", node.kind());
            self.note(Severity::Error, "wrong-type", node.span.clone(), (message, None));
            return;
        };
        // Grafana asks nothing where nothing is written.
        if !text.trim().is_empty() && source.takes_promql(text) {
            self.query(node, 0, text);
        }
    }

    /// The `query_result(…)` and `label_values(…, …)` of a query variable hold PromQL too.
    fn variable(&mut self, query: Option<&Node>, source: DataSource) {
        let text = query.and_then(|query| query.get("query")).or(query);
        let Some((node, text)) = text.and_then(|node| node.text().map(|text| (node, text))) else { return };
        let inner = |name: &str| {
            let arguments = text.trim().strip_prefix(name)?.trim_start().strip_prefix('(')?;
            arguments.strip_suffix(')')
        };
        let expr = inner("query_result")
            .or_else(|| inner("label_values").and_then(|arguments| Some(arguments.rsplit_once(',')?.0)));
        if let Some(expr) = expr
            && !expr.trim().is_empty()
            && source.takes_promql(expr)
            && let Some(start) = text.find(expr)
        {
            self.query(node, start, expr);
        }
    }

    /// The elements, variables and annotations of the newer schema, whose queries name their kind.
    fn elements(&mut self, dashboard: &Node) {
        let list = |name: &str| dashboard.get(name).map_or(&[][..], Node::elements);
        for (_, element) in dashboard.get("elements").map_or(&[][..], Node::entries) {
            let group =
                element.get("spec").and_then(|spec| spec.get("data")).and_then(|data| data.get("spec"));
            let queries = group.and_then(|group| group.get("queries")).map_or(&[][..], Node::elements);
            for query in queries.iter().filter_map(|query| query.get("spec")?.get("query")) {
                if let Some(spec) = query.get("spec") {
                    self.target(spec, kind_of(query));
                }
            }
        }
        for query in list("variables").iter().filter_map(|variable| variable.get("spec")?.get("query")) {
            if let Some(spec) = query.get("spec") {
                self.variable(spec.get("query").or(spec.get("__legacyStringValue")), kind_of(query));
            }
        }
        for query in list("annotations").iter().filter_map(|annotation| annotation.get("spec")?.get("query"))
        {
            if let Some(spec) = query.get("spec") {
                self.target(spec, kind_of(query));
            }
        }
    }

    /// A query that begins at the byte `start` of a JSON string's decoded text.
    fn query(&mut self, node: &Node, start: usize, query: &str) {
        if self.diagnostics.len() >= FINDINGS_MAX {
            return;
        }
        let written = self.source.text.get(node.span.clone()).unwrap_or_default();
        let places = json::places(written, node.span.start);
        let place = |span: Range<usize>| {
            let of = |at: usize| places.get(start + at).or(places.last()).copied().unwrap_or(node.span.start);
            of(span.start)..of(span.end)
        };
        let reading = variables::read(query);
        match &reading.parsed {
            Ok(expr) => {
                for (code, span, words) in slips(expr, &reading, self.metrics) {
                    self.note(Severity::Warning, code, place(span), words);
                }
            }
            Err(error) => {
                let words = (error.message.clone(), error.advice.clone());
                self.note(Severity::Error, "promql", place(reading.origin(&error.span)), words);
            }
        }
    }
}

/// The data source that a query of the newer schema is for.
fn kind_of(query: &Node) -> DataSource {
    let kind = query.get("group").or(query.get("kind")).and_then(Node::text);
    kind.filter(|kind| !kind.is_empty() && *kind != "DataQuery")
        .map_or(DataSource::Unknown, data_source::plugin)
}

/// A code, a place in the query, and what is said of it.
type Slip = (&'static str, Range<usize>, (String, Option<String>));

/// Names that are near one of ours: a dashboard may show metrics and labels of others, so that only what looks like a
/// slip is one.
fn slips(expr: &Expr, reading: &Reading, metrics: &KnownMetrics) -> Vec<Slip> {
    let mut slips = Vec::new();
    for selector in inspect::selectors(expr) {
        let Some(name) = inspect::literal_name(selector.vector) else { continue };
        let Some(place) = reading.word(name, &selector.span).filter(|_| metrics.checks(name)) else {
            continue;
        };
        let (message, advice) = match metrics.find(name) {
            Some(NamedMetric { part: Some(_), .. }) => continue,
            Some(NamedMetric { part: None, .. }) => (
                format!("`{name}` is a histogram and has no sample of this name"),
                format!("Its samples are `{name}_bucket`, `{name}_sum` and `{name}_count`."),
            ),
            None => match metrics.slip_of(name) {
                Some(near) => (format!("unknown metric `{name}`"), format!("Did you mean `{near}`?")),
                None => continue,
            },
        };
        slips.push(("unknown-metric", reading.origin(&place), (message, Some(advice))));
    }
    for missing in missing_labels(expr, metrics) {
        let Some(near) = missing.near() else { continue };
        let Some(place) = reading.word(&missing.label, &missing.part) else { continue };
        let advice = format!("Did you mean `{near}`?");
        slips.push(("missing-label", reading.origin(&place), (missing.to_string(), Some(advice))));
    }
    slips
}
