//! The graceful limit: alerts that fire stay, new ones are refused and counted, and one alert says so.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Evaluation;
use crate::engine::labels::Labels;
use crate::engine::rules::book::{Episode, Sender};
use crate::engine::rules::event::{AlertEventKind, Reason, fingerprint};
use crate::engine::rules::resumed::{Sight, Standing};
use crate::engine::rules::set::Severity;

/// The name and the rule id of the alert about limits.
pub(in crate::engine::rules) const LIMIT_ALERT: (&str, &str) = ("SignalboxRuleLimit", "signalbox-rule-limit");

impl Evaluation<'_, '_> {
    /// Counts what was refused anew, and begins or ends the alert about it.
    pub(super) fn report_limit(&mut self, refused: BTreeSet<Labels>) {
        let anew = refused.difference(&self.book.refused).count() as u64;
        if anew > 0 {
            *self.env.counts.limit_refused.entry(self.rule.name.clone()).or_default() += anew;
        }
        let (limit, wanted) =
            (self.env.group.limit.map_or(0, usize::from), self.book.alerts.len() + refused.len());
        let sight = if refused.is_empty() { Sight::Gone } else { Sight::There };
        if self.limit_waits(sight) {
            self.book.refused = refused;
            return;
        }
        let open = self.book.over_limit.take();
        self.book.over_limit = match (open, refused.is_empty()) {
            (None, true) => None,
            (Some(open), false) => Some(open),
            (None, false) => {
                let episode = Episode { started_at: self.beginning_of_all(), ..self.limit_episode() };
                let message = format!(
                    "rule {} of group {} wants {wanted} alerts, its limit is {limit}",
                    self.rule.name, self.env.group.name
                );
                let kind = AlertEventKind::Triggered {
                    metric_name: Arc::from("signalbox_rule_limit_refused_total"),
                    current_value: wanted as f64,
                    threshold: limit as f64,
                    message,
                };
                self.send(&episode, kind);
                Some(episode)
            }
            (Some(open), true) => {
                self.env.counts.cleared += 1;
                let kind = AlertEventKind::Cleared { reason: Reason::Recovered, value: Some(wanted as f64) };
                self.send(&open, kind);
                None
            }
        };
        self.book.refused = refused;
    }

    /// Whether nothing is to be decided of the alert now, as of any other whose past is known from elsewhere. Where it is
    /// not wanted, what was refused may not have been seen again yet.
    fn limit_waits(&mut self, sight: Sight) -> bool {
        if self.env.group.limit.is_none() || !self.env.resumed.concerns(LIMIT_ALERT.1) {
            return false;
        }
        let open = self.book.over_limit.as_ref();
        if self.began_later(open) {
            return true;
        }
        let labels = open.map_or_else(|| self.limit_episode().labels, |open| open.labels.clone());
        let print = fingerprint(LIMIT_ALERT.1, &labels);
        self.pass_settled(print);
        self.env.resumed.standing(print, &labels, sight, self.env.at) == Standing::Waits
    }

    fn limit_episode(&self) -> Episode {
        let (name, _) = LIMIT_ALERT;
        let labels = [
            ("alertname", name),
            ("group", self.env.group.name.as_ref()),
            ("rule", self.rule.name.as_ref()),
            ("severity", Severity::Warning.name()),
        ];
        Episode {
            labels: Labels::collect(labels),
            severity: Severity::Warning,
            started_at: self.env.at,
            annotations: Vec::new(),
            evidence: Vec::new(),
        }
    }

    fn send(&mut self, episode: &Episode, kind: AlertEventKind) {
        let event =
            limit_sender(&self.env.settings.instance, self.env.at, |sender| sender.event(episode, kind));
        self.env.outbox.push(event);
    }
}

/// Calls `send` with the sender of alerts about limits.
pub(in crate::engine::rules) fn limit_sender<T>(
    source: &Arc<str>,
    at: crate::engine::time::Timestamp,
    send: impl FnOnce(Sender<'_>) -> T,
) -> T {
    let (name, rule_id) = LIMIT_ALERT;
    let (rule_id, alert_name) = (Arc::from(rule_id), Arc::from(name));
    // No page shows a rule of this id.
    let external_url = "";
    send(Sender { rule_id: &rule_id, alert_name: &alert_name, source, external_url, at, moved_at: None })
}
