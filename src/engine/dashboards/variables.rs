//! What one chooses at the top of a dashboard, and what is marked in all its panels.

use serde_json::{Value, json};

use super::Diagnostic;
use super::board::{Drawing, datasource};
use super::query;
use crate::engine::catalogue::{CATALOGUE, CatalogueRow, Source};
use crate::engine::diagnostic::Severity;

/// The status page where `external_url` does not say.
const PAGE_DEFAULT: &str = "http://127.0.0.1:9469";

/// How Grafana calls a query for the values of a label, and one for the result of an expression.
const LABEL_VALUES: u64 = 1;
const QUERY_RESULT: u64 = 3;

/// The variables of a dashboard.
///
/// # Errors
/// A label that no metric has.
pub(super) fn variables(drawing: &Drawing<'_>) -> Result<Vec<Value>, Vec<Diagnostic>> {
    let mut variables = vec![
        json!({
            "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
            "description": "Prometheus that scrapes signalbox, or signalbox itself.",
            "current": {}, "hide": 0, "includeAll": false, "multi": false, "refresh": 1, "regex": "",
        }),
        // A query for results: signalbox by itself knows neither label and answers all the same.
        choice("job", "query_result(signalbox_build_info)", QUERY_RESULT),
        choice("instance", "query_result(signalbox_build_info{job=~\"$job\"})", QUERY_RESULT),
    ];
    for label in &drawing.board.variables {
        let Some(metric) = metric_with(label) else {
            return Err(vec![Diagnostic {
                severity: Severity::Error,
                code: "missing-label",
                source: drawing.board.source.clone(),
                span: 0..0,
                message: format!("no metric of the catalogue has the label `{label}`"),
                advice: None,
            }]);
        };
        let name = metric.namespaced(metric.name, &drawing.config.namespace);
        let query = format!("label_values({name}{{job=~\"$job\", instance=~\"$instance\"}}, {label})");
        variables.push(choice(label, &query, LABEL_VALUES));
    }
    let page = Some(drawing.config.external_url.as_str()).filter(|url| !url.is_empty());
    let page = page.unwrap_or(PAGE_DEFAULT).trim_end_matches('/');
    variables.push(json!({
        "name": "page", "label": "Status page", "type": "textbox", "query": page, "hide": 0,
        "description": "Where signalbox serves its page; links to rules lead there.",
        "current": {"selected": true, "text": page, "value": page},
        "options": [{"selected": true, "text": page, "value": page}],
    }));
    Ok(variables)
}

/// The metric whose series tell which values a label has: a gauge of what is there, else the first that has it.
fn metric_with(label: &str) -> Option<&'static CatalogueRow> {
    let fed = || {
        CATALOGUE.iter().copied().filter(|row| matches!(row.source, Source::Event(_) | Source::Tracker(_)))
    };
    fed().find(|row| row.labels.first() == Some(&label) && row.unit.is_none())
}

fn choice(name: &str, query: &str, kind: u64) -> Value {
    let mut letters = name.chars();
    let label: String =
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect();
    let regex = if kind == QUERY_RESULT { format!("/[{{,]\\s*{name}=\"([^\"]+)\"/") } else { String::new() };
    json!({
        "name": name, "label": label, "type": "query", "datasource": datasource(), "definition": query,
        "query": {"query": query, "refId": format!("{name}-values"), "qryType": kind},
        "regex": regex, "refresh": 2, "sort": 1, "multi": true, "includeAll": true,
        // Also what lacks the label: by itself signalbox knows no job and no instance.
        "allValue": ".*",
        "current": {"selected": true, "text": ["All"], "value": ["$__all"]},
        "options": [], "hide": 0,
    })
}

/// What is marked in all panels: the alerts of the dashboard's rules while they fire.
///
/// # Errors
/// None that the files could cause.
pub(super) fn annotations(drawing: &Drawing<'_>) -> Result<Value, String> {
    let of = if drawing.alerts.is_empty() {
        String::new()
    } else {
        format!(", alertname=~\"{}\"", drawing.alerts)
    };
    let expr = format!("max by (alertname, severity) (signalbox_alerts{{alertstate=\"firing\"{of}}})");
    let (expr, _) = query::conditioned(&expr, drawing)?;
    Ok(json!([
        {
            "builtIn": 1, "datasource": {"type": "grafana", "uid": "-- Grafana --"}, "enable": true, "hide": true,
            "iconColor": "rgba(0, 211, 255, 1)", "name": "Annotations & Alerts", "type": "dashboard",
        },
        {
            "name": "Alerts", "datasource": datasource(), "enable": true, "hide": false, "iconColor": "red",
            "target": {"refId": "Anno", "expr": expr, "interval": "10s"}, "titleFormat": "{{alertname}}",
            "textFormat": "{{severity}}", "tagKeys": "alertname,severity", "useValueForTime": false,
        },
    ]))
}
