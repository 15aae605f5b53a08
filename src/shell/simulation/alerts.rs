//! The alert events that the broker stored, walked one by one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::broker::field;
use crate::engine::time::Timestamp;

/// Every alert event that was stored.
#[derive(Debug, Default)]
pub(super) struct AlertWalk {
    open: BTreeMap<String, Value>,
    /// The last end of each alert, where one clock decides.
    ended: Option<BTreeMap<String, Value>>,
    ids: BTreeSet<String>,
    pub(super) stored: u64,
}

impl AlertWalk {
    /// Of events that are decided by one clock: none begins before the last one of its alert ended.
    pub(super) fn by_one_clock() -> Self {
        Self { ended: Some(BTreeMap::new()), ..Self::default() }
    }

    /// The clock is another from here on.
    pub(super) fn change_clock(&mut self) {
        self.ended = None;
    }

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
            (Some(_), true) => {
                if let Some(ended) = &mut self.ended {
                    ended.insert(print, event);
                }
                Ok(())
            }
            (None, false) => {
                let ended = self.ended.as_ref().and_then(|ended| ended.get(&print));
                if let Some(ended) = ended.filter(|it| at(&event, "started_at") < at(it, "timestamp")) {
                    return Err(format!("told again: {} after {}", shown(&event), shown(ended)));
                }
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

/// An instant of an event.
fn at(event: &Value, name: &str) -> Option<Timestamp> {
    field(event, name).as_str()?.parse().ok()
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
