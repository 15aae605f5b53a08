//! Alerts of others as their twins, and from them.

use super::{AlertKey, ForeignAlert, ForeignAlerts, Table};
use crate::engine::checkpoint::Part;
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::trackers::{CountedTwin, ForeignAlertTwin, KeyTwin, TrackerTwin};
use crate::engine::series::SeriesId;
use crate::engine::trackers::key::IdKey;
use crate::engine::trackers::table::SavedTracker;

type AlertsTwin = TrackerTwin<(KeyTwin, Option<KeyTwin>), ForeignAlertTwin, CountedTwin>;

impl ForeignAlerts {
    /// The alerts as they are now.
    pub(in crate::engine) fn save(&mut self) -> impl Part + use<> {
        let key: fn(AlertKey) -> (KeyTwin, Option<KeyTwin>) =
            |key| (key.rule.twin(), key.fingerprint.map(IdKey::twin));
        let entry: fn(&ForeignAlert) -> ForeignAlertTwin =
            |alert| ForeignAlertTwin { active: alert.active.map(SeriesId::twin) };
        let (table, books) = (self.table.save(), self.own.active.save());
        SavedTracker { table, key, entry, books }
    }

    /// Takes over the alerts that were saved.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine) fn restore(&mut self, twin: AlertsTwin) -> Result<(), Damage> {
        let key = |(rule, fingerprint): (KeyTwin, Option<KeyTwin>)| AlertKey {
            rule: IdKey::of_twin(rule),
            fingerprint: fingerprint.map(IdKey::of_twin),
        };
        let alert = |twin: ForeignAlertTwin| ForeignAlert { active: twin.active.map(SeriesId::of_twin) };
        self.table = Table::restored(twin.table, key, alert, AlertKey::new("", None))?;
        self.own.active.restore(twin.books);
        Ok(())
    }
}
