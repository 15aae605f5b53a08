//! Up to where alerts are decided, as a log told what was not read again yet.

use super::bytes::twin;
use crate::engine::time::Timestamp;

twin! {
    /// What is decided of alerts beyond the place of the state.
    struct SettledTwin {
        alerts: Vec<SettledAlertTwin>,
    }
}

twin! {
    /// Up to where everything is decided of an alert.
    struct SettledAlertTwin {
        fingerprint: u64,
        /// The sequence of the stream; 0 where no stream led there.
        sequence: u64,
        /// The instant.
        at: Timestamp,
    }
}
