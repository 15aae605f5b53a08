//! Runs the machine that publishes alert events over the connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::client::{FlushErrorKind, PublishErrorKind, RequestErrorKind};
use async_nats::{Client, HeaderMap};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};

use crate::engine::rules::AlertEvent;
use crate::shell::context::ShellContext;
use crate::shell::driver::command::Command;
use crate::shell::nats::world::random;

use super::client::Connections;
use super::machine::{AlertMachine, Ending, Output, Request, Terms};
use super::words::AnswerFault;

/// Publishes alert events.
pub(crate) struct AlertPublisher {
    client: Client,
    connections: watch::Receiver<Connections>,
    context: ShellContext,
    machine: AlertMachine,
}

/// What came of a request.
type Answer = (u64, Result<bytes::Bytes, AnswerFault>);

impl AlertPublisher {
    /// A publisher over this connection.
    pub(crate) fn new(
        client: Client,
        connections: watch::Receiver<Connections>,
        context: ShellContext,
    ) -> Self {
        let config = context.config.get();
        let terms = Terms {
            settings: Arc::clone(&context.settings),
            source: Arc::from(config.instance.as_str()),
            random,
        };
        let machine = AlertMachine::new(terms, config.alerts.delivery);
        Self { client, connections, context, machine }
    }

    /// Publishes until the driver is gone.
    pub(crate) async fn publish(mut self, mut events: UnboundedReceiver<AlertEvent>) {
        let mut open = FuturesUnordered::new();
        self.note_connection();
        loop {
            while let Some(output) = self.machine.outputs.pop_front() {
                if let Some(request) = self.perform(output) {
                    open.push(self.send(request));
                }
            }
            let deadline = self.machine.deadline();
            tokio::select! {
                event = events.recv() => {
                    let Some(event) = event else { return };
                    self.machine.deliver_by(self.context.config.get().alerts.delivery, Instant::now());
                    self.machine.push(event, Instant::now());
                }
                changed = self.connections.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.note_connection();
                }
                Some((number, answer)) = open.next(), if !open.is_empty() => {
                    let answer: Result<&[u8], AnswerFault> = answer.as_deref().map_err(|fault| *fault);
                    self.machine.answered(number, answer, Instant::now());
                }
                () = sleep_until(deadline.unwrap_or_else(Instant::now).into()), if deadline.is_some() => {
                    self.machine.due(Instant::now());
                }
            }
        }
    }

    fn note_connection(&mut self) {
        let connections = *self.connections.borrow_and_update();
        match connections {
            Connections::Broken { .. } => self.machine.disconnected(),
            Connections::Standing { .. } => self.machine.connected(Instant::now()),
        }
    }

    /// Does what the machine says; what is to be sent comes back.
    fn perform(&self, output: Output) -> Option<Request> {
        match output {
            Output::Ask(request) => return Some(request),
            Output::Published(event) => {
                tracing::info!(
                    kind = event.event_type().name(),
                    alert = %event.alert_name,
                    labels = %event.labels,
                    "alert event published"
                );
                self.context.mailbox.command(Command::Confirmed(event.id));
            }
            Output::Fact(fact) => self.context.fact(fact),
            Output::Ready(topic) => {
                self.context.status.clear(topic);
            }
            Output::Unready(topic, reason) => {
                self.context.status.set(topic, reason);
            }
            Output::Foreign(stored) => tracing::warn!(
                id = %stored.id,
                alert = %stored.alert_name,
                "another process publishes alert events under this instance's name; give each its own (instance)"
            ),
        }
        None
    }

    fn send(&self, request: Request) -> impl Future<Output = Answer> + use<> {
        let client = self.client.clone();
        let patience = self.context.settings.nats.request_timeout;
        async move {
            let Request { number, subject, headers, payload, ending } = request;
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(name, value);
            }
            let sent = async {
                match ending {
                    Ending::Answer if map.is_empty() => client
                        .request(subject, payload)
                        .await
                        .map(|it| it.payload)
                        .map_err(|it| of_request(it.kind())),
                    Ending::Answer => client
                        .request_with_headers(subject, map, payload)
                        .await
                        .map(|it| it.payload)
                        .map_err(|it| of_request(it.kind())),
                    Ending::Flush => {
                        client
                            .publish_with_headers(subject, map, payload)
                            .await
                            .map_err(|it| of_publish(it.kind()))?;
                        client.flush().await.map_err(|error| of_flush(error.kind()))?;
                        Ok(bytes::Bytes::new())
                    }
                }
            };
            let answer = timeout(patience, sent).await.unwrap_or(Err(AnswerFault::Silent(patience)));
            // The client's own patience ends with ours.
            let answer = answer.map_err(|fault| match fault {
                AnswerFault::Silent(_) => AnswerFault::Silent(patience),
                AnswerFault::NobodyThere
                | AnswerFault::TooLarge
                | AnswerFault::Subject
                | AnswerFault::Closed => fault,
            });
            (number, answer)
        }
    }
}

const fn of_request(kind: RequestErrorKind) -> AnswerFault {
    match kind {
        RequestErrorKind::TimedOut => AnswerFault::Silent(Duration::ZERO),
        RequestErrorKind::NoResponders => AnswerFault::NobodyThere,
        RequestErrorKind::InvalidSubject => AnswerFault::Subject,
        RequestErrorKind::MaxPayloadExceeded => AnswerFault::TooLarge,
        RequestErrorKind::Other => AnswerFault::Closed,
    }
}

const fn of_publish(kind: PublishErrorKind) -> AnswerFault {
    match kind {
        PublishErrorKind::MaxPayloadExceeded => AnswerFault::TooLarge,
        PublishErrorKind::InvalidSubject => AnswerFault::Subject,
        PublishErrorKind::Send => AnswerFault::Closed,
    }
}

const fn of_flush(kind: FlushErrorKind) -> AnswerFault {
    match kind {
        FlushErrorKind::SendError | FlushErrorKind::FlushError => AnswerFault::Closed,
    }
}
