//! What `/api/v1/rules`, `/api/v1/alerts`, `/metrics` and the status page show of rules and alerts.

use std::sync::Arc;
use std::time::Duration;

use super::book::Episode;
use super::evaluate::LIMIT_ALERT;
use super::event;
use super::kept::Keeping;
use super::set::{Condition, Group, Severity};
use crate::engine::labels::Labels;
use crate::engine::time::Timestamp;
use crate::engine::wire::EventId;

/// A group as readers see it.
#[derive(Clone, Debug)]
pub struct GroupView {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// The file it stands in.
    pub(crate) file: Arc<str>,
    /// The time between two evaluations.
    pub(crate) interval: Duration,
    /// How many alerts or series a rule may have; 0 without a limit, as Prometheus writes it.
    pub(crate) limit: usize,
    /// When it was last evaluated.
    pub(crate) last_evaluation: Option<Timestamp>,
    /// How long that took; 0 where nobody measures.
    pub(crate) evaluation_time: Duration,
    /// Its rules in order.
    pub rules: Vec<RuleView>,
    /// What it was loaded as, rule by rule in the same order.
    pub(crate) definition: Arc<Group>,
}

/// A level of an alerting rule as readers see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LevelView {
    /// Its severity, where the rule has `severities`.
    pub(crate) severity: Option<Severity>,
    /// When it holds.
    pub(crate) condition: Condition,
}

/// A rule as readers see it.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleView {
    /// Its id.
    pub(crate) id: Arc<str>,
    /// The alert's or the recorded metric's name.
    pub(crate) name: Arc<str>,
    /// Its expression as PromQL.
    pub(crate) query: Arc<str>,
    /// Its labels as they stand in the file, the group's included.
    pub(crate) labels: Vec<(Arc<str>, Arc<str>)>,
    /// How its last evaluation went.
    pub health: Health,
    /// When it was last evaluated.
    pub(crate) last_evaluation: Option<Timestamp>,
    /// How long that took; 0 where nobody measures.
    pub(crate) evaluation_time: Duration,
    /// What an evaluation on arrival goes over.
    pub(crate) keeping: Keeping,
    /// What only its kind shows.
    pub(crate) kind: KindView,
}

/// What only one kind of rule shows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum KindView {
    /// A recording rule.
    Recording,
    /// An alerting rule.
    Alerting {
        /// The wait of its lowest level.
        wait: Duration,
        /// How long alerts stay after their condition ended.
        keep_firing_for: Duration,
        /// Its annotations as they stand in the file.
        annotations: Vec<(Arc<str>, Arc<str>)>,
        /// Its levels, rising, where no override matches.
        levels: Vec<LevelView>,
        /// The worst state of its alerts; inactive without any.
        state: AlertingState,
        /// Its alerts, pending and firing, in the order of their labels.
        alerts: Vec<AlertView>,
        /// The alert that says its limit is reached, where it is.
        over_limit: Option<Box<AlertView>>,
    },
}

/// How the last evaluation of a rule went.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Health {
    /// There was none yet.
    #[default]
    Unknown,
    /// Well.
    Ok,
    /// With this error.
    Err(String),
}

impl Health {
    /// Prometheus' word.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ok => "ok",
            Self::Err(_) => "err",
        }
    }

    /// The error, empty where there is none.
    pub fn last_error(&self) -> &str {
        match self {
            Self::Err(error) => error,
            Self::Unknown | Self::Ok => "",
        }
    }
}

/// The state of an alert, or of a rule by its alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AlertingState {
    /// No alert.
    Inactive,
    /// The condition holds, its `for` is not served yet.
    Pending,
    /// Firing.
    Firing,
}

impl AlertingState {
    /// Prometheus' word.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
        }
    }
}

/// One pending or firing alert as readers see it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AlertView {
    /// The rule's id.
    pub(crate) rule_id: Arc<str>,
    /// The rule's alert name.
    pub(crate) alert_name: Arc<str>,
    /// Its labels, `alertname` included.
    pub(crate) labels: Labels,
    /// Its annotations, expanded.
    pub(crate) annotations: Vec<(Arc<str>, String)>,
    /// Pending or firing.
    pub(crate) state: AlertingState,
    /// How bad it is, or would be.
    pub(crate) severity: Severity,
    /// Since when the condition holds.
    pub(crate) active_at: Timestamp,
    /// When its AlertTriggered was decided.
    pub(crate) fired_at: Option<Timestamp>,
    /// Since when only `keep_firing_for` holds it.
    pub(crate) keep_firing_since: Option<Timestamp>,
    /// The last value, NaN and infinities included.
    pub(crate) value: f64,
    /// The threshold in force, where one is known.
    pub(crate) threshold: Option<f64>,
    /// A hash of rule id and labels without severity.
    pub(crate) fingerprint: u64,
    /// The group's interval, which Alertmanager's `endsAt` depends on.
    pub(crate) interval: Duration,
    /// The last events that moved the value when it fired, newest first.
    pub(crate) evidence: Vec<EventId>,
}

/// Every pending or firing alert of some groups, in the order of rules and labels, those about limits last.
pub(in crate::engine) fn alerts_of(groups: &[Arc<GroupView>]) -> impl Iterator<Item = &AlertView> {
    let rules = || groups.iter().flat_map(|group| &group.rules);
    let alerts = rules().flat_map(|rule| match &rule.kind {
        KindView::Recording => &[][..],
        KindView::Alerting { alerts, .. } => alerts,
    });
    alerts.chain(rules().filter_map(|rule| match &rule.kind {
        KindView::Recording => None,
        KindView::Alerting { over_limit, .. } => over_limit.as_deref(),
    }))
}

/// The alert that says a rule's limit is reached.
pub(super) fn limit_alert(episode: &Episode, group: &Group) -> AlertView {
    let (name, rule_id) = LIMIT_ALERT;
    AlertView {
        rule_id: Arc::from(rule_id),
        alert_name: Arc::from(name),
        labels: episode.labels.clone(),
        annotations: Vec::new(),
        state: AlertingState::Firing,
        severity: episode.severity,
        active_at: episode.started_at,
        fired_at: Some(episode.started_at),
        keep_firing_since: None,
        value: 1.0,
        threshold: None,
        fingerprint: event::fingerprint(rule_id, &episode.labels),
        interval: group.interval,
        evidence: episode.evidence.clone(),
    }
}
