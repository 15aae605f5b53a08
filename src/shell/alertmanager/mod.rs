//! Alertmanagers: each is told on its own what the engine has for it, until it takes that.

mod post;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

use crate::engine::config::{Config, HttpUrl};
use crate::engine::fact::{AlertmanagerNews, Fact};
use crate::shell::backoff::backoff;
use crate::shell::context::ShellContext;
use crate::shell::driver::notifications::{Delivery, NotificationQueue, NotificationQueues};
use crate::shell::nats::world::random;
use post::{Mailer, PostError};

/// Alerts of one request, as Prometheus has it.
const ALERTS_TOGETHER: usize = 64;

/// The pause after the first failure.
const PAUSE_FIRST: Duration = Duration::from_millis(250);

/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// How often it is looked whether everything is told, at the end.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Begins to tell the Alertmanagers of the configuration, and follows its changes.
pub(crate) fn start(context: &ShellContext) -> Arc<NotificationQueues> {
    let mut configs = context.config.follow();
    let config = Arc::clone(&configs.borrow_and_update());
    let mut post_office =
        PostOffice { queues: Arc::default(), couriers: BTreeMap::new(), context: context.clone() };
    post_office.serve(&config);
    let queues = Arc::clone(&post_office.queues);
    tokio::spawn(async move {
        while configs.changed().await.is_ok() {
            let config = Arc::clone(&configs.borrow_and_update());
            post_office.serve(&config);
        }
    });
    queues
}

/// Waits until everything is told, for so long at the most.
pub(crate) async fn settle(queues: &NotificationQueues, grace: Duration) {
    let settled = async {
        while queues.all().iter().any(|queue| queue.is_moving()) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    // What an Alertmanager does not take in time, another start tells it.
    drop(tokio::time::timeout(grace, settled).await);
}

/// The couriers of all Alertmanagers.
struct PostOffice {
    queues: Arc<NotificationQueues>,
    couriers: BTreeMap<HttpUrl, (Arc<NotificationQueue>, AbortHandle)>,
    context: ShellContext,
}

impl PostOffice {
    /// Has a courier for each Alertmanager of the configuration, and for no other.
    fn serve(&mut self, config: &Config) {
        let (urls, most) = (&config.alertmanager.urls, config.alertmanager.queue);
        self.couriers.retain(|url, (_, courier)| {
            let stays = urls.contains(url);
            if !stays {
                courier.abort();
            }
            stays
        });
        for url in urls {
            let (queue, _) = self.couriers.entry(url.clone()).or_insert_with(|| {
                let queue = Arc::new(NotificationQueue::new(url.clone(), most));
                let courier = Courier::new(Arc::clone(&queue), self.context.clone());
                (queue, tokio::spawn(courier.deliver()).abort_handle())
            });
            queue.resize(most);
        }
        self.queues.replace(self.couriers.values().map(|(queue, _)| Arc::clone(queue)).collect());
    }
}

/// Tells one Alertmanager.
struct Courier {
    queue: Arc<NotificationQueue>,
    mailer: Mailer,
    context: ShellContext,
    name: Arc<str>,
    failures: u32,
}

impl Courier {
    fn new(queue: Arc<NotificationQueue>, context: ShellContext) -> Self {
        let name: Arc<str> = Arc::from(queue.url.to_string());
        Self { mailer: Mailer::new(queue.url.clone()), queue, context, name, failures: 0 }
    }

    /// Delivers what waits, until the Alertmanager leaves the configuration.
    async fn deliver(mut self) {
        self.news(AlertmanagerNews::Known);
        loop {
            let batch = self.queue.take(ALERTS_TOGETHER).await;
            let alerts = batch.len();
            let body = serde_json::Value::Array(batch.iter().map(|(_, word)| word.to_json()).collect());
            let begun = Instant::now();
            let config = self.context.config.get();
            let posted = self.mailer.post(body.to_string(), &config.alertmanager).await;
            match posted {
                Ok(()) => {
                    self.queue.note(Delivery::Idle);
                    self.news(AlertmanagerNews::Took { alerts, took: begun.elapsed() });
                    if std::mem::take(&mut self.failures) > 0 {
                        tracing::info!(alertmanager = %self.name, "the Alertmanager takes alerts again");
                    }
                }
                Err(error) => {
                    self.news(AlertmanagerNews::Failed);
                    if error.is_final() {
                        self.news(AlertmanagerNews::Dropped { alerts });
                    } else {
                        self.queue.put_back(batch);
                    }
                    self.fail(&error).await;
                }
            }
            let dropped = self.queue.take_dropped();
            if dropped > 0 {
                self.news(AlertmanagerNews::Dropped { alerts: dropped });
            }
            self.news(AlertmanagerNews::Waiting { alerts: self.queue.len() });
        }
    }

    /// Says so once, and waits before the next attempt.
    async fn fail(&mut self, error: &PostError) {
        if self.failures == 0 {
            tracing::warn!(alertmanager = %self.name, %error, "cannot tell the Alertmanager of alerts");
        }
        self.failures = self.failures.saturating_add(1);
        self.queue.note(Delivery::Failing);
        tokio::time::sleep(backoff(self.failures, PAUSE_FIRST, PAUSE_MAX, random())).await;
    }

    fn news(&self, news: AlertmanagerNews) {
        self.context.fact(Fact::Alertmanager { url: Arc::clone(&self.name), news });
    }
}

#[cfg(test)]
mod tests;
