//! What the events of the monitoring context move, MetricRecorded aside.

use super::Catalogue;
use super::families::Group;
use super::rows::Metric;
use crate::engine::trackers::alerts::AlertKey;
use crate::engine::trackers::gauges::Board;
use crate::engine::wire::payload::{AlertCleared, AlertTriggered};

const TRIGGERED: Group<1, 2> =
    Group { metrics: [Metric::AlertsTriggered], labels: ["alert_name", "severity"] };
const CLEARED: Group<2, 1> =
    Group { metrics: [Metric::AlertsCleared, Metric::AlertDuration], labels: ["alert_name"] };
const DASHBOARD: Group<1, 0> = Group { metrics: [Metric::Dashboards], labels: [] };

impl Catalogue {
    pub(super) fn alert_triggered(&mut self, board: &mut Board<'_>, event: &AlertTriggered<'_>) {
        let values = [event.alert_name.as_ref(), &event.severity];
        let [triggered] = self.families.series(board, &TRIGGERED, values);
        board.add(triggered, 1.0);
        let key = AlertKey::new(&event.alert_rule_id, event.fingerprint.as_deref());
        let (name, severity) = (self.families.value(&event.alert_name), self.families.value(&event.severity));
        self.alerts.triggered(board, key, name, severity);
    }

    pub(super) fn alert_cleared(&mut self, board: &mut Board<'_>, event: &AlertCleared<'_>) {
        let [cleared, duration] = self.families.series(board, &CLEARED, [&event.alert_name]);
        board.add(cleared, 1.0);
        board.observe(duration, event.duration_seconds.value());
        self.alerts.cleared(board, AlertKey::new(&event.alert_rule_id, event.fingerprint.as_deref()));
    }

    pub(super) fn dashboard_generated(&mut self, board: &mut Board<'_>) {
        let [generated] = self.families.series(board, &DASHBOARD, []);
        board.add(generated, 1.0);
    }
}
