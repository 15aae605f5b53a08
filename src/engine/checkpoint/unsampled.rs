//! Which series moved since they were last sampled.

use super::bytes::twin;
use super::series::SeriesTwinId;

twin! {
    /// Series whose present value is in nobody's past yet: what evaluates next samples it.
    struct UnsampledTwin {
        series: Vec<SeriesTwinId>,
    }
}
