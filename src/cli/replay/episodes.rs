//! Alert events put together into episodes, and the episodes of two sets of rules held against each other.

use std::collections::BTreeMap;

use crate::engine::rules::AlertEvent;
use crate::engine::rules::event::AlertEventKind;
use crate::engine::time::Timestamp;

/// From an AlertTriggered to its AlertCleared.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Episode {
    /// The AlertTriggered.
    pub(super) begin: AlertEvent,
    /// When it ended; none where it was open at the end of the replay.
    pub(super) ended_at: Option<Timestamp>,
}

impl Episode {
    /// When it began.
    pub(super) const fn started_at(&self) -> Timestamp {
        self.begin.started_at
    }

    fn overlaps(&self, other: &Self) -> bool {
        let begins_before_the_end =
            |this: &Self, end: Option<Timestamp>| end.is_none_or(|end| this.started_at() < end);
        self.started_at() == other.started_at()
            || begins_before_the_end(self, other.ended_at) && begins_before_the_end(other, self.ended_at)
    }

    fn is_at_the_times_of(&self, other: &Self) -> bool {
        self.started_at() == other.started_at() && self.ended_at == other.ended_at
    }
}

/// What tells one alert from another: its labels, name included, and its severity.
pub(super) type AlertKey = (String, &'static str);

/// The episodes of one set of rules, by alert, in the order of their beginnings.
#[derive(Debug, Default)]
pub(super) struct Episodes(BTreeMap<AlertKey, Vec<Episode>>);

impl Episodes {
    /// Takes what was decided.
    pub(super) fn take(&mut self, event: AlertEvent) {
        let episodes = self.0.entry((event.labels.to_string(), event.severity.name())).or_default();
        match &event.kind {
            AlertEventKind::Triggered { .. } => episodes.push(Episode { begin: event, ended_at: None }),
            AlertEventKind::Cleared { .. } => {
                let fits = |open: &&mut Episode| open.begin.fingerprint == event.fingerprint;
                if let Some(open) = episodes.iter_mut().rev().find(fits) {
                    open.ended_at = Some(event.timestamp);
                }
            }
        }
    }

    /// The episodes by alert.
    pub(super) fn by_alert(&self) -> impl Iterator<Item = (&AlertKey, &[Episode])> {
        self.0.iter().map(|(key, episodes)| (key, episodes.as_slice()))
    }

    /// The episodes of one alert.
    pub(super) fn of(&self, key: &AlertKey) -> &[Episode] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }
}

/// What two sets of rules say of one episode of one alert.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Comparison {
    /// The same.
    Alike,
    /// Both say it, at other times.
    Moved {
        /// With `--rules`.
        rules: Box<Episode>,
        /// With `--compare`.
        compared: Box<Episode>,
    },
    /// Only with `--rules`.
    OnlyRules(Box<Episode>),
    /// Only with `--compare`.
    OnlyCompared(Box<Episode>),
}

impl Comparison {
    /// When the first of it began.
    fn time(&self) -> Option<Timestamp> {
        match self {
            Self::Alike => None,
            Self::Moved { rules, compared } => Some(rules.started_at().min(compared.started_at())),
            Self::OnlyRules(episode) | Self::OnlyCompared(episode) => Some(episode.started_at()),
        }
    }
}

/// Every episode of both sides, what differs in the order of its beginning.
pub(super) fn compared(rules: &Episodes, compared: &Episodes) -> Vec<Comparison> {
    let mut found = Vec::new();
    for (key, episodes) in rules.by_alert() {
        found.extend(paired(episodes, compared.of(key)));
    }
    for (_, episodes) in compared.by_alert().filter(|(key, _)| !rules.0.contains_key(*key)) {
        found.extend(paired(&[], episodes));
    }
    found.sort_by_key(Comparison::time);
    found
}

/// The episodes of one alert: those that overlap are one to both sides.
fn paired(rules: &[Episode], compared: &[Episode]) -> Vec<Comparison> {
    let (mut rules, mut compared) = (rules.iter().peekable(), compared.iter().peekable());
    let mut found = Vec::new();
    loop {
        let next = match (rules.peek(), compared.peek()) {
            (Some(left), Some(right)) if left.overlaps(right) => {
                let (left, right) = (*left, *right);
                rules.next();
                compared.next();
                if left.is_at_the_times_of(right) {
                    Comparison::Alike
                } else {
                    Comparison::Moved { rules: Box::new(left.clone()), compared: Box::new(right.clone()) }
                }
            }
            (Some(left), right) if right.is_none_or(|right| left.started_at() <= right.started_at()) => {
                let only = Comparison::OnlyRules(Box::new((*left).clone()));
                rules.next();
                only
            }
            (_, Some(right)) => {
                let only = Comparison::OnlyCompared(Box::new((*right).clone()));
                compared.next();
                only
            }
            (None | Some(_), None) => return found,
        };
        found.push(next);
    }
}
