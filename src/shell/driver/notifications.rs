//! What waits to be told to Alertmanagers: a queue for each, so that a slow one holds neither the others nor the driver.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::engine::config::HttpUrl;
use crate::engine::labels::Labels;
use crate::engine::rules::notify::Notification;

/// The queues of all Alertmanagers.
#[derive(Debug, Default)]
pub(crate) struct NotificationQueues(Mutex<Vec<Arc<NotificationQueue>>>);

impl NotificationQueues {
    /// Puts these queues in place of those there were.
    pub(crate) fn replace(&self, queues: Vec<Arc<NotificationQueue>>) {
        *self.locked() = queues;
    }

    /// The queues there are.
    pub(crate) fn all(&self) -> Vec<Arc<NotificationQueue>> {
        self.locked().clone()
    }

    /// Puts notifications into each queue.
    pub(crate) fn tell(&self, notifications: Vec<Notification>) {
        if notifications.is_empty() {
            return;
        }
        let notifications: Vec<Arc<Notification>> = notifications.into_iter().map(Arc::new).collect();
        for queue in self.locked().iter() {
            queue.push(&notifications);
        }
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Arc<NotificationQueue>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What waits for one Alertmanager. Of each alert only the newest word waits.
#[derive(Debug)]
pub(crate) struct NotificationQueue {
    /// Whom it waits for.
    pub(crate) url: HttpUrl,
    waiting: Mutex<Waiting>,
    filled: Notify,
}

/// Notifications in order, with their place in it.
pub(crate) type NotificationBatch = Vec<(u64, Arc<Notification>)>;

impl NotificationQueue {
    /// An empty queue of so many notifications at the most.
    pub(crate) fn new(url: HttpUrl, most: usize) -> Self {
        let waiting = Waiting { most, ..Waiting::default() };
        Self { url, waiting: Mutex::new(waiting), filled: Notify::new() }
    }

    /// Lets so many wait from now on.
    pub(crate) fn resize(&self, most: usize) {
        self.locked().most = most;
    }

    /// Waits until something is there, and takes the first `most` of it.
    pub(crate) async fn take(&self, most: usize) -> NotificationBatch {
        loop {
            let batch = self.locked().take(most);
            if !batch.is_empty() {
                return batch;
            }
            self.filled.notified().await;
        }
    }

    /// Puts back what could not be told, but for alerts of which there is newer word.
    pub(crate) fn put_back(&self, batch: NotificationBatch) {
        self.locked().put_back(batch);
    }

    /// Notes how it goes.
    pub(crate) fn note(&self, delivery: Delivery) {
        self.locked().delivery = delivery;
    }

    /// Whether something is to be told, or being told, that did not fail before.
    pub(crate) fn is_moving(&self) -> bool {
        let waiting = self.locked();
        match waiting.delivery {
            Delivery::Idle => !waiting.by_place.is_empty(),
            Delivery::Busy => true,
            Delivery::Failing => false,
        }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.locked().by_place.len()
    }

    /// How many were dropped for want of room since the last call.
    pub(crate) fn take_dropped(&self) -> usize {
        std::mem::take(&mut self.locked().dropped)
    }

    fn push(&self, notifications: &[Arc<Notification>]) {
        let mut waiting = self.locked();
        for notification in notifications {
            waiting.push(Arc::clone(notification));
        }
        drop(waiting);
        self.filled.notify_one();
    }

    fn locked(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How it goes with telling an Alertmanager.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Nothing is on its way.
    #[default]
    Idle,
    /// Something is.
    Busy,
    /// The last attempt failed.
    Failing,
}

#[derive(Debug, Default)]
struct Waiting {
    delivery: Delivery,
    most: usize,
    by_place: BTreeMap<u64, Arc<Notification>>,
    places: BTreeMap<Labels, u64>,
    next: u64,
    dropped: usize,
}

impl Waiting {
    fn push(&mut self, notification: Arc<Notification>) {
        if let Some(place) = self.places.get(&notification.labels) {
            self.by_place.insert(*place, notification);
            return;
        }
        self.insert(self.next, notification);
        self.next += 1;
        self.keep_within();
    }

    fn take(&mut self, most: usize) -> NotificationBatch {
        let mut batch = NotificationBatch::new();
        while batch.len() < most
            && let Some((place, notification)) = self.by_place.pop_first()
        {
            self.places.remove(&notification.labels);
            batch.push((place, notification));
        }
        if !batch.is_empty() && self.delivery == Delivery::Idle {
            self.delivery = Delivery::Busy;
        }
        batch
    }

    fn put_back(&mut self, batch: NotificationBatch) {
        for (place, notification) in batch {
            if !self.places.contains_key(&notification.labels) {
                self.insert(place, notification);
            }
        }
        self.keep_within();
    }

    fn insert(&mut self, place: u64, notification: Arc<Notification>) {
        self.places.insert(notification.labels.clone(), place);
        self.by_place.insert(place, notification);
    }

    /// Drops the oldest where there are too many.
    fn keep_within(&mut self) {
        while self.by_place.len() > self.most
            && let Some((_, dropped)) = self.by_place.pop_first()
        {
            self.places.remove(&dropped.labels);
            self.dropped += 1;
        }
    }
}

#[cfg(test)]
mod tests;
