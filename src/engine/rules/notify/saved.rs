//! What Alertmanagers were told, as its twin and from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Notification, Notifier, ToldAlert, ToldGroup, alerts_of};
use crate::engine::checkpoint::told::{ToldAlertTwin, ToldGroupTwin, ToldTwin};
use crate::engine::labels::Labels;
use crate::engine::rules::event::{AlertEvent, AlertEventKind};
use crate::engine::rules::logged::LogRecord;
use crate::engine::rules::view::GroupView;
use crate::engine::time::Timestamp;

/// An alert by its rule's id and its labels.
type AlertKey = (Arc<str>, Labels);

impl Notifier {
    /// What they were told.
    pub(in crate::engine) fn save(&self) -> ToldTwin {
        ToldTwin {
            groups: self.groups.iter().map(group_twin).collect(),
            gone: self.gone.alerts.iter().map(alert_twin).collect(),
        }
    }

    /// Goes on from what they were told, over the groups that are there now: what fires is told again, and what fires no
    /// more is told as resolved for as long as that takes.
    pub(in crate::engine) fn restore(&mut self, twin: ToldTwin, groups: &[Arc<GroupView>], now: Timestamp) {
        if self.terms.is_none() {
            return;
        }
        let told = |alerts: Vec<ToldAlertTwin>| ToldGroup {
            alerts: alerts.into_iter().map(alert_of).collect::<BTreeMap<_, _>>(),
            again_at: Timestamp::EPOCH,
        };
        self.groups = twin.groups.into_iter().map(|it| ((it.file, it.name), told(it.alerts))).collect();
        self.gone = told(twin.gone);
        self.go_on(groups, now);
        self.retain(groups);
    }
}

impl Notifier {
    /// Takes from a log what began and ended since that was saved, and when.
    pub(in crate::engine) fn recall(&mut self, log: &[LogRecord], groups: &[Arc<GroupView>]) {
        self.notice(log.iter().filter_map(LogRecord::decided));
        self.part_from_firing(groups);
    }

    /// Takes note of what was decided without being told at once: an earlier run may have told of it. What of it ended is
    /// told as resolved; what fires stays with its group.
    pub(in crate::engine) fn notice<'a>(&mut self, events: impl Iterator<Item = &'a AlertEvent>) {
        let Some(terms) = &self.terms else { return };
        for event in events {
            let key = (Arc::clone(&event.rule_id), event.labels.clone());
            let said = || terms.begun(event);
            self.gone.again_at = Timestamp::EPOCH;
            match event.kind {
                AlertEventKind::Triggered { .. } => {
                    let told = ToldAlert { said: said(), at: Timestamp::EPOCH, resolved_at: None };
                    self.gone.alerts.insert(key, told);
                }
                AlertEventKind::Cleared { .. } => {
                    let mut is_known = false;
                    for told in self.groups.values_mut().chain([&mut self.gone]) {
                        if let Some(alert) = told.alerts.get_mut(&key) {
                            alert.resolved_at.get_or_insert(event.timestamp);
                            is_known = true;
                        }
                    }
                    if !is_known {
                        let resolved_at = Some(event.timestamp);
                        let told = ToldAlert { said: said(), at: Timestamp::EPOCH, resolved_at };
                        self.gone.alerts.insert(key, told);
                    }
                }
            }
        }
    }

    /// What fires did not end with a group that it is not in.
    pub(in crate::engine) fn part_from_firing(&mut self, groups: &[Arc<GroupView>]) {
        self.gone.part_from(alerts_of(groups));
    }
}

fn group_twin((key, told): (&super::GroupKey, &ToldGroup)) -> ToldGroupTwin {
    let (file, name) = key.clone();
    ToldGroupTwin { file, name, alerts: told.alerts.iter().map(alert_twin).collect() }
}

fn alert_twin((key, told): (&AlertKey, &ToldAlert)) -> ToldAlertTwin {
    let Notification { labels, annotations, starts_at, ends_at, generator_url } = told.said.clone();
    let ((rule_id, identity), resolved_at) = (key.clone(), told.resolved_at);
    ToldAlertTwin { rule_id, identity, labels, annotations, starts_at, ends_at, generator_url, resolved_at }
}

fn alert_of(twin: ToldAlertTwin) -> (AlertKey, ToldAlert) {
    let ToldAlertTwin { rule_id, identity, labels, annotations, starts_at, ends_at, generator_url, .. } =
        twin;
    let said = Notification { labels, annotations, starts_at, ends_at, generator_url };
    // What was told last may have been lost with the process: all of it is told again.
    ((rule_id, identity), ToldAlert { said, at: Timestamp::EPOCH, resolved_at: twin.resolved_at })
}
