//! What kinds of metrics there are.

/// The `metric_type` of a MetricRecorded event, and the type of every metric family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MetricType {
    /// Adds up.
    #[default]
    Counter,
    /// Is set.
    Gauge,
    /// Observes.
    Histogram,
}

impl MetricType {
    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}
