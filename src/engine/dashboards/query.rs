//! From what a file says to the query Grafana sends: names as the configuration has them, and the conditions of the
//! dashboard's variables.

use std::ops::Range;

use super::Diagnostic;
use super::board::Drawing;
use super::source::{Measure, Panel, PanelKind, Query};
use crate::engine::catalogue::{self, CatalogueRow};
use crate::engine::diagnostic::Severity;
use crate::engine::metric::MetricType;
use crate::engine::promql::{inspect, parse};
use crate::engine::yaml::Text;

/// Grafana's variable for a range that holds enough scrapes.
const RATE_INTERVAL: &str = "$__rate_interval";
/// Something as long that parses.
const SOME_INTERVAL: &str = "1m              ";

/// A query as Grafana sends it.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// `PromQL` with variables.
    pub(super) expr: String,
    /// What its lines are called.
    pub(super) legend: String,
    /// Whether it has nothing to tell in good times.
    pub(super) is_quiet: bool,
}

/// What a panel asks.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// Its queries.
    pub(super) targets: Vec<Target>,
    /// The metrics they read, in reading order.
    pub(super) rows: Vec<&'static CatalogueRow>,
}

/// The queries of a panel.
///
/// # Errors
/// What is wrong with one, at its place in the file.
pub(super) fn of_panel(panel: &Panel, drawing: &Drawing<'_>) -> Result<Asked, Vec<Diagnostic>> {
    let queries = match &panel.measure {
        Measure::Queries(queries) => queries.clone(),
        Measure::Metric { name, .. } => match catalogue::find(&name.content) {
            Some(row) => of_metric(panel, row, name),
            None => return Err(refused(drawing, &name.span, "no metric of the catalogue has this name")),
        },
    };
    let mut asked = Asked::default();
    for Query { expr, span, legend, is_quiet } in queries {
        let text = expr.replace("$alerts", &drawing.alerts);
        let (expr, rows) = conditioned(&text, drawing).map_err(|why| refused(drawing, &span, &why))?;
        asked.targets.push(Target { expr, legend, is_quiet });
        for row in rows {
            if !asked.rows.contains(&row) {
                asked.rows.push(row);
            }
        }
    }
    Ok(asked)
}

fn refused(drawing: &Drawing<'_>, span: &Range<usize>, message: &str) -> Vec<Diagnostic> {
    vec![Diagnostic {
        severity: Severity::Error,
        code: "promql",
        source: drawing.board.source.clone(),
        span: span.clone(),
        message: message.to_owned(),
        advice: None,
    }]
}

/// A metric in the way its type is asked for.
fn of_metric(panel: &Panel, row: &CatalogueRow, written: &Text) -> Vec<Query> {
    let Measure::Metric { by, aggregate, quantiles, .. } = &panel.measure else { return Vec::new() };
    let name = row.name;
    let grouped = if by.is_empty() { String::new() } else { format!(" by ({}) ", by.join(", ")) };
    let labels: Vec<String> = by.iter().map(|label| format!("{{{{{label}}}}}")).collect();
    let usual = if by.is_empty() { panel.text("title").to_lowercase() } else { labels.join(" ") };
    let query =
        |expr: String, legend: String| Query { expr, span: written.span.clone(), legend, is_quiet: false };
    match (row.metric_type, panel.kind()) {
        (MetricType::Counter, _) => {
            vec![query(format!("sum{grouped}(rate({name}[{RATE_INTERVAL}]))"), usual)]
        }
        (MetricType::Gauge, _) => vec![query(format!("{aggregate}{grouped}({name})"), usual)],
        (MetricType::Histogram, PanelKind::Heatmap) => {
            vec![query(
                format!("sum by (le) (increase({name}_bucket[{RATE_INTERVAL}]))"),
                "{{le}}".to_owned(),
            )]
        }
        (MetricType::Histogram, _) => {
            let labels: Vec<&str> = std::iter::once("le").chain(by.iter().map(String::as_str)).collect();
            let rates = format!("sum by ({}) (rate({name}_bucket[{RATE_INTERVAL}]))", labels.join(", "));
            // Of what nobody did there is no quantile; a stat would say NaN.
            let filter = if panel.kind() == PanelKind::Stat { " >= 0" } else { "" };
            let of = |quantile: &f64| {
                let word = format!("p{}", (quantile * 1e5).round() / 1e3);
                let legend = if by.is_empty() { word } else { format!("{usual} {word}") };
                query(format!("histogram_quantile({quantile}, {rates}){filter}"), legend)
            };
            quantiles.iter().map(of).collect()
        }
    }
}

/// The query with its metrics' names as they are exposed, each selector with the conditions of the dashboard; and what
/// it reads.
pub(super) fn conditioned(
    text: &str,
    drawing: &Drawing<'_>,
) -> Result<(String, Vec<&'static CatalogueRow>), String> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let parsed = parse(&text.replace(RATE_INTERVAL, SOME_INTERVAL)).map_err(|error| error.message)?;
    let (mut written, mut rows, mut from) = (String::new(), Vec::new(), 0);
    for selector in inspect::selectors(&parsed) {
        let name = selector.vector.name.as_deref().ok_or("a selector names no metric")?;
        let row = catalogue::find(name).ok_or_else(|| format!("no metric of the catalogue is `{name}`"))?;
        let start = selector.span.start;
        let end = start + name.len();
        written.push_str(text.get(from..start).unwrap_or_default());
        written.push_str(&row.namespaced(name, &drawing.config.namespace));
        let conditions = conditions(row, drawing);
        let has_own = text.get(end..).is_some_and(|rest| rest.starts_with('{'));
        let (after, next) = if has_own { (", ", end + 1) } else { ("}", end) };
        written.extend(["{", conditions.as_str(), after]);
        from = next;
        rows.push(row);
    }
    written.push_str(text.get(from..).unwrap_or_default());
    Ok((written, rows))
}

/// The conditions of a dashboard's variables on a metric.
fn conditions(row: &CatalogueRow, drawing: &Drawing<'_>) -> String {
    let of_board = drawing.board.variables.iter().map(String::as_str);
    let known = of_board.filter(|label| row.labels.contains(label));
    let names = ["job", "instance"].into_iter().chain(known);
    names.map(|name| format!("{name}=~\"${name}\"")).collect::<Vec<_>>().join(", ")
}
