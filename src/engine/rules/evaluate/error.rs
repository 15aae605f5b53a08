//! Why the evaluation of a rule fails.

use crate::engine::promql::EvalError;

/// Why the evaluation of a rule fails; its alerts and series stay as they were.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RuleError {
    /// The expression has no result.
    #[error(transparent)]
    Query(#[from] EvalError),
    /// The result is a text or a range.
    #[error("rule result is not a vector or scalar")]
    NoVector,
    /// Two samples are one alert.
    #[error("vector contains metrics with the same labelset after applying alert labels")]
    SameAlertLabels,
    /// Two samples are one series.
    #[error("vector contains metrics with the same labelset after applying rule labels")]
    SameRuleLabels,
    /// More alerts than the group's limit, where that ends them all.
    #[error("exceeded limit of {limit} with {alerts} alerts")]
    TooManyAlerts {
        /// How many there may be.
        limit: usize,
        /// How many there would be.
        alerts: usize,
    },
    /// More series than the group's limit.
    #[error("exceeded limit of {limit} with {series} series")]
    TooManySeries {
        /// How many there may be.
        limit: usize,
        /// How many there would be.
        series: usize,
    },
}
