//! Native histograms as values.

/// A native histogram with float counts.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatHistogram {
    /// The sum of observations.
    pub sum: f64,
}
