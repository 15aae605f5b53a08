//! Arrivals: which rules they concern, and how long groups rest after they answered one.

use std::time::Duration;

use super::{GroupState, Rules};
use crate::engine::config::Evaluate;
use crate::engine::labels::Labels;
use crate::engine::rules::kept::Moved;
use crate::engine::rules::reads::MovedSeries;
use crate::engine::time::Timestamp;

/// What evaluations cost.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    /// Groups that answered an arrival, with what that cost of itself.
    pub(super) groups: Vec<(usize, Duration)>,
    /// What all groups cost of themselves.
    pub(super) cost: Duration,
}

impl Rules {
    /// Takes note of the series that events moved, with the rules that read them.
    pub(crate) fn moved(&mut self, series: &[MovedSeries], now: Timestamp) {
        for MovedSeries { labels, readers } in series {
            for reader in readers.iter() {
                let Some((group, rule)) = self.places.get(*reader as usize) else { continue };
                let Some(state) = self.groups.get_mut(*group) else { continue };
                if state.schedule.evaluate() == Evaluate::Interval {
                    continue;
                }
                if let Some(moved) = state.rules.get_mut(*rule).map(|rule| &mut rule.moved) {
                    if *moved == Moved::Nothing {
                        state.marked.insert(*rule);
                    }
                    moved.add(labels);
                }
                state.schedule.arrive(now);
                let due = state.schedule.next();
                self.next = Some(self.next.map_or(due, |next| next.min(due)));
            }
        }
    }

    /// Whether the group of a reader waits for an evaluation already, so that what it reads may be told it then.
    pub(crate) fn is_waiting(&self, reader: u32) -> bool {
        let group = self.places.get(reader as usize).and_then(|(group, _)| self.groups.get(*group));
        group.is_none_or(|group| group.schedule.is_waiting())
    }

    /// Has groups answer now what arrived, where an answer costs little.
    pub(crate) fn hasten(&mut self, now: Timestamp) {
        self.groups.iter_mut().for_each(|group| group.schedule.hasten(now));
        self.look_ahead();
    }

    /// What the stopwatch shows of this thread's work: an answer that waited for a core costs none.
    pub(crate) fn worked(&self) -> Duration {
        self.settings.stopwatch.worked()
    }

    /// Lets the groups that answered an arrival rest. What there was to do since `begun` beside their rules is theirs in
    /// equal parts.
    pub(crate) fn rest(&mut self, begun: Duration) {
        let Answers { groups, cost } = std::mem::take(&mut self.answers);
        let Ok(count) = u32::try_from(groups.len()) else { return };
        if count == 0 {
            return;
        }
        let beside = self.worked().saturating_sub(begun).saturating_sub(cost) / count;
        for (group, own) in groups {
            if let Some(state) = self.groups.get_mut(group) {
                state.schedule.rest_after(own.saturating_add(beside), self.settings.arrival_share);
            }
        }
    }
}

impl GroupState {
    /// Marks the rules that something fires or waits of, with all of their parts.
    pub(super) fn mark_active(&mut self) {
        for (at, rule) in self.rules.iter_mut().enumerate() {
            if !rule.book.alerts.is_empty() {
                rule.moved = Moved::Everything;
                self.marked.insert(at);
            }
        }
    }

    /// Marks the later rules that read what a recording rule moved.
    pub(super) fn mark_followers(&mut self, recording: usize, moved: &[Labels]) {
        let name = self.rules.get(recording).map(|rule| rule.rule.name.clone()).unwrap_or_default();
        let followers = self.followers.get(&name).into_iter().flatten();
        for at in followers.copied().filter(|at| *at > recording) {
            let Some(rule) = self.rules.get_mut(at) else { continue };
            for labels in moved {
                rule.moved.add(labels);
            }
            self.marked.insert(at);
        }
    }
}
