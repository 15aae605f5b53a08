//! The shipped dashboards for Grafana: from readable files, the catalogue and rules to JSON.
//!
//! A file in `boards` says which metrics stand on which panel and what they mean to a person. What else a panel needs is
//! taken from where it is true: names, labels, units and help texts from the catalogue, thresholds from the rules.

mod board;
mod panel;
mod query;
mod source;
#[cfg(test)]
mod tests;
mod thresholds;
mod variables;

use serde_json::Value;

use crate::engine::catalogue::known_metrics;
use crate::engine::config::Config;
use crate::engine::diagnostic::{Diagnostic, Source};
use crate::engine::rules::RuleSet;
use crate::engine::rules::load::{INTERVAL_DEFAULT, LoadContext, load};

/// The files dashboards are made from: their names, which are those of the JSON files too, and their texts.
const BOARDS: [(&str, &str); 7] = [
    ("overview", include_str!("boards/overview.yaml")),
    ("queue", include_str!("boards/queue.yaml")),
    ("processing", include_str!("boards/processing.yaml")),
    ("cache", include_str!("boards/cache.yaml")),
    ("database", include_str!("boards/database.yaml")),
    ("alerts", include_str!("boards/alerts.yaml")),
    ("signalbox", include_str!("boards/signalbox.yaml")),
];

/// The shipped rules, whose thresholds are drawn.
const RULES: [(&str, &str); 5] = [
    ("rules/cache.yaml", include_str!("../../../rules/cache.yaml")),
    ("rules/database.yaml", include_str!("../../../rules/database.yaml")),
    ("rules/processing.yaml", include_str!("../../../rules/processing.yaml")),
    ("rules/queue.yaml", include_str!("../../../rules/queue.yaml")),
    ("rules/signalbox.yaml", include_str!("../../../rules/signalbox.yaml")),
];

/// A dashboard as Grafana takes it.
#[derive(Clone, Debug)]
pub(crate) struct Dashboard {
    /// What it is called among dashboards, for good: `uid`.
    pub(crate) id: String,
    /// What people call it.
    pub(crate) title: String,
    /// The name of its file.
    pub(crate) file: String,
    /// How many panels it has, rows not counted.
    pub(crate) panels: usize,
    /// The whole of it.
    pub(crate) json: Value,
}

impl Dashboard {
    /// The text of its file.
    pub(crate) fn text(&self) -> String {
        format!("{:#}\n", self.json)
    }
}

/// The rules that signalbox is shipped with.
pub(crate) fn shipped_rules(config: &Config) -> RuleSet {
    let sources = RULES.map(|(name, text)| Source { name: name.into(), text: text.into() });
    let metrics = known_metrics(config);
    load(&sources, &LoadContext { interval: INTERVAL_DEFAULT, metrics: &metrics, previous: None }).set
}

/// The shipped dashboards for metrics as `config` names them and for the thresholds of these rules.
///
/// # Errors
/// What is wrong with the files they are made from.
pub(crate) fn dashboards(config: &Config, rules: &RuleSet) -> Result<Vec<Dashboard>, Vec<Diagnostic>> {
    let mut made = Vec::new();
    for (name, text) in BOARDS {
        let board = source::read(name, text)?;
        made.push(board::draw(&board, &board::Surroundings { config, rules })?);
    }
    Ok(made)
}
