//! Stands in for the rules' runtime until it is here: loads, evaluates nothing.

use std::time::Duration;

use super::rules::event::AlertEvent;
use super::rules::view::{AlertView, GroupView};
use super::rules::{RuleSet, RuleStorage};
use super::time::Timestamp;
use super::watch::GroupReads;
use super::wire::EventId;

#[derive(Debug)]
pub(super) struct Rules {
    set: RuleSet,
}

#[expect(clippy::unused_self, reason = "stands in")]
impl Rules {
    pub(super) fn new(set: RuleSet) -> Self {
        Self { set }
    }

    pub(super) fn replace(&mut self, set: RuleSet, _now: Timestamp) {
        self.set = set;
    }

    pub(super) fn reads(&self) -> Vec<GroupReads> {
        let groups = self.set.groups.iter();
        groups
            .map(|group| GroupReads {
                selectors: group.rules.iter().flat_map(|rule| rule.selectors.clone()).collect(),
            })
            .collect()
    }

    pub(super) fn range_needed(&self) -> Duration {
        Duration::ZERO
    }

    pub(super) fn moved(&mut self, _groups: &[usize], _now: Timestamp) {}

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        None
    }

    pub(super) fn run_due(&mut self, _storage: &mut dyn RuleStorage, _now: Timestamp) -> Vec<usize> {
        Vec::new()
    }

    pub(super) fn outbox(&self) -> impl Iterator<Item = &AlertEvent> {
        std::iter::empty()
    }

    pub(super) fn confirm(&mut self, _id: EventId) -> Option<AlertEvent> {
        None
    }

    pub(super) fn groups(&self) -> Vec<GroupView> {
        Vec::new()
    }

    pub(super) fn alerts(&self) -> Vec<AlertView> {
        Vec::new()
    }
}
