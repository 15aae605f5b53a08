//! Dashboards: well-formed JSON, and valid PromQL in every panel, variable and annotation.

use std::ops::Range;

use super::json;
use crate::engine::catalogue::KnownMetrics;
use crate::engine::diagnostic::{Diagnostic, Severity, Source};
use crate::engine::promql;
use crate::engine::promql::inspect::{self, Selector};
use crate::engine::yaml::Node;

/// Everything wrong with a dashboard.
pub(super) fn check(source: &Source, metrics: &KnownMetrics) -> Vec<Diagnostic> {
    let dashboard = match json::parse(source) {
        Ok(dashboard) => dashboard,
        Err(diagnostic) => return vec![diagnostic],
    };
    let mut findings = Findings { source, metrics, diagnostics: Vec::new() };
    // The HTTP API wraps a dashboard in one more object.
    let inner = dashboard.get("dashboard").unwrap_or(&dashboard);
    findings.shape(inner);
    findings.panels(inner);
    for variable in inner.get("templating").and_then(|part| part.get("list")).map_or(&[][..], Node::elements)
    {
        findings.variable(variable);
    }
    for annotation in
        inner.get("annotations").and_then(|part| part.get("list")).map_or(&[][..], Node::elements)
    {
        if let Some(expr) = annotation.get("expr") {
            findings.expression(expr);
        }
    }
    findings.diagnostics
}

struct Findings<'a> {
    source: &'a Source,
    metrics: &'a KnownMetrics,
    diagnostics: Vec<Diagnostic>,
}

impl Findings<'_> {
    fn note(
        &mut self,
        severity: Severity,
        code: &'static str,
        span: Range<usize>,
        message: String,
        advice: Option<String>,
    ) {
        let source = self.source.clone();
        self.diagnostics.push(Diagnostic { severity, code, source, span, message, advice });
    }

    fn shape(&mut self, dashboard: &Node) {
        let whole = dashboard.span.start..dashboard.span.start;
        if dashboard.get("panels").is_none() && dashboard.get("rows").is_none() {
            let advice = "A dashboard has a list `panels`; export it from Grafana as JSON.".to_owned();
            let message = "this is no dashboard: it has no panels".to_owned();
            self.note(Severity::Error, "no-dashboard", whole, message, Some(advice));
            return;
        }
        if dashboard.get("title").and_then(Node::text).is_none_or(str::is_empty) {
            let message = "the dashboard has no title".to_owned();
            self.note(Severity::Error, "no-dashboard", whole, message, None);
        }
        if let Some(inputs) = dashboard.get("__inputs") {
            let advice = "Use a variable of type `datasource` instead.".to_owned();
            let message = "`__inputs` keeps Grafana from provisioning the dashboard from a file".to_owned();
            self.note(Severity::Warning, "dashboard-inputs", inputs.span.clone(), message, Some(advice));
        }
    }

    /// Panels, those inside of rows too.
    fn panels(&mut self, parent: &Node) {
        for list in ["panels", "rows"] {
            for panel in parent.get(list).map_or(&[][..], Node::elements) {
                for target in panel.get("targets").map_or(&[][..], Node::elements) {
                    if let Some(expr) = target.get("expr") {
                        self.expression(expr);
                    }
                }
                self.panels(panel);
            }
        }
    }

    /// The `query_result(…)` and `label_values(…, …)` of a query variable hold PromQL too.
    fn variable(&mut self, variable: &Node) {
        if variable.get("type").and_then(Node::text) != Some("query") {
            return;
        }
        let query = variable.get("query");
        let text = query.and_then(|query| query.get("query")).or(query);
        let Some((node, text)) = text.and_then(|node| node.text().map(|text| (node, text))) else { return };
        let inner = |name: &str| text.trim().strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        let expr = inner("query_result")
            .or_else(|| inner("label_values").and_then(|arguments| Some(arguments.rsplit_once(',')?.0)));
        if let Some(expr) = expr
            && let Some(start) = text.find(expr)
        {
            self.parse(node, start, expr);
        }
    }

    fn expression(&mut self, node: &Node) {
        let Some(text) = node.text() else {
            let message = format!("an `expr` is {}, expected PromQL", node.kind());
            self.note(Severity::Error, "wrong-kind", node.span.clone(), message, None);
            return;
        };
        if text.trim().is_empty() {
            let message = "an `expr` is empty".to_owned();
            let advice = "Write a query, or take the target out.".to_owned();
            self.note(Severity::Warning, "promql", node.span.clone(), message, Some(advice));
            return;
        }
        self.parse(node, 0, text);
    }

    /// Parses a part of a JSON string that begins at the byte `start` of its decoded text.
    fn parse(&mut self, node: &Node, start: usize, expr: &str) {
        let written = self.source.text.get(node.span.clone()).unwrap_or_default();
        let places = json::places(written, node.span.start);
        let place = |at: usize| places.get(start + at).or(places.last()).copied().unwrap_or(node.span.start);
        match promql::parse(&substituted(expr)) {
            Ok(parsed) => {
                for found in inspect::selectors(&parsed) {
                    self.metric(&found, place(found.span.start));
                }
            }
            Err(error) => {
                let span = place(error.span.start)..place(error.span.end);
                self.note(Severity::Error, "promql", span, error.message, error.advice);
            }
        }
    }

    /// A dashboard may show metrics of others, so that only what looks like a slip is one.
    fn metric(&mut self, selector: &Selector<'_>, start: usize) {
        let Some(name) = inspect::literal_name(selector.selector) else { return };
        if !self.metrics.checks(name) || self.metrics.find(name).is_some() {
            return;
        }
        if let Some(near) = self.metrics.closest(name) {
            let message = format!("unknown metric `{name}`");
            let advice = format!("Did you mean `{near}`?");
            self.note(Severity::Warning, "unknown-metric", start..start + name.len(), message, Some(advice));
        }
    }
}

/// The query with Grafana's variables replaced by what they could stand for, each by as many bytes as it had.
fn substituted(expr: &str) -> String {
    let mut text = String::with_capacity(expr.len());
    let mut quote = None;
    let mut rest = expr;
    while let Some(character) = rest.chars().next() {
        if character == '$'
            && let Some(len) = variable_len(rest)
        {
            let stands = stand_in(&text, rest.get(1..len).unwrap_or_default(), quote.is_some());
            text.push_str(&stands);
            text.extend(std::iter::repeat_n(if quote.is_some() { 'x' } else { ' ' }, len - stands.len()));
            rest = rest.get(len..).unwrap_or_default();
            continue;
        }
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '"' | '\'' | '`') => quote = Some(character),
            (Some('"' | '\''), '\\') => {
                text.push(character);
                rest = rest.get(1..).unwrap_or_default();
                let Some(escaped) = rest.chars().next() else { break };
                text.push(escaped);
                rest = rest.get(escaped.len_utf8()..).unwrap_or_default();
                continue;
            }
            _ => {}
        }
        text.push(character);
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
    }
    text
}

/// The bytes of the variable a text begins with: `$name` or `${name:format}`.
fn variable_len(text: &str) -> Option<usize> {
    let name = text.strip_prefix('$')?;
    if name.starts_with('{') {
        return name.find('}').map(|end| end + 2);
    }
    let len = name.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    (len > 0).then_some(len + 1)
}

/// What stands for a variable, by the place it stands at; never longer than `$` and its name.
fn stand_in(before: &str, name: &str, quoted: bool) -> String {
    if quoted {
        return String::new();
    }
    let name = name.trim_matches(['{', '}']);
    let name = name.split(':').next().unwrap_or_default();
    let word = before.trim_end().to_lowercase();
    let duration = name.starts_with("__")
        && (name.contains("interval") || name.contains("range"))
        && !name.ends_with("_ms")
        && !name.ends_with("_s");
    if duration || word.ends_with(['[', ':']) || word.ends_with("offset") {
        return "5m".to_owned();
    }
    let list = word.rfind('(').map(|open| word.get(..open).unwrap_or_default().trim_end());
    let grouping = ["by", "without", "on", "ignoring", "group_left", "group_right"];
    if list.is_some_and(|before| grouping.iter().any(|word| before.ends_with(word))) {
        return "x".to_owned();
    }
    "1".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_give_way_to_what_they_could_stand_for_byte_for_byte() {
        let cases = [
            ("rate(a[$__rate_interval])", "rate(a[5m              ])"),
            ("a{b=~\"$queue\"}", "a{b=~\"xxxxxx\"}"),
            ("a{b=~\"${queue:regex}\"}", "a{b=~\"xxxxxxxxxxxxxx\"}"),
            ("topk($n, a)", "topk(1 , a)"),
            ("sum by ($l) (a)", "sum by (x ) (a)"),
            ("a offset $shift", "a offset 5m    "),
            ("a{b=\"cost $\"}", "a{b=\"cost $\"}"),
        ];
        for (written, expected) in cases {
            assert_eq!(substituted(written), expected);
            assert_eq!(written.len(), expected.len());
        }
    }
}
