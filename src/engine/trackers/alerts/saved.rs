//! Alerts of others as their twins, and from them.

use super::{AlertKey, ForeignAlert, ForeignAlerts, Table};
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::trackers::{CountedTwin, ForeignAlertTwin, KeyTwin, TrackerTwin};
use crate::engine::series::SeriesId;
use crate::engine::trackers::key::IdKey;

type AlertsTwin = TrackerTwin<(KeyTwin, Option<KeyTwin>), ForeignAlertTwin, CountedTwin>;

impl ForeignAlerts {
    /// The alerts as they are now.
    pub(in crate::engine) fn save(&self) -> AlertsTwin {
        let key = |key: AlertKey| (key.rule.twin(), key.fingerprint.map(IdKey::twin));
        let alert = |alert: &ForeignAlert| ForeignAlertTwin { active: alert.active.map(SeriesId::twin) };
        TrackerTwin { table: self.table.save(key, alert), books: self.own.active.save() }
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
