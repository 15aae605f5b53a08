//! Runs the machine that publishes alert events over the connection.

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
use crate::shell::driver::command::Dispatch;
use crate::shell::nats::lanes::pull::place_of;
use crate::shell::nats::world::random;

use super::client::Connections;
use super::exchange::{Answer, AnswerEnding, Request};
use super::fold::Pulled;
use super::publishing::{Asker, Publishing};
use super::words::AnswerFault;

/// How long a stop waits for the lease to be let go.
const RELEASE_WAIT: Duration = Duration::from_secs(1);

/// Publishes alert events.
pub(crate) struct AlertPublisher {
    client: Client,
    connections: watch::Receiver<Connections>,
    publishing: Publishing,
}

/// What came of a request.
type Answered = (Asker, u64, Result<Answer, AnswerFault>);

impl AlertPublisher {
    /// A publisher over this connection.
    pub(crate) fn new(
        client: Client,
        connections: watch::Receiver<Connections>,
        context: ShellContext,
    ) -> Self {
        Self { client, connections, publishing: Publishing::new(context, random) }
    }

    /// Publishes until the driver is gone.
    pub(crate) async fn publish(mut self, mut dispatches: UnboundedReceiver<Dispatch>) {
        let mut open = FuturesUnordered::new();
        self.note_connection();
        loop {
            while let Some((asker, request)) = self.publishing.next_request(Instant::now()) {
                open.push(self.send(asker, request));
            }
            let deadline = self.publishing.deadline();
            tokio::select! {
                dispatch = dispatches.recv() => match dispatch {
                    Some(dispatch) => self.publishing.take(dispatch, Instant::now()),
                    None => break,
                },
                changed = self.connections.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.note_connection();
                }
                Some((asker, number, answer)) = open.next(), if !open.is_empty() => {
                    let answer = answer.as_ref().map_err(|fault| *fault);
                    self.publishing.answered((asker, number), answer, Instant::now());
                }
                () = sleep_until(deadline.unwrap_or_else(Instant::now).into()), if deadline.is_some() => {
                    self.publishing.due(Instant::now());
                }
            }
        }
        self.release_lease().await;
    }

    fn note_connection(&mut self) {
        let connections = *self.connections.borrow_and_update();
        match connections {
            Connections::Broken { .. } => self.publishing.disconnected(),
            Connections::Standing { .. } => {
                self.publishing.connected(&self.client.server_info().version, Instant::now());
            }
        }
    }

    /// Lets the lease go at the end.
    async fn release_lease(mut self) {
        self.publishing.release();
        while let Some(request) = self.publishing.next_of_lease(Instant::now()) {
            // Where it is not heard the lease ends by itself.
            drop(timeout(RELEASE_WAIT, self.send(Asker::Lease, request)).await);
        }
    }

    fn send(&self, asker: Asker, request: Request) -> impl Future<Output = Answered> + use<> {
        let client = self.client.clone();
        let patience = self.publishing.patience(asker);
        async move {
            let Request { number, subject, headers, payload, ending } = request;
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(name, value);
            }
            let sent = async {
                match ending {
                    AnswerEnding::Answer => {
                        let answer = if map.is_empty() {
                            client.request(subject, payload).await
                        } else {
                            client.request_with_headers(subject, map, payload).await
                        };
                        answer.map(|it| Answer::Text(it.payload)).map_err(|it| of_request(it.kind()))
                    }
                    AnswerEnding::Messages(count) => pulled(&client, (subject, payload), count).await,
                    AnswerEnding::Flush => {
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
            (asker, number, answer)
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
        let applied = message.headers.as_ref().and_then(|headers| headers.get("Signalbox-Applied"));
        pulled.push(Pulled {
            subject: message.subject.to_string(),
            sequence: place.stream_sequence,
            applied: applied.map(|value| value.as_str().to_owned()),
            payload: message.payload,
            pending: place.pending,
        });
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

#[cfg(test)]
mod tests;
