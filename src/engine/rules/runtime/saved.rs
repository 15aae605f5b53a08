//! Rules with what they keep as their twin, and from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::reload::{Former, FormerGroup, FormerRule, RuleKey};
use super::{GroupCounts, GroupState, RuleSettings, RuleState, Rules};
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::rules::{
    ActiveTwin, EpisodeTwin, GroupTwin, HealthTwin, MovedTwin, RuleTwin, RulesTwin,
};
use crate::engine::labels::Labels;
use crate::engine::rules::alert::AlertState;
use crate::engine::rules::book::{Active, Book, Episode};
use crate::engine::rules::evaluate::LIMIT_ALERT;
use crate::engine::rules::event::Identity;
use crate::engine::rules::kept::Moved;
use crate::engine::rules::logged::{LogRecord, LoggedTransitions};
use crate::engine::rules::outbox::{event_of, event_twin, severity_of, severity_twin};
use crate::engine::rules::resumed::Resumed;
use crate::engine::rules::schedule::Schedule;
use crate::engine::rules::set::{RuleKind, RuleSet};
use crate::engine::rules::view::Health;
use crate::engine::series::Ordinal;
use crate::engine::time::Timestamp;
use crate::engine::wire::{EventId, EventType};

impl RulesTwin {
    /// Leaves out alerts that ended after this was saved, as a log tells.
    pub(in crate::engine) fn forget(&mut self, log: &[LogRecord]) {
        let LoggedTransitions { ended, withdrawn, .. } = LoggedTransitions::by(log);
        for rule in self.groups.iter_mut().flat_map(|group| &mut group.rules) {
            let id = Arc::clone(&rule.id);
            let is_over = |rule_id: &str, episode: &EpisodeTwin| {
                let (labels, started_at) = (&episode.labels, episode.started_at);
                let identity = Identity { rule_id, labels, started_at };
                // One whose beginning was taken back never was.
                ended.contains(&identity.event_id(EventType::AlertCleared))
                    || withdrawn.contains(&identity.event_id(EventType::AlertTriggered))
            };
            rule.alerts.retain(|alert| !alert.episode.as_ref().is_some_and(|episode| is_over(&id, episode)));
            rule.over_limit.take_if(|episode| is_over(LIMIT_ALERT.1, episode));
        }
    }
}

impl Rules {
    /// The rules in force with what they keep.
    pub(in crate::engine) fn save(&self) -> RulesTwin {
        RulesTwin {
            groups: self.groups.iter().map(group_twin).collect(),
            orphans: self.orphans.iter().cloned().collect(),
            outbox: self.outbox.save(),
            ended: self.outbox.ended.oldest_first().map(event_twin).collect(),
        }
    }

    /// Puts a set in force over what was saved, as a reload does: a rule whose essence is unchanged keeps its state, the
    /// alerts of others end.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine) fn restored(
        set: RuleSet,
        settings: RuleSettings,
        twin: RulesTwin,
        now: Timestamp,
    ) -> Result<Self, Damage> {
        let mut rules = Self::new(RuleSet::default(), settings, now);
        rules.resumed = Resumed::of_past(now);
        rules.outbox.restore(twin.outbox)?;
        for ended in twin.ended {
            rules.outbox.ended.notice(&event_of(ended)?);
        }
        rules.orphans = twin.orphans.into_iter().collect();
        let mut former = Former { groups: BTreeMap::new(), rules: BTreeMap::new() };
        for group in twin.groups {
            let known = FormerGroup {
                schedule: Schedule::of_twin(&group.schedule),
                counts: GroupCounts::default(),
                last_evaluation: group.last_evaluation,
                evaluation_time: group.evaluation_time,
            };
            former.groups.insert((group.file, group.name), known);
            for rule in group.rules {
                let id = Arc::clone(&rule.id);
                let key = if rule.alerting == 0 { RuleKey::Recording(id) } else { RuleKey::Alerting(id) };
                former.rules.insert(key, rule_of(rule)?);
            }
        }
        rules.take_over(set, (former, Ordinal::default()), now);
        Ok(rules)
    }
}

fn group_twin(state: &GroupState) -> GroupTwin {
    GroupTwin {
        file: Arc::clone(&state.group.file),
        name: Arc::clone(&state.group.name),
        schedule: state.schedule.twin(),
        last_evaluation: state.last_evaluation,
        evaluation_time: state.evaluation_time,
        rules: state.rules.iter().map(rule_twin).collect(),
    }
}

fn rule_twin(state: &RuleState) -> RuleTwin {
    let Book { alerts, known, refused, over_limit } = &state.book;
    RuleTwin {
        id: Arc::clone(&state.rule.id),
        name: Arc::clone(&state.rule.name),
        alerting: match state.rule.kind {
            RuleKind::Recording => 0,
            RuleKind::Alerting(_) => 1,
        },
        essence: Arc::clone(&state.rule.essence),
        alerts: alerts.iter().map(active_twin).collect(),
        known: known.iter().map(|(identity, kept)| (identity.clone(), kept.clone())).collect(),
        refused: refused.iter().cloned().collect(),
        over_limit: over_limit.as_ref().map(episode_twin),
        exposed: state.exposed.iter().cloned().collect(),
        health: match &state.health {
            Health::Unknown => HealthTwin::Unknown,
            Health::Ok => HealthTwin::Fine,
            Health::Err(why) => HealthTwin::Failed(why.clone()),
        },
        last_evaluation: state.last_evaluation,
        evaluation_time: state.evaluation_time,
        moved: match &state.moved {
            Moved::Nothing => MovedTwin::Nothing,
            Moved::Series(series) => MovedTwin::Series(series.clone()),
            Moved::Everything => MovedTwin::Everything,
        },
    }
}

fn rule_of(twin: RuleTwin) -> Result<FormerRule, Damage> {
    let mut alerts = BTreeMap::new();
    for alert in twin.alerts {
        let (identity, active) = active_of(alert)?;
        alerts.insert(identity, active);
    }
    let book = Book {
        alerts,
        known: twin.known.into_iter().collect(),
        refused: twin.refused.into_iter().collect(),
        over_limit: twin.over_limit.map(episode_of).transpose()?,
    };
    Ok(FormerRule {
        id: twin.id,
        name: twin.name,
        essence: twin.essence,
        book,
        exposed: twin.exposed.into_iter().collect(),
        health: match twin.health {
            HealthTwin::Unknown => Health::Unknown,
            HealthTwin::Fine => Health::Ok,
            HealthTwin::Failed(why) => Health::Err(why),
        },
        last_evaluation: twin.last_evaluation,
        evaluation_time: twin.evaluation_time,
        // Of events before the start no stored time is known.
        fresh_from: Ordinal::default(),
        moved: match twin.moved {
            MovedTwin::Nothing => Moved::Nothing,
            MovedTwin::Series(series) => Moved::Series(series),
            MovedTwin::Everything => Moved::Everything,
        },
    })
}

fn active_twin((identity, active): (&Labels, &Active)) -> ActiveTwin {
    ActiveTwin {
        identity: identity.clone(),
        state: active.state.twin(),
        base: active.base.clone(),
        sample: active.sample.clone(),
        value: active.value,
        threshold: active.threshold,
        annotations: active.annotations.clone(),
        owes_annotations: u8::from(active.owes_annotations),
        episode: active.episode.as_ref().map(episode_twin),
    }
}

fn active_of(twin: ActiveTwin) -> Result<(Labels, Active), Damage> {
    let active = Active {
        state: AlertState::of_twin(&twin.state)?,
        base: twin.base,
        sample: twin.sample,
        value: twin.value,
        threshold: twin.threshold,
        annotations: twin.annotations,
        owes_annotations: twin.owes_annotations != 0,
        episode: twin.episode.map(episode_of).transpose()?,
    };
    Ok((twin.identity, active))
}

fn episode_twin(episode: &Episode) -> EpisodeTwin {
    EpisodeTwin {
        labels: episode.labels.clone(),
        severity: severity_twin(episode.severity),
        started_at: episode.started_at,
        annotations: episode.annotations.clone(),
        evidence: episode.evidence.iter().map(|id| id.0).collect(),
    }
}

fn episode_of(twin: EpisodeTwin) -> Result<Episode, Damage> {
    Ok(Episode {
        labels: twin.labels,
        severity: severity_of(twin.severity)?,
        started_at: twin.started_at,
        annotations: twin.annotations,
        evidence: twin.evidence.into_iter().map(EventId).collect(),
    })
}
