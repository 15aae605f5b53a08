//! The metrics that the configuration declares, so that rules may read them.

use crate::engine::metric::MetricType;

/// A metric the configuration names in `metrics`, so that rules may read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredMetric {
    /// The glob over its name.
    pub pattern: String,
    /// Its type, where the configuration says.
    pub metric_type: Option<MetricType>,
}
