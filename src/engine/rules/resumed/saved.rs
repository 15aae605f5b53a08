//! Up to where alerts are decided as its twin, and from it.

use super::Resumed;
use crate::engine::checkpoint::settled::{SettledAlertTwin, SettledTwin};

impl Resumed {
    /// As it is written.
    pub(in crate::engine::rules) fn settled_twin(&self) -> SettledTwin {
        let settled = self.settled.iter();
        let alerts = settled.map(|(fingerprint, settled)| SettledAlertTwin {
            fingerprint: *fingerprint,
            sequence: settled.sequence,
            at: settled.at,
        });
        SettledTwin { alerts: alerts.collect() }
    }

    /// As it was written.
    pub(in crate::engine::rules) fn restore_settled(&mut self, twin: SettledTwin) {
        for alert in twin.alerts {
            self.settle(alert.fingerprint, (alert.sequence, alert.at));
        }
    }
}
