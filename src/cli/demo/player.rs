//! Publishes the workload in its own time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use async_nats::jetstream::{self, stream};

use super::ending::DemoEnding;
use super::say;
use super::workload::Workload;
use crate::cli::settings;
use crate::engine::config::Config;
use crate::engine::wire::{Event, Lane, Subjects};
use crate::shell::nats::stored;
use crate::shell::plain::plain;

/// The stream a sidecar reads where nothing else is configured.
const STREAM: &str = "EVENTS";
/// How long the sidecar of the demo may take to make its stream.
const STREAM_WAIT: Duration = Duration::from_secs(5);

/// Who sees to it that a stream takes the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamMaker {
    /// The sidecar that runs beside.
    Sidecar,
    /// The player, where no stream does yet: a sidecar elsewhere may be waiting for it.
    Player,
}

/// What to play, where and for how long.
#[derive(Clone, Debug)]
pub(super) struct Player {
    /// The servers.
    pub(super) nats_url: String,
    /// How long; without end where there is none.
    pub(super) length: Option<Duration>,
    /// Who makes the stream.
    pub(super) stream: StreamMaker,
}

impl Player {
    /// Plays until the story or the demo ends.
    ///
    /// # Errors
    /// NATS cannot be reached.
    pub(super) fn play(&self, workload: Workload, ending: &DemoEnding) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start a runtime")?;
        runtime.block_on(async {
            tokio::select! {
                played = self.publish_all(workload) => played,
                () = ending.begun() => Ok(()),
            }
        })
    }

    async fn publish_all(&self, workload: Workload) -> Result<()> {
        let settings = settings::nats_at(&self.nats_url, &Config::default())?;
        let client = stored::connect(&settings).await.map_err(|error| {
            anyhow!(
                "cannot {} Where it asks who you are: --nats-url nats://user:password@host:4222",
                plain(&error)
            )
        })?;
        let jetstream = jetstream::new(client.clone());
        match self.stream {
            StreamMaker::Sidecar => await_stream(&jetstream).await,
            StreamMaker::Player => make_stream(&jetstream).await,
        }
        let begin = Instant::now();
        let length = self.length.unwrap_or(Duration::MAX);
        let mut last_flush = Duration::ZERO;
        for (offset, event) in workload.timed().take_while(|(offset, _)| *offset <= length) {
            if let Some(wait) = offset.checked_sub(begin.elapsed()) {
                tokio::time::sleep(wait).await;
            }
            publish(&client, &event).await?;
            if offset.saturating_sub(last_flush) > Duration::from_millis(500) {
                client.flush().await.context("cannot publish to NATS")?;
                last_flush = offset;
            }
        }
        client.flush().await.context("cannot publish to NATS")
    }
}

/// Waits until the sidecar has made the stream, so that the first events are in it.
async fn await_stream(jetstream: &jetstream::Context) {
    let begin = Instant::now();
    while jetstream.get_stream(STREAM).await.is_err() {
        if begin.elapsed() > STREAM_WAIT {
            say(&format!(
                "there is no stream {STREAM} yet (see the log); events before it are seen by nobody"
            ));
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Makes the stream a sidecar reads, unless one takes the events already, and says which it is.
async fn make_stream(jetstream: &jetstream::Context) {
    let subjects = stream_subjects();
    let probe = subjects.first().cloned().unwrap_or_default();
    if let Ok(name) = jetstream.stream_by_subject(probe).await {
        say(&format!("the stream {name} takes the events"));
        return;
    }
    let config = stream::Config { name: STREAM.to_owned(), subjects, ..stream::Config::default() };
    match jetstream.create_stream(config).await {
        Ok(_) => say(&format!("no stream took the events: made {STREAM}, which a sidecar reads by default")),
        Err(error) => say(&format!(
            "no stream takes the events, and none can be made ({error}): a sidecar sees most of them only with \
             jetstream.enabled: false"
        )),
    }
}

/// The subjects of the types that ride the JetStream lane by default.
fn stream_subjects() -> Vec<String> {
    let wire = Config::with_defaults("").wire();
    let stored = wire.lanes.iter().filter(|(_, lane)| **lane == Lane::JetStream);
    stored.map(|(event_type, _)| Subjects::default().of(*event_type)).collect()
}

async fn publish(client: &async_nats::Client, event: &Event<'static>) -> Result<()> {
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Nats-Msg-Id", uuid::Uuid::from_u128(event.id.0).to_string());
    if let Some(trace) = event.trace {
        headers.insert("traceparent", format!("00-{trace:032x}-{:016x}-01", event.id.0 as u64));
    }
    let subject = Subjects::default().of(event.payload.event_type());
    client
        .publish_with_headers(subject, headers, event.to_json().into())
        .await
        .context("cannot publish to NATS")
}
