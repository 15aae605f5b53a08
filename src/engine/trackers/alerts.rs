//! Alerts of others: active from AlertTriggered to AlertCleared, by rule and fingerprint.

mod saved;

use super::frame::{Frame, FrameParts, Lifted, Tracker};
use super::gauges::{Board, Counted, Family};
use super::key::IdKey;
use super::table::{Standing, Table, TablePlace};
use crate::engine::config::TrackerName;
use crate::engine::series::SeriesId;

/// What an alert is known by: its rule, and its fingerprint where its events carry one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AlertKey {
    rule: IdKey,
    fingerprint: Option<IdKey>,
}

impl AlertKey {
    /// The key of an alert.
    pub(crate) fn new(rule: &str, fingerprint: Option<&str>) -> Self {
        Self { rule: IdKey::new(rule), fingerprint: fingerprint.map(IdKey::new) }
    }
}

/// An alert that another source told of.
#[derive(Clone, Debug, Default)]
pub(crate) struct ForeignAlert {
    /// Where it counts while it is active.
    active: Option<SeriesId>,
}

/// What alerts of others count in.
#[derive(Debug)]
pub(crate) struct AlertBooks {
    active: Counted,
}

/// The tracker of others' alerts.
pub(crate) type ForeignAlerts = Frame<AlertBooks>;

impl ForeignAlerts {
    /// A tracker without alerts; feeds `alerts_active`.
    pub(crate) fn of_alerts(parts: FrameParts<'_>, active: Family) -> Self {
        Self::new(parts, AlertBooks { active: Counted::new(active) })
    }

    /// AlertTriggered: the alert is active under this name and severity, instead of what it was before.
    pub(crate) fn triggered(&mut self, board: &mut Board<'_>, key: AlertKey, name: &str, severity: &str) {
        let place = self.enter(board, key, ForeignAlert::default);
        let Some(alert) = self.table.get_mut(place) else { return };
        let series = self.own.active.place(board, &[name, severity]);
        self.own.active.change(board, &mut alert.active, series);
        self.table.touch(place, Standing::Alive, board.cause.now);
    }

    /// AlertCleared: the alert is gone.
    pub(crate) fn cleared(&mut self, board: &mut Board<'_>, key: AlertKey) {
        if let Some(place) = self.table.find(key) {
            self.remove(board, place);
        }
    }
}

impl Tracker for AlertBooks {
    type Key = AlertKey;
    type Entry = ForeignAlert;

    const NAME: TrackerName = TrackerName::Alerts;

    fn lift(&mut self, board: &mut Board<'_>, _: TablePlace, alert: &mut ForeignAlert) -> Lifted {
        self.active.lift(board, &mut alert.active)
    }

    fn forget(&mut self, _: ForeignAlert) {}

    fn show(&mut self, _: &mut Board<'_>, _: &mut Table<AlertKey, ForeignAlert>) {}
}
