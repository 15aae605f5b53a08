//! The rules in force as readers see them.

use std::sync::Arc;

use super::{GroupState, RuleState, Rules};
use crate::engine::rules::book::Active;
use crate::engine::rules::kept::{Keeping, WholeReason};
use crate::engine::rules::set::{Alerting, Group, RuleKind};
use crate::engine::rules::template::Template;
use crate::engine::rules::view::{AlertView, GroupView, KindView, LevelView, RuleView, limit_alert};

impl Rules {
    /// The groups as readers see them; those that were not evaluated since the last call are the same.
    pub(crate) fn views(&mut self) -> Arc<[Arc<GroupView>]> {
        if let Some(views) = &self.views {
            return Arc::clone(views);
        }
        let views: Arc<[Arc<GroupView>]> = self.groups.iter_mut().map(GroupState::shared_view).collect();
        self.views = Some(Arc::clone(&views));
        views
    }

    /// The groups as readers see them.
    pub(crate) fn groups(&self) -> Vec<GroupView> {
        self.groups.iter().map(GroupState::view).collect()
    }

    /// Every pending or firing alert, in the order of rules and labels, those about limits last.
    pub(crate) fn alerts(&self) -> Vec<AlertView> {
        let rules = || self.groups.iter().flat_map(|group| group.rules.iter().map(move |rule| (group, rule)));
        let alerts = rules().flat_map(|(group, rule)| rule.alerts(&group.group));
        alerts.chain(rules().filter_map(|(group, rule)| rule.limit_alert(&group.group))).collect()
    }
}

impl GroupState {
    fn shared_view(&mut self) -> Arc<GroupView> {
        let view = self.view.take().unwrap_or_else(|| Arc::new(self.view()));
        self.view = Some(Arc::clone(&view));
        view
    }

    fn view(&self) -> GroupView {
        GroupView {
            name: self.group.name.clone(),
            file: self.group.file.clone(),
            interval: self.group.interval,
            limit: self.group.limit.map_or(0, usize::from),
            last_evaluation: self.last_evaluation,
            evaluation_time: self.evaluation_time,
            rules: self.rules.iter().map(|rule| rule.view(&self.group)).collect(),
            definition: self.group.clone(),
        }
    }
}

impl RuleState {
    fn alerting(&self) -> Option<&Alerting> {
        match &self.rule.kind {
            RuleKind::Recording => None,
            RuleKind::Alerting(alerting) => Some(alerting),
        }
    }

    fn alerts(&self, group: &Group) -> Vec<AlertView> {
        let Some(alerting) = self.alerting() else { return Vec::new() };
        let view = |active: &Active| active.view(&self.rule, alerting.policy_for(&active.sample), group);
        self.book.alerts.values().map(view).collect()
    }

    fn limit_alert(&self, group: &Group) -> Option<AlertView> {
        self.book.over_limit.as_ref().map(|episode| limit_alert(episode, group))
    }

    fn keeping(&self, group: &Group) -> Keeping {
        let keeping = match group.limit {
            Some(_) => Keeping::Nothing(WholeReason::Limit),
            None => Keeping::of(&self.partition),
        };
        if self.plans.has_answered() { keeping.worked_out() } else { keeping }
    }

    fn view(&self, group: &Group) -> RuleView {
        let texts = |texts: &[(Arc<str>, Template)]| {
            texts.iter().map(|(name, template)| (name.clone(), template.text().clone())).collect()
        };
        let kind = match &self.rule.kind {
            RuleKind::Recording => KindView::Recording,
            RuleKind::Alerting(alerting) => KindView::Alerting {
                wait: alerting.policy.levels.first().map(|level| level.wait).unwrap_or_default(),
                keep_firing_for: alerting.keep_firing_for,
                annotations: texts(&alerting.annotations),
                levels: alerting
                    .policy
                    .levels
                    .iter()
                    .map(|level| LevelView { severity: level.severity, condition: level.condition })
                    .collect(),
                state: self.book.state(),
                alerts: self.alerts(group),
                over_limit: self.limit_alert(group).map(Box::new),
            },
        };
        RuleView {
            id: self.rule.id.clone(),
            name: self.rule.name.clone(),
            query: self.rule.query.clone(),
            labels: texts(&self.rule.labels),
            health: self.health.clone(),
            last_evaluation: self.last_evaluation,
            evaluation_time: self.evaluation_time,
            keeping: self.keeping(group),
            kind,
        }
    }
}
