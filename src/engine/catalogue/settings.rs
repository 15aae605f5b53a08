//! What the configuration says about one metric, by its name.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::config::{Config, MetricSettings, metric_glob_matches};
use crate::engine::metric::MetricType;

/// Settings of one metric: for each field the first whose glob matches a name of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chosen {
    pub(super) buckets: Option<Arc<[f64]>>,
    pub(super) help: Option<String>,
    pub(super) unit: Option<String>,
    pub(super) drop_labels: Vec<String>,
    pub(super) stale_after: Duration,
}

impl Chosen {
    /// Whether a label is left out.
    pub(super) fn drops(&self, label: &str) -> bool {
        self.drop_labels.iter().any(|drop| drop == label)
    }
}

/// The settings of a family (without `_total`), under each of its `names`, the exposed one first. Globs match any of them
/// or, for a counter, its sample name.
pub(super) fn choose(config: &Config, names: &[&str], metric_type: MetricType) -> Chosen {
    let name = names.first().copied().unwrap_or_default();
    let mut chosen = Chosen {
        buckets: None,
        help: None,
        unit: None,
        drop_labels: Vec::new(),
        stale_after: config.stale_after.of(name),
    };
    let mut stale_after = None;
    let matches = |setting: &&MetricSettings| {
        let is = |name: &str| metric_glob_matches(&setting.pattern, name);
        names.iter().any(|name| is(name) || is(&metric_type.exposed_name(name)))
    };
    for setting in config.metrics.iter().filter(matches) {
        if chosen.buckets.is_none() {
            chosen.buckets = setting.buckets.as_deref().map(rising);
        }
        if chosen.help.is_none() {
            chosen.help.clone_from(&setting.help);
        }
        if chosen.unit.is_none() {
            chosen.unit.clone_from(&setting.unit);
        }
        if chosen.drop_labels.is_empty() {
            chosen.drop_labels.clone_from(&setting.drop_labels);
        }
        stale_after = stale_after.or(setting.stale_after);
    }
    chosen.stale_after = stale_after.unwrap_or(chosen.stale_after);
    chosen
}

/// `unit`, where the family's name ends in it as OpenMetrics asks.
pub(super) fn unit_of(name: &str, unit: &str) -> Option<Arc<str>> {
    let before = name.strip_suffix(unit)?;
    (!unit.is_empty() && (before.is_empty() || before.ends_with('_'))).then(|| Arc::from(unit))
}

/// The bounds that are finite and greater than those before.
fn rising(bounds: &[f64]) -> Arc<[f64]> {
    let mut kept: Vec<f64> = Vec::with_capacity(bounds.len());
    for bound in bounds.iter().copied().filter(|bound| bound.is_finite()) {
        if kept.last().is_none_or(|last| *last < bound) {
            kept.push(bound);
        }
    }
    kept.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(pattern: &str, help: Option<&str>, drop: &[&str]) -> MetricSettings {
        MetricSettings {
            pattern: pattern.to_owned(),
            help: help.map(str::to_owned),
            drop_labels: drop.iter().map(|label| (*label).to_owned()).collect(),
            ..MetricSettings::default()
        }
    }

    #[test]
    fn each_field_comes_from_the_first_glob_that_matches_with_or_without_total() {
        let metrics = vec![
            setting("orders", None, &["user"]),
            setting("*_total", Some("all counters"), &["host"]),
            setting("orders_total", Some("never"), &[]),
        ];
        let settings = Config { metrics, ..Config::default() };
        let counter = choose(&settings, &["orders"], MetricType::Counter);
        assert_eq!(
            (counter.help.as_deref(), counter.drop_labels),
            (Some("all counters"), vec!["user".to_owned()])
        );
        let gauge = choose(&settings, &["orders"], MetricType::Gauge);
        assert_eq!(gauge.help, None);
    }

    #[test]
    fn a_unit_holds_only_where_the_name_ends_in_it() {
        assert_eq!(unit_of("wait_seconds", "seconds").as_deref(), Some("seconds"));
        assert_eq!(unit_of("wait_milliseconds", "seconds"), None);
        assert_eq!(unit_of("wait", ""), None);
    }

    #[test]
    fn bounds_that_do_not_rise_are_left_out() {
        assert_eq!(rising(&[1.0, 1.0, f64::NAN, 0.5, 2.0, f64::INFINITY]).as_ref(), [1.0, 2.0]);
    }
}
