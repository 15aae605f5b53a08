//! Runs the machine that publishes alert events over the connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::client::{FlushErrorKind, PublishErrorKind, RequestErrorKind};
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};

use crate::shell::context::ShellContext;
use crate::shell::driver::command::{Command, Dispatch};
use crate::shell::nats::lanes::pull::place_of;
use crate::shell::nats::world::random;
use crate::shell::status::{Concern, Noted};

use super::client::Connections;
use super::exchange::{Answer, Ending, Output, Request};
use super::fold::Pulled;
use super::machine::{AlertMachine, Terms};
use super::words::AnswerFault;

/// Publishes alert events.
pub(crate) struct AlertPublisher {
    client: Client,
    connections: watch::Receiver<Connections>,
    context: ShellContext,
    machine: AlertMachine,
}

/// What came of a request.
type Answered = (u64, Result<Answer, AnswerFault>);

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
    pub(crate) async fn publish(mut self, mut dispatches: UnboundedReceiver<Dispatch>) {
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
                dispatch = dispatches.recv() => match dispatch {
                    Some(Dispatch::Publish { event, .. }) => {
                        self.machine.deliver_by(self.context.config.get().alerts.delivery, Instant::now());
                        self.machine.push(*event, Instant::now());
                    }
                    Some(Dispatch::BeginAnew) => self.machine.begin_anew(Instant::now()),
                    Some(
                        Dispatch::Acknowledged(_) | Dispatch::Withdrawn(_) | Dispatch::Copy(_) | Dispatch::Mark | Dispatch::Saved,
                    ) => {}
                    None => return,
                },
                changed = self.connections.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.note_connection();
                }
                Some((number, answer)) = open.next(), if !open.is_empty() => {
                    self.machine.answered(number, answer.as_ref().map_err(|fault| *fault), Instant::now());
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
            Output::Concern(Some(text)) => {
                // The streams are looked at twice a minute; this is said once.
                if self.context.status.note_concern(Concern::AlertStream, text.clone()) == Noted::Now {
                    tracing::warn!(text, "alert events may not outlive their server");
                }
            }
            Output::Concern(None) => self.context.status.resolve_concern(Concern::AlertStream),
            Output::Shown(shown) => {
                tracing::info!(
                    open = shown.open.len(),
                    ended = shown.ended.len(),
                    "read this instance's alerts from the stream"
                );
                self.context.mailbox.command(Command::Adopt(shown));
            }
            Output::Unread => tracing::warn!(
                "cannot read this instance's alerts from the stream: those an earlier run left open are not known"
            ),
            Output::Foreign(stored) => tracing::warn!(
                id = %stored.id,
                alert = %stored.alert_name,
                "another process publishes alert events under this instance's name; give each its own (instance)"
            ),
        }
        None
    }

    fn send(&self, request: Request) -> impl Future<Output = Answered> + use<> {
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
                    Ending::Answer => {
                        let answer = if map.is_empty() {
                            client.request(subject, payload).await
                        } else {
                            client.request_with_headers(subject, map, payload).await
                        };
                        answer.map(|it| Answer::Text(it.payload)).map_err(|it| of_request(it.kind()))
                    }
                    Ending::Messages(count) => pulled(&client, (subject, payload), count).await,
                    Ending::Flush => {
                        client
                            .publish_with_headers(subject, map, payload)
                            .await
                            .map_err(|it| of_publish(it.kind()))?;
                        client.flush().await.map_err(|error| of_flush(error.kind()))?;
                        Ok(Answer::Text(Bytes::new()))
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

/// Pulls messages of a stream: so many, or those that come until the server says that there are no more.
async fn pulled(
    client: &Client,
    (subject, payload): (String, Bytes),
    count: u64,
) -> Result<Answer, AnswerFault> {
    let inbox = client.new_inbox();
    let subscribed = client.subscribe(inbox.clone()).await;
    let mut messages = subscribed.map_err(|_| AnswerFault::Closed)?;
    client.publish_with_reply(subject, inbox, payload).await.map_err(|it| of_publish(it.kind()))?;
    let mut pulled = Vec::new();
    while let Some(message) = messages.next().await {
        let Some(place) = message.reply.as_ref().and_then(|reply| place_of(reply.as_bytes())) else { break };
        pulled.push(Pulled { payload: message.payload, pending: place.pending });
        if pulled.len() as u64 >= count {
            break;
        }
    }
    Ok(Answer::Messages(pulled))
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
