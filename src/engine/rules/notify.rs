//! What Alertmanagers are told of which alert, and when, as Prometheus tells them (Alert Generator Compliance 1.0,
//! "Sending Alerts to Alertmanager").
//!
//! A group is looked at after an evaluation in which an alert began or ended, and where something of it is to be told
//! again; of rules that failed in it nothing is told. A firing alert is told at once and then after each resend delay, a
//! resolved one likewise for 15 minutes. Unlike Prometheus, what a reload ends is told as resolved.

mod saved;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::event::AlertEvent;
use super::rule_url::rule_url;
use super::runtime::GroupCounts;
use super::set::Group;
use super::view::{AlertView, AlertingState, GroupView, Health, alerts_of};
use crate::engine::config::{Config, HttpUrl};
use crate::engine::labels::Labels;
use crate::engine::time::Timestamp;

/// How long a resolved alert is told again.
const RESOLVED_FOR: Duration = Duration::from_mins(15);

/// How many delays or intervals, whichever is longer, a firing alert holds without being told again.
const VALID_ROUNDS: u32 = 4;

/// Resolved alerts of a group that are told again; where more end within 15 minutes, each was told once.
const RESOLVED_MAX: usize = 10_000;

/// What an Alertmanager is told of one alert.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Notification {
    /// The alert's labels, and the external ones it has not itself.
    pub(crate) labels: Labels,
    /// Its annotations, expanded.
    pub(crate) annotations: Vec<(Arc<str>, String)>,
    /// When it began to fire.
    pub(crate) starts_at: Timestamp,
    /// When it ended, or until when it is to be taken for firing.
    pub(crate) ends_at: Timestamp,
    /// Where its rule is shown; none without `external_url`.
    pub(crate) generator_url: Option<String>,
}

impl Notification {
    /// The element of the body of `POST /api/v2/alerts`.
    pub(crate) fn to_json(&self) -> Value {
        let pair = |(name, value): &(Arc<str>, Arc<str>)| (name.to_string(), json!(value.as_ref()));
        let labels: Map<String, Value> = self.labels.iter().map(pair).collect();
        let texts = self.annotations.iter().map(|(name, text)| (name.to_string(), json!(text)));
        let mut alert = Map::new();
        alert.insert("labels".to_owned(), Value::Object(labels));
        let texts: Map<String, Value> = texts.collect();
        // As Prometheus has it, none where there are none.
        if !texts.is_empty() {
            alert.insert("annotations".to_owned(), Value::Object(texts));
        }
        alert.insert("startsAt".to_owned(), json!(self.starts_at.to_string()));
        alert.insert("endsAt".to_owned(), json!(self.ends_at.to_string()));
        if let Some(url) = &self.generator_url {
            alert.insert("generatorURL".to_owned(), json!(url));
        }
        Value::Object(alert)
    }
}

/// What every notification depends on.
#[derive(Clone, Debug, PartialEq)]
struct Terms {
    urls: Vec<HttpUrl>,
    resend_delay: Duration,
    external_labels: Labels,
    external_url: String,
}

impl Terms {
    /// The labels of an alert, and the external ones it has not itself.
    fn labels(&self, of_alert: &Labels) -> Labels {
        let missing = self.external_labels.iter().filter(|(name, _)| of_alert.get(name).is_none());
        missing.fold(of_alert.clone(), |labels, (name, value)| labels.with(name, value))
    }

    /// What is told of an alert that began with this event.
    fn begun(&self, event: &AlertEvent) -> Notification {
        Notification {
            labels: self.labels(&event.labels),
            annotations: event.annotations.clone(),
            starts_at: event.started_at,
            ends_at: event.timestamp,
            generator_url: rule_url(&self.external_url, &event.rule_id),
        }
    }
}

/// A group by its file and name.
type GroupKey = (Arc<str>, Arc<str>);

/// Knows what Alertmanagers were told last.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Notifier {
    /// None where nobody is to be told.
    terms: Option<Terms>,
    groups: BTreeMap<GroupKey, ToldGroup>,
    /// Alerts of groups that a reload took away.
    gone: ToldGroup,
    /// Groups to be looked at.
    due: BTreeSet<GroupKey>,
    outgoing: Vec<Notification>,
}

/// The alerts of a group that Alertmanagers know of.
#[derive(Clone, Debug, Default)]
struct ToldGroup {
    /// By the rule's id and the labels.
    alerts: BTreeMap<(Arc<str>, Labels), ToldAlert>,
    /// When one of them is to be told again.
    again_at: Timestamp,
}

#[derive(Clone, Debug)]
struct ToldAlert {
    said: Notification,
    at: Timestamp,
    resolved_at: Option<Timestamp>,
}

/// The external labels that Alertmanagers get.
fn told_labels(config: &Config) -> Labels {
    if config.pair.is_on() {
        config.external_labels.filtered(|name| name != config.pair.replica_label)
    } else {
        config.external_labels.clone()
    }
}

impl Notifier {
    /// Tells as a configuration has it from now on; what was told is told again where it has it otherwise.
    pub(in crate::engine) fn configure(&mut self, config: &Config) {
        let terms = (!config.alertmanager.urls.is_empty()).then(|| Terms {
            urls: config.alertmanager.urls.clone(),
            resend_delay: config.alertmanager.resend_delay,
            external_labels: told_labels(config),
            external_url: config.external_url.clone(),
        });
        if terms == self.terms {
            return;
        }
        if terms.is_none() {
            *self = Self::default();
        }
        self.terms = terms;
        for told in self.groups.values_mut().chain([&mut self.gone]) {
            told.again_at = Timestamp::EPOCH;
            told.alerts.values_mut().for_each(|alert| alert.at = Timestamp::EPOCH);
        }
    }

    /// Whether there is an Alertmanager to be told anything.
    pub(in crate::engine) const fn tells(&self) -> bool {
        self.terms.is_some()
    }

    /// Takes what fires for told, though not lately, where nothing is known of it: an earlier run told of it. What ended
    /// since is told as resolved then.
    pub(in crate::engine) fn go_on(&mut self, groups: &[Arc<GroupView>], now: Timestamp) {
        let Some(terms) = &self.terms else { return };
        for group in groups {
            let round = Round { terms, at: now, interval: group.interval };
            let told = self.groups.entry((group.file.clone(), group.name.clone())).or_default();
            for alert in alerts_of(std::slice::from_ref(group)) {
                let Some(fired_at) = alert.fired_at else { continue };
                told.alerts.entry((alert.rule_id.clone(), alert.labels.clone())).or_insert_with(|| {
                    let said = round.firing(alert, fired_at);
                    ToldAlert { said, at: Timestamp::EPOCH, resolved_at: None }
                });
            }
        }
    }

    /// Takes note of an evaluation of a group.
    pub(in crate::engine) fn evaluated(&mut self, group: &Group, counts: &GroupCounts, now: Timestamp) {
        if self.terms.is_none() {
            return;
        }
        let key = (group.file.clone(), group.name.clone());
        let is_news = counts.triggered > 0 || counts.cleared > 0 || !counts.limit_refused.is_empty();
        if is_news || self.groups.get(&key).is_none_or(|told| told.again_at <= now) {
            self.due.insert(key);
        }
    }

    /// Whether [`Notifier::collect`] has a group to look at.
    pub(in crate::engine) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Looks at the groups that are due.
    pub(in crate::engine) fn collect(&mut self, groups: &[Arc<GroupView>], now: Timestamp) {
        let Some(terms) = &self.terms else { return };
        for group in groups {
            let key = (group.file.clone(), group.name.clone());
            if !self.due.remove(&key) {
                continue;
            }
            let at = group.last_evaluation.unwrap_or(now);
            let round = Round { terms, at, interval: group.interval };
            // Of a rule that failed nothing is known, and nothing is told until it is evaluated again.
            let failed = group.rules.iter().filter(|rule| matches!(rule.health, Health::Err(_)));
            let failed: BTreeSet<&Arc<str>> = failed.map(|rule| &rule.id).collect();
            let alerts = alerts_of(std::slice::from_ref(group));
            let alerts: Vec<&AlertView> = alerts.filter(|alert| !failed.contains(&alert.rule_id)).collect();
            self.gone.part_from(alerts.iter().copied());
            let told = self.groups.entry(key).or_default();
            let is_kept = |(rule_id, _): &(Arc<str>, Labels)| failed.contains(rule_id);
            let mut kept: BTreeMap<_, _> = told.alerts.extract_if(.., |key, _| is_kept(key)).collect();
            told.look(&alerts, round, &mut self.outgoing);
            if !kept.is_empty() {
                told.again_at = Timestamp::EPOCH;
                told.alerts.append(&mut kept);
            }
        }
        self.due.clear();
    }

    /// Follows a reload: the alerts of groups that are not there any more end, unless another group has them now.
    pub(in crate::engine) fn retain(&mut self, groups: &[Arc<GroupView>]) {
        // What else a reload ended is told after the next evaluation.
        self.groups.values_mut().for_each(|told| told.again_at = Timestamp::EPOCH);
        let there: BTreeSet<GroupKey> =
            groups.iter().map(|group| (group.file.clone(), group.name.clone())).collect();
        let all = std::mem::take(&mut self.groups);
        let (kept, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            all.into_iter().partition(|(key, _)| there.contains(key));
        self.groups = kept;
        self.gone.alerts.extend(gone.into_values().flat_map(|told| told.alerts));
        self.gone.part_from(alerts_of(groups));
        self.gone.again_at = Timestamp::EPOCH;
    }

    /// Tells again of the alerts whose groups are gone; there is no evaluation to do it after.
    pub(in crate::engine) fn tell_of_gone(&mut self, now: Timestamp) {
        let Some(terms) = &self.terms else { return };
        if !self.gone.alerts.is_empty() && self.gone.again_at <= now {
            let round = Round { terms, at: now, interval: Duration::ZERO };
            self.gone.look(&[], round, &mut self.outgoing);
        }
    }

    /// What is to be told now.
    pub(in crate::engine) fn take(&mut self) -> Vec<Notification> {
        std::mem::take(&mut self.outgoing)
    }
}

/// One look at a group.
#[derive(Clone, Copy)]
struct Round<'a> {
    terms: &'a Terms,
    at: Timestamp,
    interval: Duration,
}

impl ToldGroup {
    /// Leaves out what fires, by its labels.
    fn part_from<'a>(&mut self, alerts: impl Iterator<Item = &'a AlertView>) {
        if self.alerts.is_empty() {
            return;
        }
        let firing = alerts.filter(|alert| alert.fired_at.is_some()).map(|alert| &alert.labels);
        let firing: BTreeSet<&Labels> = firing.collect();
        self.alerts.retain(|(_, labels), _| !firing.contains(labels));
    }

    /// Tells of what began, ended, or is to be told again.
    fn look(&mut self, alerts: &[&AlertView], round: Round<'_>, outgoing: &mut Vec<Notification>) {
        let mut before = std::mem::take(&mut self.alerts);
        for alert in alerts {
            let key = (alert.rule_id.clone(), alert.labels.clone());
            match (alert.state, alert.fired_at) {
                (AlertingState::Firing, Some(fired_at)) => {
                    let told = before.remove(&key);
                    let told = told.filter(|told| told.is_about(fired_at) && !round.is_due(told.at));
                    self.alerts.insert(
                        key,
                        told.unwrap_or_else(|| {
                            let said = round.firing(alert, fired_at);
                            outgoing.push(said.clone());
                            ToldAlert { said, at: round.at, resolved_at: None }
                        }),
                    );
                }
                (AlertingState::Firing | AlertingState::Pending | AlertingState::Inactive, _) => {
                    // One that waits anew is told as resolved once. It is kept, as that word may be lost with the process.
                    if let Some(mut told) = before.remove(&key) {
                        if !told.is_told_as_resolved() {
                            told.said.ends_at = *told.resolved_at.get_or_insert(round.at);
                            outgoing.push(told.said.clone());
                        }
                        told.at = round.at;
                        self.alerts.insert(key, told);
                    }
                }
            }
        }
        let firing = self.alerts.len();
        self.alerts.extend(
            before.into_iter().filter_map(|(key, told)| Some((key, round.resolved(told, outgoing)?))),
        );
        self.forget(firing);
        let again = self.alerts.values().map(|told| told.at).min().unwrap_or(round.at);
        self.again_at = again.after(round.terms.resend_delay);
    }

    /// Forgets the resolved alerts that ended first, where there are too many.
    fn forget(&mut self, firing: usize) {
        let many = self.alerts.len().saturating_sub(firing.saturating_add(RESOLVED_MAX));
        if many == 0 {
            return;
        }
        let mut ends: Vec<Timestamp> = self.alerts.values().filter_map(|told| told.resolved_at).collect();
        ends.sort_unstable();
        let Some(first_kept) = ends.get(many).copied() else { return };
        self.alerts.retain(|_, told| told.resolved_at.is_none_or(|end| end >= first_kept));
    }
}

impl ToldAlert {
    /// Whether its end was told since the start.
    fn is_told_as_resolved(&self) -> bool {
        self.resolved_at.is_some() && self.at > Timestamp::EPOCH
    }

    /// Whether it was told as this episode, which fires.
    fn is_about(&self, fired_at: Timestamp) -> bool {
        self.resolved_at.is_none() && self.said.starts_at == fired_at
    }
}

impl Round<'_> {
    /// Whether what was told then is to be told again.
    fn is_due(self, told_at: Timestamp) -> bool {
        told_at.after(self.terms.resend_delay) <= self.at
    }

    fn firing(self, alert: &AlertView, fired_at: Timestamp) -> Notification {
        let valid_for = self.terms.resend_delay.max(self.interval).saturating_mul(VALID_ROUNDS);
        Notification {
            labels: self.terms.labels(&alert.labels),
            annotations: alert.annotations.clone(),
            starts_at: fired_at,
            ends_at: self.at.after(valid_for),
            generator_url: rule_url(&self.terms.external_url, &alert.rule_id),
        }
    }

    /// An alert that fires no more; none where that was told long enough.
    fn resolved(self, mut told: ToldAlert, outgoing: &mut Vec<Notification>) -> Option<ToldAlert> {
        let end = told.resolved_at.unwrap_or(self.at);
        // What ended while nobody was here is told once, however long ago that was.
        if self.at.since(end) > RESOLVED_FOR && told.at > Timestamp::EPOCH {
            return None;
        }
        if told.resolved_at.is_none() || self.is_due(told.at) {
            told.said.ends_at = end;
            (told.at, told.resolved_at) = (self.at, Some(end));
            outgoing.push(told.said.clone());
        }
        Some(told)
    }
}
