//! Publishing alert events: in order, each until it is acknowledged.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, HeaderMap};
use serde::Deserialize;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use crate::engine::config::AlertDelivery;
use crate::engine::fact::Fact;
use crate::engine::rules::AlertEvent;
use crate::engine::wire::EventType;
use crate::shell::context::ShellContext;
use crate::shell::driver::command::Command;
use crate::shell::nats::servers::backoff;
use crate::shell::nats::world::random;
use crate::shell::status::Topic;

use super::alert_stream::{self, AlertKind, Way, Ways};

/// How long an alert event waits to hear which stream takes it, where nobody has said yet.
const FIRST_LOOK: Duration = Duration::from_millis(500);

/// How often a missing connection is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Why an event is not with the broker yet.
#[derive(Debug, thiserror::Error)]
enum PublishError {
    #[error("no answer within {0:?}")]
    Silent(Duration),
    #[error("{0}")]
    Client(String),
    #[error("the stream says: {0}")]
    Refused(String),
}

/// Publishes alert events.
pub(crate) struct AlertPublisher {
    client: Client,
    context: ShellContext,
    ways: Arc<Ways>,
}

impl AlertPublisher {
    /// A publisher over this connection.
    pub(crate) fn new(client: Client, context: ShellContext) -> Self {
        Self { client, context, ways: Arc::default() }
    }

    /// Publishes until the driver is gone.
    pub(crate) async fn publish(mut self, mut events: UnboundedReceiver<AlertEvent>) {
        tokio::spawn(alert_stream::check(self.client.clone(), self.context.clone(), Arc::clone(&self.ways)));
        while let Some(event) = events.recv().await {
            self.insist(&event).await;
            self.context.mailbox.command(Command::Confirmed(event.id));
        }
    }

    /// Tries until the event is with the broker.
    async fn insist(&mut self, event: &AlertEvent) {
        let mut failures = 0_u32;
        loop {
            self.wait_connected(event).await;
            match self.attempt(event).await {
                Ok(()) => {
                    if failures > 0 {
                        self.context.status.clear(Topic::Publishing);
                    }
                    tracing::info!(
                        kind = event.event_type().name(),
                        alert = %event.alert_name,
                        labels = %event.labels,
                        "alert event published"
                    );
                    return;
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    self.ways.doubt();
                    self.context.fact(Fact::PublishFailed { kind: event.event_type() });
                    self.context.status.set(
                        Topic::Publishing,
                        format!("cannot publish {}: {error}", event.event_type().name()),
                    );
                }
            }
            let settings = &self.context.settings.alerts;
            tokio::time::sleep(backoff(failures, settings.retry_first, settings.retry_max, random())).await;
        }
    }

    /// Waits for the connection: an attempt without it would only wait for its own time to run out.
    async fn wait_connected(&mut self, event: &AlertEvent) {
        if self.is_connected() {
            return;
        }
        self.context.fact(Fact::PublishFailed { kind: event.event_type() });
        while !self.is_connected() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.ways.look_again();
    }

    async fn attempt(&mut self, event: &AlertEvent) -> Result<(), PublishError> {
        let subject = self.context.settings.subjects.of(event.event_type());
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", event.message_id());
        let payload = event.to_json();
        match self.way(event.event_type()).await {
            Way::Acknowledged => self.acknowledged(subject, headers, payload).await,
            Way::Core => {
                let span = self.context.settings.nats.request_timeout;
                let sent = async {
                    self.client
                        .publish_with_headers(subject, headers, payload.into())
                        .await
                        .map_err(|error| PublishError::Client(error.to_string()))?;
                    self.client.flush().await.map_err(|error| PublishError::Client(error.to_string()))
                };
                timeout(span, sent).await.map_err(|_| PublishError::Silent(span))?
            }
        }
    }

    async fn acknowledged(
        &self,
        subject: String,
        headers: HeaderMap,
        payload: String,
    ) -> Result<(), PublishError> {
        #[derive(Deserialize)]
        struct Answer {
            error: Option<Refusal>,
            stream: Option<String>,
        }
        #[derive(Deserialize)]
        struct Refusal {
            description: Option<String>,
        }
        let span = self.context.settings.nats.request_timeout;
        let request = self.client.request_with_headers(subject, headers, payload.into());
        let answer = timeout(span, request)
            .await
            .map_err(|_| PublishError::Silent(span))?
            .map_err(|error| PublishError::Client(error.to_string()))?;
        let answer: Answer = serde_json::from_slice(&answer.payload)
            .map_err(|_| PublishError::Refused("an answer that is no acknowledgement".to_owned()))?;
        match answer {
            Answer { error: None, stream: Some(_) } => Ok(()),
            Answer { error, .. } => Err(PublishError::Refused(
                error.and_then(|error| error.description).unwrap_or_else(|| "no stream in it".to_owned()),
            )),
        }
    }

    fn is_connected(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }

    /// How events of this type go out.
    async fn way(&self, event_type: EventType) -> Way {
        match self.context.config.get().alerts.delivery {
            AlertDelivery::JetStream => Way::Acknowledged,
            AlertDelivery::Core => Way::Core,
            AlertDelivery::Auto => {
                let is_cleared = event_type == EventType::AlertCleared;
                let kind = if is_cleared { AlertKind::Cleared } else { AlertKind::Triggered };
                self.ways.of(kind, FIRST_LOOK).await
            }
        }
    }
}
