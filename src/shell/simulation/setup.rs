//! What every simulated world has in common: the configuration and the rules, read once.

use std::rc::Rc;
use std::time::Duration;

use crate::engine::catalogue::known_metrics;
use crate::engine::config::Config;
use crate::engine::diagnostic::Source;
use crate::engine::rules::RuleSet;
use crate::engine::rules::load::{LoadContext, load};

const CONFIG: &str = "
instance: ours
lanes: {MetricRecorded: jetstream, JobQueued: core}
dedupe: {entries: 1000}
evaluate: arrival
rejected: {publish: none}
alertmanager: {urls: [http://alertmanager:9093], resend_delay: 5s}
";

/// Rules that stay whatever else changes.
const STEADY: &str = "
      - {alert: Held, id: held, expr: level, above: 20, for: 3s}
      - {alert: Sum, id: sum, expr: sum(level), above: 40, clear_below: 30, keep_firing_for: 2s}
  - name: interval
    evaluate: interval
    interval: 2s
    rules:
      - {alert: Burst, id: burst, expr: 'increase(clicks_total[20s])', above: 6}
";

/// The rule that a reload changes.
const VARIANTS: [&str; 4] = [
    "{alert: High, id: high, expr: level, above: 10}",
    "{alert: Low, id: low, expr: level, below: 0}",
    "{alert: High, id: high, expr: level, above: 15}",
    "{alert: Higher, id: higher, expr: level, above: 10}",
];

/// What worlds begin with.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) config: Rc<Config>,
    rules: Vec<RuleSet>,
}

impl Setup {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read() -> Result<Self, String> {
        Self::read_with("")
    }

    /// The same with more of a configuration.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read_with(more: &str) -> Result<Self, String> {
        let source = |name: &str, text: String| Source { name: name.into(), text: text.into() };
        let (config, diagnostics) = Config::parse(&source("config.yaml", format!("{CONFIG}{more}\n")));
        let config = config.ok_or_else(|| format!("the configuration: {diagnostics:?}"))?;
        let metrics = known_metrics(&config);
        let mut rules = Vec::new();
        for variant in VARIANTS {
            let text = format!(
                "groups:\n  - name: arrival\n    interval: 1s\n    rules:\n      - {variant}{STEADY}"
            );
            let context = LoadContext { interval: Duration::from_secs(5), metrics: &metrics, previous: None };
            let loaded = load(&[source("rules.yaml", text)], &context);
            if loaded.set.groups.len() != 2 {
                return Err(format!("the rules: {:?}", loaded.diagnostics));
            }
            rules.push(loaded.set);
        }
        Ok(Self { config: Rc::new(config), rules })
    }

    /// Rules by their number.
    pub(super) fn rules(&self, number: u8) -> RuleSet {
        self.rules.get(usize::from(number)).cloned().unwrap_or_default()
    }
}
