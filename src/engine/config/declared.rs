//! The metrics that rules may read: the catalogue's, and those the configuration declares.

use std::sync::Arc;

use super::Config;
use crate::engine::catalogue::CATALOGUE;
use crate::engine::metric::{MetricType, likely_type};
use crate::engine::rules::load::{KnownMetric, KnownMetrics};

/// A metric the configuration names in `metrics`, so that rules may read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredMetric {
    /// The glob over its name.
    pub pattern: String,
    /// Its type, where the configuration says.
    pub metric_type: Option<MetricType>,
}

/// What rules are checked against, and `stat` takes the types of metrics from.
pub fn known_metrics(config: &Config) -> KnownMetrics {
    let mut known = KnownMetrics::default();
    for row in CATALOGUE {
        let metric = KnownMetric {
            metric_type: row.metric_type,
            labels: Some(row.labels.iter().map(|label| Arc::from(*label)).collect()),
            unit: Arc::from(row.unit.unwrap_or_default()),
        };
        known.add(&row.namespaced(row.name, &config.namespace), metric);
    }
    for declared in &config.declared {
        // A histogram's glob may have been written for its samples; its family is what is known.
        let metric_type = declared.metric_type.unwrap_or_else(|| likely_type(&declared.pattern));
        let metric = KnownMetric { metric_type, labels: None, unit: Arc::from("") };
        if declared.pattern.contains(['*', '?']) {
            known.add_glob(&declared.pattern, metric);
        } else {
            known.add(&declared.pattern, metric);
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::metric::Part;

    #[test]
    fn rules_may_read_the_catalogue_under_its_namespace_and_what_is_declared() {
        let mut config = Config::with_defaults("me");
        config.namespace = "shop".to_owned();
        config.declared = vec![
            DeclaredMetric { pattern: "cart_*".to_owned(), metric_type: Some(MetricType::Gauge) },
            DeclaredMetric { pattern: "wait_seconds".to_owned(), metric_type: Some(MetricType::Histogram) },
        ];
        let known = known_metrics(&config);
        assert!(known.find("shop_queue_depth").is_some());
        assert!(known.find("queue_depth").is_none());
        assert!(known.find("cart_items").is_some());
        assert_eq!(known.find("wait_seconds_bucket").map(|found| found.part), Some(Some(Part::Bucket)));
    }
}
