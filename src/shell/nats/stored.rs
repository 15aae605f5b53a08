//! A stored stream read from outside, once and from an instant on, without a lasting trace on the server; and messages
//! published again.
//!
//! A stream that keeps what it holds (`limits`) is read through an ephemeral consumer without acknowledgements, which
//! goes when it has been read. In others a consumer would count for what may leave the stream: their messages are asked for one
//! by one.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Context, bail};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::{RawMessageErrorKind, RetentionPolicy, Stream};
use async_nats::jetstream::{self, Message};
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::connecting;
use super::copied;
use super::servers::Servers;
use crate::engine::time::Timestamp;
use crate::shell::plain::plain;
use crate::shell::settings::NatsSettings;

/// Messages that are asked for at once.
const BATCH: usize = 1_000;
/// Requests for single messages that are under way at once.
const REQUESTS: usize = 64;
/// How long the consumer outlives a reader that is gone.
const CONSUMER_AGE: Duration = Duration::from_mins(1);

/// A message as the stream keeps it.
pub(crate) struct StreamMessage {
    /// Its place in the stream.
    pub(crate) sequence: u64,
    /// When it was stored.
    pub(crate) time: Timestamp,
    /// Where it was published.
    pub(crate) subject: String,
    /// The raw header block; empty where there is none.
    pub(crate) headers: Vec<u8>,
    /// What it says.
    pub(crate) payload: Vec<u8>,
}

/// Which messages of which stream.
pub(crate) struct Wanted {
    /// The stream.
    pub(crate) stream: StreamChoice,
    /// From when on.
    pub(crate) since: Timestamp,
}

/// Which stream.
pub(crate) enum StreamChoice {
    /// The one of this name.
    Named(String),
    /// The one that takes this subject.
    Taking(String),
}

/// What a reader of messages answers with.
pub(crate) type Sink<'a> = dyn FnMut(StreamMessage) -> ControlFlow<()> + 'a;

/// Calls `sink` with every wanted message that is stored now, in order, until it says to stop.
///
/// # Errors
/// The server cannot be reached, the stream is not there or may not be read, in words that fit after "cannot".
pub(crate) fn read(
    settings: &NatsSettings,
    domain: Option<&str>,
    wanted: &Wanted,
    sink: &mut Sink<'_>,
) -> anyhow::Result<()> {
    run(async {
        let client = connect(settings).await?;
        let context = match domain {
            Some(domain) => jetstream::with_domain(client, domain),
            None => jetstream::new(client),
        };
        let stream = find(&context, &wanted.stream).await?;
        match stream.cached_info().config.retention {
            RetentionPolicy::Limits => read_consumed(&stream, wanted.since, sink).await,
            RetentionPolicy::Interest | RetentionPolicy::WorkQueue => {
                read_singly(&stream, wanted.since, sink).await
            }
        }
    })
}

/// Connects, once: who runs a command wants to know that it does not work.
///
/// # Errors
/// Credentials that cannot be read, and a server that cannot be reached.
pub(crate) async fn connect(settings: &NatsSettings) -> anyhow::Result<Client> {
    let servers = Servers::new(settings)?;
    let options = connecting::options(settings, &servers, "signalbox-reader")?;
    options.connect(servers.urls()).await.map_err(|error| {
        anyhow::anyhow!("connect to NATS: {}; is the URL right, and does a server run there?", plain(error))
    })
}

/// Runs a piece of work that waits for a server.
///
/// # Errors
/// Those of the work.
pub(crate) fn run<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("start a runtime")?.block_on(work)
}

async fn find(context: &jetstream::Context, choice: &StreamChoice) -> anyhow::Result<Stream> {
    let name = match choice {
        StreamChoice::Named(name) => name.clone(),
        StreamChoice::Taking(subject) => context
            .stream_by_subject(subject.as_str())
            .await
            .with_context(|| format!("find a stream that takes {subject}; name one with --stream"))?,
    };
    context.get_stream(&name).await.with_context(|| format!("read the stream {name}"))
}

async fn read_consumed(stream: &Stream, since: Timestamp, sink: &mut Sink<'_>) -> anyhow::Result<()> {
    let state = &stream.cached_info().state;
    let last = state.last_sequence;
    if state.messages == 0 {
        return Ok(());
    }
    let micros = since.micros();
    let start_time = chrono::DateTime::from_timestamp_micros(micros).unwrap_or_default();
    let config = pull::Config {
        description: Some("signalbox reads the stream once".to_owned()),
        deliver_policy: DeliverPolicy::ByStartTime { start_time },
        ack_policy: AckPolicy::None,
        inactive_threshold: CONSUMER_AGE,
        memory_storage: true,
        ..pull::Config::default()
    };
    let consumer: PullConsumer = stream.create_consumer(config).await.context("read the stream")?;
    let read = read_batches(&consumer, last, sink).await;
    // It would go by itself in a minute.
    drop(stream.delete_consumer(&consumer.cached_info().name).await);
    read
}

async fn read_batches(consumer: &PullConsumer, last: u64, sink: &mut Sink<'_>) -> anyhow::Result<()> {
    // Nothing stored since then: without a pending message there is none to wait for.
    let mut pending = consumer.cached_info().num_pending;
    while pending > 0 {
        let mut batch = consumer.fetch().max_messages(BATCH).messages().await.context("read the stream")?;
        let mut is_empty = true;
        while let Some(message) = batch.next().await {
            let message = message.map_err(|error| anyhow::anyhow!("read the stream: {}", plain(error)))?;
            is_empty = false;
            let stored = consumed(&message)?;
            let sequence = stored.sequence;
            pending = message.info().map_or(0, |info| info.pending);
            if sequence > last || sink(stored).is_break() || sequence == last {
                return Ok(());
            }
        }
        if is_empty {
            bail!("read the stream to its end: the server sends no more of {pending} messages");
        }
    }
    Ok(())
}

fn consumed(message: &Message) -> anyhow::Result<StreamMessage> {
    let info = message.info().map_err(|error| anyhow::anyhow!("read the stream: {}", plain(error)))?;
    Ok(StreamMessage {
        sequence: info.stream_sequence,
        time: instant(info.published),
        subject: message.subject.to_string(),
        headers: message.headers.as_ref().map(block).unwrap_or_default(),
        payload: message.payload.to_vec(),
    })
}

async fn read_singly(stream: &Stream, since: Timestamp, sink: &mut Sink<'_>) -> anyhow::Result<()> {
    let state = &stream.cached_info().state;
    let sequences = state.first_sequence..=state.last_sequence;
    let mut answers =
        stream::iter(sequences).map(|sequence| stream.get_raw_message(sequence)).buffered(REQUESTS);
    while let Some(answer) = answers.next().await {
        let message = match answer {
            Ok(message) => message,
            // What was deleted leaves a gap.
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => continue,
            Err(error) => return Err(error).context("read the stream"),
        };
        let stored = StreamMessage {
            sequence: message.sequence,
            time: instant(message.time),
            subject: message.subject.to_string(),
            headers: if message.headers.is_empty() { Vec::new() } else { block(&message.headers) },
            payload: message.payload.to_vec(),
        };
        if stored.time >= since && sink(stored).is_break() {
            break;
        }
    }
    Ok(())
}

fn instant(time: chrono::DateTime<chrono::Utc>) -> Timestamp {
    Timestamp::from_micros(time.timestamp_micros())
}

/// Headers as they stand in a message.
fn block(headers: &HeaderMap) -> Vec<u8> {
    let mut block = b"NATS/1.0\r\n".to_vec();
    let mut named: Vec<_> = headers.iter().map(|(name, values)| (name.to_string(), values)).collect();
    named.sort_by(|left, right| left.0.cmp(&right.0));
    for (name, values) in named {
        for value in values {
            block.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
    }
    block.extend_from_slice(b"\r\n");
    block
}

/// A message to publish.
pub(crate) struct Outgoing {
    /// Where to.
    pub(crate) subject: String,
    /// Its raw header block, of which the publisher's headers are sent; empty where there is none.
    pub(crate) headers: Vec<u8>,
    /// What it says.
    pub(crate) payload: Vec<u8>,
}

/// Why a message was not published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendFault {
    /// The stream that takes its subject did not acknowledge it.
    #[error(transparent)]
    Unacknowledged(#[from] jetstream::context::PublishError),
    /// It could not be sent.
    #[error(transparent)]
    Unsent(#[from] async_nats::PublishError),
}

/// Publishes messages one after the other; each is acknowledged where a stream takes its subject. Yields what became of
/// each.
///
/// # Errors
/// The server cannot be reached.
pub(crate) fn publish(
    settings: &NatsSettings,
    domain: Option<&str>,
    messages: &[Outgoing],
) -> anyhow::Result<Vec<Result<(), SendFault>>> {
    run(async {
        let client = connect(settings).await?;
        let context = match domain {
            Some(domain) => jetstream::with_domain(client.clone(), domain),
            None => jetstream::new(client.clone()),
        };
        let mut kept: BTreeMap<&str, bool> = BTreeMap::new();
        let mut answers = Vec::with_capacity(messages.len());
        for Outgoing { subject, headers, payload } in messages {
            if !kept.contains_key(subject.as_str()) {
                kept.insert(subject, context.stream_by_subject(subject.as_str()).await.is_ok());
            }
            let (headers, body) = (copied::header_map(headers), payload.clone().into());
            answers.push(if kept.get(subject.as_str()) == Some(&true) {
                acknowledged(&context, subject, (headers, body)).await
            } else {
                let sent = client.publish_with_headers(subject.clone(), headers, body);
                sent.await.map_err(SendFault::from)
            });
        }
        client.flush().await.context("publish")?;
        Ok(answers)
    })
}

async fn acknowledged(
    context: &jetstream::Context,
    subject: &str,
    (headers, body): (HeaderMap, Bytes),
) -> Result<(), SendFault> {
    context.publish_with_headers(subject.to_owned(), headers, body).await?.await?;
    Ok(())
}
