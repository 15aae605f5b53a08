//! A whole dashboard as Grafana takes it.

use serde_json::{Value, json};

use super::panel::{self, PanelPlace};
use super::source::Board;
use super::{Config, Dashboard, Diagnostic, RuleSet, variables};
use crate::engine::diagnostic::Severity;
use crate::engine::rules::set::RuleKind;

/// The columns of a dashboard.
const COLUMNS: u64 = 24;

/// Grafana's version of what is written here.
const SCHEMA_VERSION: u64 = 42;

/// What a dashboard is drawn from beside its file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings<'a> {
    /// The names that metrics have, and where the page is.
    pub(super) config: &'a Config,
    /// The rules whose thresholds are drawn.
    pub(super) rules: &'a RuleSet,
}

/// A dashboard that is being drawn.
#[derive(Clone, Debug)]
pub(super) struct Drawing<'a> {
    /// As it is written.
    pub(super) board: &'a Board,
    /// The names that metrics have, and where the page is.
    pub(super) config: &'a Config,
    /// The rules whose thresholds are drawn.
    pub(super) rules: &'a RuleSet,
    /// The names of the alerts it is about, as a regular expression; empty for all.
    pub(super) alerts: String,
}

/// The data source of everything: the one that is chosen.
pub(super) fn datasource() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

/// Draws one.
///
/// # Errors
/// What is wrong with its file.
pub(super) fn draw(board: &Board, around: &Surroundings<'_>) -> Result<Dashboard, Vec<Diagnostic>> {
    let Surroundings { config, rules } = *around;
    let alerts = alerts_of(board, rules);
    let drawing = Drawing { board, config, rules, alerts };
    let (panels, count) = panels(&drawing)?;
    let title = format!("signalbox: {}", board.title);
    let id = format!("signalbox-{}", board.name);
    let annotations = variables::annotations(&drawing).map_err(|why| vec![fault(board, why)])?;
    let json = json!({
        "uid": id,
        "title": title,
        "description": board.description,
        "tags": ["signalbox"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": false,
        "graphTooltip": 1,
        "fiscalYearStartMonth": 0,
        "liveNow": false,
        "weekStart": "",
        "preload": false,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "templating": {"list": variables::variables(&drawing)?},
        "annotations": {"list": annotations},
        "links": links(),
        "panels": panels,
    });
    Ok(Dashboard { id, title, file: format!("{}.json", board.name), panels: count, json })
}

fn fault(board: &Board, message: String) -> Diagnostic {
    let source = board.source.clone();
    Diagnostic { severity: Severity::Error, code: "promql", source, span: 0..0, message, advice: None }
}

/// The alerts of the groups a dashboard is about.
fn alerts_of(board: &Board, rules: &RuleSet) -> String {
    let groups = rules.groups.iter().filter(|group| board.alerts_of.iter().any(|name| **name == *group.name));
    let alerting = groups.flat_map(|group| &group.rules).filter(|rule| match rule.kind {
        RuleKind::Alerting(_) => true,
        RuleKind::Recording => false,
    });
    let names = alerting.map(|rule| rule.name.to_string()).collect::<Vec<_>>().join("|");
    // Rules of one's own may have none of these groups; then it is about all alerts.
    if names.is_empty() && !board.alerts_of.is_empty() { ".+".to_owned() } else { names }
}

/// The panels with their rows, and how many they are without them.
fn panels(drawing: &Drawing<'_>) -> Result<(Vec<Value>, usize), Vec<Diagnostic>> {
    let (mut drawn, mut count, mut y) = (Vec::new(), 0, 0);
    for row in &drawing.board.rows {
        let place = json!({"h": 1, "w": COLUMNS, "x": 0, "y": y});
        drawn.push(json!({
            "id": drawn.len() + 1, "type": "row", "title": row.title, "collapsed": false, "gridPos": place, "panels": [],
        }));
        y += 1;
        let (mut x, mut height) = (0, 0);
        for panel in &row.panels {
            if x + panel.width() > COLUMNS {
                y += height;
                (x, height) = (0, 0);
            }
            drawn.push(panel::draw(panel, PanelPlace { id: drawn.len() + 1, x, y }, drawing)?);
            count += 1;
            x += panel.width();
            height = height.max(panel::height(panel));
        }
        y += height;
    }
    Ok((drawn, count))
}

/// The ways to the other dashboards and to the page.
fn links() -> Value {
    json!([
        {
            "type": "dashboards", "title": "Dashboards", "tags": ["signalbox"], "asDropdown": true, "icon": "dashboard",
            "includeVars": true, "keepTime": true, "targetBlank": false, "tooltip": "", "url": "",
        },
        {
            "type": "link", "title": "Status page", "url": "${page:raw}", "icon": "external link", "tags": [],
            "asDropdown": false, "includeVars": false, "keepTime": false, "targetBlank": true,
            "tooltip": "What signalbox itself shows",
        },
    ])
}
