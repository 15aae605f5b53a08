//! One panel as Grafana takes it.

use serde_json::{Map, Value, json};

use super::Diagnostic;
use super::board::{Drawing, datasource};
use super::query::{self, Asked, Target};
use super::source::{Look, Panel, PanelKind};
use super::thresholds;
use crate::engine::metric::MetricType;
use crate::engine::rules::rule_url::rule_url;
use crate::engine::rules::set::{Alerting, Rule};

/// A rule that a panel's values are held against.
type HeldRule<'a> = (&'a Rule, &'a Alerting);

/// Where a panel lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct PanelPlace {
    /// Its number in the dashboard.
    pub(super) id: usize,
    /// Columns from the left.
    pub(super) x: u64,
    /// Lines from the top.
    pub(super) y: u64,
}

/// The lines a panel takes.
pub(super) fn height(panel: &Panel) -> u64 {
    if panel.kind() == PanelKind::Stat { 4 } else { 8 }
}

/// Draws one.
///
/// # Errors
/// A query that is none, at its place in the file.
pub(super) fn draw(
    panel: &Panel,
    place: PanelPlace,
    drawing: &Drawing<'_>,
) -> Result<Value, Vec<Diagnostic>> {
    let asked = query::of_panel(panel, drawing)?;
    let ids = panel.rules();
    // Rules of one's own need not have the shipped ones among them.
    let rules: Vec<HeldRule<'_>> = ids.iter().filter_map(|id| thresholds::find(drawing.rules, id)).collect();
    let unit = unit(panel, &asked);
    let targets: Vec<Value> = asked
        .targets
        .iter()
        .zip("ABCDEFGH".chars())
        .map(|(target, letter)| target_json(panel, target, letter))
        .collect();
    let links: Vec<Value> = rules.iter().map(|(rule, _)| link(rule)).collect();
    let mut drawn = json!({
        "id": place.id,
        "type": type_name(panel.kind()),
        "title": panel.text("title"),
        "description": description(panel, &asked, &rules, &unit),
        "datasource": datasource(),
        "gridPos": {"h": height(panel), "w": panel.width(), "x": place.x, "y": place.y},
        "fieldConfig": {"defaults": defaults(panel, &rules, &unit), "overrides": []},
        "targets": targets,
        "options": options(panel),
        "links": links,
    });
    if panel.kind() == PanelKind::Table
        && let Some(drawn) = drawn.as_object_mut()
    {
        let hidden = if asked.rows.iter().all(|row| row.name == "signalbox_alerts") {
            json!({"Time": true, "Value": true})
        } else {
            json!({"Time": true})
        };
        let organize = json!({"id": "organize", "options": {"excludeByName": hidden}});
        drawn.insert("transformations".to_owned(), json!([organize]));
    }
    Ok(drawn)
}

const fn type_name(kind: PanelKind) -> &'static str {
    match kind {
        PanelKind::TimeSeries => "timeseries",
        PanelKind::Stat => "stat",
        PanelKind::Table => "table",
        PanelKind::Heatmap => "heatmap",
    }
}

/// Grafana's name of the unit of what is shown.
fn unit(panel: &Panel, asked: &Asked) -> String {
    let own = panel.text("unit");
    if !own.is_empty() {
        return own;
    }
    let Some(row) = asked.rows.first() else { return "short".to_owned() };
    let of_value = match row.unit {
        Some("seconds") => "s",
        Some("bytes") => "bytes",
        Some("ratio") => "percentunit",
        Some(_) | None => "short",
    };
    let is_rate = row.metric_type == MetricType::Counter;
    (if is_rate { "cps" } else { of_value }).to_owned()
}

/// What people read of a panel: what it means, what its metrics are, when its rules fire, why it may be empty.
fn description(panel: &Panel, asked: &Asked, rules: &[HeldRule<'_>], unit: &str) -> String {
    let mut sentences = Vec::new();
    sentences.extend(Some(panel.text("about")).filter(|about| !about.is_empty()));
    let is_one = asked.rows.len() == 1;
    let helps = asked.rows.iter().filter(|row| row.name != "signalbox_build_info" || is_one);
    sentences.extend(helps.map(|row| format!("`{}`: {}", row.name, row.help)));
    sentences.extend(rules.iter().map(|rule| thresholds::sentence(*rule, unit)));
    let quiet: Vec<&str> =
        asked.targets.iter().filter(|target| target.is_quiet).map(|target| target.legend.as_str()).collect();
    if !quiet.is_empty() {
        sentences.push(format!("Not drawn in good times: {}.", quiet.join("; ")));
    }
    let empty = panel.text("quiet");
    if !empty.is_empty() {
        sentences.push(format!("Empty where {empty}."));
    }
    sentences.join("\n\n")
}

fn link(rule: &Rule) -> Value {
    let url = rule_url("${page:raw}", &rule.id).unwrap_or_default();
    json!({"title": format!("Rule {}", rule.name), "url": url, "targetBlank": true})
}

fn target_json(panel: &Panel, target: &Target, letter: char) -> Value {
    let is_instant = matches!(panel.kind(), PanelKind::Stat | PanelKind::Table);
    let format = match panel.kind() {
        PanelKind::Table => "table",
        PanelKind::Heatmap => "heatmap",
        PanelKind::TimeSeries | PanelKind::Stat => "time_series",
    };
    json!({
        "refId": letter.to_string(),
        "datasource": datasource(),
        "editorMode": "code",
        "expr": target.expr,
        "legendFormat": target.legend,
        "format": format,
        "instant": is_instant,
        "range": !is_instant,
        "exemplar": panel.look() == Some(Look::Exemplars),
    })
}

fn defaults(panel: &Panel, rules: &[HeldRule<'_>], unit: &str) -> Value {
    let own: Vec<Value> = panel
        .steps()
        .into_iter()
        .enumerate()
        .map(|(at, (value, colour))| {
            let value = if at == 0 { Value::Null } else { json!(value) };
            json!({"color": colour, "value": value})
        })
        .collect();
    let steps = if own.is_empty() { thresholds::steps(rules) } else { own };
    let mut defaults = json!({
        "unit": unit,
        "min": 0,
        "custom": custom(panel, rules),
        "color": {"mode": if panel.kind() == PanelKind::Stat { "thresholds" } else { "palette-classic" }},
        "thresholds": {"mode": "absolute", "steps": steps},
        "mappings": mappings(panel),
    });
    if let Some(defaults) = defaults.as_object_mut() {
        defaults.extend(panel.max().map(|max| ("max".to_owned(), json!(max))));
        let quiet = Some(panel.text("quiet")).filter(|quiet| !quiet.is_empty());
        defaults.extend(quiet.map(|quiet| ("noValue".to_owned(), json!(quiet))));
    }
    defaults
}

fn mappings(panel: &Panel) -> Value {
    let words = panel.words();
    if words.is_empty() {
        return json!([]);
    }
    let options: Map<String, Value> = words
        .into_iter()
        .enumerate()
        .map(|(at, (value, text, color))| (value, json!({"text": text, "color": color, "index": at})))
        .collect();
    json!([{"type": "value", "options": options}])
}

fn custom(panel: &Panel, rules: &[HeldRule<'_>]) -> Value {
    match panel.kind() {
        PanelKind::TimeSeries => {
            let stacking = if panel.look() == Some(Look::Stacked) { "normal" } else { "none" };
            let scale = if panel.look() == Some(Look::Logarithmic) {
                json!({"type": "log", "log": 10})
            } else {
                json!({"type": "linear"})
            };
            json!({
                "drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never",
                "spanNulls": false,
                "stacking": {"mode": stacking, "group": "A"},
                "scaleDistribution": scale,
                "thresholdsStyle": {"mode": if rules.is_empty() { "off" } else { "dashed" }},
            })
        }
        PanelKind::Stat | PanelKind::Table | PanelKind::Heatmap => json!({}),
    }
}

fn options(panel: &Panel) -> Value {
    match panel.kind() {
        PanelKind::TimeSeries => json!({
            "legend": {"displayMode": "table", "placement": "bottom", "showLegend": true, "calcs": ["lastNotNull", "max"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }),
        PanelKind::Stat => json!({
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": false},
            "colorMode": "background",
            "graphMode": "none",
            "textMode": if panel.look() == Some(Look::Name) { "name" } else { "auto" },
        }),
        PanelKind::Table => json!({"showHeader": true, "cellHeight": "sm"}),
        PanelKind::Heatmap => json!({
            "calculate": false,
            "color": {
                "mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5, "fill": "dark-orange", "reverse": false,
            },
            "yAxis": {"unit": "s"},
            "cellGap": 1,
            "tooltip": {"mode": "single"},
        }),
    }
}
