//! Copies of rejected events: published, and acknowledged where a stream keeps them.
//!
//! What is on its way to a server that is killed is gone, and what a process that is killed did not send yet. Where a stream
//! takes the copies, each is sent until the stream has it, and then the log says so; by its `Nats-Msg-Id` the stream keeps
//! one. Where none does, or the copy has no place by which a second one of it would be known, it is sent once, after the log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::client::RequestErrorKind;
use async_nats::connection::State;
use async_nats::{Client, HeaderMap, Request};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc::WeakUnboundedSender;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::engine::fact::{CopyFault, Fact};
use crate::shell::context::ShellContext;
use crate::shell::driver::command::Dispatch;
use crate::shell::driver::rejections::{RejectedCopies, RejectedCopy};
use crate::shell::nats::api::{ApiError, StreamNames, api_prefix, read_answer};
use crate::shell::nats::copied;

/// How long one copy may take to be sent.
const SEND_WAIT: Duration = Duration::from_secs(5);

/// How long to wait before a copy is sent again.
const AGAIN: Duration = Duration::from_millis(500);

/// For how long it is believed that no stream takes the copies.
const NONE_FOR: Duration = Duration::from_secs(10);

/// How often a copy is sent that no acknowledgement comes of, by a server that is there.
const SENT_MAX: usize = 10;

/// Copies whose acknowledgements are waited for at a time.
const WAITING_MAX: usize = 64;

/// Copies that are noted and sent together, where no stream takes them.
const TOGETHER_MAX: usize = 256;

/// Where it is noted what is published; gone with the driver.
pub(crate) type Noting = WeakUnboundedSender<Dispatch>;

/// Publishes copies until the driver is gone; where there is a log, it says which are.
pub(crate) async fn publish(
    (mut copies, noting): (RejectedCopies, Option<Noting>),
    client: Client,
    context: ShellContext,
) {
    let mut publisher = CopyPublisher { client: client.clone(), context, noting, kept: None };
    let mut waiting = JoinSet::new();
    while let Some(first) = copies.next().await {
        let more = std::iter::from_fn(|| copies.next_waiting()).take(TOGETHER_MAX - 1);
        let letters: Vec<Letter> =
            std::iter::once(first).chain(more).filter_map(|copy| publisher.letter(copy)).collect();
        let mut at_once = Vec::new();
        for letter in letters {
            if letter.sequence.is_some() && publisher.is_kept(&letter.subject).await {
                while waiting.try_join_next().is_some() {}
                if waiting.len() >= WAITING_MAX {
                    waiting.join_next().await;
                }
                waiting.spawn(publisher.clone().deliver(letter));
            } else {
                at_once.push(letter);
            }
        }
        publisher.send(at_once).await;
    }
    // Nobody waits longer than the process's end.
    drop(timeout(SEND_WAIT, waiting.join_all()).await);
    drop(timeout(SEND_WAIT, client.flush()).await);
}

/// Who publishes copies.
#[derive(Clone)]
struct CopyPublisher {
    client: Client,
    context: ShellContext,
    noting: Option<Noting>,
    /// The subject that was asked for last, whether a stream takes it, and when that was.
    kept: Option<(Arc<str>, Kept, Instant)>,
}

/// Whether a stream takes what goes to a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    ByStream,
    ByNobody,
}

/// A copy as it is sent.
struct Letter {
    subject: Arc<str>,
    headers: HeaderMap,
    payload: Bytes,
    /// The sequence of the message, by which a second copy of it is known.
    sequence: Option<u64>,
}

/// What a stream says of a message that it was sent.
#[derive(Deserialize)]
struct Stored {
    #[expect(dead_code, reason = "that it is there tells an acknowledgement from what else may answer")]
    seq: u64,
}

impl CopyPublisher {
    /// The copy as it is sent; none where the server would not take it.
    fn letter(&self, copy: RejectedCopy) -> Option<Letter> {
        let mut headers = copied::header_map(&copy.headers);
        headers.insert("Signalbox-Reason", copy.reason.name());
        headers.insert("Signalbox-Subject", one_line(&copy.subject));
        let config = self.context.config.get();
        if let Some(sequence) = copy.sequence {
            // Both instances of a pair publish it, and one that could not log it does again after a kill: a stream keeps one.
            let stream = &self.context.settings.jetstream.stream;
            // A stream that began anew gives the same sequence to another message.
            let content = crc32fast::hash(&copy.payload);
            let source = one_line(config.alert_source());
            let id = format!("{source}-rejected-{stream}-{sequence}-{}-{content:08x}", copy.element);
            headers.insert("Nats-Msg-Id", id);
        }
        if copy.payload.len() + block_bytes(&headers) > self.client.max_payload() {
            self.drop_one(CopyFault::TooLarge);
            return None;
        }
        let subject = Arc::from(config.rejected.subject.as_str());
        Some(Letter { subject, headers, payload: copy.payload, sequence: copy.sequence })
    }

    fn drop_one(&self, reason: CopyFault) {
        self.context.fact(Fact::RejectedCopyDropped { reason });
    }

    /// Sends copies once, each after it is noted: a run that is killed does not send it again.
    async fn send(&self, letters: Vec<Letter>) {
        let sequences: Vec<u64> = letters.iter().filter_map(|letter| letter.sequence).collect();
        if !sequences.is_empty() {
            let (noted, is_noted) = oneshot::channel();
            self.note(sequences, Some(noted));
            drop(is_noted.await);
        }
        for Letter { subject, headers, payload, .. } in letters {
            let sent = self.client.publish_with_headers(subject.to_string(), headers, payload);
            if !matches!(timeout(SEND_WAIT, sent).await, Ok(Ok(()))) {
                self.drop_one(CopyFault::NotSent);
            }
        }
    }

    /// Has the log say that copies are published. Without a log, or at the end of the process, nobody needs it.
    fn note(&self, sequences: Vec<u64>, noted: Option<oneshot::Sender<()>>) {
        if let Some(log) = self.noting.as_ref().and_then(Noting::upgrade) {
            drop(log.send(Dispatch::Copied { sequences, noted }));
        }
    }

    /// Sends a copy until the stream has it, and notes that it has.
    async fn deliver(self, letter: Letter) {
        let (sequence, publisher) = (letter.sequence, self.clone());
        self.send_until_kept(letter).await;
        publisher.note(sequence.into_iter().collect(), None);
    }

    /// Sends a copy until the stream has it, or there is none any more.
    async fn send_until_kept(mut self, letter: Letter) {
        for _ in 0..SENT_MAX {
            let request = Request::new()
                .headers(letter.headers.clone())
                .payload(letter.payload.clone())
                .timeout(Some(self.context.settings.nats.request_timeout));
            match self.client.send_request(letter.subject.to_string(), request).await {
                Ok(answer) => match read_answer::<Stored>(&answer.payload) {
                    Ok(_) => return,
                    Err(error @ ApiError::Refused { .. }) => {
                        tracing::warn!(error = %error, "the stream refuses a copy of a rejected event");
                        return self.drop_one(CopyFault::NotSent);
                    }
                    // Somebody else answers who hears the copies.
                    Err(_) => {}
                },
                Err(error) => match error.kind() {
                    RequestErrorKind::TimedOut | RequestErrorKind::NoResponders | RequestErrorKind::Other => {
                    }
                    RequestErrorKind::InvalidSubject | RequestErrorKind::MaxPayloadExceeded => {
                        return self.drop_one(CopyFault::NotSent);
                    }
                },
            }
            sleep(AGAIN).await;
            self.kept = None;
            if !self.is_kept(&letter.subject).await {
                return;
            }
        }
        self.drop_one(CopyFault::NotSent);
    }

    /// Whether a stream takes what goes to this subject; a server that is away is waited for.
    async fn is_kept(&mut self, subject: &Arc<str>) -> bool {
        loop {
            if let Some((asked, kept, when)) = &self.kept
                && asked == subject
                && (*kept == Kept::ByStream || when.elapsed() < NONE_FOR)
            {
                return *kept == Kept::ByStream;
            }
            let said = self.ask(subject).await;
            let is_there = self.client.connection_state() == State::Connected;
            if let Some(kept) = said.or_else(|| is_there.then_some(Kept::ByNobody)) {
                self.kept = Some((Arc::clone(subject), kept, Instant::now()));
            } else {
                sleep(AGAIN).await;
            }
        }
    }

    /// Asks whether a stream takes it; nothing where nobody answers.
    async fn ask(&self, subject: &str) -> Option<Kept> {
        let settings = &self.context.settings;
        let question = format!("{}.STREAM.NAMES", api_prefix(settings.jetstream.domain.as_deref()));
        let request = Request::new()
            .payload(json!({ "subject": subject }).to_string().into())
            .timeout(Some(settings.nats.request_timeout));
        match self.client.send_request(question, request).await {
            Ok(answer) => {
                let names = read_answer::<StreamNames>(&answer.payload).unwrap_or_default();
                let is_none = names.streams.is_none_or(|streams| streams.is_empty());
                Some(if is_none { Kept::ByNobody } else { Kept::ByStream })
            }
            Err(error) if error.kind() == RequestErrorKind::NoResponders => Some(Kept::ByNobody),
            Err(_) => None,
        }
    }
}

/// What headers take in a message: a line each, the protocol's before and an empty one behind them.
fn block_bytes(headers: &HeaderMap) -> usize {
    let line = |name: &str, value: &str| name.len() + ": ".len() + value.len() + "\r\n".len();
    let lines = headers.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    let lines = lines.map(|(name, value)| line(name.as_ref(), value.as_str())).sum::<usize>();
    "NATS/1.0\r\n\r\n".len() + lines
}

/// A text that fits into a header value.
fn one_line(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_headers_takes_what_it_is_written_as() {
        let mut headers = HeaderMap::new();
        assert_eq!(block_bytes(&headers), "NATS/1.0\r\n\r\n".len());
        headers.append("A", "1");
        headers.append("A", "2");
        headers.append("Nats-Msg-Id", "pair-rejected-EVENTS-7-0");
        let written = "NATS/1.0\r\nA: 1\r\nA: 2\r\nNats-Msg-Id: pair-rejected-EVENTS-7-0\r\n\r\n";
        assert_eq!(block_bytes(&headers), written.len());
    }
}
