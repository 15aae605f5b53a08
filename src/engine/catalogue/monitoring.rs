//! What the events of the monitoring context move, MetricRecorded aside.

use super::Catalogue;
use super::families::Group;
use super::rows::Metric;
use crate::engine::trackers::gauges::Board;
use crate::engine::wire::payload::{AlertCleared, AlertTriggered};

const TRIGGERED: Group<1, 2> =
    Group { metrics: [Metric::AlertsTriggered], labels: ["alert_name", "severity"] };
const CLEARED: Group<1, 1> = Group { metrics: [Metric::AlertsCleared], labels: ["alert_name"] };
const DASHBOARD: Group<1, 0> = Group { metrics: [Metric::Dashboards], labels: [] };

impl Catalogue {
    pub(super) fn alert_triggered(&mut self, board: &mut Board<'_>, event: &AlertTriggered<'_>) {
        let values = [event.alert_name.as_ref(), &event.severity];
        let [triggered] = self.families.series(board, &TRIGGERED, values);
        board.add(triggered, 1.0);
    }

    pub(super) fn alert_cleared(&mut self, board: &mut Board<'_>, event: &AlertCleared<'_>) {
        let [cleared] = self.families.series(board, &CLEARED, [&event.alert_name]);
        board.add(cleared, 1.0);
    }

    pub(super) fn dashboard_generated(&mut self, board: &mut Board<'_>) {
        let [generated] = self.families.series(board, &DASHBOARD, []);
        board.add(generated, 1.0);
    }
}
