//! What the sidecar knows of its own condition: why it is not ready, and whether it may be scraped.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::engine::fact::PairStanding;
use crate::engine::yaml::units;
use crate::shell::reminder::{NextStep, Reminder};

/// The reason of what was not seen yet.
const NOT_YET: &str = "not seen yet";

/// What a reason for not being ready is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    /// The core lane's connection.
    CoreLink,
    /// The JetStream lane's connection.
    StreamLink,
    /// The connection alert events are published by.
    PublishLink,
    /// Subscriptions the server forbids.
    Subscriptions,
    /// The lane's stream.
    Stream,
    /// Reading what was stored before the start.
    CatchUp,
    /// Messages that wait in the stream.
    Lag,
    /// Publishing alert events.
    Publishing,
    /// The stream that takes alert events.
    AlertStream,
    /// The lease of a pair.
    Pair,
    /// Reading what the other instance of a pair published.
    PairStream,
    /// Rule files.
    Rules,
}

/// The connections.
const LINKS: [Topic; 3] = [Topic::CoreLink, Topic::StreamLink, Topic::PublishLink];

impl Topic {
    /// Whether its reason changes without anything having changed that a person would want to read of.
    const fn is_restless(self) -> bool {
        matches!(self, Self::CoreLink | Self::StreamLink | Self::PublishLink | Self::Lag | Self::Publishing)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::CoreLink => "NATS connection of the core lane",
            Self::StreamLink => "NATS connection of the JetStream lane",
            Self::PublishLink => "NATS connection for publishing",
            Self::Subscriptions => "subscriptions",
            Self::Stream => "stream",
            Self::CatchUp => "catching up",
            Self::Lag => "lag",
            Self::Publishing => "alert publishing",
            Self::AlertStream => "stream of alert events",
            Self::Pair => "pair",
            Self::PairStream => "alert events of the pair",
            Self::Rules => "rules",
        })
    }
}

/// What a person should look after though the sidecar is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Concern {
    /// The state folder.
    State,
    /// Whether alert events outlive their server.
    AlertStream,
}

/// Whether a concern is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noted {
    /// It was noted in the same words.
    Before,
    /// It is.
    Now,
}

/// The condition, shared by all threads.
#[derive(Debug, Default)]
pub(crate) struct Status {
    reasons: Mutex<BTreeMap<Topic, String>>,
    diagnostics: Mutex<String>,
    /// What is wrong though it is ready.
    concerns: Mutex<BTreeMap<Concern, String>>,
    /// Who of a pair publishes; none without a pair.
    pair: Mutex<Option<PairCondition>>,
    /// Of the connections, while one does not stand.
    reminder: Mutex<Option<Reminder>>,
}

/// Who of a pair publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PairCondition {
    /// Whether this instance does.
    pub(crate) standing: PairStanding,
    /// The name of the instance that does, where one is known to.
    pub(crate) leader: Option<Arc<str>>,
}

/// Whether the connections as a whole changed with an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connectivity {
    /// As before.
    Same,
    /// All stand now.
    Gained,
    /// One broke now.
    Lost,
}

impl Status {
    /// Notes what has to be seen once before the sidecar is ready.
    pub(crate) fn expect(&self, topics: &[Topic]) {
        let mut reasons = self.locked();
        for topic in topics {
            reasons.insert(*topic, NOT_YET.to_owned());
        }
    }

    /// Notes why something is not ready.
    pub(crate) fn set(&self, topic: Topic, reason: impl Into<String>) -> Connectivity {
        self.change(topic, Some(reason.into()))
    }

    /// Notes that something is ready.
    pub(crate) fn clear(&self, topic: Topic) -> Connectivity {
        self.change(topic, None)
    }

    /// Every reason for not being ready, a line each; empty when ready.
    pub(crate) fn reasons(&self) -> Vec<String> {
        self.locked().iter().map(|(topic, reason)| format!("{topic}: {reason}")).collect()
    }

    /// Every reason for not being ready with what it is about.
    pub(crate) fn unready(&self) -> Vec<(Topic, String)> {
        self.locked().iter().map(|(topic, reason)| (*topic, reason.clone())).collect()
    }

    /// Why a scrape would show counters that still grow towards what they were; none where it would not.
    pub(crate) fn scrape_refusal(&self) -> Option<String> {
        self.locked().get(&Topic::CatchUp).cloned()
    }

    /// Whether something speaks against being ready.
    pub(crate) fn has(&self, topic: Topic) -> bool {
        self.locked().contains_key(&topic)
    }

    /// What a person should look after though it is ready, with what it is about.
    pub(crate) fn concerns(&self) -> Vec<(Concern, String)> {
        let concerns = self.concerns.lock().unwrap_or_else(PoisonError::into_inner);
        concerns.iter().map(|(concern, text)| (*concern, text.clone())).collect()
    }

    /// Notes what a person should look after though it is ready; whether that is news.
    pub(crate) fn note_concern(&self, concern: Concern, text: String) -> Noted {
        let mut concerns = self.concerns.lock().unwrap_or_else(PoisonError::into_inner);
        if concerns.get(&concern) == Some(&text) {
            return Noted::Before;
        }
        concerns.insert(concern, text);
        Noted::Now
    }

    /// Notes that it is mended.
    pub(crate) fn resolve_concern(&self, concern: Concern) {
        self.concerns.lock().unwrap_or_else(PoisonError::into_inner).remove(&concern);
    }

    /// Who of a pair publishes; none without a pair.
    pub(crate) fn pair(&self) -> Option<PairCondition> {
        self.locked_pair().clone()
    }

    /// Notes whether this instance of a pair publishes; whether that is news.
    pub(crate) fn note_pair(&self, standing: PairStanding) -> Noted {
        let mut pair = self.locked_pair();
        let before = pair.as_ref().map(|pair| pair.standing);
        let leader = pair.take().and_then(|pair| pair.leader);
        *pair = Some(PairCondition { standing, leader });
        if before == Some(standing) { Noted::Before } else { Noted::Now }
    }

    /// Notes which instance of a pair publishes; whether that is news.
    pub(crate) fn note_leader(&self, leader: Option<Arc<str>>) -> Noted {
        let mut pair = self.locked_pair();
        let Some(pair) = pair.as_mut() else { return Noted::Before };
        let before = std::mem::replace(&mut pair.leader, leader);
        if before == pair.leader { Noted::Before } else { Noted::Now }
    }

    fn locked_pair(&self) -> MutexGuard<'_, Option<PairCondition>> {
        self.pair.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the last load of configuration and rules had to say; empty where all was well.
    pub(crate) fn diagnostics(&self) -> String {
        self.diagnostics.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes what a load had to say.
    pub(crate) fn note_diagnostics(&self, text: &str) {
        text.clone_into(&mut self.diagnostics.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn change(&self, topic: Topic, reason: Option<String>) -> Connectivity {
        let mut reasons = self.locked();
        let before = connected(&reasons);
        let known = reasons.get(&topic);
        if known == reason.as_ref() {
            self.remind(&reasons);
            return Connectivity::Same;
        }
        if let Some(reason) = reason {
            // A pending count and the errors of attempts in turn change all the time: their beginning is the news.
            let is_news = known.is_none_or(|known| known == NOT_YET) || !topic.is_restless();
            let step = NextStep::of(&reason);
            let is_answered = step.is_an_answer()
                && known.is_some_and(|known| known != NOT_YET && NextStep::of(known) == NextStep::Wait);
            if (is_news || is_answered) && LINKS.contains(&topic) {
                tracing::warn!(about = %topic, reason, advice = step.text(), "not ready");
            } else if is_news && topic != Topic::CatchUp {
                tracing::warn!(about = %topic, reason, "not ready");
            }
            reasons.insert(topic, reason);
        } else {
            reasons.remove(&topic);
            if topic != Topic::CatchUp {
                tracing::info!(about = %topic, "ready");
            }
            if reasons.is_empty() {
                tracing::info!("everything is ready");
            }
        }
        self.remind(&reasons);
        match (before, connected(&reasons)) {
            (false, true) => Connectivity::Gained,
            (true, false) => Connectivity::Lost,
            _ => Connectivity::Same,
        }
    }

    /// Says now and then that a connection still does not stand; every attempt asks for it.
    fn remind(&self, reasons: &BTreeMap<Topic, String>) {
        let mut reminder = self.reminder.lock().unwrap_or_else(PoisonError::into_inner);
        if connected(reasons) {
            *reminder = None;
            return;
        }
        let now = Instant::now();
        let Some(lasts) = reminder.get_or_insert_with(|| Reminder::begin(now)).is_due(now) else { return };
        let down = LINKS.iter().find_map(|link| Some((link, reasons.get(link)?)));
        let Some((link, reason)) = down else { return };
        let down_for = units::duration_text(std::time::Duration::from_secs(lasts.as_secs()));
        tracing::warn!(about = %link, down_for, reason, advice = NextStep::of(reason).text(), "still not connected");
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Topic, String>> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn connected(reasons: &BTreeMap<Topic, String>) -> bool {
    !LINKS.iter().any(|link| reasons.contains_key(link))
}

#[cfg(test)]
mod tests;
