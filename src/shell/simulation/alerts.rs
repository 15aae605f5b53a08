//! The alert events that the broker stored, walked one by one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::broker::field;

/// Every alert event that was stored.
#[derive(Debug, Default)]
pub(super) struct AlertWalk {
    open: BTreeMap<String, Value>,
    ids: BTreeSet<String>,
    pub(super) stored: u64,
}

impl AlertWalk {
    /// Takes the next event.
    ///
    /// # Errors
    /// It is there twice, or out of turn.
    pub(super) fn take(&mut self, payload: &[u8]) -> Result<(), String> {
        let event: Value =
            serde_json::from_slice(payload).map_err(|error| format!("no alert event: {error}"))?;
        let text = |name: &str| field(&event, name).as_str().unwrap_or_default().to_owned();
        self.stored += 1;
        let (id, print) = (text("event_id"), text("fingerprint"));
        if !self.ids.insert(id.clone()) {
            return Err(format!("twice: {}", shown(&event)));
        }
        let is_end = text("event_type") == "AlertCleared";
        let before = self.open.remove(&print);
        match (before, is_end) {
            (None, true) => Err(format!("cleared without having been triggered: {}", shown(&event))),
            (Some(before), false) => {
                Err(format!("triggered while it is open: {} after {}", shown(&event), shown(&before)))
            }
            (Some(before), true) if field(&before, "started_at") != field(&event, "started_at") => {
                Err(format!("another episode is cleared: {} after {}", shown(&event), shown(&before)))
            }
            (Some(_), true) => Ok(()),
            (None, false) => {
                self.open.insert(print, event);
                Ok(())
            }
        }
    }

    /// The alerts that are open, as `rule label`, in order.
    pub(super) fn open(&self) -> BTreeSet<String> {
        self.open.values().map(name).collect()
    }
}

fn name(event: &Value) -> String {
    let rule = field(event, "alert_rule_id").as_str().unwrap_or_default();
    let tank = field(field(event, "labels"), "tank").as_str().unwrap_or_default();
    format!("{rule} {tank}").trim_end().to_owned()
}

fn shown(event: &Value) -> String {
    let text = |name: &str| field(event, name).as_str().unwrap_or_default().to_owned();
    format!(
        "{} {} at {} of {} ({})",
        text("event_type"),
        name(event),
        text("timestamp"),
        text("started_at"),
        text("event_id")
    )
}
