//! An Alertmanager that is away now and then, and who tells it of alerts: the real queue, and in the place of its courier
//! one without HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use super::random::Random;
use super::time::{MILLI, Micros};
use crate::engine::labels::Labels;
use crate::engine::rules::notify::Notification;
use crate::engine::time::Timestamp;
use crate::shell::backoff::backoff;
use crate::shell::driver::notifications::{Delivery, NotificationBatch, NotificationQueue};

/// Alerts of one request.
const ALERTS_TOGETHER: usize = 64;

/// The pause after the first failure, and the longest one.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(15));

/// What it was told of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Firing,
    Resolved,
}

/// An Alertmanager.
#[derive(Debug, Default)]
pub(super) struct Alertmanager {
    /// When it is back; it is there where that is past.
    pub(super) away_until: Micros,
    /// Answers that will be lost, of requests that it took.
    pub(super) lost_answers: u32,
    words: BTreeMap<Labels, Word>,
    pub(super) told: u64,
}

impl Alertmanager {
    /// Takes alerts, where it is there; whether it says so. `now` is the time of who tells.
    fn take(&mut self, batch: &NotificationBatch, (at, now): (Micros, Timestamp)) -> Delivery {
        if at < self.away_until {
            return Delivery::Failing;
        }
        self.told += batch.len() as u64;
        for (_, told) in batch {
            self.words.insert(told.labels.clone(), word(told, now));
        }
        if self.lost_answers > 0 {
            self.lost_answers -= 1;
            return Delivery::Failing;
        }
        Delivery::Idle
    }

    /// The alerts that it was last told fire, as `rule label`.
    pub(super) fn firing(&self) -> BTreeSet<String> {
        let firing = self.words.iter().filter(|(_, word)| **word == Word::Firing);
        firing.map(|(labels, _)| name(labels)).collect()
    }
}

fn word(told: &Notification, now: Timestamp) -> Word {
    if told.ends_at > now { Word::Firing } else { Word::Resolved }
}

fn name(labels: &Labels) -> String {
    let of = |label: &str| labels.get(label).unwrap_or_default().to_lowercase();
    format!("{} {}", of("alertname"), of("tank")).trim_end().to_owned()
}

/// Tells it.
#[derive(Debug)]
pub(super) struct Courier {
    queue: Arc<NotificationQueue>,
    under_way: Option<NotificationBatch>,
    at: Micros,
    failures: u32,
    random: Random,
}

impl Courier {
    /// One that tells what is in this queue.
    pub(super) const fn new(queue: Arc<NotificationQueue>, seed: u64) -> Self {
        Self { queue, under_way: None, at: 0, failures: 0, random: Random::new(seed) }
    }

    /// When it has something to do.
    pub(super) fn ready_at(&self) -> Option<Micros> {
        (self.under_way.is_some() || self.queue.len() > 0).then_some(self.at)
    }

    /// Takes the next alerts, or brings those it has to where they go.
    pub(super) fn work(&mut self, alertmanager: &mut Alertmanager, (at, now): (Micros, Timestamp)) {
        if at < self.at {
            return;
        }
        let Some(batch) = self.under_way.take() else {
            self.under_way = self.queue.take(ALERTS_TOGETHER).now_or_never();
            self.at = at + self.random.below(5 * MILLI);
            return;
        };
        let delivery = alertmanager.take(&batch, (at, now));
        self.queue.note(delivery);
        match delivery {
            Delivery::Idle | Delivery::Busy => self.failures = 0,
            Delivery::Failing => {
                self.queue.put_back(batch);
                self.failures += 1;
                let pause = backoff(self.failures, PAUSES.0, PAUSES.1, self.random.next());
                self.at = at + u64::try_from(pause.as_micros()).unwrap_or(Micros::MAX);
            }
        }
    }
}
